/* Rows that SQLite finds nothing wrong with and that still cannot be: the store shows what fits,
 * says what does not, and refuses to write.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "golden.h"
#include "store-fixture.h"

#include "stemma-error.h"

#include <sqlite3.h>
#include <string.h>

#define ID_100 "'00000000000000000000000000000064'"
#define ID_101 "'00000000000000000000000000000065'"
#define ID_103 "'00000000000000000000000000000067'"
#define SEQ_OF(id) "(SELECT seq FROM moment WHERE id = " id ")"
#define NOBODY "'ffffffffffffffffffffffffffffffff'"

/* In each store: domain 1 of golden_change(), domain 2 with snapshots 102 "a" and 103 "b" below it,
 * and a journal entry. */
typedef struct
{
  const char *name;
  const char *sql;
  const char *fragment; /* of the health */
  guint n_domains;      /* that are shown */
  const char *orphan;   /* name of a snapshot that is a root for want of a parent */
  StmMomentKind kind;
} Rows;

static const Rows rows[] = {
  { "state-unknown", "UPDATE moment SET state = 'odd' WHERE id = " ID_101, "its state is unknown",
    2 },
  { "health-unknown", "UPDATE moment SET health = '' WHERE id = " ID_101, "its health is unknown",
    2 },
  { "kind-unknown", "UPDATE moment SET kind = 'x' WHERE id = " ID_101, "its kind is unknown", 2 },
  { "mode-unknown", "UPDATE moment_disk SET mode = 'x'", "its mode is unknown", 2 },
  { "origin-unknown", "UPDATE image SET origin = 'x' WHERE path = '/images/a.s'",
    "its origin is unknown", 2 },
  { "source-kind-unknown", "UPDATE disk SET kind = 'x' WHERE target = 'vdb'", "its kind is unknown",
    2 },
  { "id-malformed", "UPDATE moment SET id = 'x' WHERE id = " ID_101, "hexadecimal", 2 },
  { "domain-id-malformed", "UPDATE domain SET id = '../../x' WHERE name = 'domain-1'",
    "hexadecimal", 1 },
  { "domain-name-with-slash", "UPDATE domain SET name = 'a/b' WHERE name = 'domain-1'", "'/'", 1 },
  { "name-not-utf-8", "UPDATE moment SET name = CAST (x'ff' AS TEXT) WHERE id = " ID_101,
    "not UTF-8", 2 },
  { "name-with-nul", "UPDATE moment SET name = CAST (x'610062' AS TEXT) WHERE id = " ID_101,
    "not UTF-8", 2 },
  { "name-twice", "UPDATE moment SET name = 'a' WHERE id = " ID_103, "already", 1 },
  { "time-negative", "UPDATE moment SET created = -1 WHERE id = " ID_101, "out of range", 2 },
  { "size-negative", "UPDATE image SET capacity = -1 WHERE path = '/images/a.s'", "out of range",
    2 },
  { "index-zero", "UPDATE image SET image_index = 0 WHERE path = '/images/a.s'", "out of range",
    2 },
  { "generation-negative", "UPDATE domain SET generation = -1 WHERE name = 'domain-1'",
    "out of range", 1 },
  { "path-relative", "UPDATE image SET path = 'a.s' WHERE path = '/images/a.s'", "absolute", 2 },
  { "path-with-dots", "UPDATE image SET path = '/images/../etc/shadow' WHERE path = '/images/a.s'",
    "canonical", 2 },
  { "backing-is-a-protocol", "UPDATE image SET backing = 'json:{}' WHERE path = '/images/a.s'",
    "absolute", 2 },
  { "root-relative", "UPDATE root SET path = '..'", "left out", 0 },
  { "active-image-not-recorded", "DELETE FROM image WHERE path = '/images/a.qcow2'", "not recorded",
    0 },
  { "images-in-a-ring", "UPDATE image SET backing = '/images/a.s' WHERE path = '/images/a.qcow2'",
    "leads back", 1 },
  { "target-twice", "UPDATE disk SET target = 'vda' WHERE target = 'vdb'", "twice", 0 },
  { "parent-missing", "UPDATE moment SET parent = -9 WHERE id = " ID_101,
    "the parent of moment \"zweites · 二\" is not there", 2, "zweites · 二", STM_MOMENT_SNAPSHOT },
  { "parent-of-another-kind",
    "UPDATE moment SET parent = " SEQ_OF (ID_100) " WHERE kind = 'checkpoint'", "is not there", 2,
    "first", STM_MOMENT_CHECKPOINT },
  { "parent-of-another-domain", "UPDATE moment SET parent = " SEQ_OF (ID_103) " WHERE id = " ID_101,
    "is not there", 2, "zweites · 二", STM_MOMENT_SNAPSHOT },
  { "parents-in-a-ring", "UPDATE moment SET parent = " SEQ_OF (ID_101) " WHERE id = " ID_100,
    "form a ring", 2, "first", STM_MOMENT_SNAPSHOT },
  { "parent-of-itself", "UPDATE moment SET parent = seq WHERE id = " ID_101, "form a ring", 2,
    "zweites · 二", STM_MOMENT_SNAPSHOT },
  { "current-missing", "UPDATE current SET moment = " NOBODY, "the current snapshot", 2 },
  { "current-of-another-domain", "UPDATE current SET moment = " ID_103, "the current snapshot", 2 },
  { "moment-without-domain", "UPDATE moment SET domain = 99 WHERE id = " ID_101,
    "table moment refers", 2 },
  { "disk-without-domain", "UPDATE disk SET domain = 99 WHERE domain = 1 AND target = 'vdb'",
    "table disk refers", 2 },
  { "disk-without-moment", "UPDATE moment_disk SET moment = -9 WHERE moment = 1",
    "table moment_disk refers", 2 },
  { "memory-unknown", "UPDATE moment SET memory = 'x' WHERE id = " ID_101, "its memory is unknown",
    2 },
  { "memory-without-file", "UPDATE moment SET memory = 'external' WHERE id = " ID_101,
    "does not go with its memory", 2 },
  { "cookie-missing", "UPDATE moment SET cookie = 99 WHERE id = " ID_101,
    "refers to a row of definition", 2 },
  { "inactive-missing", "UPDATE moment SET inactive = 99 WHERE id = " ID_101,
    "refers to a row of definition", 2 },
  { "hash-not-utf-8", "UPDATE definition SET hash = CAST (x'ff' AS TEXT) WHERE hash = 'hash-1'",
    "not UTF-8", 2 },
  { "definition-missing", "DELETE FROM definition WHERE hash = 'hash-1'",
    "refers to a row of definition", 2 },
  { "service-missing", "DELETE FROM service", "row of table service is missing", 2 },
  { "plan-garbage", "UPDATE journal SET plan = x'00010203040506'", "its plan is not sound", 2 },
  { "plan-empty", "UPDATE journal SET plan = x''", "its plan is not sound", 2 },
  { "plan-of-another-id", "UPDATE journal SET id = " NOBODY, "its plan is not sound", 2 },
  { "phase-unknown", "UPDATE journal SET phase = 'x'", "its phase is unknown", 2 },
  { "steps-done-over-their-number", "UPDATE journal SET n_done = 6", "out of range", 2 },
  { "uid-out-of-range", "UPDATE journal SET uid = -1", "out of range", 2 },
};

static void
fill_store (const char *directory)
{
  StmStore *store = open_store (directory, NULL);
  g_autoptr (StmChange) first = golden_change (GOLDEN_VERSION);
  g_autoptr (StmChange) second = sample_define (2, 8);
  g_autofree char *parent = sample_id (102);
  g_autoptr (StmMoment) a = sample_moment (102, "a", NULL);
  g_autoptr (StmMoment) b = sample_moment (103, "b", parent);
  g_autoptr (StmJournalEntry) entry = golden_entry (GOLDEN_VERSION);

  stm_change_put_moment (second, a);
  stm_change_put_moment (second, b);
  write_ok (store, first);
  write_ok (store, second);
  g_assert_true (stm_store_write_journal_sync (store, entry, NULL));
  close_store (store);
}

static void
damage (const char *directory, const char *text)
{
  g_autofree char *path = store_file (directory, "");
  sqlite3 *db = NULL;

  g_assert_cmpint (sqlite3_open (path, &db), ==, SQLITE_OK);
  g_assert_cmpint (sqlite3_exec (db, text, NULL, NULL, NULL), ==, SQLITE_OK);
  g_assert_cmpint (sqlite3_changes (db), >, 0);
  g_assert_cmpint (sqlite3_close (db), ==, SQLITE_OK);
}

static void
assert_orphan (const StmModel *model, const Rows *test)
{
  g_autofree char *domain = sample_id (1);
  const StmMoment *orphan = stm_tree_find (stm_model_tree (model, domain, test->kind),
                                           test->orphan);

  g_assert_nonnull (orphan);
  g_assert_cmpint (orphan->health, ==, STM_HEALTH_ORPHAN);
  g_assert_null (orphan->parent);
}

static void
test_rows (gconstpointer data)
{
  const Rows *test = data;
  g_autoptr (StoreDirectory) directory = store_directory_new ();
  g_autoptr (StmStoreContent) content = NULL;
  g_autoptr (StmChange) change = sample_define (7, 99);
  g_autoptr (GError) error = NULL;
  StmStore *store;

  fill_store (directory);
  damage (directory, test->sql);
  store = open_store (directory, &content);
  g_test_message ("%s", content->health);
  g_assert_true (g_str_has_prefix (content->health, "read-only: "));
  g_assert_nonnull (strstr (content->health, test->fragment));
  g_assert_cmpuint (content->changes->len, ==, test->n_domains);
  g_assert_false (write_and_wait (store, change, STM_JOURNAL_NONE, NULL, &error));
  g_assert_error (error, STEMMA_ERROR, STEMMA_ERROR_READ_ONLY);
  close_store (store);

  g_autoptr (StmModel) model = model_of_content (content);

  if (test->orphan != NULL)
    assert_orphan (model, test);
}

/* A health that is a property on the bus stays short whatever is in the rows. */
static void
test_many_problems (void)
{
  g_autoptr (StoreDirectory) directory = store_directory_new ();
  g_autoptr (StmStoreContent) content = NULL;
  g_autofree char *base = sample_id (100);
  g_autoptr (StmChange) change = golden_change (GOLDEN_VERSION);
  StmStore *store = open_store (directory, NULL);

  for (guint i = 0; i < 2000; i++)
    {
      g_autofree char *name = g_strdup_printf ("s%u", i);
      g_autoptr (StmMoment) moment = sample_moment (1000 + i, name, base);

      stm_change_put_moment (change, moment);
    }
  write_ok (store, change);
  close_store (store);
  damage (directory, "UPDATE moment SET state = 'x'");
  close_store (open_store (directory, &content));
  g_assert_cmpuint (strlen (content->health), <, 4000);
  g_assert_nonnull (strstr (content->health, "more)"));
}

/* A hundred thousand parents deep, and all of them in one ring. */
static void
test_long_ring (void)
{
  g_autoptr (StoreDirectory) directory = store_directory_new ();
  g_autoptr (StmStoreContent) content = NULL;

  fill_store (directory);
  damage (
      directory,
      "WITH RECURSIVE n (i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n LIMIT 100000)"
      " INSERT INTO moment (seq, id, domain, kind, name, parent, place, description,"
      " created, state, health, memory) SELECT 1000 + i, printf ('%032x', 1000 + i), 1, 'snapshot',"
      " 'm' || i, 1000 + (i + 1) % 100000, i, '', 1, 'shutoff',"
      " 'ok', 'none' FROM n");
  close_store (open_store (directory, &content));
  g_assert_nonnull (strstr (content->health, "form a ring"));
  g_assert_cmpuint (content->changes->len, ==, 2);

  g_autoptr (StmModel) model = model_of_content (content);
  g_autofree char *domain = sample_id (1);

  g_assert_cmpuint (stm_tree_count (stm_model_tree (model, domain, STM_MOMENT_SNAPSHOT)), ==,
                    100003);
}

/* Columns lose their types and their duty to be there: then a cell can hold anything. */
static const char *const loosen =
    "PRAGMA foreign_keys = OFF; PRAGMA writable_schema = ON;"
    "UPDATE sqlite_schema SET sql = replace (replace (replace (sql, ') STRICT, ', ') '),"
    " ') STRICT', ')'), ' NOT NULL', '');"
    "PRAGMA writable_schema = RESET";

static const char *const columns[] = {
  "service.generation", "service.last_job",   "definition.text",     "domain.id",
  "domain.name",        "domain.title",       "domain.description",  "domain.definition",
  "domain.generation",  "disk.domain",        "disk.target",         "disk.kind",
  "disk.source",        "disk.format",        "disk.is_read_only",   "disk.next_index",
  "root.domain",        "root.path",          "image.domain",        "image.path",
  "image.target",       "image.image_index",  "image.format",        "image.backing",
  "image.origin",       "image.capacity",     "moment.id",           "moment.domain",
  "moment.kind",        "moment.name",        "moment.parent",       "moment.place",
  "moment.description", "moment.created",     "moment.state",        "moment.health",
  "moment.definition",  "moment.memory",      "moment.memory_file",  "moment.inactive",
  "moment.cookie",      "definition.hash",    "moment_disk.moment",  "moment_disk.target",
  "moment_disk.mode",   "moment_disk.frozen", "moment_disk.overlay", "moment_disk.format",
  "moment_disk.tag",    "moment_disk.bitmap", "current.moment",      "journal.id",
  "journal.operation",  "journal.domain",     "journal.phase",       "journal.n_done",
  "journal.uid",        "journal.started",    "journal.finding",     "journal.plan",
};

static const char *const cells[] = {
  "NULL",
  "0",
  "1",
  "-1",
  "9223372036854775807",
  "1.5",
  "''",
  "'x'",
  "'/'",
  "x''",
  "x'00'",
  "zeroblob (100000)",
  "CAST (x'c3' AS TEXT)",
  "CAST (x'00' AS TEXT)",
  ID_100,
  ID_103,
  "printf ('%300s', 'x')",
};

static void
damage_cells (const char *directory)
{
  g_autofree char *path = store_file (directory, "");
  sqlite3 *db = NULL;
  guint n = 1 + (guint) g_test_rand_int_range (0, 3);

  g_assert_cmpint (sqlite3_open (path, &db), ==, SQLITE_OK);
  g_assert_cmpint (sqlite3_exec (db, loosen, NULL, NULL, NULL), ==, SQLITE_OK);
  for (guint i = 0; i < n; i++)
    {
      const char *column = columns[g_test_rand_int_range (0, G_N_ELEMENTS (columns))];
      const char *cell = cells[g_test_rand_int_range (0, G_N_ELEMENTS (cells))];
      g_auto (GStrv) parts = g_strsplit (column, ".", 2);
      g_autofree char *text = g_strdup_printf (
          "UPDATE OR IGNORE %s SET %s = %s WHERE random () & 1", parts[0], parts[1], cell);

      g_test_message ("%s", text);
      g_assert_cmpint (sqlite3_exec (db, text, NULL, NULL, NULL), ==, SQLITE_OK);
    }
  g_assert_cmpint (sqlite3_close (db), ==, SQLITE_OK);
}

static void
test_random_cells (void)
{
  g_autoptr (StoreDirectory) base = store_directory_new ();

  fill_store (base);
  for (guint i = 0; i < 100; i++)
    {
      g_autoptr (StoreDirectory) directory = store_directory_new ();
      g_autoptr (StmStoreContent) content = NULL;

      copy_store (base, directory);
      damage_cells (directory);
      close_store (open_store (directory, &content));
      g_assert_true (g_str_has_prefix (content->health, "read-only: "));
      stm_model_free (model_of_content (content));
    }
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  for (gsize i = 0; i < G_N_ELEMENTS (rows); i++)
    {
      g_autofree char *path = g_strconcat ("/store/rows/", rows[i].name, "-is-said", NULL);

      g_test_add_data_func (path, &rows[i], test_rows);
    }
  g_test_add_func ("/store/rows/many-problems-give-a-short-text", test_many_problems);
  g_test_add_func ("/store/rows/long-ring-is-opened", test_long_ring);
  g_test_add_func ("/store/rows/random-cells-never-break-the-reading", test_random_cells);

  return g_test_run ();
}
