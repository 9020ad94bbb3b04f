/* StmTree: the nodes of one domain's moments of one kind, and the ways through them.
 *
 * Owned and changed by StmModel on the main loop. Does not judge: whether a change fits was checked
 * before. No function here recurses.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "stm-tree.h"

#include "stm-ancestry.h"
#include "stm-siblings.h"

/* Two tables of nodes themselves, which so need no keys: a node is found by a probe. */
typedef struct _Node
{
  StmSibling sibling; /* among the children of the parent; stands first */
  guint32 n_children;
  StmAncestry ancestry; /* of all nodes, on the hidden root */
  StmMoment *moment;    /* NULL for the hidden root */
  struct _Node *parent;
  StmSiblings children;
} Node;

struct _StmTree
{
  GHashTable *by_id;   /* set of Node, owned */
  GHashTable *by_name; /* set of Node */
  GHashTable *busy;    /* set of Node: moments in the making or going */
  Node root;
  char *current;
  guint32 last_rank;
};

static guint
hash_of_id (gconstpointer node)
{
  return g_str_hash (((const Node *) node)->moment->id);
}

static gboolean
ids_are_equal (gconstpointer a, gconstpointer b)
{
  return g_str_equal (((const Node *) a)->moment->id, ((const Node *) b)->moment->id);
}

static guint
hash_of_name (gconstpointer node)
{
  return g_str_hash (((const Node *) node)->moment->name);
}

static gboolean
names_are_equal (gconstpointer a, gconstpointer b)
{
  return g_str_equal (((const Node *) a)->moment->name, ((const Node *) b)->moment->name);
}

static void
free_node (gpointer data)
{
  Node *node = data;

  stm_moment_unref (node->moment);
  g_free (node);
}

StmTree *
stm_tree_new (void)
{
  StmTree *self = g_new0 (StmTree, 1);

  self->by_id = g_hash_table_new_full (hash_of_id, ids_are_equal, free_node, NULL);
  self->by_name = g_hash_table_new (hash_of_name, names_are_equal);
  self->busy = g_hash_table_new (NULL, NULL);

  return self;
}

void
stm_tree_free (StmTree *self)
{
  if (self == NULL)
    return;

  g_hash_table_unref (self->busy);
  g_hash_table_unref (self->by_name);
  g_hash_table_unref (self->by_id);
  g_free (self->current);
  g_free (self);
}

static Node *
find_node (GHashTable *nodes, const StmMoment *probed)
{
  const Node probe = { .moment = (StmMoment *) probed };
  gpointer node = NULL;

  return g_hash_table_lookup_extended (nodes, &probe, &node, NULL) ? node : NULL;
}

static Node *
get_node (const StmTree *self, const char *id)
{
  return id != NULL ? find_node (self->by_id, &(StmMoment){ .id = id }) : NULL;
}

static Node *
get_node_by_name (const StmTree *self, const char *name)
{
  return name != NULL ? find_node (self->by_name, &(StmMoment){ .name = name }) : NULL;
}

static const Node *
get_node_or_root (const StmTree *self, const char *id)
{
  return id != NULL ? get_node (self, id) : &self->root;
}

static Node *
first_child (const Node *node)
{
  return (Node *) stm_siblings_first (&node->children);
}

static Node *
next_sibling (const Node *node)
{
  return (Node *) stm_sibling_next (&node->sibling);
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
  const Node *node = get_node_by_name (self, name);

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

  return node != NULL ? node->n_children : 0;
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
  Node *above = get_node (self, ancestor);
  Node *node = get_node (self, id);

  return above != NULL && node != NULL && above != node
         && stm_ancestry_is_above (&above->ancestry, &node->ancestry);
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

static int
compare_by_creation (gconstpointer a, gconstpointer b)
{
  gint64 created_a = ((const Node *) a)->moment->created;
  gint64 created_b = ((const Node *) b)->moment->created;

  return (created_a > created_b) - (created_a < created_b);
}

/* Numbers in a random looking order: a step of Weyl's sequence, mixed. */
static guint32
next_rank (StmTree *self)
{
  guint32 rank = self->last_rank += 0x9e3779b9u;

  rank = (rank ^ (rank >> 16)) * 0x85ebca6bu;
  rank = (rank ^ (rank >> 13)) * 0xc2b2ae35u;
  return rank ^ (rank >> 16);
}

/* Equal times keep the order of the puts. */
static void
attach (StmTree *self, Node *node, Node *parent)
{
  node->parent = parent;
  parent->n_children++;
  stm_siblings_add (&parent->children, &node->sibling, next_rank (self), compare_by_creation);
  stm_ancestry_link (&node->ancestry, &parent->ancestry);
}

static void
detach (Node *node)
{
  stm_ancestry_cut (&node->ancestry);
  stm_siblings_remove (&node->parent->children, &node->sibling);
  node->parent->n_children--;
  node->parent = NULL;
}

static void
forget_name (StmTree *self, Node *node)
{
  /* Within one change another moment may have got the name already. */
  if (get_node_by_name (self, node->moment->name) == node)
    g_hash_table_remove (self->by_name, node);
}

static void
judge_busy (StmTree *self, Node *node)
{
  if (node->moment->state == STM_STATE_CREATING || node->moment->state == STM_STATE_DELETING)
    g_hash_table_add (self->busy, node);
  else
    g_hash_table_remove (self->busy, node);
}

static void
replace_moment (StmTree *self, Node *node, const StmMoment *moment)
{
  StmMoment *replaced = node->moment;

  forget_name (self, node);
  /* Of the same id, so the node stays where it is in its table. */
  node->moment = stm_moment_ref (moment);
  stm_moment_unref (replaced);
}

static Node *
add_moment (StmTree *self, const StmMoment *moment)
{
  Node *node = g_new0 (Node, 1);

  node->moment = stm_moment_ref (moment);
  g_hash_table_add (self->by_id, node);

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
    {
      if (!stays)
        detach (node);
      replace_moment (self, node, moment);
    }
  g_hash_table_replace (self->by_name, node, node);
  judge_busy (self, node);
  if (!stays)
    attach (self, node, parent);
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
  g_hash_table_remove (self->busy, node);
  g_hash_table_remove (self->by_id, node);
}

void
stm_tree_set_current (StmTree *self, const char *id)
{
  char *current = g_strdup (id);

  g_free (self->current);
  self->current = current;
}

static int
compare_names (gconstpointer a, gconstpointer b)
{
  return g_strcmp0 ((*(StmMoment *const *) a)->name, (*(StmMoment *const *) b)->name);
}

GPtrArray *
stm_tree_busy (const StmTree *self)
{
  GPtrArray *moments = g_ptr_array_new_with_free_func ((GDestroyNotify) stm_moment_unref);
  GHashTableIter iter;
  gpointer node;

  g_hash_table_iter_init (&iter, self->busy);
  while (g_hash_table_iter_next (&iter, &node, NULL))
    g_ptr_array_add (moments, stm_moment_ref (((const Node *) node)->moment));
  g_ptr_array_sort (moments, compare_names);

  return moments;
}

/* Puts the nodes back onto their parents. */
static void
restore_ancestry (Node *const *nodes, gsize n)
{
  for (gsize i = 0; i < n; i++)
    stm_ancestry_cut (&nodes[i]->ancestry);
  for (gsize i = 0; i < n; i++)
    stm_ancestry_link (&nodes[i]->ancestry, &nodes[i]->parent->ancestry);
}

gssize
stm_tree_find_ring (const StmTree *self, const StmTreeMove *moves, gsize n_moves)
{
  g_autofree Node **nodes = g_new (Node *, n_moves);
  gssize found = -1;

  for (gsize i = 0; i < n_moves; i++)
    {
      nodes[i] = get_node (self, moves[i].id);
      g_return_val_if_fail (nodes[i] != NULL, -1);
    }
  for (gsize i = 0; i < n_moves; i++)
    stm_ancestry_cut (&nodes[i]->ancestry);
  for (gsize i = 0; i < n_moves && found < 0; i++)
    {
      Node *parent = get_node (self, moves[i].parent);

      /* What is moved to a root needs no link here. */
      if (parent == NULL)
        continue;
      if (stm_ancestry_root (&parent->ancestry) == &nodes[i]->ancestry)
        found = (gssize) i;
      else
        stm_ancestry_link (&nodes[i]->ancestry, &parent->ancestry);
    }
  restore_ancestry (nodes, n_moves);

  return found;
}
