/* Overlays on real images, by a real endpoint.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "stemma-error.h"
#include "stm-driver.h"

#include "image-fixture.h"

#include <glib/gstdio.h>

#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define MIB (1024 * 1024)
#define CAPACITY (16 * (guint64) MIB)

static void
add_overlay_step (ImageFixture *self, StmPlan *plan, const char *target, const char *name,
                  const char *base, const char *base_format)
{
  g_autofree char *path = image_fixture_path (self, name);
  g_autofree char *below = image_fixture_path (self, base);
  g_autoptr (StmImage) image = stm_image_new (&(StmImage){ .path = path,
                                                           .target = target,
                                                           .index = 2,
                                                           .format = "qcow2",
                                                           .backing = below,
                                                           .origin = STM_IMAGE_MADE,
                                                           .capacity = CAPACITY });
  g_autoptr (GPtrArray)
      chain = image_list (image_fixture_record (self, base, base_format, NULL, CAPACITY), NULL);

  stm_plan_add_step (
      plan,
      &(StmStep){ .kind = STM_STEP_OVERLAY, .target = target, .image = image, .chain = chain });
}

/* Two disks, one qcow2 and one raw. */
static StmPlan *
plan_two_disks (ImageFixture *self)
{
  g_autofree char *first = image_fixture_path (self, "a.qcow2");
  g_autofree char *second = image_fixture_path (self, "b.raw");
  StmPlan *plan = stm_plan_new (STM_OPERATION_CREATE, TEST_PLAN_ID, TEST_PLAN_ID);

  test_image_create (first, "qcow2", CAPACITY, NULL, NULL);
  test_image_write (first, "qcow2", 1, 0, 4 * MIB);
  test_image_create (second, "raw", CAPACITY, NULL, NULL);
  test_image_write (second, "raw", 2, 1 * MIB, 4 * MIB);
  add_overlay_step (self, plan, "vda", "a.new", "a.qcow2", "qcow2");
  add_overlay_step (self, plan, "vdb", "b.new", "b.raw", "raw");

  return plan;
}

static gboolean
make (ImageFixture *self, const StmPlan *plan, GError **error)
{
  return stm_driver_make_overlays (self->driver, plan, self->policy, self->progress, NULL, error);
}

static void
assert_same_view (ImageFixture *self, const char *a, const char *a_format, const char *b,
                  const char *b_format)
{
  g_autofree char *a_path = image_fixture_path (self, a);
  g_autofree char *b_path = image_fixture_path (self, b);
  g_autofree char *a_digest = test_image_digest (a_path, a_format);
  g_autofree char *b_digest = test_image_digest (b_path, b_format);

  g_assert_cmpstr (a_digest, ==, b_digest);
}

static void
test_overlays_show_their_bases (ImageFixture *self, gconstpointer unused)
{
  if (!test_images_have_tools ())
    return;

  g_autoptr (StmPlan) plan = plan_two_disks (self);
  g_autofree char *first = image_fixture_path (self, "a.new");
  g_autofree char *second = image_fixture_path (self, "b.new");
  g_autofree char *first_base = image_fixture_path (self, "a.qcow2");
  g_autofree char *second_base = image_fixture_path (self, "b.raw");
  g_autofree char *first_format = NULL;
  g_autofree char *second_format = NULL;
  g_autoptr (GError) error = NULL;

  g_assert_true (make (self, plan, &error));
  g_assert_no_error (error);
  image_fixture_assert_files (self, "a.new a.qcow2 b.new b.raw");
  image_fixture_assert_no_endpoints (self);

  g_autofree char *first_backing = test_image_get_backing (first, &first_format);
  g_autofree char *second_backing = test_image_get_backing (second, &second_format);

  g_assert_cmpstr (first_backing, ==, first_base);
  g_assert_cmpstr (first_format, ==, "qcow2");
  g_assert_cmpstr (second_backing, ==, second_base);
  g_assert_cmpstr (second_format, ==, "raw");
  g_assert_cmpuint (test_image_get_capacity (first), ==, CAPACITY);
  g_assert_cmpuint (test_image_get_capacity (second), ==, CAPACITY);
  test_image_assert_sound (first);
  test_image_assert_sound (second);
  assert_same_view (self, "a.new", "qcow2", "a.qcow2", "qcow2");
  assert_same_view (self, "b.new", "qcow2", "b.raw", "raw");
}

static void
test_overlays_are_no_wider_than_their_bases (ImageFixture *self, gconstpointer unused)
{
  if (!test_images_have_tools ())
    return;

  g_autoptr (StmPlan) plan = plan_two_disks (self);
  g_autofree char *first = image_fixture_path (self, "a.new");
  g_autofree char *first_base = image_fixture_path (self, "a.qcow2");
  g_autoptr (GError) error = NULL;
  GStatBuf buffer;

  g_assert_cmpint (g_chmod (first_base, 0600), ==, 0);
  g_assert_true (make (self, plan, &error));
  g_assert_no_error (error);
  g_assert_cmpint (g_stat (first, &buffer), ==, 0);
  g_assert_cmphex (buffer.st_mode & 0777, ==, 0600);
  g_assert_cmpuint (buffer.st_uid, ==, geteuid ());
}

static void
test_a_base_in_use_is_refused (ImageFixture *self, gconstpointer data)
{
  const char *const *held = data; /* name, format */

  if (!test_images_have_tools ())
    return;

  g_autoptr (StmPlan) plan = plan_two_disks (self);
  g_autofree char *path = image_fixture_path (self, held[0]);
  GSubprocess *holder = test_image_hold (path, held[1], /* is_read_only= */ FALSE);
  g_autoptr (GError) error = NULL;

  g_assert_false (make (self, plan, &error));
  test_image_let_go (holder);
  g_assert_error (error, STEMMA_ERROR, STEMMA_ERROR_IN_USE);
  g_assert_nonnull (strstr (error->message, path));
  image_fixture_assert_files (self, "a.qcow2 b.raw");
  image_fixture_assert_no_endpoints (self);
}

static void
test_a_name_that_is_taken_is_not_touched (ImageFixture *self, gconstpointer unused)
{
  if (!test_images_have_tools ())
    return;

  g_autoptr (StmPlan) plan = plan_two_disks (self);
  g_autofree char *second = image_fixture_path (self, "b.new");
  g_autoptr (GError) error = NULL;
  g_autofree char *content = NULL;

  g_assert_true (g_file_set_contents (second, "mine", -1, &error));
  g_assert_false (make (self, plan, &error));
  g_assert_error (error, STEMMA_ERROR, STEMMA_ERROR_ALREADY_EXISTS);
  image_fixture_assert_files (self, "a.qcow2 b.new b.raw");
  g_assert_true (g_file_get_contents (second, &content, NULL, NULL));
  g_assert_cmpstr (content, ==, "mine");
}

static void
test_a_stale_temporary_file_is_replaced (ImageFixture *self, gconstpointer unused)
{
  if (!test_images_have_tools ())
    return;

  g_autoptr (StmPlan) plan = plan_two_disks (self);
  g_autofree char *stale = image_fixture_path (self, ".stemma-" TEST_PLAN_ID "-vda");
  g_autofree char *others = image_fixture_path (self, ".stemma-other-vda");
  g_autoptr (GError) error = NULL;

  g_assert_true (g_file_set_contents (stale, "half", -1, &error));
  g_assert_true (g_file_set_contents (others, "half", -1, &error));
  g_assert_true (make (self, plan, &error));
  g_assert_no_error (error);
  image_fixture_assert_files (self, ".stemma-other-vda a.new a.qcow2 b.new b.raw");
  assert_same_view (self, "a.new", "qcow2", "a.qcow2", "qcow2");
}

static void
test_a_base_that_differs_is_refused (ImageFixture *self, gconstpointer data)
{
  const char *change = data;

  if (!test_images_have_tools ())
    return;

  g_autoptr (StmPlan) plan = plan_two_disks (self);
  g_autofree char *base = image_fixture_path (self, "a.qcow2");
  g_autofree char *other = image_fixture_path (self, "b.raw");
  g_autofree char *output = NULL;
  g_autoptr (GError) error = NULL;
  StemmaError expected = STEMMA_ERROR_CHAIN_BROKEN;

  if (g_str_equal (change, "resized"))
    output = test_run ("qemu-img", "resize", "-q", "-f", "qcow2", base, "32M", NULL);
  else if (g_str_equal (change, "rebased"))
    output = test_run ("qemu-img", "rebase", "-q", "-u", "-f", "qcow2", "-b", other, "-F", "raw",
                       base, NULL);
  else if (g_str_equal (change, "raw"))
    g_assert_true (g_file_set_contents (base, "no header", -1, &error));
  else if (g_str_equal (change, "cut"))
    g_assert_cmpint (truncate (base, 60), ==, 0);
  else if (g_str_equal (change, "missing"))
    {
      g_assert_cmpint (g_unlink (base), ==, 0);
      expected = STEMMA_ERROR_NOT_FOUND;
    }
  else
    {
      g_assert_cmpint (g_unlink (base), ==, 0);
      g_assert_cmpint (symlink (other, base), ==, 0);
      expected = STEMMA_ERROR_NOT_ALLOWED;
    }

  g_assert_false (make (self, plan, &error));
  g_assert_error (error, STEMMA_ERROR, (int) expected);
  image_fixture_assert_files (self, g_str_equal (change, "missing") ? "b.raw" : "a.qcow2 b.raw");
  image_fixture_assert_no_endpoints (self);
}

static void
test_a_cancelled_operation_leaves_nothing (ImageFixture *self, gconstpointer unused)
{
  if (!test_images_have_tools ())
    return;

  g_autoptr (StmPlan) plan = plan_two_disks (self);
  g_autoptr (GCancellable) cancellable = g_cancellable_new ();
  g_autoptr (GError) error = NULL;

  g_cancellable_cancel (cancellable);
  g_assert_false (stm_driver_make_overlays (self->driver, plan, self->policy, self->progress,
                                            cancellable, &error));
  g_assert_error (error, STEMMA_ERROR, STEMMA_ERROR_CANCELLED);
  image_fixture_assert_files (self, "a.qcow2 b.raw");
  image_fixture_assert_no_endpoints (self);
}

static void
test_a_path_outside_the_policy_is_refused (ImageFixture *self, gconstpointer unused)
{
  if (!test_images_have_tools ())
    return;

  g_autoptr (StmPlan) plan = plan_two_disks (self);
  const char *const roots[] = { "/nowhere", NULL };
  const char *const exact[] = { NULL };
  g_autoptr (StmPathPolicy) policy = stm_path_policy_new (roots, exact);
  g_autoptr (GError) error = NULL;

  g_assert_false (
      stm_driver_make_overlays (self->driver, plan, policy, self->progress, NULL, &error));
  g_assert_error (error, STEMMA_ERROR, STEMMA_ERROR_NOT_ALLOWED);
  image_fixture_assert_files (self, "a.qcow2 b.raw");
}

static void
test_abandoning_takes_back_everything (ImageFixture *self, gconstpointer unused)
{
  if (!test_images_have_tools ())
    return;

  g_autoptr (StmPlan) plan = plan_two_disks (self);
  g_autofree char *second = image_fixture_path (self, "b.new");
  g_autofree char *half = image_fixture_path (self, ".stemma-" TEST_PLAN_ID "-vdb");
  g_autoptr (GError) error = NULL;

  /* Never begun. */
  g_assert_true (stm_driver_abandon_overlays (self->driver, plan, self->policy, &error));
  g_assert_no_error (error);
  image_fixture_assert_files (self, "a.qcow2 b.raw");

  /* Crashed between the two. */
  g_assert_true (make (self, plan, &error));
  g_assert_no_error (error);
  g_assert_cmpint (g_rename (second, half), ==, 0);
  g_assert_true (stm_driver_abandon_overlays (self->driver, plan, self->policy, &error));
  g_assert_no_error (error);
  image_fixture_assert_files (self, "a.qcow2 b.raw");
}

/* A client may choose where an overlay is made. */
static void
test_abandoning_minds_no_missing_directory (ImageFixture *self, gconstpointer unused)
{
  if (!test_images_have_tools ())
    return;

  g_autoptr (StmPlan) plan = plan_two_disks (self);
  g_autoptr (GError) error = NULL;

  add_overlay_step (self, plan, "vdc", "nowhere/c.new", "b.raw", "raw");
  g_assert_false (make (self, plan, &error));
  g_assert_error (error, STEMMA_ERROR, STEMMA_ERROR_NOT_FOUND);
  g_clear_error (&error);
  g_assert_true (stm_driver_abandon_overlays (self->driver, plan, self->policy, &error));
  g_assert_no_error (error);
  image_fixture_assert_files (self, "a.qcow2 b.raw");
}

static void
test_abandoning_leaves_what_was_written (ImageFixture *self, gconstpointer unused)
{
  if (!test_images_have_tools ())
    return;

  g_autoptr (StmPlan) plan = plan_two_disks (self);
  g_autofree char *first = image_fixture_path (self, "a.new");
  g_autoptr (GError) error = NULL;

  g_assert_true (make (self, plan, &error));
  g_assert_no_error (error);
  test_image_write (first, "qcow2", 9, 0, 65536);
  g_assert_false (stm_driver_abandon_overlays (self->driver, plan, self->policy, &error));
  g_assert_error (error, STEMMA_ERROR, STEMMA_ERROR_CHAIN_BROKEN);
  image_fixture_assert_files (self, "a.new a.qcow2 b.raw");
}

static void
test_abandoning_leaves_what_is_not_ours (ImageFixture *self, gconstpointer unused)
{
  if (!test_images_have_tools ())
    return;

  g_autoptr (StmPlan) plan = plan_two_disks (self);
  g_autofree char *first = image_fixture_path (self, "a.new");
  g_autoptr (GError) error = NULL;

  g_assert_true (g_file_set_contents (first, "somebody's", -1, &error));
  g_assert_false (stm_driver_abandon_overlays (self->driver, plan, self->policy, &error));
  g_assert_error (error, STEMMA_ERROR, STEMMA_ERROR_CHAIN_BROKEN);
  image_fixture_assert_files (self, "a.new a.qcow2 b.raw");
}

#define ADD(path, data, function)                                                                  \
  g_test_add (path, ImageFixture, data, image_fixture_set_up, function, image_fixture_tear_down)

int
main (int argc, char **argv)
{
  static const char *const held_qcow2[] = { "a.qcow2", "qcow2" };
  static const char *const held_raw[] = { "b.raw", "raw" };

  g_test_init (&argc, &argv, NULL);

  ADD ("/qemu/overlay/overlays-show-their-bases", NULL, test_overlays_show_their_bases);
  ADD ("/qemu/overlay/overlays-are-no-wider-than-their-bases", NULL,
       test_overlays_are_no_wider_than_their_bases);
  ADD ("/qemu/overlay/a-qcow2-base-in-use-is-refused", held_qcow2, test_a_base_in_use_is_refused);
  ADD ("/qemu/overlay/a-raw-base-in-use-is-refused", held_raw, test_a_base_in_use_is_refused);
  ADD ("/qemu/overlay/a-name-that-is-taken-is-not-touched", NULL,
       test_a_name_that_is_taken_is_not_touched);
  ADD ("/qemu/overlay/a-stale-temporary-file-is-replaced", NULL,
       test_a_stale_temporary_file_is_replaced);
  ADD ("/qemu/overlay/a-resized-base-is-refused", "resized", test_a_base_that_differs_is_refused);
  ADD ("/qemu/overlay/a-rebased-base-is-refused", "rebased", test_a_base_that_differs_is_refused);
  ADD ("/qemu/overlay/a-base-without-header-is-refused", "raw",
       test_a_base_that_differs_is_refused);
  ADD ("/qemu/overlay/a-base-cut-short-is-refused", "cut", test_a_base_that_differs_is_refused);
  ADD ("/qemu/overlay/a-missing-base-is-refused", "missing", test_a_base_that_differs_is_refused);
  ADD ("/qemu/overlay/a-link-in-place-of-the-base-is-refused", "link",
       test_a_base_that_differs_is_refused);
  ADD ("/qemu/overlay/a-cancelled-operation-leaves-nothing", NULL,
       test_a_cancelled_operation_leaves_nothing);
  ADD ("/qemu/overlay/a-path-outside-the-policy-is-refused", NULL,
       test_a_path_outside_the_policy_is_refused);
  ADD ("/qemu/overlay/abandoning-takes-back-everything", NULL,
       test_abandoning_takes_back_everything);
  ADD ("/qemu/overlay/abandoning-minds-no-directory-that-is-missing", NULL,
       test_abandoning_minds_no_missing_directory);
  ADD ("/qemu/overlay/abandoning-leaves-what-was-written", NULL,
       test_abandoning_leaves_what_was_written);
  ADD ("/qemu/overlay/abandoning-leaves-what-is-not-ours", NULL,
       test_abandoning_leaves_what_is_not_ours);

  return g_test_run ();
}
