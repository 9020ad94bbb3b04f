/* Tags and bitmaps in simulated images: a verb that makes some looks at all images first and then
 * changes them, so that it is done whole or not at all.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "stm-sim-private.h"

#include "stemma-error.h"

static gboolean
check_free (const StmSimImage *image, const StmStep *step, GError **error)
{
  gboolean is_tag = step->kind == STM_STEP_TAG;
  gboolean is_taken = is_tag ? stm_sim_image_find_tag (image, step->name) != NULL
                             : stm_sim_image_find_bitmap (image, step->name) != NULL;

  if (!is_taken)
    return TRUE;
  g_set_error (error, STEMMA_ERROR, STEMMA_ERROR_ALREADY_EXISTS,
               "image %s has %s '%s' already: give another name", image->path,
               is_tag ? "an internal snapshot" : "a bitmap", step->name);
  return FALSE;
}

static gboolean
check_marks (StmSimWorld *world, const StmPlan *plan, StmStepKind kind, const StmPathPolicy *policy,
             GError **error)
{
  for (guint i = 0; i < plan->steps->len; i++)
    {
      const StmStep *step = plan->steps->pdata[i];

      if (step->kind != kind)
        continue;

      const StmSimImage *image = stm_sim_get_qcow2 (world, policy, step->image->path,
                                                    "marking image", error);
      if (image == NULL || !check_free (image, step, error))
        return FALSE;
    }

  return TRUE;
}

static void
apply_marks (StmSimWorld *world, const StmPlan *plan, StmStepKind kind)
{
  for (guint i = 0; i < plan->steps->len; i++)
    {
      const StmStep *step = plan->steps->pdata[i];
      StmSimImage *image = stm_sim_world_get (world, step->image->path);

      if (step->kind != kind)
        continue;
      if (kind == STM_STEP_TAG)
        stm_sim_image_add_tag (image, step->name, g_get_real_time () / G_USEC_PER_SEC);
      else
        stm_sim_image_add_bitmap (image, step->name);
    }
}

gboolean
stm_sim_make_marks (StmSimWorld *world, const StmPlan *plan, StmStepKind kind,
                    const StmPathPolicy *policy, GError **error)
{
  gboolean is_done = FALSE;

  stm_sim_world_lock (world);
  if (check_marks (world, plan, kind, policy, error))
    {
      apply_marks (world, plan, kind);
      is_done = stm_sim_world_commit_locked (world, error);
    }
  stm_sim_world_unlock (world);

  return is_done;
}

static void
bring_to (StmSimImage *image, const StmSimTag *tag)
{
  g_hash_table_unref (image->blocks);
  image->blocks = stm_sim_blocks_copy (tag->blocks);
  image->capacity = tag->capacity;
}

static gboolean
check_goto (const StmSimImage *image, const StmSimTag *tag, GError **error)
{
  for (guint i = 0; i < image->bitmaps->len; i++)
    {
      const StmSimBitmap *bitmap = image->bitmaps->pdata[i];

      if (stm_bitmap_name_is_drivers (bitmap->name))
        continue;
      g_set_error (error, STEMMA_ERROR, STEMMA_ERROR_NOT_SUPPORTED,
                   "image %s has bitmap '%s', which would be wrong after it is brought to internal "
                   "snapshot '%s': delete the checkpoints first",
                   image->path, bitmap->name, tag->name);
      return FALSE;
    }
  if (tag->capacity == image->capacity)
    return TRUE;
  g_set_error (error, STEMMA_ERROR, STEMMA_ERROR_NOT_SUPPORTED,
               "bringing image %s to internal snapshot '%s': the disk had %" G_GUINT64_FORMAT
               " bytes then and has %" G_GUINT64_FORMAT " now; give it its old size first",
               image->path, tag->name, tag->capacity, image->capacity);
  return FALSE;
}

static gboolean
go_to_locked (StmSimWorld *world, const StmStep *step, const StmPathPolicy *policy, GError **error)
{
  StmSimImage *image = stm_sim_get_qcow2 (world, policy, step->image->path,
                                          "bringing an image to its internal snapshot", error);
  const StmSimTag *tag = image == NULL ? NULL : stm_sim_image_find_tag (image, step->name);

  if (image == NULL)
    return FALSE;
  if (tag == NULL)
    {
      g_set_error (error, STEMMA_ERROR, STEMMA_ERROR_NOT_FOUND,
                   "image %s has no internal snapshot '%s'", image->path, step->name);
      return FALSE;
    }
  if (!check_goto (image, tag, error))
    return FALSE;
  /* Only a driver's own are left. */
  g_ptr_array_set_size (image->bitmaps, 0);
  bring_to (image, tag);

  return stm_sim_world_commit_locked (world, error);
}

gboolean
stm_sim_go_to_tag (StmSimWorld *world, const StmStep *step, const StmPathPolicy *policy,
                   GError **error)
{
  stm_sim_world_lock (world);
  gboolean is_done = go_to_locked (world, step, policy, error);
  stm_sim_world_unlock (world);

  return is_done;
}

static void
take_back (StmSimImage *image, const StmStep *step)
{
  const StmSimTag *fallback = NULL;

  if (step->kind == STM_STEP_GOTO)
    fallback = stm_sim_image_find_tag (image, step->fallback);
  if (fallback != NULL)
    bring_to (image, fallback);
  if (step->kind == STM_STEP_BITMAP)
    stm_sim_image_remove_bitmap (image, step->name);
}

/* First what needs the tags, then the tags. */
gboolean
stm_sim_abandon_marks (StmSimWorld *world, const StmPlan *plan, const StmPathPolicy *policy,
                       GError **error)
{
  stm_sim_world_lock (world);
  for (guint i = 0; i < plan->steps->len; i++)
    {
      const StmStep *step = plan->steps->pdata[i];
      StmSimImage *image = stm_sim_world_get (world, step->image->path);

      if (image != NULL)
        take_back (image, step);
    }
  for (guint i = 0; i < plan->steps->len; i++)
    {
      const StmStep *step = plan->steps->pdata[i];
      StmSimImage *image = stm_sim_world_get (world, step->image->path);

      if (image != NULL && step->kind == STM_STEP_TAG)
        stm_sim_image_remove_tag (image, step->name);
    }
  gboolean is_done = stm_sim_world_commit_locked (world, error);
  stm_sim_world_unlock (world);

  return is_done;
}

static gboolean
remove_locked (StmSimWorld *world, const StmStep *step, const StmPathPolicy *policy, GError **error)
{
  g_autoptr (GError) problem = NULL;
  StmSimImage *image = stm_sim_get_qcow2 (world, policy, step->image->path,
                                          "removing a mark from image", &problem);

  if (image != NULL && step->kind == STM_STEP_UNTAG)
    stm_sim_image_remove_tag (image, step->name);
  else if (image != NULL)
    stm_sim_image_remove_bitmap (image, step->name);
  /* An image that is gone has taken its bitmaps along. */
  if (image != NULL
      || (step->kind == STM_STEP_UNBITMAP
          && g_error_matches (problem, STEMMA_ERROR, STEMMA_ERROR_NOT_FOUND)))
    return TRUE;
  g_propagate_error (error, g_steal_pointer (&problem));
  return FALSE;
}

static void
fail_all (GError **failures, gsize n_failures, const GError *why)
{
  for (gsize i = 0; i < n_failures; i++)
    if (failures[i] == NULL)
      failures[i] = g_error_copy (why);
}

gboolean
stm_sim_remove_marks (StmSimWorld *world, const StmStep *const *steps, gsize n_steps,
                      const StmPathPolicy *policy, GError **failures)
{
  g_autoptr (GError) unwritten = NULL;
  gboolean is_done = TRUE;

  stm_sim_world_lock (world);
  for (gsize i = 0; i < n_steps; i++)
    if (!remove_locked (world, steps[i], policy, &failures[i]))
      is_done = FALSE;
  if (!stm_sim_world_commit_locked (world, &unwritten))
    {
      fail_all (failures, n_steps, unwritten);
      is_done = FALSE;
    }
  stm_sim_world_unlock (world);

  return is_done;
}
