/* StmLayers: what becomes of hidden layers.
 *
 * Called by the planners, main loop, pure. Carries out on the graph what the rules of
 * stm-layers-rules.c allow, and writes the steps for it into the plan.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "stm-layers-private.h"

#include "stemma-error.h"

/* Left on a file system by merges, for what else is going on there. */
#define SPACE_RESERVE (16 * G_GUINT64_CONSTANT (1024) * 1024)
/* A merge writes tables of the image format beside the data: 1/8192 for mapping, 1/32768 for
 * reference counts at the usual cluster size; this is more. */
#define METADATA_SHARE 4096

/* What the merges write on one file system. */
typedef struct
{
  guint64 needed;
  guint64 available;
  const char *path; /* one of the files there, for messages */
} Space;

typedef struct
{
  StmLayers *layers;
  StmPlan *plan;
  GHashTable *spaces; /* id of a file system -> Space */
  gboolean has_changed;
} Settling;

static guint64
min_add (guint64 a, guint64 b, guint64 limit)
{
  return a >= limit || b >= limit - a ? limit : a + b;
}

static void
keep (StmLayer *layer, char *why)
{
  g_free (layer->why_kept);
  layer->why_kept = why;
}

static void
unlink_layer (StmLayers *self, StmLayer *layer)
{
  stm_layer_leave (layer);
  g_ptr_array_add (self->unlinked, layer);
}

/* What is left of a layer on which nothing stands any more, and then of those below it. */
static gboolean
settle_leaf (Settling *settling, StmLayer *layer, GError **error)
{
  while (layer != NULL && stm_layer_is_hidden (layer) && layer->n_above == 0)
    {
      StmLayer *below = layer->below;
      g_autoptr (GError) local = NULL;
      char *obstacle = stm_layer_find_unlink_obstacle (settling->layers, layer);

      if (obstacle != NULL)
        {
          keep (layer, obstacle);
          return TRUE;
        }
      if (!stm_layer_check_unlink (settling->layers, layer, &local))
        {
          if (layer->is_released)
            {
              g_propagate_error (error, g_steal_pointer (&local));
              return FALSE;
            }
          keep (layer, g_strdup (local->message));
          return TRUE;
        }
      unlink_layer (settling->layers, layer);
      layer = below;
    }

  return TRUE;
}

/* --- space --- */

static Space *
space_of (Settling *settling, const StmLayer *layer)
{
  Space *space = g_hash_table_lookup (settling->spaces, &layer->facts->file_system);

  if (space == NULL)
    {
      space = g_new0 (Space, 1);
      space->available = G_MAXUINT64;
      space->path = layer->image->path;
      g_hash_table_insert (settling->spaces,
                           g_memdup2 (&layer->facts->file_system, sizeof (guint64)), space);
    }
  space->available = MIN (space->available, layer->facts->free_bytes);

  return space;
}

/* At most what comes in, and at most what the image can still grow by. */
static guint64
growth (const StmLayer *target, guint64 data, guint64 capacity)
{
  guint64 room = target->allocation < capacity ? capacity - target->allocation : 0;
  guint64 bytes = MIN (data, room);

  return bytes + bytes / METADATA_SHARE;
}

static gboolean
space_suffices (const Space *space, guint64 more)
{
  guint64 needed = min_add (space->needed, more, G_MAXUINT64);

  return needed == 0 || min_add (needed, SPACE_RESERVE, G_MAXUINT64) <= space->available;
}

static gboolean
check_spaces (Settling *settling, GError **error)
{
  GHashTableIter iter;
  gpointer value;

  g_hash_table_iter_init (&iter, settling->spaces);
  while (g_hash_table_iter_next (&iter, NULL, &value))
    {
      const Space *space = value;

      if (space_suffices (space, 0))
        continue;

      guint64 needed = min_add (space->needed, SPACE_RESERVE, G_MAXUINT64);
      g_autofree char *needed_text = g_format_size_full (needed, G_FORMAT_SIZE_IEC_UNITS);
      g_autofree char *free_text = g_format_size_full (space->available, G_FORMAT_SIZE_IEC_UNITS);
      g_set_error (error, STEMMA_ERROR, STEMMA_ERROR_NO_SPACE,
                   "merging may write %s to the file system of %s, which has %s left: make room, "
                   "or forget the snapshot with 'metadata-only'",
                   needed_text, space->path, free_text);
      return FALSE;
    }

  return TRUE;
}

/* --- merging --- */

static GPtrArray *
images_of (const GPtrArray *layers)
{
  GPtrArray *images = g_ptr_array_new_with_free_func ((GDestroyNotify) stm_image_unref);

  for (guint i = 0; i < layers->len; i++)
    {
      const StmLayer *layer = layers->pdata[i];

      g_ptr_array_add (images, stm_image_ref (layer->image));
    }

  return images;
}

static void
apply_commit (Settling *settling, StmLayer *lower, StmLayer *upper)
{
  g_autoptr (GPtrArray) children = stm_layer_children (settling->layers, upper);
  g_autoptr (GPtrArray) layers = stm_layer_chain (settling->layers, upper);
  g_autoptr (GPtrArray) chain_images = images_of (layers);
  g_autoptr (GPtrArray) child_images = images_of (children);
  g_auto (GStrv) bitmaps = stm_layer_commit_bitmaps (settling->layers, lower, upper);
  StmImage grown = *lower->image;

  stm_plan_add_step (settling->plan, &(StmStep){ .kind = STM_STEP_COMMIT,
                                                 .target = lower->image->target,
                                                 .image = upper->image,
                                                 .bitmaps = bitmaps,
                                                 .chain = chain_images,
                                                 .children = child_images,
                                                 .bytes = upper->data });
  lower->allocation += growth (lower, upper->data, upper->image->capacity);
  lower->data = min_add (lower->data, upper->data, upper->image->capacity);
  lower->n_holders += upper->n_holders;
  lower->is_active |= upper->is_active;
  lower->is_released |= upper->is_released;
  upper->successor = lower;
  for (guint i = 0; i < children->len; i++)
    {
      StmLayer *child = children->pdata[i];

      stm_layer_set_image (child, stm_image_with_backing (child->image, lower->image->path));
      stm_layer_put_on (child, lower);
    }
  grown.capacity = upper->image->capacity;
  stm_layer_set_image (lower, stm_image_new (&grown));
  unlink_layer (settling->layers, upper);
}

static void
apply_stream (Settling *settling, StmLayer *lower, StmLayer *upper)
{
  g_autoptr (GPtrArray) layers = stm_layer_chain (settling->layers, upper);
  g_autoptr (GPtrArray) chain_images = images_of (layers);
  g_auto (GStrv) bitmaps = stm_layer_stream_bitmaps (settling->layers, lower, upper);

  stm_plan_add_step (settling->plan, &(StmStep){ .kind = STM_STEP_STREAM,
                                                 .target = lower->image->target,
                                                 .image = lower->image,
                                                 .bitmaps = bitmaps,
                                                 .chain = chain_images,
                                                 .bytes = lower->data });
  upper->allocation += growth (upper, lower->data, upper->image->capacity);
  upper->data = min_add (upper->data, lower->data, upper->image->capacity);
  stm_layer_set_image (upper, stm_image_with_backing (upper->image, lower->image->backing));
  stm_layer_put_on (upper, lower->below);
  lower->absorber = upper;
  unlink_layer (settling->layers, lower);
}

/* FALSE: the layer stays for want of space. What the operation needs is counted in any case, so
 * that its refusal can say how much is needed altogether. */
static gboolean
apply_merge (Settling *settling, StmMerge merge, StmLayer *lower, StmLayer *upper)
{
  StmLayer *target = merge == STM_MERGE_COMMIT ? lower : upper;
  guint64 data = merge == STM_MERGE_COMMIT ? upper->data : lower->data;
  guint64 bytes = growth (target, data, upper->image->capacity);
  Space *space = space_of (settling, target);

  if (!lower->is_released && !space_suffices (space, bytes))
    {
      keep (lower, g_strdup ("there is not enough space to merge it"));
      return FALSE;
    }
  space->needed = min_add (space->needed, bytes, G_MAXUINT64);
  if (merge == STM_MERGE_COMMIT)
    apply_commit (settling, lower, upper);
  else
    apply_stream (settling, lower, upper);
  settling->has_changed = TRUE;

  return TRUE;
}

/* One merge, when there is one to be done: *out_merged tells. */
static gboolean
merge_once (Settling *settling, StmLayer *lower, gboolean *out_merged, GError **error)
{
  g_autoptr (GError) local = NULL;
  char *why_not = NULL;

  *out_merged = FALSE;
  if (lower->n_above != 1)
    {
      if (lower->n_above > 1)
        keep (lower, g_strdup_printf ("%u images stand on it", lower->n_above));
      return TRUE;
    }

  g_autoptr (GPtrArray) children = stm_layer_children (settling->layers, lower);
  StmLayer *upper = children->pdata[0];
  if (!stm_layer_check_merge (settling->layers, upper, &local))
    {
      if (lower->is_released)
        {
          g_propagate_error (error, g_steal_pointer (&local));
          return FALSE;
        }
      keep (lower, g_strdup (local->message));
      return TRUE;
    }

  StmMerge merge = stm_layer_choose_merge (settling->layers, lower, upper, &why_not);
  if (merge == STM_MERGE_NONE)
    keep (lower, why_not);
  else
    *out_merged = apply_merge (settling, merge, lower, upper);

  return TRUE;
}

static gboolean
merge_layer (Settling *settling, StmLayer *layer, GError **error)
{
  gboolean is_merged = TRUE;

  while (is_merged && stm_layer_is_hidden (layer))
    if (!merge_once (settling, layer, &is_merged, error))
      return FALSE;

  return TRUE;
}

/* --- all layers --- */

typedef struct
{
  StmLayer *layer;
  guint depth; /* images below it */
} Candidate;

static int
compare_candidates (gconstpointer a, gconstpointer b)
{
  const Candidate *first = a;
  const Candidate *second = b;

  if (first->depth != second->depth)
    return first->depth < second->depth ? -1 : 1;

  return g_strcmp0 (first->layer->image->path, second->layer->image->path);
}

/* Bottom-up. */
static GArray *
list_candidates (const Settling *settling)
{
  GArray *candidates = g_array_new (FALSE, FALSE, sizeof (Candidate));
  g_autoptr (GPtrArray) layers = stm_layers_sorted (settling->layers);

  for (guint i = 0; i < layers->len; i++)
    {
      StmLayer *layer = layers->pdata[i];

      if (!stm_layer_is_hidden (layer))
        continue;
      g_autoptr (GPtrArray) chain = stm_layer_chain (settling->layers, layer);
      Candidate candidate = { layer, chain->len };
      g_array_append_val (candidates, candidate);
    }
  g_array_sort (candidates, compare_candidates);

  return candidates;
}

static gboolean
settle_leaves (Settling *settling, GError **error)
{
  g_autoptr (GPtrArray) layers = stm_layers_sorted (settling->layers);

  for (guint i = 0; i < layers->len; i++)
    if (!settle_leaf (settling, layers->pdata[i], error))
      return FALSE;

  return TRUE;
}

/* Until nothing changes: a merge above may make one below possible. */
static gboolean
settle_merges (Settling *settling, gboolean takes_old, GError **error)
{
  do
    {
      g_autoptr (GArray) candidates = list_candidates (settling);

      settling->has_changed = FALSE;
      for (guint i = 0; i < candidates->len; i++)
        {
          StmLayer *layer = g_array_index (candidates, Candidate, i).layer;

          if ((layer->is_released || takes_old) && !merge_layer (settling, layer, error))
            return FALSE;
        }
    }
  while (settling->has_changed);

  return TRUE;
}

static void
add_unlink (StmPlan *plan, const StmLayer *layer)
{
  stm_plan_add_step (plan, &(StmStep){ .kind = STM_STEP_UNLINK,
                                       .target = layer->image->target,
                                       .image = layer->image,
                                       .bytes = layer->allocation });
  plan->frees += layer->allocation;
}

static void
report (const Settling *settling)
{
  g_autoptr (GPtrArray) layers = stm_layers_sorted (settling->layers);

  for (guint i = 0; i < settling->layers->unlinked->len; i++)
    add_unlink (settling->plan, settling->layers->unlinked->pdata[i]);
  for (guint i = 0; i < layers->len; i++)
    {
      const StmLayer *layer = layers->pdata[i];

      if (stm_layer_is_hidden (layer) && layer->why_kept != NULL)
        stm_plan_add_kept (settling->plan, layer->image->path, layer->why_kept);
      else if (layer->n_holders == 0 && !layer->is_gone && layer->image->origin == STM_IMAGE_BACKING
               && layer->is_released)
        stm_plan_add_kept (settling->plan, layer->image->path,
                           "it was not made by this service, or its snapshots were forgotten once");
    }
}

gboolean
stm_layers_settle (StmLayers *self, const StmSurvey *survey, StmPlan *plan, GError **error)
{
  g_autoptr (GHashTable)
      spaces = g_hash_table_new_full (g_int64_hash, g_int64_equal, g_free, g_free);
  Settling settling = { .layers = self, .plan = plan, .spaces = spaces };

  self->survey = survey;
  stm_layers_expand (self);
  /* Leaves first, else what is to go would be merged; what the operation needs before what earlier
   * ones left, else those could take its space. */
  if (!settle_leaves (&settling, error) || !settle_merges (&settling, /* takes_old= */ FALSE, error)
      || !check_spaces (&settling, error)
      || !settle_merges (&settling, /* takes_old= */ TRUE, error))
    return FALSE;
  report (&settling);

  return TRUE;
}

void
stm_layers_prune (StmLayers *self, const StmSurvey *survey, const char *path, StmPlan *plan)
{
  StmLayer *layer = stm_layers_get (self, path);

  self->survey = survey;
  g_return_if_fail (layer != NULL && layer->n_holders == 0);

  stm_layer_look (self, layer);
  while (layer != NULL)
    {
      StmLayer *below = layer->below;

      unlink_layer (self, layer);
      add_unlink (plan, layer);
      layer = below;
      if (layer == NULL || !stm_layer_is_hidden (layer) || layer->n_above > 0)
        return;

      g_autoptr (GError) local = NULL;
      g_autofree char *obstacle = stm_layer_find_unlink_obstacle (self, layer);
      if (obstacle == NULL && !stm_layer_check_unlink (self, layer, &local))
        obstacle = g_strdup (local->message);
      if (obstacle != NULL)
        {
          stm_plan_add_kept (plan, layer->image->path, obstacle);
          return;
        }
    }
}

/* The file stays somebody's, and with it all that it stands on. */
static void
protect_chain (StmLayers *self, StmLayer *layer)
{
  g_autoptr (GPtrArray) chain = stm_layer_chain (self, layer);

  for (guint i = 0; i < chain->len; i++)
    {
      StmLayer *member = chain->pdata[i];
      StmImage init = *member->image;

      init.origin = STM_IMAGE_BACKING;
      if (member->image->origin != STM_IMAGE_BACKING)
        stm_layer_set_image (member, stm_image_new (&init));
    }
}

void
stm_layers_forget (StmLayers *self, StmPlan *plan)
{
  g_autoptr (GPtrArray) layers = stm_layers_sorted (self);

  for (guint i = 0; i < layers->len; i++)
    {
      StmLayer *layer = layers->pdata[i];

      /* What is held still, by snapshots within it, could be brought to one of those. */
      if (!layer->is_released && (!layer->is_thawed || layer->is_active))
        continue;
      stm_plan_add_kept (plan, layer->image->path, "only the record of its snapshot is removed");
      protect_chain (self, layer);
    }
  for (guint i = 0; i < layers->len; i++)
    {
      StmLayer *layer = layers->pdata[i];

      if (!layer->is_released || layer->is_gone)
        continue;
      while (layer != NULL && layer->n_holders == 0 && layer->n_above == 0)
        {
          StmLayer *below = layer->below;

          stm_layer_leave (layer);
          layer = below;
        }
    }
}
