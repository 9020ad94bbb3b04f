/* Begins and removes persistent bitmaps in images that nobody has open.
 *
 * Called on workers by the driver. QEMU marks all bitmaps of an image as in use as long as the
 * image is open for writing, and has a new one in memory only: so an image is open for writing as
 * shortly as can be, alone, without the images below it, and what counts is our own reading of the
 * file after it was closed. Never writes guest data.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "stm-qemu-bitmaps.h"

#include "stm-block-transaction.h"
#include "stm-image-bitmaps.h"
#include "stm-image-place.h"
#include "stm-image-verify.h"

#include "stemma-error.h"

#include <string.h>

/* An image on its way to a bitmap more or less; `step` is borrowed. */
typedef struct
{
  const StmStep *step;
  StmOwnedFd fd; /* until the endpoint has it */
  StmBlockNode node;
} Mark;

static void
mark_free (Mark *self)
{
  stm_owned_fd_clear (&self->fd);
  g_free (self);
}

static Mark *
mark_new (const StmStep *step)
{
  Mark *self = g_new0 (Mark, 1);

  self->step = step;
  self->fd = -1;
  return self;
}

/* Opens the image, holds it against its record, and reads its bitmaps. */
static gboolean
mark_open (Mark *self, const StmPathPolicy *policy, StmImageBitmaps *out_bitmaps, GError **error)
{
  const StmImage *image = self->step->image;
  g_auto (StmImageReading) reading = { 0 };

  self->fd = stm_image_file_open (policy, image->path, STM_IMAGE_WRITE, error);

  return self->fd >= 0
         && stm_image_verify (self->fd, image, /* backing_format= */ NULL, &reading, error)
         && stm_image_bitmaps_read (self->fd, image, out_bitmaps, error);
}

static gboolean
mark_add (Mark *self, StmBlockEndpoint *endpoint, GCancellable *cancellable, GError **error)
{
  const StmBlockImage image = { .path = self->step->image->path,
                                .format = self->step->image->format,
                                .access = STM_IMAGE_WRITE,
                                .initial = STM_IMAGE_WRITE };

  self->node = stm_block_endpoint_add_image_sync (endpoint, &image, g_steal_fd (&self->fd),
                                                  cancellable, error);
  return self->node != 0;
}

/* What is in the file now, read anew and durable. */
static gboolean
mark_seal (const Mark *self, const StmPathPolicy *policy, StmImageBitmaps *out_bitmaps,
           GError **error)
{
  const StmImage *image = self->step->image;
  g_auto (StmOwnedFd) fd = stm_image_file_open (policy, image->path, STM_IMAGE_READ, error);

  return fd >= 0 && stm_image_bitmaps_read (fd, image, out_bitmaps, error)
         && stm_image_file_sync (fd, image->path, error);
}

/* --- beginning -------------------------------------------------------------------------------- */

static gboolean
prepare_to_make (Mark *mark, const StmPathPolicy *policy, GError **error)
{
  const char *path = mark->step->image->path;
  g_auto (StmImageBitmaps) bitmaps = { 0 };

  if (!mark_open (mark, policy, &bitmaps, error))
    return FALSE;
  if (stm_image_bitmaps_find (&bitmaps, mark->step->name) != NULL)
    {
      g_set_error (error, STEMMA_ERROR, STEMMA_ERROR_ALREADY_EXISTS,
                   "image %s has a bitmap %s already; choose another name, or remove it with "
                   "qemu-img bitmap --remove",
                   path, mark->step->name);
      return FALSE;
    }

  return stm_image_bitmaps_check_format (&bitmaps, error)
         && stm_image_bitmaps_check_space (&bitmaps, mark->fd, 1, error);
}

static gboolean
begin_all (GPtrArray *marks, StmBlockEndpoint *endpoint, GCancellable *cancellable, GError **error)
{
  g_autoptr (StmBlockTransaction) transaction = stm_block_transaction_new ();

  for (guint i = 0; i < marks->len; i++)
    {
      Mark *mark = g_ptr_array_index (marks, i);

      if (!mark_add (mark, endpoint, cancellable, error))
        return FALSE;
      stm_block_transaction_add_bitmap (transaction, mark->node, mark->step->name,
                                        /* granularity= */ 0, STM_BLOCK_BITMAP_RECORDING);
    }
  if (!stm_block_transaction_run_sync (transaction, endpoint, "beginning bitmaps", cancellable,
                                       error))
    return FALSE;
  for (guint i = 0; i < marks->len; i++)
    {
      const Mark *mark = g_ptr_array_index (marks, i);

      if (!stm_block_endpoint_reopen_sync (endpoint, mark->node, 0, STM_IMAGE_READ, error))
        return FALSE;
    }

  return TRUE;
}

/* Closing well, also after a failure, leaves the bitmaps that were there in order. */
static gboolean
end_endpoint (StmBlockEndpoint *endpoint, gboolean is_done, GError **error)
{
  gboolean is_closed = stm_block_endpoint_quit_sync (endpoint, is_done ? error : NULL);

  return is_done && is_closed;
}

static gboolean
seal_all (GPtrArray *marks, const StmPathPolicy *policy, GError **error)
{
  for (guint i = 0; i < marks->len; i++)
    {
      const Mark *mark = g_ptr_array_index (marks, i);
      g_auto (StmImageBitmaps) bitmaps = { 0 };

      if (!mark_seal (mark, policy, &bitmaps, error)
          || !stm_image_bitmaps_check (&bitmaps, mark->step->name, error))
        return FALSE;
    }

  return TRUE;
}

/* *out_has_begun: whether a failure may have left some of the bitmaps. */
static gboolean
make_all (const StmQemuSetup *setup, GPtrArray *marks, const StmPathPolicy *policy,
          gboolean *out_has_begun, GCancellable *cancellable, GError **error)
{
  /* First, for it takes most of the time to come up. */
  g_autoptr (StmBlockEndpoint) endpoint = stm_block_endpoint_start (setup, error);

  if (endpoint == NULL)
    return FALSE;
  for (guint i = 0; i < marks->len; i++)
    if (!prepare_to_make (g_ptr_array_index (marks, i), policy, error))
      return FALSE;
  *out_has_begun = TRUE;

  return end_endpoint (endpoint, begin_all (marks, endpoint, cancellable, error), error)
         && seal_all (marks, policy, error);
}

static GPtrArray *
collect (const StmPlan *plan)
{
  GPtrArray *marks = g_ptr_array_new_with_free_func ((GDestroyNotify) mark_free);

  for (guint i = 0; i < plan->steps->len; i++)
    {
      const StmStep *step = g_ptr_array_index (plan->steps, i);

      if (step->kind == STM_STEP_BITMAP)
        g_ptr_array_add (marks, mark_new (step));
    }

  return marks;
}

/* --- removing --------------------------------------------------------------------------------- */

static gboolean
tell_to_remove (StmBlockEndpoint *endpoint, StmBlockNode node, gconstpointer data, GError **error)
{
  const StmStep *step = data;
  g_autofree char *attempt = g_strdup_printf ("removing bitmap %s from image %s", step->name,
                                              step->image->path);
  g_autoptr (JsonObject) arguments = json_object_new ();

  stm_block_endpoint_set_node (arguments, "node", node);
  json_object_set_string_member (arguments, "name", step->name);

  g_autoptr (JsonNode) result = stm_block_endpoint_execute_sync (
      endpoint, "block-dirty-bitmap-remove", arguments, attempt, /* cancellable= */ NULL, error);

  return result != NULL;
}

static gboolean
remove_one (StmEndpointSeries *series, Mark *mark, GError **error)
{
  return stm_endpoint_series_run_sync (series, mark->step->image->path, g_steal_fd (&mark->fd),
                                       tell_to_remove, mark->step, error);
}

/* To write the others anew takes space; a disk that is full would lose them. */
static gboolean
check_space_for_others (const StmImageBitmaps *bitmaps, const Mark *mark, GError **error)
{
  return bitmaps->facts->bitmaps->len == 1
         || stm_image_bitmaps_check_space (bitmaps, mark->fd, 0, error);
}

gboolean
stm_qemu_bitmaps_remove (StmEndpointSeries *series, const StmStep *step,
                         const StmPathPolicy *policy, GError **error)
{
  g_return_val_if_fail (series != NULL && step != NULL && step->name != NULL, FALSE);

  g_autoptr (GError) problem = NULL;
  g_auto (StmImageBitmaps) before = { 0 };
  g_auto (StmImageBitmaps) after = { 0 };
  Mark *mark = mark_new (step);
  g_autoptr (GPtrArray) owner = g_ptr_array_new_with_free_func ((GDestroyNotify) mark_free);

  g_ptr_array_add (owner, mark);
  if (!mark_open (mark, policy, &before, &problem))
    {
      /* A file that is gone has taken its bitmaps along. */
      if (g_error_matches (problem, STEMMA_ERROR, STEMMA_ERROR_NOT_FOUND))
        return TRUE;
      g_propagate_error (error, g_steal_pointer (&problem));
      return FALSE;
    }
  if (stm_image_bitmaps_find (&before, step->name) == NULL)
    return stm_image_file_sync (mark->fd, step->image->path, error);
  if (!check_space_for_others (&before, mark, error) || !remove_one (series, mark, error)
      || !mark_seal (mark, policy, &after, error))
    return FALSE;
  if (stm_image_bitmaps_find (&after, step->name) == NULL)
    return TRUE;

  g_set_error (error, STEMMA_ERROR, STEMMA_ERROR_HYPERVISOR,
               "image %s still has bitmap %s, which QEMU should have removed", step->image->path,
               step->name);
  return FALSE;
}

gboolean
stm_qemu_bitmaps_abandon (StmEndpointSeries *series, const StmPlan *plan,
                          const StmPathPolicy *policy, GError **error)
{
  g_return_val_if_fail (series != NULL && plan != NULL, FALSE);

  g_autoptr (GError) first = NULL;

  for (guint i = 0; i < plan->steps->len; i++)
    {
      const StmStep *step = g_ptr_array_index (plan->steps, i);

      if (step->kind == STM_STEP_BITMAP)
        (void) stm_qemu_bitmaps_remove (series, step, policy, first == NULL ? &first : NULL);
    }
  if (first == NULL)
    return TRUE;

  g_propagate_error (error, g_steal_pointer (&first));
  return FALSE;
}

static void
take_back (const StmQemuSetup *setup, const StmPlan *plan, const StmPathPolicy *policy)
{
  g_autoptr (StmEndpointSeries) series = stm_endpoint_series_new (setup);

  (void) stm_qemu_bitmaps_abandon (series, plan, policy, NULL);
}

gboolean
stm_qemu_bitmaps_make (const StmQemuSetup *setup, const StmPlan *plan, const StmPathPolicy *policy,
                       GCancellable *cancellable, GError **error)
{
  g_return_val_if_fail (setup != NULL && plan != NULL, FALSE);

  g_autoptr (GPtrArray) marks = collect (plan);
  gboolean has_begun = FALSE;

  if (marks->len == 0 || make_all (setup, marks, policy, &has_begun, cancellable, error))
    return TRUE;
  /* The endpoint is gone. What cannot be removed now is when the operation is taken back. */
  if (has_begun)
    take_back (setup, plan, policy);

  return FALSE;
}
