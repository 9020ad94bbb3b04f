/* Databases of each version that was released: read as they were written, converted, and gone on
 * with.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "golden.h"
#include "store-fixture.h"

#include <sqlite3.h>
#include <string.h>

static void
sql (const char *directory, const char *text)
{
  g_autofree char *path = store_file (directory, "");
  sqlite3 *db = NULL;

  g_assert_cmpint (sqlite3_open (path, &db), ==, SQLITE_OK);
  g_assert_cmpint (sqlite3_exec (db, text, NULL, NULL, NULL), ==, SQLITE_OK);
  g_assert_cmpint (sqlite3_close (db), ==, SQLITE_OK);
}

/* argv: the directory of the golden databases. */
typedef struct
{
  const char *place;
  guint version;
} Golden;

/* Puts the golden database of a version into a new directory. */
static char *
golden_directory_new (const Golden *golden)
{
  g_autofree char *name = g_strdup_printf ("v%u.db", golden->version);
  g_autofree char *path = g_build_filename (golden->place, name, NULL);
  char *directory = store_directory_new ();
  g_autofree char *file = store_file (directory, "");
  g_autofree char *bytes = NULL;
  gsize length;

  g_assert_true (g_file_get_contents (path, &bytes, &length, NULL));
  g_assert_true (g_file_set_contents (file, bytes, (gssize) length, NULL));
  return directory;
}

static void
assert_entries_equal (const StmJournalEntry *a, const StmJournalEntry *b)
{
  g_autoptr (GVariant) plan_a = g_variant_ref_sink (stm_plan_to_variant (a->plan));
  g_autoptr (GVariant) plan_b = g_variant_ref_sink (stm_plan_to_variant (b->plan));

  g_assert_true (g_variant_equal (plan_a, plan_b));
  g_assert_cmpint (a->phase, ==, b->phase);
  g_assert_cmpuint (a->n_done, ==, b->n_done);
  g_assert_cmpuint (a->uid, ==, b->uid);
  g_assert_cmpint (a->started, ==, b->started);
  g_assert_cmpstr (a->finding, ==, b->finding);
}

static void
test_golden (gconstpointer data)
{
  const Golden *golden = data;
  g_autoptr (StoreDirectory) directory = golden_directory_new (golden);
  g_autoptr (StmStoreContent) content = NULL;
  g_autoptr (StmModel) expected = stm_model_new ();
  g_autoptr (StmChange) first = golden_change (golden->version);
  g_autoptr (StmChange) second = sample_define (2, 8);
  g_autoptr (StmChange) third = sample_define (3, 9);
  g_autoptr (StmJournalEntry) entry = golden_entry (golden->version);
  StmStore *store = open_store (directory, &content);

  g_assert_cmpstr (content->health, ==, "ok");
  g_assert_cmpuint (content->last_job, ==, golden->version >= 3 ? GOLDEN_LAST_JOB : 0);

  g_autoptr (StmModel) read = model_of_content (content);
  g_autofree char *text = read_definition_and_wait (store, "hash-2", NULL);

  stm_model_apply (expected, first);
  stm_model_apply (expected, second);
  assert_models_equal (expected, read);
  g_assert_cmpstr (text, ==, "<domain>2</domain>");
  g_assert_cmpuint (content->journal->len, ==, 1);
  assert_entries_equal (g_ptr_array_index (content->journal, 0), entry);

  /* And it goes on from there. */
  write_ok (store, third);
  close_store (store);
  stm_model_apply (expected, third);

  g_autoptr (StmModel) again = reload (directory, NULL);

  assert_models_equal (expected, again);
}

/* A plan of version 1 whose finishing change brings a snapshot and a checkpoint, with what the two
 * disks of the one and the disk of the other were then. */
#define ID_500 "000000000000000000000000000001f4"
#define ID_1 "00000000000000000000000000000001"
#define CHANGE_TYPE_1 "@(sm(sssssa(sumssbbu)as)bmsa(ussmssxuumsa(sumsmsmsmsms))asumsa(ssusmsut)as) "
#define EMPTY_1                                                                                    \
  "<" CHANGE_TYPE_1 "('" ID_1 "', nothing, false, nothing, [], [], 0, nothing, [], [])>"
#define IMAGE_1 "<@(ssusmsut) ('/images/a.s', 'vda', 2, 'qcow2', just '/images/a.qcow2', 2, 5)>"
static const char *const plan_1 =
    "('" ID_500 "', 'create', '" ID_1 "', just '" ID_1 "',"
    " [('unlink', 'vda', " IMAGE_1 ", [], [], 7)], " EMPTY_1 ", <" CHANGE_TYPE_1 "('" ID_1
    "', nothing, false,"
    " just '<domain/>', [(0, 'a0000000000000000000000000000000', 's', just '" ID_1
    "', 'd', 9, 3, 0,"
    " just 'hash-1', [('vda', 1, just '/images/a.qcow2', just '/images/a.s', just 'qcow2', nothing,"
    " nothing), ('vdb', 0, nothing, nothing, nothing, nothing, nothing)]), (1,"
    " 'b0000000000000000000000000000000', 'c', nothing, '', 9, 3, 0, nothing, [('vda', 1,"
    " just '/images/a.qcow2', nothing, just 'qcow2', nothing, just 'bitmap-1')])],"
    " ['" ID_500 "'], 1, nothing, [], ['/images/b'])>, " EMPTY_1 ", ['check'], 11,"
    " [('/images/x', 'why')])";

static void
put_plan_1 (const char *directory)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GVariant)
      plan = g_variant_parse (G_VARIANT_TYPE ("(sssmsa(ssvavavt)vvvasta(ss))"), plan_1,
                              /* limit= */ NULL, /* endptr= */ NULL, &error);
  g_autoptr (GString) text = g_string_new ("UPDATE journal SET n_done = 0, plan = x'");

  g_assert_no_error (error);

  g_autoptr (GVariant) stored = G_BYTE_ORDER == G_BIG_ENDIAN ? g_variant_byteswap (plan)
                                                             : g_variant_ref (plan);
  const guint8 *bytes = g_variant_get_data (stored);

  for (gsize i = 0; i < g_variant_get_size (stored); i++)
    g_string_append_printf (text, "%02x", bytes[i]);
  g_string_append_c (text, '\'');
  sql (directory, text->str);
}

static void
test_plan_of_version_1 (gconstpointer data)
{
  const Golden *golden = data;
  g_autoptr (StoreDirectory) directory = golden_directory_new (golden);
  g_autoptr (StmStoreContent) content = NULL;

  put_plan_1 (directory);
  close_store (open_store (directory, &content));
  g_assert_cmpstr (content->health, ==, "ok");
  g_assert_cmpuint (content->journal->len, ==, 1);

  const StmPlan *plan = ((const StmJournalEntry *) g_ptr_array_index (content->journal, 0))->plan;
  const StmStep *step = g_ptr_array_index (plan->steps, 0);
  const StmMoment *snapshot = g_ptr_array_index (plan->finish->put_moments, 0);
  const StmMoment *checkpoint = g_ptr_array_index (plan->finish->put_moments, 1);

  g_assert_cmpint (plan->operation, ==, STM_OPERATION_CREATE);
  g_assert_cmpint (step->kind, ==, STM_STEP_UNLINK);
  g_assert_cmpstr (step->image->path, ==, "/images/a.s");
  g_assert_cmpuint (step->bytes, ==, 7);
  g_assert_cmpstr (plan->finish->definition_text, ==, "<domain/>");
  g_assert_cmpstr (snapshot->definition, ==, "hash-1");
  g_assert_cmpint (snapshot->disks[0].mode, ==, STM_MODE_EXTERNAL);
  g_assert_cmpuint (snapshot->n_disks, ==, 2);
  g_assert_cmpint (checkpoint->disks[0].mode, ==, STM_MODE_BITMAP);
  g_assert_cmpstr (checkpoint->disks[0].bitmap, ==, "bitmap-1");
  g_assert_cmpstr (plan->finish->removed_images->pdata[0], ==, "/images/b");
  g_assert_cmpstr (plan->unreachable[0], ==, "check");
  g_assert_cmpuint (plan->frees, ==, 11);
  g_assert_cmpuint (plan->kept->len, ==, 1);
}

/* What is no plan stays, and is said; the upgrade does not stop at it. */
static void
test_spoilt_plan_of_version_1 (gconstpointer data)
{
  const Golden *golden = data;
  g_autoptr (StoreDirectory) directory = golden_directory_new (golden);
  g_autoptr (StmStoreContent) content = NULL;

  sql (directory, "UPDATE journal SET plan = x'0102'");
  close_store (open_store (directory, &content));
  g_assert_nonnull (strstr (content->health, "its plan is not sound"));
  g_assert_cmpuint (content->changes->len, ==, 2);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_assert_cmpint (argc, ==, 2);

  const Golden first = { argv[1], 1 };
  const Golden second = { argv[1], 2 };
  const Golden third = { argv[1], 3 };

  g_test_add_data_func ("/store/version/golden-database-of-version-1-is-read", &first, test_golden);
  g_test_add_data_func ("/store/version/golden-database-of-version-2-is-read", &second,
                        test_golden);
  g_test_add_data_func ("/store/version/golden-database-of-version-3-is-read", &third, test_golden);
  g_test_add_data_func ("/store/version/plan-of-version-1-is-converted", &first,
                        test_plan_of_version_1);
  g_test_add_data_func ("/store/version/spoilt-plan-of-version-1-is-said", &first,
                        test_spoilt_plan_of_version_1);

  return g_test_run ();
}
