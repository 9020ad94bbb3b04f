/* Bitmaps on real images: begun, given to overlays, and removed.
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
  StmPlan *plan;
} Fixture;

static void
set_up (Fixture *self, gconstpointer unused)
{
  image_fixture_set_up (&self->images, NULL);
  self->world = bitmap_world_new (&self->images);
  self->plan = stm_plan_new (STM_OPERATION_CREATE_CHECKPOINT, TEST_PLAN_ID, TEST_PLAN_ID);
}

static void
tear_down (Fixture *self, gconstpointer unused)
{
  image_fixture_assert_no_endpoints (&self->images);
  stm_plan_unref (self->plan);
  bitmap_world_free (self->world);
  image_fixture_tear_down (&self->images, NULL);
}

static StmImage *
record (Fixture *self, const char *name, const char *backing)
{
  return image_fixture_record (&self->images, name, "qcow2", backing, BITMAP_WORLD_CAPACITY);
}

/* --- begun and removed ------------------------------------------------------------------------ */

static void
add_step (Fixture *self, StmStepKind kind, const char *target, const char *image,
          const char *backing, const char *bitmap)
{
  g_autoptr (StmImage) recorded = record (self, image, backing);

  stm_plan_add_step (
      self->plan, &(StmStep){ .kind = kind, .target = target, .image = recorded, .name = bitmap });
}

/* a, and c over b; a has a bitmap with a record. */
static void
make_two_disks (Fixture *self)
{
  bitmap_world_make (self->world, "a", NULL);
  bitmap_world_make (self->world, "b", NULL);
  bitmap_world_make (self->world, "c", "b");
  bitmap_world_begin (self->world, "a", "old");
  bitmap_world_write (self->world, "a", 10, 3);
}

static gboolean
make_bitmaps (Fixture *self, GError **error)
{
  return stm_driver_make_bitmaps (self->images.driver, self->plan, self->images.policy, NULL,
                                  error);
}

static void
assert_state (Fixture *self, const char *image, const char *bitmap, TestBitmapState state)
{
  g_assert_cmpint (bitmap_world_read (self->world, image, bitmap, NULL), ==, (int) state);
}

static void
assert_old_is_whole (Fixture *self)
{
  g_assert_cmpint (bitmap_world_check (self->world, "a", "a", "old"), ==, TEST_BITMAP_IN_ORDER);
  g_assert_cmpuint (bitmap_world_count (self->world, "a", "old"), ==, 3);
}

static void
test_begun_in_all_images (Fixture *self, gconstpointer unused)
{
  g_autoptr (GError) error = NULL;

  if (!test_images_have_tools ())
    return;
  make_two_disks (self);
  add_step (self, STM_STEP_BITMAP, "vda", "a", NULL, "new");
  add_step (self, STM_STEP_BITMAP, "vdb", "c", "b", "new");

  g_assert_true (make_bitmaps (self, &error));
  g_assert_no_error (error);
  bitmap_world_watch (self->world, "new");
  g_assert_cmpuint (bitmap_world_count (self->world, "a", "new"), ==, 0);
  g_assert_cmpuint (bitmap_world_count (self->world, "c", "new"), ==, 0);
  assert_state (self, "b", "new", TEST_BITMAP_MISSING);
  assert_old_is_whole (self);
  /* They record. */
  bitmap_world_write (self->world, "c", 5, 2);
  g_assert_cmpint (bitmap_world_check (self->world, "c", "c", "new"), ==, TEST_BITMAP_IN_ORDER);
  g_assert_cmpuint (bitmap_world_count (self->world, "c", "new"), ==, 2);
}

/* Why the second image cannot get one. */
typedef struct
{
  const char *name;
  const char *format;
  const char *options; /* qemu-img's */
  const char *taken;   /* a bitmap that is there */
  StemmaError code;
} Obstacle;

static void
test_none_when_one_cannot_be_had (Fixture *self, gconstpointer data)
{
  const Obstacle *obstacle = data;
  g_autofree char *path = image_fixture_path (&self->images, "odd");
  g_autofree char *size = g_strdup_printf ("%" G_GUINT64_FORMAT, BITMAP_WORLD_CAPACITY);
  g_autoptr (GError) error = NULL;

  if (!test_images_have_tools ())
    return;
  make_two_disks (self);
  g_free (test_run ("qemu-img", "create", "-q", "-f", obstacle->format, path, size,
                    obstacle->options != NULL ? "-o" : NULL, obstacle->options, NULL));
  if (obstacle->taken != NULL)
    bitmap_world_begin (self->world, "odd", obstacle->taken);
  add_step (self, STM_STEP_BITMAP, "vda", "a", NULL, "new");

  g_autoptr (StmImage) image = image_fixture_record (&self->images, "odd", obstacle->format, NULL,
                                                     BITMAP_WORLD_CAPACITY);

  stm_plan_add_step (
      self->plan,
      &(StmStep){ .kind = STM_STEP_BITMAP, .target = "vdb", .image = image, .name = "new" });
  g_assert_false (make_bitmaps (self, &error));
  g_assert_error (error, STEMMA_ERROR, (int) obstacle->code);
  g_test_message ("%s", error->message);
  g_assert_nonnull (strstr (error->message, path));
  assert_state (self, "a", "new", TEST_BITMAP_MISSING);
  assert_old_is_whole (self);
  if (obstacle->taken != NULL)
    assert_state (self, "odd", obstacle->taken, TEST_BITMAP_IN_ORDER);
}

static void
test_none_in_an_image_in_use (Fixture *self, gconstpointer unused)
{
  g_autofree char *path = image_fixture_path (&self->images, "c");
  g_autoptr (GError) error = NULL;

  if (!test_images_have_tools ())
    return;
  make_two_disks (self);
  add_step (self, STM_STEP_BITMAP, "vda", "a", NULL, "new");
  add_step (self, STM_STEP_BITMAP, "vdb", "c", "b", "new");

  GSubprocess *holder = test_image_hold (path, "qcow2", FALSE);

  g_assert_false (make_bitmaps (self, &error));
  test_image_let_go (holder);
  g_assert_error (error, STEMMA_ERROR, STEMMA_ERROR_IN_USE);
  g_assert_nonnull (strstr (error->message, path));
  assert_state (self, "a", "new", TEST_BITMAP_MISSING);
  assert_old_is_whole (self);
}

static void
test_abandoned_ones_are_gone (Fixture *self, gconstpointer unused)
{
  g_autoptr (GError) error = NULL;

  if (!test_images_have_tools ())
    return;
  make_two_disks (self);
  add_step (self, STM_STEP_BITMAP, "vda", "a", NULL, "new");
  add_step (self, STM_STEP_BITMAP, "vdb", "c", "b", "new");
  g_assert_true (make_bitmaps (self, &error));
  g_assert_no_error (error);

  /* Done, and once more. */
  for (guint i = 0; i < 2; i++)
    {
      g_assert_true (
          stm_driver_abandon_marks (self->images.driver, self->plan, self->images.policy, &error));
      g_assert_no_error (error);
      assert_state (self, "a", "new", TEST_BITMAP_MISSING);
      assert_state (self, "c", "new", TEST_BITMAP_MISSING);
      assert_old_is_whole (self);
    }
}

static void
test_abandoning_goes_on_past_an_image_in_use (Fixture *self, gconstpointer unused)
{
  g_autofree char *path = image_fixture_path (&self->images, "a");
  g_autoptr (GError) error = NULL;

  if (!test_images_have_tools ())
    return;
  make_two_disks (self);
  add_step (self, STM_STEP_BITMAP, "vda", "a", NULL, "new");
  add_step (self, STM_STEP_BITMAP, "vdb", "c", "b", "new");
  g_assert_true (make_bitmaps (self, &error));

  GSubprocess *holder = test_image_hold (path, "qcow2", TRUE);

  g_assert_false (
      stm_driver_abandon_marks (self->images.driver, self->plan, self->images.policy, &error));
  test_image_let_go (holder);
  g_assert_error (error, STEMMA_ERROR, STEMMA_ERROR_IN_USE);
  assert_state (self, "a", "new", TEST_BITMAP_IN_ORDER);
  assert_state (self, "c", "new", TEST_BITMAP_MISSING);
}

static void
remove_bitmap (Fixture *self, const char *image, const char *bitmap)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (StmImage) recorded = record (self, image, NULL);

  g_assert_true (image_fixture_remove_mark (
      &self->images,
      &(StmStep){ .kind = STM_STEP_UNBITMAP, .target = "vda", .image = recorded, .name = bitmap },
      &error));
  g_assert_no_error (error);
}

static void
test_removed_whatever_state_it_is_in (Fixture *self, gconstpointer unused)
{
  if (!test_images_have_tools ())
    return;
  make_two_disks (self);
  bitmap_world_break (self->world, "a");
  bitmap_world_continue (self->world, "a", "whole");
  bitmap_world_continue (self->world, "a", "other");
  assert_state (self, "a", "old", TEST_BITMAP_BROKEN);

  remove_bitmap (self, "a", "old");
  assert_state (self, "a", "old", TEST_BITMAP_MISSING);
  assert_state (self, "a", "whole", TEST_BITMAP_IN_ORDER);
  remove_bitmap (self, "a", "whole");
  assert_state (self, "a", "whole", TEST_BITMAP_MISSING);
  assert_state (self, "a", "other", TEST_BITMAP_IN_ORDER);
  remove_bitmap (self, "a", "never-there");
  assert_state (self, "a", "other", TEST_BITMAP_IN_ORDER);
}

static void
test_removing_is_fine_when_the_file_is_gone (Fixture *self, gconstpointer unused)
{
  remove_bitmap (self, "nothing", "x");
}

/* --- overlays --------------------------------------------------------------------------------- */

static void
test_overlays_have_them_from_the_start (Fixture *self, gconstpointer unused)
{
  char *names[] = { (char *) "kept", (char *) "new", NULL };
  g_autofree char *path = image_fixture_path (&self->images, "base");
  g_autofree char *made = image_fixture_path (&self->images, "over");
  g_autoptr (GError) error = NULL;

  if (!test_images_have_tools ())
    return;
  bitmap_world_make (self->world, "base", NULL);
  g_free (
      test_run ("qemu-img", "bitmap", "--add", "-g", "131072", "-f", "qcow2", path, "kept", NULL));
  bitmap_world_watch (self->world, "kept");
  bitmap_world_write (self->world, "base", 4, 2);

  g_autoptr (StmImage) image = record (self, "over", "base");
  g_autoptr (GPtrArray) chain = image_list (record (self, "base", NULL), NULL);

  stm_plan_add_step (self->plan, &(StmStep){ .kind = STM_STEP_OVERLAY,
                                             .target = "vda",
                                             .image = image,
                                             .chain = chain,
                                             .bitmaps = names });
  g_assert_true (stm_driver_make_overlays (self->images.driver, self->plan, self->images.policy,
                                           self->images.progress, NULL, &error));
  g_assert_no_error (error);
  bitmap_world_watch (self->world, "new");
  g_assert_cmpuint (bitmap_world_count (self->world, "over", "kept"), ==, 0);
  g_assert_cmpuint (bitmap_world_count (self->world, "over", "new"), ==, 0);
  g_assert_cmpuint (bitmap_world_get_granularity (self->world, "over", "kept"), ==, 131072);
  g_assert_cmpuint (bitmap_world_get_granularity (self->world, "over", "new"), ==, 65536);
  assert_state (self, "base", "new", TEST_BITMAP_MISSING);
  bitmap_world_write (self->world, "over", 100, 1);
  g_assert_cmpint (bitmap_world_check (self->world, "over", "base", "kept"), ==,
                   TEST_BITMAP_IN_ORDER);
  g_assert_cmpint (bitmap_world_check (self->world, "over", "over", "new"), ==,
                   TEST_BITMAP_IN_ORDER);
  test_image_assert_sound (made);
}

#define ADD(path, data, function)                                                                  \
  g_test_add ("/qemu/bitmaps/" path, Fixture, data, set_up, function, tear_down)

int
main (int argc, char **argv)
{
  static const Obstacle raw = { "raw", "raw", NULL, NULL, STEMMA_ERROR_NOT_SUPPORTED };
  static const Obstacle old = { "old", "qcow2", "compat=0.10", NULL, STEMMA_ERROR_NOT_SUPPORTED };
  static const Obstacle taken = { "taken", "qcow2", NULL, "new", STEMMA_ERROR_ALREADY_EXISTS };

  g_test_init (&argc, &argv, NULL);

  ADD ("begun-in-all-images", NULL, test_begun_in_all_images);
  ADD ("none-is-begun-when-an-image-is-raw", &raw, test_none_when_one_cannot_be_had);
  ADD ("none-is-begun-when-an-image-is-of-version-2", &old, test_none_when_one_cannot_be_had);
  ADD ("none-is-begun-when-a-name-is-taken", &taken, test_none_when_one_cannot_be_had);
  ADD ("none-is-begun-in-an-image-in-use", NULL, test_none_in_an_image_in_use);
  ADD ("abandoned-ones-are-gone", NULL, test_abandoned_ones_are_gone);
  ADD ("abandoning-goes-on-past-an-image-in-use", NULL,
       test_abandoning_goes_on_past_an_image_in_use);
  ADD ("removed-whatever-state-it-is-in", NULL, test_removed_whatever_state_it_is_in);
  ADD ("removing-is-fine-when-the-file-is-gone", NULL, test_removing_is_fine_when_the_file_is_gone);
  ADD ("overlays-have-them-from-the-start", NULL, test_overlays_have_them_from_the_start);

  return g_test_run ();
}
