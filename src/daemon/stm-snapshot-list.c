/* Filters and orders the snapshots, or the checkpoints, of one domain. Knows the tree alone; one
 * walk over it, whatever is asked.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "stm-snapshot-list.h"

#include "stemma-error.h"

struct _StmSnapshotOrder
{
  GPtrArray *scope; /* StmMoment */
  guint next;       /* behind the last one that was given */
};

static const char *const location_words[] = { "any", "internal", "external", "mixed", NULL };

StmLocation
stm_moment_get_location (const StmMoment *moment)
{
  gboolean has_internal = moment->memory == STM_MEMORY_INTERNAL;
  gboolean has_external = moment->memory == STM_MEMORY_EXTERNAL;

  for (gsize i = 0; i < moment->n_disks; i++)
    {
      has_internal = has_internal || moment->disks[i].mode == STM_MODE_INTERNAL;
      has_external = has_external || moment->disks[i].mode == STM_MODE_EXTERNAL;
    }
  if (has_internal)
    return has_external ? STM_LOCATION_MIXED : STM_LOCATION_INTERNAL;

  return STM_LOCATION_EXTERNAL;
}

const char *
stm_location_to_word (StmLocation location)
{
  return location_words[location];
}

static int
compare_by_creation (gconstpointer a, gconstpointer b)
{
  const StmMoment *first = *(const StmMoment *const *) a;
  const StmMoment *second = *(const StmMoment *const *) b;

  return (first->created > second->created) - (first->created < second->created);
}

/* Everything that `from` puts in question, in the order asked for. */
static GPtrArray *
list_scope (const StmTree *tree, const StmListFilter *filter)
{
  g_autoptr (GPtrArray) all = stm_tree_subtree (tree, filter->from);
  GPtrArray *scope = g_ptr_array_new_full (all->len, (GDestroyNotify) stm_moment_unref);

  for (guint i = 0; i < all->len; i++)
    {
      const StmMoment *moment = g_ptr_array_index (all, i);
      gboolean is_in = filter->from == NULL || g_strcmp0 (moment->parent, filter->from) == 0
                       || (filter->takes_descendants && !g_str_equal (moment->id, filter->from));

      if (is_in)
        g_ptr_array_add (scope, stm_moment_ref (moment));
    }
  /* Stable: moments of the same second keep the order of the tree. */
  if (filter->order == STM_ORDER_CREATION)
    g_ptr_array_sort (scope, compare_by_creation);
  return scope;
}

static gboolean
matches (const StmTree *tree, const StmListFilter *filter, const StmMoment *moment)
{
  const char *state = stm_moment_state_to_word (moment->state);

  if (filter->roots_only && moment->parent != NULL)
    return FALSE;
  if (filter->leaves_only && stm_tree_n_children (tree, moment->id) > 0)
    return FALSE;
  if (filter->states != NULL && !g_strv_contains (filter->states, state))
    return FALSE;

  return filter->location == STM_LOCATION_ANY
         || filter->location == stm_moment_get_location (moment);
}

StmSnapshotOrder *
stm_snapshot_order_new (const StmTree *tree, const StmListFilter *filter, GError **error)
{
  StmSnapshotOrder *self = NULL;

  if (filter->from != NULL && stm_tree_get (tree, filter->from) == NULL)
    {
      g_set_error (error, STEMMA_ERROR, STEMMA_ERROR_NOT_FOUND,
                   "option 'from': there is no %s any more", filter->from);
      return NULL;
    }

  self = g_new0 (StmSnapshotOrder, 1);
  self->scope = list_scope (tree, filter);
  return self;
}

void
stm_snapshot_order_free (StmSnapshotOrder *self)
{
  if (self == NULL)
    return;

  g_ptr_array_unref (self->scope);
  g_free (self);
}

static gboolean
is_at (StmSnapshotOrder *self, guint place, const char *id)
{
  const StmMoment *moment = g_ptr_array_index (self->scope, place);

  return g_str_equal (moment->id, id);
}

/* Where the list begins: behind `after`. */
static gboolean
find_start (StmSnapshotOrder *self, const char *after, guint *out_start, GError **error)
{
  *out_start = 0;
  if (after == NULL)
    return TRUE;

  *out_start = self->next;
  if (self->next > 0 && is_at (self, self->next - 1, after))
    return TRUE;
  for (guint i = 0; i < self->scope->len; i++)
    {
      *out_start = i + 1;
      if (is_at (self, i, after))
        return TRUE;
    }
  g_set_error (error, STEMMA_ERROR, STEMMA_ERROR_NOT_FOUND,
               "option 'after': %s is not in this list; it may have been deleted", after);
  return FALSE;
}

GPtrArray *
stm_snapshot_order_pick (StmSnapshotOrder *self, const StmTree *tree, const StmListFilter *filter,
                         GError **error)
{
  g_autoptr (GPtrArray) list = g_ptr_array_new_with_free_func ((GDestroyNotify) stm_moment_unref);
  guint start = 0;

  if (!find_start (self, filter->after, &start, error))
    return NULL;
  for (guint i = start; i < self->scope->len; i++)
    {
      if (filter->limit > 0 && list->len == filter->limit)
        break;
      if (!matches (tree, filter, g_ptr_array_index (self->scope, i)))
        continue;
      g_ptr_array_add (list, stm_moment_ref (g_ptr_array_index (self->scope, i)));
      self->next = i + 1;
    }
  return g_steal_pointer (&list);
}

GPtrArray *
stm_snapshot_list (const StmTree *tree, const StmListFilter *filter, GError **error)
{
  g_autoptr (StmSnapshotOrder) order = stm_snapshot_order_new (tree, filter, error);

  return order == NULL ? NULL : stm_snapshot_order_pick (order, tree, filter, error);
}
