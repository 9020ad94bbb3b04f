/* StmImageIndex: nodes by path, linked to the nodes of the images that stand on them.
 *
 * Owned and changed by StmModel on the main loop. Knows no rule: what may stand on what, and what
 * may go, is decided by stm_model_check().
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "stm-image-index-private.h"

static void
free_node (gpointer data)
{
  StmImageNode *node = data;

  stm_image_unref (node->record);
  stm_pointer_set_clear (&node->children);
  stm_pointer_set_clear (&node->moments);
  stm_pointer_set_clear (&node->homes);
  g_clear_pointer (&node->disks, g_hash_table_unref);
  stm_image_holders_leave (node);
  g_free (node);
}

static StmImageNode *
get_node (const StmImageIndex *self, const char *path)
{
  return path != NULL ? g_hash_table_lookup (self->nodes, path) : NULL;
}

static StmImageNode *
ensure_node (StmImageIndex *self, const char *path)
{
  StmImageNode *node = get_node (self, path);

  if (node != NULL)
    return node;

  node = g_new0 (StmImageNode, 1);
  node->index = self;
  stm_image_holders_enter (node, path);
  g_hash_table_insert (self->nodes, node->holder->path, node);

  return node;
}

static void
release_node (StmImageIndex *self, StmImageNode *node)
{
  if (node->record == NULL && stm_pointer_set_size (&node->children) == 0
      && stm_pointer_set_size (&node->moments) == 0 && stm_pointer_set_size (&node->homes) == 0
      && node->disks == NULL)
    g_hash_table_remove (self->nodes, node->holder->path);
}

StmImageIndex *
stm_image_index_new (GHashTable *holders, const char *domain_id)
{
  StmImageIndex *self = g_new0 (StmImageIndex, 1);

  self->domain_id = g_strdup (domain_id);
  self->holders = holders;
  self->nodes = g_hash_table_new_full (g_str_hash, g_str_equal, NULL, free_node);

  return self;
}

void
stm_image_index_free (StmImageIndex *self)
{
  if (self == NULL)
    return;

  g_hash_table_unref (self->nodes);
  g_free (self->domain_id);
  g_free (self);
}

const StmImage *
stm_image_index_get (const StmImageIndex *self, const char *path)
{
  const StmImageNode *node = get_node (self, path);

  return node != NULL ? node->record : NULL;
}

static int
compare_images (gconstpointer a, gconstpointer b)
{
  const StmImage *image_a = *(StmImage *const *) a;
  const StmImage *image_b = *(StmImage *const *) b;
  int by_target = g_strcmp0 (image_a->target, image_b->target);

  if (by_target != 0)
    return by_target;
  if (image_a->index != image_b->index)
    return image_a->index < image_b->index ? -1 : 1;

  return g_strcmp0 (image_a->path, image_b->path);
}

GPtrArray *
stm_image_index_list (const StmImageIndex *self)
{
  g_autoptr (GPtrArray) images = g_ptr_array_new_with_free_func ((GDestroyNotify) stm_image_unref);
  GHashTableIter iter;
  gpointer value;

  g_hash_table_iter_init (&iter, self->nodes);
  while (g_hash_table_iter_next (&iter, NULL, &value))
    {
      const StmImageNode *node = value;

      if (node->record != NULL)
        g_ptr_array_add (images, stm_image_ref (node->record));
    }
  g_ptr_array_sort (images, compare_images);

  return g_steal_pointer (&images);
}

GPtrArray *
stm_image_index_children (const StmImageIndex *self, const char *path)
{
  g_autoptr (GPtrArray) children = g_ptr_array_new ();
  const StmImageNode *node = get_node (self, path);
  StmPointerSetIter iter;
  const StmImageNode *child;

  if (node == NULL)
    return g_steal_pointer (&children);

  stm_pointer_set_iter_init (&iter, &node->children);
  while ((child = stm_pointer_set_iter_next (&iter)) != NULL)
    g_ptr_array_add (children, child->record);

  return g_steal_pointer (&children);
}

guint
stm_image_index_count_children (const StmImageIndex *self, const char *path)
{
  const StmImageNode *node = get_node (self, path);

  return node != NULL ? stm_pointer_set_size (&node->children) : 0;
}

gboolean
stm_image_index_has_children (const StmImageIndex *self, const char *path)
{
  const StmImageNode *node = get_node (self, path);

  return node != NULL && stm_pointer_set_size (&node->children) > 0;
}

void
stm_image_index_get_users (const StmImageIndex *self, const char *path, GArray *users)
{
  const StmImageNode *node = get_node (self, path);

  if (node != NULL)
    stm_image_node_add_users (node, users);
}

static int
compare_moments (gconstpointer a, gconstpointer b)
{
  return g_strcmp0 ((*(StmMoment *const *) a)->id, (*(StmMoment *const *) b)->id);
}

static void
add_moments (GPtrArray *moments, const StmPointerSet *added)
{
  StmPointerSetIter iter;
  const StmMoment *moment;

  stm_pointer_set_iter_init (&iter, added);
  while ((moment = stm_pointer_set_iter_next (&iter)) != NULL)
    g_ptr_array_add (moments, stm_moment_ref (moment));
}

GPtrArray *
stm_image_index_checkpoints (const StmImageIndex *self, const char *path)
{
  GPtrArray *moments = g_ptr_array_new_with_free_func ((GDestroyNotify) stm_moment_unref);
  const StmImageNode *node = get_node (self, path);

  if (node != NULL)
    add_moments (moments, &node->homes);
  g_ptr_array_sort (moments, compare_moments);

  return moments;
}

GPtrArray *
stm_image_index_snapshots (const StmImageIndex *self, const char *path)
{
  GPtrArray *moments = g_ptr_array_new_with_free_func ((GDestroyNotify) stm_moment_unref);
  const StmImageNode *node = get_node (self, path);

  if (node != NULL)
    add_moments (moments, &node->moments);

  return moments;
}

GPtrArray *
stm_image_index_moments (const StmImageIndex *self, const char *path)
{
  GPtrArray *moments = stm_image_index_checkpoints (self, path);
  const StmImageNode *node = get_node (self, path);

  if (node != NULL)
    add_moments (moments, &node->moments);

  return moments;
}

static void
unlink_from_backing (StmImageIndex *self, StmImageNode *node)
{
  StmImageNode *backing = node->record != NULL ? get_node (self, node->record->backing) : NULL;

  if (backing == NULL)
    return;
  stm_pointer_set_remove (&backing->children, node);
  if (backing != node)
    release_node (self, backing);
}

void
stm_image_index_put (StmImageIndex *self, const StmImage *image)
{
  StmImageNode *node = ensure_node (self, image->path);
  StmImage *replaced = node->record;

  unlink_from_backing (self, node);
  node->record = stm_image_ref (image);
  stm_image_unref (replaced);
  if (image->backing != NULL)
    stm_pointer_set_add (&ensure_node (self, image->backing)->children, node);
}

void
stm_image_index_remove (StmImageIndex *self, const char *path)
{
  StmImageNode *node = get_node (self, path);

  g_return_if_fail (node != NULL && node->record != NULL);

  unlink_from_backing (self, node);
  g_clear_pointer (&node->record, stm_image_unref);
  release_node (self, node);
}

gboolean
stm_image_is_held_by (const StmMomentDisk *disk)
{
  return disk->frozen != NULL && disk->mode != STM_MODE_BITMAP;
}

void
stm_image_index_add_moment (StmImageIndex *self, const StmMoment *moment)
{
  for (gsize i = 0; i < moment->n_disks; i++)
    {
      const StmMomentDisk *disk = &moment->disks[i];
      StmImageNode *node = disk->frozen != NULL ? ensure_node (self, disk->frozen) : NULL;

      if (node != NULL)
        stm_pointer_set_add (stm_image_is_held_by (disk) ? &node->moments : &node->homes,
                             (StmMoment *) moment);
    }
}

void
stm_image_index_drop_moment (StmImageIndex *self, const StmMoment *moment)
{
  for (gsize i = 0; i < moment->n_disks; i++)
    {
      const StmMomentDisk *disk = &moment->disks[i];
      StmImageNode *node = get_node (self, disk->frozen);

      if (node == NULL)
        continue;
      stm_pointer_set_remove (stm_image_is_held_by (disk) ? &node->moments : &node->homes, moment);
      release_node (self, node);
    }
}

void
stm_image_index_add_disks (StmImageIndex *self, const StmDomain *domain)
{
  for (gsize i = 0; i < domain->n_disks; i++)
    {
      const StmDisk *disk = &domain->disks[i];
      StmImageNode *node = disk->source != NULL ? ensure_node (self, disk->source) : NULL;

      if (node == NULL)
        continue;
      if (node->disks == NULL)
        node->disks = g_hash_table_new (g_str_hash, g_str_equal);
      g_hash_table_add (node->disks, (char *) disk->target);
    }
}

void
stm_image_index_drop_disks (StmImageIndex *self, const StmDomain *domain)
{
  for (gsize i = 0; i < domain->n_disks; i++)
    {
      StmImageNode *node = get_node (self, domain->disks[i].source);

      if (node == NULL || node->disks == NULL)
        continue;
      g_hash_table_remove (node->disks, domain->disks[i].target);
      if (g_hash_table_size (node->disks) == 0)
        g_clear_pointer (&node->disks, g_hash_table_unref);
      release_node (self, node);
    }
}
