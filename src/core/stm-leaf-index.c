/* StmLeafIndex: a node per checkpoint, the set of leaves, and the checkpoints by bitmap.
 *
 * Owned and fed by StmModel on the main loop. Knows no rule but that of which checkpoint can be
 * reached; keeps a reference to each checkpoint that it knows of.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "stm-leaf-index.h"

#include "stm-pointer-set.h"

/* Alive is a checkpoint that can be reached, or on which an alive one stands: so one in the middle
 * of a line that is lost does not make two leaves of it. */
typedef struct
{
  StmMoment *moment; /* NULL while only children name it */
  guint n_alive;     /* children that are alive */
} Node;

struct _StmLeafIndex
{
  GHashTable *nodes;   /* id, owned -> Node */
  GHashTable *leaves;  /* set of Node */
  GHashTable *bitmaps; /* name, owned -> StmPointerSet of Node */
};

static void
free_node (gpointer data)
{
  Node *node = data;

  stm_moment_unref (node->moment);
  g_free (node);
}

static void
free_sharers (gpointer data)
{
  stm_pointer_set_clear (data);
  g_free (data);
}

StmLeafIndex *
stm_leaf_index_new (void)
{
  StmLeafIndex *self = g_new0 (StmLeafIndex, 1);

  self->nodes = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, free_node);
  self->leaves = g_hash_table_new (NULL, NULL);
  self->bitmaps = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, free_sharers);

  return self;
}

void
stm_leaf_index_free (StmLeafIndex *self)
{
  if (self == NULL)
    return;
  g_hash_table_unref (self->bitmaps);
  g_hash_table_unref (self->leaves);
  g_hash_table_unref (self->nodes);
  g_free (self);
}

gboolean
stm_checkpoint_is_reachable (const StmMoment *moment)
{
  return moment->state != STM_STATE_CREATING && moment->health != STM_HEALTH_UNREACHABLE
         && moment->health != STM_HEALTH_MISSING;
}

static Node *
ensure_node (StmLeafIndex *self, const char *id)
{
  Node *node = g_hash_table_lookup (self->nodes, id);

  if (node == NULL)
    {
      node = g_new0 (Node, 1);
      g_hash_table_insert (self->nodes, g_strdup (id), node);
    }

  return node;
}

static gboolean
is_reachable (const Node *node)
{
  return node->moment != NULL && stm_checkpoint_is_reachable (node->moment);
}

static void
judge_node (StmLeafIndex *self, Node *node)
{
  if (is_reachable (node) && node->n_alive == 0)
    g_hash_table_add (self->leaves, node);
  else
    g_hash_table_remove (self->leaves, node);
}

/* A node that nobody names any more goes. */
static void
release_node (StmLeafIndex *self, const char *id, Node *node)
{
  judge_node (self, node);
  if (node->moment == NULL && node->n_alive == 0)
    g_hash_table_remove (self->nodes, id);
}

/* One more child is alive. Goes up only through what was dead before. */
static void
add_alive (StmLeafIndex *self, const char *id)
{
  while (id != NULL)
    {
      Node *node = ensure_node (self, id);
      gboolean was_alive = is_reachable (node) || node->n_alive > 0;

      node->n_alive++;
      judge_node (self, node);
      id = was_alive || node->moment == NULL ? NULL : node->moment->parent;
    }
}

/* One child less is. */
static void
drop_alive (StmLeafIndex *self, const char *id)
{
  while (id != NULL)
    {
      Node *node = g_hash_table_lookup (self->nodes, id);
      const char *parent = NULL;

      g_return_if_fail (node != NULL && node->n_alive > 0);

      node->n_alive--;
      if (node->n_alive == 0 && node->moment != NULL && !is_reachable (node))
        parent = node->moment->parent;
      release_node (self, id, node);
      id = parent;
    }
}

static void
add_bitmaps (StmLeafIndex *self, Node *node)
{
  for (gsize i = 0; i < node->moment->n_disks; i++)
    {
      const char *bitmap = node->moment->disks[i].bitmap;
      StmPointerSet *sharers = bitmap == NULL ? NULL : g_hash_table_lookup (self->bitmaps, bitmap);

      if (bitmap == NULL)
        continue;
      if (sharers == NULL)
        {
          sharers = g_new0 (StmPointerSet, 1);
          g_hash_table_insert (self->bitmaps, g_strdup (bitmap), sharers);
        }
      stm_pointer_set_add (sharers, node);
    }
}

static void
drop_bitmaps (StmLeafIndex *self, Node *node)
{
  for (gsize i = 0; i < node->moment->n_disks; i++)
    {
      const char *bitmap = node->moment->disks[i].bitmap;
      StmPointerSet *sharers = bitmap == NULL ? NULL : g_hash_table_lookup (self->bitmaps, bitmap);

      if (sharers == NULL)
        continue;
      stm_pointer_set_remove (sharers, node);
      if (stm_pointer_set_size (sharers) == 0)
        g_hash_table_remove (self->bitmaps, bitmap);
    }
}

static void
enter (StmLeafIndex *self, Node *node)
{
  add_bitmaps (self, node);
  judge_node (self, node);
  if (is_reachable (node) || node->n_alive > 0)
    add_alive (self, node->moment->parent);
}

static void
leave (StmLeafIndex *self, Node *node)
{
  gboolean was_alive = is_reachable (node) || node->n_alive > 0;
  g_autoptr (StmMoment) moment = node->moment;

  drop_bitmaps (self, node);
  node->moment = NULL;
  if (was_alive)
    drop_alive (self, moment->parent);
}

void
stm_leaf_index_put (StmLeafIndex *self, const StmMoment *moment)
{
  g_return_if_fail (self != NULL && moment != NULL);

  if (moment->kind != STM_MOMENT_CHECKPOINT)
    return;

  Node *node = ensure_node (self, moment->id);
  if (node->moment != NULL)
    leave (self, node);
  node->moment = stm_moment_ref (moment);
  enter (self, node);
}

void
stm_leaf_index_remove (StmLeafIndex *self, const char *id)
{
  Node *node = g_hash_table_lookup (self->nodes, id);

  if (node == NULL || node->moment == NULL)
    return;
  g_autofree char *key = g_strdup (id);
  leave (self, node);
  release_node (self, key, node);
}

guint
stm_leaf_index_count (const StmLeafIndex *self)
{
  return g_hash_table_size (self->leaves);
}

static const StmMoment *
first_of (GHashTable *nodes)
{
  GHashTableIter iter;
  gpointer node;

  g_hash_table_iter_init (&iter, nodes);

  return g_hash_table_iter_next (&iter, &node, NULL) ? ((Node *) node)->moment : NULL;
}

const char *
stm_leaf_index_lone (const StmLeafIndex *self)
{
  return g_hash_table_size (self->leaves) == 1 ? first_of (self->leaves)->id : NULL;
}

static int
compare_names (gconstpointer a, gconstpointer b)
{
  return g_strcmp0 ((*(StmMoment *const *) a)->name, (*(StmMoment *const *) b)->name);
}

static int
compare_ids (gconstpointer a, gconstpointer b)
{
  return g_strcmp0 ((*(StmMoment *const *) a)->id, (*(StmMoment *const *) b)->id);
}

static GPtrArray *
new_moments (void)
{
  return g_ptr_array_new_with_free_func ((GDestroyNotify) stm_moment_unref);
}

GPtrArray *
stm_leaf_index_list (const StmLeafIndex *self, guint limit)
{
  GPtrArray *moments = new_moments ();
  GHashTableIter iter;
  gpointer node;

  g_hash_table_iter_init (&iter, self->leaves);
  while (moments->len < limit && g_hash_table_iter_next (&iter, &node, NULL))
    g_ptr_array_add (moments, stm_moment_ref (((Node *) node)->moment));
  g_ptr_array_sort (moments, compare_names);

  return moments;
}

GPtrArray *
stm_leaf_index_sharers (const StmLeafIndex *self, const char *target, const char *bitmap)
{
  GPtrArray *moments = new_moments ();
  const StmPointerSet *sharers = g_hash_table_lookup (self->bitmaps, bitmap);
  StmPointerSetIter iter;
  const Node *node;

  if (sharers == NULL)
    return moments;
  stm_pointer_set_iter_init (&iter, sharers);
  while ((node = stm_pointer_set_iter_next (&iter)) != NULL)
    {
      const StmMoment *moment = node->moment;
      const StmMomentDisk *disk = stm_moment_find_disk (moment, target);

      if (disk != NULL && g_strcmp0 (disk->bitmap, bitmap) == 0)
        g_ptr_array_add (moments, stm_moment_ref (moment));
    }
  g_ptr_array_sort (moments, compare_ids);

  return moments;
}
