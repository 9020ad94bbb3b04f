/* Reads tables that anybody may have written.
 *
 * Any thread that may wait for the disk. Never goes beyond the table, the file or the limit; never
 * writes.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "stm-qcow2-cursor.h"

#include "stm-image-file.h"

#include "stemma-error.h"

#include <string.h>

#define MAX_TABLE_BYTES (G_GUINT64_CONSTANT (8) << 20) /* ours; a thousand entries take 100 kB */

guint16
stm_qcow2_get16 (const guint8 *bytes)
{
  return (guint16) (bytes[0] << 8 | bytes[1]);
}

guint32
stm_qcow2_get32 (const guint8 *bytes)
{
  guint32 value;

  memcpy (&value, bytes, sizeof value);
  return GUINT32_FROM_BE (value);
}

guint64
stm_qcow2_get64 (const guint8 *bytes)
{
  guint64 value;

  memcpy (&value, bytes, sizeof value);
  return GUINT64_FROM_BE (value);
}

gboolean
stm_qcow2_cursor_fail (const StmQcow2Cursor *self, const char *what, GError **error)
{
  g_set_error (error, STEMMA_ERROR, STEMMA_ERROR_CHAIN_BROKEN,
               "image %s: its %s is not sound: %s; look at it with qemu-img check, or restore it "
               "from a copy",
               self->path, self->table, what);
  return FALSE;
}

static gboolean
fail_too_large (const StmQcow2Cursor *self, GError **error)
{
  g_set_error (error, STEMMA_ERROR, STEMMA_ERROR_TOO_LARGE,
               "image %s: its %s is over the limit of %" G_GUINT64_FORMAT " bytes; delete what is "
               "not needed",
               self->path, self->table, MAX_TABLE_BYTES);
  return FALSE;
}

gboolean
stm_qcow2_cursor_check_cancelled (const StmQcow2Cursor *self, GError **error)
{
  if (!g_cancellable_is_cancelled (self->cancellable))
    return TRUE;
  g_set_error (error, STEMMA_ERROR, STEMMA_ERROR_CANCELLED,
               "reading the %s of image %s: the operation was cancelled", self->table, self->path);
  return FALSE;
}

/* A program that writes to the image makes it grow while it is read. */
gboolean
stm_qcow2_cursor_lies_in_file (StmQcow2Cursor *self, guint64 offset, guint64 length)
{
  guint64 cluster_size = G_GUINT64_CONSTANT (1) << self->header->cluster_bits;

  if (offset > self->file_size || length > self->file_size - offset)
    (void) stm_image_file_get_length (self->fd, self->path, &self->file_size, NULL);

  return offset % cluster_size == 0 && offset <= self->file_size
         && length <= self->file_size - offset;
}

gboolean
stm_qcow2_cursor_skip (StmQcow2Cursor *self, guint64 length, GError **error)
{
  if (length > self->end - self->position)
    return self->is_capped ? fail_too_large (self, error)
                           : stm_qcow2_cursor_fail (self, "it ends before its last entry", error);
  self->position += length;

  return TRUE;
}

gboolean
stm_qcow2_cursor_take (StmQcow2Cursor *self, gpointer buffer, gsize length, GError **error)
{
  guint64 position = self->position;

  return stm_qcow2_cursor_skip (self, length, error)
         && stm_image_file_read_at (self->fd, self->path, buffer, length, position, error);
}

char *
stm_qcow2_cursor_take_text (StmQcow2Cursor *self, gsize length, GError **error)
{
  g_autofree char *text = g_malloc0 (length + 1);

  if (!stm_qcow2_cursor_take (self, text, length, error))
    return NULL;
  /* One reader would stop at the NUL, another would not; and the bus carries only this text. */
  if (strlen (text) != length || !g_utf8_validate (text, (gssize) length, NULL))
    {
      stm_qcow2_cursor_fail (self, "a name in it is not valid text", error);
      return NULL;
    }

  return g_steal_pointer (&text);
}

/* Entries begin at multiples of eight bytes. The table begins at one, and the last entry need not
 * be filled up to one. */
void
stm_qcow2_cursor_align (StmQcow2Cursor *self)
{
  self->position = MIN ((self->position + 7) & ~G_GUINT64_CONSTANT (7), self->end);
}

void
stm_qcow2_cursor_init (StmQcow2Cursor *self, int fd, const StmQcow2Header *header, const char *path,
                       GCancellable *cancellable)
{
  *self = (StmQcow2Cursor){ .fd = fd,
                            .header = header,
                            .path = path,
                            .cancellable = cancellable,
                            .file_size = header->file_size };
}

void
stm_qcow2_cursor_begin (StmQcow2Cursor *self, const char *table, guint64 offset)
{
  guint64 length = self->file_size - MIN (offset, self->file_size);

  self->table = table;
  self->position = offset;
  self->is_capped = length > MAX_TABLE_BYTES;
  self->end = offset + MIN (length, MAX_TABLE_BYTES);
}

gboolean
stm_qcow2_cursor_begin_sized (StmQcow2Cursor *self, const char *table, guint64 offset,
                              guint64 length, GError **error)
{
  self->table = table;
  self->is_capped = FALSE;
  if (length > MAX_TABLE_BYTES)
    return fail_too_large (self, error);
  if (offset == 0 || !stm_qcow2_cursor_lies_in_file (self, offset, length))
    return stm_qcow2_cursor_fail (self, "it is not in the file, which may be cut off", error);
  self->position = offset;
  self->end = offset + length;

  return TRUE;
}
