/* Reads the directory of bitmaps of a qcow2 image, beside its tags.
 *
 * Any thread that may wait for the disk. Both tables are hostile: each entry is checked where it is
 * read, and an image whose tables QEMU would refuse is refused here, with a type. Never writes.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "stm-qcow2-marks.h"

#include "stm-qcow2-cursor.h"
#include "stm-qcow2-tags.h"

/* Limits, as the format or QEMU has them. */
#define MIN_GRANULARITY_BITS 9
#define MAX_GRANULARITY_BITS 31
#define MAX_BITMAP_NAME_LENGTH 1023
#define MAX_BITMAP_TABLE_BYTES (G_GUINT64_CONSTANT (1) << 30)

#define BITMAP_BYTES 24
#define BITMAP_IN_USE (1u << 0)
#define BITMAP_AUTO (1u << 1)
#define BITMAP_COMPATIBLE (1u << 2) /* the extra data may be ignored; QEMU knows none */
#define BITMAP_KNOWN (BITMAP_IN_USE | BITMAP_AUTO | BITMAP_COMPATIBLE)
#define BITMAP_TYPE_DIRTY 1

typedef struct
{
  StmQcow2Cursor cursor;
  StmFacts *facts;
} Reader;

static gboolean
check_bitmap (Reader *self, const guint8 *raw, GError **error)
{
  guint64 table_offset = stm_qcow2_get64 (raw);
  guint64 table_length = stm_qcow2_get32 (raw + 8) * G_GUINT64_CONSTANT (8);

  if ((stm_qcow2_get32 (raw + 12) & ~BITMAP_KNOWN) != 0 || raw[16] != BITMAP_TYPE_DIRTY
      || stm_qcow2_get32 (raw + 20) != 0)
    return stm_qcow2_cursor_fail (&self->cursor, "an entry is of a kind that is not known", error);
  if (raw[17] < MIN_GRANULARITY_BITS || raw[17] > MAX_GRANULARITY_BITS)
    return stm_qcow2_cursor_fail (&self->cursor, "the granularity of an entry is out of range",
                                  error);
  if (stm_qcow2_get16 (raw + 18) == 0 || stm_qcow2_get16 (raw + 18) > MAX_BITMAP_NAME_LENGTH)
    return stm_qcow2_cursor_fail (&self->cursor, "the name of an entry is empty or too long",
                                  error);
  if (table_offset == 0 || table_length == 0 || table_length > MAX_BITMAP_TABLE_BYTES
      || !stm_qcow2_cursor_lies_in_file (&self->cursor, table_offset, table_length))
    return stm_qcow2_cursor_fail (
        &self->cursor, "the table of an entry is not in the file, which may be cut off", error);

  return TRUE;
}

static gboolean
take_bitmap (Reader *self, GHashTable *names, GError **error)
{
  guint8 raw[BITMAP_BYTES];

  if (!stm_qcow2_cursor_take (&self->cursor, raw, sizeof raw, error)
      || !check_bitmap (self, raw, error))
    return FALSE;

  g_autofree char *name = stm_qcow2_cursor_take_text (&self->cursor, stm_qcow2_get16 (raw + 18),
                                                      error);

  if (name == NULL)
    return FALSE;
  stm_qcow2_cursor_align (&self->cursor);

  guint32 flags = stm_qcow2_get32 (raw + 12);

  stm_facts_add_bitmap (self->facts, &(StmBitmapFacts){ .name = name,
                                                        .granularity = 1u << raw[17],
                                                        .is_recording = (flags & BITMAP_AUTO) != 0,
                                                        .is_broken = (flags & BITMAP_IN_USE) != 0
                                                                     && !self->facts->is_written });
  if (!g_hash_table_add (names, g_steal_pointer (&name)))
    return stm_qcow2_cursor_fail (&self->cursor, "two entries have one name", error);

  return TRUE;
}

static gboolean
read_bitmaps (Reader *self, GError **error)
{
  const StmQcow2Header *header = self->cursor.header;
  g_autoptr (GHashTable) names = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);

  if (header->n_bitmaps == 0)
    return TRUE;
  if (!stm_qcow2_cursor_begin_sized (&self->cursor, "directory of bitmaps", header->bitmaps_offset,
                                     header->bitmaps_length, error))
    return FALSE;
  for (guint i = 0; i < header->n_bitmaps; i++)
    if (!stm_qcow2_cursor_check_cancelled (&self->cursor, error)
        || !take_bitmap (self, names, error))
      return FALSE;
  if (self->cursor.position != self->cursor.end)
    return stm_qcow2_cursor_fail (&self->cursor, "it is longer than its entries", error);

  return TRUE;
}

gboolean
stm_qcow2_marks_read (int fd, const StmQcow2Header *header, StmFacts *facts,
                      GCancellable *cancellable, GError **error)
{
  g_return_val_if_fail (fd >= 0 && header != NULL && facts != NULL, FALSE);

  Reader reader = { .facts = facts };

  stm_qcow2_cursor_init (&reader.cursor, fd, header, facts->path, cancellable);
  return stm_qcow2_tags_read (fd, header, facts, cancellable, error)
         && read_bitmaps (&reader, error);
}
