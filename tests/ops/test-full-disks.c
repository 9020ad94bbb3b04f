/* No space left at the worst moment, for the overlays, for what a merge writes, for the store; or
 * the file system turned read-only. The operation fails as NO_SPACE or READ_ONLY or is refused so;
 * once that is over, a retry or the next start settles it and every byte is as before or as after.
 *
 * Images and store stand on file systems of their own, in a mount namespace of the test's, which
 * needs no root where the kernel allows user namespaces.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "history.h"
#include "stemma-error.h"
#include "stm-request.h"

#include <fcntl.h>
#include <glib/gstdio.h>
#include <sched.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/statvfs.h>
#include <unistd.h>

#define MIB ((guint64) 1024 * 1024)
#define AMPLE (256 * MIB)
#define PATIENCE_S 30

/* Why there is no namespace of our own; NULL when there is. */
typedef struct
{
  const char *refusal;
} Place;

static gboolean
write_map (const char *path, const char *text)
{
  int fd = open (path, O_WRONLY | O_CLOEXEC);
  gboolean is_written = fd >= 0 && write (fd, text, strlen (text)) == (ssize_t) strlen (text);

  if (fd >= 0)
    close (fd);
  return is_written;
}

static const char *
enter_namespace (void)
{
  gboolean is_root = geteuid () == 0;
  g_autofree char *uids = g_strdup_printf ("0 %u 1", geteuid ());
  g_autofree char *gids = g_strdup_printf ("0 %u 1", getegid ());

  if (unshare (CLONE_NEWNS | (is_root ? 0 : CLONE_NEWUSER)) != 0)
    return "the kernel gives no mount namespace without privileges";
  if (!is_root
      && (!write_map ("/proc/self/setgroups", "deny") || !write_map ("/proc/self/uid_map", uids)
          || !write_map ("/proc/self/gid_map", gids)))
    return "the user namespace cannot be set up";
  if (mount (NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0)
    return "mounts cannot be made private";
  return NULL;
}

static gboolean
try_resize (const char *path, guint64 size, unsigned long flags)
{
  g_autofree char *options = g_strdup_printf ("mode=0700,size=%" G_GUINT64_FORMAT, size);

  return mount ("tmpfs", path, "tmpfs", flags, options) == 0;
}

static void
resize (const char *path, guint64 size, unsigned long flags)
{
  g_assert_true (try_resize (path, size, flags));
}

/* A file system of the history, and what is left of it in the bad moment. */
typedef struct
{
  char *path;
  guint64 spare;
} Shortage;

/* In the place of bytes to spare: no write at all. */
#define READ_ONLY G_MAXUINT64

/* A tmpfs takes no size below what it holds, but one just above. */
static gboolean
try_run_short (const Shortage *shortage)
{
  struct statvfs now;
  guint64 held;

  if (shortage->spare == READ_ONLY)
    return try_resize (shortage->path, AMPLE, MS_REMOUNT | MS_RDONLY);
  g_assert_cmpint (statvfs (shortage->path, &now), ==, 0);
  held = (guint64) (now.f_blocks - now.f_bfree) * now.f_frsize;
  g_assert_cmpuint (held + shortage->spare, >, 0);
  return try_resize (shortage->path, held + shortage->spare, MS_REMOUNT);
}

/* Somebody else may write just then, and make it hold more than it did. */
static void
run_short (gpointer data)
{
  gint64 end = g_get_monotonic_time () + PATIENCE_S * G_TIME_SPAN_SECOND;
  gboolean is_short = try_run_short (data);

  while (!is_short && g_get_monotonic_time () < end)
    {
      g_thread_yield ();
      is_short = try_run_short (data);
    }
  g_assert_true (is_short);
}

static void
make_room (gpointer data)
{
  resize (((const Shortage *) data)->path, AMPLE, MS_REMOUNT);
}

typedef struct
{
  const char *name;
  LifeCommand command; /* its phase: when space runs out */
  const char *where;   /* "images" or "state" */
  guint64 spare;
  int code; /* -1: any, or none */
} Vector;

#define CREATE .verb = LIFE_CREATE, .name = "new"
#define REVERT .verb = LIFE_REVERT, .name = "a", .discards = TRUE
#define KEEP .verb = LIFE_REVERT, .name = "a", .keep = "kept"
#define DELETE_MIDDLE .verb = LIFE_DELETE, .name = "b"
#define DELETE_ROOT .verb = LIFE_DELETE, .name = "root"
#define DELETE_SUBTREE .verb = LIFE_DELETE, .name = "a", .scope = STM_DELETE_CHILDREN

static const Vector vectors[] = {
  { "overlay-of-create", { CREATE, .phase = "create:intent" }, "images", 0, STEMMA_ERROR_NO_SPACE },
  { "second-overlay-of-create",
    { CREATE, .phase = "create:intent" },
    "images",
    256 * 1024,
    STEMMA_ERROR_NO_SPACE },
  { "overlay-of-revert", { REVERT, .phase = "revert:intent" }, "images", 0, STEMMA_ERROR_NO_SPACE },
  { "overlay-of-keep", { KEEP, .phase = "revert:intent" }, "images", 0, STEMMA_ERROR_NO_SPACE },
  { "stream", { DELETE_MIDDLE, .phase = "delete:intent" }, "images", 0, STEMMA_ERROR_NO_SPACE },
  { "second-stream",
    { DELETE_MIDDLE, .phase = "delete:intent" },
    "images",
    64 * 1024,
    STEMMA_ERROR_NO_SPACE },
  { "commit", { DELETE_ROOT, .phase = "delete:intent" }, "images", 0, STEMMA_ERROR_NO_SPACE },
  { "second-commit",
    { DELETE_ROOT, .phase = "delete:step-1" },
    "images",
    0,
    STEMMA_ERROR_NO_SPACE },
  { "stream-after-a-step", { DELETE_MIDDLE, .phase = "delete:step-1" }, "images", 0, -1 },
  { "merges-of-a-subtree", { DELETE_SUBTREE, .phase = "delete:intent" }, "images", 0, -1 },
  { "images-before-create", { CREATE }, "images", 0, STEMMA_ERROR_NO_SPACE },
  { "images-before-delete", { DELETE_MIDDLE }, "images", 0, STEMMA_ERROR_NO_SPACE },
  { "store-before-create", { CREATE }, "state", 0, STEMMA_ERROR_NO_SPACE },
  { "store-before-revert", { REVERT }, "state", 0, STEMMA_ERROR_NO_SPACE },
  { "store-before-delete", { DELETE_MIDDLE }, "state", 0, STEMMA_ERROR_NO_SPACE },
  { "store-after-the-intent-of-create",
    { CREATE, .phase = "create:intent" },
    "state",
    0,
    STEMMA_ERROR_NO_SPACE },
  { "store-after-the-intent-of-revert",
    { REVERT, .phase = "revert:intent" },
    "state",
    0,
    STEMMA_ERROR_NO_SPACE },
  { "store-after-the-intent-of-keep",
    { KEEP, .phase = "revert:intent" },
    "state",
    0,
    STEMMA_ERROR_NO_SPACE },
  { "store-after-the-intent-of-delete",
    { DELETE_MIDDLE, .phase = "delete:intent" },
    "state",
    0,
    STEMMA_ERROR_NO_SPACE },
  { "store-after-a-merge",
    { DELETE_MIDDLE, .phase = "delete:step-1" },
    "state",
    0,
    STEMMA_ERROR_NO_SPACE },
  { "read-only-images-at-create",
    { CREATE, .phase = "create:intent" },
    "images",
    READ_ONLY,
    STEMMA_ERROR_READ_ONLY },
  { "read-only-images-at-revert",
    { REVERT, .phase = "revert:intent" },
    "images",
    READ_ONLY,
    STEMMA_ERROR_READ_ONLY },
  { "read-only-images-at-delete",
    { DELETE_MIDDLE, .phase = "delete:intent" },
    "images",
    READ_ONLY,
    STEMMA_ERROR_READ_ONLY },
  { "read-only-images-at-cleanup", { REVERT, .phase = "revert:cleanup" }, "images", READ_ONLY, -1 },
  { "store-before-cleanup-ends", { REVERT, .phase = "revert:cleanup" }, "state", 0, -1 },
};

/* How it is settled. */
typedef enum
{
  WAY_RETRY,
  WAY_RESTART,
} Way;

typedef struct
{
  const Vector *vector;
  Way way;
  const Place *place;
} Case;

/* A history on file systems of its own. */
typedef struct
{
  History *history;
  char *images;
  char *state;
} Ground;

static char *
mount_on (const char *directory, const char *name)
{
  char *path = g_build_filename (directory, name, NULL);

  g_assert_cmpint (g_mkdir (path, 0700), ==, 0);
  resize (path, AMPLE, 0);
  return path;
}

/* Skips the test when there can be none. */
static gboolean
ground_set_up (Ground *self, const Place *place)
{
  char *directory;

  if (place->refusal != NULL)
    {
      g_test_skip (place->refusal);
      return FALSE;
    }
  directory = g_dir_make_tmp ("stemma-history-XXXXXX", NULL);
  self->images = mount_on (directory, "images");
  self->state = mount_on (directory, "state");
  self->history = history_begin_in (41, directory);
  history_grow_tree (self->history);
  return TRUE;
}

static void
ground_tear_down (Ground *self)
{
  history_check_files (self->history);
  g_assert_cmpint (umount2 (self->images, MNT_DETACH), ==, 0);
  g_assert_cmpint (umount2 (self->state, MNT_DETACH), ==, 0);
  history_end (self->history);
  g_free (self->images);
  g_free (self->state);
}

static void
test_full (gconstpointer data)
{
  const Case *item = data;
  const Vector *vector = item->vector;
  LifeCommand command = vector->command;
  Shortage shortage = { .spare = vector->spare };
  Ground ground = { 0 };

  if (!ground_set_up (&ground, item->place))
    return;
  shortage.path = g_str_equal (vector->where, "images") ? ground.images : ground.state;
  command.fault = FAULT_HURT;
  command.hurt = run_short;
  command.mend = make_room;
  command.data = &shortage;
  command.tries_again = item->way == WAY_RETRY;
  history_step (ground.history, &command, -1);
  g_test_message ("%s", g_strrstr (ground.history->log->str, "->"));
  g_assert_cmpint (ground.history->code, !=, STEMMA_ERROR_FAILED);
  if (vector->code >= 0)
    g_assert_cmpint (ground.history->code, ==, vector->code);
  history_create (ground.history, "later");
  ground_tear_down (&ground);
}

/* A start on a store that cannot be written. */
static void
test_read_only_store (gconstpointer data)
{
  static const LifeCommand commands[] = {
    { CREATE },
    { REVERT },
    { DELETE_MIDDLE },
    { .verb = LIFE_UNDEFINE, .scope = STM_MOMENTS_DELETE },
  };
  Ground ground = { 0 };

  if (!ground_set_up (&ground, data))
    return;
  resize (ground.state, AMPLE, MS_REMOUNT | MS_RDONLY);
  for (guint i = 0; i < G_N_ELEMENTS (commands); i++)
    {
      history_step (ground.history, &commands[i], STEMMA_ERROR_READ_ONLY);
      g_assert_cmpint (ground.history->code, ==, STEMMA_ERROR_READ_ONLY);
    }
  resize (ground.state, AMPLE, MS_REMOUNT);
  history_create (ground.history, "later");
  ground_tear_down (&ground);
}

static void
add (const Vector *vector, Way way, const Place *place)
{
  Case *item = g_new0 (Case, 1);
  g_autofree char *path = g_strdup_printf ("/ops/full-disks/%s-is-settled-by-a-%s", vector->name,
                                           way == WAY_RETRY ? "retry" : "restart");

  *item = (Case){ vector, way, place };
  g_test_add_data_func_full (path, item, test_full, g_free);
}

int
main (int argc, char **argv)
{
  Place place = { .refusal = enter_namespace () };

  g_test_init (&argc, &argv, NULL);
  for (guint i = 0; i < G_N_ELEMENTS (vectors); i++)
    {
      add (&vectors[i], WAY_RETRY, &place);
      add (&vectors[i], WAY_RESTART, &place);
    }
  g_test_add_data_func ("/ops/full-disks/a-read-only-store-shows-all-and-refuses-all", &place,
                        test_read_only_store);
  return g_test_run ();
}
