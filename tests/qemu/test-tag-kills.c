/* Verbs on internal snapshots whose processes are killed at any moment: nothing is lost, and what
 * was begun can be taken back or done again.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "image-fixture.h"
#include "stemma-error.h"

#include <glib/gstdio.h>
#include <json-glib/json-glib.h>

#include <signal.h>
#include <stdlib.h>
#include <string.h>

#define MIB (G_GUINT64_CONSTANT (1) << 20)
/* With small clusters: a table of the first level of four pages, and two thousand of the second. */
#define CAPACITY (64 * MIB)
#define ROUNDS 8
/* Clusters of a list of two tags, once for each kill. */
#define MAX_LEAKS 2
/* In the place of a victim. */
#define CANCELLED ""

#define RUN(...) g_free (test_run (__VA_ARGS__, NULL))

/* An image and what it has shown. */
typedef struct
{
  ImageFixture *fixture;
  StmImage *image;
  char *template_path;
  char *tagged;  /* digest of what the tag "a" holds */
  char *current; /* and of what the image shows */
  StmPlan *plan; /* to go to "a" */
} World;

static World *
world_new (ImageFixture *fixture)
{
  World *self = g_new0 (World, 1);

  self->fixture = fixture;
  self->image = image_fixture_record (fixture, "disk", "qcow2", NULL, CAPACITY);
  self->template_path = image_fixture_path (fixture, "template");
  RUN ("qemu-img", "create", "-q", "-f", "qcow2", "-o", "cluster_size=512", self->template_path,
       "64M");
  test_image_write (self->template_path, "qcow2", 1, 0, CAPACITY / 2);
  self->tagged = test_image_digest (self->template_path, "qcow2");
  RUN ("qemu-img", "snapshot", "-c", "a", self->template_path);
  /* Some of each table's clusters are shared, and some tables whole. */
  for (guint64 i = 0; i < 24; i++)
    test_image_write (self->template_path, "qcow2", 2, i * 2 * MIB + 512, MIB);
  self->current = test_image_digest (self->template_path, "qcow2");

  self->plan = stm_plan_new (STM_OPERATION_REVERT, TEST_PLAN_ID, "domain");
  stm_plan_add_step (
      self->plan,
      &(StmStep){ .kind = STM_STEP_TAG, .target = "vda", .image = self->image, .name = "back" });
  stm_plan_add_step (self->plan, &(StmStep){ .kind = STM_STEP_GOTO,
                                             .target = "vda",
                                             .image = self->image,
                                             .name = "a",
                                             .fallback = "back" });
  stm_plan_add_step (
      self->plan,
      &(StmStep){ .kind = STM_STEP_UNTAG, .target = "vda", .image = self->image, .name = "back" });
  return self;
}

static void
world_free (World *self)
{
  stm_image_unref (self->image);
  stm_plan_unref (self->plan);
  g_free (self->template_path);
  g_free (self->tagged);
  g_free (self->current);
  g_free (self);
}

G_DEFINE_AUTOPTR_CLEANUP_FUNC (World, world_free)

static void
world_reset (World *self)
{
  RUN ("cp", "--sparse=always", self->template_path, self->image->path);
}

static const StmStep *
get_step (World *self, guint place)
{
  return g_ptr_array_index (self->plan->steps, place);
}

static void
assert_shows (World *self, const char *digest)
{
  g_autofree char *shown = test_image_digest (self->image->path, "qcow2");

  g_assert_cmpstr (shown, ==, digest);
}

static void
assert_tags (World *self, const char *expected)
{
  const StmImage *image = self->image;
  const StmSurveyRequest request = { .images = &image,
                                     .n_images = 1,
                                     .policy = self->fixture->policy };
  g_autoptr (GError) error = NULL;
  g_autoptr (StmSurvey) survey = stm_driver_survey (self->fixture->driver, &request, NULL, &error);
  g_autoptr (GString) names = g_string_new (NULL);

  g_assert_no_error (error);

  const StmFacts *facts = stm_survey_get (survey, image->path);

  g_assert_no_error (facts->problem);
  for (guint i = 0; i < facts->tags->len; i++)
    g_string_append_printf (names, "%s%s", i > 0 ? " " : "",
                            ((StmTagFacts *) facts->tags->pdata[i])->name);
  g_assert_cmpstr (names->str, ==, expected);
}

/* No cluster too many either, but for a list of the tags: a kill while QEMU puts a new one in the
 * place of the old leaves one of them counted, and nothing tells of it. */
static void
assert_clean (World *self)
{
  const char *const arguments[] = { "qemu-img",        "check", "--output=json", "-f", "qcow2",
                                    self->image->path, NULL };
  g_autofree char *output = NULL;
  g_autoptr (JsonNode) report = NULL;
  g_autoptr (GError) error = NULL;
  int status = 0;

  g_spawn_sync (NULL, (char **) arguments, NULL, G_SPAWN_SEARCH_PATH, NULL, NULL, &output, NULL,
                &status, &error);
  g_assert_no_error (error);
  report = json_from_string (output, &error);
  g_assert_no_error (error);

  JsonObject *found = json_node_get_object (report);

  g_assert_cmpint (json_object_get_int_member_with_default (found, "check-errors", -1), ==, 0);
  g_assert_cmpint (json_object_get_int_member_with_default (found, "corruptions", 0), ==, 0);
  g_assert_cmpint (json_object_get_int_member_with_default (found, "leaks", 0), <=, MAX_LEAKS);
}

/* --- a verb on a worker, and what happens to it from the main loop ---------------------------- */

typedef enum
{
  VERB_TAG,
  VERB_GOTO,
  VERB_UNTAG,
  VERB_ABANDON,
} Verb;

typedef struct
{
  World *world;
  Verb verb;
  const char *victim;        /* what its program's name begins with; NULL: all are killed */
  GCancellable *cancellable; /* used instead; NULL: they are killed */
  GMainLoop *loop;
  gboolean is_done;
  GError *error;
  gint64 duration; /* microseconds */
} Race;

static gboolean
end_race (gpointer user_data)
{
  g_main_loop_quit (((Race *) user_data)->loop);
  return G_SOURCE_REMOVE;
}

static gboolean
run (World *world, Verb verb, GCancellable *cancellable, GError **error)
{
  StmDriver *driver = world->fixture->driver;
  const StmPathPolicy *policy = world->fixture->policy;

  switch (verb)
    {
    case VERB_TAG:
      return stm_driver_make_tags (driver, world->plan, policy, cancellable, error);
    case VERB_GOTO:
      return stm_driver_go_to_tag (driver, get_step (world, 1), policy, cancellable, error);
    case VERB_UNTAG:
      return image_fixture_remove_mark (world->fixture, get_step (world, 2), error);
    case VERB_ABANDON:
      return stm_driver_abandon_marks (driver, world->plan, policy, error);
    }
  g_assert_not_reached ();
}

static void
assert_runs (World *world, Verb verb)
{
  g_autoptr (GError) error = NULL;
  gboolean is_done = run (world, verb, /* cancellable= */ NULL, &error);

  g_assert_no_error (error);
  g_assert_true (is_done);
}

static gpointer
work (gpointer user_data)
{
  Race *race = user_data;
  gint64 start = g_get_monotonic_time ();

  race->is_done = run (race->world, race->verb, race->cancellable, &race->error);
  race->duration = g_get_monotonic_time () - start;
  g_idle_add (end_race, race);
  return NULL;
}

static gboolean
is_victim (const Race *race, const char *pid)
{
  g_autofree char *path = g_strdup_printf ("/proc/%d/comm", atoi (pid));
  g_autofree char *name = NULL;

  return race->victim == NULL
         || (g_file_get_contents (path, &name, NULL, NULL)
             && g_str_has_prefix (name, race->victim));
}

static gboolean
disturb_verb (gpointer user_data)
{
  Race *race = user_data;
  g_autofree char *directory = g_build_filename (race->world->fixture->run_directory, "endpoints",
                                                 NULL);
  g_autoptr (GDir) listing = g_dir_open (directory, 0, NULL);
  const char *name;

  if (race->cancellable != NULL)
    {
      g_cancellable_cancel (race->cancellable);
      return G_SOURCE_REMOVE;
    }
  while (listing != NULL && (name = g_dir_read_name (listing)) != NULL)
    if (is_victim (race, name))
      (void) kill (atoi (name), SIGKILL);

  return G_SOURCE_REMOVE;
}

static void
race_run (Race *race, guint after_ms)
{
  guint source = after_ms > 0 ? g_timeout_add (after_ms, disturb_verb, race) : 0;
  GThread *worker;

  race->loop = g_main_loop_new (NULL, FALSE);
  worker = g_thread_new ("verb", work, race);
  g_main_loop_run (race->loop);
  g_thread_join (worker);
  if (source != 0 && g_main_context_find_source_by_id (NULL, source) != NULL)
    g_source_remove (source);
  g_clear_pointer (&race->loop, g_main_loop_unref);
  image_fixture_assert_no_endpoints (race->world->fixture);
}

static guint
measure (World *world, Verb verb)
{
  Race race = { .world = world, .verb = verb };

  race_run (&race, 0);
  g_assert_no_error (race.error);

  return MAX (race.duration / 1000, 1);
}

/* Kills a verb in one round; whether it was ended. */
static gboolean
disturb (World *world, Verb verb, const char *victim, guint round, guint duration_ms)
{
  gboolean is_cancelled = g_strcmp0 (victim, CANCELLED) == 0;
  int expected = is_cancelled ? STEMMA_ERROR_CANCELLED : STEMMA_ERROR_HYPERVISOR;
  g_autoptr (GCancellable) cancellable = is_cancelled ? g_cancellable_new () : NULL;
  Race race = { .world = world, .verb = verb, .victim = victim, .cancellable = cancellable };
  guint moment_ms = 1 + duration_ms * round / ROUNDS
                    + g_test_rand_int_range (0, MAX (duration_ms / ROUNDS, 1) + 1);

  race_run (&race, moment_ms);
  g_test_message ("after %u of %u ms: %s", moment_ms, duration_ms,
                  race.error != NULL ? race.error->message : "done");
  if (race.error == NULL)
    return FALSE;
  g_assert_error (race.error, STEMMA_ERROR, expected);
  g_clear_error (&race.error);

  return TRUE;
}

/* --- tests ------------------------------------------------------------------------------------ */

static void
test_tag (ImageFixture *fixture, gconstpointer unused)
{
  if (!test_images_have_tools ())
    return;

  g_autoptr (World) world = world_new (fixture);
  guint n_ended = 0;
  guint duration_ms;

  world_reset (world);
  duration_ms = measure (world, VERB_TAG);
  for (guint round = 0; round < ROUNDS; round++)
    {
      world_reset (world);
      n_ended += disturb (world, VERB_TAG, NULL, round, duration_ms) ? 1 : 0;
      assert_shows (world, world->current);
      assert_runs (world, VERB_ABANDON);
      assert_tags (world, "a");
      assert_shows (world, world->current);
      assert_clean (world);
    }
  g_assert_cmpuint (n_ended, >, 0);
}

static void
go_and_take_back (World *world, const char *victim)
{
  guint n_ended = 0;
  guint duration_ms;

  world_reset (world);
  assert_runs (world, VERB_TAG);
  duration_ms = measure (world, VERB_GOTO);
  assert_shows (world, world->tagged);
  for (guint round = 0; round < ROUNDS; round++)
    {
      world_reset (world);
      assert_runs (world, VERB_TAG);
      n_ended += disturb (world, VERB_GOTO, victim, round, duration_ms) ? 1 : 0;
      /* Half of them go on, as a caller may that only tries again. */
      if (round % 2 == 1)
        {
          assert_runs (world, VERB_GOTO);
          assert_shows (world, world->tagged);
        }
      assert_runs (world, VERB_ABANDON);
      assert_tags (world, "a");
      assert_shows (world, world->current);
      assert_clean (world);
    }
  g_assert_cmpuint (n_ended, >, 0);
}

static void
test_goto_endpoint (ImageFixture *fixture, gconstpointer unused)
{
  if (!test_images_have_tools ())
    return;

  g_autoptr (World) world = world_new (fixture);

  go_and_take_back (world, "qemu-system");
}

static void
test_goto_tool (ImageFixture *fixture, gconstpointer unused)
{
  if (!test_images_have_tools ())
    return;

  g_autoptr (World) world = world_new (fixture);

  go_and_take_back (world, "qemu-img");
}

static void
test_goto_all (ImageFixture *fixture, gconstpointer unused)
{
  if (!test_images_have_tools ())
    return;

  g_autoptr (World) world = world_new (fixture);

  go_and_take_back (world, NULL);
}

static void
test_goto_cancelled (ImageFixture *fixture, gconstpointer unused)
{
  if (!test_images_have_tools ())
    return;

  g_autoptr (World) world = world_new (fixture);

  go_and_take_back (world, CANCELLED);
}

/* Taking back is itself ended, and done again. */
static void
test_abandon (ImageFixture *fixture, gconstpointer unused)
{
  if (!test_images_have_tools ())
    return;

  g_autoptr (World) world = world_new (fixture);
  guint n_ended = 0;
  guint duration_ms;

  world_reset (world);
  assert_runs (world, VERB_TAG);
  assert_runs (world, VERB_GOTO);
  duration_ms = measure (world, VERB_ABANDON);
  for (guint round = 0; round < ROUNDS; round++)
    {
      world_reset (world);
      assert_runs (world, VERB_TAG);
      assert_runs (world, VERB_GOTO);
      n_ended += disturb (world, VERB_ABANDON, NULL, round, duration_ms) ? 1 : 0;
      assert_runs (world, VERB_ABANDON);
      assert_tags (world, "a");
      assert_shows (world, world->current);
      assert_clean (world);
    }
  g_assert_cmpuint (n_ended, >, 0);
}

static void
test_untag (ImageFixture *fixture, gconstpointer unused)
{
  if (!test_images_have_tools ())
    return;

  g_autoptr (World) world = world_new (fixture);
  guint n_ended = 0;
  guint duration_ms;

  world_reset (world);
  assert_runs (world, VERB_TAG);
  assert_runs (world, VERB_GOTO);
  duration_ms = measure (world, VERB_UNTAG);
  for (guint round = 0; round < ROUNDS; round++)
    {
      world_reset (world);
      assert_runs (world, VERB_TAG);
      assert_runs (world, VERB_GOTO);
      n_ended += disturb (world, VERB_UNTAG, NULL, round, duration_ms) ? 1 : 0;
      assert_shows (world, world->tagged);
      assert_runs (world, VERB_UNTAG);
      assert_tags (world, "a");
      assert_shows (world, world->tagged);
      assert_clean (world);
    }
  g_assert_cmpuint (n_ended, >, 0);
}

#define ADD(path, function)                                                                        \
  g_test_add (path, ImageFixture, NULL, image_fixture_set_up, function, image_fixture_tear_down)

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);

  ADD ("/qemu/tags/a-tag-that-was-killed-leaves-nothing", test_tag);
  ADD ("/qemu/tags/going-is-taken-back-when-the-endpoint-is-killed", test_goto_endpoint);
  ADD ("/qemu/tags/going-is-taken-back-when-the-tool-is-killed", test_goto_tool);
  ADD ("/qemu/tags/going-is-taken-back-when-both-are-killed", test_goto_all);
  ADD ("/qemu/tags/going-is-taken-back-when-it-is-cancelled", test_goto_cancelled);
  ADD ("/qemu/tags/taking-back-that-was-killed-is-done-again", test_abandon);
  ADD ("/qemu/tags/a-removal-that-was-killed-is-done-again", test_untag);

  return g_test_run ();
}
