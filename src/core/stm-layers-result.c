/* StmLayers: the records after the operation has had its way with the images.
 *
 * Called by the planners, main loop, pure: reads the graph and writes changes.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "stm-layers-private.h"

static const StmLayer *
layer_now (const StmLayers *self, const char *path)
{
  const StmLayer *layer = stm_layers_get (self, path);

  while (layer != NULL && layer->successor != NULL)
    layer = layer->successor;

  return layer == NULL || layer->is_gone ? NULL : layer;
}

const char *
stm_layers_path_now (const StmLayers *self, const char *path)
{
  const StmLayer *layer = layer_now (self, path);

  return layer == NULL ? NULL : layer->image->path;
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
  const StmLayer *layer = stm_layers_get (self, path);

  return layer != NULL && layer->is_gone;
}

StmMoment *
stm_layers_move_moment (const StmLayers *self, const StmMoment *moment)
{
  g_autofree StmMomentDisk *disks = g_memdup2 (moment->disks, moment->n_disks * sizeof *disks);
  gboolean is_changed = FALSE;

  for (gsize i = 0; i < moment->n_disks; i++)
    {
      if (has_moved (self, disks[i].frozen))
        {
          const StmLayer *now = layer_now (self, disks[i].frozen);

          g_return_val_if_fail (now != NULL, NULL);
          disks[i].frozen = now->image->path;
          disks[i].format = now->image->format;
          is_changed = TRUE;
        }
      if (has_moved (self, disks[i].overlay))
        {
          disks[i].overlay = stm_layers_path_now (self, disks[i].overlay);
          is_changed = TRUE;
        }
    }

  return is_changed ? stm_moment_with_disks (moment, disks, moment->n_disks) : NULL;
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
