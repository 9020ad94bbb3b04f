/* StmTree: the nodes of one domain's moments of one kind, and the ways through them.
 *
 * Owned and changed by StmModel on the main loop. Does not judge: whether a change fits was checked
 * before. No function here recurses.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "stm-tree.h"

typedef struct _Node
{
  StmMoment *moment; /* NULL for the hidden root */
  struct _Node *parent;
  GSequence *children;  /* of Node, oldest first; NULL until there is one */
  GSequenceIter *place; /* among the children of the parent */
} Node;

struct _StmTree
{
  GHashTable *by_id;   /* owns the nodes; the keys are the ids of their moments */
  GHashTable *by_name; /* the keys are the names of their moments */
  Node root;
  char *current;
};

static void
free_node (gpointer data)
{
  Node *node = data;

  g_clear_pointer (&node->children, g_sequence_free);
  stm_moment_unref (node->moment);
  g_free (node);
}

StmTree *
stm_tree_new (void)
{
  StmTree *self = g_new0 (StmTree, 1);

  self->by_id = g_hash_table_new_full (g_str_hash, g_str_equal, NULL, free_node);
  self->by_name = g_hash_table_new (g_str_hash, g_str_equal);

  return self;
}

void
stm_tree_free (StmTree *self)
{
  if (self == NULL)
    return;

  g_hash_table_unref (self->by_name);
  g_hash_table_unref (self->by_id);
  g_clear_pointer (&self->root.children, g_sequence_free);
  g_free (self->current);
  g_free (self);
}

static Node *
get_node (const StmTree *self, const char *id)
{
  return id != NULL ? g_hash_table_lookup (self->by_id, id) : NULL;
}

static const Node *
get_node_or_root (const StmTree *self, const char *id)
{
  return id != NULL ? get_node (self, id) : &self->root;
}

static Node *
node_at (GSequenceIter *place)
{
  return g_sequence_iter_is_end (place) ? NULL : g_sequence_get (place);
}

static Node *
first_child (const Node *node)
{
  return node->children != NULL ? node_at (g_sequence_get_begin_iter (node->children)) : NULL;
}

static Node *
next_sibling (const Node *node)
{
  return node_at (g_sequence_iter_next (node->place));
}

guint
stm_tree_count (const StmTree *self)
{
  return g_hash_table_size (self->by_id);
}

const StmMoment *
stm_tree_get (const StmTree *self, const char *id)
{
  const Node *node = get_node (self, id);

  return node != NULL ? node->moment : NULL;
}

const StmMoment *
stm_tree_find (const StmTree *self, const char *name)
{
  const Node *node = name != NULL ? g_hash_table_lookup (self->by_name, name) : NULL;

  return node != NULL ? node->moment : NULL;
}

const char *
stm_tree_current (const StmTree *self)
{
  return self->current;
}

guint
stm_tree_n_children (const StmTree *self, const char *id)
{
  const Node *node = get_node_or_root (self, id);

  return node != NULL && node->children != NULL ? g_sequence_get_length (node->children) : 0;
}

const StmMoment *
stm_tree_first_child (const StmTree *self, const char *id)
{
  const Node *node = get_node_or_root (self, id);
  const Node *child = node != NULL ? first_child (node) : NULL;

  return child != NULL ? child->moment : NULL;
}

const StmMoment *
stm_tree_next_sibling (const StmTree *self, const char *id)
{
  const Node *node = get_node (self, id);
  const Node *sibling = node != NULL ? next_sibling (node) : NULL;

  return sibling != NULL ? sibling->moment : NULL;
}

gboolean
stm_tree_is_ancestor (const StmTree *self, const char *ancestor, const char *id)
{
  const Node *sought = get_node (self, ancestor);
  const Node *node = get_node (self, id);

  if (sought == NULL || node == NULL)
    return FALSE;
  for (node = node->parent; node != NULL; node = node->parent)
    if (node == sought)
      return TRUE;

  return FALSE;
}

/* The next node in depth-first order below `top`, or NULL after the last. */
static const Node *
next_below (const Node *node, const Node *top)
{
  const Node *next = first_child (node);

  while (next == NULL && node != top)
    {
      next = next_sibling (node);
      node = node->parent;
    }

  return next;
}

GPtrArray *
stm_tree_subtree (const StmTree *self, const char *id)
{
  g_autoptr (GPtrArray)
      moments = g_ptr_array_new_with_free_func ((GDestroyNotify) stm_moment_unref);
  const Node *top = get_node_or_root (self, id);

  if (top != NULL && top->moment != NULL)
    g_ptr_array_add (moments, stm_moment_ref (top->moment));
  for (const Node *node = top; node != NULL;)
    {
      node = next_below (node, top);
      if (node != NULL)
        g_ptr_array_add (moments, stm_moment_ref (node->moment));
    }

  return g_steal_pointer (&moments);
}

/* Equal times keep the order of the puts. */
static int
compare_by_creation (gconstpointer a, gconstpointer b, gpointer user_data)
{
  gint64 created_a = ((const Node *) a)->moment->created;
  gint64 created_b = ((const Node *) b)->moment->created;

  return (created_a > created_b) - (created_a < created_b);
}

static void
attach (Node *node, Node *parent)
{
  if (parent->children == NULL)
    parent->children = g_sequence_new (NULL);
  node->parent = parent;
  node->place = g_sequence_insert_sorted (parent->children, node, compare_by_creation, NULL);
}

static void
detach (Node *node)
{
  g_sequence_remove (g_steal_pointer (&node->place));
  node->parent = NULL;
}

static void
forget_name (StmTree *self, const Node *node)
{
  /* Within one change another moment may have got the name already. */
  if (g_hash_table_lookup (self->by_name, node->moment->name) == node)
    g_hash_table_remove (self->by_name, node->moment->name);
}

static void
replace_moment (StmTree *self, Node *node, const StmMoment *moment)
{
  StmMoment *replaced = node->moment;

  forget_name (self, node);
  node->moment = stm_moment_ref (moment);
  /* The key goes with the moment that it is a part of. */
  g_hash_table_steal (self->by_id, replaced->id);
  g_hash_table_insert (self->by_id, (char *) node->moment->id, node);
  stm_moment_unref (replaced);
}

static Node *
add_moment (StmTree *self, const StmMoment *moment)
{
  Node *node = g_new0 (Node, 1);

  node->moment = stm_moment_ref (moment);
  g_hash_table_insert (self->by_id, (char *) node->moment->id, node);

  return node;
}

void
stm_tree_put (StmTree *self, const StmMoment *moment)
{
  g_return_if_fail (moment != NULL);

  Node *node = get_node (self, moment->id);
  Node *parent = moment->parent != NULL ? get_node (self, moment->parent) : &self->root;

  g_return_if_fail (parent != NULL);

  gboolean stays = node != NULL && node->parent == parent
                   && node->moment->created == moment->created;

  if (node == NULL)
    node = add_moment (self, moment);
  else
    replace_moment (self, node, moment);
  g_hash_table_replace (self->by_name, (char *) node->moment->name, node);
  if (stays)
    return;
  if (node->place != NULL)
    detach (node);
  attach (node, parent);
}

void
stm_tree_remove (StmTree *self, const char *id)
{
  Node *node = get_node (self, id);

  g_return_if_fail (node != NULL && first_child (node) == NULL);

  if (g_strcmp0 (self->current, id) == 0)
    g_clear_pointer (&self->current, g_free);
  detach (node);
  forget_name (self, node);
  g_hash_table_remove (self->by_id, id);
}

void
stm_tree_set_current (StmTree *self, const char *id)
{
  char *current = g_strdup (id);

  g_free (self->current);
  self->current = current;
}
