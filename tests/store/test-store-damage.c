/* Files that are damaged, strange, of another version or of another program: the store starts, says
 * what is wrong, refuses to write, and leaves the file as it is.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "golden.h"
#include "store-fixture.h"

#include "stemma-error.h"

#include <glib/gstdio.h>
#include <sqlite3.h>
#include <string.h>
#include <unistd.h>

#define N_SNAPSHOTS 150

/* The bytes of a file of the store. */
static GBytes *
read_file (const char *directory, const char *suffix)
{
  g_autoptr (GError) error = NULL;
  g_autofree char *path = store_file (directory, suffix);
  char *data;
  gsize length;

  g_file_get_contents (path, &data, &length, &error);
  g_assert_no_error (error);
  return g_bytes_new_take (data, length);
}

static void
write_file (const char *directory, const char *suffix, const void *data, gsize length)
{
  g_autoptr (GError) error = NULL;
  g_autofree char *path = store_file (directory, suffix);

  g_file_set_contents (path, data, (gssize) length, &error);
  g_assert_no_error (error);
}

static void
assert_file_is (const char *directory, const char *suffix, const void *data, gsize length)
{
  g_autoptr (GBytes) bytes = read_file (directory, suffix);

  g_assert_cmpmem (g_bytes_get_data (bytes, NULL), g_bytes_get_size (bytes), data, length);
}

static void
fill_store (StmStore *store)
{
  g_autoptr (StmChange) change = golden_change (GOLDEN_VERSION);
  g_autofree char *base = sample_id (100);

  for (guint i = 0; i < N_SNAPSHOTS; i++)
    {
      g_autofree char *name = g_strdup_printf ("s%u", i);
      g_autoptr (StmMoment) moment = sample_moment (1000 + i, name, base);

      stm_change_put_moment (change, moment);
    }
  write_ok (store, change);
}

static GBytes *
sound_database (void)
{
  g_autoptr (StoreDirectory) directory = store_directory_new ();
  StmStore *store = open_store (directory, NULL);

  fill_store (store);
  close_store (store);
  return read_file (directory, "");
}

static void
sql (const char *directory, const char *text)
{
  g_autofree char *path = store_file (directory, "");
  sqlite3 *db = NULL;

  g_assert_cmpint (sqlite3_open (path, &db), ==, SQLITE_OK);
  g_assert_cmpint (sqlite3_exec (db, text, NULL, NULL, NULL), ==, SQLITE_OK);
  g_assert_cmpint (sqlite3_close (db), ==, SQLITE_OK);
}

/* A store that is not well must refuse to write, and say the same as its health. */
static void
assert_refuses (StmStore *store, const StmStoreContent *content)
{
  g_autoptr (StmChange) change = sample_define (7, 99);
  g_autoptr (StmPlan) plan = sample_plan (700, 1);
  g_autoptr (StmJournalEntry) entry = stm_journal_entry_new (plan, 0, 1);
  g_autoptr (GError) write_error = NULL;
  g_autoptr (GError) journal_error = NULL;

  g_assert_true (g_str_has_prefix (content->health, "read-only: "));
  g_assert_false (write_and_wait (store, change, STM_JOURNAL_NONE, NULL, &write_error));
  g_assert_error (write_error, STEMMA_ERROR, STEMMA_ERROR_READ_ONLY);
  g_assert_nonnull (strstr (write_error->message, content->health));
  g_assert_false (stm_store_write_journal_sync (store, entry, &journal_error));
  g_assert_error (journal_error, STEMMA_ERROR, STEMMA_ERROR_READ_ONLY);
}

/* The content must fit a model, whatever was wrong. */
static void
assert_fits (const StmStoreContent *content)
{
  stm_model_free (model_of_content (content));
}

/* Opens a store that must be read-only for a reason in which `fragment` stands. */
static void
expect_unwell (const char *directory, const char *fragment, guint n_domains)
{
  g_autoptr (StmStoreContent) content = NULL;
  StmStore *store = open_store (directory, &content);

  g_test_message ("%s", content->health);
  g_assert_nonnull (strstr (content->health, fragment));
  g_assert_cmpuint (content->changes->len, ==, n_domains);
  assert_refuses (store, content);
  close_store (store);
  assert_fits (content);
}

/* Opens a store that may be damaged where nothing can see it; else it must not be touched. */
static gboolean
survives (const char *directory, const char *suffix, const guint8 *data, gsize length)
{
  g_autoptr (StmStoreContent) content = NULL;
  g_autoptr (GError) error = NULL;
  StmStore *store = stm_store_open_sync (directory, &content, &error);

  g_assert_no_error (error);

  gboolean is_well = g_str_equal (content->health, "ok");

  g_free (read_definition_and_wait (store, "hash-1", NULL));
  if (!is_well)
    assert_refuses (store, content);
  close_store (store);
  if (!is_well)
    assert_file_is (directory, suffix, data, length);
  assert_fits (content);
  return is_well;
}

static void
test_flipped_bytes (void)
{
  g_autoptr (GBytes) bytes = sound_database ();
  gsize length = g_bytes_get_size (bytes);
  g_autofree guint8 *data = g_memdup2 (g_bytes_get_data (bytes, NULL), length);
  guint n_seen = 0;

  /* Each byte of the header, then all over the file. */
  for (gsize i = 0; i < length; i += i < 120 ? 1 : 211)
    {
      g_autoptr (StoreDirectory) directory = store_directory_new ();
      guint8 sound = data[i];

      data[i] = i % 2 == 0 ? (guint8) ~sound : (guint8) (sound ^ 1);
      write_file (directory, "", data, length);
      if (!survives (directory, "", data, length))
        n_seen++;
      data[i] = sound;
    }
  g_test_message ("seen in %u places", n_seen);
  g_assert_cmpuint (n_seen, >, 100);
}

static void
test_truncated (void)
{
  g_autoptr (GBytes) bytes = sound_database ();
  gsize length = g_bytes_get_size (bytes);
  const guint8 *data = g_bytes_get_data (bytes, NULL);

  for (gsize i = 0; i < length; i += i < 200 ? 7 : 1021)
    {
      g_autoptr (StoreDirectory) directory = store_directory_new ();

      write_file (directory, "", data, i);
      g_assert_false (survives (directory, "", data, i));
    }
}

/* A log ends at the first frame whose checksum is wrong, so what is read is an earlier state or the
 * last one; and never a mixture. */
static void
test_flipped_bytes_in_log (void)
{
  g_autoptr (StoreDirectory) directory = store_directory_new ();
  g_autoptr (StoreDirectory) crashed = store_directory_new ();
  StmStore *store = open_store (directory, NULL);

  fill_store (store);
  copy_store (directory, crashed);
  close_store (store);

  g_autoptr (GBytes) database = read_file (crashed, "");
  g_autoptr (GBytes) bytes = read_file (crashed, "-wal");
  gsize length = g_bytes_get_size (bytes);
  g_autofree guint8 *data = g_memdup2 (g_bytes_get_data (bytes, NULL), length);

  for (gsize i = 0; i < length; i += i < 60 ? 1 : 997)
    {
      g_autoptr (StoreDirectory) damaged = store_directory_new ();
      guint8 sound = data[i];

      data[i] = (guint8) ~sound;
      write_file (damaged, "", g_bytes_get_data (database, NULL), g_bytes_get_size (database));
      write_file (damaged, "-wal", data, length);
      survives (damaged, "-wal", data, length);
      data[i] = sound;
    }
}

static void
test_not_a_database (void)
{
  g_autoptr (StoreDirectory) directory = store_directory_new ();
  g_autofree char *text = g_strnfill (5000, 'x');

  write_file (directory, "", text, 5000);
  expect_unwell (directory, "is not a database", /* n_domains= */ 0);
  assert_file_is (directory, "", text, 5000);
}

static void
test_empty_file (void)
{
  g_autoptr (StoreDirectory) directory = store_directory_new ();

  write_file (directory, "", "", 0);
  write_file (directory, "-wal", "precious", 8);
  expect_unwell (directory, "has no content", /* n_domains= */ 0);
  assert_file_is (directory, "", "", 0);
  assert_file_is (directory, "-wal", "precious", 8);
}

static void
test_log_without_database (void)
{
  g_autoptr (StoreDirectory) directory = store_directory_new ();
  g_autofree char *file = store_file (directory, "");

  write_file (directory, "-wal", "precious", 8);
  expect_unwell (directory, "lies a log or journal", /* n_domains= */ 0);
  g_assert_false (g_file_test (file, G_FILE_TEST_EXISTS));
  assert_file_is (directory, "-wal", "precious", 8);
}

static void
test_strange_journal (void)
{
  g_autoptr (StoreDirectory) directory = store_directory_new ();
  g_autoptr (GBytes) bytes = sound_database ();

  write_file (directory, "", g_bytes_get_data (bytes, NULL), g_bytes_get_size (bytes));
  write_file (directory, "-journal", "strange", 7);
  expect_unwell (directory, "lies a log or journal", /* n_domains= */ 0);
  assert_file_is (directory, "", g_bytes_get_data (bytes, NULL), g_bytes_get_size (bytes));
}

static void
test_not_a_file (void)
{
  g_autoptr (StoreDirectory) with_directory = store_directory_new ();
  g_autoptr (StoreDirectory) with_link = store_directory_new ();
  g_autoptr (StoreDirectory) target = store_directory_new ();
  g_autofree char *directory_path = store_file (with_directory, "");
  g_autofree char *link_path = store_file (with_link, "");
  g_autofree char *target_path = store_file (target, "");

  g_assert_cmpint (g_mkdir (directory_path, 0700), ==, 0);
  expect_unwell (with_directory, "is not a regular file", /* n_domains= */ 0);
  close_store (open_store (target, NULL));
  g_assert_cmpint (symlink (target_path, link_path), ==, 0);
  expect_unwell (with_link, "is not a regular file", /* n_domains= */ 0);
}

static void
test_newer (void)
{
  g_autoptr (StoreDirectory) directory = store_directory_new ();
  StmStore *store = open_store (directory, NULL);

  fill_store (store);
  close_store (store);
  sql (directory, "PRAGMA user_version = 99; CREATE TABLE later (a)");

  g_autoptr (GBytes) before = read_file (directory, "");
  /* What it knows of the newer tables it shows. */
  expect_unwell (directory, "format 99", /* n_domains= */ 1);
  assert_file_is (directory, "", g_bytes_get_data (before, NULL), g_bytes_get_size (before));
}

typedef struct
{
  const char *name;
  const char *sql;
  const char *fragment;
  guint n_domains; /* that are shown */
} Alteration;

static const Alteration alterations[] = {
  { "another-program", "PRAGMA application_id = 7", "of another program", 0 },
  { "table-added", "CREATE TABLE more (a)", "table more", 1 },
  { "trigger-added", "CREATE TRIGGER t AFTER INSERT ON moment BEGIN DELETE FROM moment; END",
    "trigger t", 1 },
  { "index-removed", "DROP INDEX moment_by_parent", "moment_by_parent", 1 },
  { "table-removed", "PRAGMA foreign_keys = OFF; DROP TABLE moment_disk", "moment_disk", 1 },
  { "view-for-table",
    "PRAGMA foreign_keys = OFF; DROP TABLE root;"
    "CREATE VIEW root AS SELECT 1 AS domain, 1 AS position, '/' AS path",
    "root", 1 },
};

static void
test_altered (gconstpointer data)
{
  const Alteration *alteration = data;
  g_autoptr (StoreDirectory) directory = store_directory_new ();
  StmStore *store = open_store (directory, NULL);

  fill_store (store);
  close_store (store);
  sql (directory, alteration->sql);

  g_autoptr (GBytes) before = read_file (directory, "");
  expect_unwell (directory, alteration->fragment, alteration->n_domains);
  assert_file_is (directory, "", g_bytes_get_data (before, NULL), g_bytes_get_size (before));
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/store/damage/flipped-bytes-never-crash-or-are-written-over",
                   test_flipped_bytes);
  g_test_add_func ("/store/damage/flipped-bytes-in-the-log-give-an-earlier-state",
                   test_flipped_bytes_in_log);
  g_test_add_func ("/store/damage/truncated-file-is-seen-at-any-length", test_truncated);
  g_test_add_func ("/store/damage/text-file-is-said-and-kept", test_not_a_database);
  g_test_add_func ("/store/damage/empty-file-is-not-a-fresh-start", test_empty_file);
  g_test_add_func ("/store/damage/log-without-database-is-not-a-fresh-start",
                   test_log_without_database);
  g_test_add_func ("/store/damage/strange-journal-is-not-replayed", test_strange_journal);
  g_test_add_func ("/store/damage/link-or-directory-is-not-followed", test_not_a_file);
  g_test_add_func ("/store/version/newer-one-is-shown-and-not-written", test_newer);
  for (gsize i = 0; i < G_N_ELEMENTS (alterations); i++)
    {
      g_autofree char *path = g_strconcat ("/store/tables/", alterations[i].name, "-is-said", NULL);

      g_test_add_data_func (path, &alterations[i], test_altered);
    }

  return g_test_run ();
}
