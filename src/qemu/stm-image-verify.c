/* Compares files with their records, on the descriptors that are then used: a file that was
 * replaced since the plan was made is found here.
 *
 * Any thread that may wait for the disk. Never writes.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "stm-image-verify.h"

#include "stm-image-file.h"
#include "stm-qcow2-header.h"

#include "stemma-error.h"
#include "stm-path-policy.h"

#include <string.h>

void
stm_image_reading_clear (StmImageReading *self)
{
  g_clear_pointer (&self->backing, g_free);
}

static gboolean
fail_differs (GError **error, const char *path, const char *what, const char *found,
              const char *expected)
{
  g_autofree char *escaped = g_strescape (found != NULL ? found : "none", NULL);

  g_set_error (error, STEMMA_ERROR, STEMMA_ERROR_CHAIN_BROKEN,
               "image %s: its header says %s \"%s\" where \"%s\" is recorded; it was changed by "
               "another program: put it back, or forget the snapshots that need it",
               path, what, escaped, expected != NULL ? expected : "none");
  return FALSE;
}

static gboolean
read_qcow2 (int fd, const StmImage *image, const char *backing_format, StmImageReading *out_reading,
            GError **error)
{
  g_autoptr (StmQcow2Header) header = stm_qcow2_header_read (fd, image->path, error);

  if (header == NULL || !stm_qcow2_header_check_usable (header, image->path, error))
    return FALSE;
  if (backing_format != NULL && header->backing_format != NULL
      && strcmp (header->backing_format, backing_format) != 0)
    return fail_differs (error, image->path, "backing format", header->backing_format,
                         backing_format);

  g_autofree char *backing = NULL;

  if (header->backing != NULL)
    {
      backing = stm_image_file_resolve (image->path, header->backing, error);
      if (backing == NULL)
        return FALSE;
    }
  *out_reading = (StmImageReading){ .capacity = header->capacity,
                                    .n_tags = header->n_snapshots,
                                    .backing = g_steal_pointer (&backing) };
  return TRUE;
}

gboolean
stm_image_read (int fd, const StmImage *image, const char *backing_format,
                StmImageReading *out_reading, GError **error)
{
  g_return_val_if_fail (fd >= 0 && image != NULL && out_reading != NULL, FALSE);

  if (strcmp (image->format, "qcow2") == 0)
    return read_qcow2 (fd, image, backing_format, out_reading, error);

  guint64 size = 0;

  if (!stm_image_file_get_size (fd, image->path, &size, error))
    return FALSE;
  *out_reading = (StmImageReading){ .capacity = size };

  return TRUE;
}

gboolean
stm_image_verify (int fd, const StmImage *image, const char *backing_format,
                  StmImageReading *out_reading, GError **error)
{
  g_auto (StmImageReading) reading = { 0 };

  if (!stm_image_read (fd, image, backing_format, &reading, error))
    return FALSE;
  if (g_strcmp0 (reading.backing, image->backing) != 0)
    return fail_differs (error, image->path, "backing", reading.backing, image->backing);

  *out_reading = reading;
  reading.backing = NULL;
  return TRUE;
}

static gboolean
check_backing (const StmQcow2Header *header, const char *path, const char *backing,
               const char *backing_format, GError **error)
{
  if (g_strcmp0 (header->backing, backing) != 0)
    return fail_differs (error, path, "backing", header->backing, backing);
  if (backing != NULL && g_strcmp0 (header->backing_format, backing_format) != 0)
    return fail_differs (error, path, "backing format", header->backing_format, backing_format);

  return TRUE;
}

gboolean
stm_image_verify_backing (int fd, const char *path, const char *backing, const char *backing_format,
                          GError **error)
{
  g_return_val_if_fail (fd >= 0 && path != NULL, FALSE);

  g_autoptr (StmQcow2Header) header = stm_qcow2_header_read (fd, path, error);

  return header != NULL && check_backing (header, path, backing, backing_format, error);
}

gboolean
stm_image_verify_written (int fd, const char *path, guint64 capacity, const char *backing,
                          const char *backing_format, GError **error)
{
  g_return_val_if_fail (fd >= 0 && path != NULL, FALSE);

  g_autoptr (StmQcow2Header) header = stm_qcow2_header_read (fd, path, error);

  if (header == NULL || !check_backing (header, path, backing, backing_format, error))
    return FALSE;
  if (header->capacity != capacity)
    {
      g_set_error (error, STEMMA_ERROR, STEMMA_ERROR_CHAIN_BROKEN,
                   "image %s: its header says %" G_GUINT64_FORMAT " bytes where %" G_GUINT64_FORMAT
                   " were expected",
                   path, header->capacity, capacity);
      return FALSE;
    }

  return TRUE;
}
