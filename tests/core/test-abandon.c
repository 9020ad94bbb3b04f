/* Deletions that are given up between and within their merges: the records agree with the headers,
 * and each snapshot that is not said to be lost shows what it did.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "image-world.h"

#include "stemma-error.h"
#include "stm-abandon.h"

static const char *const one_disk[] = { "vda", NULL };

/* What each snapshot of the machine shows, by name. */
static GHashTable *
read_all (World *world)
{
  GHashTable *contents = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, g_free);
  g_autoptr (GPtrArray) moments = stm_tree_subtree (world_tree (world, "vm"), NULL);

  for (guint i = 0; i < moments->len; i++)
    {
      const StmMoment *moment = moments->pdata[i];
      int *content = g_new (int, WORLD_BLOCKS);

      world_read (world, moment->disks[0].frozen, content);
      g_hash_table_insert (contents, g_strdup (moment->name), content);
    }

  return contents;
}

/* root - a - b - c (active, written) and a - d, each with a block of its own. */
static World *
make_tree (gboolean has_big_root)
{
  World *world = world_new ();
  static const char *const line[] = { "root", "a", "b", "c" };

  world_define (world, "vm", one_disk);
  for (guint i = 0; i < WORLD_BLOCKS && has_big_root; i++)
    world_write (world, "vm", "vda", (int) i, 90 + (int) i);
  for (guint i = 0; i < G_N_ELEMENTS (line); i++)
    {
      world_write (world, "vm", "vda", (int) i, 10 + (int) i);
      world_write (world, "vm", "vda", 5, 20 + (int) i);
      world_create (world, "vm", line[i]);
    }
  world_make_checkpoint (world, "vm", "check");
  world_revert (world, "vm", "a");
  world_write (world, "vm", "vda", 4, 30);
  world_create (world, "vm", "d");
  world_revert (world, "vm", "c");
  world_write (world, "vm", "vda", 4, 40);

  return world;
}

static gboolean
was_to_go (const StmPlan *plan, const StmMoment *moment)
{
  for (guint i = 0; i < plan->undo->put_moments->len; i++)
    if (g_str_equal (((StmMoment *) plan->undo->put_moments->pdata[i])->id, moment->id))
      return TRUE;

  return FALSE;
}

/* Gives how many are lost. */
static guint
assert_kept (World *world, const StmPlan *plan, GHashTable *before)
{
  g_autoptr (GHashTable) now = read_all (world);
  GHashTableIter iter;
  gpointer name, content;
  guint n_lost = 0;

  g_assert_cmpuint (g_hash_table_size (now), ==, g_hash_table_size (before));
  g_hash_table_iter_init (&iter, before);
  while (g_hash_table_iter_next (&iter, &name, &content))
    {
      const StmMoment *moment = world_moment (world, "vm", name);

      g_assert_cmpint (moment->state, ==, STM_STATE_SHUTOFF);
      if (moment->health == STM_HEALTH_INCONSISTENT)
        {
          g_assert_true (was_to_go (plan, moment));
          n_lost++;
        }
      else
        g_assert_cmpmem (content, WORLD_BLOCKS * sizeof (int), g_hash_table_lookup (now, name),
                         WORLD_BLOCKS * sizeof (int));
    }

  return n_lost;
}

static void
assert_lives_on (World *world, GHashTable *before)
{
  GHashTableIter iter;
  gpointer name, content;

  g_hash_table_iter_init (&iter, before);
  while (g_hash_table_iter_next (&iter, &name, &content))
    {
      int now[WORLD_BLOCKS];

      if (world_moment (world, "vm", name)->health == STM_HEALTH_INCONSISTENT)
        continue;
      world_revert (world, "vm", name);
      world_check (world);
      world_read (world, world_disk (world, "vm", "vda")->source, now);
      g_assert_cmpmem (content, sizeof now, now, sizeof now);
    }
}

typedef struct
{
  const char *name;
  StmDeleteScope scope;
  gboolean has_big_root;
} Case;

static const Case cases[] = {
  { "root", STM_DELETE_ONE, FALSE },    { "root", STM_DELETE_ONE, TRUE },
  { "a", STM_DELETE_ONE, FALSE },       { "b", STM_DELETE_ONE, FALSE },
  { "c", STM_DELETE_ONE, FALSE },       { "d", STM_DELETE_ONE, FALSE },
  { "a", STM_DELETE_SUBTREE, FALSE },   { "root", STM_DELETE_SUBTREE, FALSE },
  { "root", STM_DELETE_SUBTREE, TRUE }, { "a", STM_DELETE_CHILDREN, TRUE },
};

static StmPlan *
plan_case (World *world, const Case *self)
{
  g_autoptr (GError) error = NULL;
  StmPlan *plan = world_plan_delete (world, "vm", self->name,
                                     (StmDeleteRequest){ .scope = self->scope }, &error);

  g_assert_no_error (error);

  return plan;
}

static guint
count_merges (const StmPlan *plan)
{
  return stm_plan_n_steps_of (plan, STM_STEP_COMMIT) + stm_plan_n_steps_of (plan, STM_STEP_STREAM);
}

/* Abandoned after so many merges. */
static void
play (const Case *self, guint n_done)
{
  g_autoptr (World) world = make_tree (self->has_big_root);
  g_autoptr (GHashTable) before = read_all (world);
  g_autoptr (StmPlan) plan = plan_case (world, self);
  g_autofree char *told = world_tell (plan);
  int active[WORLD_BLOCKS], active_now[WORLD_BLOCKS];
  guint n_lost;

  g_test_message ("%s, scope %d, %u merges of: %s", self->name, self->scope, n_done, told);
  world_read (world, world_disk (world, "vm", "vda")->source, active);
  world_abandon (world, plan, n_done);
  world_check (world);
  world_read (world, world_disk (world, "vm", "vda")->source, active_now);
  g_assert_cmpmem (active, sizeof active, active_now, sizeof active_now);
  n_lost = assert_kept (world, plan, before);
  /* Nothing is lost but by a commit. */
  g_assert_true (n_lost == 0 || stm_plan_n_steps_of (plan, STM_STEP_COMMIT) > 0);
  assert_lives_on (world, before);
}

static void
test_cases (void)
{
  guint n_merges = 0;

  for (gsize i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      g_autoptr (World) world = make_tree (cases[i].has_big_root);
      g_autoptr (StmPlan) plan = plan_case (world, &cases[i]);

      g_test_message ("case %zu: %u merges", i, count_merges (plan));
      n_merges += count_merges (plan);
      for (guint n_done = 0; n_done <= count_merges (plan); n_done++)
        play (&cases[i], n_done);
    }
  g_assert_cmpuint (n_merges, >, 8);
}

/* Killed when some of the headers were moved already, before the merge was recorded as done. */
static void
test_headers_prove_what_was_done (void)
{
  g_autoptr (World) world = make_tree (FALSE);
  g_autoptr (GHashTable) before = read_all (world);
  g_autoptr (StmPlan) plan = plan_case (world, &cases[0]);
  const StmStep *step = plan->steps->pdata[0];
  g_autoptr (GPtrArray) images = g_ptr_array_new ();
  WorldFile *child = world_get_file (world, ((StmImage *) step->children->pdata[1])->path);

  g_assert_cmpint (step->kind, ==, STM_STEP_COMMIT);
  g_assert_cmpuint (step->children->len, ==, 2);
  world_apply (world, plan->begin);
  for (guint i = 0; i < WORLD_BLOCKS; i++)
    {
      WorldFile *upper = world_get_file (world, ((StmImage *) step->chain->pdata[0])->path);
      WorldFile *lower = world_get_file (world, ((StmImage *) step->chain->pdata[1])->path);

      if (upper->blocks[i] != WORLD_HOLE)
        lower->blocks[i] = upper->blocks[i];
    }
  g_free (child->backing);
  child->backing = g_strdup (((StmImage *) step->chain->pdata[1])->path);
  for (guint i = 0; i < step->children->len; i++)
    g_ptr_array_add (images, step->children->pdata[i]);

  g_autoptr (StmSurvey) survey = world_survey (world, images);
  g_autoptr (StmChange) change = stm_plan_abandon (world->model, plan, 0, survey);
  world_apply (world, change);
  world_check (world);
  g_assert_cmpuint (assert_kept (world, plan, before), ==, 1);
  assert_lives_on (world, before);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/core/abandon/records-follow-the-merges-that-were-done", test_cases);
  g_test_add_func ("/core/abandon/headers-prove-what-was-done", test_headers_prove_what_was_done);

  return g_test_run ();
}
