/* Bitmaps of images that are merged go along, none of them with half of its record.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "stemma-error.h"

#include "bitmap-world.h"

#include <glib/gstdio.h>

#include <string.h>

typedef struct
{
  ImageFixture images;
  BitmapWorld *world;
} Fixture;

static void
set_up (Fixture *self, gconstpointer unused)
{
  image_fixture_set_up (&self->images, NULL);
  self->world = bitmap_world_new (&self->images);
}

static void
tear_down (Fixture *self, gconstpointer unused)
{
  image_fixture_assert_no_endpoints (&self->images);
  bitmap_world_free (self->world);
  image_fixture_tear_down (&self->images, NULL);
}

static StmImage *
record (Fixture *self, const char *name, const char *backing)
{
  return image_fixture_record (&self->images, name, "qcow2", backing, BITMAP_WORLD_CAPACITY);
}

static void
assert_state (Fixture *self, const char *image, const char *bitmap, TestBitmapState state)
{
  g_assert_cmpint (bitmap_world_read (self->world, image, bitmap, NULL), ==, (int) state);
}

static gboolean
is_recording (Fixture *self, const char *name, const char *backing, const char *bitmap)
{
  g_autoptr (StmImage) image = record (self, name, backing);
  const StmImage *const images[] = { image };
  const StmSurveyRequest request = { .images = images,
                                     .n_images = 1,
                                     .policy = self->images.policy };
  g_autoptr (GError) error = NULL;
  g_autoptr (StmSurvey) survey = stm_driver_survey (self->images.driver, &request, NULL, &error);

  g_assert_no_error (error);
  return stm_facts_find_bitmap (stm_survey_get (survey, image->path), bitmap)->is_recording;
}

/* lower <- upper <- top. "both" is in all of them, "above" begins in the upper one, after its first
 * write; "below" is somebody's in the lower one. */
static void
make_chain (Fixture *self)
{
  BitmapWorld *world = self->world;

  bitmap_world_make (world, "lower", NULL);
  bitmap_world_write (world, "lower", 0, 8);
  bitmap_world_begin (world, "lower", "both");
  bitmap_world_begin (world, "lower", "below");
  bitmap_world_write (world, "lower", 100, 5);
  bitmap_world_make (world, "upper", "lower");
  bitmap_world_continue (world, "upper", "both");
  bitmap_world_write (world, "upper", 200, 5);
  bitmap_world_begin (world, "upper", "above");
  bitmap_world_write (world, "upper", 300, 5);
  bitmap_world_make (world, "top", "upper");
  bitmap_world_continue (world, "top", "both");
  bitmap_world_continue (world, "top", "above");
  bitmap_world_write (world, "top", 400, 5);
}

static gboolean
commit (Fixture *self, char **names, gboolean has_child, GError **error)
{
  g_autoptr (GPtrArray)
      chain = image_list (record (self, "upper", "lower"), record (self, "lower", NULL), NULL);
  g_autoptr (GPtrArray)
      children = image_list (has_child ? record (self, "top", "upper") : NULL, NULL);
  const StmStep step = { .kind = STM_STEP_COMMIT,
                         .target = "vda",
                         .image = chain->pdata[0],
                         .chain = chain,
                         .children = children,
                         .bitmaps = names };

  return stm_driver_merge (self->images.driver, &step, self->images.policy, self->images.progress,
                           NULL, error);
}

static gboolean
stream (Fixture *self, char **names, GError **error)
{
  g_autoptr (GPtrArray)
      chain = image_list (record (self, "top", "upper"), record (self, "upper", "lower"),
                          record (self, "lower", NULL), NULL);
  const StmStep step = { .kind = STM_STEP_STREAM,
                         .target = "vda",
                         .image = chain->pdata[1],
                         .chain = chain,
                         .bitmaps = names };

  return stm_driver_merge (self->images.driver, &step, self->images.policy, self->images.progress,
                           NULL, error);
}

static char *both_and_above[] = { (char *) "both", (char *) "above", NULL };

static void
remove_file (Fixture *self, const char *name)
{
  g_autofree char *path = image_fixture_path (&self->images, name);

  g_assert_cmpint (g_unlink (path), ==, 0);
}

static void
test_a_commit_takes_them_down (Fixture *self, gconstpointer unused)
{
  g_autofree char *lower = image_fixture_path (&self->images, "lower");
  g_autoptr (GError) error = NULL;

  if (!test_images_have_tools ())
    return;
  make_chain (self);
  g_assert_true (commit (self, both_and_above, TRUE, &error));
  g_assert_no_error (error);
  remove_file (self, "upper");

  g_assert_cmpint (bitmap_world_check (self->world, "top", "lower", "both"), ==,
                   TEST_BITMAP_IN_ORDER);
  g_assert_cmpint (bitmap_world_check (self->world, "top", "lower", "above"), ==,
                   TEST_BITMAP_IN_ORDER);
  /* Nothing that was there before it began: it was added when the data was down. */
  g_assert_cmpuint (bitmap_world_count (self->world, "lower", "above"), ==, 5);
  g_assert_cmpuint (bitmap_world_count (self->world, "lower", "both"), ==, 15);
  /* Somebody else's recorded what was moved. */
  g_assert_cmpuint (bitmap_world_count (self->world, "lower", "below"), ==, 15);
  test_image_assert_sound (lower);
}

static void
test_a_commit_of_the_active_image_takes_them_down (Fixture *self, gconstpointer unused)
{
  g_autoptr (GError) error = NULL;

  if (!test_images_have_tools ())
    return;
  make_chain (self);
  remove_file (self, "top");
  g_assert_true (commit (self, both_and_above, FALSE, &error));
  g_assert_no_error (error);
  g_assert_cmpuint (bitmap_world_count (self->world, "lower", "above"), ==, 5);
  g_assert_cmpuint (bitmap_world_count (self->world, "lower", "both"), ==, 15);

  /* And once more, as after a crash before it was recorded as done: never less. */
  g_assert_true (commit (self, both_and_above, FALSE, &error));
  g_assert_no_error (error);
  bitmap_world_write (self->world, "lower", 900, 1);
  remove_file (self, "upper");
  g_assert_cmpuint (bitmap_world_count (self->world, "lower", "above"), >=, 6);
  g_assert_cmpuint (bitmap_world_count (self->world, "lower", "both"), >=, 16);
}

static void
test_a_commit_brings_back_none_that_was_lost (Fixture *self, gconstpointer unused)
{
  g_autoptr (GError) error = NULL;

  if (!test_images_have_tools ())
    return;
  make_chain (self);
  bitmap_world_break (self->world, "lower");
  g_assert_true (commit (self, both_and_above, TRUE, &error));
  g_assert_no_error (error);
  assert_state (self, "lower", "both", TEST_BITMAP_BROKEN);
  assert_state (self, "lower", "below", TEST_BITMAP_BROKEN);
  g_assert_cmpint (bitmap_world_check (self->world, "top", "lower", "above"), ==,
                   TEST_BITMAP_IN_ORDER);
}

static void
test_a_commit_makes_up_for_one_that_the_upper_image_lost (Fixture *self, gconstpointer unused)
{
  g_autoptr (GError) error = NULL;

  if (!test_images_have_tools ())
    return;
  make_chain (self);
  bitmap_world_break (self->world, "upper");
  g_assert_true (commit (self, both_and_above, TRUE, &error));
  g_assert_no_error (error);
  /* All that the upper image was written since is moved, and so recorded. */
  g_assert_cmpint (bitmap_world_check (self->world, "top", "lower", "both"), ==,
                   TEST_BITMAP_IN_ORDER);
  assert_state (self, "lower", "above", TEST_BITMAP_MISSING);
}

/* A step before was killed, when nobody thought of that: a half of the record must not go down as
 * if it were all. */
static void
test_a_commit_takes_down_no_half (Fixture *self, gconstpointer unused)
{
  g_autoptr (GError) error = NULL;

  if (!test_images_have_tools ())
    return;
  make_chain (self);
  bitmap_world_break (self->world, "lower");
  bitmap_world_begin (self->world, "lower", "whole");
  bitmap_world_continue (self->world, "upper", "whole");

  char *names[] = { (char *) "both", (char *) "whole", NULL };
  g_assert_true (commit (self, names, TRUE, &error));
  g_assert_no_error (error);
  g_assert_false (is_recording (self, "lower", NULL, "both")
                  && bitmap_world_read (self->world, "lower", "both", NULL)
                         == TEST_BITMAP_IN_ORDER);
  g_assert_true (is_recording (self, "lower", NULL, "whole"));
  assert_state (self, "lower", "whole", TEST_BITMAP_IN_ORDER);
}

static void
resize (Fixture *self, const char *name)
{
  g_autofree char *path = image_fixture_path (&self->images, name);

  g_free (test_run ("qemu-img", "resize", "-q", "-f", "qcow2", path, "+1M", NULL));
}

static StmImage *
record_larger (Fixture *self, const char *name, const char *backing)
{
  return image_fixture_record (&self->images, name, "qcow2", backing,
                               BITMAP_WORLD_CAPACITY + 1024 * 1024);
}

/* The upper image was enlarged since; nothing stands on it. */
static void
make_growing_chain (Fixture *self)
{
  make_chain (self);
  remove_file (self, "top");
  resize (self, "upper");
}

static gboolean
commit_growing (Fixture *self, char **names, GError **error)
{
  g_autoptr (GPtrArray) chain = image_list (record_larger (self, "upper", "lower"),
                                            record (self, "lower", NULL), NULL);
  const StmStep step = { .kind = STM_STEP_COMMIT,
                         .target = "vda",
                         .image = chain->pdata[0],
                         .chain = chain,
                         .bitmaps = names };

  return stm_driver_merge (self->images.driver, &step, self->images.policy, self->images.progress,
                           NULL, error);
}

static void
assert_has_grown (Fixture *self)
{
  g_autofree char *path = image_fixture_path (&self->images, "lower");

  g_assert_cmpuint (test_image_get_capacity (path), ==, BITMAP_WORLD_CAPACITY + 1024 * 1024);
}

static void
test_a_commit_that_grows_the_image_takes_them_down (Fixture *self, gconstpointer unused)
{
  g_autoptr (GError) error = NULL;

  if (!test_images_have_tools ())
    return;
  make_growing_chain (self);
  g_assert_true (commit_growing (self, both_and_above, &error));
  g_assert_no_error (error);
  remove_file (self, "upper");
  g_assert_cmpint (bitmap_world_read (self->world, "lower", "both", NULL), ==,
                   TEST_BITMAP_IN_ORDER);
  g_assert_cmpuint (bitmap_world_count (self->world, "lower", "both"), >=, 15);
  g_assert_cmpuint (bitmap_world_count (self->world, "lower", "above"), >=, 5);
}

/* Killed between its taking "both" off the upper image and the lower one's growing. */
static void
test_a_commit_that_grows_the_image_goes_on_after_a_kill (Fixture *self, gconstpointer unused)
{
  g_autofree char *upper = image_fixture_path (&self->images, "upper");
  g_autoptr (GError) error = NULL;

  if (!test_images_have_tools ())
    return;
  make_growing_chain (self);
  g_free (test_run ("qemu-img", "bitmap", "--remove", upper, "both", NULL));
  bitmap_world_break (self->world, "lower");
  g_assert_true (commit_growing (self, both_and_above, &error));
  g_assert_no_error (error);
  assert_has_grown (self);
  remove_file (self, "upper");
  assert_state (self, "lower", "both", TEST_BITMAP_MISSING);
  assert_state (self, "lower", "below", TEST_BITMAP_MISSING);
  assert_state (self, "lower", "above", TEST_BITMAP_IN_ORDER);
  g_assert_cmpuint (bitmap_world_count (self->world, "lower", "above"), >=, 5);
}

/* The same where none goes along. */
static void
test_a_lost_one_does_not_keep_an_image_from_growing (Fixture *self, gconstpointer unused)
{
  g_autofree char *upper = image_fixture_path (&self->images, "upper");
  g_autoptr (GError) error = NULL;

  if (!test_images_have_tools ())
    return;
  make_growing_chain (self);
  g_free (test_run ("qemu-img", "bitmap", "--remove", upper, "both", NULL));
  bitmap_world_break (self->world, "lower");
  g_assert_true (commit_growing (self, /* names= */ NULL, &error));
  g_assert_no_error (error);
  assert_has_grown (self);
  assert_state (self, "lower", "below", TEST_BITMAP_MISSING);
}

/* No kill of ours leaves that: "both" still goes on in the upper image. */
static void
test_a_broken_one_that_goes_on_above_stays (Fixture *self, gconstpointer unused)
{
  g_autoptr (GError) error = NULL;

  if (!test_images_have_tools ())
    return;
  make_growing_chain (self);
  bitmap_world_break (self->world, "lower");
  g_assert_false (commit_growing (self, both_and_above, &error));
  g_assert_error (error, STEMMA_ERROR, STEMMA_ERROR_BITMAP_INCONSISTENT);
  assert_state (self, "lower", "both", TEST_BITMAP_BROKEN);
  assert_state (self, "upper", "both", TEST_BITMAP_IN_ORDER);
}

static void
test_a_commit_that_cannot_keep_them_is_refused (Fixture *self, gconstpointer unused)
{
  g_autofree char *raw = image_fixture_path (&self->images, "lower");
  g_autofree char *upper = image_fixture_path (&self->images, "upper");
  g_autoptr (GError) error = NULL;

  if (!test_images_have_tools ())
    return;
  test_image_create (raw, "raw", BITMAP_WORLD_CAPACITY, NULL, NULL);
  test_image_create (upper, "qcow2", 0, raw, "raw");
  bitmap_world_begin (self->world, "upper", "above");

  g_autoptr (GPtrArray) chain = image_list (
      record (self, "upper", "lower"),
      image_fixture_record (&self->images, "lower", "raw", NULL, BITMAP_WORLD_CAPACITY), NULL);
  const StmStep step = { .kind = STM_STEP_COMMIT,
                         .target = "vda",
                         .image = chain->pdata[0],
                         .chain = chain,
                         .bitmaps = both_and_above };

  g_assert_false (stm_driver_merge (self->images.driver, &step, self->images.policy,
                                    self->images.progress, NULL, &error));
  g_assert_error (error, STEMMA_ERROR, STEMMA_ERROR_NOT_SUPPORTED);
  assert_state (self, "upper", "above", TEST_BITMAP_IN_ORDER);
}

static void
test_a_commit_that_is_cancelled_leaves_no_note (Fixture *self, gconstpointer unused)
{
  g_autofree char *path = image_fixture_path (&self->images, "upper");
  g_autoptr (GError) error = NULL;

  if (!test_images_have_tools ())
    return;
  make_chain (self);
  g_assert_true (stm_progress_cancel (self->images.progress));
  g_assert_false (commit (self, both_and_above, TRUE, &error));
  g_assert_error (error, STEMMA_ERROR, STEMMA_ERROR_CANCELLED);

  g_autofree char *info = test_run ("qemu-img", "info", "-f", "qcow2", path, NULL);

  g_assert_null (strstr (info, STM_DRIVER_BITMAP_PREFIX));
  g_assert_cmpint (bitmap_world_check (self->world, "top", "lower", "both"), ==,
                   TEST_BITMAP_IN_ORDER);
  g_assert_cmpint (bitmap_world_check (self->world, "top", "upper", "above"), ==,
                   TEST_BITMAP_IN_ORDER);
}

static void
test_a_stream_adds_them_up (Fixture *self, gconstpointer unused)
{
  g_autofree char *top = image_fixture_path (&self->images, "top");
  g_autoptr (GError) error = NULL;

  if (!test_images_have_tools ())
    return;
  make_chain (self);
  g_assert_true (stream (self, both_and_above, &error));
  g_assert_no_error (error);
  remove_file (self, "upper");
  g_assert_cmpint (bitmap_world_check (self->world, "top", "lower", "both"), ==,
                   TEST_BITMAP_IN_ORDER);
  g_assert_cmpint (bitmap_world_check (self->world, "top", "top", "above"), ==,
                   TEST_BITMAP_IN_ORDER);
  /* What was copied up is nothing that changed. */
  g_assert_cmpuint (bitmap_world_count (self->world, "top", "both"), ==, 15);
  g_assert_cmpuint (bitmap_world_count (self->world, "top", "above"), ==, 10);
  g_assert_cmpuint (bitmap_world_count (self->world, "lower", "both"), ==, 5);
  test_image_assert_sound (top);
  /* Done is done. */
  g_assert_true (stream (self, both_and_above, &error));
  g_assert_no_error (error);
  g_assert_cmpuint (bitmap_world_count (self->world, "top", "above"), ==, 10);
}

static void
test_a_stream_brings_back_none_that_was_lost (Fixture *self, gconstpointer data)
{
  const char *broken = data;
  g_autoptr (GError) error = NULL;

  if (!test_images_have_tools ())
    return;
  make_chain (self);
  bitmap_world_break (self->world, broken);
  g_assert_true (stream (self, strcmp (broken, "top") == 0 ? both_and_above : NULL, &error));
  g_assert_no_error (error);
  if (strcmp (broken, "top") == 0)
    assert_state (self, "top", "both", TEST_BITMAP_BROKEN);
  else
    g_assert_false (is_recording (self, "top", "lower", "both"));
}

static void
test_a_stream_over_sizes_that_differ_is_refused (Fixture *self, gconstpointer unused)
{
  g_autoptr (GError) error = NULL;

  if (!test_images_have_tools ())
    return;
  make_chain (self);
  resize (self, "top");
  g_assert_false (stream (self, both_and_above, &error));
  g_assert_error (error, STEMMA_ERROR, STEMMA_ERROR_NOT_SUPPORTED);
  g_assert_nonnull (strstr (error->message, "both"));
  g_assert_cmpuint (bitmap_world_count (self->world, "top", "both"), ==, 5);
}

#define ADD(path, data, function)                                                                  \
  g_test_add ("/qemu/bitmap-merges/" path, Fixture, data, set_up, function, tear_down)

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);

  ADD ("a-commit-takes-them-down", NULL, test_a_commit_takes_them_down);
  ADD ("a-commit-of-the-active-image-takes-them-down", NULL,
       test_a_commit_of_the_active_image_takes_them_down);
  ADD ("a-commit-brings-back-none-that-was-lost", NULL,
       test_a_commit_brings_back_none_that_was_lost);
  ADD ("a-commit-takes-down-no-half", NULL, test_a_commit_takes_down_no_half);
  ADD ("a-commit-makes-up-for-one-that-the-upper-image-lost", NULL,
       test_a_commit_makes_up_for_one_that_the_upper_image_lost);
  ADD ("a-commit-that-grows-the-image-takes-them-down", NULL,
       test_a_commit_that_grows_the_image_takes_them_down);
  ADD ("a-commit-that-grows-the-image-goes-on-after-a-kill", NULL,
       test_a_commit_that_grows_the_image_goes_on_after_a_kill);
  ADD ("a-lost-one-does-not-keep-an-image-from-growing", NULL,
       test_a_lost_one_does_not_keep_an_image_from_growing);
  ADD ("a-broken-one-that-goes-on-above-stays", NULL, test_a_broken_one_that_goes_on_above_stays);
  ADD ("a-commit-that-cannot-keep-them-is-refused", NULL,
       test_a_commit_that_cannot_keep_them_is_refused);
  ADD ("a-commit-that-is-cancelled-leaves-no-note", NULL,
       test_a_commit_that_is_cancelled_leaves_no_note);
  ADD ("a-stream-adds-them-up", NULL, test_a_stream_adds_them_up);
  ADD ("a-stream-brings-back-none-that-the-top-lost", "top",
       test_a_stream_brings_back_none_that_was_lost);
  ADD ("a-stream-of-an-image-that-lost-its-own-leaves-no-half", "upper",
       test_a_stream_brings_back_none_that_was_lost);
  ADD ("a-stream-over-sizes-that-differ-is-refused", NULL,
       test_a_stream_over_sizes_that_differ_is_refused);

  return g_test_run ();
}
