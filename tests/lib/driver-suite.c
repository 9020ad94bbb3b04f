/* The tests that all drivers pass. Each works in a fresh directory on its own images.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "driver-suite.h"

#include "stemma-error.h"

#define CAPACITY (64 * SUITE_BLOCK)
#define PLAN_ID "00112233445566778899aabbccddeeff"
#define DOMAIN_ID "ffeeddccbbaa99887766554433221100"

typedef struct
{
  const DriverHarness *harness;
  gpointer world;
  StmDriver *driver;
  StmPathPolicy *policy;
  StmProgress *progress;
} Suite;

typedef struct
{
  const DriverHarness *harness;
  void (*test) (Suite *suite);
} Case;

/* ---- images ---- */

static char *
path_of (Suite *suite, const char *name)
{
  return name != NULL ? g_build_filename (suite->harness->get_directory (suite->world), name, NULL)
                      : NULL;
}

static void
make_image (Suite *suite, const char *name, const char *format, const char *backing,
            const char *backing_format)
{
  g_autofree char *path = path_of (suite, name);
  g_autofree char *below = path_of (suite, backing);

  suite->harness->make_image (suite->world, path, format, CAPACITY, below, backing_format);
}

static void
write_block (Suite *suite, const char *name, guint64 block, guint value)
{
  g_autofree char *path = path_of (suite, name);

  suite->harness->write (suite->world, path, block, value);
}

static void
assert_block (Suite *suite, const char *name, guint64 block, guint value)
{
  g_autofree char *path = path_of (suite, name);

  g_assert_cmpuint (suite->harness->read (suite->world, path, block), ==, value);
}

static void
assert_exists (Suite *suite, const char *name, gboolean exists)
{
  g_autofree char *path = path_of (suite, name);

  g_assert_cmpint (suite->harness->exists (suite->world, path), ==, exists);
}

static StmImage *
record (Suite *suite, const char *target, const char *name, const char *format, const char *backing)
{
  g_autofree char *path = path_of (suite, name);
  g_autofree char *below = path_of (suite, backing);

  return stm_image_new (&(StmImage){ .path = path,
                                     .target = target,
                                     .index = 1,
                                     .format = format,
                                     .backing = below,
                                     .origin = STM_IMAGE_MADE,
                                     .capacity = CAPACITY });
}

/* base <- middle <- top, with blocks 0 to 3 written in base, 1 to 3 in middle, 2 and 3 in top. */
static void
make_chain (Suite *suite)
{
  static const char *const names[] = { "base", "middle", "top" };

  for (guint i = 0; i < G_N_ELEMENTS (names); i++)
    {
      make_image (suite, names[i], "qcow2", i > 0 ? names[i - 1] : NULL, "qcow2");
      for (guint64 block = i; block < 4; block++)
        write_block (suite, names[i], block, 10 * (i + 1));
    }
}

static GPtrArray *
record_chain (Suite *suite, gboolean with_top)
{
  GPtrArray *chain = g_ptr_array_new_with_free_func ((GDestroyNotify) stm_image_unref);

  if (with_top)
    g_ptr_array_add (chain, record (suite, "vda", "top", "qcow2", "middle"));
  g_ptr_array_add (chain, record (suite, "vda", "middle", "qcow2", "base"));
  g_ptr_array_add (chain, record (suite, "vda", "base", "qcow2", NULL));

  return chain;
}

static StmSurvey *
look (Suite *suite, GPtrArray *images)
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

static StmSurvey *
look_at (Suite *suite, const char *name, const char *format, const char *backing)
{
  g_autoptr (GPtrArray) images = g_ptr_array_new_with_free_func ((GDestroyNotify) stm_image_unref);

  g_ptr_array_add (images, record (suite, "vda", name, format, backing));
  return look (suite, images);
}

static const StmFacts *
facts_of (Suite *suite, StmSurvey *survey, const char *name)
{
  g_autofree char *path = path_of (suite, name);
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

static StmPlan *
plan_new (void)
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

static void
add_mark (Suite *suite, StmPlan *plan, StmStepKind kind, const char *image_name, const char *format,
          const char *name, const char *fallback)
{
  const char *target = next_target (plan);
  g_autoptr (StmImage) image = record (suite, target, image_name, format, backing_of (image_name));

  stm_plan_add_step (
      plan,
      &(StmStep){
          .kind = kind, .target = target, .image = image, .name = name, .fallback = fallback });
}

static void
add_overlay (Suite *suite, StmPlan *plan, const char *name, const char *below, const char *format,
             const char *const *bitmaps)
{
  const char *target = next_target (plan);
  g_autoptr (StmImage) image = record (suite, target, name, "qcow2", below);
  g_autoptr (GPtrArray) chain = g_ptr_array_new_with_free_func ((GDestroyNotify) stm_image_unref);

  g_ptr_array_add (chain, record (suite, target, below, format, NULL));
  stm_plan_add_step (plan, &(StmStep){ .kind = STM_STEP_OVERLAY,
                                       .target = target,
                                       .image = image,
                                       .chain = chain,
                                       .bitmaps = (GStrv) bitmaps });
}

static gboolean
make_overlays (Suite *suite, const StmPlan *plan, GError **error)
{
  return stm_driver_make_overlays (suite->driver, plan, suite->policy, suite->progress, NULL,
                                   error);
}

static void
mark (Suite *suite, StmStepKind kind, const char *image, const char *name)
{
  g_autoptr (StmPlan) plan = plan_new ();
  g_autoptr (GError) error = NULL;
  gboolean is_made;

  add_mark (suite, plan, kind, image, "qcow2", name, NULL);
  is_made = kind == STM_STEP_TAG
                ? stm_driver_make_tags (suite->driver, plan, suite->policy, NULL, &error)
                : stm_driver_make_bitmaps (suite->driver, plan, suite->policy, NULL, &error);
  g_assert_no_error (error);
  g_assert_true (is_made);
}

static const StmStep *
first_step (const StmPlan *plan)
{
  return plan->steps->pdata[0];
}

static void
remove_mark (Suite *suite, StmStepKind kind, const char *image, const char *name)
{
  g_autoptr (StmPlan) plan = plan_new ();
  g_autoptr (GError) error = NULL;

  add_mark (suite, plan, kind, image, "qcow2", name, NULL);
  stm_driver_remove_mark (suite->driver, first_step (plan), suite->policy, &error);
  g_assert_no_error (error);
}

/* ---- chains and facts ---- */

static void
test_a_chain_is_walked (Suite *suite)
{
  g_autofree char *top = path_of (suite, "top");
  g_autofree char *base = path_of (suite, "base");
  const StmDeclaredImage declared[] = { { top, "qcow2" } };
  StmChainRequest request = {
    .target = "vda", .declared = declared, .n_declared = 1, .policy = suite->policy
  };
  g_autoptr (GError) error = NULL;

  make_chain (suite);
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
test_a_wrong_declaration_is_refused (Suite *suite)
{
  g_autofree char *top = path_of (suite, "top");
  g_autofree char *base = path_of (suite, "base");
  const StmDeclaredImage declared[] = { { top, "qcow2" }, { base, "qcow2" } };
  StmChainRequest request = {
    .target = "vda", .declared = declared, .n_declared = 2, .policy = suite->policy
  };
  g_autoptr (GError) error = NULL;

  make_chain (suite);
  g_assert_null (stm_driver_walk_chain (suite->driver, &request, NULL, &error));
  g_assert_error (error, STEMMA_ERROR, STEMMA_ERROR_CHAIN_BROKEN);
}

static void
test_facts_are_told (Suite *suite)
{
  g_autofree char *base = path_of (suite, "base");
  g_autofree char *top = path_of (suite, "top");

  make_chain (suite);
  g_autoptr (GPtrArray) chain = record_chain (suite, TRUE);
  g_autoptr (StmSurvey) survey = look (suite, chain);
  const StmFacts *middle = facts_of (suite, survey, "middle");

  g_assert_no_error (middle->problem);
  g_assert_cmpstr (middle->backing, ==, base);
  g_assert_cmpstr (middle->format, ==, "qcow2");
  g_assert_cmpuint (middle->capacity, ==, CAPACITY);
  g_assert_cmpuint (middle->data_bytes, ==, 3 * SUITE_BLOCK);
  g_assert_cmpuint (g_strv_length (middle->children), ==, 1);
  g_assert_cmpstr (middle->children[0], ==, top);
  g_assert_false (middle->is_written);
  g_assert_cmpuint (middle->tags->len + middle->bitmaps->len, ==, 0);
  g_assert_cmpuint (facts_of (suite, survey, "top")->data_bytes, ==, 2 * SUITE_BLOCK);
  g_assert_true (stm_survey_has_name (survey, top));
}

static void
test_a_missing_image_is_a_fact (Suite *suite)
{
  g_autoptr (StmSurvey) survey = look_at (suite, "nothing", "qcow2", NULL);

  g_assert_error (facts_of (suite, survey, "nothing")->problem, STEMMA_ERROR,
                  STEMMA_ERROR_NOT_FOUND);
}

/* ---- overlays ---- */

static void
test_overlays_show_what_they_cover (Suite *suite)
{
  g_autoptr (StmPlan) plan = plan_new ();
  g_autoptr (GError) error = NULL;

  make_image (suite, "a", "qcow2", NULL, NULL);
  make_image (suite, "b", "raw", NULL, NULL);
  write_block (suite, "a", 3, 7);
  write_block (suite, "b", 4, 8);
  add_overlay (suite, plan, "a1", "a", "qcow2", NULL);
  add_overlay (suite, plan, "b1", "b", "raw", NULL);
  make_overlays (suite, plan, &error);
  g_assert_no_error (error);
  assert_block (suite, "a1", 3, 7);
  assert_block (suite, "b1", 4, 8);
  assert_block (suite, "b1", 5, 0);

  g_autoptr (StmSurvey) survey = look_at (suite, "b1", "qcow2", "b");
  g_assert_cmpuint (facts_of (suite, survey, "b1")->data_bytes, ==, 0);
  g_assert_cmpstr (facts_of (suite, survey, "b1")->backing_format, ==, "raw");
}

static void
test_overlays_are_made_all_or_none (Suite *suite)
{
  g_autoptr (StmPlan) plan = plan_new ();
  g_autoptr (GError) error = NULL;

  make_image (suite, "a", "qcow2", NULL, NULL);
  make_image (suite, "b", "qcow2", NULL, NULL);
  make_image (suite, "taken", "qcow2", NULL, NULL);
  write_block (suite, "taken", 0, 9);
  add_overlay (suite, plan, "a1", "a", "qcow2", NULL);
  add_overlay (suite, plan, "taken", "b", "qcow2", NULL);
  g_assert_false (make_overlays (suite, plan, &error));
  g_assert_error (error, STEMMA_ERROR, STEMMA_ERROR_ALREADY_EXISTS);
  assert_exists (suite, "a1", FALSE);
  assert_block (suite, "taken", 0, 9);
}

static void
test_overlays_are_taken_back (Suite *suite)
{
  g_autoptr (StmPlan) plan = plan_new ();
  g_autoptr (GError) error = NULL;

  make_image (suite, "a", "qcow2", NULL, NULL);
  add_overlay (suite, plan, "a1", "a", "qcow2", NULL);
  g_assert_true (make_overlays (suite, plan, &error));
  for (guint i = 0; i < 2; i++)
    {
      stm_driver_abandon_overlays (suite->driver, plan, suite->policy, &error);
      g_assert_no_error (error);
      assert_exists (suite, "a1", FALSE);
      assert_exists (suite, "a", TRUE);
    }
}

/* ---- merges ---- */

static void
merge (Suite *suite, const StmPlan *plan)
{
  g_autoptr (GError) error = NULL;

  stm_driver_merge (suite->driver, first_step (plan), suite->policy, suite->progress, NULL, &error);
  g_assert_no_error (error);
}

/* middle goes down into base, and top stands on base. */
static StmPlan *
plan_commit (Suite *suite, const char *const *bitmaps)
{
  StmPlan *plan = plan_new ();
  g_autoptr (GPtrArray) chain = record_chain (suite, FALSE);
  g_autoptr (GPtrArray)
      children = g_ptr_array_new_with_free_func ((GDestroyNotify) stm_image_unref);

  g_ptr_array_add (children, record (suite, "vda", "top", "qcow2", "middle"));
  stm_plan_add_step (plan, &(StmStep){ .kind = STM_STEP_COMMIT,
                                       .target = "vda",
                                       .image = chain->pdata[0],
                                       .chain = chain,
                                       .children = children,
                                       .bitmaps = (GStrv) bitmaps });

  return plan;
}

/* top absorbs middle, and stands on base. */
static StmPlan *
plan_stream (Suite *suite, const char *const *bitmaps)
{
  StmPlan *plan = plan_new ();
  g_autoptr (GPtrArray) chain = record_chain (suite, TRUE);

  stm_plan_add_step (plan, &(StmStep){ .kind = STM_STEP_STREAM,
                                       .target = "vda",
                                       .image = chain->pdata[1],
                                       .chain = chain,
                                       .bitmaps = (GStrv) bitmaps });

  return plan;
}

static void
assert_top_stands_on_base (Suite *suite)
{
  g_autofree char *base = path_of (suite, "base");
  g_autoptr (StmSurvey) survey = look_at (suite, "top", "qcow2", "base");

  g_assert_cmpstr (facts_of (suite, survey, "top")->backing, ==, base);
  assert_block (suite, "top", 0, 10);
  assert_block (suite, "top", 1, 20);
  assert_block (suite, "top", 2, 30);
  assert_block (suite, "top", 4, 0);
}

static void
test_a_commit_moves_data_down (Suite *suite)
{
  make_chain (suite);
  g_autoptr (StmPlan) plan = plan_commit (suite, NULL);

  for (guint i = 0; i < 2; i++)
    {
      merge (suite, plan);
      assert_top_stands_on_base (suite);
      assert_block (suite, "base", 0, 10);
      assert_block (suite, "base", 3, 20);
    }
}

static void
test_a_stream_moves_data_up (Suite *suite)
{
  make_chain (suite);
  g_autoptr (StmPlan) plan = plan_stream (suite, NULL);

  for (guint i = 0; i < 2; i++)
    {
      merge (suite, plan);
      assert_top_stands_on_base (suite);
      assert_block (suite, "base", 1, 10);
    }
}

static void
remove_image (Suite *suite, const char *name, const char *backing, GError **error)
{
  g_autoptr (StmPlan) plan = plan_new ();
  g_autoptr (StmImage) image = record (suite, "vda", name, "qcow2", backing);

  stm_plan_add_step (plan, &(StmStep){ .kind = STM_STEP_UNLINK, .target = "vda", .image = image });
  stm_driver_remove_image (suite->driver, first_step (plan), suite->policy, error);
}

static void
test_only_a_proven_image_is_removed (Suite *suite)
{
  g_autoptr (GError) error = NULL;

  make_chain (suite);
  remove_image (suite, "top", "base", &error);
  g_assert_error (error, STEMMA_ERROR, STEMMA_ERROR_CHAIN_BROKEN);
  assert_exists (suite, "top", TRUE);
  g_clear_error (&error);
  for (guint i = 0; i < 2; i++)
    {
      remove_image (suite, "top", "middle", &error);
      g_assert_no_error (error);
      assert_exists (suite, "top", FALSE);
    }
}

/* ---- tags ---- */

static void
test_tags_are_made_all_or_none (Suite *suite)
{
  g_autoptr (StmPlan) plan = plan_new ();
  g_autoptr (GError) error = NULL;

  make_image (suite, "a", "qcow2", NULL, NULL);
  make_image (suite, "b", "qcow2", NULL, NULL);
  mark (suite, STM_STEP_TAG, "b", "s1");
  add_mark (suite, plan, STM_STEP_TAG, "a", "qcow2", "s1", NULL);
  add_mark (suite, plan, STM_STEP_TAG, "b", "qcow2", "s1", NULL);
  g_assert_false (stm_driver_make_tags (suite->driver, plan, suite->policy, NULL, &error));
  g_assert_nonnull (error);
  g_assert_true (error->domain == STEMMA_ERROR);

  g_autoptr (StmSurvey) first = look_at (suite, "a", "qcow2", NULL);
  g_autoptr (StmSurvey) second = look_at (suite, "b", "qcow2", NULL);
  g_assert_cmpuint (facts_of (suite, first, "a")->tags->len, ==, 0);
  g_assert_cmpuint (facts_of (suite, second, "b")->tags->len, ==, 1);
}

static gboolean
is_present (Suite *suite, const char *image, const char *name)
{
  g_autoptr (StmSurvey) survey = look_at (suite, image, "qcow2", NULL);
  const StmTagFacts *tag = stm_facts_find_tag (facts_of (suite, survey, image), name);

  g_assert_nonnull (tag);
  return tag->is_present;
}

static void
test_a_tag_is_present_until_something_is_written (Suite *suite)
{
  make_image (suite, "a", "qcow2", NULL, NULL);
  write_block (suite, "a", 0, 1);
  mark (suite, STM_STEP_TAG, "a", "s1");
  g_assert_true (is_present (suite, "a", "s1"));
  write_block (suite, "a", 1, 2);
  g_assert_false (is_present (suite, "a", "s1"));
}

static StmPlan *
plan_goto (Suite *suite, const char *image, const char *name)
{
  StmPlan *plan = plan_new ();

  add_mark (suite, plan, STM_STEP_TAG, image, "qcow2", "stemma-before", NULL);
  add_mark (suite, plan, STM_STEP_GOTO, image, "qcow2", name, "stemma-before");

  return plan;
}

static void
go_to (Suite *suite, const StmPlan *plan, GError **error)
{
  if (stm_driver_make_tags (suite->driver, plan, suite->policy, NULL, error))
    stm_driver_go_to_tag (suite->driver, plan->steps->pdata[1], suite->policy, NULL, error);
}

static void
test_an_image_goes_to_its_tag_and_back (Suite *suite)
{
  g_autoptr (GError) error = NULL;

  make_image (suite, "a", "qcow2", NULL, NULL);
  write_block (suite, "a", 0, 1);
  mark (suite, STM_STEP_TAG, "a", "s1");
  write_block (suite, "a", 0, 2);
  write_block (suite, "a", 1, 3);

  g_autoptr (StmPlan) plan = plan_goto (suite, "a", "s1");
  go_to (suite, plan, &error);
  g_assert_no_error (error);
  assert_block (suite, "a", 0, 1);
  assert_block (suite, "a", 1, 0);

  for (guint i = 0; i < 2; i++)
    {
      stm_driver_abandon_marks (suite->driver, plan, suite->policy, &error);
      g_assert_no_error (error);
      assert_block (suite, "a", 0, 2);
      assert_block (suite, "a", 1, 3);
    }

  g_autoptr (StmSurvey) survey = look_at (suite, "a", "qcow2", NULL);
  g_assert_cmpuint (facts_of (suite, survey, "a")->tags->len, ==, 1);
}

static void
test_an_image_with_bitmaps_goes_to_no_tag (Suite *suite)
{
  g_autoptr (GError) error = NULL;

  make_image (suite, "a", "qcow2", NULL, NULL);
  mark (suite, STM_STEP_TAG, "a", "s1");
  write_block (suite, "a", 0, 2);
  mark (suite, STM_STEP_BITMAP, "a", "c1");

  g_autoptr (StmPlan) plan = plan_goto (suite, "a", "s1");
  go_to (suite, plan, &error);
  g_assert_nonnull (error);
  g_assert_true (error->domain == STEMMA_ERROR);
  assert_block (suite, "a", 0, 2);
}

static void
test_tags_go (Suite *suite)
{
  make_image (suite, "a", "qcow2", NULL, NULL);
  write_block (suite, "a", 0, 5);
  mark (suite, STM_STEP_TAG, "a", "s1");
  mark (suite, STM_STEP_TAG, "a", "s2");
  for (guint i = 0; i < 2; i++)
    {
      remove_mark (suite, STM_STEP_UNTAG, "a", "s1");

      g_autoptr (StmSurvey) survey = look_at (suite, "a", "qcow2", NULL);
      g_assert_null (stm_facts_find_tag (facts_of (suite, survey, "a"), "s1"));
      g_assert_nonnull (stm_facts_find_tag (facts_of (suite, survey, "a"), "s2"));
    }
  assert_block (suite, "a", 0, 5);
}

static void
test_raw_images_take_no_marks (Suite *suite)
{
  g_autoptr (StmPlan) tags = plan_new ();
  g_autoptr (StmPlan) bitmaps = plan_new ();
  g_autoptr (GError) error = NULL;

  make_image (suite, "r", "raw", NULL, NULL);
  add_mark (suite, tags, STM_STEP_TAG, "r", "raw", "s1", NULL);
  add_mark (suite, bitmaps, STM_STEP_BITMAP, "r", "raw", "c1", NULL);
  g_assert_false (stm_driver_make_tags (suite->driver, tags, suite->policy, NULL, &error));
  g_assert_error (error, STEMMA_ERROR, STEMMA_ERROR_NOT_SUPPORTED);
  g_clear_error (&error);
  g_assert_false (stm_driver_make_bitmaps (suite->driver, bitmaps, suite->policy, NULL, &error));
  g_assert_error (error, STEMMA_ERROR, STEMMA_ERROR_NOT_SUPPORTED);
}

/* ---- bitmaps ---- */

static void
assert_bitmap (Suite *suite, const char *image, const char *backing, const char *name,
               gboolean is_there)
{
  g_autoptr (StmSurvey) survey = look_at (suite, image, "qcow2", backing);
  const StmBitmapFacts *bitmap = stm_facts_find_bitmap (facts_of (suite, survey, image), name);

  g_assert_cmpint (bitmap != NULL, ==, is_there);
  if (bitmap == NULL)
    return;
  g_assert_true (bitmap->is_recording);
  g_assert_false (bitmap->is_broken);
}

static void
test_bitmaps_are_made_all_or_none (Suite *suite)
{
  g_autoptr (StmPlan) plan = plan_new ();
  g_autoptr (GError) error = NULL;

  make_image (suite, "a", "qcow2", NULL, NULL);
  make_image (suite, "b", "qcow2", NULL, NULL);
  mark (suite, STM_STEP_BITMAP, "b", "c1");
  add_mark (suite, plan, STM_STEP_BITMAP, "a", "qcow2", "c1", NULL);
  add_mark (suite, plan, STM_STEP_BITMAP, "b", "qcow2", "c1", NULL);
  g_assert_false (stm_driver_make_bitmaps (suite->driver, plan, suite->policy, NULL, &error));
  g_assert_nonnull (error);
  g_assert_true (error->domain == STEMMA_ERROR);
  assert_bitmap (suite, "a", NULL, "c1", FALSE);
  assert_bitmap (suite, "b", NULL, "c1", TRUE);
}

static void
test_bitmaps_come_and_go (Suite *suite)
{
  make_image (suite, "a", "qcow2", NULL, NULL);
  write_block (suite, "a", 0, 1);
  mark (suite, STM_STEP_BITMAP, "a", "c1");
  mark (suite, STM_STEP_BITMAP, "a", "1234");
  assert_bitmap (suite, "a", NULL, "c1", TRUE);
  assert_bitmap (suite, "a", NULL, "1234", TRUE);
  for (guint i = 0; i < 2; i++)
    {
      remove_mark (suite, STM_STEP_UNBITMAP, "a", "c1");
      assert_bitmap (suite, "a", NULL, "c1", FALSE);
      assert_bitmap (suite, "a", NULL, "1234", TRUE);
    }
  assert_block (suite, "a", 0, 1);
}

static void
test_bitmaps_are_taken_back (Suite *suite)
{
  g_autoptr (StmPlan) plan = plan_new ();
  g_autoptr (GError) error = NULL;

  make_image (suite, "a", "qcow2", NULL, NULL);
  mark (suite, STM_STEP_BITMAP, "a", "old");
  add_mark (suite, plan, STM_STEP_BITMAP, "a", "qcow2", "new", NULL);
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
test_overlays_carry_bitmaps (Suite *suite)
{
  static const char *const bitmaps[] = { "c1", "new", NULL };
  g_autoptr (StmPlan) plan = plan_new ();
  g_autoptr (GError) error = NULL;

  make_image (suite, "a", "qcow2", NULL, NULL);
  mark (suite, STM_STEP_BITMAP, "a", "c1");
  add_overlay (suite, plan, "a1", "a", "qcow2", bitmaps);
  make_overlays (suite, plan, &error);
  g_assert_no_error (error);
  assert_bitmap (suite, "a1", "a", "c1", TRUE);
  assert_bitmap (suite, "a1", "a", "new", TRUE);
  assert_bitmap (suite, "a", NULL, "c1", TRUE);
  assert_bitmap (suite, "a", NULL, "new", FALSE);
}

static void
test_merges_carry_bitmaps (Suite *suite)
{
  static const char *const bitmaps[] = { "both", "upper", NULL };

  make_chain (suite);
  mark (suite, STM_STEP_BITMAP, "base", "both");
  mark (suite, STM_STEP_BITMAP, "middle", "both");
  mark (suite, STM_STEP_BITMAP, "middle", "upper");

  g_autoptr (StmPlan) plan = plan_commit (suite, bitmaps);
  for (guint i = 0; i < 2; i++)
    {
      merge (suite, plan);
      assert_bitmap (suite, "base", NULL, "both", TRUE);
      assert_bitmap (suite, "base", NULL, "upper", TRUE);
      assert_top_stands_on_base (suite);
    }
}

static void
test_streams_carry_bitmaps (Suite *suite)
{
  static const char *const bitmaps[] = { "both", NULL };

  make_chain (suite);
  mark (suite, STM_STEP_BITMAP, "middle", "both");
  mark (suite, STM_STEP_BITMAP, "top", "both");

  g_autoptr (StmPlan) plan = plan_stream (suite, bitmaps);
  merge (suite, plan);
  assert_bitmap (suite, "top", "base", "both", TRUE);
  assert_top_stands_on_base (suite);
}

/* ---- the list ---- */

static const struct
{
  const char *name;
  void (*test) (Suite *suite);
} tests[] = {
  { "chain/is-walked", test_a_chain_is_walked },
  { "chain/a-wrong-declaration-is-refused", test_a_wrong_declaration_is_refused },
  { "facts/are-told", test_facts_are_told },
  { "facts/a-missing-image-is-one", test_a_missing_image_is_a_fact },
  { "overlay/shows-what-it-covers", test_overlays_show_what_they_cover },
  { "overlay/all-or-none", test_overlays_are_made_all_or_none },
  { "overlay/is-taken-back", test_overlays_are_taken_back },
  { "overlay/carries-bitmaps", test_overlays_carry_bitmaps },
  { "commit/moves-data-down", test_a_commit_moves_data_down },
  { "commit/carries-bitmaps", test_merges_carry_bitmaps },
  { "stream/moves-data-up", test_a_stream_moves_data_up },
  { "stream/carries-bitmaps", test_streams_carry_bitmaps },
  { "removal/needs-proof", test_only_a_proven_image_is_removed },
  { "tag/all-or-none", test_tags_are_made_all_or_none },
  { "tag/is-present-until-a-write", test_a_tag_is_present_until_something_is_written },
  { "tag/there-and-back", test_an_image_goes_to_its_tag_and_back },
  { "tag/none-with-bitmaps", test_an_image_with_bitmaps_goes_to_no_tag },
  { "tag/goes", test_tags_go },
  { "mark/none-in-raw", test_raw_images_take_no_marks },
  { "bitmap/all-or-none", test_bitmaps_are_made_all_or_none },
  { "bitmap/comes-and-goes", test_bitmaps_come_and_go },
  { "bitmap/is-taken-back", test_bitmaps_are_taken_back },
};

static void
run_case (gconstpointer data)
{
  const Case *self = data;
  Suite suite = { .harness = self->harness };
  static const char *const none[] = { NULL };

  suite.world = self->harness->set_up ();
  if (suite.world == NULL)
    return;

  const char *const roots[] = { self->harness->get_directory (suite.world), NULL };
  suite.driver = self->harness->get_driver (suite.world);
  suite.policy = stm_path_policy_new (roots, none);
  suite.progress = stm_progress_new ();
  self->test (&suite);
  stm_progress_unref (suite.progress);
  stm_path_policy_unref (suite.policy);
  self->harness->tear_down (suite.world);
}

void
driver_suite_add (const char *name, const DriverHarness *harness)
{
  for (guint i = 0; i < G_N_ELEMENTS (tests); i++)
    {
      Case *added = g_new (Case, 1);
      g_autofree char *path = g_strdup_printf ("/%s/%s", name, tests[i].name);

      *added = (Case){ harness, tests[i].test };
      g_test_add_data_func_full (path, added, run_case, g_free);
    }
}
