/* What the store promises when nothing goes wrong around it, and when a write does not fit.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "golden.h"
#include "store-fixture.h"

#include "stemma-error.h"

#include <glib/gstdio.h>
#include <sqlite3.h>
#include <string.h>
#include <sys/stat.h>

static void
test_empty (void)
{
  g_autoptr (StoreDirectory) directory = store_directory_new ();
  g_autoptr (StmStoreContent) content = NULL;
  StmStore *store = open_store (directory, &content);

  g_assert_cmpstr (content->health, ==, "ok");
  g_assert_cmpuint (content->changes->len, ==, 0);
  g_assert_cmpuint (content->journal->len, ==, 0);
  g_assert_cmpuint (content->service_generation, ==, 0);
  close_store (store);
}

static void
assert_mode (const char *path, guint mode)
{
  GStatBuf status;

  g_assert_cmpint (g_lstat (path, &status), ==, 0);
  g_assert_cmphex (status.st_mode & 07777, ==, mode);
}

static void
test_modes (void)
{
  const mode_t masks[] = { 0, 0077, 0177, 0777 };

  for (gsize i = 0; i < G_N_ELEMENTS (masks); i++)
    {
      g_autoptr (StoreDirectory) parent = store_directory_new ();
      g_autofree char *directory = g_build_filename (parent, "state", NULL);
      g_autofree char *file = store_file (directory, "");
      g_autofree char *log = store_file (directory, "-wal");
      g_autoptr (StmChange) change = sample_define (1, 1);

      g_assert_cmpint (g_mkdir (directory, 0755), ==, 0);
      mode_t before = umask (masks[i]);
      StmStore *store = open_store (directory, NULL);

      write_ok (store, change);
      umask (before);
      assert_mode (directory, 0700);
      assert_mode (file, 0600);
      assert_mode (log, 0600);
      close_store (store);
    }
}

static void
test_wide_modes_are_narrowed (void)
{
  g_autoptr (StoreDirectory) directory = store_directory_new ();
  g_autofree char *file = store_file (directory, "");

  close_store (open_store (directory, NULL));
  g_assert_cmpint (g_chmod (directory, 0755), ==, 0);
  g_assert_cmpint (g_chmod (file, 0644), ==, 0);
  close_store (open_store (directory, NULL));
  assert_mode (directory, 0700);
  assert_mode (file, 0600);
}

static void
test_round_trip (void)
{
  g_autoptr (StoreDirectory) directory = store_directory_new ();
  g_autoptr (StmChange) change = golden_change (GOLDEN_VERSION);
  g_autoptr (StmModel) model = stm_model_new ();
  StmStore *store = open_store (directory, NULL);

  write_ok (store, change);
  close_store (store);
  stm_model_apply (model, change);

  g_autoptr (StmModel) read = reload (directory, NULL);

  assert_models_equal (model, read);
  assert_models_equal (read, model);
}

static void
test_siblings (void)
{
  /* All of one second, so that only the order of writing tells them apart. */
  const char *const names[] = { "m", "c", "x", "a", "k" };
  g_autoptr (StoreDirectory) directory = store_directory_new ();
  g_autofree char *base = sample_id (100);
  StmStore *store = store_with_snapshots (directory, 1);

  for (guint i = 0; i < G_N_ELEMENTS (names); i++)
    {
      g_autoptr (StmChange) change = sample_change (1, 2 + i);
      g_autoptr (StmMoment) moment = sample_moment (300 - i, names[i], base);

      stm_change_put_moment (change, moment);
      write_ok (store, change);
    }

  /* Rewritten in place it stays; moved away and back it is the last. */
  g_autoptr (StmChange) rename = sample_change (1, 10);
  g_autoptr (StmMoment) renamed = sample_moment (300, "mm", base);
  g_autoptr (StmChange) away = sample_change (1, 11);
  g_autoptr (StmMoment) moved = sample_moment (298, "x", NULL);
  g_autoptr (StmChange) back = sample_change (1, 12);
  g_autoptr (StmMoment) returned = sample_moment (298, "x", base);

  stm_change_put_moment (rename, renamed);
  write_ok (store, rename);
  stm_change_put_moment (away, moved);
  write_ok (store, away);
  stm_change_put_moment (back, returned);
  write_ok (store, back);
  close_store (store);

  const char *const expected[] = { "mm", "c", "a", "k", "x" };
  g_autoptr (StmModel) read = reload (directory, NULL);
  g_autofree char *domain = sample_id (1);
  const StmTree *tree = stm_model_tree (read, domain, STM_MOMENT_SNAPSHOT);
  const StmMoment *child = stm_tree_first_child (tree, base);

  for (guint i = 0; i < G_N_ELEMENTS (expected); i++)
    {
      g_assert_nonnull (child);
      g_assert_cmpstr (child->name, ==, expected[i]);
      child = stm_tree_next_sibling (tree, child->id);
    }
  g_assert_null (child);
}

/* A change may bring a child before its parent; the parent then comes before its own siblings. */
static void
test_siblings_of_one_change (void)
{
  g_autoptr (StoreDirectory) directory = store_directory_new ();
  g_autoptr (StmModel) model = stm_model_new ();
  g_autoptr (StmChange) change = sample_define (1, 1);
  g_autofree char *parent = sample_id (102);
  g_autofree char *upper = sample_id (104);
  g_autoptr (StmMoment) child = sample_moment (100, "child", parent);
  g_autoptr (StmMoment) first = sample_moment (101, "first", upper);
  g_autoptr (StmMoment) second = sample_moment (102, "second", upper);
  g_autoptr (StmMoment) third = sample_moment (103, "third", NULL);
  g_autoptr (StmMoment) fourth = sample_moment (104, "fourth", NULL);
  StmStore *store = open_store (directory, NULL);

  stm_change_put_moment (change, child);
  stm_change_put_moment (change, first);
  stm_change_put_moment (change, second);
  stm_change_put_moment (change, third);
  stm_change_put_moment (change, fourth);
  write_ok (store, change);
  close_store (store);
  stm_model_apply (model, change);

  g_autoptr (StmModel) read = reload (directory, NULL);

  assert_models_equal (model, read);
}

static void
test_deep_chain (void)
{
  g_autoptr (StoreDirectory) directory = store_directory_new ();
  StmStore *store = store_with_snapshots (directory, 5000);
  g_autofree char *domain = sample_id (1);

  close_store (store);

  g_autoptr (StmModel) read = reload (directory, NULL);

  g_assert_cmpuint (stm_tree_count (stm_model_tree (read, domain, STM_MOMENT_SNAPSHOT)), ==, 5000);
}

static void
test_names_swap (void)
{
  g_autoptr (StoreDirectory) directory = store_directory_new ();
  StmStore *store = store_with_snapshots (directory, 2);
  g_autoptr (StmChange) change = sample_change (1, 2);
  g_autofree char *parent = sample_id (100);
  g_autofree char *domain = sample_id (1);
  g_autoptr (StmMoment) first = sample_moment (100, "s1", NULL);
  g_autoptr (StmMoment) second = sample_moment (101, "s0", parent);

  stm_change_put_moment (change, first);
  stm_change_put_moment (change, second);
  write_ok (store, change);
  close_store (store);

  g_autoptr (StmModel) read = reload (directory, NULL);
  const StmTree *tree = stm_model_tree (read, domain, STM_MOMENT_SNAPSHOT);

  g_assert_cmpstr (stm_tree_find (tree, "s1")->id, ==, parent);
}

static void
test_remove_domain (void)
{
  g_autoptr (StoreDirectory) directory = store_directory_new ();
  StmStore *store = store_with_snapshots (directory, 3);
  g_autoptr (StmChange) other = sample_define (2, 8);
  g_autoptr (StmChange) removal = sample_change (1, 9);
  g_autofree char *removed = sample_id (1);
  g_autofree char *kept = sample_id (2);

  write_ok (store, other);
  removal->removes_domain = TRUE;
  write_ok (store, removal);
  close_store (store);

  g_autoptr (StmModel) read = reload (directory, NULL);

  g_assert_null (stm_model_get_domain (read, removed));
  g_assert_nonnull (stm_model_get_domain (read, kept));
  g_assert_cmpuint (stm_model_service_generation (read), ==, 9);
}

static void
test_generation_outlives_domains (void)
{
  g_autoptr (StoreDirectory) directory = store_directory_new ();
  StmStore *store = store_with_snapshots (directory, 1);
  g_autoptr (StmChange) removal = sample_change (1, 42);
  g_autoptr (StmStoreContent) content = NULL;

  removal->removes_domain = TRUE;
  write_ok (store, removal);
  close_store (store);
  close_store (open_store (directory, &content));
  g_assert_cmpuint (content->changes->len, ==, 0);
  g_assert_cmpuint (content->service_generation, ==, 42);
}

static void
test_definition (void)
{
  g_autoptr (StoreDirectory) directory = store_directory_new ();
  StmStore *store = store_with_snapshots (directory, 0);
  g_autoptr (GError) error = NULL;
  g_autofree char *text = read_definition_and_wait (store, "hash-1", &error);

  g_assert_no_error (error);
  g_assert_cmpstr (text, ==, "<domain>1</domain>");
  g_assert_null (read_definition_and_wait (store, "hash-2", &error));
  g_assert_error (error, STEMMA_ERROR, STEMMA_ERROR_NOT_FOUND);
  close_store (store);
}

static guint
count_rows (const char *directory, const char *table)
{
  g_autofree char *file = store_file (directory, "");
  g_autofree char *sql = g_strdup_printf ("SELECT count (*) FROM %s", table);
  sqlite3 *db = NULL;
  sqlite3_stmt *statement = NULL;

  g_assert_cmpint (sqlite3_open (file, &db), ==, SQLITE_OK);
  g_assert_cmpint (sqlite3_prepare_v2 (db, sql, -1, &statement, NULL), ==, SQLITE_OK);
  g_assert_cmpint (sqlite3_step (statement), ==, SQLITE_ROW);

  guint n = (guint) sqlite3_column_int (statement, 0);

  sqlite3_finalize (statement);
  sqlite3_close (db);
  return n;
}

/* Redefines domain 1 a few times, each with a definition of its own, the last one used by none but
 * the domain, the first one by a snapshot too. */
static void
redefine (StmStore *store, guint n_times)
{
  for (guint i = 0; i < n_times; i++)
    {
      g_autofree char *hash = g_strdup_printf ("other-%u", i);
      g_autoptr (StmDomain) domain = sample_domain (1, "domain-1", hash);
      g_autoptr (StmChange) change = sample_change (1, 100 + i);

      stm_change_set_domain (change, domain);
      change->definition_text = g_strdup ("<domain/>");
      write_ok (store, change);
    }
}

static void
test_unused_definitions_go (void)
{
  g_autoptr (StoreDirectory) directory = store_directory_new ();
  g_autoptr (StmChange) change = golden_change (GOLDEN_VERSION);
  StmStore *store = open_store (directory, NULL);

  write_ok (store, change);
  redefine (store, 5);
  close_store (store);
  g_assert_cmpuint (count_rows (directory, "definition"), ==, 9);

  /* hash-1 and three others are of moments, other-4 is that of the domain. */
  close_store (open_store (directory, NULL));
  g_assert_cmpuint (count_rows (directory, "definition"), ==, 5);
}

static void
test_unsettled_operation_keeps_definitions (void)
{
  g_autoptr (StoreDirectory) directory = store_directory_new ();
  g_autoptr (StmPlan) plan = sample_plan (500, 1);
  g_autoptr (StmJournalEntry) entry = stm_journal_entry_new (plan, 0, 1);
  g_autoptr (GError) error = NULL;
  StmStore *store = store_with_snapshots (directory, 0);

  redefine (store, 3);
  g_assert_true (write_and_wait (store, NULL, STM_JOURNAL_PUT, entry, &error));
  close_store (store);
  close_store (open_store (directory, NULL));
  g_assert_cmpuint (count_rows (directory, "definition"), ==, 4);
}

static void
test_journal_round_trip (void)
{
  g_autoptr (StoreDirectory) directory = store_directory_new ();
  g_autoptr (StmStoreContent) content = NULL;
  g_autoptr (StmPlan) first = sample_plan (500, 1);
  g_autoptr (StmPlan) second = sample_plan (400, 1);
  g_autoptr (StmJournalEntry) one = stm_journal_entry_new (first, 1000, 1700000000);
  g_autoptr (StmJournalEntry) two = stm_journal_entry_new (second, 0, 1700000001);
  g_autoptr (GError) error = NULL;
  StmStore *store = open_store (directory, NULL);

  g_assert_true (stm_store_write_journal_sync (store, one, &error));
  g_assert_true (stm_store_write_journal_sync (store, two, &error));
  one->phase = STM_PHASE_CLEANUP;
  one->n_done = 1;
  one->finding = g_strdup ("the image is gone");
  g_assert_true (stm_store_write_journal_sync (store, one, &error));
  close_store (store);

  close_store (open_store (directory, &content));
  g_assert_cmpstr (content->health, ==, "ok");
  g_assert_cmpuint (content->journal->len, ==, 2);

  const StmJournalEntry *read = g_ptr_array_index (content->journal, 0);
  g_autoptr (GVariant) written_plan = g_variant_ref_sink (stm_plan_to_variant (first));
  g_autoptr (GVariant) read_plan = g_variant_ref_sink (stm_plan_to_variant (read->plan));

  g_assert_true (g_variant_equal (written_plan, read_plan));
  g_assert_cmpint (read->phase, ==, STM_PHASE_CLEANUP);
  g_assert_cmpuint (read->n_done, ==, 1);
  g_assert_cmpuint (read->uid, ==, 1000);
  g_assert_cmpint (read->started, ==, 1700000000);
  g_assert_cmpstr (read->finding, ==, "the image is gone");
}

static void
test_removed_entry (void)
{
  g_autoptr (StoreDirectory) directory = store_directory_new ();
  g_autoptr (StmPlan) plan = sample_plan (500, 1);
  g_autoptr (StmJournalEntry) entry = stm_journal_entry_new (plan, 0, 1);
  g_autoptr (GError) error = NULL;
  guint n_journal;
  StmStore *store = store_with_snapshots (directory, 1);

  write_and_wait (store, NULL, STM_JOURNAL_PUT, entry, &error);
  g_assert_no_error (error);
  write_and_wait (store, NULL, STM_JOURNAL_REMOVE, entry, &error);
  g_assert_no_error (error);
  close_store (store);

  stm_model_free (reload (directory, &n_journal));
  g_assert_cmpuint (n_journal, ==, 0);
}

static void
count_hook (const StmJournalEntry *entry, StmJournalAction action, gpointer user_data)
{
  guint *counts = user_data;

  g_assert_true ((action == STM_JOURNAL_NONE) == (entry == NULL));
  counts[action]++;
}

static void
test_hook_sees_durable_writes_only (void)
{
  g_autoptr (StoreDirectory) directory = store_directory_new ();
  g_autoptr (StmPlan) plan = sample_plan (500, 1);
  g_autoptr (StmJournalEntry) entry = stm_journal_entry_new (plan, 0, 1);
  g_autoptr (StmChange) refused = sample_change (77, 1);
  StmStore *store = open_store (directory, NULL);
  guint counts[3] = { 0 };

  stm_store_set_hook (store, count_hook, counts);
  g_assert_true (stm_store_write_journal_sync (store, entry, NULL));
  g_assert_false (write_and_wait (store, refused, STM_JOURNAL_NONE, NULL, NULL));
  g_assert_true (write_and_wait (store, NULL, STM_JOURNAL_REMOVE, entry, NULL));
  close_store (store);
  g_assert_cmpuint (counts[STM_JOURNAL_NONE], ==, 0);
  g_assert_cmpuint (counts[STM_JOURNAL_PUT], ==, 1);
  g_assert_cmpuint (counts[STM_JOURNAL_REMOVE], ==, 1);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/store/open/new-directory-is-empty-and-well", test_empty);
  g_test_add_func ("/store/open/files-are-private-whatever-the-umask", test_modes);
  g_test_add_func ("/store/open/wide-modes-are-narrowed", test_wide_modes_are_narrowed);
  g_test_add_func ("/store/round-trip/every-field-comes-back", test_round_trip);
  g_test_add_func ("/store/round-trip/siblings-keep-their-order", test_siblings);
  g_test_add_func ("/store/round-trip/siblings-of-one-change-keep-their-order",
                   test_siblings_of_one_change);
  g_test_add_func ("/store/round-trip/deep-chain-is-read", test_deep_chain);
  g_test_add_func ("/store/round-trip/names-can-be-swapped", test_names_swap);
  g_test_add_func ("/store/round-trip/removed-domain-takes-all-with-it", test_remove_domain);
  g_test_add_func ("/store/round-trip/generation-outlives-the-last-domain",
                   test_generation_outlives_domains);
  g_test_add_func ("/store/definition/is-read-by-hash", test_definition);
  g_test_add_func ("/store/definition/unused-ones-go-at-start", test_unused_definitions_go);
  g_test_add_func ("/store/definition/stays-while-an-operation-is-not-settled",
                   test_unsettled_operation_keeps_definitions);
  g_test_add_func ("/store/journal/entry-comes-back-with-its-plan", test_journal_round_trip);
  g_test_add_func ("/store/journal/removed-entry-is-gone-after-reopen", test_removed_entry);
  g_test_add_func ("/store/hook/sees-durable-writes-only", test_hook_sees_durable_writes_only);

  return g_test_run ();
}
