/* The index of checkpoints: leaves that can be reached, and who has a bitmap.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "stm-leaf-index.h"

static void
put (StmLeafIndex *index, const char *id, const char *parent, StmHealth health)
{
  const StmMomentDisk disk = {
    .target = "vda", .mode = STM_MODE_BITMAP, .frozen = "/i/a", .format = "qcow2", .bitmap = id
  };
  g_autoptr (StmMoment) moment = stm_moment_new (&(StmMoment){ .kind = STM_MOMENT_CHECKPOINT,
                                                               .id = id,
                                                               .name = id,
                                                               .parent = parent,
                                                               .description = "",
                                                               .state = STM_STATE_SHUTOFF,
                                                               .health = health,
                                                               .disks = &disk,
                                                               .n_disks = 1 });

  stm_leaf_index_put (index, moment);
}

static void
test_linear (void)
{
  g_autoptr (StmLeafIndex) index = stm_leaf_index_new ();

  g_assert_null (stm_leaf_index_lone (index));
  put (index, "a", NULL, STM_HEALTH_OK);
  g_assert_cmpstr (stm_leaf_index_lone (index), ==, "a");
  put (index, "b", "a", STM_HEALTH_UNKNOWN);
  put (index, "c", "b", STM_HEALTH_INCONSISTENT);
  g_assert_cmpstr (stm_leaf_index_lone (index), ==, "c");
  stm_leaf_index_remove (index, "c");
  g_assert_cmpstr (stm_leaf_index_lone (index), ==, "b");
}

static void
test_off_the_chain (void)
{
  g_autoptr (StmLeafIndex) index = stm_leaf_index_new ();

  put (index, "a", NULL, STM_HEALTH_OK);
  put (index, "b", "a", STM_HEALTH_OK);
  put (index, "c", "b", STM_HEALTH_OK);
  put (index, "c", "b", STM_HEALTH_UNREACHABLE);
  put (index, "b", "a", STM_HEALTH_MISSING);
  g_assert_cmpstr (stm_leaf_index_lone (index), ==, "a");
  put (index, "d", "a", STM_HEALTH_OK);
  g_assert_cmpstr (stm_leaf_index_lone (index), ==, "d");
  put (index, "b", "a", STM_HEALTH_OK);
  g_assert_cmpuint (stm_leaf_index_count (index), ==, 2);
  g_assert_null (stm_leaf_index_lone (index));

  g_autoptr (GPtrArray) leaves = stm_leaf_index_list (index, 10);
  g_assert_cmpuint (leaves->len, ==, 2);
  g_assert_cmpstr (((StmMoment *) leaves->pdata[0])->id, ==, "b");
}

static void
test_children_first (void)
{
  g_autoptr (StmLeafIndex) index = stm_leaf_index_new ();

  put (index, "b", "a", STM_HEALTH_OK);
  put (index, "a", NULL, STM_HEALTH_OK);
  g_assert_cmpstr (stm_leaf_index_lone (index), ==, "b");
  stm_leaf_index_remove (index, "a");
  g_assert_cmpstr (stm_leaf_index_lone (index), ==, "b");
  put (index, "b", NULL, STM_HEALTH_OK);
  stm_leaf_index_remove (index, "b");
  g_assert_cmpuint (stm_leaf_index_count (index), ==, 0);
}

static void
test_sharers (void)
{
  g_autoptr (StmLeafIndex) index = stm_leaf_index_new ();

  put (index, "a", NULL, STM_HEALTH_OK);
  put (index, "b", "a", STM_HEALTH_OK);
  g_autoptr (GPtrArray) sharers = stm_leaf_index_sharers (index, "vda", "a");
  g_assert_cmpuint (sharers->len, ==, 1);
  g_autoptr (GPtrArray) other_disk = stm_leaf_index_sharers (index, "vdb", "a");
  g_assert_cmpuint (other_disk->len, ==, 0);
  stm_leaf_index_remove (index, "a");
  g_autoptr (GPtrArray) none = stm_leaf_index_sharers (index, "vda", "a");
  g_assert_cmpuint (none->len, ==, 0);
}

static void
test_gap (void)
{
  g_autoptr (StmLeafIndex) index = stm_leaf_index_new ();

  put (index, "a", NULL, STM_HEALTH_OK);
  put (index, "b", "a", STM_HEALTH_OK);
  put (index, "c", "b", STM_HEALTH_OK);
  put (index, "d", "c", STM_HEALTH_OK);
  put (index, "b", "a", STM_HEALTH_MISSING);
  put (index, "c", "b", STM_HEALTH_MISSING);
  g_assert_cmpstr (stm_leaf_index_lone (index), ==, "d");
  put (index, "d", "c", STM_HEALTH_UNREACHABLE);
  g_assert_cmpstr (stm_leaf_index_lone (index), ==, "a");
}

#define N_RANDOM 12

typedef struct
{
  gboolean is_there;
  int parent; /* -1: a root */
  StmHealth health;
} Walked;

static gboolean
walk_is_reachable (const Walked *walked)
{
  return walked->is_there && walked->health != STM_HEALTH_UNREACHABLE
         && walked->health != STM_HEALTH_MISSING;
}

/* Whether some reachable one stands on it, on a line of those that are there. */
static gboolean
walk_has_heir (const Walked *all, int i)
{
  for (int j = 0; j < N_RANDOM; j++)
    {
      int at = j;

      if (!walk_is_reachable (&all[j]))
        continue;
      while (at >= 0 && all[at].is_there && at != i)
        at = all[at].parent;
      if (at == i && j != i)
        return TRUE;
    }

  return FALSE;
}

/* The index against a walk over all, at random edits. */
static void
test_random (void)
{
  static const char ids[N_RANDOM][2] = {
    "a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k", "l"
  };
  g_autoptr (StmLeafIndex) index = stm_leaf_index_new ();
  Walked all[N_RANDOM] = { { 0 } };

  for (guint round = 0; round < 20000; round++)
    {
      int changed = g_test_rand_int_range (0, N_RANDOM);
      Walked *one = &all[changed];
      guint n_leaves = 0;

      one->is_there = g_test_rand_int_range (0, 4) > 0;
      one->parent = g_test_rand_int_range (-1, changed);
      one->health = g_test_rand_int_range (STM_HEALTH_OK, STM_HEALTH_UNKNOWN + 1);
      if (one->is_there)
        put (index, ids[changed], one->parent < 0 ? NULL : ids[one->parent], one->health);
      else
        stm_leaf_index_remove (index, ids[changed]);

      for (int i = 0; i < N_RANDOM; i++)
        {
          gboolean is_leaf = walk_is_reachable (&all[i]) && !walk_has_heir (all, i);

          n_leaves += is_leaf;
          if (is_leaf && stm_leaf_index_count (index) == 1)
            g_assert_cmpstr (stm_leaf_index_lone (index), ==, ids[i]);
        }
      g_assert_cmpuint (stm_leaf_index_count (index), ==, n_leaves);
    }
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/core/leaf-index/linear-use-has-one-leaf", test_linear);
  g_test_add_func ("/core/leaf-index/what-is-off-the-chain-is-no-leaf", test_off_the_chain);
  g_test_add_func ("/core/leaf-index/a-lost-one-in-a-line-makes-no-second-leaf", test_gap);
  g_test_add_func ("/core/leaf-index/children-may-come-first", test_children_first);
  g_test_add_func ("/core/leaf-index/a-bitmap-tells-its-checkpoints", test_sharers);
  g_test_add_func ("/core/leaf-index/random-edits-agree-with-a-walk", test_random);

  return g_test_run ();
}
