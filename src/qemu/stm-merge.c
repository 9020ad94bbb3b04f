/* Opens and checks the images of a merge step.
 *
 * Called on workers by stm-qemu-commit and stm-qemu-stream. Each image is looked at on the
 * descriptor that the endpoint then gets. Writes nothing.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "stm-merge.h"

#include "stemma-error.h"

#include <unistd.h>

const StmImage *
stm_merge_get_image (const StmMerge *self, guint place)
{
  const GPtrArray *chain = self->step->chain;

  return place < chain->len ? chain->pdata[place] : NULL;
}

int
stm_merge_open (const StmMerge *self, guint place, StmImageAccess access,
                StmImageReading *out_reading, GError **error)
{
  const StmImage *image = stm_merge_get_image (self, place);
  const StmImage *below = stm_merge_get_image (self, place + 1);
  int fd = stm_image_file_open (self->policy, image->path, access, error);

  if (fd >= 0
      && !stm_image_verify (fd, image, below != NULL ? below->format : NULL, out_reading, error))
    {
      close (fd);
      return -1;
    }

  return fd;
}

StmBlockNode
stm_merge_add (const StmMerge *self, StmBlockEndpoint *endpoint, guint place, StmImageAccess access,
               StmBlockNode backing, GError **error)
{
  const StmImage *image = stm_merge_get_image (self, place);
  g_auto (StmImageReading) reading = { 0 };
  int fd = stm_merge_open (self, place, access, &reading, error);

  if (fd < 0)
    return 0;

  return stm_block_endpoint_add_image_sync (
      endpoint,
      &(StmBlockImage){
          .path = image->path, .format = image->format, .access = access, .backing = backing },
      fd, self->cancellable, error);
}

gboolean
stm_merge_add_from (const StmMerge *self, StmBlockEndpoint *endpoint, guint place,
                    StmBlockNode *out_node, GError **error)
{
  StmBlockNode node = 0;

  for (guint i = self->step->chain->len; i > place; i--)
    {
      node = stm_merge_add (self, endpoint, i - 1, STM_IMAGE_READ, node, error);
      if (node == 0)
        return FALSE;
    }

  *out_node = node;
  return TRUE;
}

gboolean
stm_merge_check_tags (const StmMerge *self, guint place, const StmImageReading *reading,
                      GError **error)
{
  if (reading->n_tags == 0)
    return TRUE;

  g_set_error (
      error, STEMMA_ERROR, STEMMA_ERROR_NOT_SUPPORTED,
      "merging image %s: it holds internal snapshots (%u), which would not survive it; delete "
      "them first",
      stm_merge_get_image (self, place)->path, reading->n_tags);
  return FALSE;
}

gboolean
stm_merge_sync (const StmMerge *self, const char *path, GError **error)
{
  int fd = stm_image_file_open (self->policy, path, STM_IMAGE_READ, error);

  if (fd < 0)
    return FALSE;

  gboolean is_synced = stm_image_file_sync (fd, path, error)
                       && stm_image_file_sync_directory (self->policy, path, error);

  close (fd);
  return is_synced;
}
