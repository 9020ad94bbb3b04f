/* Random redefinitions, single and in bulk, and forgetting, against a tree that is nothing but
 * arrays: whether each call is taken or refused, and what the tree is afterwards.
 *
 * The names are few, so that parents, rings and duplicates clash often. The seed stands in the
 * first line of the output; --seed runs the same again.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "redefine-kit.h"
#include "stm-forget.h"
#include "stm-invariants.h"

#define N_NAMES 9
#define MAX_BULK 6
#define N_STEPS 3000

/* Numbers from 1; 0 is none. */
typedef struct
{
  gboolean exists;
  guint parent;
} PlainMoment;

typedef struct
{
  PlainMoment moments[N_NAMES + 1];
  guint current;
} Plain;

typedef struct
{
  guint name;
  guint parent; /* N_NAMES + 1: a name that never exists */
} Wish;

typedef struct
{
  StmModel *model;
  Plain plain;
  char *domain;
  GHashTable *ids; /* name -> id, as first seen */
  guint n_taken;
  guint n_refused;
} World;

static char *
name_of (guint number)
{
  return number == 0 ? NULL : g_strdup_printf ("%u", number);
}

/* --- the independent rules --- */

static gboolean
reaches_root (const Plain *plain, guint number)
{
  for (guint n = 0; n <= N_NAMES; n++)
    {
      if (number == 0)
        return TRUE;
      if (number > N_NAMES || !plain->moments[number].exists)
        return FALSE;
      number = plain->moments[number].parent;
    }
  return FALSE;
}

/* The tree afterwards, whatever it is; then it is looked at. */
static gboolean
plain_redefine (const Plain *before, const Wish *wishes, guint n_wishes, guint current,
                Plain *out_after)
{
  gboolean seen[N_NAMES + 1] = { FALSE };

  *out_after = *before;
  for (guint i = 0; i < n_wishes; i++)
    {
      if (seen[wishes[i].name])
        return FALSE;
      seen[wishes[i].name] = TRUE;
      out_after->moments[wishes[i].name] = (PlainMoment){ TRUE, wishes[i].parent };
    }
  for (guint number = 1; number <= N_NAMES; number++)
    if (out_after->moments[number].exists && !reaches_root (out_after, number))
      return FALSE;
  if (current == 0)
    return TRUE;
  out_after->current = current;
  return out_after->moments[current].exists;
}

static void
show (const Plain *plain, guint parent, GString *text)
{
  gboolean is_first = TRUE;

  for (guint number = 1; number <= N_NAMES; number++)
    {
      g_autoptr (GString) below = g_string_new (NULL);

      if (!plain->moments[number].exists || plain->moments[number].parent != parent)
        continue;
      g_string_append_printf (text, "%s%u%s", is_first ? "" : " ", number,
                              plain->current == number ? "*" : "");
      is_first = FALSE;
      show (plain, number, below);
      if (below->len > 0)
        g_string_append_printf (text, "(%s)", below->str);
    }
}

/* --- the steps --- */

static void
compare (World *world)
{
  g_autoptr (GString) expected = g_string_new (NULL);
  g_autofree char *found = kit_tree (world->model, STM_MOMENT_SNAPSHOT);

  show (&world->plain, 0, expected);
  g_assert_cmpstr (found, ==, expected->str);
  for (guint number = 1; number <= N_NAMES; number++)
    {
      g_autofree char *name = name_of (number);
      const StmMoment *moment = kit_find (world->model, STM_MOMENT_SNAPSHOT, name);
      const char *id = g_hash_table_lookup (world->ids, name);

      if (moment == NULL)
        continue;
      if (id == NULL)
        g_hash_table_insert (world->ids, g_strdup (name), g_strdup (moment->id));
      else
        g_assert_cmpstr (moment->id, ==, id);
    }
}

static void
redefine (World *world, GRand *rand)
{
  guint n_wishes = (guint) g_rand_int_range (rand, 1, MAX_BULK + 1);
  guint current = g_rand_int_range (rand, 0, 3) == 0 ? (guint) g_rand_int_range (rand, 1, N_NAMES)
                                                     : 0;
  g_autofree char *current_name = name_of (current);
  g_autoptr (GPtrArray) documents = g_ptr_array_new_with_free_func (g_free);
  Wish wishes[MAX_BULK];
  Plain after;
  gboolean is_legal;

  for (guint i = 0; i < n_wishes; i++)
    {
      g_autofree char *name = NULL;
      g_autofree char *parent = NULL;

      wishes[i].name = (guint) g_rand_int_range (rand, 1, N_NAMES + 1);
      wishes[i].parent = g_rand_int_range (rand, 0, 3) == 0
                             ? 0
                             : (guint) g_rand_int_range (rand, 1, N_NAMES + 1);
      if (g_rand_int_range (rand, 0, 40) == 0)
        wishes[i].parent = N_NAMES + 1;
      name = name_of (wishes[i].name);
      parent = name_of (wishes[i].parent);
      g_ptr_array_add (documents,
                       kit_snapshot (name, parent, "shutoff",
                                     "<disk name='vda' snapshot='external'/>", world->domain));
    }
  g_ptr_array_add (documents, NULL);
  is_legal = plain_redefine (&world->plain, wishes, n_wishes, current, &after);

  const StmRedefineRequest request = { .fd = -1, .current = current_name };
  g_autoptr (GError) error = kit_redefine (world->model, &request,
                                           (const char *const *) documents->pdata, NULL, NULL);
  if (error != NULL)
    g_test_message ("%s", error->message);
  g_assert_cmpint (error == NULL, ==, is_legal);
  if (is_legal)
    world->plain = after;
  world->n_taken += is_legal;
  world->n_refused += !is_legal;
}

static void
forget (World *world)
{
  const StmPlanContext context = { .plan_id = "e0000000000000000000000000000001" };
  g_autoptr (GError) error = NULL;
  g_autoptr (StmPlan)
      plan = stm_plan_forget_all (world->model, KIT_DOMAIN, STM_MOMENT_SNAPSHOT, &context, &error);

  g_assert_no_error (error);
  stm_model_check (world->model, plan->finish, &error);
  g_assert_no_error (error);
  stm_model_apply (world->model, plan->finish);
  stm_model_validate (world->model, &error);
  g_assert_no_error (error);
  world->plain = (Plain){ 0 };
  g_hash_table_remove_all (world->ids);
}

static void
test_random (void)
{
  g_autoptr (GRand) rand = g_rand_new_with_seed ((guint32) g_test_rand_int ());
  World world = { .model = stm_sample_model (),
                  .domain = kit_domain ("/v/2.qcow2", "qcow2", NULL),
                  .ids = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, g_free) };

  forget (&world);
  for (guint i = 0; i < N_STEPS; i++)
    {
      if (g_rand_int_range (rand, 0, 30) == 0)
        forget (&world);
      else
        redefine (&world, rand);
      compare (&world);
    }
  g_test_message ("%u taken, %u refused", world.n_taken, world.n_refused);
  g_assert_cmpuint (world.n_taken, >, N_STEPS / 20);
  g_assert_cmpuint (world.n_refused, >, N_STEPS / 20);
  stm_model_free (world.model);
  g_hash_table_unref (world.ids);
  g_free (world.domain);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/core/redefine/random-calls-are-taken-or-refused-as-by-plain-rules",
                   test_random);
  return g_test_run ();
}
