/* Internal snapshots and bitmaps, as every driver must do them.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "driver-suite-private.h"

#include "stemma-error.h"

#include <string.h>

/* ---- tags ---- */

static void
test_tags_are_made_all_or_none (DriverSuite *suite)
{
  g_autoptr (StmPlan) plan = driver_suite_plan_new ();
  g_autoptr (GError) error = NULL;

  driver_suite_make_image (suite, "a", "qcow2", NULL, NULL);
  driver_suite_make_image (suite, "b", "qcow2", NULL, NULL);
  driver_suite_mark (suite, STM_STEP_TAG, "b", "s1");
  driver_suite_add_mark (suite, plan, STM_STEP_TAG, "a", "qcow2", "s1", NULL);
  driver_suite_add_mark (suite, plan, STM_STEP_TAG, "b", "qcow2", "s1", NULL);
  g_assert_false (stm_driver_make_tags (suite->driver, plan, suite->policy, NULL, &error));
  g_assert_nonnull (error);
  g_assert_true (error->domain == STEMMA_ERROR);

  g_autoptr (StmSurvey) first = driver_suite_look_at (suite, "a", "qcow2", NULL);
  g_autoptr (StmSurvey) second = driver_suite_look_at (suite, "b", "qcow2", NULL);
  g_assert_cmpuint (driver_suite_facts_of (suite, first, "a")->tags->len, ==, 0);
  g_assert_cmpuint (driver_suite_facts_of (suite, second, "b")->tags->len, ==, 1);
}

static gboolean
is_present (DriverSuite *suite, const char *image, const char *name)
{
  g_autoptr (StmSurvey) survey = driver_suite_look_at (suite, image, "qcow2", NULL);
  const StmTagFacts *tag = stm_facts_find_tag (driver_suite_facts_of (suite, survey, image), name);

  g_assert_nonnull (tag);
  return tag->is_present;
}

static void
test_a_tag_is_present_until_something_is_written (DriverSuite *suite)
{
  driver_suite_make_image (suite, "a", "qcow2", NULL, NULL);
  driver_suite_write_block (suite, "a", 0, 1);
  driver_suite_mark (suite, STM_STEP_TAG, "a", "s1");
  g_assert_true (is_present (suite, "a", "s1"));
  driver_suite_write_block (suite, "a", 1, 2);
  g_assert_false (is_present (suite, "a", "s1"));
}

static StmPlan *
plan_goto (DriverSuite *suite, const char *image, const char *name)
{
  StmPlan *plan = driver_suite_plan_new ();

  driver_suite_add_mark (suite, plan, STM_STEP_TAG, image, "qcow2", "stemma-before", NULL);
  driver_suite_add_mark (suite, plan, STM_STEP_GOTO, image, "qcow2", name, "stemma-before");

  return plan;
}

static void
go_to (DriverSuite *suite, const StmPlan *plan, GError **error)
{
  if (stm_driver_make_tags (suite->driver, plan, suite->policy, NULL, error))
    stm_driver_go_to_tag (suite->driver, plan->steps->pdata[1], suite->policy, NULL, error);
}

static void
test_an_image_goes_to_its_tag_and_back (DriverSuite *suite)
{
  g_autoptr (GError) error = NULL;

  driver_suite_make_image (suite, "a", "qcow2", NULL, NULL);
  driver_suite_write_block (suite, "a", 0, 1);
  driver_suite_mark (suite, STM_STEP_TAG, "a", "s1");
  driver_suite_write_block (suite, "a", 0, 2);
  driver_suite_write_block (suite, "a", 1, 3);

  g_autoptr (StmPlan) plan = plan_goto (suite, "a", "s1");
  go_to (suite, plan, &error);
  g_assert_no_error (error);
  driver_suite_assert_block (suite, "a", 0, 1);
  driver_suite_assert_block (suite, "a", 1, 0);

  for (guint i = 0; i < 2; i++)
    {
      stm_driver_abandon_marks (suite->driver, plan, suite->policy, &error);
      g_assert_no_error (error);
      driver_suite_assert_block (suite, "a", 0, 2);
      driver_suite_assert_block (suite, "a", 1, 3);
    }

  g_autoptr (StmSurvey) survey = driver_suite_look_at (suite, "a", "qcow2", NULL);
  g_assert_cmpuint (driver_suite_facts_of (suite, survey, "a")->tags->len, ==, 1);
}

static void
test_an_image_with_bitmaps_goes_to_no_tag (DriverSuite *suite)
{
  g_autoptr (GError) error = NULL;

  driver_suite_make_image (suite, "a", "qcow2", NULL, NULL);
  driver_suite_mark (suite, STM_STEP_TAG, "a", "s1");
  driver_suite_write_block (suite, "a", 0, 2);
  driver_suite_mark (suite, STM_STEP_BITMAP, "a", "c1");

  g_autoptr (StmPlan) plan = plan_goto (suite, "a", "s1");
  go_to (suite, plan, &error);
  g_assert_nonnull (error);
  g_assert_true (error->domain == STEMMA_ERROR);
  driver_suite_assert_block (suite, "a", 0, 2);
}

/* A merge that was given up may have left it. */
static void
test_a_mark_of_the_drivers_own_is_not_in_the_way (DriverSuite *suite)
{
  g_autoptr (GError) error = NULL;

  driver_suite_make_image (suite, "a", "qcow2", NULL, NULL);
  driver_suite_write_block (suite, "a", 0, 1);
  driver_suite_mark (suite, STM_STEP_TAG, "a", "s1");
  driver_suite_write_block (suite, "a", 0, 2);
  driver_suite_mark (suite, STM_STEP_BITMAP, "a", STM_DRIVER_BITMAP_PREFIX "down");

  g_autoptr (StmSurvey) survey = driver_suite_look_at (suite, "a", "qcow2", NULL);
  g_assert_cmpuint (driver_suite_facts_of (suite, survey, "a")->bitmaps->len, ==, 0);

  g_autoptr (StmPlan) plan = plan_goto (suite, "a", "s1");
  go_to (suite, plan, &error);
  g_assert_no_error (error);
  driver_suite_assert_block (suite, "a", 0, 1);
  stm_driver_abandon_marks (suite->driver, plan, suite->policy, &error);
  g_assert_no_error (error);
  driver_suite_assert_block (suite, "a", 0, 2);
}

static void
test_a_resized_image_goes_to_no_tag (DriverSuite *suite)
{
  g_autofree char *path = driver_suite_path_of (suite, "a");
  g_autoptr (GError) error = NULL;

  driver_suite_make_image (suite, "a", "qcow2", NULL, NULL);
  driver_suite_write_block (suite, "a", 0, 1);
  driver_suite_mark (suite, STM_STEP_TAG, "a", "s1");
  suite->harness->resize (suite->world, path, 2 * CAPACITY);
  driver_suite_write_block (suite, "a", 0, 2);

  g_autoptr (StmPlan) plan = plan_goto (suite, "a", "s1");
  go_to (suite, plan, &error);
  g_assert_error (error, STEMMA_ERROR, STEMMA_ERROR_NOT_SUPPORTED);
  driver_suite_assert_block (suite, "a", 0, 2);
}

static void
test_tags_go (DriverSuite *suite)
{
  driver_suite_make_image (suite, "a", "qcow2", NULL, NULL);
  driver_suite_write_block (suite, "a", 0, 5);
  driver_suite_mark (suite, STM_STEP_TAG, "a", "s1");
  driver_suite_mark (suite, STM_STEP_TAG, "a", "s2");
  for (guint i = 0; i < 2; i++)
    {
      driver_suite_remove_mark (suite, STM_STEP_UNTAG, "a", "s1");

      g_autoptr (StmSurvey) survey = driver_suite_look_at (suite, "a", "qcow2", NULL);
      g_assert_null (stm_facts_find_tag (driver_suite_facts_of (suite, survey, "a"), "s1"));
      g_assert_nonnull (stm_facts_find_tag (driver_suite_facts_of (suite, survey, "a"), "s2"));
    }
  driver_suite_assert_block (suite, "a", 0, 5);
}

static void
test_raw_images_take_no_marks (DriverSuite *suite)
{
  g_autoptr (StmPlan) tags = driver_suite_plan_new ();
  g_autoptr (StmPlan) bitmaps = driver_suite_plan_new ();
  g_autoptr (GError) error = NULL;

  driver_suite_make_image (suite, "r", "raw", NULL, NULL);
  driver_suite_add_mark (suite, tags, STM_STEP_TAG, "r", "raw", "s1", NULL);
  driver_suite_add_mark (suite, bitmaps, STM_STEP_BITMAP, "r", "raw", "c1", NULL);
  g_assert_false (stm_driver_make_tags (suite->driver, tags, suite->policy, NULL, &error));
  g_assert_error (error, STEMMA_ERROR, STEMMA_ERROR_NOT_SUPPORTED);
  g_clear_error (&error);
  g_assert_false (stm_driver_make_bitmaps (suite->driver, bitmaps, suite->policy, NULL, &error));
  g_assert_error (error, STEMMA_ERROR, STEMMA_ERROR_NOT_SUPPORTED);
}

/* ---- bitmaps ---- */

static void
assert_bitmap (DriverSuite *suite, const char *image, const char *backing, const char *name,
               gboolean is_there)
{
  g_autoptr (StmSurvey) survey = driver_suite_look_at (suite, image, "qcow2", backing);
  const StmBitmapFacts *bitmap = stm_facts_find_bitmap (
      driver_suite_facts_of (suite, survey, image), name);

  g_assert_cmpint (bitmap != NULL, ==, is_there);
  if (bitmap == NULL)
    return;
  g_assert_true (bitmap->is_recording);
  g_assert_false (bitmap->is_broken);
}

static void
test_bitmaps_are_made_all_or_none (DriverSuite *suite)
{
  g_autoptr (StmPlan) plan = driver_suite_plan_new ();
  g_autoptr (GError) error = NULL;

  driver_suite_make_image (suite, "a", "qcow2", NULL, NULL);
  driver_suite_make_image (suite, "b", "qcow2", NULL, NULL);
  driver_suite_mark (suite, STM_STEP_BITMAP, "b", "c1");
  driver_suite_add_mark (suite, plan, STM_STEP_BITMAP, "a", "qcow2", "c1", NULL);
  driver_suite_add_mark (suite, plan, STM_STEP_BITMAP, "b", "qcow2", "c1", NULL);
  g_assert_false (stm_driver_make_bitmaps (suite->driver, plan, suite->policy, NULL, &error));
  g_assert_nonnull (error);
  g_assert_true (error->domain == STEMMA_ERROR);
  assert_bitmap (suite, "a", NULL, "c1", FALSE);
  assert_bitmap (suite, "b", NULL, "c1", TRUE);
}

static void
test_bitmaps_come_and_go (DriverSuite *suite)
{
  driver_suite_make_image (suite, "a", "qcow2", NULL, NULL);
  driver_suite_write_block (suite, "a", 0, 1);
  driver_suite_mark (suite, STM_STEP_BITMAP, "a", "c1");
  driver_suite_mark (suite, STM_STEP_BITMAP, "a", "1234");
  assert_bitmap (suite, "a", NULL, "c1", TRUE);
  assert_bitmap (suite, "a", NULL, "1234", TRUE);
  for (guint i = 0; i < 2; i++)
    {
      driver_suite_remove_mark (suite, STM_STEP_UNBITMAP, "a", "c1");
      assert_bitmap (suite, "a", NULL, "c1", FALSE);
      assert_bitmap (suite, "a", NULL, "1234", TRUE);
    }
  driver_suite_assert_block (suite, "a", 0, 1);
}

static void
test_bitmaps_are_taken_back (DriverSuite *suite)
{
  g_autoptr (StmPlan) plan = driver_suite_plan_new ();
  g_autoptr (GError) error = NULL;

  driver_suite_make_image (suite, "a", "qcow2", NULL, NULL);
  driver_suite_mark (suite, STM_STEP_BITMAP, "a", "old");
  driver_suite_add_mark (suite, plan, STM_STEP_BITMAP, "a", "qcow2", "new", NULL);
  g_assert_true (stm_driver_make_bitmaps (suite->driver, plan, suite->policy, NULL, &error));
  for (guint i = 0; i < 2; i++)
    {
      stm_driver_abandon_marks (suite->driver, plan, suite->policy, &error);
      g_assert_no_error (error);
      assert_bitmap (suite, "a", NULL, "new", FALSE);
      assert_bitmap (suite, "a", NULL, "old", TRUE);
    }
}

static void
test_overlays_carry_bitmaps (DriverSuite *suite)
{
  static const char *const bitmaps[] = { "c1", "new", NULL };
  g_autoptr (StmPlan) plan = driver_suite_plan_new ();
  g_autoptr (GError) error = NULL;

  driver_suite_make_image (suite, "a", "qcow2", NULL, NULL);
  driver_suite_mark (suite, STM_STEP_BITMAP, "a", "c1");
  driver_suite_add_overlay (suite, plan, "a1", "a", "qcow2", bitmaps);
  driver_suite_make_overlays (suite, plan, &error);
  g_assert_no_error (error);
  assert_bitmap (suite, "a1", "a", "c1", TRUE);
  assert_bitmap (suite, "a1", "a", "new", TRUE);
  assert_bitmap (suite, "a", NULL, "c1", TRUE);
  assert_bitmap (suite, "a", NULL, "new", FALSE);
}

static void
test_merges_carry_bitmaps (DriverSuite *suite)
{
  static const char *const bitmaps[] = { "both", "upper", NULL };

  driver_suite_make_chain (suite);
  driver_suite_mark (suite, STM_STEP_BITMAP, "base", "both");
  driver_suite_mark (suite, STM_STEP_BITMAP, "middle", "both");
  driver_suite_mark (suite, STM_STEP_BITMAP, "middle", "upper");

  g_autoptr (StmPlan) plan = driver_suite_plan_commit (suite, bitmaps);
  for (guint i = 0; i < 2; i++)
    {
      driver_suite_merge (suite, plan);
      assert_bitmap (suite, "base", NULL, "both", TRUE);
      assert_bitmap (suite, "base", NULL, "upper", TRUE);
      driver_suite_assert_top_stands_on_base (suite);
    }
}

static void
test_streams_carry_bitmaps (DriverSuite *suite)
{
  static const char *const bitmaps[] = { "both", NULL };

  driver_suite_make_chain (suite);
  driver_suite_mark (suite, STM_STEP_BITMAP, "middle", "both");
  driver_suite_mark (suite, STM_STEP_BITMAP, "top", "both");

  g_autoptr (StmPlan) plan = driver_suite_plan_stream (suite, bitmaps);
  driver_suite_merge (suite, plan);
  assert_bitmap (suite, "top", "base", "both", TRUE);
  driver_suite_assert_top_stands_on_base (suite);
}

/* ---- removed in one go ---- */

/* a has a tag and a bitmap, b a bitmap, and all of them something that stays. */
static void
make_marked_images (DriverSuite *suite)
{
  driver_suite_make_image (suite, "a", "qcow2", NULL, NULL);
  driver_suite_make_image (suite, "b", "qcow2", NULL, NULL);
  driver_suite_write_block (suite, "a", 0, 1);
  driver_suite_mark (suite, STM_STEP_TAG, "a", "s1");
  driver_suite_mark (suite, STM_STEP_TAG, "a", "stays");
  driver_suite_mark (suite, STM_STEP_BITMAP, "a", "c1");
  driver_suite_mark (suite, STM_STEP_BITMAP, "b", "c1");
  driver_suite_mark (suite, STM_STEP_BITMAP, "b", "stays");
}

static void
assert_marks_are_gone (DriverSuite *suite)
{
  g_autoptr (StmSurvey) survey = driver_suite_look_at (suite, "a", "qcow2", NULL);
  const StmFacts *facts = driver_suite_facts_of (suite, survey, "a");

  g_assert_null (stm_facts_find_tag (facts, "s1"));
  g_assert_nonnull (stm_facts_find_tag (facts, "stays"));
  assert_bitmap (suite, "a", NULL, "c1", FALSE);
  assert_bitmap (suite, "b", NULL, "c1", FALSE);
  assert_bitmap (suite, "b", NULL, "stays", TRUE);
  driver_suite_assert_block (suite, "a", 0, 1);
}

static void
test_marks_of_many_images_go (DriverSuite *suite)
{
  g_autoptr (StmPlan) plan = driver_suite_plan_new ();

  make_marked_images (suite);
  driver_suite_add_mark (suite, plan, STM_STEP_UNTAG, "a", "qcow2", "s1", NULL);
  driver_suite_add_mark (suite, plan, STM_STEP_UNBITMAP, "a", "qcow2", "c1", NULL);
  driver_suite_add_mark (suite, plan, STM_STEP_UNBITMAP, "b", "qcow2", "c1", NULL);
  for (guint i = 0; i < 2; i++)
    {
      GError *failures[] = { NULL, NULL, NULL };

      driver_suite_remove_marks (suite, plan, failures);
      for (guint k = 0; k < G_N_ELEMENTS (failures); k++)
        g_assert_no_error (failures[k]);
      assert_marks_are_gone (suite);
    }
}

static void
test_an_image_that_fails_keeps_no_mark_of_another (DriverSuite *suite)
{
  static const char *const obstacles[] = { "missing", "raw" };

  make_marked_images (suite);
  driver_suite_make_image (suite, "raw", "raw", NULL, NULL);
  for (guint i = 0; i < G_N_ELEMENTS (obstacles); i++)
    {
      g_autoptr (StmPlan) plan = driver_suite_plan_new ();
      g_autofree char *path = driver_suite_path_of (suite, obstacles[i]);
      GError *failures[] = { NULL, NULL, NULL };

      driver_suite_add_mark (suite, plan, i == 0 ? STM_STEP_UNTAG : STM_STEP_UNBITMAP, "a", "qcow2",
                             i == 0 ? "s1" : "c1", NULL);
      driver_suite_add_mark (suite, plan, STM_STEP_UNTAG, obstacles[i], "qcow2", "s1", NULL);
      driver_suite_add_mark (suite, plan, STM_STEP_UNBITMAP, "b", "qcow2", "c1", NULL);
      driver_suite_remove_marks (suite, plan, failures);
      g_assert_no_error (failures[0]);
      g_assert_nonnull (failures[1]);
      g_assert_true (failures[1]->domain == STEMMA_ERROR);
      g_assert_nonnull (strstr (failures[1]->message, path));
      g_assert_no_error (failures[2]);
      g_clear_error (&failures[1]);
    }
  assert_marks_are_gone (suite);
}

static void
test_a_missing_file_took_its_bitmaps_along (DriverSuite *suite)
{
  driver_suite_remove_mark (suite, STM_STEP_UNBITMAP, "missing", "c1");
  driver_suite_assert_exists (suite, "missing", FALSE);
}

const DriverSuiteTest driver_suite_mark_tests[] = {
  { "overlay/carries-bitmaps", test_overlays_carry_bitmaps },
  { "commit/carries-bitmaps", test_merges_carry_bitmaps },
  { "stream/carries-bitmaps", test_streams_carry_bitmaps },
  { "tag/all-or-none", test_tags_are_made_all_or_none },
  { "tag/is-present-until-a-write", test_a_tag_is_present_until_something_is_written },
  { "tag/there-and-back", test_an_image_goes_to_its_tag_and_back },
  { "tag/none-with-bitmaps", test_an_image_with_bitmaps_goes_to_no_tag },
  { "tag/none-of-another-size", test_a_resized_image_goes_to_no_tag },
  { "tag/with-a-drivers-own-mark", test_a_mark_of_the_drivers_own_is_not_in_the_way },
  { "tag/goes", test_tags_go },
  { "mark/none-in-raw", test_raw_images_take_no_marks },
  { "mark/those-of-many-images-go", test_marks_of_many_images_go },
  { "mark/one-that-cannot-go-keeps-no-other", test_an_image_that_fails_keeps_no_mark_of_another },
  { "bitmap/all-or-none", test_bitmaps_are_made_all_or_none },
  { "bitmap/comes-and-goes", test_bitmaps_come_and_go },
  { "bitmap/is-taken-back", test_bitmaps_are_taken_back },
  { "bitmap/goes-with-its-file", test_a_missing_file_took_its_bitmaps_along },
  { NULL, NULL },
};
