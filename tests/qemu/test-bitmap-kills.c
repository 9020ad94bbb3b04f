/* Endpoints killed at any moment while images have bitmaps: each bitmap knows all that it has to,
 * or is known to be lost; and it is lost only where its image was open for writing.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "stemma-error.h"

#include "bitmap-world.h"
#include "endpoint-race.h"

#include <glib/gstdio.h>

#include <stdlib.h>
#include <string.h>

#define ROUNDS 12
/* QEMU takes about that long to come up, and has no image before. */
#define START_MS 15
/* Blocks that a merge has to move, so that it takes a while. */
#define BULK 700

/* A fresh directory for each round. */
typedef struct
{
  ImageFixture images;
  BitmapWorld *world;
  StmPlan *plan;
  StmStep step;
} Round;

static void
round_begin (Round *self)
{
  memset (self, 0, sizeof *self);
  image_fixture_set_up (&self->images, NULL);
  self->world = bitmap_world_new (&self->images);
  self->plan = stm_plan_new (STM_OPERATION_CREATE, TEST_PLAN_ID, TEST_PLAN_ID);
}

static void
round_end (Round *self)
{
  g_clear_pointer (&self->step.chain, g_ptr_array_unref);
  g_clear_pointer (&self->step.children, g_ptr_array_unref);
  stm_plan_unref (self->plan);
  bitmap_world_free (self->world);
  image_fixture_tear_down (&self->images, NULL);
}

static StmImage *
record (Round *self, const char *name, const char *backing)
{
  return image_fixture_record (&self->images, name, "qcow2", backing, BITMAP_WORLD_CAPACITY);
}

/* What is tried: how the images are, what is done, and what must hold when it was killed or not. */
typedef struct
{
  void (*build) (Round *round);
  EndpointVerb verb;
  void (*check) (Round *round, gboolean is_done);
} Trial;

/* Evenly over the time from when QEMU is up, with some chance. */
static guint
choose_moment (guint number, guint duration_ms)
{
  guint begin = MIN (START_MS, duration_ms / 2);
  guint length = duration_ms - begin;

  return begin + length * number / ROUNDS + g_test_rand_int_range (0, MAX (length / ROUNDS, 1) + 1);
}

/* The second time: the first is slow for what the caches have not. */
static guint
measure (const Trial *trial)
{
  guint duration_ms = 0;

  for (guint i = 0; i < 2; i++)
    {
      Round round;

      round_begin (&round);
      trial->build (&round);
      duration_ms = endpoint_race_measure (&round.images, trial->verb, &round);
      trial->check (&round, /* is_done= */ TRUE);
      round_end (&round);
    }

  return duration_ms;
}

static void
test_trial (gconstpointer data)
{
  const Trial *trial = data;
  guint n_killed = 0;

  if (!test_images_have_tools ())
    return;

  guint duration_ms = measure (trial);

  for (guint i = 0; i < ROUNDS; i++)
    {
      Round round;
      gboolean is_done;

      round_begin (&round);
      trial->build (&round);
      is_done = endpoint_race_run (&round.images, trial->verb, &round,
                                   choose_moment (i, duration_ms));
      n_killed += is_done ? 0 : 1;
      trial->check (&round, is_done);
      round_end (&round);
    }
  g_assert_cmpuint (n_killed, >, 0);
}

static TestBitmapState
state_of (Round *self, const char *image, const char *bitmap)
{
  return bitmap_world_read (self->world, image, bitmap, NULL);
}

static void
again (Round *self, EndpointVerb verb)
{
  g_autoptr (GError) error = NULL;

  gboolean is_done = verb (self, &error);

  g_assert_no_error (error);
  g_assert_true (is_done);
}

/* --- overlays --------------------------------------------------------------------------------- */

static char *both[] = { (char *) "both", NULL };

static void
build_for_overlay (Round *self)
{
  g_autoptr (StmImage) image = record (self, "over", "base");
  g_autoptr (GPtrArray) chain = image_list (record (self, "base", NULL), NULL);

  bitmap_world_make (self->world, "base", NULL);
  bitmap_world_begin (self->world, "base", "both");
  bitmap_world_write (self->world, "base", 10, 10);
  stm_plan_add_step (self->plan, &(StmStep){ .kind = STM_STEP_OVERLAY,
                                             .target = "vda",
                                             .image = image,
                                             .chain = chain,
                                             .bitmaps = both });
}

static gboolean
make_overlays (gpointer data, GError **error)
{
  Round *self = data;

  return stm_driver_make_overlays (self->images.driver, self->plan, self->images.policy,
                                   self->images.progress, NULL, error);
}

static void
check_overlay (Round *self, gboolean is_done)
{
  g_assert_cmpint (state_of (self, "base", "both"), ==, TEST_BITMAP_IN_ORDER);
  if (!is_done)
    {
      image_fixture_assert_files (&self->images, "base");
      again (self, make_overlays);
    }
  bitmap_world_write (self->world, "over", 30, 3);
  g_assert_cmpint (bitmap_world_check (self->world, "over", "base", "both"), ==,
                   TEST_BITMAP_IN_ORDER);
}

/* --- begun and removed ------------------------------------------------------------------------ */

static void
build_for_bitmaps (Round *self)
{
  static const char *const names[] = { "a", "b", NULL };

  for (guint i = 0; names[i] != NULL; i++)
    {
      g_autoptr (StmImage) image = record (self, names[i], "base");

      if (i == 0)
        {
          bitmap_world_make (self->world, "base", NULL);
          bitmap_world_begin (self->world, "base", "old");
          bitmap_world_write (self->world, "base", 10, 10);
        }
      bitmap_world_make (self->world, names[i], "base");
      bitmap_world_continue (self->world, names[i], "old");
      stm_plan_add_step (
          self->plan,
          &(StmStep){ .kind = STM_STEP_BITMAP, .target = names[i], .image = image, .name = "new" });
    }
  bitmap_world_write (self->world, "a", 20, 10);
}

static gboolean
make_bitmaps (gpointer data, GError **error)
{
  Round *self = data;

  return stm_driver_make_bitmaps (self->images.driver, self->plan, self->images.policy, NULL,
                                  error);
}

static gboolean
abandon (gpointer data, GError **error)
{
  Round *self = data;

  return stm_driver_abandon_marks (self->images.driver, self->plan, self->images.policy, error);
}

static void
check_bitmaps (Round *self, gboolean is_done)
{
  g_assert_cmpint (state_of (self, "base", "old"), ==, TEST_BITMAP_IN_ORDER);
  if (is_done)
    {
      bitmap_world_watch (self->world, "new");
      bitmap_world_write (self->world, "a", 50, 3);
      g_assert_cmpint (bitmap_world_check (self->world, "a", "a", "new"), ==, TEST_BITMAP_IN_ORDER);
      g_assert_cmpint (bitmap_world_check (self->world, "a", "base", "old"), ==,
                       TEST_BITMAP_IN_ORDER);
      return;
    }
  (void) bitmap_world_check (self->world, "a", "base", "old");
  again (self, abandon);
  g_assert_cmpint (state_of (self, "a", "new"), ==, TEST_BITMAP_MISSING);
  g_assert_cmpint (state_of (self, "b", "new"), ==, TEST_BITMAP_MISSING);
  (void) bitmap_world_check (self->world, "a", "base", "old");
}

static void
build_for_removal (Round *self)
{
  bitmap_world_make (self->world, "a", NULL);
  bitmap_world_begin (self->world, "a", "old");
  bitmap_world_begin (self->world, "a", "gone");
  bitmap_world_write (self->world, "a", 10, 10);
}

static gboolean
remove_gone (gpointer data, GError **error)
{
  Round *self = data;
  g_autoptr (StmImage) image = record (self, "a", NULL);
  const StmStep step = {
    .kind = STM_STEP_UNBITMAP, .target = "vda", .image = image, .name = "gone"
  };

  return image_fixture_remove_mark (&self->images, &step, error);
}

static void
check_removal (Round *self, gboolean is_done)
{
  (void) bitmap_world_check (self->world, "a", "a", "old");
  if (!is_done)
    again (self, remove_gone);
  else
    g_assert_cmpint (state_of (self, "a", "old"), ==, TEST_BITMAP_IN_ORDER);
  g_assert_cmpint (state_of (self, "a", "gone"), ==, TEST_BITMAP_MISSING);
  (void) bitmap_world_check (self->world, "a", "a", "old");
}

/* --- merges ----------------------------------------------------------------------------------- */

static char *both_and_above[] = { (char *) "both", (char *) "above", NULL };

/* rest <- lower <- upper <- top, with a bitmap from the lower one on and one from the upper one on,
 * and somebody's in the lower one alone. */
static void
build_chain (Round *self, gboolean has_top)
{
  BitmapWorld *world = self->world;

  bitmap_world_make (world, "rest", NULL);
  bitmap_world_continue (world, "rest", "others");
  bitmap_world_write (world, "rest", 0, 64);
  bitmap_world_make (world, "lower", "rest");
  bitmap_world_begin (world, "lower", "both");
  bitmap_world_begin (world, "lower", "below");
  bitmap_world_write (world, "lower", 40, 5);
  bitmap_world_make (world, "upper", "lower");
  bitmap_world_continue (world, "upper", "both");
  bitmap_world_write (world, "upper", 60, 5);
  bitmap_world_begin (world, "upper", "above");
  bitmap_world_write (world, "upper", 100, BULK);
  if (!has_top)
    return;
  bitmap_world_make (world, "top", "upper");
  bitmap_world_continue (world, "top", "both");
  bitmap_world_continue (world, "top", "above");
  bitmap_world_write (world, "top", 900, 5);
}

static void
set_commit (Round *self, gboolean has_top)
{
  self->step = (StmStep){
    .kind = STM_STEP_COMMIT,
    .target = "vda",
    .chain = image_list (record (self, "upper", "lower"), record (self, "lower", "rest"),
                         record (self, "rest", NULL), NULL),
    .children = image_list (has_top ? record (self, "top", "upper") : NULL, NULL),
    .bitmaps = both_and_above,
    .bytes = BULK * BITMAP_WORLD_BLOCK
  };
  self->step.image = self->step.chain->pdata[0];
}

static void
build_for_commit (Round *self)
{
  build_chain (self, TRUE);
  set_commit (self, TRUE);
}

static void
build_for_leaf_commit (Round *self)
{
  build_chain (self, FALSE);
  set_commit (self, FALSE);
}

static gboolean
merge (gpointer data, GError **error)
{
  Round *self = data;

  return stm_driver_merge (self->images.driver, &self->step, self->images.policy,
                           self->images.progress, NULL, error);
}

static void
remove_upper (Round *self)
{
  g_autofree char *path = image_fixture_path (&self->images, "upper");

  g_assert_cmpint (g_unlink (path), ==, 0);
}

static void
assert_rest_is_untouched (Round *self)
{
  g_assert_cmpint (state_of (self, "rest", "others"), ==, TEST_BITMAP_IN_ORDER);
}

static gboolean
stands_on (Round *self, const char *image, const char *below)
{
  g_autofree char *path = image_fixture_path (&self->images, image);
  g_autofree char *wanted = image_fixture_path (&self->images, below);
  g_autofree char *backing = test_image_get_backing (path, NULL);

  return g_strcmp0 (backing, wanted) == 0;
}

/* Between the kill and the next try. */
static void
check_as_it_is (Round *self, const char *active)
{
  gboolean has_upper = strcmp (active, "upper") == 0 || stands_on (self, active, "upper");

  (void) bitmap_world_check (self->world, active, "lower", "both");
  (void) bitmap_world_check (self->world, active, has_upper ? "upper" : "lower", "above");
}

/* From the image that was not merged, or from the one that the data went to. The upper image is
 * open for writing for a moment at the start, and only a kill in that moment can cost it its own.
 */
static void
check_commit_of (Round *self, const char *active, gboolean is_done)
{
  gboolean has_upper;
  TestBitmapState above;

  assert_rest_is_untouched (self);
  has_upper = state_of (self, "upper", "above") == TEST_BITMAP_IN_ORDER;
  if (!is_done)
    {
      check_as_it_is (self, active != NULL ? active : "upper");
      again (self, merge);
    }
  remove_upper (self);
  assert_rest_is_untouched (self);
  if (active == NULL)
    active = "lower";
  g_assert_cmpint (state_of (self, "lower", "both"), ==, TEST_BITMAP_IN_ORDER);
  above = state_of (self, "lower", "above");
  g_assert_cmpint (above, ==, has_upper ? TEST_BITMAP_IN_ORDER : TEST_BITMAP_MISSING);
  (void) bitmap_world_check (self->world, active, "lower", "both");
  (void) bitmap_world_check (self->world, active, "lower", "above");
  if (state_of (self, "lower", "below") == TEST_BITMAP_IN_ORDER)
    g_assert_cmpuint (bitmap_world_count (self->world, "lower", "below"), >=, 5 + 5 + BULK);
  if (is_done)
    g_assert_cmpint (bitmap_world_check (self->world, active, "lower", "above"), ==,
                     TEST_BITMAP_IN_ORDER);
}

static void
check_commit (Round *self, gboolean is_done)
{
  check_commit_of (self, "top", is_done);
}

static void
check_leaf_commit (Round *self, gboolean is_done)
{
  check_commit_of (self, NULL, is_done);
}

/* The upper image was enlarged since: what the two recorded cannot be added up. */
static void
build_for_growing_commit (Round *self)
{
  g_autofree char *path = image_fixture_path (&self->images, "upper");

  build_for_leaf_commit (self);
  g_free (test_run ("qemu-img", "resize", "-q", "-f", "qcow2", path, "+1M", NULL));

  StmImage *larger = image_fixture_record (&self->images, "upper", "qcow2", "lower",
                                           BITMAP_WORLD_CAPACITY + 1024 * 1024);

  stm_image_unref (self->step.chain->pdata[0]);
  self->step.chain->pdata[0] = larger;
  self->step.image = larger;
}

static void
check_growing_commit (Round *self, gboolean is_done)
{
  if (!is_done)
    {
      check_as_it_is (self, "upper");
      again (self, merge);
    }
  remove_upper (self);
  assert_rest_is_untouched (self);

  TestBitmapState both_state = bitmap_world_check (self->world, "lower", "lower", "both");

  (void) bitmap_world_check (self->world, "lower", "lower", "above");
  if (is_done)
    g_assert_cmpint (both_state, ==, TEST_BITMAP_IN_ORDER);
}

static void
build_for_stream (Round *self)
{
  build_chain (self, TRUE);
  self->step = (StmStep){ .kind = STM_STEP_STREAM,
                          .target = "vda",
                          .chain = image_list (
                              record (self, "top", "upper"), record (self, "upper", "lower"),
                              record (self, "lower", "rest"), record (self, "rest", NULL), NULL),
                          .bitmaps = both_and_above,
                          .bytes = BULK * BITMAP_WORLD_BLOCK };
  self->step.image = self->step.chain->pdata[1];
}

static void
check_stream (Round *self, gboolean is_done)
{
  assert_rest_is_untouched (self);
  g_assert_cmpint (state_of (self, "upper", "both"), ==, TEST_BITMAP_IN_ORDER);
  g_assert_cmpint (state_of (self, "upper", "above"), ==, TEST_BITMAP_IN_ORDER);
  g_assert_cmpint (state_of (self, "lower", "both"), ==, TEST_BITMAP_IN_ORDER);
  if (!is_done)
    {
      (void) bitmap_world_check (self->world, "top", "lower", "both");
      (void) bitmap_world_check (self->world, "top",
                                 stands_on (self, "top", "upper") ? "upper" : "top", "above");
      again (self, merge);
    }
  remove_upper (self);

  TestBitmapState both_state = bitmap_world_check (self->world, "top", "lower", "both");
  TestBitmapState above_state = bitmap_world_check (self->world, "top", "top", "above");

  if (is_done)
    {
      g_assert_cmpint (both_state, ==, TEST_BITMAP_IN_ORDER);
      g_assert_cmpint (above_state, ==, TEST_BITMAP_IN_ORDER);
    }
}

int
main (int argc, char **argv)
{
  static const Trial overlay = { build_for_overlay, make_overlays, check_overlay };
  static const Trial bitmaps = { build_for_bitmaps, make_bitmaps, check_bitmaps };
  static const Trial removal = { build_for_removal, remove_gone, check_removal };
  static const Trial commit = { build_for_commit, merge, check_commit };
  static const Trial leaf_commit = { build_for_leaf_commit, merge, check_leaf_commit };
  static const Trial growing_commit = { build_for_growing_commit, merge, check_growing_commit };
  static const Trial stream = { build_for_stream, merge, check_stream };

  g_test_init (&argc, &argv, NULL);

  g_test_add_data_func ("/qemu/bitmap-kills/overlay", &overlay, test_trial);
  g_test_add_data_func ("/qemu/bitmap-kills/beginning", &bitmaps, test_trial);
  g_test_add_data_func ("/qemu/bitmap-kills/removal", &removal, test_trial);
  g_test_add_data_func ("/qemu/bitmap-kills/commit", &commit, test_trial);
  g_test_add_data_func ("/qemu/bitmap-kills/commit-of-the-active-image", &leaf_commit, test_trial);
  g_test_add_data_func ("/qemu/bitmap-kills/commit-that-grows-the-image", &growing_commit,
                        test_trial);
  g_test_add_data_func ("/qemu/bitmap-kills/stream", &stream, test_trial);

  return g_test_run ();
}
