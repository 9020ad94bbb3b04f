/* One image at a time is open, so that what ends QEMU harms that one alone.
 *
 * Called on workers by what works on tags and bitmaps. Knows nothing of either. An image that gave
 * trouble takes its endpoint along: the next one begins with a fresh one.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "stm-endpoint-series.h"

#include "stm-image-lock.h"

#include <unistd.h>

/* QEMU keeps the descriptor of an image that it has closed, as long as no machine runs in it: they
 * must all fit into its limit, usually 1024, beside its own. */
G_STATIC_ASSERT (STM_ENDPOINT_SERIES_MAX_IMAGES <= 512);

struct _StmEndpointSeries
{
  const StmQemuSetup *setup;
  StmBlockEndpoint *endpoint; /* NULL: the next image needs one */
  guint n_images;             /* that it was given */
};

StmEndpointSeries *
stm_endpoint_series_new (const StmQemuSetup *setup)
{
  g_return_val_if_fail (setup != NULL, NULL);

  StmEndpointSeries *self = g_new0 (StmEndpointSeries, 1);

  self->setup = setup;
  return self;
}

/* It closes what a failure left open, and thereby leaves the bitmaps that were there in order. How
 * it ends says nothing of the images that are closed. */
static void
end_endpoint (StmEndpointSeries *self)
{
  if (self->endpoint != NULL)
    (void) stm_block_endpoint_quit_sync (self->endpoint, NULL);
  g_clear_pointer (&self->endpoint, stm_block_endpoint_free);
}

void
stm_endpoint_series_free (StmEndpointSeries *self)
{
  if (self == NULL)
    return;
  end_endpoint (self);
  g_free (self);
}

const StmQemuSetup *
stm_endpoint_series_get_setup (const StmEndpointSeries *self)
{
  return self->setup;
}

static gboolean
ensure_endpoint (StmEndpointSeries *self, GError **error)
{
  if (self->n_images == STM_ENDPOINT_SERIES_MAX_IMAGES)
    end_endpoint (self);
  if (self->endpoint != NULL)
    return TRUE;
  self->n_images = 0;
  self->endpoint = stm_block_endpoint_start (self->setup, error);

  return self->endpoint != NULL;
}

static StmBlockNode
open_image (StmEndpointSeries *self, const char *path, int fd, GError **error)
{
  const StmBlockImage image = {
    .path = path, .format = "qcow2", .access = STM_IMAGE_WRITE, .initial = STM_IMAGE_WRITE
  };

  self->n_images++;
  return stm_block_endpoint_add_image_sync (self->endpoint, &image, fd, /* cancellable= */ NULL,
                                            error);
}

gboolean
stm_endpoint_series_run_sync (StmEndpointSeries *self, const char *path, int fd,
                              StmEndpointWork work, gconstpointer data, GError **error)
{
  g_return_val_if_fail (self != NULL && path != NULL && fd >= 0 && work != NULL, FALSE);

  /* Here, for one that is in use is no reason for a fresh endpoint. */
  if (!stm_image_lock_check (fd, path, STM_IMAGE_WRITE, error) || !ensure_endpoint (self, error))
    {
      close (fd);
      return FALSE;
    }

  StmBlockNode node = open_image (self, path, fd, error);

  if (node != 0 && work (self->endpoint, node, data, error)
      && stm_block_endpoint_reopen_sync (self->endpoint, node, 0, STM_IMAGE_READ, error)
      && stm_block_endpoint_remove_image_sync (self->endpoint, node, error))
    return TRUE;

  end_endpoint (self);
  return FALSE;
}
