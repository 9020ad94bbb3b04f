/* StmModel: owns the domains with their trees and images, and answers questions on them.
 *
 * Main loop only. Changing stands in stm-model-apply.c, judging a change in stm-model-check.c;
 * nothing else reaches the inside.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "stm-model.h"

#include "stm-id.h"
#include "stm-model-private.h"

static void
free_entry (gpointer data)
{
  StmDomainEntry *entry = data;

  /* The index points into the trees and the record. */
  stm_image_index_free (entry->images);
  stm_leaf_index_free (entry->checkpoints);
  for (guint kind = 0; kind < STM_N_MOMENT_KINDS; kind++)
    stm_tree_free (entry->trees[kind]);
  stm_domain_unref (entry->record);
  g_free (entry->id);
  g_free (entry);
}

StmModel *
stm_model_new (void)
{
  StmModel *self = g_new0 (StmModel, 1);

  self->holders = stm_image_holders_new ();
  self->entries = g_hash_table_new_full (g_str_hash, g_str_equal, NULL, free_entry);
  self->by_name = g_hash_table_new (g_str_hash, g_str_equal);

  return self;
}

void
stm_model_free (StmModel *self)
{
  if (self == NULL)
    return;

  g_hash_table_unref (self->by_name);
  g_hash_table_unref (self->entries);
  g_hash_table_unref (self->holders);
  g_free (self);
}

StmDomainEntry *
stm_model_get_entry (const StmModel *self, const char *domain_id)
{
  return domain_id != NULL ? g_hash_table_lookup (self->entries, domain_id) : NULL;
}

const StmMoment *
stm_domain_entry_get_moment (const StmDomainEntry *entry, const char *id)
{
  for (guint kind = 0; entry != NULL && kind < STM_N_MOMENT_KINDS; kind++)
    {
      const StmMoment *moment = stm_tree_get (entry->trees[kind], id);

      if (moment != NULL)
        return moment;
    }

  return NULL;
}

StmDomainEntry *
stm_model_add_entry (StmModel *self, const char *domain_id)
{
  StmDomainEntry *entry = g_new0 (StmDomainEntry, 1);

  entry->id = g_strdup (domain_id);
  for (guint kind = 0; kind < STM_N_MOMENT_KINDS; kind++)
    entry->trees[kind] = stm_tree_new ();
  entry->images = stm_image_index_new (self->holders, domain_id);
  entry->checkpoints = stm_leaf_index_new ();
  g_hash_table_insert (self->entries, entry->id, entry);

  return entry;
}

void
stm_model_remove_entry (StmModel *self, StmDomainEntry *entry)
{
  g_hash_table_remove (self->by_name, entry->record->name);
  g_hash_table_remove (self->entries, entry->id);
}

static int
compare_texts (gconstpointer a, gconstpointer b)
{
  return g_strcmp0 (*(char *const *) a, *(char *const *) b);
}

GPtrArray *
stm_model_domain_ids (const StmModel *self)
{
  g_autoptr (GPtrArray) ids = g_ptr_array_sized_new (g_hash_table_size (self->entries));
  GHashTableIter iter;
  gpointer id;

  g_hash_table_iter_init (&iter, self->entries);
  while (g_hash_table_iter_next (&iter, &id, NULL))
    g_ptr_array_add (ids, id);
  g_ptr_array_sort (ids, compare_texts);

  return g_steal_pointer (&ids);
}

const StmDomain *
stm_model_get_domain (const StmModel *self, const char *domain_id)
{
  const StmDomainEntry *entry = stm_model_get_entry (self, domain_id);

  return entry != NULL ? entry->record : NULL;
}

const StmDomain *
stm_model_find_domain (const StmModel *self, const char *name_or_uuid)
{
  g_return_val_if_fail (name_or_uuid != NULL, NULL);

  const StmDomainEntry *entry = g_hash_table_lookup (self->by_name, name_or_uuid);
  g_autofree char *id = entry == NULL ? stm_id_from_uuid (name_or_uuid) : NULL;

  if (id != NULL)
    entry = stm_model_get_entry (self, id);

  return entry != NULL ? entry->record : NULL;
}

guint64
stm_model_generation (const StmModel *self, const char *domain_id)
{
  const StmDomainEntry *entry = stm_model_get_entry (self, domain_id);

  return entry != NULL ? entry->generation : 0;
}

guint64
stm_model_service_generation (const StmModel *self)
{
  return self->service_generation;
}

const StmTree *
stm_model_tree (const StmModel *self, const char *domain_id, StmMomentKind kind)
{
  g_return_val_if_fail ((guint) kind < STM_N_MOMENT_KINDS, NULL);

  const StmDomainEntry *entry = stm_model_get_entry (self, domain_id);

  return entry != NULL ? entry->trees[kind] : NULL;
}

const char *
stm_model_lone_leaf (const StmModel *self, const char *domain_id, guint *out_n_leaves)
{
  const StmDomainEntry *entry = stm_model_get_entry (self, domain_id);

  if (out_n_leaves != NULL)
    *out_n_leaves = entry != NULL ? stm_leaf_index_count (entry->checkpoints) : 0;

  return entry != NULL ? stm_leaf_index_lone (entry->checkpoints) : NULL;
}

GPtrArray *
stm_model_leaves (const StmModel *self, const char *domain_id, guint limit)
{
  const StmDomainEntry *entry = stm_model_get_entry (self, domain_id);

  return entry != NULL ? stm_leaf_index_list (entry->checkpoints, limit) : g_ptr_array_new ();
}

GPtrArray *
stm_model_bitmap_sharers (const StmModel *self, const char *domain_id, const char *target,
                          const char *bitmap)
{
  const StmDomainEntry *entry = stm_model_get_entry (self, domain_id);

  return entry != NULL ? stm_leaf_index_sharers (entry->checkpoints, target, bitmap)
                       : g_ptr_array_new ();
}

static GPtrArray *
new_moment_array (void)
{
  return g_ptr_array_new_with_free_func ((GDestroyNotify) stm_moment_unref);
}

GPtrArray *
stm_model_checkpoints_at (const StmModel *self, const char *domain_id, const char *path)
{
  const StmDomainEntry *entry = stm_model_get_entry (self, domain_id);

  return entry != NULL ? stm_image_index_checkpoints (entry->images, path) : new_moment_array ();
}

GPtrArray *
stm_model_snapshots_in (const StmModel *self, const char *domain_id, const char *path)
{
  const StmDomainEntry *entry = stm_model_get_entry (self, domain_id);

  return entry != NULL ? stm_image_index_snapshots (entry->images, path) : new_moment_array ();
}

GPtrArray *
stm_model_busy_moments (const StmModel *self, const char *domain_id)
{
  GPtrArray *moments = new_moment_array ();
  const StmDomainEntry *entry = stm_model_get_entry (self, domain_id);

  for (guint kind = 0; entry != NULL && kind < STM_N_MOMENT_KINDS; kind++)
    g_ptr_array_extend_and_steal (moments, stm_tree_busy (entry->trees[kind]));

  return moments;
}

const StmImage *
stm_model_get_image (const StmModel *self, const char *domain_id, const char *path)
{
  const StmDomainEntry *entry = stm_model_get_entry (self, domain_id);

  return entry != NULL ? stm_image_index_get (entry->images, path) : NULL;
}

static GPtrArray *
new_image_array (void)
{
  return g_ptr_array_new_with_free_func ((GDestroyNotify) stm_image_unref);
}

GPtrArray *
stm_model_images (const StmModel *self, const char *domain_id)
{
  const StmDomainEntry *entry = stm_model_get_entry (self, domain_id);

  return entry != NULL ? stm_image_index_list (entry->images) : new_image_array ();
}

GPtrArray *
stm_model_chain (const StmModel *self, const char *domain_id, const char *target)
{
  const StmDomain *domain = stm_model_get_domain (self, domain_id);
  const StmDisk *disk = domain != NULL ? stm_domain_find_disk (domain, target) : NULL;

  return stm_model_chain_from (self, domain_id, disk != NULL ? disk->source : NULL);
}

GPtrArray *
stm_model_chain_from (const StmModel *self, const char *domain_id, const char *path)
{
  g_autoptr (GPtrArray) chain = new_image_array ();
  g_autoptr (GHashTable) seen = g_hash_table_new (NULL, NULL);
  const StmImage *image = stm_model_get_image (self, domain_id, path);

  /* The check of a change keeps rings out; a model that was filled without it must not hang us. */
  while (image != NULL && g_hash_table_add (seen, (StmImage *) image))
    {
      g_ptr_array_add (chain, stm_image_ref (image));
      image = stm_model_get_image (self, domain_id, image->backing);
    }

  return g_steal_pointer (&chain);
}

guint
stm_model_count_image_children (const StmModel *self, const char *domain_id, const char *path)
{
  const StmDomainEntry *entry = stm_model_get_entry (self, domain_id);

  return entry != NULL ? stm_image_index_count_children (entry->images, path) : 0;
}

GPtrArray *
stm_model_images_over (const StmModel *self, const char *domain_id, const char *path)
{
  const StmDomainEntry *entry = stm_model_get_entry (self, domain_id);

  return entry != NULL ? stm_image_index_children (entry->images, path) : g_ptr_array_new ();
}

GPtrArray *
stm_model_image_children (const StmModel *self, const char *path)
{
  g_return_val_if_fail (path != NULL, NULL);

  return stm_image_holders_children (self->holders, path);
}

GArray *
stm_model_image_users (const StmModel *self, const char *path)
{
  g_return_val_if_fail (path != NULL, NULL);

  return stm_image_holders_users (self->holders, path);
}

guint
stm_model_count_image_users (const StmModel *self, const char *path)
{
  g_return_val_if_fail (path != NULL, 0);

  return stm_image_holders_count_users (self->holders, path);
}

GArray *
stm_model_image_disks (const StmModel *self, const char *path)
{
  g_return_val_if_fail (path != NULL, NULL);

  return stm_image_holders_disks (self->holders, path);
}

/* Domains mostly share their directories: each is named once. */
static void
add_roots_once (GPtrArray *roots, GHashTable *seen, const char *const *added)
{
  for (; added != NULL && *added != NULL; added++)
    if (g_hash_table_add (seen, (char *) *added))
      g_ptr_array_add (roots, (char *) *added);
}

static GPtrArray *
collect_roots (const StmModel *self, const char *const *pools)
{
  g_autoptr (GPtrArray) roots = g_ptr_array_new ();
  g_autoptr (GHashTable) seen = g_hash_table_new (g_str_hash, g_str_equal);
  g_autoptr (GPtrArray) ids = stm_model_domain_ids (self);

  for (guint i = 0; i < ids->len; i++)
    add_roots_once (roots, seen, stm_model_get_domain (self, ids->pdata[i])->roots);
  add_roots_once (roots, seen, pools);
  g_ptr_array_add (roots, NULL);

  return g_steal_pointer (&roots);
}

StmPathPolicy *
stm_model_path_policy (const StmModel *self, const char *domain_id, const char *const *pools)
{
  g_autoptr (GPtrArray) roots = collect_roots (self, pools);
  g_autoptr (GPtrArray) images = stm_model_images (self, domain_id);
  g_autofree const char **exact = g_new0 (const char *, images->len + 1);

  for (guint i = 0; i < images->len; i++)
    exact[i] = ((const StmImage *) images->pdata[i])->path;

  return stm_path_policy_new ((const char *const *) roots->pdata, exact);
}
