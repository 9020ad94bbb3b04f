/* stm_model_apply(): the one function that changes the model.
 *
 * Main loop only, with a change that stm_model_check() let through; so nothing here fails or
 * judges. The order of the values within a change does not matter.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "stm-model-private.h"

static void
put_moment (StmDomainEntry *entry, const StmMoment *moment)
{
  const StmMoment *replaced = stm_tree_get (entry->trees[moment->kind], moment->id);

  if (replaced == moment)
    return;
  if (replaced != NULL)
    stm_image_index_drop_moment (entry->images, replaced);
  stm_tree_put (entry->trees[moment->kind], moment);
  stm_leaf_index_put (entry->checkpoints, moment);
  stm_image_index_add_moment (entry->images, moment);
}

/* The tree wants a parent before its children and never a moment on itself, not even in between;
 * the change has them in any order. So those parents of the moment that are still to be put go
 * first: then its whole way to the root is final. */
static void
put_with_parents (StmDomainEntry *entry, GHashTable *waiting, const StmMoment *moment)
{
  g_autoptr (GPtrArray) line = g_ptr_array_new ();

  for (; moment != NULL;
       moment = moment->parent != NULL ? g_hash_table_lookup (waiting, moment->parent) : NULL)
    {
      g_hash_table_remove (waiting, moment->id);
      g_ptr_array_add (line, (StmMoment *) moment);
    }
  for (guint i = line->len; i > 0; i--)
    put_moment (entry, line->pdata[i - 1]);
}

static void
put_moments (StmDomainEntry *entry, const GPtrArray *moments)
{
  g_autoptr (GHashTable) waiting = g_hash_table_new (g_str_hash, g_str_equal);

  for (guint i = 0; i < moments->len; i++)
    {
      StmMoment *moment = moments->pdata[i];

      g_hash_table_insert (waiting, (char *) moment->id, moment);
    }
  for (guint i = 0; i < moments->len; i++)
    {
      const StmMoment *moment = moments->pdata[i];

      if (g_hash_table_contains (waiting, moment->id))
        put_with_parents (entry, waiting, moment);
    }
}

/* What still stands on a removed moment is removed by the same change, in whatever order. */
static void
remove_moment (StmDomainEntry *entry, const char *id)
{
  const StmMoment *moment = stm_domain_entry_get_moment (entry, id);

  if (moment == NULL)
    return;

  StmTree *tree = entry->trees[moment->kind];
  g_autoptr (GPtrArray) moments = stm_tree_subtree (tree, id);

  for (guint i = moments->len; i > 0; i--)
    {
      const StmMoment *removed = moments->pdata[i - 1];

      stm_image_index_drop_moment (entry->images, removed);
      stm_leaf_index_remove (entry->checkpoints, removed->id);
      stm_tree_remove (tree, removed->id);
    }
}

static void
set_domain (StmModel *self, StmDomainEntry *entry, const StmDomain *domain)
{
  StmDomain *replaced = entry->record;

  if (replaced != NULL)
    {
      stm_image_index_drop_disks (entry->images, replaced);
      g_hash_table_remove (self->by_name, replaced->name);
    }
  entry->record = stm_domain_ref (domain);
  g_hash_table_insert (self->by_name, (char *) entry->record->name, entry);
  stm_image_index_add_disks (entry->images, entry->record);
  stm_domain_unref (replaced);
}

static void
apply_to_entry (StmModel *self, StmDomainEntry *entry, const StmChange *change)
{
  for (guint i = 0; i < change->put_images->len; i++)
    stm_image_index_put (entry->images, change->put_images->pdata[i]);
  put_moments (entry, change->put_moments);
  for (guint i = 0; i < change->removed_moments->len; i++)
    remove_moment (entry, change->removed_moments->pdata[i]);
  if (change->domain != NULL)
    set_domain (self, entry, change->domain);
  for (guint i = 0; i < change->removed_images->len; i++)
    stm_image_index_remove (entry->images, change->removed_images->pdata[i]);
  if (change->current_change == STM_CURRENT_SET)
    stm_tree_set_current (entry->trees[STM_MOMENT_SNAPSHOT], change->current_id);
  entry->generation = change->generation;
}

void
stm_model_apply (StmModel *self, const StmChange *change)
{
  g_return_if_fail (self != NULL && change != NULL);

  StmDomainEntry *entry = stm_model_get_entry (self, change->domain_id);

  g_return_if_fail (entry != NULL || (change->domain != NULL && !change->removes_domain));

  if (change->removes_domain)
    stm_model_remove_entry (self, entry);
  else
    apply_to_entry (self, entry != NULL ? entry : stm_model_add_entry (self, change->domain_id),
                    change);
  if (change->service_generation != 0)
    self->service_generation = change->service_generation;
}
