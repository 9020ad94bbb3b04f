/* Lets an image absorb the one below it, and then stand on the next one, or on nothing.
 *
 * Called on workers by stm-qemu-merge. The data is copied up first, where it changes nothing that
 * the image shows; then it is flushed and synced; then the header changes. So a header that names
 * the next image proves that the copy is whole, and until then it can be given up or done again.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "stm-qemu-stream.h"

#include "stm-block-job.h"
#include "stm-merge-bitmaps.h"

#include "stemma-error.h"

#include <unistd.h>

enum
{
  TOP, /* places in the chain */
  ABSORBED,
  BASE,
};

typedef struct
{
  const StmMerge *merge;
  StmBlockEndpoint *endpoint;
  StmBlockNode top;
  StmBlockNode absorbed;
  const StmMergeBitmaps *bitmaps;
} Stream;

static gboolean
read_top (const StmMerge *merge, StmImageReading *out_reading, GError **error)
{
  const StmImage *top = stm_merge_get_image (merge, TOP);
  int fd = stm_image_file_open (merge->policy, top->path, STM_IMAGE_READ, error);

  if (fd < 0)
    return FALSE;

  gboolean is_read = stm_image_read (fd, top, /* backing_format= */ NULL, out_reading, error);

  close (fd);
  return is_read;
}

/* A layer that is smaller than what it stands on hides the rest of that: above it, an image that is
 * larger again reads zeros there, and would read the base. */
static gboolean
check_pair (const StmMerge *merge, const StmImageReading *top, GError **error)
{
  const StmImage *image = stm_merge_get_image (merge, ABSORBED);
  g_auto (StmImageReading) absorbed = { 0 };
  g_auto (StmImageReading) base = { 0 };
  int fd = stm_merge_open (merge, ABSORBED, STM_IMAGE_READ, &absorbed, error);

  if (fd < 0)
    return FALSE;
  close (fd);
  if (!stm_merge_check_tags (merge, ABSORBED, &absorbed, error))
    return FALSE;
  if (stm_merge_get_image (merge, BASE) == NULL)
    return TRUE;

  fd = stm_merge_open (merge, BASE, STM_IMAGE_READ, &base, error);
  if (fd < 0)
    return FALSE;
  close (fd);
  if (absorbed.capacity < base.capacity && absorbed.capacity < top->capacity)
    {
      g_set_error (error, STEMMA_ERROR, STEMMA_ERROR_NOT_SUPPORTED,
                   "stream of %s: it is smaller than the images above and below it; the layer has "
                   "to stay",
                   image->path);
      return FALSE;
    }

  return TRUE;
}

/* Between the copy and the header. The bitmaps of the top are marked as in use from the beginning
 * of the copy until the header is written, so none is ever in order without what is added here. */
static gboolean
prepare_header (gpointer user_data, GError **error)
{
  const Stream *self = user_data;

  return stm_block_endpoint_reopen_sync (self->endpoint, self->top, self->absorbed, STM_IMAGE_WRITE,
                                         error)
         && stm_merge_bitmaps_add_up (self->bitmaps, self->endpoint, self->absorbed, self->top,
                                      error)
         && stm_merge_sync (self->merge, stm_merge_get_image (self->merge, TOP)->path, error);
}

static gboolean
pull_up (Stream *self, StmBlockNode base, GError **error)
{
  const StmMerge *merge = self->merge;
  const StmImage *base_image = stm_merge_get_image (merge, BASE);
  g_autofree char *attempt = g_strdup_printf ("stream of %s into %s",
                                              stm_merge_get_image (merge, ABSORBED)->path,
                                              stm_merge_get_image (merge, TOP)->path);
  g_autoptr (JsonObject) arguments = json_object_new ();

  stm_block_endpoint_set_node (arguments, "device", self->top);
  if (base_image != NULL)
    {
      stm_block_endpoint_set_node (arguments, "base-node", base);
      json_object_set_string_member (arguments, "backing-file", base_image->path);
    }

  return stm_block_job_run_sync (self->endpoint,
                                 &(StmBlockJob){ .command = "block-stream",
                                                 .arguments = arguments,
                                                 .attempt = attempt,
                                                 .progress = merge->progress,
                                                 .bytes = merge->step->bytes,
                                                 .prepare_end = prepare_header,
                                                 .user_data = self },
                                 merge->cancellable, error);
}

static gboolean
run (Stream *self, GError **error)
{
  const StmMerge *merge = self->merge;
  StmBlockNode base = 0;

  if (!stm_merge_add_from (merge, self->endpoint, BASE, &base, error))
    return FALSE;
  self->absorbed = stm_merge_add (merge, self->endpoint, ABSORBED, STM_IMAGE_READ, base, error);
  if (self->absorbed == 0)
    return FALSE;
  self->top = stm_merge_add (merge, self->endpoint, TOP, STM_IMAGE_WRITE, self->absorbed, error);

  return self->top != 0 && pull_up (self, base, error);
}

static gboolean
work (const StmMerge *merge, const StmMergeBitmaps *bitmaps, GError **error)
{
  g_autoptr (StmBlockEndpoint) endpoint = stm_block_endpoint_start (merge->setup, error);
  Stream self = { .merge = merge, .endpoint = endpoint, .bitmaps = bitmaps };

  if (endpoint == NULL)
    return FALSE;

  gboolean is_done = run (&self, error);
  /* Closing well, also after a failure, leaves bitmaps and reference counts in order. */
  gboolean is_closed = stm_block_endpoint_quit_sync (endpoint, is_done ? error : NULL);

  return is_done && is_closed;
}

/* The header, read back, and durable. */
static gboolean
seal_top (const StmMerge *merge, guint64 capacity, GError **error)
{
  const StmImage *top = stm_merge_get_image (merge, TOP);
  const StmImage *base = stm_merge_get_image (merge, BASE);
  int fd = stm_image_file_open (merge->policy, top->path, STM_IMAGE_READ, error);

  if (fd < 0)
    return FALSE;

  gboolean is_right = stm_image_verify_written (fd, top->path, capacity,
                                                base != NULL ? base->path : NULL,
                                                base != NULL ? base->format : NULL, error);

  close (fd);
  return is_right && stm_merge_sync (merge, top->path, error);
}

gboolean
stm_qemu_stream (const StmMerge *merge, GError **error)
{
  const StmImage *base = stm_merge_get_image (merge, BASE);
  g_auto (StmImageReading) top = { 0 };
  g_auto (StmMergeBitmaps) bitmaps = { 0 };

  if (!read_top (merge, &top, error))
    return FALSE;
  /* Done in an earlier life; the absorbed file may be gone already. */
  if (g_strcmp0 (top.backing, base != NULL ? base->path : NULL) == 0)
    return seal_top (merge, top.capacity, error);

  return check_pair (merge, &top, error)
         && stm_merge_bitmaps_look (merge, ABSORBED, TOP, &bitmaps, error)
         && stm_merge_bitmaps_check_up (&bitmaps, error) && work (merge, &bitmaps, error)
         && seal_top (merge, top.capacity, error);
}
