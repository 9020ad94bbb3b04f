/* Chains, facts, overlays, merges and removal, as every driver must do them.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "driver-suite-private.h"

#include "stemma-error.h"

/* ---- chains and facts ---- */

static void
test_a_chain_is_walked (DriverSuite *suite)
{
  g_autofree char *top = driver_suite_path_of (suite, "top");
  g_autofree char *base = driver_suite_path_of (suite, "base");
  const StmDeclaredImage declared[] = { { top, "qcow2" } };
  StmChainRequest request = {
    .target = "vda", .declared = declared, .n_declared = 1, .policy = suite->policy
  };
  g_autoptr (GError) error = NULL;

  driver_suite_make_chain (suite);
  g_autoptr (GPtrArray) chain = stm_driver_walk_chain (suite->driver, &request, NULL, &error);
  g_assert_no_error (error);
  g_assert_cmpuint (chain->len, ==, 3);
  for (guint i = 0; i < chain->len; i++)
    {
      const StmImage *image = chain->pdata[i];

      g_assert_cmpuint (image->index, ==, i + 1);
      g_assert_cmpint (image->origin, ==, i == 0 ? STM_IMAGE_DISK : STM_IMAGE_BACKING);
      g_assert_cmpstr (image->format, ==, "qcow2");
      g_assert_cmpuint (image->capacity, ==, CAPACITY);
    }
  g_assert_cmpstr (((StmImage *) chain->pdata[2])->path, ==, base);
  g_assert_null (((StmImage *) chain->pdata[2])->backing);
}

static void
test_a_wrong_declaration_is_refused (DriverSuite *suite)
{
  g_autofree char *top = driver_suite_path_of (suite, "top");
  g_autofree char *base = driver_suite_path_of (suite, "base");
  const StmDeclaredImage declared[] = { { top, "qcow2" }, { base, "qcow2" } };
  StmChainRequest request = {
    .target = "vda", .declared = declared, .n_declared = 2, .policy = suite->policy
  };
  g_autoptr (GError) error = NULL;

  driver_suite_make_chain (suite);
  g_assert_null (stm_driver_walk_chain (suite->driver, &request, NULL, &error));
  g_assert_error (error, STEMMA_ERROR, STEMMA_ERROR_CHAIN_BROKEN);
}

static void
test_facts_are_told (DriverSuite *suite)
{
  g_autofree char *base = driver_suite_path_of (suite, "base");
  g_autofree char *top = driver_suite_path_of (suite, "top");

  driver_suite_make_chain (suite);
  g_autoptr (GPtrArray) chain = driver_suite_record_chain (suite, TRUE);
  g_autoptr (StmSurvey) survey = driver_suite_look (suite, chain);
  const StmFacts *middle = driver_suite_facts_of (suite, survey, "middle");

  g_assert_no_error (middle->problem);
  g_assert_cmpstr (middle->backing, ==, base);
  g_assert_cmpstr (middle->format, ==, "qcow2");
  g_assert_cmpuint (middle->capacity, ==, CAPACITY);
  g_assert_cmpuint (middle->data_bytes, ==, 3 * SUITE_BLOCK);
  g_assert_cmpuint (g_strv_length (middle->children), ==, 1);
  g_assert_cmpstr (middle->children[0], ==, top);
  g_assert_false (middle->is_written);
  g_assert_cmpuint (middle->tags->len + middle->bitmaps->len, ==, 0);
  g_assert_cmpuint (driver_suite_facts_of (suite, survey, "top")->data_bytes, ==, 2 * SUITE_BLOCK);
  g_assert_true (stm_survey_has_name (survey, top));
}

static void
test_a_missing_image_is_a_fact (DriverSuite *suite)
{
  g_autoptr (StmSurvey) survey = driver_suite_look_at (suite, "nothing", "qcow2", NULL);

  g_assert_error (driver_suite_facts_of (suite, survey, "nothing")->problem, STEMMA_ERROR,
                  STEMMA_ERROR_NOT_FOUND);
}

/* ---- overlays ---- */

static void
test_overlays_show_what_they_cover (DriverSuite *suite)
{
  g_autoptr (StmPlan) plan = driver_suite_plan_new ();
  g_autoptr (GError) error = NULL;

  driver_suite_make_image (suite, "a", "qcow2", NULL, NULL);
  driver_suite_make_image (suite, "b", "raw", NULL, NULL);
  driver_suite_write_block (suite, "a", 3, 7);
  driver_suite_write_block (suite, "b", 4, 8);
  driver_suite_add_overlay (suite, plan, "a1", "a", "qcow2", NULL);
  driver_suite_add_overlay (suite, plan, "b1", "b", "raw", NULL);
  driver_suite_make_overlays (suite, plan, &error);
  g_assert_no_error (error);
  driver_suite_assert_block (suite, "a1", 3, 7);
  driver_suite_assert_block (suite, "b1", 4, 8);
  driver_suite_assert_block (suite, "b1", 5, 0);

  g_autoptr (StmSurvey) survey = driver_suite_look_at (suite, "b1", "qcow2", "b");
  g_assert_cmpuint (driver_suite_facts_of (suite, survey, "b1")->data_bytes, ==, 0);
  g_assert_cmpstr (driver_suite_facts_of (suite, survey, "b1")->backing_format, ==, "raw");
}

static void
test_overlays_are_made_all_or_none (DriverSuite *suite)
{
  g_autoptr (StmPlan) plan = driver_suite_plan_new ();
  g_autoptr (GError) error = NULL;

  driver_suite_make_image (suite, "a", "qcow2", NULL, NULL);
  driver_suite_make_image (suite, "b", "qcow2", NULL, NULL);
  driver_suite_make_image (suite, "taken", "qcow2", NULL, NULL);
  driver_suite_write_block (suite, "taken", 0, 9);
  driver_suite_add_overlay (suite, plan, "a1", "a", "qcow2", NULL);
  driver_suite_add_overlay (suite, plan, "taken", "b", "qcow2", NULL);
  g_assert_false (driver_suite_make_overlays (suite, plan, &error));
  g_assert_error (error, STEMMA_ERROR, STEMMA_ERROR_ALREADY_EXISTS);
  driver_suite_assert_exists (suite, "a1", FALSE);
  driver_suite_assert_block (suite, "taken", 0, 9);
}

static void
test_overlays_are_taken_back (DriverSuite *suite)
{
  g_autoptr (StmPlan) plan = driver_suite_plan_new ();
  g_autoptr (GError) error = NULL;

  driver_suite_make_image (suite, "a", "qcow2", NULL, NULL);
  driver_suite_add_overlay (suite, plan, "a1", "a", "qcow2", NULL);
  g_assert_true (driver_suite_make_overlays (suite, plan, &error));
  for (guint i = 0; i < 2; i++)
    {
      stm_driver_abandon_overlays (suite->driver, plan, suite->policy, &error);
      g_assert_no_error (error);
      driver_suite_assert_exists (suite, "a1", FALSE);
      driver_suite_assert_exists (suite, "a", TRUE);
    }
}

/* ---- merges ---- */

static void
test_a_commit_moves_data_down (DriverSuite *suite)
{
  driver_suite_make_chain (suite);
  g_autoptr (StmPlan) plan = driver_suite_plan_commit (suite, NULL);

  for (guint i = 0; i < 2; i++)
    {
      driver_suite_merge (suite, plan);
      driver_suite_assert_top_stands_on_base (suite);
      driver_suite_assert_block (suite, "base", 0, 10);
      driver_suite_assert_block (suite, "base", 3, 20);
    }
}

static void
test_a_stream_moves_data_up (DriverSuite *suite)
{
  driver_suite_make_chain (suite);
  g_autoptr (StmPlan) plan = driver_suite_plan_stream (suite, NULL);

  for (guint i = 0; i < 2; i++)
    {
      driver_suite_merge (suite, plan);
      driver_suite_assert_top_stands_on_base (suite);
      driver_suite_assert_block (suite, "base", 1, 10);
    }
}

static void
remove_image (DriverSuite *suite, const char *name, const char *backing, GError **error)
{
  g_autoptr (StmPlan) plan = driver_suite_plan_new ();
  g_autoptr (StmImage) image = driver_suite_record (suite, "vda", name, "qcow2", backing);

  stm_plan_add_step (plan, &(StmStep){ .kind = STM_STEP_UNLINK, .target = "vda", .image = image });
  stm_driver_remove_image (suite->driver, driver_suite_first_step (plan), suite->policy, error);
}

static void
test_only_a_proven_image_is_removed (DriverSuite *suite)
{
  g_autoptr (GError) error = NULL;

  driver_suite_make_chain (suite);
  remove_image (suite, "top", "base", &error);
  g_assert_error (error, STEMMA_ERROR, STEMMA_ERROR_CHAIN_BROKEN);
  driver_suite_assert_exists (suite, "top", TRUE);
  g_clear_error (&error);
  for (guint i = 0; i < 2; i++)
    {
      remove_image (suite, "top", "middle", &error);
      g_assert_no_error (error);
      driver_suite_assert_exists (suite, "top", FALSE);
    }
}

const DriverSuiteTest driver_suite_image_tests[] = {
  { "chain/is-walked", test_a_chain_is_walked },
  { "chain/a-wrong-declaration-is-refused", test_a_wrong_declaration_is_refused },
  { "facts/are-told", test_facts_are_told },
  { "facts/a-missing-image-is-one", test_a_missing_image_is_a_fact },
  { "overlay/shows-what-it-covers", test_overlays_show_what_they_cover },
  { "overlay/all-or-none", test_overlays_are_made_all_or_none },
  { "overlay/is-taken-back", test_overlays_are_taken_back },
  { "commit/moves-data-down", test_a_commit_moves_data_down },
  { "stream/moves-data-up", test_a_stream_moves_data_up },
  { "removal/needs-proof", test_only_a_proven_image_is_removed },
  { NULL, NULL },
};
