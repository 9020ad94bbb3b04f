/* Orders the moments of one domain without recursion, in time linear in their number but for the
 * sort by place.
 *
 * Pure. Rows are hostile: parents may be missing, of the other kind, or stand in a ring. Whatever
 * comes in, each moment comes out once, and its parent, if it has one, before it.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "stm-row-forest.h"

typedef struct _Node Node;

struct _Node
{
  const StmMoment *moment;
  Node *parent; /* NULL for a root */
  Node *first_child;
  Node *last_child;
  Node *next;       /* sibling */
  guint walk;       /* number of the walk upwards that was here; 0: none */
  gboolean is_done; /* is in the order */
};

StmMomentRow *
stm_moment_row_new (const StmMoment *moment, gint64 place)
{
  StmMomentRow *self = g_new0 (StmMomentRow, 1);

  self->moment = stm_moment_ref (moment);
  self->place = place;
  return self;
}

void
stm_moment_row_free (StmMomentRow *self)
{
  if (self == NULL)
    return;

  stm_moment_unref (self->moment);
  g_free (self);
}

static int
compare_places (gconstpointer a, gconstpointer b)
{
  const StmMomentRow *const *row_a = a;
  const StmMomentRow *const *row_b = b;

  return ((*row_a)->place > (*row_b)->place) - ((*row_a)->place < (*row_b)->place);
}

static void
append_child (Node *parent, Node *child)
{
  child->parent = parent;
  if (parent->last_child == NULL)
    parent->first_child = child;
  else
    parent->last_child->next = child;
  parent->last_child = child;
}

/* Ties each node to its parent, as far as that is one. */
static void
link_nodes (Node *nodes, guint n_nodes)
{
  g_autoptr (GHashTable) by_id = g_hash_table_new (g_str_hash, g_str_equal);

  for (guint i = 0; i < n_nodes; i++)
    g_hash_table_insert (by_id, (char *) nodes[i].moment->id, &nodes[i]);
  for (guint i = 0; i < n_nodes; i++)
    {
      const StmMoment *moment = nodes[i].moment;
      Node *parent = moment->parent == NULL ? NULL : g_hash_table_lookup (by_id, moment->parent);

      if (parent != NULL && parent->moment->kind == moment->kind)
        append_child (parent, &nodes[i]);
    }
}

/* A node of the ring that is met when going up from `start`, whose way does not end at a root. */
static Node *
find_in_ring (Node *start, guint walk)
{
  Node *node = start;

  while (node->walk != walk)
    {
      node->walk = walk;
      node = node->parent;
    }

  return node;
}

static void
take (GPtrArray *order, Node *node, gboolean is_orphan)
{
  node->is_done = TRUE;
  if (is_orphan)
    {
      g_autoptr (StmMoment) root = stm_moment_with_parent (node->moment, /* parent= */ NULL);

      g_ptr_array_add (order, stm_moment_with_state (root, root->state, STM_HEALTH_ORPHAN));
      return;
    }

  g_ptr_array_add (order, stm_moment_ref (node->moment));
}

/* Adds the node and all below it, breadth first. A ring is cut where it comes back. */
static void
take_subtree (GPtrArray *order, GQueue *queue, Node *root, gboolean is_orphan)
{
  take (order, root, is_orphan);
  g_queue_push_tail (queue, root);
  while (!g_queue_is_empty (queue))
    {
      Node *node = g_queue_pop_head (queue);

      for (Node *child = node->first_child; child != NULL; child = child->next)
        if (!child->is_done)
          {
            take (order, child, /* is_orphan= */ FALSE);
            g_queue_push_tail (queue, child);
          }
    }
}

static void
take_roots (GPtrArray *order, GQueue *queue, Node *nodes, guint n_nodes, StmProblems *problems)
{
  for (guint i = 0; i < n_nodes; i++)
    {
      const StmMoment *moment = nodes[i].moment;

      if (nodes[i].parent != NULL)
        continue;
      if (moment->parent != NULL)
        stm_problems_add (problems, "the parent %s of moment \"%s\" is not there", moment->parent,
                          moment->name);
      take_subtree (order, queue, &nodes[i], moment->parent != NULL);
    }
}

/* What no root led to hangs on rings: each is opened at one of its nodes. */
static void
take_rings (GPtrArray *order, GQueue *queue, Node *nodes, guint n_nodes, StmProblems *problems)
{
  for (guint i = 0; i < n_nodes; i++)
    {
      if (nodes[i].is_done)
        continue;

      Node *cut = find_in_ring (&nodes[i], i + 1);

      stm_problems_add (problems, "the parents of moment \"%s\" form a ring", cut->moment->name);
      take_subtree (order, queue, cut, /* is_orphan= */ TRUE);
    }
}

GPtrArray *
stm_row_forest_order (GPtrArray *rows, StmProblems *problems)
{
  g_autoptr (GPtrArray) order = g_ptr_array_new_with_free_func ((GDestroyNotify) stm_moment_unref);
  g_autofree Node *nodes = g_new0 (Node, rows->len);
  g_autoptr (GQueue) queue = g_queue_new ();

  g_ptr_array_sort (rows, compare_places);
  for (guint i = 0; i < rows->len; i++)
    nodes[i].moment = ((const StmMomentRow *) g_ptr_array_index (rows, i))->moment;
  link_nodes (nodes, rows->len);
  take_roots (order, queue, nodes, rows->len, problems);
  take_rings (order, queue, nodes, rows->len, problems);

  return g_steal_pointer (&order);
}
