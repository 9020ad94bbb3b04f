/* Merges whose endpoint is killed, or that are cancelled, at any moment: nothing that an image
 * shows changes, and the same step again finishes.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "stemma-error.h"

#include "image-tree.h"

#include <glib/gstdio.h>

#include <signal.h>
#include <stdlib.h>

#define MIB ((guint64) 1024 * 1024)
#define ROUNDS 6

static const TreeLayout layout = { .lower_format = "qcow2",
                                   .has_rest = TRUE,
                                   .n_children = 2,
                                   .lower_capacity = 64 * MIB,
                                   .upper_capacity = 64 * MIB,
                                   .bulk = 48 * MIB };

/* A merge on a worker, and what happens to it from the main loop. */
typedef struct
{
  ImageTree *tree;
  const StmStep *step;
  GCancellable *cancellable;
  GMainLoop *loop;
  gboolean is_merged;
  GError *error;
  gint64 duration; /* microseconds */
} Race;

static gboolean
end_race (gpointer user_data)
{
  Race *race = user_data;

  g_main_loop_quit (race->loop);
  return G_SOURCE_REMOVE;
}

static gpointer
run_merge (gpointer user_data)
{
  Race *race = user_data;
  ImageFixture *fixture = race->tree->fixture;
  gint64 start = g_get_monotonic_time ();

  race->is_merged = stm_driver_merge (fixture->driver, race->step, fixture->policy,
                                      fixture->progress, race->cancellable, &race->error);
  race->duration = g_get_monotonic_time () - start;
  g_idle_add (end_race, race);
  return NULL;
}

static gboolean
kill_endpoint (gpointer user_data)
{
  Race *race = user_data;
  g_autofree char *directory = g_build_filename (race->tree->fixture->run_directory, "endpoints",
                                                 NULL);
  g_autoptr (GDir) listing = g_dir_open (directory, 0, NULL);
  const char *name;

  while (listing != NULL && (name = g_dir_read_name (listing)) != NULL)
    (void) kill (atoi (name), SIGKILL);

  return G_SOURCE_REMOVE;
}

static gboolean
cancel_merge (gpointer user_data)
{
  g_cancellable_cancel (((Race *) user_data)->cancellable);
  return G_SOURCE_REMOVE;
}

static void
race_run (Race *race, GSourceFunc disturbance, guint after_ms)
{
  GThread *worker;
  guint source = 0;

  race->loop = g_main_loop_new (NULL, FALSE);
  if (disturbance != NULL)
    source = g_timeout_add (after_ms, disturbance, race);
  worker = g_thread_new ("merge", run_merge, race);
  g_main_loop_run (race->loop);
  g_thread_join (worker);
  if (source != 0 && g_main_context_find_source_by_id (NULL, source) != NULL)
    g_source_remove (source);
  g_clear_pointer (&race->loop, g_main_loop_unref);
}

static guint
measure (ImageFixture *self, StmStep *(*make_step) (ImageTree *tree))
{
  g_autoptr (ImageTree) tree = image_tree_new (self, &layout);
  g_autoptr (StmStep) step = make_step (tree);
  Race race = { .tree = tree, .step = step };

  race_run (&race, NULL, 0);
  g_assert_no_error (race.error);
  g_assert_true (race.is_merged);
  return race.duration / 1000;
}

/* Evenly over the time that it takes, with some chance. */
static guint
choose_moment (guint round, guint duration_ms)
{
  return duration_ms * round / ROUNDS
         + g_test_rand_int_range (0, MAX (duration_ms / ROUNDS, 1) + 1);
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
      Race race = { .tree = tree, .step = step };
      guint moment_ms = choose_moment (round, duration_ms);

      race_run (&race, kill_endpoint, moment_ms);
      g_test_message ("after %u of %u ms: %s", moment_ms, duration_ms,
                      race.error != NULL ? race.error->message : "merged");
      if (race.error != NULL)
        {
          g_assert_error (race.error, STEMMA_ERROR, STEMMA_ERROR_HYPERVISOR);
          g_clear_error (&race.error);
          n_killed++;
        }
      image_fixture_assert_no_endpoints (self);
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
      Race race = { .tree = tree, .step = step };
      guint moment_ms = choose_moment (round, duration_ms);
      g_autofree char *top = image_fixture_path (self, "k0");
      g_autofree char *lower = image_fixture_path (self, "lower");

      race_run (&race, kill_endpoint, moment_ms);
      g_test_message ("after %u of %u ms: %s", moment_ms, duration_ms,
                      race.error != NULL ? race.error->message : "merged");
      if (race.error != NULL)
        {
          g_assert_error (race.error, STEMMA_ERROR, STEMMA_ERROR_HYPERVISOR);
          g_clear_error (&race.error);
          n_killed++;
        }
      image_fixture_assert_no_endpoints (self);
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
      Race race = { .tree = tree, .step = step, .cancellable = cancellable };

      race_run (&race, cancel_merge, choose_moment (round, duration_ms));
      assert_upper_view (tree);
      test_image_assert_sound (top);
      image_fixture_assert_no_endpoints (self);
      if (race.error == NULL)
        continue;
      g_assert_error (race.error, STEMMA_ERROR, STEMMA_ERROR_CANCELLED);
      g_clear_error (&race.error);
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
