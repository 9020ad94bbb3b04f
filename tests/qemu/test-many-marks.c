/* Tags and bitmaps of many images, removed in one go: by how many endpoints, counted, and what is
 * left of them when one image is held or an endpoint is killed.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "endpoint-race.h"
#include "stemma-error.h"
#include "stm-endpoint-series.h"
#include "stm-qemu-driver.h"

#include <glib/gstdio.h>
#include <string.h>

#define CAPACITY (1024 * 1024)
#define FEW 2
#define MANY 24
#define ROUNDS 12

/* Images "0", "1" … with the internal snapshot "tag" and the bitmaps "bitmap" and "stays". */
typedef struct
{
  ImageFixture images;
  char *log; /* one byte for each endpoint that was started */
  StmPlan *plan;
  GPtrArray *failures; /* GError or NULL, for each step of the last removal */
} Many;

/* QEMU behind a script that leaves a byte. As ourselves: others have no way to the script. */
static void
count_starts (Many *self)
{
  g_autofree char *program = g_find_program_in_path (STM_QEMU_DEFAULT_BINARY);
  g_autofree char *script = g_build_filename (self->images.run_directory, "qemu", NULL);
  g_autofree char *text = NULL;

  if (program == NULL)
    return;
  text = g_strdup_printf ("#!/bin/sh\nprintf . >> '%s'\nexec '%s' \"$@\"\n", self->log, program);
  g_assert_true (g_file_set_contents (script, text, -1, NULL));
  g_assert_cmpint (g_chmod (script, 0700), ==, 0);
  g_clear_object (&self->images.driver);
  self->images.driver = STM_DRIVER (stm_qemu_driver_new (script, NULL, self->images.run_directory));
}

static void
free_failure (gpointer data)
{
  GError *failure = data;

  g_clear_error (&failure);
}

static void
set_up (Many *self, gconstpointer unused)
{
  image_fixture_set_up (&self->images, NULL);
  self->log = g_build_filename (self->images.run_directory, "starts", NULL);
  self->plan = stm_plan_new (STM_OPERATION_CREATE, TEST_PLAN_ID, TEST_PLAN_ID);
  self->failures = g_ptr_array_new_with_free_func (free_failure);
  count_starts (self);
}

static void
tear_down (Many *self, gconstpointer unused)
{
  image_fixture_assert_no_endpoints (&self->images);
  g_ptr_array_unref (self->failures);
  stm_plan_unref (self->plan);
  g_free (self->log);
  image_fixture_tear_down (&self->images, NULL);
}

static gsize
n_starts (Many *self)
{
  g_autofree char *bytes = NULL;
  gsize length = 0;

  if (g_file_test (self->log, G_FILE_TEST_EXISTS))
    g_assert_true (g_file_get_contents (self->log, &bytes, &length, NULL));
  return length;
}

static void
make_images (Many *self, guint n_images)
{
  g_autofree char *first = image_fixture_path (&self->images, "0");
  g_autofree char *bytes = NULL;
  gsize length = 0;

  test_image_create (first, "qcow2", CAPACITY, NULL, NULL);
  test_image_write (first, "qcow2", 7, 0, 65536);
  g_free (test_run ("qemu-img", "snapshot", "-c", "tag", first, NULL));
  g_free (test_run ("qemu-img", "bitmap", "--add", "-f", "qcow2", first, "bitmap", NULL));
  g_free (test_run ("qemu-img", "bitmap", "--add", "-f", "qcow2", first, "stays", NULL));
  g_assert_true (g_file_get_contents (first, &bytes, &length, NULL));
  for (guint i = 1; i < n_images; i++)
    {
      g_autofree char *name = g_strdup_printf ("%u", i);
      g_autofree char *path = image_fixture_path (&self->images, name);

      g_assert_true (g_file_set_contents (path, bytes, (gssize) length, NULL));
    }
}

static StmImage *
record (Many *self, guint number)
{
  g_autofree char *name = g_strdup_printf ("%u", number);

  return image_fixture_record (&self->images, name, "qcow2", NULL, CAPACITY);
}

static void
add_step (Many *self, StmStepKind kind, guint number, const char *name)
{
  g_autoptr (StmImage) image = record (self, number);

  stm_plan_add_step (self->plan,
                     &(StmStep){ .kind = kind, .target = "vda", .image = image, .name = name });
}

static void
plan_removal (Many *self, guint n_images)
{
  for (guint i = 0; i < n_images; i++)
    {
      add_step (self, STM_STEP_UNTAG, i, "tag");
      add_step (self, STM_STEP_UNBITMAP, i, "bitmap");
    }
}

static gboolean
remove_marks (gpointer data, GError **error)
{
  Many *self = data;
  GError *first = NULL;
  gboolean is_done;

  g_ptr_array_set_size (self->failures, 0);
  g_ptr_array_set_size (self->failures, (gint) self->plan->steps->len);
  is_done = stm_driver_remove_marks (
      self->images.driver, (const StmStep *const *) self->plan->steps->pdata,
      self->plan->steps->len, self->images.policy, (GError **) self->failures->pdata);
  for (guint i = 0; i < self->failures->len && first == NULL; i++)
    first = self->failures->pdata[i];
  g_assert_cmpint (is_done, ==, first == NULL);
  if (first != NULL)
    g_propagate_error (error, g_error_copy (first));
  return is_done;
}

static void
assert_removed (Many *self)
{
  g_autoptr (GError) error = NULL;

  remove_marks (self, &error);
  g_assert_no_error (error);
}

/* What an image has, as the survey says it: "tag bitmap stays". */
static char *
look (Many *self, guint number)
{
  g_autoptr (StmImage) image = record (self, number);
  const StmImage *const images[] = { image };
  const StmSurveyRequest request = { .images = images,
                                     .n_images = 1,
                                     .policy = self->images.policy };
  g_autoptr (GError) error = NULL;
  g_autoptr (StmSurvey) survey = stm_driver_survey (self->images.driver, &request, NULL, &error);
  GString *text = g_string_new (NULL);

  g_assert_no_error (error);

  const StmFacts *facts = stm_survey_get (survey, image->path);

  g_assert_no_error (facts->problem);
  for (guint i = 0; i < facts->tags->len; i++)
    g_string_append_printf (text, "%s ", ((StmTagFacts *) facts->tags->pdata[i])->name);
  for (guint i = 0; i < facts->bitmaps->len; i++)
    {
      const StmBitmapFacts *bitmap = facts->bitmaps->pdata[i];

      g_string_append_printf (text, "%s%s ", bitmap->is_broken ? "broken-" : "", bitmap->name);
    }
  return g_string_free (text, FALSE);
}

static void
assert_has (Many *self, guint number, const char *expected)
{
  g_autofree char *found = look (self, number);

  g_assert_cmpstr (found, ==, expected);
}

/* --- how many are started --------------------------------------------------------------------- */

static void
test_starts_do_not_grow_with_the_images (Many *self, gconstpointer data)
{
  guint n_images = GPOINTER_TO_UINT (data);

  if (!test_images_have_tools ())
    return;
  make_images (self, n_images);
  plan_removal (self, n_images);
  assert_removed (self);
  g_assert_cmpuint (n_starts (self), ==, 1);
  for (guint i = 0; i < n_images; i++)
    assert_has (self, i, "stays ");
}

static void
test_one_endpoint_is_given_no_more_than_the_limit (Many *self, gconstpointer unused)
{
  guint n_images = STM_ENDPOINT_SERIES_MAX_IMAGES + 1;

  if (!test_images_have_tools ())
    return;
  make_images (self, n_images);
  for (guint i = 0; i < n_images; i++)
    add_step (self, STM_STEP_UNBITMAP, i, "bitmap");
  assert_removed (self);
  g_assert_cmpuint (n_starts (self), ==, 2);
  for (guint i = 0; i < n_images; i++)
    assert_has (self, i, "tag stays ");
}

/* What was begun in many images is taken back as it is removed. */
static void
test_taking_back_starts_one (Many *self, gconstpointer unused)
{
  g_autoptr (GError) error = NULL;

  if (!test_images_have_tools ())
    return;
  make_images (self, MANY);
  for (guint i = 0; i < MANY; i++)
    {
      add_step (self, STM_STEP_TAG, i, "tag");
      add_step (self, STM_STEP_BITMAP, i, "bitmap");
    }
  stm_driver_abandon_marks (self->images.driver, self->plan, self->images.policy, &error);
  g_assert_no_error (error);
  g_assert_cmpuint (n_starts (self), ==, 1);
  for (guint i = 0; i < MANY; i++)
    assert_has (self, i, "stays ");
}

/* --- what does not go ------------------------------------------------------------------------- */

static void
test_a_held_image_keeps_no_other_and_takes_no_endpoint (Many *self, gconstpointer unused)
{
  g_autofree char *path = image_fixture_path (&self->images, "1");

  if (!test_images_have_tools ())
    return;
  make_images (self, MANY);
  for (guint i = 0; i < MANY; i++)
    add_step (self, STM_STEP_UNBITMAP, i, "bitmap");

  GSubprocess *holder = test_image_hold (path, "qcow2", TRUE);

  g_assert_false (remove_marks (self, NULL));
  test_image_let_go (holder);
  g_assert_cmpuint (n_starts (self), ==, 1);
  for (guint i = 0; i < MANY; i++)
    {
      const GError *failure = self->failures->pdata[i];

      assert_has (self, i, i == 1 ? "tag bitmap stays " : "tag stays ");
      if (i != 1)
        g_assert_no_error (failure);
    }
  g_assert_error ((GError *) self->failures->pdata[1], STEMMA_ERROR, STEMMA_ERROR_IN_USE);
  g_assert_nonnull (strstr (((GError *) self->failures->pdata[1])->message, path));
}

/* One is at work on one image at a time: of that the other bitmap is lost at the most. */
static guint
count_shaken (Many *self)
{
  guint n_shaken = 0;

  for (guint i = 0; i < MANY; i++)
    {
      g_autofree char *found = look (self, i);

      n_shaken += g_str_has_suffix (found, "stays ") && strstr (found, "broken-") == NULL ? 0 : 1;
    }
  return n_shaken;
}

static guint
count_failures (Many *self)
{
  guint n_failures = 0;

  for (guint i = 0; i < self->failures->len; i++)
    n_failures += self->failures->pdata[i] != NULL ? 1 : 0;
  return n_failures;
}

/* Killed at some moment; whether it was while it was at work. */
static gboolean
run_round (guint after_ms)
{
  Many self;
  gboolean is_done;
  guint n_shaken;

  memset (&self, 0, sizeof self);
  set_up (&self, NULL);
  make_images (&self, MANY);
  plan_removal (&self, MANY);
  is_done = endpoint_race_run (&self.images, remove_marks, &self, after_ms);
  g_assert_cmpuint (count_failures (&self), ==, is_done ? 0 : 1);
  n_shaken = count_shaken (&self);
  g_assert_cmpuint (n_shaken, <=, is_done ? 0 : 1);
  assert_removed (&self);
  for (guint i = 0; i < MANY; i++)
    {
      g_autofree char *found = look (&self, i);

      g_assert_null (strstr (found, "tag"));
      g_assert_null (strstr (found, "bitmap"));
    }
  g_assert_cmpuint (count_shaken (&self), ==, n_shaken);
  tear_down (&self, NULL);

  return !is_done;
}

static guint
measure (void)
{
  Many self;
  guint duration_ms;

  memset (&self, 0, sizeof self);
  set_up (&self, NULL);
  make_images (&self, MANY);
  plan_removal (&self, MANY);
  duration_ms = endpoint_race_measure (&self.images, remove_marks, &self);
  tear_down (&self, NULL);

  return duration_ms;
}

static void
test_a_killed_endpoint_fails_one_image (void)
{
  guint n_killed = 0;

  if (!test_images_have_tools ())
    return;

  guint duration_ms = measure ();

  for (guint i = 0; i < ROUNDS; i++)
    n_killed += run_round (endpoint_race_choose_moment (i, ROUNDS, duration_ms)) ? 1 : 0;
  g_assert_cmpuint (n_killed, >, 0);
}

#define ADD(path, data, function)                                                                  \
  g_test_add ("/qemu/many-marks/" path, Many, data, set_up, function, tear_down)

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);

  ADD ("few-take-one-endpoint", GUINT_TO_POINTER (FEW), test_starts_do_not_grow_with_the_images);
  ADD ("many-take-one-endpoint", GUINT_TO_POINTER (MANY), test_starts_do_not_grow_with_the_images);
  ADD ("one-endpoint-is-given-no-more-than-the-limit", NULL,
       test_one_endpoint_is_given_no_more_than_the_limit);
  ADD ("taking-back-takes-one-endpoint", NULL, test_taking_back_starts_one);
  ADD ("a-held-image-keeps-no-other-and-takes-no-endpoint", NULL,
       test_a_held_image_keeps_no_other_and_takes_no_endpoint);
  g_test_add_func ("/qemu/many-marks/a-killed-endpoint-fails-one-image",
                   test_a_killed_endpoint_fails_one_image);

  return g_test_run ();
}
