/* Kills endpoints by their records, and cancels.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "endpoint-race.h"

#include "stemma-error.h"

#include <signal.h>
#include <stdlib.h>

typedef struct
{
  ImageFixture *fixture;
  EndpointVerb verb;
  gpointer user_data;
  GCancellable *cancellable; /* NULL: kill */
  GMainLoop *loop;
  gboolean is_done;
  GError *error;
} Race;

static gboolean
end_race (gpointer user_data)
{
  g_main_loop_quit (((Race *) user_data)->loop);
  return G_SOURCE_REMOVE;
}

static gpointer
run_verb (gpointer user_data)
{
  Race *race = user_data;

  race->is_done = race->verb (race->user_data, &race->error);
  g_idle_add (end_race, race);
  return NULL;
}

static gboolean
kill_endpoints (gpointer user_data)
{
  Race *race = user_data;
  g_autofree char *directory = g_build_filename (race->fixture->run_directory, "endpoints", NULL);
  g_autoptr (GDir) listing = g_dir_open (directory, 0, NULL);
  const char *name;

  while (listing != NULL && (name = g_dir_read_name (listing)) != NULL)
    (void) kill (atoi (name), SIGKILL);

  return G_SOURCE_REMOVE;
}

static gboolean
cancel_verb (gpointer user_data)
{
  g_cancellable_cancel (((Race *) user_data)->cancellable);
  return G_SOURCE_REMOVE;
}

static void
run (Race *race, guint after_ms)
{
  GThread *worker;
  guint source = 0;

  race->loop = g_main_loop_new (NULL, FALSE);
  if (after_ms != G_MAXUINT)
    source = g_timeout_add (after_ms, race->cancellable != NULL ? cancel_verb : kill_endpoints,
                            race);
  worker = g_thread_new ("verb", run_verb, race);
  g_main_loop_run (race->loop);
  g_thread_join (worker);
  if (source != 0 && g_main_context_find_source_by_id (NULL, source) != NULL)
    g_source_remove (source);
  g_clear_pointer (&race->loop, g_main_loop_unref);
  image_fixture_assert_no_endpoints (race->fixture);
}

static gboolean
run_disturbed (Race *race, StemmaError expected, guint after_ms)
{
  run (race, after_ms);
  g_test_message ("%s after %u ms: %s", race->cancellable != NULL ? "cancelled" : "killed",
                  after_ms, race->error != NULL ? race->error->message : "done");
  g_assert_cmpint (race->is_done, ==, race->error == NULL);
  if (race->error != NULL)
    g_assert_error (race->error, STEMMA_ERROR, (int) expected);
  g_clear_error (&race->error);

  return race->is_done;
}

gboolean
endpoint_race_run (ImageFixture *fixture, EndpointVerb verb, gpointer user_data, guint after_ms)
{
  Race race = { .fixture = fixture, .verb = verb, .user_data = user_data };

  return run_disturbed (&race, STEMMA_ERROR_HYPERVISOR, after_ms);
}

gboolean
endpoint_race_cancel (ImageFixture *fixture, EndpointVerb verb, gpointer user_data,
                      GCancellable *cancellable, guint after_ms)
{
  Race race = {
    .fixture = fixture, .verb = verb, .user_data = user_data, .cancellable = cancellable
  };

  return run_disturbed (&race, STEMMA_ERROR_CANCELLED, after_ms);
}

guint
endpoint_race_choose_moment (guint round, guint n_rounds, guint duration_ms)
{
  guint part_ms = MAX (duration_ms / n_rounds, 1);

  return duration_ms * round / n_rounds + (guint) g_test_rand_int_range (0, (gint32) part_ms + 1);
}

guint
endpoint_race_measure (ImageFixture *fixture, EndpointVerb verb, gpointer user_data)
{
  Race race = { .fixture = fixture, .verb = verb, .user_data = user_data };
  gint64 start = g_get_monotonic_time ();

  run (&race, G_MAXUINT);
  g_assert_no_error (race.error);
  g_assert_true (race.is_done);

  return (g_get_monotonic_time () - start) / 1000;
}
