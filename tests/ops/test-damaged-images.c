/* Images that are changed under the service, before an operation or between its plan and its run,
 * held by a machine that runs, or needed by an overlay that nobody told of: each operation is
 * refused with a type or settled, and with the image back every byte is as it was.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "history.h"
#include "qcow2-reader.h"
#include "stemma-error.h"
#include "stm-request.h"

#include <glib/gstdio.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define TARGET_BYTES 100

typedef enum
{
  DAMAGE_LINK,     /* a link to the same image elsewhere */
  DAMAGE_REMOVE,   /* nothing there */
  DAMAGE_TRUNCATE, /* not even a whole header */
  DAMAGE_RAW,      /* bytes of a guest where qcow2 is recorded */
} Damage;

static const char *const damages[] = { "a-link", "missing", "truncated", "raw" };

/* An operation of the tree that history_grow_tree() makes, and the image of it that is hurt. */
typedef struct
{
  const char *name;
  const char *intent;
  LifeCommand command;
  const char *snapshot; /* whose frozen image; NULL: the active one */
  int code;             /* where one is certain */
} Operation;

static const Operation operations[] = {
  { "create", "create:intent", { .verb = LIFE_CREATE, .name = "new" }, NULL },
  { "revert", "revert:intent", { .verb = LIFE_REVERT, .name = "a", .discards = TRUE }, "a" },
  { "delete", "delete:intent", { .verb = LIFE_DELETE, .name = "b" }, "b" },
  { "delete-above", "delete:intent", { .verb = LIFE_DELETE, .name = "b" }, "c" },
  { "delete-leaf", "delete:intent", { .verb = LIFE_DELETE, .name = "c1" }, "c1" },
};

typedef struct
{
  const Operation *operation;
  Damage damage;
  gboolean is_planned; /* hurt after the plan was made, else before */
} Case;

typedef struct
{
  char *path;
  char *aside; /* the image itself, in the meantime */
  Damage damage;
} Wound;

static void
hurt (gpointer data)
{
  const Wound *wound = data;
  g_autofree char *content = g_malloc0 (DISK_BYTES);
  gsize length = wound->damage == DAMAGE_TRUNCATE ? TARGET_BYTES : DISK_BYTES;

  g_assert_cmpint (g_rename (wound->path, wound->aside), ==, 0);
  if (wound->damage == DAMAGE_LINK)
    g_assert_cmpint (symlink (wound->aside, wound->path), ==, 0);
  if (wound->damage == DAMAGE_TRUNCATE)
    {
      g_autofree char *image = NULL;

      g_assert_true (g_file_get_contents (wound->aside, &image, NULL, NULL));
      memcpy (content, image, TARGET_BYTES);
    }
  if (wound->damage == DAMAGE_TRUNCATE || wound->damage == DAMAGE_RAW)
    g_assert_true (g_file_set_contents (wound->path, content, (gssize) length, NULL));
}

/* What was put in the place of the image is what is there still. */
static void
mend (gpointer data)
{
  const Wound *wound = data;

  /* A fault that came too late to strike. */
  if (!g_file_test (wound->aside, G_FILE_TEST_EXISTS))
    return;
  g_assert_cmpint (g_file_test (wound->path, G_FILE_TEST_IS_SYMLINK), ==,
                   wound->damage == DAMAGE_LINK);
  g_assert_cmpint (g_file_test (wound->path, G_FILE_TEST_EXISTS), ==,
                   wound->damage != DAMAGE_REMOVE);
  g_assert_cmpint (g_rename (wound->aside, wound->path), ==, 0);
}

static void
test_damaged (gconstpointer data)
{
  const Case *item = data;
  History *self = history_begin (11);
  LifeCommand command = item->operation->command;
  Wound wound = { .damage = item->damage };

  history_grow_tree (self);
  wound.path = history_image (self, item->operation->snapshot, 0);
  wound.aside = g_build_filename (self->directory, "aside", NULL);
  command.fault = FAULT_HURT;
  command.phase = item->is_planned ? item->operation->intent : NULL;
  command.hurt = hurt;
  command.mend = mend;
  command.tries_again = TRUE;
  command.data = &wound;
  history_step (self, &command, -1);
  g_test_message ("%s", g_strrstr (self->log->str, "# verb"));
  /* None can be done with this image, and each refusal has a code that says why; but what has only
   * to be removed is done, and the file stays until it is the right one. */
  g_assert_cmpint (self->code, !=, STEMMA_ERROR_FAILED);
  if (!g_str_equal (item->operation->name, "delete-leaf"))
    g_assert_cmpint (self->code, >=, 0);
  else if (item->is_planned && item->damage != DAMAGE_REMOVE)
    g_assert_false (g_file_test (wound.path, G_FILE_TEST_EXISTS));
  history_create (self, "later");
  history_end (self);
  g_free (wound.path);
  g_free (wound.aside);
}

/* ---- held by a machine ---- */

static GPid
hold (const char *path, int *out_stdin)
{
  g_autofree char *image = g_strdup_printf ("driver=qcow2,node-name=f,file.driver=file,"
                                            "file.filename=%s",
                                            path);
  const char *argv[] = { "qemu-system-x86_64", "-machine", "none", "-nodefaults",
                         "-display",           "none",     "-qmp", "stdio",
                         "-blockdev",          image,      NULL };
  g_autoptr (GError) error = NULL;
  GPid pid;
  int out = -1;
  char greeting;

  g_spawn_async_with_pipes (NULL, (char **) argv, NULL,
                            G_SPAWN_SEARCH_PATH | G_SPAWN_DO_NOT_REAP_CHILD, NULL, NULL, &pid,
                            out_stdin, &out, NULL, &error);
  g_assert_no_error (error);
  /* It greets when its images are open. */
  g_assert_cmpint (read (out, &greeting, 1), ==, 1);
  close (out);
  return pid;
}

static void
let_go (GPid pid, int in)
{
  kill (pid, SIGKILL);
  g_assert_cmpint (waitpid (pid, NULL, 0), ==, pid);
  close (in);
}

static void
test_held (gconstpointer data)
{
  const Operation *operation = data;
  History *self = history_begin (12);
  g_autofree char *path = NULL;
  g_autofree char *before = NULL;
  g_autofree char *after = NULL;
  int in = -1;
  GPid pid;

  history_grow_tree (self);
  path = history_image (self, NULL, 0);
  pid = hold (path, &in);
  before = history_digest (self);
  history_step (self, &operation->command, STEMMA_ERROR_IN_USE);
  g_assert_cmpint (self->code, ==, STEMMA_ERROR_IN_USE);
  after = history_digest (self);
  g_assert_cmpstr (before, ==, after);
  let_go (pid, in);
  history_step (self, &operation->command, -1);
  g_assert_cmpint (self->code, ==, -1);
  history_end (self);
}

static const Operation held[] = {
  { "create", NULL, { .verb = LIFE_CREATE, .name = "new" }, NULL },
  { "revert", NULL, { .verb = LIFE_REVERT, .name = "a", .discards = TRUE }, NULL },
  { "delete", NULL, { .verb = LIFE_DELETE, .name = "c" }, NULL },
};

/* ---- needed by somebody else ---- */

static void
test_unknown_overlay (gconstpointer data)
{
  const Operation *operation = data;
  History *self = history_begin (13);
  g_autofree char *unknown = g_build_filename (self->directory, "images", "unknown.qcow2", NULL);
  g_autofree char *base = NULL;
  g_autofree char *file_before = NULL;
  g_autofree char *file_after = NULL;
  g_autoptr (GBytes) before = NULL;
  g_autoptr (GBytes) after = NULL;
  gsize length_before = 0;
  gsize length_after = 0;

  history_grow_tree (self);
  base = history_image (self, operation->snapshot, 0);

  const char *make[] = { "qemu-img", "create", "-q",    "-f",    "qcow2", "-b",
                         base,       "-F",     "qcow2", unknown, NULL };
  const char *fill[] = { "qemu-io", "-c", "write -P 99 65536 4096", unknown, NULL };

  history_run_tool (make);
  history_run_tool (fill);
  before = test_read_image (unknown, DISK_BYTES);
  g_assert_true (g_file_get_contents (unknown, &file_before, &length_before, NULL));
  history_step (self, &operation->command, operation->code);
  g_assert_cmpint (self->code, ==, operation->code);
  g_assert_true (g_file_test (base, G_FILE_TEST_EXISTS));
  after = test_read_image (unknown, DISK_BYTES);
  g_assert_true (g_bytes_equal (before, after));
  g_assert_true (g_file_get_contents (unknown, &file_after, &length_after, NULL));
  g_assert_cmpmem (file_before, length_before, file_after, length_after);
  /* Nobody stands on it any more: the next deletion may take it along. */
  g_assert_cmpint (g_unlink (unknown), ==, 0);
  history_step (self, &(LifeCommand){ .verb = LIFE_DELETE, .name = "root" }, -1);
  history_end (self);
}

static const Operation needed[] = {
  { "middle", NULL, { .verb = LIFE_DELETE, .name = "b" }, "b", -1 },
  { "leaf", NULL, { .verb = LIFE_DELETE, .name = "c1" }, "c1", -1 },
  { "one-of-a-subtree",
    NULL,
    { .verb = LIFE_DELETE, .name = "a", .scope = STM_DELETE_SUBTREE },
    "b",
    -1 },
  { "the-state-that-a-revert-leaves",
    NULL,
    { .verb = LIFE_REVERT, .name = "a", .discards = TRUE },
    NULL,
    STEMMA_ERROR_IN_USE },
};

static void
add_damaged (const Operation *operation, Damage damage, gboolean is_planned)
{
  Case *item = g_new0 (Case, 1);
  g_autofree char *path = g_strdup_printf ("/ops/damaged-images/%s/%s-%s-the-plan", operation->name,
                                           damages[damage], is_planned ? "after" : "before");

  *item = (Case){ operation, damage, is_planned };
  g_test_add_data_func_full (path, item, test_damaged, g_free);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  for (guint i = 0; i < G_N_ELEMENTS (operations); i++)
    for (guint damage = 0; damage < G_N_ELEMENTS (damages); damage++)
      {
        add_damaged (&operations[i], damage, FALSE);
        add_damaged (&operations[i], damage, TRUE);
      }
  for (guint i = 0; i < G_N_ELEMENTS (held); i++)
    {
      g_autofree char *path = g_strdup_printf ("/ops/held-images/%s-is-refused-and-leaves-nothing",
                                               held[i].name);

      g_test_add_data_func (path, &held[i], test_held);
    }
  for (guint i = 0; i < G_N_ELEMENTS (needed); i++)
    {
      g_autofree char *path = g_strdup_printf ("/ops/needed-images/%s-stays-for-an-unknown-overlay",
                                               needed[i].name);

      g_test_add_data_func (path, &needed[i], test_unknown_overlay);
    }
  return g_test_run ();
}
