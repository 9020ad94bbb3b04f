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

/* The index against a walk over all, at random edits. */
static void
test_random (void)
{
  enum
  {
    N = 12
  };
  g_autoptr (StmLeafIndex) index = stm_leaf_index_new ();
  char ids[N][2] = { 0 };
  int parents[N];
  StmHealth healths[N];
  gboolean is_there[N] = { FALSE };

  for (guint i = 0; i < N; i++)
    ids[i][0] = 'a' + i;
  for (guint round = 0; round < 20000; round++)
    {
      guint i = g_test_rand_int_range (0, N);
      guint n_leaves = 0;

      is_there[i] = g_test_rand_int_range (0, 4) > 0;
      parents[i] = g_test_rand_int_range (-1, i);
      healths[i] = g_test_rand_int_range (STM_HEALTH_OK, STM_HEALTH_UNKNOWN + 1);
      if (is_there[i])
        put (index, ids[i], parents[i] < 0 ? NULL : ids[parents[i]], healths[i]);
      else
        stm_leaf_index_remove (index, ids[i]);

      for (guint j = 0; j < N; j++)
        {
          gboolean is_leaf = is_there[j] && healths[j] != STM_HEALTH_UNREACHABLE
                             && healths[j] != STM_HEALTH_MISSING;

          for (guint k = 0; k < N; k++)
            if (is_there[k] && parents[k] == (int) j && healths[k] != STM_HEALTH_UNREACHABLE
                && healths[k] != STM_HEALTH_MISSING)
              is_leaf = FALSE;
          n_leaves += is_leaf;
          if (is_leaf && stm_leaf_index_count (index) == 1)
            g_assert_cmpstr (stm_leaf_index_lone (index), ==, ids[j]);
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
  g_test_add_func ("/core/leaf-index/children-may-come-first", test_children_first);
  g_test_add_func ("/core/leaf-index/a-bitmap-tells-its-checkpoints", test_sharers);
  g_test_add_func ("/core/leaf-index/random-edits-agree-with-a-walk", test_random);

  return g_test_run ();
}
