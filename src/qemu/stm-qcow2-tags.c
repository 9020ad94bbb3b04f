/* Reads the table of internal snapshots of a qcow2 image, and compares their content.
 *
 * Any thread that may wait for the disk. The table is hostile: each entry is checked where it is
 * read. Never writes.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "stm-qcow2-tags.h"

#include "stm-image-file.h"
#include "stm-qcow2-cursor.h"

#include "stemma-error.h"

#include <string.h>

/* Limits, as the format or QEMU has them where nothing else is said. */
#define MAX_L1_BYTES (G_GUINT64_CONSTANT (32) << 20)
#define MAX_TAG_EXTRA 1024
#define MAX_TAG_ID_LENGTH 127
#define MAX_TAG_NAME_LENGTH 255
/* Of tables that are compared, for all tags of an image. What is beyond is not proven: ours. */
#define MAX_COMPARED_BYTES (G_GUINT64_CONSTANT (512) << 20)
/* Entries of the first level that are compared at a time. */
#define L1_CHUNK 4096

#define L1_OFFSET G_GUINT64_CONSTANT (0x00fffffffffffe00)

#define TAG_BYTES 40
#define TAG_EXTRA_STATE_BYTES 8     /* extra data of this length has the size of the state … */
#define TAG_EXTRA_CAPACITY_BYTES 16 /* … of this length, that of the disk too */

typedef struct
{
  StmQcow2Cursor cursor;
  StmFacts *facts;
  guint64 compared_left;
} Reader;

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
    return stm_qcow2_cursor_fail (&self->cursor, "the extra data of an entry is too long", error);
  if (!stm_qcow2_cursor_take (&self->cursor, extra, known, error)
      || !stm_qcow2_cursor_skip (&self->cursor, length - known, error))
    return FALSE;
  if (length >= TAG_EXTRA_STATE_BYTES)
    tag->facts.vm_state_bytes = stm_qcow2_get64 (extra);
  tag->facts.capacity = length >= TAG_EXTRA_CAPACITY_BYTES ? stm_qcow2_get64 (extra + 8)
                                                           : self->cursor.header->capacity;

  return TRUE;
}

static gboolean
take_names (Reader *self, Tag *tag, gsize id_length, gsize name_length, GError **error)
{
  if (id_length > MAX_TAG_ID_LENGTH || name_length > MAX_TAG_NAME_LENGTH)
    return stm_qcow2_cursor_fail (&self->cursor, "a name in it is too long", error);
  tag->id = stm_qcow2_cursor_take_text (&self->cursor, id_length, error);
  if (tag->id == NULL)
    return FALSE;
  tag->name = stm_qcow2_cursor_take_text (&self->cursor, name_length, error);
  tag->facts.id = tag->id;
  tag->facts.name = tag->name;

  return tag->name != NULL;
}

static gboolean
check_tag (Reader *self, const Tag *tag, GError **error)
{
  guint64 length = tag->l1_entries * G_GUINT64_CONSTANT (8);

  if (length > MAX_L1_BYTES)
    return stm_qcow2_cursor_fail (&self->cursor, "the table of an entry is too large", error);
  if (length > 0
      && (tag->l1_offset == 0
          || !stm_qcow2_cursor_lies_in_file (&self->cursor, tag->l1_offset, length)))
    return stm_qcow2_cursor_fail (
        &self->cursor, "the table of an entry is not in the file, which may be cut off", error);
  if (tag->facts.capacity > STM_MAX_CAPACITY)
    return stm_qcow2_cursor_fail (&self->cursor, "the disk of an entry is too large", error);

  return TRUE;
}

static gboolean
take_tag (Reader *self, Tag *tag, GError **error)
{
  guint8 raw[TAG_BYTES];

  if (!stm_qcow2_cursor_take (&self->cursor, raw, sizeof raw, error))
    return FALSE;
  tag->l1_offset = stm_qcow2_get64 (raw);
  tag->l1_entries = stm_qcow2_get32 (raw + 8);
  tag->facts.created = stm_qcow2_get32 (raw + 16);
  tag->facts.vm_state_bytes = stm_qcow2_get32 (raw + 32);
  if (!take_extra (self, tag, stm_qcow2_get32 (raw + 36), error)
      || !take_names (self, tag, stm_qcow2_get16 (raw + 12), stm_qcow2_get16 (raw + 14), error))
    return FALSE;
  stm_qcow2_cursor_align (&self->cursor);

  return check_tag (self, tag, error);
}

static gboolean
read_l1 (Reader *self, guint64 offset, guint64 *entries, gsize n_entries, GError **error)
{
  return stm_image_file_read_at (self->cursor.fd, self->cursor.path, entries,
                                 n_entries * sizeof *entries, offset, error);
}

static gboolean
is_from (guint64 active, guint64 tagged)
{
  return ((active ^ tagged) & GUINT64_TO_BE (L1_OFFSET)) == 0;
}

static gboolean
chunks_match (const guint64 *one, const guint64 *other, gsize n_entries)
{
  for (gsize i = 0; i < n_entries; i++)
    if (!is_from (one[i], other[i]))
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

      if (!stm_qcow2_cursor_check_cancelled (&self->cursor, error)
          || !read_l1 (self, self->cursor.header->l1_offset + i * 8, active, n, error)
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
  guint64 n_entries = stm_qcow2_header_count_l1 (self->cursor.header);

  if (self->facts->is_written || tag->facts.capacity != self->cursor.header->capacity
      || tag->l1_entries < n_entries)
    return TRUE;

  return tables_match (self, tag, n_entries, &tag->facts.is_present, error);
}

static void
begin_tags (Reader *self)
{
  stm_qcow2_cursor_begin (&self->cursor, "table of internal snapshots",
                          self->cursor.header->snapshots_offset);
}

static gboolean
read_tags (Reader *self, GError **error)
{
  if (self->cursor.header->n_snapshots == 0)
    return TRUE;
  begin_tags (self);
  for (guint i = 0; i < self->cursor.header->n_snapshots; i++)
    {
      g_auto (Tag) tag = { 0 };

      if (!stm_qcow2_cursor_check_cancelled (&self->cursor, error) || !take_tag (self, &tag, error)
          || !prove_present (self, &tag, error))
        return FALSE;
      stm_facts_add_tag (self->facts, &tag.facts);
    }

  return TRUE;
}

/* The one of this id; one that is not there is all zeros. */
static gboolean
find_tag (Reader *self, const char *id, Tag *out_tag, GError **error)
{
  begin_tags (self);
  for (guint i = 0; i < self->cursor.header->n_snapshots; i++)
    {
      g_auto (Tag) tag = { 0 };

      if (!take_tag (self, &tag, error))
        return FALSE;
      if (strcmp (tag.id, id) != 0)
        continue;
      *out_tag = tag;
      tag = (Tag){ 0 };
      return TRUE;
    }

  return TRUE;
}

static gboolean
is_comparable (const Reader *self, const Tag *tag)
{
  return tag->id != NULL && tag->facts.capacity == self->cursor.header->capacity
         && tag->l1_entries >= stm_qcow2_header_count_l1 (self->cursor.header);
}

/* An entry is written whole, whatever ends the writing of its table. */
static gboolean
lies_between (Reader *self, const Tag *one, const Tag *other, gboolean *out_is_between,
              GError **error)
{
  g_autofree guint64 *tables = g_new (guint64, 3 * L1_CHUNK);
  guint64 n_entries = stm_qcow2_header_count_l1 (self->cursor.header);
  gboolean is_between = TRUE;

  for (guint64 i = 0; i < n_entries && is_between; i += L1_CHUNK)
    {
      gsize n = MIN (L1_CHUNK, n_entries - i);

      if (!read_l1 (self, self->cursor.header->l1_offset + i * 8, tables, n, error)
          || !read_l1 (self, one->l1_offset + i * 8, tables + L1_CHUNK, n, error)
          || !read_l1 (self, other->l1_offset + i * 8, tables + 2 * L1_CHUNK, n, error))
        return FALSE;
      for (gsize k = 0; k < n && is_between; k++)
        is_between = is_from (tables[k], tables[L1_CHUNK + k])
                     || is_from (tables[k], tables[2 * L1_CHUNK + k]);
    }

  *out_is_between = is_between;
  return TRUE;
}

gboolean
stm_qcow2_tags_read (int fd, const StmQcow2Header *header, StmFacts *facts,
                     GCancellable *cancellable, GError **error)
{
  g_return_val_if_fail (fd >= 0 && header != NULL && facts != NULL, FALSE);

  Reader reader = { .facts = facts, .compared_left = MAX_COMPARED_BYTES };

  stm_qcow2_cursor_init (&reader.cursor, fd, header, facts->path, cancellable);
  return read_tags (&reader, error);
}

gboolean
stm_qcow2_tags_is_between (int fd, const StmQcow2Header *header, const char *path, const char *one,
                           const char *other, gboolean *out_is_between, GError **error)
{
  g_return_val_if_fail (fd >= 0 && header != NULL && path != NULL, FALSE);
  g_return_val_if_fail (one != NULL && out_is_between != NULL, FALSE);

  Reader reader = { .facts = NULL };
  g_auto (Tag) first = { 0 };
  g_auto (Tag) second = { 0 };

  stm_qcow2_cursor_init (&reader.cursor, fd, header, path, /* cancellable= */ NULL);
  if (!find_tag (&reader, one, &first, error)
      || (other != NULL && !find_tag (&reader, other, &second, error)))
    return FALSE;
  if (!is_comparable (&reader, &first))
    {
      *out_is_between = FALSE;
      return TRUE;
    }

  return lies_between (&reader, &first, is_comparable (&reader, &second) ? &second : &first,
                       out_is_between, error);
}
