/* Removes image files that are proven to be what is recorded.
 *
 * Called on workers, after the change that makes the file superfluous is durable. Removes nothing
 * that the service did not make, and nothing whose header does not say what the record says.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "stm-image-remove.h"

#include "stm-image-file.h"
#include "stm-image-lock.h"
#include "stm-qcow2-header.h"

#include "stemma-error.h"

#include <string.h>

static gboolean
fail (const char *path, const char *what, GError **error)
{
  g_set_error (
      error, STEMMA_ERROR, STEMMA_ERROR_CHAIN_BROKEN,
      "removing image %s: %s, so it may be another than the recorded one; it stays, remove "
      "it yourself if it is not needed",
      path, what);
  return FALSE;
}

static gboolean
prove_membership (int fd, const char *path, gpointer user_data, GError **error)
{
  const StmImage *image = user_data;
  g_autoptr (StmQcow2Header) header = stm_qcow2_header_read (fd, path, error);
  g_autofree char *backing = NULL;

  if (header == NULL)
    return FALSE;
  if (header->backing != NULL)
    {
      backing = stm_image_file_resolve (path, header->backing, NULL);
      if (backing == NULL)
        return fail (path, "its header names a backing image that is no file", error);
    }
  if (g_strcmp0 (backing, image->backing) != 0)
    return fail (path, "its header names another backing image", error);
  if (header->capacity != image->capacity)
    return fail (path, "it has another virtual size", error);

  return stm_image_lock_check (fd, path, STM_IMAGE_WRITE, error);
}

gboolean
stm_image_remove (const StmImage *image, const StmPathPolicy *policy, GError **error)
{
  g_return_val_if_fail (image != NULL && policy != NULL, FALSE);

  if (image->origin != STM_IMAGE_MADE || strcmp (image->format, "qcow2") != 0)
    {
      g_set_error (error, STEMMA_ERROR, STEMMA_ERROR_NOT_ALLOWED,
                   "removing image %s: it was not made by the service; it stays", image->path);
      return FALSE;
    }

  return stm_image_file_unlink (policy, image->path, prove_membership, (gpointer) image, error);
}
