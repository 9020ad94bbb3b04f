/* Full disks: the error is typed, nothing that an image shows changes, and with more space the same
 * step again finishes.
 *
 * The disk is a tmpfs in a mount namespace of the test's own, which needs no root where the kernel
 * allows user namespaces.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "stemma-error.h"
#include "stm-qemu-driver.h"

#include "bitmap-world.h"
#include "image-tree.h"

#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <sched.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/statvfs.h>
#include <unistd.h>

#define KIB ((guint64) 1024)
#define MIB (1024 * KIB)
/* Metadata and data run out at different sizes: each is tried. */
#define GROWTH (192 * KIB)
#define MAX_TRIES 60

/* The file system of the test's images. */
typedef struct
{
  ImageFixture fixture;
  gboolean is_mounted;
} SmallDisk;

static gboolean
write_map (const char *path, const char *text)
{
  int fd = open (path, O_WRONLY | O_CLOEXEC);
  gboolean is_written = fd >= 0 && write (fd, text, strlen (text)) == (ssize_t) strlen (text);

  if (fd >= 0)
    close (fd);
  return is_written;
}

/* Why there is no namespace of our own; NULL when there is. Before any thread is made. */
static const char *
enter_namespace (gboolean is_root)
{
  g_autofree char *uids = g_strdup_printf ("0 %u 1", geteuid ());
  g_autofree char *gids = g_strdup_printf ("0 %u 1", getegid ());

  if (unshare (CLONE_NEWNS | (is_root ? 0 : CLONE_NEWUSER)) != 0)
    return "the kernel gives no mount namespace without privileges";
  if (!is_root
      && (!write_map ("/proc/self/setgroups", "deny") || !write_map ("/proc/self/uid_map", uids)
          || !write_map ("/proc/self/gid_map", gids)))
    return "the user namespace cannot be set up";
  if (mount (NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0)
    return "mounts cannot be made private";

  return NULL;
}

/* In a user namespace we are root and yet can be nobody else. */
typedef struct
{
  const char *refusal;
  gboolean is_root;
} Place;

static void
resize_disk (SmallDisk *self, guint64 size)
{
  g_autofree char *options = g_strdup_printf ("size=%" G_GUINT64_FORMAT, size);
  int result = mount ("tmpfs", self->fixture.directory, "tmpfs", self->is_mounted ? MS_REMOUNT : 0,
                      options);

  g_assert_cmpint (result, ==, 0);
  self->is_mounted = TRUE;
}

static void
set_up (SmallDisk *self, gconstpointer data)
{
  const Place *place = data;

  image_fixture_set_up (&self->fixture, NULL);
  if (!place->is_root)
    {
      g_clear_object (&self->fixture.driver);
      self->fixture.driver = STM_DRIVER (
          stm_qemu_driver_new (NULL, NULL, self->fixture.run_directory));
    }
}

static void
tear_down (SmallDisk *self, gconstpointer data)
{
  if (self->is_mounted)
    g_assert_cmpint (umount2 (self->fixture.directory, MNT_DETACH), ==, 0);
  image_fixture_tear_down (&self->fixture, NULL);
}

static gboolean
can_run (const Place *place)
{
  if (place->refusal != NULL)
    g_test_skip (place->refusal);

  return place->refusal == NULL && test_images_have_tools ();
}

/* Lets it hold what it holds, and `spare` bytes more. */
static void
leave_free (SmallDisk *self, guint64 spare)
{
  struct statvfs before;

  g_assert_cmpint (statvfs (self->fixture.directory, &before), ==, 0);
  resize_disk (self, (before.f_blocks - before.f_bfree) * before.f_frsize + spare);
}

static void
assert_views (ImageTree *tree, gboolean lower_too)
{
  image_tree_assert_shows (tree, "k0", "qcow2", tree->children[0]);
  image_tree_assert_shows (tree, "upper", "qcow2", tree->upper);
  if (lower_too)
    image_tree_assert_shows (tree, "lower", "qcow2", tree->lower);
}

/* Tries with a little more space each time until it is enough. */
static void
merge_with_growing_space (SmallDisk *self, ImageTree *tree, const StmStep *step)
{
  gboolean is_stream = step->kind == STM_STEP_STREAM;
  guint n_refused = 0;

  for (guint try = 0; try < MAX_TRIES; try++)
    {
      g_autoptr (GError) error = NULL;
      gboolean is_merged;

      /* What an earlier try took stays taken. */
      leave_free (self, n_refused == 0 ? 0 : GROWTH);
      is_merged = image_tree_merge (tree, step, &error);
      g_test_message ("try %u: %s", try, error != NULL ? error->message : "merged");
      /* What shows it is read with space at hand. */
      resize_disk (self, 512 * MIB);
      assert_views (tree, is_stream);
      if (is_merged)
        {
          g_assert_cmpuint (n_refused, >, 0);
          return;
        }
      g_assert_error (error, STEMMA_ERROR, STEMMA_ERROR_NO_SPACE);
      image_fixture_assert_no_endpoints (&self->fixture);
      n_refused++;
    }
  g_test_fail_printf ("it never got enough");
}

static const TreeLayout layout = { .lower_format = "qcow2", .n_children = 1, .bulk = 2 * MIB };

static void
test_commit_on_a_full_disk (SmallDisk *self, gconstpointer place)
{
  if (!can_run (place))
    return;
  resize_disk (self, 512 * MIB);

  g_autoptr (ImageTree) tree = image_tree_new (&self->fixture, &layout);
  g_autoptr (StmStep) step = image_tree_commit_step (tree);

  merge_with_growing_space (self, tree, step);
  image_tree_assert_children (tree, "lower", "qcow2");
  image_tree_assert_shows (tree, "lower", "qcow2", tree->upper);
}

static void
test_stream_on_a_full_disk (SmallDisk *self, gconstpointer place)
{
  if (!can_run (place))
    return;
  resize_disk (self, 512 * MIB);

  g_autoptr (ImageTree) tree = image_tree_new (&self->fixture, &layout);
  g_autoptr (StmStep) step = image_tree_stream_step (tree);

  merge_with_growing_space (self, tree, step);
  image_tree_assert_children (tree, "lower", "qcow2");
}

static void
test_overlay_on_a_full_disk (SmallDisk *self, gconstpointer place)
{
  if (!can_run (place))
    return;
  resize_disk (self, 64 * MIB);

  g_autofree char *base = image_fixture_path (&self->fixture, "base");
  g_autofree char *path = image_fixture_path (&self->fixture, "new");
  g_autoptr (StmPlan) plan = stm_plan_new (STM_OPERATION_CREATE, TEST_PLAN_ID, TEST_PLAN_ID);
  g_autoptr (GPtrArray)
      chain = image_list (image_fixture_record (&self->fixture, "base", "qcow2", NULL, MIB), NULL);
  g_autoptr (StmImage) image = image_fixture_record (&self->fixture, "new", "qcow2", "base", MIB);
  g_autoptr (GError) error = NULL;
  guint n_refused = 0;

  test_image_create (base, "qcow2", MIB, NULL, NULL);
  stm_plan_add_step (
      plan,
      &(StmStep){ .kind = STM_STEP_OVERLAY, .target = "vda", .image = image, .chain = chain });
  for (guint64 spare = 0; !g_file_test (path, G_FILE_TEST_EXISTS); spare += 64 * KIB)
    {
      g_clear_error (&error);
      leave_free (self, spare);
      if (stm_driver_make_overlays (self->fixture.driver, plan, self->fixture.policy,
                                    self->fixture.progress, NULL, &error))
        break;
      g_assert_error (error, STEMMA_ERROR, STEMMA_ERROR_NO_SPACE);
      image_fixture_assert_files (&self->fixture, "base");
      image_fixture_assert_no_endpoints (&self->fixture);
      n_refused++;
    }
  g_assert_cmpuint (n_refused, >, 0);
  image_fixture_assert_files (&self->fixture, "base new");
}

static void
add_tag_step (StmPlan *plan, StmImage *image, StmStepKind kind, const char *name)
{
  stm_plan_add_step (plan, &(StmStep){ .kind = kind,
                                       .target = "vda",
                                       .image = image,
                                       .name = name,
                                       .fallback = kind == STM_STEP_GOTO ? "new" : NULL });
}

static guint
count_tags (SmallDisk *self, const StmImage *image)
{
  const StmSurveyRequest request = { .images = &image,
                                     .n_images = 1,
                                     .policy = self->fixture.policy };
  g_autoptr (GError) error = NULL;
  g_autoptr (StmSurvey) survey = stm_driver_survey (self->fixture.driver, &request, NULL, &error);

  g_assert_no_error (error);
  g_assert_no_error (stm_survey_get (survey, image->path)->problem);
  return stm_survey_get (survey, image->path)->tags->len;
}

static StmImage *
make_written_image (SmallDisk *self, const char *name)
{
  StmImage *image = image_fixture_record (&self->fixture, name, "qcow2", NULL, 4 * MIB);

  test_image_create (image->path, "qcow2", 4 * MIB, NULL, NULL);
  test_image_write (image->path, "qcow2", 1, 0, MIB);
  return image;
}

/* All images have the tag, or none. */
static void
test_tags_on_a_full_disk (SmallDisk *self, gconstpointer place)
{
  if (!can_run (place))
    return;
  resize_disk (self, 64 * MIB);

  g_autoptr (StmPlan) plan = stm_plan_new (STM_OPERATION_CREATE, TEST_PLAN_ID, TEST_PLAN_ID);
  g_autoptr (StmImage) one = make_written_image (self, "one");
  g_autoptr (StmImage) two = make_written_image (self, "two");
  gboolean is_made = FALSE;
  guint n_refused = 0;

  add_tag_step (plan, one, STM_STEP_TAG, "new");
  add_tag_step (plan, two, STM_STEP_TAG, "new");
  for (guint try = 0; !is_made && try < MAX_TRIES; try++)
    {
      g_autoptr (GError) error = NULL;

      /* What an earlier try took stays taken. */
      leave_free (self, n_refused == 0 ? 0 : 16 * KIB);
      is_made = stm_driver_make_tags (self->fixture.driver, plan, self->fixture.policy, NULL,
                                      &error);
      g_test_message ("try %u: %s", try, error != NULL ? error->message : "made");
      g_assert_cmpuint (count_tags (self, one), ==, is_made ? 1 : 0);
      g_assert_cmpuint (count_tags (self, two), ==, is_made ? 1 : 0);
      image_fixture_assert_no_endpoints (&self->fixture);
      if (is_made)
        break;
      g_assert_error (error, STEMMA_ERROR, STEMMA_ERROR_NO_SPACE);
      test_image_assert_sound (one->path);
      test_image_assert_sound (two->path);
      n_refused++;
    }
  g_assert_true (is_made);
  g_assert_cmpuint (n_refused, >, 0);
}

/* To go to a tag, to go back and to remove it takes no space. */
static void
test_going_on_a_full_disk (SmallDisk *self, gconstpointer place)
{
  if (!can_run (place))
    return;
  resize_disk (self, 64 * MIB);

  g_autoptr (StmPlan) plan = stm_plan_new (STM_OPERATION_REVERT, TEST_PLAN_ID, TEST_PLAN_ID);
  g_autoptr (StmImage) image = make_written_image (self, "disk");
  g_autofree char *tagged = test_image_digest (image->path, "qcow2");
  g_autofree char *current = NULL;
  g_autofree char *gone = NULL;
  g_autofree char *back = NULL;
  g_autoptr (GError) error = NULL;

  g_free (test_run ("qemu-img", "snapshot", "-c", "old", image->path, NULL));
  test_image_write (image->path, "qcow2", 2, 0, 2 * MIB);
  current = test_image_digest (image->path, "qcow2");
  add_tag_step (plan, image, STM_STEP_TAG, "new");
  add_tag_step (plan, image, STM_STEP_GOTO, "old");
  stm_driver_make_tags (self->fixture.driver, plan, self->fixture.policy, NULL, &error);
  g_assert_no_error (error);

  leave_free (self, 0);
  stm_driver_go_to_tag (self->fixture.driver, plan->steps->pdata[1], self->fixture.policy, NULL,
                        &error);
  g_assert_no_error (error);
  resize_disk (self, 64 * MIB);
  gone = test_image_digest (image->path, "qcow2");
  g_assert_cmpstr (gone, ==, tagged);

  leave_free (self, 0);
  stm_driver_abandon_marks (self->fixture.driver, plan, self->fixture.policy, &error);
  g_assert_no_error (error);
  resize_disk (self, 64 * MIB);
  back = test_image_digest (image->path, "qcow2");
  g_assert_cmpstr (back, ==, current);
  g_assert_cmpuint (count_tags (self, image), ==, 1);
  test_image_assert_sound (image->path);
}

/* Bitmaps. */

static StmImage *
record (SmallDisk *self, const char *name, const char *backing)
{
  return image_fixture_record (&self->fixture, name, "qcow2", backing, BITMAP_WORLD_CAPACITY);
}

static void
test_a_bitmap_on_a_full_disk (SmallDisk *self, gconstpointer place)
{
  if (!can_run (place))
    return;
  resize_disk (self, 64 * MIB);

  g_autoptr (BitmapWorld) world = bitmap_world_new (&self->fixture);
  g_autoptr (StmPlan)
      plan = stm_plan_new (STM_OPERATION_CREATE_CHECKPOINT, TEST_PLAN_ID, TEST_PLAN_ID);
  g_autoptr (StmImage) image = record (self, "a", NULL);
  guint n_refused = 0;

  bitmap_world_make (world, "a", NULL);
  bitmap_world_begin (world, "a", "old");
  bitmap_world_write (world, "a", 5, 5);
  stm_plan_add_step (
      plan, &(StmStep){ .kind = STM_STEP_BITMAP, .target = "vda", .image = image, .name = "new" });
  for (guint64 spare = 0;; spare += 64 * KIB)
    {
      g_autoptr (GError) error = NULL;

      leave_free (self, spare);
      if (stm_driver_make_bitmaps (self->fixture.driver, plan, self->fixture.policy, NULL, &error))
        break;
      g_assert_error (error, STEMMA_ERROR, STEMMA_ERROR_NO_SPACE);
      /* The one that was there is as it was. */
      g_assert_cmpuint (bitmap_world_count (world, "a", "old"), ==, 5);
      g_assert_cmpint (bitmap_world_read (world, "a", "new", NULL), ==, TEST_BITMAP_MISSING);
      n_refused++;
    }
  g_assert_cmpuint (n_refused, >, 0);
  g_assert_cmpuint (bitmap_world_count (world, "a", "old"), ==, 5);
  g_assert_cmpuint (bitmap_world_count (world, "a", "new"), ==, 0);
}

static char *both_and_above[] = { (char *) "both", (char *) "above", NULL };

/* lower <- upper, with bitmaps and data. */
static StmStep
build_merge (SmallDisk *self, BitmapWorld *world, StmStepKind kind)
{
  gboolean is_commit = kind == STM_STEP_COMMIT;
  GPtrArray *chain = image_list (record (self, "upper", "lower"), record (self, "lower", NULL),
                                 NULL);

  bitmap_world_make (world, "lower", NULL);
  bitmap_world_begin (world, "lower", "both");
  bitmap_world_write (world, "lower", 40, is_commit ? 5 : 60);
  bitmap_world_make (world, "upper", "lower");
  bitmap_world_continue (world, "upper", "both");
  bitmap_world_begin (world, "upper", "above");
  bitmap_world_write (world, "upper", 200, is_commit ? 60 : 5);

  return (StmStep){ .kind = kind,
                    .target = "vda",
                    .image = chain->pdata[is_commit ? 0 : 1],
                    .chain = chain,
                    .bitmaps = both_and_above };
}

/* The same as above. */
static void
merge_bitmaps_with_growing_space (SmallDisk *self, BitmapWorld *world, const StmStep *step)
{
  guint n_refused = 0;

  for (guint try = 0; try < MAX_TRIES; try++)
    {
      g_autoptr (GError) error = NULL;
      gboolean is_merged;

      leave_free (self, try * GROWTH);
      is_merged = stm_driver_merge (self->fixture.driver, step, self->fixture.policy,
                                    self->fixture.progress, NULL, &error);
      g_test_message ("try %u: %s", try, error != NULL ? error->message : "merged");
      if (is_merged)
        {
          g_assert_cmpuint (n_refused, >, 0);
          resize_disk (self, 512 * MIB);
          return;
        }
      g_assert_error (error, STEMMA_ERROR, STEMMA_ERROR_NO_SPACE);
      (void) bitmap_world_check (world, "upper", "lower", "both");
      (void) bitmap_world_check (world, "upper", "upper", "above");
      n_refused++;
    }
  g_error ("it never got enough");
}

static void
test_commit_of_bitmaps_on_a_full_disk (SmallDisk *self, gconstpointer place)
{
  if (!can_run (place))
    return;
  resize_disk (self, 512 * MIB);

  g_autoptr (BitmapWorld) world = bitmap_world_new (&self->fixture);
  StmStep step = build_merge (self, world, STM_STEP_COMMIT);

  merge_bitmaps_with_growing_space (self, world, &step);
  g_assert_cmpint (bitmap_world_check (world, "lower", "lower", "both"), ==, TEST_BITMAP_IN_ORDER);
  g_assert_cmpint (bitmap_world_check (world, "lower", "lower", "above"), ==, TEST_BITMAP_IN_ORDER);
  g_ptr_array_unref (step.chain);
}

static void
test_stream_of_bitmaps_on_a_full_disk (SmallDisk *self, gconstpointer place)
{
  if (!can_run (place))
    return;
  resize_disk (self, 512 * MIB);

  g_autoptr (BitmapWorld) world = bitmap_world_new (&self->fixture);
  StmStep step = build_merge (self, world, STM_STEP_STREAM);

  merge_bitmaps_with_growing_space (self, world, &step);
  /* A copy that runs out of space while the top is open may cost its bitmaps, never halve them. */
  (void) bitmap_world_check (world, "upper", "upper", "both");
  (void) bitmap_world_check (world, "upper", "upper", "above");
  g_ptr_array_unref (step.chain);
}

#define ADD(path, function) g_test_add (path, SmallDisk, &place, set_up, function, tear_down)

int
main (int argc, char **argv)
{
  Place place = { .is_root = geteuid () == 0 };

  place.refusal = enter_namespace (place.is_root);
  g_test_init (&argc, &argv, NULL);

  ADD ("/qemu/no-space/commit-goes-on-when-there-is-space", test_commit_on_a_full_disk);
  ADD ("/qemu/no-space/stream-goes-on-when-there-is-space", test_stream_on_a_full_disk);
  ADD ("/qemu/no-space/an-overlay-that-does-not-fit-leaves-nothing", test_overlay_on_a_full_disk);
  ADD ("/qemu/no-space/a-bitmap-that-does-not-fit-costs-no-other", test_a_bitmap_on_a_full_disk);
  ADD ("/qemu/no-space/commit-keeps-bitmaps", test_commit_of_bitmaps_on_a_full_disk);
  ADD ("/qemu/no-space/stream-halves-no-bitmaps", test_stream_of_bitmaps_on_a_full_disk);
  ADD ("/qemu/no-space/all-images-get-a-tag-or-none", test_tags_on_a_full_disk);
  ADD ("/qemu/no-space/going-to-a-tag-takes-no-space", test_going_on_a_full_disk);

  return g_test_run ();
}
