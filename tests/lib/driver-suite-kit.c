/* Images and plans for the tests that all drivers pass.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "driver-suite-private.h"

#include "stemma-error.h"

/* ---- images ---- */

char *
driver_suite_path_of (DriverSuite *suite, const char *name)
{
  return name != NULL ? g_build_filename (suite->harness->get_directory (suite->world), name, NULL)
                      : NULL;
}

void
driver_suite_make_image (DriverSuite *suite, const char *name, const char *format,
                         const char *backing, const char *backing_format)
{
  g_autofree char *path = driver_suite_path_of (suite, name);
  g_autofree char *below = driver_suite_path_of (suite, backing);

  suite->harness->make_image (suite->world, path, format, CAPACITY, below, backing_format);
}

void
driver_suite_write_block (DriverSuite *suite, const char *name, guint64 block, guint value)
{
  g_autofree char *path = driver_suite_path_of (suite, name);

  suite->harness->write (suite->world, path, block, value);
}

void
driver_suite_assert_block (DriverSuite *suite, const char *name, guint64 block, guint value)
{
  g_autofree char *path = driver_suite_path_of (suite, name);

  g_assert_cmpuint (suite->harness->read (suite->world, path, block), ==, value);
}

void
driver_suite_assert_exists (DriverSuite *suite, const char *name, gboolean exists)
{
  g_autofree char *path = driver_suite_path_of (suite, name);

  g_assert_cmpint (suite->harness->exists (suite->world, path), ==, exists);
}

StmImage *
driver_suite_record (DriverSuite *suite, const char *target, const char *name, const char *format,
                     const char *backing)
{
  g_autofree char *path = driver_suite_path_of (suite, name);
  g_autofree char *below = driver_suite_path_of (suite, backing);

  return stm_image_new (&(StmImage){ .path = path,
                                     .target = target,
                                     .index = 1,
                                     .format = format,
                                     .backing = below,
                                     .origin = STM_IMAGE_MADE,
                                     .capacity = CAPACITY });
}

/* base <- middle <- top, with blocks 0 to 3 written in base, 1 to 3 in middle, 2 and 3 in top. */
void
driver_suite_make_chain (DriverSuite *suite)
{
  static const char *const names[] = { "base", "middle", "top" };

  for (guint i = 0; i < G_N_ELEMENTS (names); i++)
    {
      driver_suite_make_image (suite, names[i], "qcow2", i > 0 ? names[i - 1] : NULL, "qcow2");
      for (guint64 block = i; block < 4; block++)
        driver_suite_write_block (suite, names[i], block, 10 * (i + 1));
    }
}

GPtrArray *
driver_suite_record_chain (DriverSuite *suite, gboolean with_top)
{
  GPtrArray *chain = g_ptr_array_new_with_free_func ((GDestroyNotify) stm_image_unref);

  if (with_top)
    g_ptr_array_add (chain, driver_suite_record (suite, "vda", "top", "qcow2", "middle"));
  g_ptr_array_add (chain, driver_suite_record (suite, "vda", "middle", "qcow2", "base"));
  g_ptr_array_add (chain, driver_suite_record (suite, "vda", "base", "qcow2", NULL));

  return chain;
}

StmSurvey *
driver_suite_look (DriverSuite *suite, GPtrArray *images)
{
  g_autoptr (GError) error = NULL;
  StmSurveyRequest request = { .images = (const StmImage *const *) images->pdata,
                               .n_images = images->len,
                               .scans_directories = TRUE,
                               .policy = suite->policy };
  StmSurvey *survey = stm_driver_survey (suite->driver, &request, NULL, &error);

  g_assert_no_error (error);
  return survey;
}

StmSurvey *
driver_suite_look_at (DriverSuite *suite, const char *name, const char *format, const char *backing)
{
  g_autoptr (GPtrArray) images = g_ptr_array_new_with_free_func ((GDestroyNotify) stm_image_unref);

  g_ptr_array_add (images, driver_suite_record (suite, "vda", name, format, backing));
  return driver_suite_look (suite, images);
}

const StmFacts *
driver_suite_facts_of (DriverSuite *suite, StmSurvey *survey, const char *name)
{
  g_autofree char *path = driver_suite_path_of (suite, name);
  const StmFacts *facts = stm_survey_get (survey, path);

  g_assert_nonnull (facts);
  return facts;
}

/* ---- plans ---- */

/* Each step is about a disk of its own. */
static const char *
next_target (const StmPlan *plan)
{
  static const char *const targets[] = { "vda", "vdb", "vdc" };

  return targets[plan->steps->len];
}

StmPlan *
driver_suite_plan_new (void)
{
  return stm_plan_new (STM_OPERATION_CREATE, PLAN_ID, DOMAIN_ID);
}

/* In the chain that make_chain() makes. */
static const char *
backing_of (const char *name)
{
  if (g_str_equal (name, "top"))
    return "middle";

  return g_str_equal (name, "middle") ? "base" : NULL;
}

void
driver_suite_add_mark (DriverSuite *suite, StmPlan *plan, StmStepKind kind, const char *image_name,
                       const char *format, const char *name, const char *fallback)
{
  const char *target = next_target (plan);
  g_autoptr (StmImage)
      image = driver_suite_record (suite, target, image_name, format, backing_of (image_name));

  stm_plan_add_step (
      plan,
      &(StmStep){
          .kind = kind, .target = target, .image = image, .name = name, .fallback = fallback });
}

void
driver_suite_add_overlay (DriverSuite *suite, StmPlan *plan, const char *name, const char *below,
                          const char *format, const char *const *bitmaps)
{
  const char *target = next_target (plan);
  g_autoptr (StmImage) image = driver_suite_record (suite, target, name, "qcow2", below);
  g_autoptr (GPtrArray) chain = g_ptr_array_new_with_free_func ((GDestroyNotify) stm_image_unref);

  g_ptr_array_add (chain, driver_suite_record (suite, target, below, format, NULL));
  stm_plan_add_step (plan, &(StmStep){ .kind = STM_STEP_OVERLAY,
                                       .target = target,
                                       .image = image,
                                       .chain = chain,
                                       .bitmaps = (GStrv) bitmaps });
}

gboolean
driver_suite_make_overlays (DriverSuite *suite, const StmPlan *plan, GError **error)
{
  return stm_driver_make_overlays (suite->driver, plan, suite->policy, suite->progress, NULL,
                                   error);
}

void
driver_suite_mark (DriverSuite *suite, StmStepKind kind, const char *image, const char *name)
{
  g_autoptr (StmPlan) plan = driver_suite_plan_new ();
  g_autoptr (GError) error = NULL;
  gboolean is_made;

  driver_suite_add_mark (suite, plan, kind, image, "qcow2", name, NULL);
  is_made = kind == STM_STEP_TAG
                ? stm_driver_make_tags (suite->driver, plan, suite->policy, NULL, &error)
                : stm_driver_make_bitmaps (suite->driver, plan, suite->policy, NULL, &error);
  g_assert_no_error (error);
  g_assert_true (is_made);
}

const StmStep *
driver_suite_first_step (const StmPlan *plan)
{
  return plan->steps->pdata[0];
}

/* One failure for each step, to be freed; all that succeeded are NULL. */
void
driver_suite_remove_marks (DriverSuite *suite, const StmPlan *plan, GError **failures)
{
  gboolean is_done = stm_driver_remove_marks (suite->driver,
                                              (const StmStep *const *) plan->steps->pdata,
                                              plan->steps->len, suite->policy, failures);
  guint n_failed = 0;

  for (guint i = 0; i < plan->steps->len; i++)
    n_failed += failures[i] != NULL ? 1 : 0;
  g_assert_cmpint (n_failed == 0, ==, is_done);
}

void
driver_suite_remove_mark (DriverSuite *suite, StmStepKind kind, const char *image, const char *name)
{
  g_autoptr (StmPlan) plan = driver_suite_plan_new ();
  GError *failures[] = { NULL };

  driver_suite_add_mark (suite, plan, kind, image, "qcow2", name, NULL);
  driver_suite_remove_marks (suite, plan, failures);
  g_assert_no_error (failures[0]);
}

/* ---- merges ---- */

void
driver_suite_merge (DriverSuite *suite, const StmPlan *plan)
{
  g_autoptr (GError) error = NULL;

  stm_driver_merge (suite->driver, driver_suite_first_step (plan), suite->policy, suite->progress,
                    NULL, &error);
  g_assert_no_error (error);
}

/* middle goes down into base, and top stands on base. */
StmPlan *
driver_suite_plan_commit (DriverSuite *suite, const char *const *bitmaps)
{
  StmPlan *plan = driver_suite_plan_new ();
  g_autoptr (GPtrArray) chain = driver_suite_record_chain (suite, FALSE);
  g_autoptr (GPtrArray)
      children = g_ptr_array_new_with_free_func ((GDestroyNotify) stm_image_unref);

  g_ptr_array_add (children, driver_suite_record (suite, "vda", "top", "qcow2", "middle"));
  stm_plan_add_step (plan, &(StmStep){ .kind = STM_STEP_COMMIT,
                                       .target = "vda",
                                       .image = chain->pdata[0],
                                       .chain = chain,
                                       .children = children,
                                       .bitmaps = (GStrv) bitmaps });

  return plan;
}

/* top absorbs middle, and stands on base. */
StmPlan *
driver_suite_plan_stream (DriverSuite *suite, const char *const *bitmaps)
{
  StmPlan *plan = driver_suite_plan_new ();
  g_autoptr (GPtrArray) chain = driver_suite_record_chain (suite, TRUE);

  stm_plan_add_step (plan, &(StmStep){ .kind = STM_STEP_STREAM,
                                       .target = "vda",
                                       .image = chain->pdata[1],
                                       .chain = chain,
                                       .bitmaps = (GStrv) bitmaps });

  return plan;
}

void
driver_suite_assert_top_stands_on_base (DriverSuite *suite)
{
  g_autofree char *base = driver_suite_path_of (suite, "base");
  g_autoptr (StmSurvey) survey = driver_suite_look_at (suite, "top", "qcow2", "base");

  g_assert_cmpstr (driver_suite_facts_of (suite, survey, "top")->backing, ==, base);
  driver_suite_assert_block (suite, "top", 0, 10);
  driver_suite_assert_block (suite, "top", 1, 20);
  driver_suite_assert_block (suite, "top", 2, 30);
  driver_suite_assert_block (suite, "top", 4, 0);
}
