/* StmLayers: which images of a domain an operation is concerned with.
 *
 * Called by the other files of StmLayers, main loop, pure. A domain may have a hundred thousand
 * images: a layer is made of a record only when something asks for it, with all that it stands on,
 * and what stands on it only where that matters.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "stm-layers-private.h"

/* Moments that freeze the image and disks of this domain that write to it. */
static void
count_holders (const StmLayers *self, StmLayer *layer)
{
  g_autoptr (GArray) users = stm_model_image_users (self->model, layer->recorded->path);

  for (guint i = 0; i < users->len; i++)
    {
      const StmImageUser *user = &g_array_index (users, StmImageUser, i);

      if (!g_str_equal (user->domain_id, self->domain_id))
        continue;
      layer->n_holders++;
      layer->is_active |= user->moment_id == NULL;
    }
}

static StmLayer *
make_layer (StmLayers *self, const StmImage *image)
{
  StmLayer *layer = g_new0 (StmLayer, 1);

  layer->recorded = stm_image_ref (image);
  layer->image = stm_image_ref (image);
  layer->above = g_hash_table_new (NULL, NULL);
  layer->freed_tags = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
  layer->n_above = stm_model_count_image_children (self->model, self->domain_id, image->path);
  count_holders (self, layer);
  layer->is_orphan = stm_layer_is_hidden (layer) && layer->n_above == 0;
  g_hash_table_insert (self->by_path, g_strdup (image->path), layer);

  return layer;
}

StmLayer *
stm_layers_peek (const StmLayers *self, const char *path)
{
  return path == NULL ? NULL : g_hash_table_lookup (self->by_path, path);
}

/* What it stands on comes along, until something is there already. */
StmLayer *
stm_layers_get (StmLayers *self, const char *path)
{
  StmLayer *layer = stm_layers_peek (self, path);
  const StmImage *image = stm_model_get_image (self->model, self->domain_id, path);
  StmLayer *upper;

  if (layer != NULL || image == NULL)
    return layer;

  layer = make_layer (self, image);
  upper = layer;
  while (upper != NULL && upper->recorded->backing != NULL)
    {
      StmLayer *below = stm_layers_peek (self, upper->recorded->backing);
      gboolean is_new = below == NULL;

      image = stm_model_get_image (self->model, self->domain_id, upper->recorded->backing);
      if (is_new && image != NULL)
        below = make_layer (self, image);
      /* Counted by the model already. */
      upper->below = below;
      if (below != NULL)
        g_hash_table_add (below->above, upper);
      upper = is_new ? below : NULL;
    }

  return layer;
}

void
stm_layer_expand (StmLayers *self, StmLayer *layer)
{
  if (layer->is_expanded)
    return;
  layer->is_expanded = TRUE;
  if (g_hash_table_size (layer->above) == layer->n_above)
    return;

  g_autoptr (GPtrArray) children = stm_model_image_children (self->model, layer->recorded->path);
  for (guint i = 0; i < children->len; i++)
    {
      const StmImage *child = stm_model_get_image (self->model, self->domain_id,
                                                   children->pdata[i]);

      if (child != NULL && g_strcmp0 (child->backing, layer->recorded->path) == 0)
        stm_layers_get (self, child->path);
    }
}

/* --- what matters --- */

/* Of what stands on it all but one may go by this operation; what is not made yet stays. */
static gboolean
may_be_merged (const StmLayer *layer)
{
  guint n_staying = layer->n_above;
  GHashTableIter iter;
  gpointer child;

  g_hash_table_iter_init (&iter, layer->above);
  while (g_hash_table_iter_next (&iter, &child, NULL))
    n_staying -= stm_layer_is_hidden (child) ? 1 : 0;

  return n_staying <= 1;
}

/* What a merge of a hidden layer looks at: the one above, and those above that, which get a new
 * header when it goes down. */
static void
expand_hidden (StmLayers *self, StmLayer *layer)
{
  g_autoptr (GPtrArray) children = stm_layer_children (self, layer);

  for (guint i = 0; i < children->len; i++)
    {
      StmLayer *child = children->pdata[i];

      if (child->n_above <= STM_MAX_CHILDREN_OF_COMMIT)
        stm_layer_expand (self, child);
    }
}

static gboolean
expand_some (StmLayers *self)
{
  g_autoptr (GPtrArray) layers = stm_layers_sorted (self);
  gboolean is_any = FALSE;

  for (guint i = 0; i < layers->len; i++)
    {
      StmLayer *layer = layers->pdata[i];

      if (layer->is_concerned || !stm_layer_is_hidden (layer) || !may_be_merged (layer))
        continue;
      layer->is_concerned = TRUE;
      expand_hidden (self, layer);
      is_any = TRUE;
    }

  return is_any;
}

/* What is made may be hidden itself, and then matters in its turn. */
void
stm_layers_expand (StmLayers *self)
{
  while (expand_some (self))
    ;
}

static void
add_chain (const StmLayer *layer, GHashTable *seen, GPtrArray *images)
{
  for (; layer != NULL && g_hash_table_add (seen, (gpointer) layer); layer = layer->below)
    g_ptr_array_add (images, stm_image_ref (layer->recorded));
}

GPtrArray *
stm_layers_list_concerned (StmLayers *self)
{
  GPtrArray *images = g_ptr_array_new_with_free_func ((GDestroyNotify) stm_image_unref);
  g_autoptr (GHashTable) seen = g_hash_table_new (NULL, NULL);

  stm_layers_expand (self);

  g_autoptr (GPtrArray) layers = stm_layers_sorted (self);
  for (guint i = 0; i < layers->len; i++)
    add_chain (layers->pdata[i], seen, images);

  return images;
}
