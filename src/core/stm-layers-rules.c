/* StmLayers: the rules on what may be done to a hidden layer.
 *
 * Called by stm-layers-settle.c, main loop, pure. Every rule here answers one question: can the
 * content of an image that somebody needs, known or unknown, change or vanish by this? When that
 * cannot be excluded there is an obstacle, told as a clause for people.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "stm-layers-private.h"

#include "stm-image-check.h"

/* So many times more data a commit may move than a stream, to spare the bitmaps of an image. */
#define BITMAPS_PRICE 4

static char *
find_holder_outside (const StmLayer *layer)
{
  if (layer->sharer != NULL)
    return g_strdup_printf ("domain '%s' has %s on record too", layer->sharer, layer->image->path);
  if (layer->outsiders->len > 0)
    return g_strdup_printf ("%s stands on %s and is not on record",
                            (const char *) layer->outsiders->pdata[0], layer->image->path);

  return NULL;
}

/* What an internal snapshot does not have itself it takes from the images below, so that these must
 * go on showing the same as long as it is there. */
static char *
find_tags (const StmLayer *layer, gboolean also_freed)
{
  guint n_tags = 0;

  for (guint i = 0; layer->facts != NULL && i < layer->facts->tags->len; i++)
    {
      const StmTagFacts *tag = layer->facts->tags->pdata[i];

      n_tags += also_freed || !g_hash_table_contains (layer->freed_tags, tag->name);
    }

  return n_tags == 0 ? NULL
                     : g_strdup_printf ("%s holds %u internal snapshot%s", layer->image->path,
                                        n_tags, n_tags == 1 ? "" : "s");
}

/* Not every image of the format can be resized while it holds an internal snapshot. */
static gboolean
cannot_grow (const StmLayer *lower, const StmLayer *upper)
{
  return upper->image->capacity > lower->image->capacity && lower->facts != NULL
         && lower->facts->tags->len > 0;
}

/* Bitmaps are no obstacle here: they tell of changes to data that goes. */
char *
stm_layer_find_unlink_obstacle (StmLayers *self, StmLayer *layer)
{
  stm_layer_look (self, layer);
  if (layer->image->origin != STM_IMAGE_MADE)
    return g_strdup_printf ("%s was not made by this service, and so is never removed",
                            layer->image->path);
  if (layer->n_above > 0)
    return g_strdup_printf ("%u other image%s on %s", layer->n_above,
                            layer->n_above == 1 ? " stands" : "s stand", layer->image->path);

  char *holder = find_holder_outside (layer);

  return holder != NULL ? holder : find_tags (layer, /* also_freed= */ FALSE);
}

char *
stm_layers_find_obstacle (StmLayers *self, const StmSurvey *survey, const char *path)
{
  StmLayer *layer = stm_layers_get (self, path);

  g_return_val_if_fail (layer != NULL, NULL);

  self->survey = survey;
  return stm_layer_find_unlink_obstacle (self, layer);
}

/* A file is removed only when its header proves that it is the one on record; one that is gone
 * already need not prove anything. */
gboolean
stm_layer_check_unlink (const StmLayers *self, const StmLayer *layer, GError **error)
{
  return stm_image_is_missing (layer->recorded, self->survey)
         || stm_image_check (layer->recorded, self->survey, STM_CHECK_MEMBER, error);
}

/* A layer that is smaller than what it stands on hides the end of that; over a larger child the
 * end would come to light again. */
static gboolean
has_odd_sizes (const StmLayer *lower, const StmLayer *upper)
{
  const StmLayer *below = lower->below;

  return below != NULL && lower->image->capacity < below->image->capacity
         && upper->image->capacity > lower->image->capacity;
}

/* The tags that the operation frees are removed only when it cannot be taken back any more, that is
 * after the merges. */
static char *
find_merge_obstacle (const StmLayer *lower, const StmLayer *upper)
{
  char *obstacle = find_holder_outside (lower);

  if (obstacle == NULL)
    obstacle = find_tags (lower, /* also_freed= */ TRUE);
  if (obstacle == NULL)
    obstacle = find_tags (upper, /* also_freed= */ TRUE);
  if (obstacle == NULL && upper->sharer != NULL)
    obstacle = g_strdup_printf ("domain '%s' has %s on record too", upper->sharer,
                                upper->image->path);
  if (obstacle == NULL && (upper->is_orphan || upper->image->origin == STM_IMAGE_BACKING))
    obstacle = g_strdup_printf ("%s stands on it and is not to be changed", upper->image->path);
  if (obstacle == NULL && has_odd_sizes (lower, upper))
    obstacle = g_strdup_printf ("%s is smaller than the images below and above it",
                                lower->image->path);

  return obstacle;
}

static char *
find_child_obstacle (StmLayers *self, StmLayer *child)
{
  stm_layer_look (self, child);
  if (child->is_orphan || child->image->origin == STM_IMAGE_BACKING)
    return g_strdup_printf ("the header of %s would have to be changed", child->image->path);
  if (child->sharer != NULL)
    return g_strdup_printf ("domain '%s' has %s on record too", child->sharer, child->image->path);

  return NULL;
}

/* The content of `upper` goes down, and its file goes. */
static char *
find_commit_obstacle (StmLayers *self, const StmLayer *lower, StmLayer *upper)
{
  if (upper->image->origin != STM_IMAGE_MADE)
    return g_strdup_printf ("%s was not made by this service, and so is never removed",
                            upper->image->path);
  if (upper->outsiders->len > 0)
    return find_holder_outside (upper);
  if (upper->image->capacity < lower->image->capacity)
    return g_strdup_printf ("%s is larger than %s on it", lower->image->path, upper->image->path);
  if (cannot_grow (lower, upper))
    return g_strdup_printf ("%s holds an internal snapshot and would have to grow",
                            lower->image->path);
  if (upper->n_above > STM_MAX_CHILDREN_OF_COMMIT)
    return g_strdup_printf ("%u images stand on %s", upper->n_above, upper->image->path);

  g_autoptr (GPtrArray) children = stm_layer_children (self, upper);
  char *obstacle = stm_layer_find_commit_bitmap (self, lower, upper);
  for (guint i = 0; obstacle == NULL && i < children->len; i++)
    obstacle = find_child_obstacle (self, children->pdata[i]);

  return obstacle;
}

/* `upper` takes the content of `lower`, whose file goes. What stands on `upper`, known or not, sees
 * no difference. */
static char *
find_stream_obstacle (const StmLayers *self, const StmLayer *lower, const StmLayer *upper)
{
  if (lower->image->origin != STM_IMAGE_MADE)
    return g_strdup_printf ("%s was not made by this service, and so is never removed",
                            lower->image->path);
  if (!g_str_equal (upper->image->format, "qcow2"))
    return g_strdup_printf ("%s is not qcow2", upper->image->path);

  return stm_layer_find_stream_bitmap (self, lower, upper);
}

/* A stream keeps the upper image open for writing all the time, and a kill then costs its bitmaps;
 * a commit hardly does. So a stream must move much less when there are some. */
static gboolean
is_stream_cheaper (const StmLayer *lower, const StmLayer *upper)
{
  gboolean has_bitmaps = upper->facts != NULL && upper->facts->bitmaps->len > 0;
  guint64 price = has_bitmaps ? BITMAPS_PRICE : 1;

  return lower->data <= upper->data / price;
}

/* The cheaper of the ways that are safe. */
StmMerge
stm_layer_choose_merge (StmLayers *self, StmLayer *lower, StmLayer *upper, char **out_why_not)
{
  stm_layer_look (self, lower);
  stm_layer_look (self, upper);
  *out_why_not = find_merge_obstacle (lower, upper);
  if (*out_why_not != NULL)
    return STM_MERGE_NONE;

  g_autofree char *commit_obstacle = find_commit_obstacle (self, lower, upper);
  g_autofree char *stream_obstacle = find_stream_obstacle (self, lower, upper);
  if (stream_obstacle == NULL && (commit_obstacle != NULL || is_stream_cheaper (lower, upper)))
    return STM_MERGE_STREAM;
  if (commit_obstacle == NULL)
    return STM_MERGE_COMMIT;
  *out_why_not = g_steal_pointer (&commit_obstacle);

  return STM_MERGE_NONE;
}

/* All images that the merge opens are what the record says, as they are on disk before any step. */
gboolean
stm_layer_check_merge (StmLayers *self, StmLayer *upper, GError **error)
{
  g_autoptr (GPtrArray)
      chain = stm_model_chain_from (self->model, self->domain_id, upper->recorded->path);
  gboolean may_differ = upper->is_active || upper->is_orphan;
  StmImageCheck check = may_differ ? STM_CHECK_MEMBER : STM_CHECK_UNCHANGED;

  if (!stm_image_check_chain (chain, self->survey, check, error))
    return FALSE;
  /* With more there is only one way left, and it does not look at them. */
  if (upper->n_above > STM_MAX_CHILDREN_OF_COMMIT)
    return TRUE;

  g_autoptr (GPtrArray) children = stm_layer_children (self, upper);
  for (guint i = 0; i < children->len; i++)
    {
      const StmLayer *child = children->pdata[i];

      if (!stm_image_check (child->recorded, self->survey, STM_CHECK_MEMBER, error))
        return FALSE;
    }

  return TRUE;
}
