/* Reads the bitmaps of one image by our own parser, and judges them.
 *
 * Called on workers by what changes bitmaps. What QEMU says of a bitmap is what it has in memory;
 * what counts is the file. Never writes.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "stm-image-bitmaps.h"

#include "stm-image-file.h"
#include "stm-qcow2-marks.h"

#include "stemma-error.h"

#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

/* QEMU's choice where clusters are no larger. */
#define USUAL_GRANULARITY (64 * 1024)
/* For the directory, its old and its new one, and for reference counts: ours. */
#define SPARE_BYTES (G_GUINT64_CONSTANT (1) << 20)

void
stm_image_bitmaps_clear (StmImageBitmaps *self)
{
  g_clear_pointer (&self->facts, stm_facts_free);
}

gboolean
stm_image_bitmaps_read (int fd, const StmImage *image, StmImageBitmaps *out_bitmaps, GError **error)
{
  g_return_val_if_fail (fd >= 0 && image != NULL && out_bitmaps != NULL, FALSE);

  g_autoptr (StmFacts) facts = stm_facts_new (image->path);
  guint version = 0;

  if (strcmp (image->format, "qcow2") == 0)
    {
      g_autoptr (StmQcow2Header) header = stm_qcow2_header_read (fd, image->path, error);

      if (header == NULL || !stm_qcow2_marks_read (fd, header, facts, NULL, error))
        return FALSE;
      facts->capacity = header->capacity;
      version = header->version;
    }
  *out_bitmaps = (StmImageBitmaps){ .facts = g_steal_pointer (&facts), .version = version };

  return TRUE;
}

const StmBitmapFacts *
stm_image_bitmaps_find (const StmImageBitmaps *self, const char *name)
{
  return stm_facts_find_bitmap (self->facts, name);
}

gboolean
stm_image_bitmaps_is_in_order (const StmImageBitmaps *self, const char *name)
{
  const StmBitmapFacts *bitmap = stm_image_bitmaps_find (self, name);

  return bitmap != NULL && !bitmap->is_broken;
}

gboolean
stm_image_bitmaps_check_format (const StmImageBitmaps *self, GError **error)
{
  if (self->version >= 3)
    return TRUE;

  g_set_error (error, STEMMA_ERROR, STEMMA_ERROR_NOT_SUPPORTED,
               "image %s cannot hold dirty bitmaps: %s", self->facts->path,
               self->version == 0
                   ? "it is raw; make a snapshot, and its overlay can"
                   : "it is of version 2 of the qcow2 format; raise it with qemu-img amend -o "
                     "compat=1.1");
  return FALSE;
}

static guint64
size_of_bitmap (guint64 capacity, guint granularity)
{
  return capacity / granularity / 8 + 1;
}

/* What a file system keeps for root is not counted on: QEMU is not root. */
static gboolean
read_free_bytes (int fd, guint64 *out_bytes)
{
  struct stat found;
  struct statvfs system;

  if (fstat (fd, &found) != 0 || !S_ISREG (found.st_mode) || fstatvfs (fd, &system) != 0)
    return FALSE;
  *out_bytes = (guint64) system.f_bavail * system.f_frsize;
  return TRUE;
}

gboolean
stm_image_bitmaps_check_space (const StmImageBitmaps *self, int fd, guint n_more, GError **error)
{
  guint64 needed = SPARE_BYTES + n_more * size_of_bitmap (self->facts->capacity, USUAL_GRANULARITY);
  guint64 is_free = 0;

  for (guint i = 0; i < self->facts->bitmaps->len; i++)
    {
      const StmBitmapFacts *bitmap = g_ptr_array_index (self->facts->bitmaps, i);

      needed += size_of_bitmap (self->facts->capacity, bitmap->granularity);
    }
  /* Of a device it is not known. */
  if (!read_free_bytes (fd, &is_free) || is_free >= needed)
    return TRUE;

  g_set_error (error, STEMMA_ERROR, STEMMA_ERROR_NO_SPACE,
               "writing the bitmaps of image %s takes up to %" G_GUINT64_FORMAT
               " bytes, and %" G_GUINT64_FORMAT " are free on its file system; free some first",
               self->facts->path, needed, is_free);
  return FALSE;
}

gboolean
stm_image_bitmaps_check (const StmImageBitmaps *self, const char *name, GError **error)
{
  const StmBitmapFacts *bitmap = stm_image_bitmaps_find (self, name);

  if (bitmap != NULL && !bitmap->is_broken)
    return TRUE;

  g_set_error (error, STEMMA_ERROR,
               bitmap == NULL ? STEMMA_ERROR_BITMAP_MISSING : STEMMA_ERROR_BITMAP_INCONSISTENT,
               "image %s: its bitmap %s is %s", self->facts->path, name,
               bitmap == NULL ? "not there" : "marked as in use, so what it recorded was lost");
  return FALSE;
}
