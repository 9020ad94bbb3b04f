/* StmLayers: the records after the operation has had its way with the images.
 *
 * Called by the planners, main loop, pure: reads the graph and writes changes.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "stm-layers-private.h"

#include "stm-checkpoints.h"

static const StmLayer *
layer_now (const StmLayers *self, const char *path)
{
  const StmLayer *layer = stm_layers_peek (self, path);

  while (layer != NULL && layer->successor != NULL)
    layer = layer->successor;

  return layer == NULL || layer->is_gone ? NULL : layer;
}

/* The record of a layer goes with its content, up or down. */
const StmLayer *
stm_layer_home_now (const StmLayers *self, const char *path)
{
  const StmLayer *layer = stm_layers_peek (self, path);

  while (layer != NULL && layer->is_gone)
    layer = layer->successor != NULL ? layer->successor : layer->absorber;

  return layer;
}

const char *
stm_layers_path_now (const StmLayers *self, const char *path)
{
  const StmLayer *layer = layer_now (self, path);

  return layer == NULL ? NULL : layer->image->path;
}

StmImage *
stm_layers_image_now (StmLayers *self, const char *path)
{
  const StmLayer *layer = stm_layers_get (self, path);

  return layer == NULL || layer->is_gone ? NULL : layer->image;
}

void
stm_layers_fill_images (const StmLayers *self, StmChange *change)
{
  g_autoptr (GPtrArray) layers = stm_layers_sorted (self);

  for (guint i = 0; i < layers->len; i++)
    {
      const StmLayer *layer = layers->pdata[i];

      if (layer->is_gone)
        stm_change_remove_image (change, layer->image->path);
      else if (!stm_image_equal (layer->recorded, layer->image))
        stm_change_put_image (change, layer->image);
    }
}

/* Whether the path is of an image that is not there any more under it. A path that never was on
 * record stays what it was. */
static gboolean
has_moved (const StmLayers *self, const char *path)
{
  const StmLayer *layer = stm_layers_peek (self, path);

  return layer != NULL && layer->is_gone;
}

static void
add_snapshots (const StmLayers *self, const char *path, GHashTable *moments)
{
  const StmTree *tree = stm_model_tree (self->model, self->domain_id, STM_MOMENT_SNAPSHOT);
  g_autoptr (GArray) users = stm_model_image_users (self->model, path);

  for (guint i = 0; i < users->len; i++)
    {
      const StmImageUser *user = &g_array_index (users, StmImageUser, i);

      if (user->moment_id != NULL && g_str_equal (user->domain_id, self->domain_id))
        g_hash_table_add (moments, (gpointer) stm_tree_get (tree, user->moment_id));
    }
}

/* A snapshot names the image that it freezes, and one that stands on that; a checkpoint the image
 * in which it was begun. */
void
stm_layers_list_moved (const StmLayers *self, GHashTable *moments)
{
  GHashTableIter iter;
  gpointer value;

  g_hash_table_iter_init (&iter, self->by_path);
  while (g_hash_table_iter_next (&iter, NULL, &value))
    {
      const StmLayer *layer = value;

      if (!layer->is_gone)
        continue;
      add_snapshots (self, layer->recorded->path, moments);
      stm_checkpoints_begun_in (self->model, self->domain_id, layer->recorded->path, moments);
      if (layer->recorded->backing != NULL)
        add_snapshots (self, layer->recorded->backing, moments);
    }
}

static gboolean
move_disk (const StmLayers *self, StmMomentDisk *disk)
{
  gboolean is_changed = FALSE;

  if (has_moved (self, disk->frozen))
    {
      const StmLayer *now = disk->mode == STM_MODE_BITMAP ? stm_layer_home_now (self, disk->frozen)
                                                          : layer_now (self, disk->frozen);

      g_return_val_if_fail (now != NULL || disk->mode == STM_MODE_BITMAP, FALSE);
      disk->frozen = now == NULL ? NULL : now->image->path;
      disk->format = now == NULL ? NULL : now->image->format;
      is_changed = TRUE;
    }
  if (has_moved (self, disk->overlay))
    {
      disk->overlay = stm_layers_path_now (self, disk->overlay);
      is_changed = TRUE;
    }

  return is_changed;
}

StmMoment *
stm_layers_move_moment (const StmLayers *self, const StmMoment *moment)
{
  g_autofree StmMomentDisk *disks = g_memdup2 (moment->disks, moment->n_disks * sizeof *disks);
  gboolean is_changed = FALSE;
  gboolean is_lost = FALSE;

  for (gsize i = 0; i < moment->n_disks; i++)
    {
      is_changed |= move_disk (self, &disks[i]);
      is_lost |= disks[i].mode == STM_MODE_BITMAP && disks[i].frozen == NULL;
    }
  if (!is_changed)
    return NULL;

  g_autoptr (StmMoment) moved = stm_moment_with_disks (moment, disks, moment->n_disks);

  return is_lost ? stm_moment_with_state (moved, moved->state, STM_HEALTH_MISSING)
                 : g_steal_pointer (&moved);
}

StmDomain *
stm_layers_move_domain (const StmLayers *self, const StmDomain *domain)
{
  g_autofree StmDisk *disks = g_memdup2 (domain->disks, domain->n_disks * sizeof *disks);
  gboolean is_changed = FALSE;
  StmDomain init = *domain;

  for (gsize i = 0; i < domain->n_disks; i++)
    {
      const StmLayer *now = layer_now (self, disks[i].source);

      if (!has_moved (self, disks[i].source))
        continue;
      g_return_val_if_fail (now != NULL, NULL);
      disks[i].source = now->image->path;
      disks[i].format = now->image->format;
      is_changed = TRUE;
    }
  init.disks = disks;

  return is_changed ? stm_domain_new (&init) : NULL;
}
