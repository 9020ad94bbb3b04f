/* Simulated images as the service sees them: chains, facts, overlays, removal.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "stm-sim-private.h"

#include "stemma-error.h"

#include <string.h>

#define NEW_IMAGE_CAPACITY ((guint64) 10 * 1024 * 1024 * 1024) /* bytes */
#define NEW_IMAGE_BLOCKS 64                                    /* as if a system was installed */
#define FREE_BYTES ((guint64) 1024 * 1024 * 1024 * 1024)
#define MAX_CHAIN_DEPTH 1000

/* ---- chains ---- */

/* What a definition names and nobody has made yet. */
static void
add_declared (StmSimWorld *world, const StmChainRequest *request, gsize i)
{
  const StmDeclaredImage *declared = &request->declared[i];
  StmSimImage *image = stm_sim_image_new (declared->path, declared->format, NEW_IMAGE_CAPACITY);

  if (i + 1 < request->n_declared)
    {
      image->backing = g_strdup (request->declared[i + 1].path);
      image->backing_format = g_strdup (request->declared[i + 1].format);
    }
  else
    for (guint64 block = 0; block < NEW_IMAGE_BLOCKS; block++)
      stm_sim_image_write (image, block, block + 1);
  stm_sim_world_add (world, image);
}

/* The directory of the disk's own image is allowed, too. */
static StmPathPolicy *
widen_policy (const StmChainRequest *request)
{
  g_autoptr (GPtrArray) roots = g_ptr_array_new ();
  g_autofree char *own = g_path_get_dirname (request->declared[0].path);

  for (gsize i = 0; request->policy->roots[i] != NULL; i++)
    g_ptr_array_add (roots, (gpointer) request->policy->roots[i]);
  if (!request->is_block)
    g_ptr_array_add (roots, own);
  g_ptr_array_add (roots, NULL);

  return stm_path_policy_new ((const char *const *) roots->pdata, request->policy->exact);
}

static gboolean
check_declared (const StmChainRequest *request, const StmSimImage *image, gsize i, GError **error)
{
  g_autoptr (StmPathPolicy) policy = widen_policy (request);

  if (i >= request->n_declared)
    return stm_path_policy_check (policy, image->path, error);
  if (g_str_equal (image->format, request->declared[i].format))
    return TRUE;

  g_set_error (error, STEMMA_ERROR, STEMMA_ERROR_CHAIN_BROKEN,
               "disk '%s': image %s is %s, the definition says %s; correct the definition",
               request->target, image->path, image->format, request->declared[i].format);
  return FALSE;
}

static gboolean
check_next (const StmChainRequest *request, const StmSimImage *image, gsize i, GError **error)
{
  gboolean is_declared = i + 1 < request->n_declared;
  gboolean agrees = is_declared
                        ? g_strcmp0 (image->backing, request->declared[i + 1].path) == 0
                        : i >= request->n_declared || !request->is_complete || !image->backing;

  if (agrees)
    return TRUE;
  g_set_error (error, STEMMA_ERROR, STEMMA_ERROR_CHAIN_BROKEN,
               "disk '%s': image %s stands on %s, and the definition says otherwise; correct the "
               "<backingStore> there",
               request->target, image->path, image->backing != NULL ? image->backing : "nothing");
  return FALSE;
}

static GPtrArray *
walk_locked (StmSimWorld *world, const StmChainRequest *request, GError **error)
{
  g_autoptr (GPtrArray) chain = g_ptr_array_new_with_free_func ((GDestroyNotify) stm_image_unref);
  const char *path = request->declared[0].path;

  for (gsize i = 0; path != NULL && i < MAX_CHAIN_DEPTH; i++)
    {
      if (stm_sim_world_get (world, path) == NULL && i < request->n_declared)
        add_declared (world, request, i);

      const StmSimImage *image = stm_sim_world_get (world, path);
      if (image == NULL)
        {
          g_set_error (error, STEMMA_ERROR, STEMMA_ERROR_CHAIN_BROKEN,
                       "disk '%s': image %s is missing; put the file back", request->target, path);
          return NULL;
        }
      if (!check_declared (request, image, i, error) || !check_next (request, image, i, error))
        return NULL;
      g_ptr_array_add (
          chain, stm_image_new (&(StmImage){ .path = image->path,
                                             .target = request->target,
                                             .index = (guint) i + 1,
                                             .format = image->format,
                                             .backing = image->backing,
                                             .origin = i == 0 ? STM_IMAGE_DISK : STM_IMAGE_BACKING,
                                             .capacity = image->capacity }));
      path = image->backing;
    }

  return g_steal_pointer (&chain);
}

GPtrArray *
stm_sim_walk_chain (StmSimWorld *world, const StmChainRequest *request, GError **error)
{
  g_autoptr (GPtrArray) chain = NULL;

  for (gsize i = 0; i < request->n_declared; i++)
    if (!stm_path_is_plain (request->declared[i].path, error))
      return NULL;

  stm_sim_world_lock (world);
  chain = walk_locked (world, request, error);
  if (chain != NULL && !stm_sim_world_commit_locked (world, error))
    g_clear_pointer (&chain, g_ptr_array_unref);
  stm_sim_world_unlock (world);

  return g_steal_pointer (&chain);
}

/* ---- facts ---- */

static void
tell_marks (StmFacts *facts, const StmSimImage *image)
{
  for (guint i = 0; i < image->tags->len; i++)
    {
      const StmSimTag *tag = image->tags->pdata[i];

      stm_facts_add_tag (facts,
                         &(StmTagFacts){
                             .id = tag->id,
                             .name = tag->name,
                             .created = tag->created,
                             .capacity = tag->capacity,
                             .is_present = tag->capacity == image->capacity
                                           && stm_sim_blocks_equal (tag->blocks, image->blocks),
                         });
    }
  for (guint i = 0; i < image->bitmaps->len; i++)
    {
      const StmSimBitmap *bitmap = image->bitmaps->pdata[i];

      stm_facts_add_bitmap (facts, &(StmBitmapFacts){ .name = bitmap->name,
                                                      .granularity = STM_SIM_BLOCK,
                                                      .is_recording = TRUE,
                                                      .is_broken = bitmap->is_broken });
    }
}

static char **
list_children (StmSimWorld *world, const char *path)
{
  g_autoptr (GStrvBuilder) children = g_strv_builder_new ();
  g_autoptr (GPtrArray) images = stm_sim_world_list (world);

  for (guint i = 0; i < images->len; i++)
    {
      const StmSimImage *image = images->pdata[i];

      if (g_strcmp0 (image->backing, path) == 0)
        g_strv_builder_add (children, image->path);
    }

  return g_strv_builder_end (children);
}

static StmFacts *
look (StmSimWorld *world, const StmSurveyRequest *request, const StmImage *recorded)
{
  StmFacts *facts = stm_facts_new (recorded->path);
  const StmSimImage *image = stm_sim_get_image (world, request->policy, recorded->path,
                                                "looking at image", &facts->problem);

  if (image == NULL)
    return facts;
  facts->format = g_strdup (image->format);
  facts->capacity = image->capacity;
  facts->allocation = g_hash_table_size (image->blocks) * STM_SIM_BLOCK;
  facts->free_bytes = FREE_BYTES;
  facts->file_system = 1;
  facts->device = 1;
  facts->inode = g_str_hash (image->path);
  if (request->scans_directories)
    {
      g_strfreev (facts->children);
      facts->children = list_children (world, image->path);
    }
  if (g_str_equal (recorded->format, "raw"))
    return facts;
  facts->backing = g_strdup (image->backing);
  facts->backing_format = g_strdup (image->backing_format);
  facts->data_bytes = facts->allocation;
  tell_marks (facts, image);

  return facts;
}

StmSurvey *
stm_sim_survey (StmSimWorld *world, const StmSurveyRequest *request)
{
  StmSurvey *survey = stm_survey_new ();

  stm_sim_world_lock (world);
  for (gsize i = 0; i < request->n_images; i++)
    stm_survey_take_facts (survey, look (world, request, request->images[i]));
  if (request->scans_directories)
    {
      g_autoptr (GPtrArray) images = stm_sim_world_list (world);

      for (guint i = 0; i < images->len; i++)
        stm_survey_add_name (survey, ((const StmSimImage *) images->pdata[i])->path);
    }
  stm_sim_world_unlock (world);

  return survey;
}

/* ---- overlays ---- */

static gboolean
check_overlay (StmSimWorld *world, const StmStep *step, const StmPathPolicy *policy, GError **error)
{
  const StmImage *below = step->chain->pdata[0];

  if (!stm_path_policy_check (policy, step->image->path, error)
      || stm_sim_get_image (world, policy, below->path, "covering image", error) == NULL)
    return FALSE;
  if (stm_sim_world_get (world, step->image->path) == NULL)
    return TRUE;

  g_set_error (error, STEMMA_ERROR, STEMMA_ERROR_ALREADY_EXISTS,
               "image %s cannot be made, there is a file of this name", step->image->path);
  return FALSE;
}

static void
make_overlay (StmSimWorld *world, const StmPlan *plan, const StmStep *step, guint64 writes)
{
  const StmImage *below = step->chain->pdata[0];
  StmSimImage *image = stm_sim_image_new (step->image->path, "qcow2", step->image->capacity);

  image->backing = g_strdup (below->path);
  image->backing_format = g_strdup (below->format);
  image->maker = g_strdup (plan->id);
  for (guint i = 0; step->bitmaps[i] != NULL; i++)
    stm_sim_image_add_bitmap (image, step->bitmaps[i]);
  for (guint64 block = 0; block < writes; block++)
    stm_sim_image_write (image, block, g_get_real_time ());
  stm_sim_world_add (world, image);
}

static gboolean
make_overlays_locked (StmSimWorld *world, const StmPlan *plan, const StmPathPolicy *policy,
                      guint64 writes, GError **error)
{
  for (guint i = 0; i < plan->steps->len; i++)
    {
      const StmStep *step = plan->steps->pdata[i];

      if (step->kind == STM_STEP_OVERLAY && !check_overlay (world, step, policy, error))
        return FALSE;
    }
  for (guint i = 0; i < plan->steps->len; i++)
    {
      const StmStep *step = plan->steps->pdata[i];

      if (step->kind == STM_STEP_OVERLAY)
        make_overlay (world, plan, step, writes);
    }

  return stm_sim_world_commit_locked (world, error);
}

gboolean
stm_sim_make_overlays (StmSimWorld *world, const StmPlan *plan, const StmPathPolicy *policy,
                       guint64 writes, GError **error)
{
  stm_sim_world_lock (world);
  gboolean is_done = make_overlays_locked (world, plan, policy, writes, error);
  stm_sim_world_unlock (world);

  return is_done;
}

gboolean
stm_sim_abandon_overlays (StmSimWorld *world, const StmPlan *plan, GError **error)
{
  stm_sim_world_lock (world);
  for (guint i = 0; i < plan->steps->len; i++)
    {
      const StmStep *step = plan->steps->pdata[i];
      const StmSimImage *image = stm_sim_world_get (world, step->image->path);

      if (step->kind == STM_STEP_OVERLAY && image != NULL
          && g_strcmp0 (image->maker, plan->id) == 0)
        stm_sim_world_remove (world, step->image->path);
    }
  gboolean is_done = stm_sim_world_commit_locked (world, error);
  stm_sim_world_unlock (world);

  return is_done;
}

/* ---- removal ---- */

static gboolean
remove_locked (StmSimWorld *world, const StmImage *recorded, GError **error)
{
  const StmSimImage *image = stm_sim_world_get (world, recorded->path);

  if (image == NULL)
    return TRUE;
  if (recorded->origin != STM_IMAGE_MADE)
    {
      g_set_error (error, STEMMA_ERROR, STEMMA_ERROR_NOT_ALLOWED,
                   "removing image %s: it was not made by the service; it stays", recorded->path);
      return FALSE;
    }
  if (g_strcmp0 (image->backing, recorded->backing) != 0 || image->capacity != recorded->capacity)
    {
      g_set_error (error, STEMMA_ERROR, STEMMA_ERROR_CHAIN_BROKEN,
                   "removing image %s: it is not what is recorded; it stays", recorded->path);
      return FALSE;
    }
  stm_sim_world_remove (world, recorded->path);

  return stm_sim_world_commit_locked (world, error);
}

gboolean
stm_sim_remove_image (StmSimWorld *world, const StmStep *step, const StmPathPolicy *policy,
                      GError **error)
{
  if (!stm_path_policy_check (policy, step->image->path, error))
    return FALSE;

  stm_sim_world_lock (world);
  gboolean is_done = remove_locked (world, step->image, error);
  stm_sim_world_unlock (world);

  return is_done;
}
