/* Merges whose endpoint is killed, or that are cancelled, at any moment: nothing that an image
 * shows changes, and the same step again finishes.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "endpoint-race.h"
#include "image-tree.h"

#include <glib/gstdio.h>

#define MIB ((guint64) 1024 * 1024)
#define ROUNDS 6

static const TreeLayout layout = { .lower_format = "qcow2",
                                   .has_rest = TRUE,
                                   .n_children = 2,
                                   .lower_capacity = 64 * MIB,
                                   .upper_capacity = 64 * MIB,
                                   .bulk = 48 * MIB };

/* A merge, as a verb of a race. */
typedef struct
{
  ImageTree *tree;
  const StmStep *step;
  GCancellable *cancellable;
} Merge;

static gboolean
run_merge (gpointer user_data, GError **error)
{
  const Merge *merge = user_data;
  ImageFixture *fixture = merge->tree->fixture;

  return stm_driver_merge (fixture->driver, merge->step, fixture->policy, fixture->progress,
                           merge->cancellable, error);
}

static guint
measure (ImageFixture *self, StmStep *(*make_step) (ImageTree *tree))
{
  g_autoptr (ImageTree) tree = image_tree_new (self, &layout);
  g_autoptr (StmStep) step = make_step (tree);

  return endpoint_race_measure (self, run_merge, &(Merge){ .tree = tree, .step = step });
}

static void
assert_upper_view (ImageTree *tree)
{
  for (guint i = 0; i < layout.n_children; i++)
    {
      g_autofree char *name = image_tree_child_name (i);

      image_tree_assert_shows (tree, name, "qcow2", tree->children[i]);
    }
  image_tree_assert_shows (tree, "upper", "qcow2", tree->upper);
  image_tree_assert_shows (tree, "rest", "qcow2", tree->rest);
}

static void
finish_and_remove_upper (ImageTree *tree, const StmStep *step)
{
  g_autofree char *upper = image_fixture_path (tree->fixture, "upper");
  g_autoptr (GError) error = NULL;

  g_assert_true (image_tree_merge (tree, step, &error));
  g_assert_no_error (error);
  if (step->kind == STM_STEP_COMMIT)
    g_assert_cmpint (g_unlink (upper), ==, 0);
}

/* Not a cluster too many is left. */
static void
repair (ImageTree *tree, const char *name, const char *backing)
{
  ImageFixture *fixture = tree->fixture;
  g_autoptr (StmImage)
      image = image_fixture_record (fixture, name, "qcow2", backing, layout.upper_capacity);
  g_autoptr (GError) error = NULL;
  gboolean is_repaired = stm_driver_repair_image (fixture->driver, image, fixture->policy, &error);

  g_assert_no_error (error);
  g_assert_true (is_repaired);
  g_free (test_run ("qemu-img", "check", "-q", "-f", "qcow2", image->path, NULL));
}

static void
test_killed_commits_are_finished (ImageFixture *self, gconstpointer unused)
{
  if (!test_images_have_tools ())
    return;

  guint duration_ms = measure (self, image_tree_commit_step);
  guint n_killed = 0;

  for (guint round = 0; round < ROUNDS; round++)
    {
      g_autoptr (ImageTree) tree = image_tree_new (self, &layout);
      g_autoptr (StmStep) step = image_tree_commit_step (tree);
      Merge merge = { .tree = tree, .step = step };
      guint moment_ms = endpoint_race_choose_moment (round, ROUNDS, duration_ms);

      n_killed += endpoint_race_run (self, run_merge, &merge, moment_ms) ? 0 : 1;
      assert_upper_view (tree);
      finish_and_remove_upper (tree, step);
      repair (tree, "lower", "rest");
      image_tree_assert_children (tree, "lower", "qcow2");
      image_tree_assert_shows (tree, "lower", "qcow2", tree->upper);
    }
  g_assert_cmpuint (n_killed, >, 0);
}

static void
test_killed_streams_are_finished (ImageFixture *self, gconstpointer unused)
{
  if (!test_images_have_tools ())
    return;

  guint duration_ms = measure (self, image_tree_stream_step);
  guint n_killed = 0;

  for (guint round = 0; round < ROUNDS; round++)
    {
      g_autoptr (ImageTree) tree = image_tree_new (self, &layout);
      g_autoptr (StmStep) step = image_tree_stream_step (tree);
      Merge merge = { .tree = tree, .step = step };
      guint moment_ms = endpoint_race_choose_moment (round, ROUNDS, duration_ms);
      g_autofree char *top = image_fixture_path (self, "k0");
      g_autofree char *lower = image_fixture_path (self, "lower");

      n_killed += endpoint_race_run (self, run_merge, &merge, moment_ms) ? 0 : 1;
      assert_upper_view (tree);
      image_tree_assert_shows (tree, "lower", "qcow2", tree->lower);
      finish_and_remove_upper (tree, step);

      g_autofree char *backing = test_image_get_backing (top, NULL);

      g_assert_cmpstr (backing, ==, lower);
      repair (tree, "k0", "lower");
      assert_upper_view (tree);
    }
  g_assert_cmpuint (n_killed, >, 0);
}

static void
test_cancelled_streams_change_nothing (ImageFixture *self, gconstpointer unused)
{
  if (!test_images_have_tools ())
    return;

  guint duration_ms = measure (self, image_tree_stream_step);
  g_autofree char *top = image_fixture_path (self, "k0");
  g_autofree char *upper = image_fixture_path (self, "upper");
  guint n_cancelled = 0;

  for (guint round = 0; round < ROUNDS; round++)
    {
      g_autoptr (ImageTree) tree = image_tree_new (self, &layout);
      g_autoptr (StmStep) step = image_tree_stream_step (tree);
      g_autoptr (GCancellable) cancellable = g_cancellable_new ();
      Merge merge = { .tree = tree, .step = step, .cancellable = cancellable };
      guint moment_ms = endpoint_race_choose_moment (round, ROUNDS, duration_ms);
      gboolean is_merged = endpoint_race_cancel (self, run_merge, &merge, cancellable, moment_ms);

      assert_upper_view (tree);
      test_image_assert_sound (top);
      if (is_merged)
        continue;
      n_cancelled++;

      g_autofree char *backing = test_image_get_backing (top, NULL);

      g_assert_cmpstr (backing, ==, upper);
    }
  g_assert_cmpuint (n_cancelled, >, 0);
}

#define ADD(path, function)                                                                        \
  g_test_add (path, ImageFixture, NULL, image_fixture_set_up, function, image_fixture_tear_down)

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);

  ADD ("/qemu/merge/killed-commits-are-finished", test_killed_commits_are_finished);
  ADD ("/qemu/merge/killed-streams-are-finished", test_killed_streams_are_finished);
  ADD ("/qemu/merge/cancelled-streams-change-nothing", test_cancelled_streams_change_nothing);

  return g_test_run ();
}
