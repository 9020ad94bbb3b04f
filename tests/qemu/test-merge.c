/* Merges of real layers, by a real endpoint: what every image shows stays what it was.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "stemma-error.h"

#include "image-tree.h"

#include <glib/gstdio.h>

#include <string.h>

#define MIB ((guint64) 1024 * 1024)

static void
remove_image (ImageFixture *self, const char *name)
{
  g_autofree char *path = image_fixture_path (self, name);

  g_assert_cmpint (g_unlink (path), ==, 0);
}

static void
assert_refused (ImageTree *tree, const StmStep *step, StemmaError code)
{
  g_autoptr (GError) error = NULL;

  g_assert_false (image_tree_merge (tree, step, &error));
  g_assert_error (error, STEMMA_ERROR, (int) code);
  g_test_message ("%s", error->message);
  image_fixture_assert_no_endpoints (tree->fixture);
}

static void
assert_merged (ImageTree *tree, const StmStep *step)
{
  g_autoptr (GError) error = NULL;

  g_assert_true (image_tree_merge (tree, step, &error));
  g_assert_no_error (error);
  image_fixture_assert_no_endpoints (tree->fixture);
}

/* Commit. */

static void
test_commit_keeps_what_children_show (ImageFixture *self, gconstpointer data)
{
  const TreeLayout *layout = data;

  if (!test_images_have_tools ())
    return;

  g_autoptr (ImageTree) tree = image_tree_new (self, layout);
  g_autoptr (StmStep) step = image_tree_commit_step (tree);

  assert_merged (tree, step);
  g_assert_true (stm_progress_is_sealed (self->progress));
  g_assert_cmpuint (stm_progress_get_done (self->progress), ==, step->bytes);
  /* Without children nothing tells that it was done: it is done again, and that changes nothing. */
  assert_merged (tree, step);
  image_tree_assert_shows (tree, "upper", "qcow2", tree->upper);
  remove_image (self, "upper");
  if (layout->n_children > 0)
    assert_merged (tree, step);
  image_tree_assert_children (tree, "lower", layout->lower_format);
  image_tree_assert_shows (tree, "lower", layout->lower_format, tree->upper);
  if (layout->has_rest)
    image_tree_assert_shows (tree, "rest", "qcow2", tree->rest);
}

static void
test_commit_goes_on_with_the_children_left (ImageFixture *self, gconstpointer unused)
{
  static const TreeLayout layout = { .lower_format = "qcow2", .has_rest = TRUE, .n_children = 3 };

  if (!test_images_have_tools ())
    return;

  g_autoptr (ImageTree) tree = image_tree_new (self, &layout);
  g_autoptr (StmStep) whole = image_tree_commit_step (tree);
  g_autoptr (StmStep) part = image_tree_commit_step (tree);

  /* As after a crash when the header of one is written. */
  g_ptr_array_remove_range (part->children, 1, 2);
  assert_merged (tree, part);
  assert_merged (tree, whole);
  remove_image (self, "upper");
  image_tree_assert_children (tree, "lower", "qcow2");
}

static void
test_commit_grows_the_lower_image (ImageFixture *self, gconstpointer data)
{
  const TreeLayout *layout = data;

  if (!test_images_have_tools ())
    return;

  g_autoptr (ImageTree) tree = image_tree_new (self, layout);
  g_autoptr (StmStep) step = image_tree_commit_step (tree);

  assert_merged (tree, step);
  assert_merged (tree, step);
  remove_image (self, "upper");
  image_tree_assert_children (tree, "lower", layout->lower_format);
  image_tree_assert_shows (tree, "lower", layout->lower_format, tree->upper);
}

static void
test_commit_refuses_a_smaller_upper_image (ImageFixture *self, gconstpointer unused)
{
  static const TreeLayout layout = { .lower_format = "qcow2",
                                     .n_children = 1,
                                     .upper_capacity = 12 * MIB };

  if (!test_images_have_tools ())
    return;

  g_autoptr (ImageTree) tree = image_tree_new (self, &layout);
  g_autoptr (StmStep) step = image_tree_commit_step (tree);

  assert_refused (tree, step, STEMMA_ERROR_NOT_SUPPORTED);
  image_tree_assert_children (tree, "upper", "qcow2");
  image_tree_assert_shows (tree, "lower", "qcow2", tree->lower);
}

static const TreeLayout two_children = { .lower_format = "qcow2",
                                         .has_rest = TRUE,
                                         .n_children = 2 };

static void
assert_untouched (ImageTree *tree)
{
  g_assert_false (stm_progress_is_sealed (tree->fixture->progress));
  image_tree_assert_children (tree, "upper", "qcow2");
  image_tree_assert_shows (tree, "upper", "qcow2", tree->upper);
  image_tree_assert_shows (tree, "lower", "qcow2", tree->lower);
  image_tree_assert_shows (tree, "rest", "qcow2", tree->rest);
}

static void
test_commit_refuses_images_in_use (ImageFixture *self, gconstpointer data)
{
  const char *name = data;

  if (!test_images_have_tools ())
    return;

  g_autoptr (ImageTree) tree = image_tree_new (self, &two_children);
  g_autoptr (StmStep) step = image_tree_commit_step (tree);
  g_autofree char *path = image_fixture_path (self, name);
  /* One that reads relies on it not to change. */
  GSubprocess *holder = test_image_hold (path, "qcow2", g_str_equal (name, "lower"));

  assert_refused (tree, step, STEMMA_ERROR_IN_USE);
  test_image_let_go (holder);
  assert_untouched (tree);
}

static void
test_commit_refuses_changed_headers (ImageFixture *self, gconstpointer data)
{
  const char *name = data;

  if (!test_images_have_tools ())
    return;

  g_autoptr (ImageTree) tree = image_tree_new (self, &two_children);
  g_autoptr (StmStep) step = image_tree_commit_step (tree);
  g_autofree char *path = image_fixture_path (self, name);
  g_autofree char *other = image_fixture_path (self, "other");

  test_image_create (other, "qcow2", TREE_CAPACITY, NULL, NULL);
  g_free (test_run ("qemu-img", "rebase", "-q", "-u", "-f", "qcow2", "-b", other, "-F", "qcow2",
                    path, NULL));
  assert_refused (tree, step, STEMMA_ERROR_CHAIN_BROKEN);
  g_assert_false (stm_progress_is_sealed (self->progress));
}

static void
test_commit_refuses_internal_snapshots (ImageFixture *self, gconstpointer data)
{
  const char *name = data;

  if (!test_images_have_tools ())
    return;

  g_autoptr (ImageTree) tree = image_tree_new (self, &two_children);
  g_autoptr (StmStep) step = image_tree_commit_step (tree);
  g_autofree char *path = image_fixture_path (self, name);

  g_free (test_run ("qemu-img", "snapshot", "-q", "-c", "tag", path, NULL));
  assert_refused (tree, step, STEMMA_ERROR_NOT_SUPPORTED);
  assert_untouched (tree);
}

static void
test_commit_refuses_a_golden_image (ImageFixture *self, gconstpointer unused)
{
  if (!test_images_have_tools ())
    return;

  g_autoptr (ImageTree) tree = image_tree_new (self, &two_children);
  g_autoptr (StmStep) step = image_tree_commit_step (tree);
  StmImage *lower = step->chain->pdata[1];
  StmImage init = *lower;

  init.origin = STM_IMAGE_BACKING;
  step->chain->pdata[1] = stm_image_new (&init);
  stm_image_unref (lower);
  assert_refused (tree, step, STEMMA_ERROR_INVALID_ARGUMENT);
  assert_untouched (tree);
}

static void
test_commit_can_be_cancelled_before_its_start (ImageFixture *self, gconstpointer unused)
{
  if (!test_images_have_tools ())
    return;

  g_autoptr (ImageTree) tree = image_tree_new (self, &two_children);
  g_autoptr (StmStep) step = image_tree_commit_step (tree);

  g_assert_true (stm_progress_cancel (self->progress));
  assert_refused (tree, step, STEMMA_ERROR_CANCELLED);
  assert_untouched (tree);
}

/* Stream. */

static void
test_stream_keeps_what_the_top_shows (ImageFixture *self, gconstpointer data)
{
  const TreeLayout *layout = data;

  if (!test_images_have_tools ())
    return;

  g_autoptr (ImageTree) tree = image_tree_new (self, layout);
  g_autoptr (StmStep) step = image_tree_stream_step (tree);

  assert_merged (tree, step);
  g_assert_cmpuint (stm_progress_get_done (self->progress), ==, step->bytes);
  g_assert_false (stm_progress_is_sealed (self->progress));
  remove_image (self, "upper");
  assert_merged (tree, step);
  image_tree_assert_children (tree, "lower", layout->lower_format);
  image_tree_assert_shows (tree, "lower", layout->lower_format, tree->lower);
}

static void
test_stream_of_the_last_layer_leaves_no_backing (ImageFixture *self, gconstpointer data)
{
  static const TreeLayout layout = { .lower_format = "qcow2", .n_children = 1 };

  if (!test_images_have_tools ())
    return;

  g_autoptr (ImageTree) tree = image_tree_new (self, &layout);
  g_autoptr (StmStep) first = image_tree_stream_step (tree);
  g_autoptr (StmStep) second = image_tree_stream_step (tree);
  StmImage *top = second->chain->pdata[0];
  g_autofree char *lower = image_fixture_path (self, "lower");

  assert_merged (tree, first);
  /* The top, that now stands on the lower image, absorbs that. */
  second->chain->pdata[0] = stm_image_with_backing (top, lower);
  stm_image_unref (top);
  g_ptr_array_remove_index (second->chain, 1);
  assert_merged (tree, second);
  remove_image (self, "upper");
  remove_image (self, "lower");
  assert_merged (tree, second);
  image_tree_assert_children (tree, NULL, NULL);
}

static void
test_stream_refuses_images_in_use (ImageFixture *self, gconstpointer data)
{
  const char *name = data;

  if (!test_images_have_tools ())
    return;

  g_autoptr (ImageTree) tree = image_tree_new (self, &two_children);
  g_autoptr (StmStep) step = image_tree_stream_step (tree);
  g_autofree char *path = image_fixture_path (self, name);
  GSubprocess *holder = test_image_hold (path, "qcow2", /* is_read_only= */ FALSE);

  assert_refused (tree, step, STEMMA_ERROR_IN_USE);
  test_image_let_go (holder);
  assert_untouched (tree);
}

static void
test_stream_can_be_cancelled (ImageFixture *self, gconstpointer unused)
{
  if (!test_images_have_tools ())
    return;

  g_autoptr (ImageTree) tree = image_tree_new (self, &two_children);
  g_autoptr (StmStep) step = image_tree_stream_step (tree);
  g_autoptr (GCancellable) cancellable = g_cancellable_new ();
  g_autoptr (GError) error = NULL;

  g_cancellable_cancel (cancellable);
  g_assert_false (
      stm_driver_merge (self->driver, step, self->policy, self->progress, cancellable, &error));
  g_assert_error (error, STEMMA_ERROR, STEMMA_ERROR_CANCELLED);
  image_fixture_assert_no_endpoints (self);
  assert_untouched (tree);
}

#define ADD(path, data, function)                                                                  \
  g_test_add (path, ImageFixture, data, image_fixture_set_up, function, image_fixture_tear_down)

static void
add_keeping_commit_tests (void)
{
  static const struct
  {
    const char *path;
    TreeLayout layout;
  } keeping[] = {
    { "/qemu/merge/commit-of-a-leaf-into-qcow2", { .lower_format = "qcow2", .has_rest = TRUE } },
    { "/qemu/merge/commit-of-a-leaf-into-raw", { .lower_format = "raw" } },
    { "/qemu/merge/commit-under-one-child", { .lower_format = "qcow2", .n_children = 1 } },
    { "/qemu/merge/commit-under-two-children",
      { .lower_format = "qcow2", .has_rest = TRUE, .n_children = 2 } },
    { "/qemu/merge/commit-under-three-children-into-raw",
      { .lower_format = "raw", .n_children = 3 } },
  };
  static const TreeLayout growing_qcow2 = { .lower_format = "qcow2",
                                            .n_children = 2,
                                            .upper_capacity = 24 * MIB };
  static const TreeLayout growing_raw = { .lower_format = "raw",
                                          .n_children = 1,
                                          .upper_capacity = 24 * MIB };

  for (gsize i = 0; i < G_N_ELEMENTS (keeping); i++)
    ADD (keeping[i].path, &keeping[i].layout, test_commit_keeps_what_children_show);
  ADD ("/qemu/merge/commit-goes-on-with-the-children-left", NULL,
       test_commit_goes_on_with_the_children_left);
  ADD ("/qemu/merge/commit-grows-a-qcow2-image", &growing_qcow2, test_commit_grows_the_lower_image);
  ADD ("/qemu/merge/commit-grows-a-raw-image", &growing_raw, test_commit_grows_the_lower_image);
}

static void
add_refusing_commit_tests (void)
{
  ADD ("/qemu/merge/commit-refuses-a-smaller-upper-image", NULL,
       test_commit_refuses_a_smaller_upper_image);
  ADD ("/qemu/merge/commit-refuses-a-child-in-use", "k1", test_commit_refuses_images_in_use);
  ADD ("/qemu/merge/commit-refuses-an-upper-image-in-use", "upper",
       test_commit_refuses_images_in_use);
  ADD ("/qemu/merge/commit-refuses-a-lower-image-that-is-read", "lower",
       test_commit_refuses_images_in_use);
  ADD ("/qemu/merge/commit-refuses-a-changed-child", "k0", test_commit_refuses_changed_headers);
  ADD ("/qemu/merge/commit-refuses-a-changed-upper-image", "upper",
       test_commit_refuses_changed_headers);
  ADD ("/qemu/merge/commit-refuses-a-changed-lower-image", "lower",
       test_commit_refuses_changed_headers);
  ADD ("/qemu/merge/commit-refuses-a-tag-below", "lower", test_commit_refuses_internal_snapshots);
  ADD ("/qemu/merge/commit-refuses-a-tag-above", "upper", test_commit_refuses_internal_snapshots);
  ADD ("/qemu/merge/commit-refuses-a-golden-image", NULL, test_commit_refuses_a_golden_image);
  ADD ("/qemu/merge/commit-can-be-cancelled-before-its-start", NULL,
       test_commit_can_be_cancelled_before_its_start);
}

static void
add_stream_tests (void)
{
  static const TreeLayout over_qcow2 = { .lower_format = "qcow2",
                                         .has_rest = TRUE,
                                         .n_children = 1 };
  static const TreeLayout over_raw = { .lower_format = "raw", .n_children = 1 };

  ADD ("/qemu/merge/stream-over-qcow2", &over_qcow2, test_stream_keeps_what_the_top_shows);
  ADD ("/qemu/merge/stream-over-raw", &over_raw, test_stream_keeps_what_the_top_shows);
  ADD ("/qemu/merge/stream-of-the-last-layer-leaves-no-backing", NULL,
       test_stream_of_the_last_layer_leaves_no_backing);
  ADD ("/qemu/merge/stream-refuses-a-top-in-use", "k0", test_stream_refuses_images_in_use);
  ADD ("/qemu/merge/stream-refuses-an-absorbed-image-in-use", "upper",
       test_stream_refuses_images_in_use);
  ADD ("/qemu/merge/stream-can-be-cancelled", NULL, test_stream_can_be_cancelled);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  add_keeping_commit_tests ();
  add_refusing_commit_tests ();
  add_stream_tests ();

  return g_test_run ();
}
