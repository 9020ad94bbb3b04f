/* StmLayers: what becomes of bitmaps when two layers become one.
 *
 * Called by the other files of StmLayers, main loop, pure. A checkpoint is the union of what its
 * bitmap recorded from the active image down to the one in which it was begun. A merge must not
 * lose a link of that, and, which would be worse, must not make a chain with a link missing or
 * broken look whole. A bitmap that no checkpoint has is somebody else's, and is treated alike.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "stm-layers-private.h"

#include "stm-checkpoints.h"

/* QEMU refuses an image with more. */
#define MAX_BITMAPS_OF_FORMAT 65535

void
stm_layer_note_bitmaps (StmLayer *layer)
{
  layer->bitmaps = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
  if (layer->facts == NULL || layer->facts->problem != NULL)
    return;
  for (guint i = 0; i < layer->facts->bitmaps->len; i++)
    {
      const StmBitmapFacts *bitmap = layer->facts->bitmaps->pdata[i];
      StmLink link = bitmap->is_broken                 ? STM_LINK_BROKEN
                     : stm_bitmap_is_in_order (bitmap) ? STM_LINK_RECORDING
                                                       : STM_LINK_RESTING;

      g_hash_table_insert (layer->bitmaps, g_strdup (bitmap->name), GUINT_TO_POINTER (link));
    }
}

static StmLink
link_of (const StmLayer *layer, const char *bitmap)
{
  return GPOINTER_TO_UINT (g_hash_table_lookup (layer->bitmaps, bitmap));
}

/* What checkpoints count on in the lower of two layers, or only from the upper one on. */
typedef struct
{
  gboolean is_needed_below; /* one was begun in the lower layer or below it */
  gboolean is_begun_above;  /* one was begun in the upper layer */
  gboolean is_released;     /* all that have it are to go */
} Claims;

static Claims
find_claims (const StmLayers *self, const StmLayer *lower, const StmLayer *upper,
             const char *bitmap)
{
  g_autoptr (GPtrArray) sharers = stm_model_bitmap_sharers (self->model, self->domain_id,
                                                            lower->image->target, bitmap);
  Claims claims = { .is_released = sharers->len > 0 };

  for (guint i = 0; i < sharers->len; i++)
    {
      const StmMoment *sharer = sharers->pdata[i];
      const StmMomentDisk *disk = stm_moment_find_disk (sharer, lower->image->target);
      const StmLayer *home = stm_layer_home_now (self, disk->frozen);

      if (g_hash_table_contains (self->released, sharer->id))
        continue;
      claims.is_released = FALSE;
      claims.is_begun_above |= home == upper;
      for (const StmLayer *layer = lower; layer != NULL && home != NULL; layer = layer->below)
        claims.is_needed_below |= layer == home;
    }

  return claims;
}

static char *
tell (const StmLayer *layer, const char *bitmap, const char *why)
{
  return g_strdup_printf ("bitmap '%s' of %s %s", bitmap, layer->image->path, why);
}

static char *
find_commit_obstacle (const StmLayers *self, const StmLayer *lower, const StmLayer *upper,
                      const char *bitmap)
{
  StmLink link = link_of (lower, bitmap);
  Claims claims = find_claims (self, lower, upper, bitmap);

  if (claims.is_released)
    return NULL;
  if (link_of (upper, bitmap) == STM_LINK_RESTING)
    return tell (upper, bitmap, "does not record and would be lost");
  if (link_of (upper, bitmap) != STM_LINK_RECORDING)
    return NULL;
  if (!g_str_equal (lower->image->format, "qcow2"))
    return tell (upper, bitmap, "would be lost in an image that is not qcow2");
  if (link == STM_LINK_RESTING)
    return tell (lower, bitmap, "does not record what would be moved to it");
  if (link == STM_LINK_BROKEN && claims.is_begun_above)
    return tell (lower, bitmap, "is broken, and that above it would be lost");
  if (link == STM_LINK_NONE && claims.is_needed_below && claims.is_begun_above)
    return tell (lower, bitmap, "is not there, and that above it would be lost");

  return NULL;
}

/* QEMU changes the size of no image that has a broken bitmap. */
static char *
find_growth_obstacle (const StmLayer *lower, const StmLayer *upper)
{
  GHashTableIter iter;
  gpointer bitmap;
  gpointer link;

  if (lower->image->capacity == upper->image->capacity)
    return NULL;
  g_hash_table_iter_init (&iter, lower->bitmaps);
  while (g_hash_table_iter_next (&iter, &bitmap, &link))
    if (GPOINTER_TO_UINT (link) == STM_LINK_BROKEN)
      return tell (lower, bitmap, "is broken, so that the image cannot grow");

  return NULL;
}

char *
stm_layer_find_commit_bitmap (const StmLayers *self, const StmLayer *lower, const StmLayer *upper)
{
  guint n = g_hash_table_size (lower->bitmaps) + g_hash_table_size (upper->bitmaps);
  char *obstacle = NULL;
  GHashTableIter iter;
  gpointer bitmap;

  if (n > MAX_BITMAPS_OF_FORMAT)
    return g_strdup_printf ("it would have up to %u bitmaps", n);
  obstacle = find_growth_obstacle (lower, upper);
  g_hash_table_iter_init (&iter, upper->bitmaps);
  while (obstacle == NULL && g_hash_table_iter_next (&iter, &bitmap, NULL))
    obstacle = find_commit_obstacle (self, lower, upper, bitmap);

  return obstacle;
}

/* The file of the lower layer goes. */
static char *
find_stream_obstacle (const StmLayers *self, const StmLayer *lower, const StmLayer *upper,
                      const char *bitmap)
{
  StmLink below = link_of (lower, bitmap);
  StmLink above = link_of (upper, bitmap);
  Claims claims = find_claims (self, lower, upper, bitmap);

  if (claims.is_released)
    return NULL;
  if (below == STM_LINK_RESTING)
    return tell (lower, bitmap, "does not record and would be lost");
  if (below == STM_LINK_RECORDING && above != STM_LINK_RECORDING)
    return tell (lower, bitmap, "would be lost");
  if (below == STM_LINK_RECORDING && lower->image->capacity != upper->image->capacity)
    return tell (lower, bitmap, "has another size than that above it");
  if (below == STM_LINK_BROKEN && above == STM_LINK_RECORDING)
    return tell (lower, bitmap, "is broken, which would not show any more");
  if (below == STM_LINK_NONE && above == STM_LINK_RECORDING && claims.is_needed_below)
    return tell (lower, bitmap, "is not there, which would not show any more");

  return NULL;
}

static char *
find_stream_obstacle_of (const StmLayers *self, const StmLayer *lower, const StmLayer *upper,
                         GHashTable *bitmaps)
{
  char *obstacle = NULL;
  GHashTableIter iter;
  gpointer bitmap;

  g_hash_table_iter_init (&iter, bitmaps);
  while (obstacle == NULL && g_hash_table_iter_next (&iter, &bitmap, NULL))
    obstacle = find_stream_obstacle (self, lower, upper, bitmap);

  return obstacle;
}

char *
stm_layer_find_stream_bitmap (const StmLayers *self, const StmLayer *lower, const StmLayer *upper)
{
  char *obstacle = find_stream_obstacle_of (self, lower, upper, lower->bitmaps);

  return obstacle != NULL ? obstacle : find_stream_obstacle_of (self, lower, upper, upper->bitmaps);
}

static int
compare_texts (gconstpointer a, gconstpointer b)
{
  return g_strcmp0 (*(char *const *) a, *(char *const *) b);
}

/* Whether the bitmap of the upper layer, which is in order, goes down with the content. Not when
 * the lower layer ought to have a part of the record and has none in order: what is there stays
 * broken, and what is missing stays missing. */
static gboolean
goes_down (const StmLayers *self, const StmLayer *lower, const StmLayer *upper, const char *bitmap)
{
  StmLink link = link_of (lower, bitmap);
  Claims claims = find_claims (self, lower, upper, bitmap);

  if (claims.is_released || link == STM_LINK_BROKEN)
    return FALSE;

  return link != STM_LINK_NONE || !claims.is_needed_below;
}

GStrv
stm_layer_commit_bitmaps (const StmLayers *self, StmLayer *lower, const StmLayer *upper)
{
  g_autoptr (GPtrArray) names = g_ptr_array_new ();
  GHashTableIter iter;
  gpointer bitmap;
  gpointer link;

  g_hash_table_iter_init (&iter, upper->bitmaps);
  while (g_hash_table_iter_next (&iter, &bitmap, &link))
    if (GPOINTER_TO_UINT (link) == STM_LINK_RECORDING && goes_down (self, lower, upper, bitmap))
      g_ptr_array_add (names, g_strdup (bitmap));
  g_ptr_array_sort (names, compare_texts);
  for (guint i = 0; i < names->len; i++)
    g_hash_table_insert (lower->bitmaps, g_strdup (names->pdata[i]),
                         GUINT_TO_POINTER (STM_LINK_RECORDING));
  g_ptr_array_add (names, NULL);

  return (GStrv) g_ptr_array_free (g_steal_pointer (&names), FALSE);
}

GStrv
stm_layer_stream_bitmaps (const StmLayers *self, const StmLayer *lower, const StmLayer *upper)
{
  g_autoptr (GPtrArray) names = g_ptr_array_new ();
  GHashTableIter iter;
  gpointer bitmap;
  gpointer link;

  g_hash_table_iter_init (&iter, lower->bitmaps);
  while (g_hash_table_iter_next (&iter, &bitmap, &link))
    if (GPOINTER_TO_UINT (link) == STM_LINK_RECORDING
        && link_of (upper, bitmap) == STM_LINK_RECORDING
        && !find_claims (self, lower, upper, bitmap).is_released)
      g_ptr_array_add (names, g_strdup (bitmap));
  g_ptr_array_sort (names, compare_texts);
  g_ptr_array_add (names, NULL);

  return (GStrv) g_ptr_array_free (g_steal_pointer (&names), FALSE);
}
