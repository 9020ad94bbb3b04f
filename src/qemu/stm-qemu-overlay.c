/* Makes overlays: files under temporary names, filled by the endpoint, checked by our own reading,
 * synced, and only then given their names.
 *
 * Called on workers by the driver. So a file under a final name always has a whole header, and a
 * temporary name tells whose it is. Never writes to an image that existed before.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "stm-qemu-overlay.h"

#include "stm-block-endpoint.h"
#include "stm-block-transaction.h"
#include "stm-image-bitmaps.h"
#include "stm-image-file.h"
#include "stm-image-lock.h"
#include "stm-image-verify.h"
#include "stm-qcow2-header.h"

#include "stemma-error.h"

#include <string.h>
#include <unistd.h>

/* One overlay on its way; `image`, `base` and `names` are borrowed from the plan. */
typedef struct
{
  const StmImage *image;
  const StmImage *base;
  const char *const *names;     /* of the bitmaps that begin in it */
  StmImageBitmaps base_bitmaps; /* empty when there are no names */
  char *temporary;
  int base_fd; /* until the endpoint has them */
  int fd;
  StmBlockNode base_node;
  StmBlockNode node;
  gboolean is_made; /* the temporary file is there */
  gboolean is_published;
} Overlay;

static void
overlay_free (Overlay *self)
{
  if (self->base_fd >= 0)
    close (self->base_fd);
  if (self->fd >= 0)
    close (self->fd);
  stm_image_bitmaps_clear (&self->base_bitmaps);
  g_free (self->temporary);
  g_free (self);
}

/* NULL with INVALID_ARGUMENT when the target cannot be part of a name. */
static char *
temporary_path (const StmPlan *plan, const StmImage *image, GError **error)
{
  if (image->target == NULL || *image->target == '\0' || strchr (image->target, '/') != NULL)
    {
      g_set_error (error, STEMMA_ERROR, STEMMA_ERROR_INVALID_ARGUMENT,
                   "overlay %s: its target cannot be part of a file name", image->path);
      return NULL;
    }

  g_autofree char *directory = g_path_get_dirname (image->path);

  return g_strdup_printf ("%s/" STM_TEMPORARY_PREFIX "%s-%s",
                          strcmp (directory, "/") != 0 ? directory : "", plan->id, image->target);
}

static GPtrArray *
collect (const StmPlan *plan, GError **error)
{
  g_autoptr (GPtrArray) overlays = g_ptr_array_new_with_free_func ((GDestroyNotify) overlay_free);

  for (guint i = 0; i < plan->steps->len; i++)
    {
      const StmStep *step = g_ptr_array_index (plan->steps, i);

      if (step->kind != STM_STEP_OVERLAY)
        continue;

      Overlay *overlay = g_new0 (Overlay, 1);

      g_ptr_array_add (overlays, overlay);
      overlay->image = step->image;
      overlay->base = g_ptr_array_index (step->chain, 0);
      overlay->names = (const char *const *) step->bitmaps;
      overlay->base_fd = -1;
      overlay->fd = -1;
      overlay->temporary = temporary_path (plan, step->image, error);
      if (overlay->temporary == NULL)
        return NULL;
    }

  return g_steal_pointer (&overlays);
}

/* The base as it is now must be what the overlay was planned over: a smaller overlay would be a
 * smaller disk, and QEMU would not mind. */
static gboolean
check_base (Overlay *overlay, GError **error)
{
  g_auto (StmImageReading) reading = { 0 };

  if (!stm_image_verify (overlay->base_fd, overlay->base, NULL, &reading, error))
    return FALSE;
  if (reading.capacity != overlay->image->capacity)
    {
      g_set_error (error, STEMMA_ERROR, STEMMA_ERROR_CHAIN_BROKEN,
                   "overlay %s: image %s has %" G_GUINT64_FORMAT " bytes and not %" G_GUINT64_FORMAT
                   " as planned; it was resized: try again",
                   overlay->image->path, overlay->base->path, reading.capacity,
                   overlay->image->capacity);
      return FALSE;
    }

  /* For their granularities. */
  return *overlay->names == NULL
         || stm_image_bitmaps_read (overlay->base_fd, overlay->base, &overlay->base_bitmaps, error);
}

static gboolean
prepare (Overlay *overlay, const StmPathPolicy *policy, GError **error)
{
  const char *path = overlay->image->path;
  gboolean exists = FALSE;

  overlay->base_fd = stm_image_file_open (policy, overlay->base->path, STM_IMAGE_READ, error);
  if (overlay->base_fd < 0 || !check_base (overlay, error)
      || !stm_image_file_exists (policy, path, &exists, error))
    return FALSE;
  if (exists)
    {
      g_set_error (error, STEMMA_ERROR, STEMMA_ERROR_ALREADY_EXISTS,
                   "overlay %s: there is a file of this name; move it away", path);
      return FALSE;
    }

  /* One that is there already was left by an earlier try of the same operation. */
  if (!stm_image_file_exists (policy, overlay->temporary, &exists, error)
      || (exists
          && !stm_image_file_unlink (policy, overlay->temporary, /* proof= */ NULL, NULL, error)))
    return FALSE;
  overlay->fd = stm_image_file_create (policy, overlay->temporary, overlay->base_fd, error);
  overlay->is_made = overlay->fd >= 0;

  return overlay->is_made;
}

static gboolean
fill (Overlay *overlay, StmBlockEndpoint *endpoint, GCancellable *cancellable, GError **error)
{
  const StmBlockImage base = { .path = overlay->base->path,
                               .format = overlay->base->format,
                               .access = STM_IMAGE_READ };
  const StmBlockCreation creation = {
    .path = overlay->image->path,
    .capacity = overlay->image->capacity,
    .backing_path = overlay->base->path,
    .backing_format = overlay->base->format,
    .initial = *overlay->names != NULL ? STM_IMAGE_WRITE : STM_IMAGE_READ,
  };

  /* The base first: a machine that is running on it is found before anything is written. */
  overlay->base_node = stm_block_endpoint_add_image_sync (
      endpoint, &base, g_steal_fd (&overlay->base_fd), cancellable, error);
  if (overlay->base_node == 0)
    return FALSE;
  overlay->node = stm_block_endpoint_create_overlay_sync (
      endpoint, &creation, g_steal_fd (&overlay->fd), cancellable, error);

  return overlay->node != 0;
}

static void
add_actions (const Overlay *overlay, StmBlockTransaction *transaction)
{
  stm_block_transaction_add_snapshot (transaction, overlay->base_node, overlay->node);
  for (const char *const *name = overlay->names; *name != NULL; name++)
    {
      const StmBitmapFacts *below = stm_image_bitmaps_find (&overlay->base_bitmaps, *name);

      stm_block_transaction_add_bitmap (transaction, overlay->node, *name,
                                        below != NULL ? below->granularity : 0,
                                        STM_BLOCK_BITMAP_RECORDING);
    }
}

static gboolean
fill_all (GPtrArray *overlays, StmBlockEndpoint *endpoint, GCancellable *cancellable,
          GError **error)
{
  g_autoptr (StmBlockTransaction) transaction = stm_block_transaction_new ();

  for (guint i = 0; i < overlays->len; i++)
    {
      if (!fill (g_ptr_array_index (overlays, i), endpoint, cancellable, error))
        return FALSE;
      add_actions (g_ptr_array_index (overlays, i), transaction);
    }
  if (!stm_block_transaction_run_sync (transaction, endpoint,
                                       "putting the overlays on their images", cancellable, error))
    return FALSE;
  /* Here QEMU says what became of the bitmaps; when it ends it would not. */
  for (guint i = 0; i < overlays->len; i++)
    {
      const Overlay *overlay = g_ptr_array_index (overlays, i);

      if (*overlay->names != NULL
          && !stm_block_endpoint_reopen_sync (endpoint, overlay->node, overlay->base_node,
                                              STM_IMAGE_READ, error))
        return FALSE;
    }

  return stm_block_endpoint_quit_sync (endpoint, error);
}

static gboolean
verify_bitmaps (const Overlay *overlay, int fd, GError **error)
{
  g_auto (StmImageBitmaps) bitmaps = { 0 };

  if (*overlay->names == NULL)
    return TRUE;
  if (!stm_image_bitmaps_read (fd, overlay->image, &bitmaps, error))
    return FALSE;
  for (const char *const *name = overlay->names; *name != NULL; name++)
    if (!stm_image_bitmaps_check (&bitmaps, *name, error))
      return FALSE;

  return TRUE;
}

/* Reads back what was written, and makes it durable. */
static gboolean
seal_file (const Overlay *overlay, const StmPathPolicy *policy, GError **error)
{
  int fd = stm_image_file_open (policy, overlay->temporary, STM_IMAGE_READ, error);

  if (fd < 0)
    return FALSE;

  gboolean is_sound = stm_image_verify_written (fd, overlay->temporary, overlay->image->capacity,
                                                overlay->base->path, overlay->base->format, error)
                      && verify_bitmaps (overlay, fd, error)
                      && stm_image_file_sync (fd, overlay->temporary, error);

  close (fd);
  return is_sound;
}

/* Each once: overlays mostly share one, and to sync takes a turn of the disk. */
static gboolean
sync_directories (GPtrArray *overlays, const StmPathPolicy *policy, GError **error)
{
  g_autoptr (GHashTable) synced = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);

  for (guint i = 0; i < overlays->len; i++)
    {
      const Overlay *overlay = g_ptr_array_index (overlays, i);

      if (g_hash_table_add (synced, g_path_get_dirname (overlay->image->path))
          && !stm_image_file_sync_directory (policy, overlay->image->path, error))
        return FALSE;
    }

  return TRUE;
}

static gboolean
publish_all (GPtrArray *overlays, const StmPathPolicy *policy, GError **error)
{
  for (guint i = 0; i < overlays->len; i++)
    if (!seal_file (g_ptr_array_index (overlays, i), policy, error))
      return FALSE;
  for (guint i = 0; i < overlays->len; i++)
    {
      Overlay *overlay = g_ptr_array_index (overlays, i);

      if (!stm_image_file_publish (policy, overlay->temporary, overlay->image->path, error))
        return FALSE;
      overlay->is_published = TRUE;
    }

  return sync_directories (overlays, policy, error);
}

static gboolean
make_all (const StmQemuSetup *setup, GPtrArray *overlays, const StmPathPolicy *policy,
          GCancellable *cancellable, GError **error)
{
  /* First, for it takes most of the time to come up, and the files are made meanwhile. */
  g_autoptr (StmBlockEndpoint) endpoint = stm_block_endpoint_start (setup, error);

  if (endpoint == NULL)
    return FALSE;
  for (guint i = 0; i < overlays->len; i++)
    if (!prepare (g_ptr_array_index (overlays, i), policy, error))
      return FALSE;
  if (!fill_all (overlays, endpoint, cancellable, error))
    return FALSE;
  if (g_cancellable_is_cancelled (cancellable))
    {
      g_set_error_literal (error, STEMMA_ERROR, STEMMA_ERROR_CANCELLED,
                           "making overlays: the operation was cancelled");
      return FALSE;
    }

  return publish_all (overlays, policy, error);
}

/* An overlay that shows nothing but its base holds nothing of anybody's. */
static gboolean
prove_empty (int fd, const char *path, gpointer user_data, GError **error)
{
  const Overlay *overlay = user_data;
  g_auto (StmImageReading) reading = { 0 };
  g_autoptr (StmQcow2Header) header = NULL;

  if (!stm_image_lock_check (fd, path, STM_IMAGE_WRITE, error)
      || !stm_image_verify (fd, overlay->image, overlay->base->format, &reading, error))
    return FALSE;
  header = stm_qcow2_header_read (fd, path, error);
  if (header == NULL)
    return FALSE;
  if (header->capacity != overlay->image->capacity || header->n_snapshots != 0
      || stm_qcow2_count_data (fd, header, NULL) != 0)
    {
      g_set_error (error, STEMMA_ERROR, STEMMA_ERROR_CHAIN_BROKEN,
                   "overlay %s holds data that was written since it was made; it stays", path);
      return FALSE;
    }

  return TRUE;
}

/* Where there is no directory there is no file of ours: the client may have named one that never
 * was. */
static gboolean
remove_file (const StmPathPolicy *policy, const char *path, StmImageProof proof, gpointer user_data,
             GError **error)
{
  g_autoptr (GError) local = NULL;

  if (stm_image_file_unlink (policy, path, proof, user_data, &local)
      || g_error_matches (local, STEMMA_ERROR, STEMMA_ERROR_NOT_FOUND))
    return TRUE;
  g_propagate_error (error, g_steal_pointer (&local));
  return FALSE;
}

static gboolean
remove_files (const Overlay *overlay, const StmPathPolicy *policy, gboolean is_published,
              GError **error)
{
  /* The temporary name tells by itself that the file is the plan's. */
  return remove_file (policy, overlay->temporary, /* proof= */ NULL, /* user_data= */ NULL, error)
         && (!is_published
             || remove_file (policy, overlay->image->path, prove_empty, (gpointer) overlay, error));
}

/* Only what was made in this call: a file of a final name that is not ours is why it failed. What
 * cannot be removed now is found again when the operation is taken back. */
static void
roll_back (GPtrArray *overlays, const StmPathPolicy *policy)
{
  for (guint i = 0; i < overlays->len; i++)
    {
      const Overlay *overlay = g_ptr_array_index (overlays, i);

      if (overlay->is_made)
        (void) remove_files (overlay, policy, overlay->is_published, NULL);
    }
}

gboolean
stm_qemu_overlays_make (const StmQemuSetup *setup, const StmPlan *plan, const StmPathPolicy *policy,
                        GCancellable *cancellable, GError **error)
{
  g_return_val_if_fail (setup != NULL && plan != NULL, FALSE);

  g_autoptr (GPtrArray) overlays = collect (plan, error);

  if (overlays == NULL)
    return FALSE;
  if (overlays->len == 0)
    return TRUE;
  /* The endpoint is gone when this returns: nothing writes to what is removed. */
  if (!make_all (setup, overlays, policy, cancellable, error))
    {
      roll_back (overlays, policy);
      return FALSE;
    }

  return TRUE;
}

gboolean
stm_qemu_overlays_abandon (const StmPlan *plan, const StmPathPolicy *policy, GError **error)
{
  g_return_val_if_fail (plan != NULL, FALSE);

  g_autoptr (GPtrArray) overlays = collect (plan, error);
  g_autoptr (GError) first = NULL;

  if (overlays == NULL)
    return FALSE;
  /* One that cannot go keeps none of the others. */
  for (guint i = 0; i < overlays->len; i++)
    (void) remove_files (g_ptr_array_index (overlays, i), policy, /* is_published= */ TRUE,
                         first == NULL ? &first : NULL);
  if (first != NULL)
    {
      g_propagate_error (error, g_steal_pointer (&first));
      return FALSE;
    }

  return TRUE;
}
