/* Merges of simulated images: the time that they would take, then the change as a whole.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "stm-sim-private.h"

#include "stemma-error.h"

#define SLICE (G_USEC_PER_SEC / 20) /* microseconds between two reports of progress */

/* At most so many microseconds. */
static void
wait_for_cancel (GCancellable *cancellable, gint64 longest)
{
  GPollFD poll_fd;
  gboolean can_poll = g_cancellable_make_pollfd (cancellable, &poll_fd);

  (void) g_poll (&poll_fd, can_poll ? 1 : 0, (gint) (longest / 1000) + 1);
  if (can_poll)
    g_cancellable_release_fd (cancellable);
}

/* FALSE when it was cancelled meanwhile. */
static gboolean
pass_time (guint64 bytes, guint64 bytes_per_second, StmProgress *progress,
           GCancellable *cancellable, GError **error)
{
  gint64 start = g_get_monotonic_time ();
  gint64 duration = bytes_per_second == 0
                        ? 0
                        : (gint64) ((double) bytes / bytes_per_second * G_USEC_PER_SEC);
  gint64 gone = 0;

  while (gone < duration && !g_cancellable_is_cancelled (cancellable))
    {
      stm_progress_set_step_done (progress, (guint64) ((double) bytes * gone / duration));
      wait_for_cancel (cancellable, MIN (SLICE, duration - gone));
      gone = g_get_monotonic_time () - start;
    }
  if (!g_cancellable_is_cancelled (cancellable))
    return TRUE;

  g_set_error_literal (error, STEMMA_ERROR, STEMMA_ERROR_CANCELLED, "the job was cancelled");
  return FALSE;
}

static void
carry_bitmaps (const StmStep *step, StmSimImage *upper, StmSimImage *lower)
{
  for (guint i = 0; step->bitmaps[i] != NULL; i++)
    {
      const StmSimBitmap *recorded = stm_sim_image_find_bitmap (upper, step->bitmaps[i]);
      StmSimBitmap *kept = stm_sim_image_find_bitmap (lower, step->bitmaps[i]);

      if (recorded == NULL)
        continue;
      if (kept == NULL)
        kept = stm_sim_image_add_bitmap (lower, step->bitmaps[i]);
      if (!kept->is_broken)
        stm_sim_bitmap_merge (kept, recorded);
    }
}

static void
commit (StmSimWorld *world, const StmStep *step, StmSimImage *upper, StmSimImage *lower)
{
  GHashTableIter iter;
  gpointer block, value;

  g_hash_table_iter_init (&iter, upper->blocks);
  while (g_hash_table_iter_next (&iter, &block, &value))
    stm_sim_image_write (lower, *(guint64 *) block, *(guint64 *) value);
  lower->capacity = MAX (lower->capacity, upper->capacity);
  carry_bitmaps (step, upper, lower);
  for (guint i = 0; i < step->children->len; i++)
    {
      const StmImage *child = step->children->pdata[i];
      StmSimImage *image = stm_sim_world_get (world, child->path);

      if (image == NULL)
        continue;
      g_free (image->backing);
      image->backing = g_strdup (lower->path);
      g_free (image->backing_format);
      image->backing_format = g_strdup (lower->format);
    }
}

static void
stream (const StmStep *step, StmSimImage *upper, StmSimImage *lower)
{
  GHashTableIter iter;
  gpointer block, value;

  g_hash_table_iter_init (&iter, lower->blocks);
  while (g_hash_table_iter_next (&iter, &block, &value))
    if (!g_hash_table_contains (upper->blocks, block))
      g_hash_table_insert (upper->blocks, g_memdup2 (block, sizeof (guint64)),
                           g_memdup2 (value, sizeof (guint64)));
  for (guint i = 0; step->bitmaps[i] != NULL; i++)
    {
      StmSimBitmap *kept = stm_sim_image_find_bitmap (upper, step->bitmaps[i]);
      const StmSimBitmap *recorded = stm_sim_image_find_bitmap (lower, step->bitmaps[i]);

      if (kept != NULL && recorded != NULL)
        stm_sim_bitmap_merge (kept, recorded);
    }
  g_free (upper->backing);
  upper->backing = g_strdup (lower->backing);
  g_free (upper->backing_format);
  upper->backing_format = g_strdup (lower->backing_format);
}

static gboolean
check_chain (const StmSimImage *upper, const StmSimImage *lower, const StmStep *step,
             GError **error)
{
  const StmImage *rest = step->chain->len > 2 ? step->chain->pdata[2] : NULL;

  /* A stream that was done before stands on the rest already. */
  if (g_strcmp0 (upper->backing, lower->path) == 0
      || (step->kind == STM_STEP_STREAM
          && g_strcmp0 (upper->backing, rest != NULL ? rest->path : NULL) == 0))
    return TRUE;

  g_set_error (error, STEMMA_ERROR, STEMMA_ERROR_CHAIN_BROKEN, "image %s does not stand on %s",
               upper->path, lower->path);
  return FALSE;
}

static gboolean
merge_locked (StmSimWorld *world, const StmStep *step, const StmPathPolicy *policy, GError **error)
{
  const StmImage *recorded_upper = step->chain->pdata[0];
  const StmImage *recorded_lower = step->chain->pdata[1];
  StmSimImage *upper = stm_sim_get_image (world, policy, recorded_upper->path, "merging image",
                                          error);
  StmSimImage *lower = NULL;

  if (upper == NULL)
    return FALSE;
  lower = stm_sim_get_image (world, policy, recorded_lower->path, "merging image", error);
  if (lower == NULL || !check_chain (upper, lower, step, error))
    return FALSE;
  if (step->kind == STM_STEP_COMMIT)
    commit (world, step, upper, lower);
  else
    stream (step, upper, lower);

  return stm_sim_world_commit_locked (world, error);
}

gboolean
stm_sim_merge (StmSimWorld *world, const StmStep *step, const StmPathPolicy *policy,
               guint64 bytes_per_second, StmProgress *progress, GCancellable *cancellable,
               GError **error)
{
  if (!pass_time (step->bytes, bytes_per_second, progress, cancellable, error))
    return FALSE;

  stm_sim_world_lock (world);
  gboolean is_done = merge_locked (world, step, policy, error);
  stm_sim_world_unlock (world);

  return is_done;
}
