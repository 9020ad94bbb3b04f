/* A store of a newer service, a damaged one, one that cannot be written: the service starts, shows
 * what it can read, refuses each operation as READ_ONLY and touches no file; with the sound store
 * back all is as it was.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "history.h"
#include "stemma-error.h"
#include "stm-request.h"

#include <glib/gstdio.h>
#include <string.h>

#define PAGE 4096

typedef struct
{
  const char *name;
  void (*spoil) (const char *database);
} Spoilage;

static void
run_sql (const char *database, const char *text)
{
  const char *argv[] = { "sqlite3", database, text, NULL };

  history_run_tool (argv);
}

static void
make_newer (const char *database)
{
  run_sql (database, "PRAGMA user_version = 999");
}

static void
overwrite (const char *database, gsize from, gsize length)
{
  g_autofree char *content = NULL;
  gsize size = 0;

  g_assert_true (g_file_get_contents (database, &content, &size, NULL));
  g_assert_cmpuint (from, <, size);
  memset (content + from, 0x5a, MIN (length, size - from));
  g_assert_true (g_file_set_contents (database, content, (gssize) size, NULL));
}

static void
spoil_pages (const char *database)
{
  overwrite (database, 2 * PAGE, 6 * PAGE);
}

static void
spoil_head (const char *database)
{
  overwrite (database, 0, PAGE);
}

static void
cut_off (const char *database)
{
  g_autofree char *content = NULL;
  gsize size = 0;

  g_assert_true (g_file_get_contents (database, &content, &size, NULL));
  g_assert_true (g_file_set_contents (database, content, (gssize) (size / 2), NULL));
}

/* Snapshots of images that are on no record. */
static void
drop_rows (const char *database)
{
  run_sql (database, "PRAGMA foreign_keys = OFF; DELETE FROM image");
}

static const Spoilage faults[] = {
  { "of-a-newer-service", make_newer }, { "with-spoilt-pages", spoil_pages },
  { "without-its-head", spoil_head },   { "cut-off", cut_off },
  { "with-rows-lost", drop_rows },
};

/* Each is refused, the domain being known or not. */
static void
assert_refused (History *self, const char *image)
{
  g_autofree char *xml = g_strdup_printf (
      "<domain type='qemu'><name>other</name><memory>1024</memory><devices>"
      "<disk type='file'><driver name='qemu' type='qcow2'/><source file='%s'/>"
      "<target dev='vda'/></disk></devices></domain>",
      image);
  const LifeCommand commands[] = {
    { .verb = LIFE_DEFINE, .name = xml },
    { .verb = LIFE_CREATE, .name = "new" },
    { .verb = LIFE_REVERT, .name = "a", .discards = TRUE },
    { .verb = LIFE_DELETE, .name = "b" },
    { .verb = LIFE_UNDEFINE, .scope = STM_MOMENTS_DELETE },
  };

  for (guint i = 0; i < G_N_ELEMENTS (commands); i++)
    {
      g_autoptr (LifeResult) result = life_run (self->directory, &commands[i]);
      g_autofree char *health = g_key_file_get_string (result->seen, "result", "health", NULL);

      g_test_message ("%d %s; health: %s", result->code, result->message, health);
      g_assert_cmpstr (health, !=, "ok");
      /* What could not be read is not known. */
      if (result->code != STEMMA_ERROR_NOT_FOUND)
        g_assert_cmpint (result->code, ==, STEMMA_ERROR_READ_ONLY);
      else
        g_assert_cmpint (commands[i].verb, !=, LIFE_DEFINE);
    }
}

static void
test_faulty (gconstpointer data)
{
  const Spoilage *fault = data;
  History *self = history_begin (31);
  g_autofree char *database = g_build_filename (self->directory, "state", "stemma.db", NULL);
  g_autofree char *fresh = g_build_filename (self->directory, "images", "fresh.qcow2", NULL);
  const char *make[] = { "qemu-img", "create", "-q", "-f", "qcow2", fresh, "1M", NULL };
  g_autofree char *sound = NULL;
  g_autofree char *spoilt = NULL;
  g_autofree char *left = NULL;
  g_autofree char *before = NULL;
  g_autofree char *after = NULL;
  gsize sound_length = 0;
  gsize spoilt_length = 0;
  gsize left_length = 0;

  history_grow_tree (self);
  history_run_tool (make);
  before = history_digest (self);
  g_assert_true (g_file_get_contents (database, &sound, &sound_length, NULL));
  fault->spoil (database);
  g_assert_true (g_file_get_contents (database, &spoilt, &spoilt_length, NULL));
  assert_refused (self, fresh);
  after = history_digest (self);
  g_assert_cmpstr (before, ==, after);
  /* What somebody may still want to save is as it was found. */
  g_assert_true (g_file_get_contents (database, &left, &left_length, NULL));
  g_assert_cmpmem (spoilt, spoilt_length, left, left_length);
  g_assert_true (g_file_set_contents (database, sound, (gssize) sound_length, NULL));
  g_assert_cmpint (g_chmod (database, 0600), ==, 0);
  history_look (self);
  history_create (self, "later");
  history_end (self);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  for (guint i = 0; i < G_N_ELEMENTS (faults); i++)
    {
      g_autofree char *path = g_strdup_printf ("/ops/stores/a-store-%s-is-read-only",
                                               faults[i].name);

      g_test_add_data_func (path, &faults[i], test_faulty);
    }
  return g_test_run ();
}
