/* The tree: shape after puts, moves and removals, and trees of any depth and width.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "stm-samples.h"
#include "stm-tree.h"

#define N_MANY 100000

static void
put (StmTree *tree, guint number, guint parent)
{
  g_autoptr (StmMoment) moment = stm_sample_snapshot (number, parent, 0);

  stm_tree_put (tree, moment);
}

static void
put_at (StmTree *tree, guint number, guint parent, gint64 created)
{
  g_autoptr (StmMoment) moment = stm_sample_snapshot (number, parent, 0);
  StmMoment init = *moment;

  init.created = created;

  g_autoptr (StmMoment) timed = stm_moment_new (&init);

  stm_tree_put (tree, timed);
}

static void
remove_number (StmTree *tree, guint number)
{
  g_autofree char *id = stm_sample_id (number);

  stm_tree_remove (tree, id);
}

/* The names below a moment, 0 for the whole forest, in order: "s1 s2 s3". */
static char *
subtree_to_text (StmTree *tree, guint number)
{
  g_autofree char *id = number != 0 ? stm_sample_id (number) : NULL;
  g_autoptr (GPtrArray) moments = stm_tree_subtree (tree, id);
  g_autoptr (GString) text = g_string_new (NULL);

  for (guint i = 0; i < moments->len; i++)
    g_string_append_printf (text, "%s%s", i > 0 ? " " : "",
                            ((StmMoment *) moments->pdata[i])->name);

  return g_string_free (g_steal_pointer (&text), FALSE);
}

static void
assert_subtree (StmTree *tree, guint number, const char *expected)
{
  g_autofree char *text = subtree_to_text (tree, number);

  g_assert_cmpstr (text, ==, expected);
}

/* 1 -> 2 -> 3, 1 -> 4, 5 */
static StmTree *
make_tree (void)
{
  StmTree *tree = stm_tree_new ();

  put (tree, 1, 0);
  put (tree, 2, 1);
  put (tree, 3, 2);
  put (tree, 4, 1);
  put (tree, 5, 0);

  return tree;
}

static void
test_empty (void)
{
  g_autoptr (StmTree) tree = stm_tree_new ();

  g_assert_cmpuint (stm_tree_count (tree), ==, 0);
  g_assert_null (stm_tree_current (tree));
  g_assert_null (stm_tree_first_child (tree, NULL));
  g_assert_cmpuint (stm_tree_n_children (tree, NULL), ==, 0);
  assert_subtree (tree, 0, "");
}

static void
test_unknown (void)
{
  g_autoptr (StmTree) tree = make_tree ();
  g_autofree char *known = stm_sample_id (1);

  g_assert_null (stm_tree_get (tree, "x"));
  g_assert_null (stm_tree_get (tree, NULL));
  g_assert_null (stm_tree_find (tree, "x"));
  g_assert_null (stm_tree_find (tree, NULL));
  g_assert_null (stm_tree_first_child (tree, "x"));
  g_assert_null (stm_tree_next_sibling (tree, "x"));
  g_assert_null (stm_tree_next_sibling (tree, NULL));
  g_assert_cmpuint (stm_tree_n_children (tree, "x"), ==, 0);
  g_assert_false (stm_tree_is_ancestor (tree, "x", known));
  g_assert_false (stm_tree_is_ancestor (tree, known, "x"));
  g_assert_false (stm_tree_is_ancestor (tree, NULL, known));
  assert_subtree (tree, 99, "");
}

static void
test_shape (void)
{
  g_autoptr (StmTree) tree = make_tree ();
  g_autofree char *one = stm_sample_id (1);
  g_autofree char *two = stm_sample_id (2);
  g_autofree char *three = stm_sample_id (3);

  g_assert_cmpuint (stm_tree_count (tree), ==, 5);
  g_assert_cmpuint (stm_tree_n_children (tree, NULL), ==, 2);
  g_assert_cmpuint (stm_tree_n_children (tree, one), ==, 2);
  g_assert_cmpstr (stm_tree_first_child (tree, one)->name, ==, "s2");
  g_assert_cmpstr (stm_tree_next_sibling (tree, two)->name, ==, "s4");
  g_assert_cmpstr (stm_tree_find (tree, "s3")->id, ==, three);
  g_assert_true (stm_tree_is_ancestor (tree, one, three));
  g_assert_false (stm_tree_is_ancestor (tree, three, one));
  g_assert_false (stm_tree_is_ancestor (tree, one, one));
  assert_subtree (tree, 0, "s1 s2 s3 s4 s5");
  assert_subtree (tree, 1, "s1 s2 s3 s4");
  assert_subtree (tree, 2, "s2 s3");
  assert_subtree (tree, 4, "s4");
}

static void
test_children_by_creation (void)
{
  g_autoptr (StmTree) tree = stm_tree_new ();

  put_at (tree, 1, 0, 50);
  put_at (tree, 2, 0, 10);
  put_at (tree, 3, 0, 30);
  put_at (tree, 4, 0, 10); /* as old as 2, put later */
  assert_subtree (tree, 0, "s2 s4 s3 s1");
  put_at (tree, 2, 0, 60);
  assert_subtree (tree, 0, "s4 s3 s1 s2");
}

static void
test_move (void)
{
  g_autoptr (StmTree) tree = make_tree ();

  put (tree, 2, 5);
  assert_subtree (tree, 0, "s1 s4 s5 s2 s3");
  put (tree, 2, 0);
  assert_subtree (tree, 0, "s1 s4 s2 s3 s5");
  g_assert_cmpuint (stm_tree_count (tree), ==, 5);
}

static void
test_replace_stays (void)
{
  g_autoptr (StmTree) tree = make_tree ();
  g_autofree char *two = stm_sample_id (2);
  g_autoptr (StmMoment) renamed = stm_moment_with_name (stm_tree_get (tree, two), "new");

  stm_tree_put (tree, renamed);
  assert_subtree (tree, 0, "s1 new s3 s4 s5");
  g_assert_null (stm_tree_find (tree, "s2"));
  g_assert_true (stm_tree_find (tree, "new") == renamed);
  g_assert_true (stm_tree_get (tree, two) == renamed);
}

static void
test_swap_names (void)
{
  g_autoptr (StmTree) tree = make_tree ();
  g_autofree char *two = stm_sample_id (2);
  g_autofree char *four = stm_sample_id (4);
  g_autoptr (StmMoment) second = stm_moment_with_name (stm_tree_get (tree, two), "s4");
  g_autoptr (StmMoment) fourth = stm_moment_with_name (stm_tree_get (tree, four), "s2");

  stm_tree_put (tree, second);
  stm_tree_put (tree, fourth);
  g_assert_true (stm_tree_find (tree, "s4") == second);
  g_assert_true (stm_tree_find (tree, "s2") == fourth);
  /* A name that went to another one outlives the first holder. */
  remove_number (tree, 4);
  g_assert_true (stm_tree_find (tree, "s4") == second);
  g_assert_null (stm_tree_find (tree, "s2"));
}

static void
test_remove (void)
{
  g_autoptr (StmTree) tree = make_tree ();
  g_autofree char *three = stm_sample_id (3);

  stm_tree_set_current (tree, three);
  remove_number (tree, 5);
  assert_subtree (tree, 0, "s1 s2 s3 s4");
  g_assert_cmpstr (stm_tree_current (tree), ==, three);
  remove_number (tree, 3);
  assert_subtree (tree, 0, "s1 s2 s4");
  g_assert_null (stm_tree_current (tree));
  g_assert_null (stm_tree_find (tree, "s3"));
  remove_number (tree, 2);
  remove_number (tree, 4);
  remove_number (tree, 1);
  g_assert_cmpuint (stm_tree_count (tree), ==, 0);
  g_assert_cmpuint (stm_tree_n_children (tree, NULL), ==, 0);
}

static void
test_current (void)
{
  g_autoptr (StmTree) tree = make_tree ();
  g_autofree char *one = stm_sample_id (1);

  stm_tree_set_current (tree, one);
  g_assert_cmpstr (stm_tree_current (tree), ==, one);
  stm_tree_set_current (tree, stm_tree_current (tree));
  g_assert_cmpstr (stm_tree_current (tree), ==, one);
  stm_tree_set_current (tree, NULL);
  g_assert_null (stm_tree_current (tree));
}

static void
test_deep (void)
{
  g_autoptr (StmTree) tree = stm_tree_new ();
  g_autofree char *first = stm_sample_id (1);
  g_autofree char *last = stm_sample_id (N_MANY);

  for (guint i = 1; i <= N_MANY; i++)
    put (tree, i, i - 1);

  g_autoptr (GPtrArray) all = stm_tree_subtree (tree, NULL);

  g_assert_cmpuint (all->len, ==, N_MANY);
  g_assert_cmpstr (((StmMoment *) all->pdata[N_MANY - 1])->id, ==, last);
  g_assert_true (stm_tree_is_ancestor (tree, first, last));
  for (guint i = N_MANY; i > N_MANY / 2; i--)
    remove_number (tree, i);
  g_assert_cmpuint (stm_tree_count (tree), ==, N_MANY / 2);
}

static void
test_wide (void)
{
  g_autoptr (StmTree) tree = stm_tree_new ();
  g_autofree char *root = stm_sample_id (N_MANY + 1);

  put (tree, N_MANY + 1, 0);
  /* The youngest first: the place of each is far from the end. */
  for (guint i = N_MANY; i > 0; i--)
    put (tree, i, N_MANY + 1);
  g_assert_cmpuint (stm_tree_n_children (tree, root), ==, N_MANY);
  g_assert_cmpstr (stm_tree_first_child (tree, root)->name, ==, "s1");

  g_autoptr (GPtrArray) all = stm_tree_subtree (tree, root);

  g_assert_cmpuint (all->len, ==, N_MANY + 1);
  for (guint i = 1; i <= N_MANY; i++)
    g_assert_cmpint (((StmMoment *) all->pdata[i])->created, ==, 1000 + i);
  for (guint i = 1; i <= N_MANY; i++)
    put (tree, i, 0);
  g_assert_cmpuint (stm_tree_n_children (tree, root), ==, 0);
  g_assert_cmpuint (stm_tree_n_children (tree, NULL), ==, N_MANY + 1);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/core/tree/empty-one-answers", test_empty);
  g_test_add_func ("/core/tree/unknown-ids-give-nothing", test_unknown);
  g_test_add_func ("/core/tree/shape-is-that-of-the-parents", test_shape);
  g_test_add_func ("/core/tree/children-stand-by-creation", test_children_by_creation);
  g_test_add_func ("/core/tree/put-with-another-parent-moves-the-branch", test_move);
  g_test_add_func ("/core/tree/put-of-a-known-id-keeps-its-place", test_replace_stays);
  g_test_add_func ("/core/tree/names-can-be-swapped", test_swap_names);
  g_test_add_func ("/core/tree/removed-one-is-gone-from-all-look-ups", test_remove);
  g_test_add_func ("/core/tree/current-is-what-was-set", test_current);
  g_test_add_func ("/core/tree/chain-of-100000-is-legal", test_deep);
  g_test_add_func ("/core/tree/fan-of-100000-is-legal", test_wide);

  return g_test_run ();
}
