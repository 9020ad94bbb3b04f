/* StmLayers: the graph of a domain's images, who holds them, and what an operation made of it.
 *
 * Main loop, owned by one planner for the time of one call. Knows how the images hang together;
 * which of them are looked at stands in stm-layers-load.c, and what is to become of a hidden layer
 * is decided in stm-layers-settle.c.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "stm-layers-private.h"

static void
layer_free (gpointer data)
{
  StmLayer *layer = data;

  stm_image_unref ((StmImage *) layer->recorded);
  stm_image_unref (layer->image);
  g_hash_table_unref (layer->above);
  g_hash_table_unref (layer->freed_tags);
  g_clear_pointer (&layer->outsiders, g_ptr_array_unref);
  g_clear_pointer (&layer->bitmaps, g_hash_table_unref);
  g_free (layer->why_kept);
  g_free (layer);
}

StmLayers *
stm_layers_new (const StmModel *model, const char *domain_id)
{
  const StmDomain *domain = stm_model_get_domain (model, domain_id);
  StmLayers *self = g_new0 (StmLayers, 1);

  self->model = model;
  self->domain_id = g_strdup (domain_id);
  self->unlinked = g_ptr_array_new ();
  self->released = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
  self->by_path = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, layer_free);
  /* What an earlier operation left below a disk gets another chance with each. */
  for (gsize i = 0; i < domain->n_disks; i++)
    stm_layers_get (self, domain->disks[i].source);

  return self;
}

void
stm_layers_free (StmLayers *self)
{
  if (self == NULL)
    return;
  g_hash_table_unref (self->by_path);
  g_ptr_array_unref (self->unlinked);
  g_hash_table_unref (self->released);
  g_free (self->domain_id);
  g_free (self);
}

gboolean
stm_layer_is_hidden (const StmLayer *layer)
{
  return !layer->is_gone && !layer->is_orphan && layer->n_holders == 0
         && layer->image->origin != STM_IMAGE_BACKING;
}

void
stm_layer_put_on (StmLayer *layer, StmLayer *below)
{
  if (layer->below != NULL && g_hash_table_remove (layer->below->above, layer))
    layer->below->n_above--;
  layer->below = below;
  if (below != NULL && g_hash_table_add (below->above, layer))
    below->n_above++;
}

void
stm_layer_set_image (StmLayer *layer, StmImage *image)
{
  stm_image_unref (layer->image);
  layer->image = image;
}

void
stm_layer_leave (StmLayer *layer)
{
  stm_layer_put_on (layer, NULL);
  layer->is_gone = TRUE;
}

static void
release (StmLayer *layer)
{
  if (layer == NULL || layer->n_holders == 0)
    return;
  layer->n_holders--;
  layer->is_released = layer->n_holders == 0;
}

void
stm_layers_release_moment (StmLayers *self, const StmMoment *moment)
{
  for (gsize i = 0; i < moment->n_disks; i++)
    {
      StmLayer *layer = stm_layers_get (self, moment->disks[i].frozen);

      if (layer != NULL && moment->disks[i].tag != NULL)
        g_hash_table_add (layer->freed_tags, g_strdup (moment->disks[i].tag));
      if (layer != NULL && moment->disks[i].mode == STM_MODE_EXTERNAL)
        layer->is_thawed = TRUE;
      release (layer);
    }
}

void
stm_layers_release_active (StmLayers *self, const char *path)
{
  release (stm_layers_get (self, path));
}

void
stm_layers_release_checkpoint (StmLayers *self, const StmMoment *checkpoint)
{
  g_hash_table_add (self->released, g_strdup (checkpoint->id));
}

gboolean
stm_layers_is_held (StmLayers *self, const char *path)
{
  const StmLayer *layer = stm_layers_get (self, path);

  return layer != NULL && layer->n_holders > 0;
}

GPtrArray *
stm_layer_chain (const StmLayers *self, const StmLayer *layer)
{
  GPtrArray *chain = g_ptr_array_new ();
  guint limit = g_hash_table_size (self->by_path);

  /* No chain has more members than there are layers, were the record ever to hold a ring. */
  for (; layer != NULL && chain->len < limit; layer = layer->below)
    g_ptr_array_add (chain, (gpointer) layer);

  return chain;
}

static int
compare_layers (gconstpointer a, gconstpointer b)
{
  const StmLayer *first = *(StmLayer *const *) a;
  const StmLayer *second = *(StmLayer *const *) b;

  return g_strcmp0 (first->image->path, second->image->path);
}

static GPtrArray *
sorted_values (GHashTable *table, gboolean takes_keys)
{
  GPtrArray *layers = g_ptr_array_sized_new (g_hash_table_size (table));
  GHashTableIter iter;
  gpointer key;
  gpointer value;

  g_hash_table_iter_init (&iter, table);
  while (g_hash_table_iter_next (&iter, &key, &value))
    g_ptr_array_add (layers, takes_keys ? key : value);
  g_ptr_array_sort (layers, compare_layers);

  return layers;
}

GPtrArray *
stm_layer_children (StmLayers *self, StmLayer *layer)
{
  stm_layer_expand (self, layer);

  return sorted_values (layer->above, /* takes_keys= */ TRUE);
}

GPtrArray *
stm_layers_sorted (const StmLayers *self)
{
  return sorted_values (self->by_path, /* takes_keys= */ FALSE);
}

/* Stands on record here, on this very layer: then the graph knows it. */
static gboolean
is_known_child (const StmLayers *self, const StmLayer *layer, const char *path)
{
  const StmImage *child = stm_model_get_image (self->model, self->domain_id, path);

  return child != NULL && g_strcmp0 (child->backing, layer->recorded->path) == 0;
}

static void
add_outsider (const StmLayers *self, StmLayer *layer, const char *path)
{
  if (!is_known_child (self, layer, path)
      && !g_ptr_array_find_with_equal_func (layer->outsiders, path, g_str_equal, NULL))
    g_ptr_array_add (layer->outsiders, g_strdup (path));
}

static const char *
find_sharer (const StmLayers *self, const char *path)
{
  g_autoptr (GPtrArray) ids = stm_model_domain_ids (self->model);

  for (guint i = 0; i < ids->len; i++)
    if (!g_str_equal (ids->pdata[i], self->domain_id)
        && stm_model_get_image (self->model, ids->pdata[i], path) != NULL)
      return stm_model_get_domain (self->model, ids->pdata[i])->name;

  return NULL;
}

void
stm_layer_look (StmLayers *self, StmLayer *layer)
{
  const char *path = layer->recorded->path;

  if (layer->outsiders != NULL)
    return;

  g_autoptr (GPtrArray) children = stm_model_image_children (self->model, path);
  layer->outsiders = g_ptr_array_new_with_free_func (g_free);
  layer->facts = stm_survey_get (self->survey, path);
  layer->sharer = find_sharer (self, path);
  stm_layer_note_bitmaps (layer);
  for (guint i = 0; i < children->len; i++)
    add_outsider (self, layer, children->pdata[i]);
  if (layer->facts == NULL)
    return;

  for (guint i = 0; layer->facts->children[i] != NULL; i++)
    add_outsider (self, layer, layer->facts->children[i]);
  if (layer->facts->problem != NULL)
    return;
  layer->allocation = layer->facts->allocation;
  layer->data = layer->facts->data_bytes != STM_BYTES_UNKNOWN ? layer->facts->data_bytes
                                                              : layer->facts->allocation;
  if (layer->is_active && layer->facts->capacity != layer->image->capacity)
    {
      StmImage init = *layer->image;

      init.capacity = layer->facts->capacity;
      stm_layer_set_image (layer, stm_image_new (&init));
    }
}

void
stm_layers_disown (StmLayers *self, const char *path)
{
  StmLayer *layer = stm_layers_get (self, path);

  g_return_if_fail (layer != NULL && layer->n_above == 0);

  stm_layer_leave (layer);
}
