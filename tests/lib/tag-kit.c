/* Makes images with internal snapshots, and asserts what they hold.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "tag-kit.h"

#include "qcow2-reader.h"
#include "stemma-error.h"

#include <string.h>

StmPlan *
tag_plan_new (void)
{
  return stm_plan_new (STM_OPERATION_REVERT, TEST_PLAN_ID, "domain");
}

void
tag_plan_add (StmPlan *plan, StmStepKind kind, StmImage *image, const char *name,
              const char *fallback)
{
  stm_plan_add_step (plan, &(StmStep){ .kind = kind,
                                       .target = image->target,
                                       .image = image,
                                       .name = name,
                                       .fallback = fallback });
}

const StmStep *
tag_plan_get (const StmPlan *plan, guint place)
{
  return g_ptr_array_index (plan->steps, place);
}

/* An image over a base, with 1s in its first megabyte, and its record. */
StmImage *
tag_image_new (ImageFixture *self, const char *name)
{
  g_autofree char *path = image_fixture_path (self, name);
  g_autofree char *base = image_fixture_path (self, "base");

  if (!g_file_test (base, G_FILE_TEST_EXISTS))
    {
      test_image_create (base, "raw", CAPACITY, NULL, NULL);
      test_image_write (base, "raw", 9, 0, CAPACITY);
    }
  test_image_create (path, "qcow2", 0, base, "raw");
  test_image_write (path, "qcow2", 1, 0, MIB);

  return image_fixture_record (self, name, "qcow2", "base", CAPACITY);
}

void
tag_image_write (const StmImage *image, guint pattern, guint64 place)
{
  test_image_write (image->path, "qcow2", pattern, place * MIB, MIB);
}

/* The first bytes of the first megabytes, as digits. */
void
tag_image_assert_content (const StmImage *image, const char *expected)
{
  g_autoptr (GBytes) bytes = test_read_image (image->path, CAPACITY);
  const guint8 *content = g_bytes_get_data (bytes, NULL);

  for (gsize i = 0; expected[i] != '\0'; i++)
    for (gsize k = 0; k < MIB; k++)
      if (content[i * MIB + k] != expected[i] - '0')
        g_error ("%s: byte %" G_GSIZE_FORMAT " is %u and not %c", image->path, i * MIB + k,
                 content[i * MIB + k], expected[i]);
}

StmSurvey *
tag_image_survey (ImageFixture *self, const StmImage *image)
{
  const StmSurveyRequest request = { .images = &image, .n_images = 1, .policy = self->policy };
  g_autoptr (GError) error = NULL;
  StmSurvey *survey = stm_driver_survey (self->driver, &request, NULL, &error);

  g_assert_no_error (error);
  g_assert_no_error (stm_survey_get (survey, image->path)->problem);

  return survey;
}

/* Names in the order of the file, each with a '*' when its content is proven to be there. */
void
tag_image_assert_tags (ImageFixture *self, const StmImage *image, const char *expected)
{
  g_autoptr (StmSurvey) survey = tag_image_survey (self, image);
  const StmFacts *facts = stm_survey_get (survey, image->path);
  g_autoptr (GString) names = g_string_new (NULL);

  for (guint i = 0; i < facts->tags->len; i++)
    {
      const StmTagFacts *tag = g_ptr_array_index (facts->tags, i);

      g_string_append_printf (names, "%s%s%s", i > 0 ? " " : "", tag->name,
                              tag->is_present ? "*" : "");
    }
  g_assert_cmpstr (names->str, ==, expected);
}

void
tag_plan_assert_made (ImageFixture *self, const StmPlan *plan)
{
  g_autoptr (GError) error = NULL;

  stm_driver_make_tags (self->driver, plan, self->policy, NULL, &error);
  g_assert_no_error (error);
  image_fixture_assert_no_endpoints (self);
}

void
tag_image_make_tag (ImageFixture *self, StmImage *image, const char *name)
{
  g_autoptr (StmPlan) plan = tag_plan_new ();

  tag_plan_add (plan, STM_STEP_TAG, image, name, NULL);
  tag_plan_assert_made (self, plan);
}

void
tag_step_assert_went (ImageFixture *self, const StmStep *step)
{
  g_autoptr (GError) error = NULL;

  stm_driver_go_to_tag (self->driver, step, self->policy, NULL, &error);
  g_assert_no_error (error);
  image_fixture_assert_no_endpoints (self);
}

void
tag_plan_assert_abandoned (ImageFixture *self, const StmPlan *plan)
{
  g_autoptr (GError) error = NULL;

  stm_driver_abandon_marks (self->driver, plan, self->policy, &error);
  g_assert_no_error (error);
  image_fixture_assert_no_endpoints (self);
}

void
tag_plan_assert_refused (ImageFixture *self, const StmPlan *plan, StemmaError code,
                         const char *words)
{
  g_autoptr (GError) error = NULL;

  g_assert_false (stm_driver_make_tags (self->driver, plan, self->policy, NULL, &error));
  g_assert_error (error, STEMMA_ERROR, (int) code);
  g_assert_nonnull (strstr (error->message, words));
  image_fixture_assert_no_endpoints (self);
}
