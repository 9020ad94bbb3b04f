/* Reads the table of internal snapshots and the directory of bitmaps of a qcow2 image.
 *
 * Any thread that may wait for the disk. Both tables are hostile: each entry is checked where it is
 * read, and an image whose tables QEMU would refuse is refused here, with a type. Never writes.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "stm-qcow2-marks.h"

#include "stm-image-file.h"

#include "stemma-error.h"

#include <string.h>

/* Limits, as the format or QEMU has them where nothing else is said. */
#define MAX_TABLE_BYTES (G_GUINT64_CONSTANT (8) << 20) /* ours; a thousand entries take 100 kB */
#define MAX_L1_BYTES (G_GUINT64_CONSTANT (32) << 20)
#define MAX_TAG_EXTRA 1024
#define MAX_TAG_ID_LENGTH 127
#define MAX_TAG_NAME_LENGTH 255
#define MIN_GRANULARITY_BITS 9
#define MAX_GRANULARITY_BITS 31
#define MAX_BITMAP_NAME_LENGTH 1023
#define MAX_BITMAP_TABLE_BYTES (G_GUINT64_CONSTANT (1) << 30)
/* Of tables that are compared, for all tags of an image. What is beyond is not proven: ours. */
#define MAX_COMPARED_BYTES (G_GUINT64_CONSTANT (512) << 20)
/* Entries of the first level that are compared at a time. */
#define L1_CHUNK 4096

#define L1_OFFSET G_GUINT64_CONSTANT (0x00fffffffffffe00)

#define TAG_BYTES 40
#define TAG_EXTRA_STATE_BYTES 8     /* extra data of this length has the size of the state … */
#define TAG_EXTRA_CAPACITY_BYTES 16 /* … of this length, that of the disk too */

#define BITMAP_BYTES 24
#define BITMAP_IN_USE (1u << 0)
#define BITMAP_AUTO (1u << 1)
#define BITMAP_COMPATIBLE (1u << 2) /* the extra data may be ignored; QEMU knows none */
#define BITMAP_KNOWN (BITMAP_IN_USE | BITMAP_AUTO | BITMAP_COMPATIBLE)
#define BITMAP_TYPE_DIRTY 1

typedef struct
{
  int fd;
  const StmQcow2Header *header;
  StmFacts *facts;
  GCancellable *cancellable;
  const char *table; /* for messages */
  guint64 file_size;
  guint64 position;   /* in the table, from the beginning of the file */
  guint64 end;        /* what the table cannot go beyond */
  gboolean is_capped; /* that is our limit, not where the file or the table ends */
  guint64 compared_left;
} Reader;

static guint16
get16 (const guint8 *bytes)
{
  return (guint16) (bytes[0] << 8 | bytes[1]);
}

static guint32
get32 (const guint8 *bytes)
{
  guint32 value;

  memcpy (&value, bytes, sizeof value);
  return GUINT32_FROM_BE (value);
}

static guint64
get64 (const guint8 *bytes)
{
  guint64 value;

  memcpy (&value, bytes, sizeof value);
  return GUINT64_FROM_BE (value);
}

static gboolean
fail (const Reader *self, const char *what, GError **error)
{
  g_set_error (error, STEMMA_ERROR, STEMMA_ERROR_CHAIN_BROKEN,
               "image %s: its %s is not sound: %s; look at it with qemu-img check, or restore it "
               "from a copy",
               self->facts->path, self->table, what);
  return FALSE;
}

static gboolean
fail_too_large (const Reader *self, GError **error)
{
  g_set_error (error, STEMMA_ERROR, STEMMA_ERROR_TOO_LARGE,
               "image %s: its %s is over the limit of %" G_GUINT64_FORMAT " bytes; delete what is "
               "not needed",
               self->facts->path, self->table, MAX_TABLE_BYTES);
  return FALSE;
}

static gboolean
check_cancelled (const Reader *self, GError **error)
{
  if (!g_cancellable_is_cancelled (self->cancellable))
    return TRUE;
  g_set_error (error, STEMMA_ERROR, STEMMA_ERROR_CANCELLED,
               "reading the %s of image %s: the operation was cancelled", self->table,
               self->facts->path);
  return FALSE;
}

/* A program that writes to the image makes it grow while it is read. */
static gboolean
lies_in_file (Reader *self, guint64 offset, guint64 length)
{
  guint64 cluster_size = G_GUINT64_CONSTANT (1) << self->header->cluster_bits;

  if (offset > self->file_size || length > self->file_size - offset)
    (void) stm_image_file_get_length (self->fd, self->facts->path, &self->file_size, NULL);

  return offset % cluster_size == 0 && offset <= self->file_size
         && length <= self->file_size - offset;
}

/* --- the table that is read ------------------------------------------------------------------- */

static gboolean
skip (Reader *self, guint64 length, GError **error)
{
  if (length > self->end - self->position)
    return self->is_capped ? fail_too_large (self, error)
                           : fail (self, "it ends before its last entry", error);
  self->position += length;

  return TRUE;
}

static gboolean
take (Reader *self, gpointer buffer, gsize length, GError **error)
{
  guint64 position = self->position;

  return skip (self, length, error)
         && stm_image_file_read_at (self->fd, self->facts->path, buffer, length, position, error);
}

static char *
take_text (Reader *self, gsize length, GError **error)
{
  g_autofree char *text = g_malloc0 (length + 1);

  if (!take (self, text, length, error))
    return NULL;
  /* One reader would stop at the NUL, another would not; and the bus carries only this text. */
  if (strlen (text) != length || !g_utf8_validate (text, (gssize) length, NULL))
    {
      fail (self, "a name in it is not valid text", error);
      return NULL;
    }

  return g_steal_pointer (&text);
}

/* Entries begin at multiples of eight bytes. The table begins at one, and the last entry need not
 * be filled up to one. */
static void
align (Reader *self)
{
  self->position = MIN ((self->position + 7) & ~G_GUINT64_CONSTANT (7), self->end);
}

/* --- internal snapshots ----------------------------------------------------------------------- */

typedef struct
{
  guint64 l1_offset;
  guint32 l1_entries;
  char *id;
  char *name;
  StmTagFacts facts; /* borrows these two */
} Tag;

static void
tag_clear (Tag *self)
{
  g_clear_pointer (&self->id, g_free);
  g_clear_pointer (&self->name, g_free);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Tag, tag_clear)

static gboolean
take_extra (Reader *self, Tag *tag, guint32 length, GError **error)
{
  guint8 extra[TAG_EXTRA_CAPACITY_BYTES] = { 0 };
  gsize known = MIN (length, sizeof extra);

  if (length > MAX_TAG_EXTRA)
    return fail (self, "the extra data of an entry is too long", error);
  if (!take (self, extra, known, error) || !skip (self, length - known, error))
    return FALSE;
  if (length >= TAG_EXTRA_STATE_BYTES)
    tag->facts.vm_state_bytes = get64 (extra);
  tag->facts.capacity = length >= TAG_EXTRA_CAPACITY_BYTES ? get64 (extra + 8)
                                                           : self->header->capacity;

  return TRUE;
}

static gboolean
take_names (Reader *self, Tag *tag, gsize id_length, gsize name_length, GError **error)
{
  if (id_length > MAX_TAG_ID_LENGTH || name_length > MAX_TAG_NAME_LENGTH)
    return fail (self, "a name in it is too long", error);
  tag->id = take_text (self, id_length, error);
  if (tag->id == NULL)
    return FALSE;
  tag->name = take_text (self, name_length, error);
  tag->facts.id = tag->id;
  tag->facts.name = tag->name;

  return tag->name != NULL;
}

static gboolean
check_tag (Reader *self, const Tag *tag, GError **error)
{
  guint64 length = tag->l1_entries * G_GUINT64_CONSTANT (8);

  if (length > MAX_L1_BYTES)
    return fail (self, "the table of an entry is too large", error);
  if (length > 0 && (tag->l1_offset == 0 || !lies_in_file (self, tag->l1_offset, length)))
    return fail (self, "the table of an entry is not in the file, which may be cut off", error);
  if (tag->facts.capacity > STM_MAX_CAPACITY)
    return fail (self, "the disk of an entry is too large", error);

  return TRUE;
}

static gboolean
take_tag (Reader *self, Tag *tag, GError **error)
{
  guint8 raw[TAG_BYTES];

  if (!take (self, raw, sizeof raw, error))
    return FALSE;
  tag->l1_offset = get64 (raw);
  tag->l1_entries = get32 (raw + 8);
  tag->facts.created = get32 (raw + 16);
  tag->facts.vm_state_bytes = get32 (raw + 32);
  if (!take_extra (self, tag, get32 (raw + 36), error)
      || !take_names (self, tag, get16 (raw + 12), get16 (raw + 14), error))
    return FALSE;
  align (self);

  return check_tag (self, tag, error);
}

static gboolean
read_l1 (Reader *self, guint64 offset, guint64 *entries, gsize n_entries, GError **error)
{
  return stm_image_file_read_at (self->fd, self->facts->path, entries, n_entries * sizeof *entries,
                                 offset, error);
}

static gboolean
chunks_match (const guint64 *one, const guint64 *other, gsize n_entries)
{
  for (gsize i = 0; i < n_entries; i++)
    if (((one[i] ^ other[i]) & GUINT64_TO_BE (L1_OFFSET)) != 0)
      return FALSE;

  return TRUE;
}

/* Entries that lead to the same tables of the second level show the same disk: those are never
 * changed while they have two owners, and one that is written gets a copy of its own. What lies
 * after the end of the disk is the state of a machine. */
static gboolean
tables_match (Reader *self, const Tag *tag, guint64 n_entries, gboolean *out_match, GError **error)
{
  g_autofree guint64 *active = g_new (guint64, L1_CHUNK);
  g_autofree guint64 *tagged = g_new (guint64, L1_CHUNK);
  gboolean match = TRUE;

  for (guint64 i = 0; i < n_entries && match; i += L1_CHUNK)
    {
      gsize n = MIN (L1_CHUNK, n_entries - i);

      if (!check_cancelled (self, error)
          || !read_l1 (self, self->header->l1_offset + i * 8, active, n, error)
          || !read_l1 (self, tag->l1_offset + i * 8, tagged, n, error))
        return FALSE;
      self->compared_left -= MIN (self->compared_left, 2 * n * sizeof *active);
      match = self->compared_left > 0 && chunks_match (active, tagged, n);
    }

  *out_match = match;
  return TRUE;
}

static gboolean
prove_present (Reader *self, Tag *tag, GError **error)
{
  guint64 n_entries = stm_qcow2_header_count_l1 (self->header);

  if (self->facts->is_written || tag->facts.capacity != self->header->capacity
      || tag->l1_entries < n_entries)
    return TRUE;

  return tables_match (self, tag, n_entries, &tag->facts.is_present, error);
}

static gboolean
read_tags (Reader *self, GError **error)
{
  if (self->header->n_snapshots == 0)
    return TRUE;

  guint64 length = self->file_size - self->header->snapshots_offset;

  self->table = "table of internal snapshots";
  self->is_capped = length > MAX_TABLE_BYTES;
  self->position = self->header->snapshots_offset;
  self->end = self->position + MIN (length, MAX_TABLE_BYTES);
  for (guint i = 0; i < self->header->n_snapshots; i++)
    {
      g_auto (Tag) tag = { 0 };

      if (!check_cancelled (self, error) || !take_tag (self, &tag, error)
          || !prove_present (self, &tag, error))
        return FALSE;
      stm_facts_add_tag (self->facts, &tag.facts);
    }

  return TRUE;
}

/* --- bitmaps ---------------------------------------------------------------------------------- */

static gboolean
check_bitmap (Reader *self, const guint8 *raw, GError **error)
{
  guint64 table_offset = get64 (raw);
  guint64 table_length = get32 (raw + 8) * G_GUINT64_CONSTANT (8);

  if ((get32 (raw + 12) & ~BITMAP_KNOWN) != 0 || raw[16] != BITMAP_TYPE_DIRTY
      || get32 (raw + 20) != 0)
    return fail (self, "an entry is of a kind that is not known", error);
  if (raw[17] < MIN_GRANULARITY_BITS || raw[17] > MAX_GRANULARITY_BITS)
    return fail (self, "the granularity of an entry is out of range", error);
  if (get16 (raw + 18) == 0 || get16 (raw + 18) > MAX_BITMAP_NAME_LENGTH)
    return fail (self, "the name of an entry is empty or too long", error);
  if (table_offset == 0 || table_length == 0 || table_length > MAX_BITMAP_TABLE_BYTES
      || !lies_in_file (self, table_offset, table_length))
    return fail (self, "the table of an entry is not in the file, which may be cut off", error);

  return TRUE;
}

static gboolean
take_bitmap (Reader *self, GHashTable *names, GError **error)
{
  guint8 raw[BITMAP_BYTES];

  if (!take (self, raw, sizeof raw, error) || !check_bitmap (self, raw, error))
    return FALSE;

  g_autofree char *name = take_text (self, get16 (raw + 18), error);

  if (name == NULL)
    return FALSE;
  align (self);

  guint32 flags = get32 (raw + 12);

  stm_facts_add_bitmap (self->facts, &(StmBitmapFacts){ .name = name,
                                                        .granularity = 1u << raw[17],
                                                        .is_recording = (flags & BITMAP_AUTO) != 0,
                                                        .is_broken = (flags & BITMAP_IN_USE) != 0
                                                                     && !self->facts->is_written });
  if (!g_hash_table_add (names, g_steal_pointer (&name)))
    return fail (self, "two entries have one name", error);

  return TRUE;
}

static gboolean
read_bitmaps (Reader *self, GError **error)
{
  const StmQcow2Header *header = self->header;
  g_autoptr (GHashTable) names = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);

  if (header->n_bitmaps == 0)
    return TRUE;
  self->table = "directory of bitmaps";
  self->is_capped = FALSE;
  if (header->bitmaps_length > MAX_TABLE_BYTES)
    return fail_too_large (self, error);
  if (header->bitmaps_offset == 0
      || !lies_in_file (self, header->bitmaps_offset, header->bitmaps_length))
    return fail (self, "it is not in the file, which may be cut off", error);

  self->position = header->bitmaps_offset;
  self->end = header->bitmaps_offset + header->bitmaps_length;
  for (guint i = 0; i < header->n_bitmaps; i++)
    if (!check_cancelled (self, error) || !take_bitmap (self, names, error))
      return FALSE;
  if (self->position != self->end)
    return fail (self, "it is longer than its entries", error);

  return TRUE;
}

gboolean
stm_qcow2_marks_read (int fd, const StmQcow2Header *header, StmFacts *facts,
                      GCancellable *cancellable, GError **error)
{
  g_return_val_if_fail (fd >= 0 && header != NULL && facts != NULL, FALSE);

  Reader reader = { .fd = fd,
                    .header = header,
                    .facts = facts,
                    .cancellable = cancellable,
                    .file_size = header->file_size,
                    .compared_left = MAX_COMPARED_BYTES };

  return read_tags (&reader, error) && read_bitmaps (&reader, error);
}
