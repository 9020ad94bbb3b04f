/* Keeps one order: clients that read different lists in pages by turns get them put in order anew,
 * and no more is held for them.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "stm-list-pages.h"

struct _StmListPages
{
  StmSnapshotOrder *order; /* or NULL */
  /* of what */
  char *from;
  gboolean takes_descendants;
  StmListOrder kind;
};

StmListPages *
stm_list_pages_new (void)
{
  return g_new0 (StmListPages, 1);
}

void
stm_list_pages_free (StmListPages *self)
{
  if (self == NULL)
    return;

  stm_list_pages_forget (self);
  g_free (self);
}

void
stm_list_pages_forget (StmListPages *self)
{
  g_clear_pointer (&self->order, stm_snapshot_order_free);
  g_clear_pointer (&self->from, g_free);
}

static gboolean
is_kept (StmListPages *self, const StmListFilter *filter)
{
  return self->order != NULL && self->kind == filter->order
         && self->takes_descendants == filter->takes_descendants
         && g_strcmp0 (self->from, filter->from) == 0;
}

static gboolean
keep (StmListPages *self, const StmTree *tree, const StmListFilter *filter, GError **error)
{
  stm_list_pages_forget (self);
  self->order = stm_snapshot_order_new (tree, filter, error);
  self->from = g_strdup (filter->from);
  self->takes_descendants = filter->takes_descendants;
  self->kind = filter->order;
  return self->order != NULL;
}

GPtrArray *
stm_list_pages_read (StmListPages *self, const StmTree *tree, const StmListFilter *filter,
                     GError **error)
{
  g_autoptr (GPtrArray) page = NULL;

  if (filter->limit == 0)
    return stm_snapshot_list (tree, filter, error);
  if (!is_kept (self, filter) && !keep (self, tree, filter, error))
    return NULL;

  page = stm_snapshot_order_pick (self->order, tree, filter, error);
  /* The last page: whoever reads on begins anew. */
  if (page != NULL && page->len < filter->limit)
    stm_list_pages_forget (self);
  return g_steal_pointer (&page);
}
