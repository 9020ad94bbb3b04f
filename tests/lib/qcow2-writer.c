/* Lays out small qcow2 images.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "qcow2-writer.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#define EXTENSION_BACKING_FORMAT 0xe2792acau
#define EXTENSION_BITMAPS 0x23852875u

static void
write_at (int fd, const void *bytes, gsize length, guint64 offset)
{
  g_assert_cmpint (pwrite (fd, bytes, length, (off_t) offset), ==, (gssize) length);
}

static void
write32 (int fd, guint64 offset, guint32 value)
{
  guint32 raw = GUINT32_TO_BE (value);

  write_at (fd, &raw, sizeof raw, offset);
}

static void
write64 (int fd, guint64 offset, guint64 value)
{
  guint64 raw = GUINT64_TO_BE (value);

  write_at (fd, &raw, sizeof raw, offset);
}

static guint64
write_extension (int fd, guint64 offset, guint32 kind, const void *bytes, guint32 length)
{
  write32 (fd, offset, kind);
  write32 (fd, offset + 4, length);
  write_at (fd, bytes, length, offset + 8);

  return offset + 8 + ((length + 7) & ~7u);
}

static void
write_fields (int fd, const TestQcow2 *init, guint version)
{
  guint64 capacity = init->capacity != 0 ? init->capacity : TEST_QCOW2_CAPACITY;
  guint64 covered = TEST_QCOW2_CLUSTER * (TEST_QCOW2_CLUSTER / 8);

  write_at (fd, "QFI\xfb", 4, 0);
  write32 (fd, TEST_QCOW2_VERSION, version);
  write32 (fd, TEST_QCOW2_BITS, TEST_QCOW2_CLUSTER_BITS);
  write64 (fd, TEST_QCOW2_SIZE, capacity);
  write32 (fd, TEST_QCOW2_L1_ENTRIES, (guint32) ((capacity + covered - 1) / covered));
  write64 (fd, TEST_QCOW2_L1_OFFSET, TEST_QCOW2_L1_CLUSTER * TEST_QCOW2_CLUSTER);
  write64 (fd, TEST_QCOW2_REFCOUNT_OFFSET, TEST_QCOW2_CLUSTER);
  write32 (fd, 56, 1);
  if (version == 3)
    {
      write64 (fd, TEST_QCOW2_INCOMPATIBLE, init->incompatible);
      write64 (fd, TEST_QCOW2_AUTOCLEAR, init->n_bitmaps > 0 ? 1 : 0);
      write32 (fd, TEST_QCOW2_REFCOUNT_ORDER, 4);
      write32 (fd, TEST_QCOW2_LENGTH, 104);
    }
}

static void
write_names (int fd, const TestQcow2 *init, guint version)
{
  guint64 offset = version == 2 ? 72 : 104;

  if (init->backing_format != NULL)
    offset = write_extension (fd, offset, EXTENSION_BACKING_FORMAT, init->backing_format,
                              (guint32) strlen (init->backing_format));
  if (init->n_bitmaps > 0)
    {
      guint32 raw[6] = { GUINT32_TO_BE (init->n_bitmaps) };

      offset = write_extension (fd, offset, EXTENSION_BITMAPS, raw, sizeof raw);
    }
  offset += 8; /* the end of the extensions */
  if (init->backing != NULL)
    {
      write64 (fd, TEST_QCOW2_BACKING_OFFSET, offset);
      write32 (fd, TEST_QCOW2_BACKING_LENGTH, (guint32) strlen (init->backing));
      write_at (fd, init->backing, strlen (init->backing), offset);
    }
}

void
test_qcow2_write (const char *path, const TestQcow2 *init)
{
  int fd = open (path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  guint version = init->version != 0 ? init->version : 3;

  g_assert_cmpint (fd, >=, 0);
  g_assert_cmpint (
      ftruncate (fd, (off_t) ((TEST_QCOW2_DATA_CLUSTER + init->n_data) * TEST_QCOW2_CLUSTER)), ==,
      0);
  write_fields (fd, init, version);
  write_names (fd, init, version);
  if (init->n_entries > 0)
    write64 (fd, TEST_QCOW2_L1_CLUSTER * TEST_QCOW2_CLUSTER,
             TEST_QCOW2_L2_CLUSTER * TEST_QCOW2_CLUSTER | (G_GUINT64_CONSTANT (1) << 63));
  for (gsize i = 0; i < init->n_entries; i++)
    write64 (fd, TEST_QCOW2_L2_CLUSTER * TEST_QCOW2_CLUSTER + i * 8, init->entries[i]);
  close (fd);
}

static int
open_for_patch (const char *path)
{
  int fd = open (path, O_RDWR | O_CLOEXEC);

  g_assert_cmpint (fd, >=, 0);
  return fd;
}

void
test_file_patch32 (const char *path, guint64 offset, guint32 value)
{
  int fd = open_for_patch (path);

  write32 (fd, offset, value);
  close (fd);
}

void
test_file_patch64 (const char *path, guint64 offset, guint64 value)
{
  int fd = open_for_patch (path);

  write64 (fd, offset, value);
  close (fd);
}

void
test_file_truncate (const char *path, guint64 length)
{
  g_assert_cmpint (truncate (path, (off_t) length), ==, 0);
}

static guint64
append_cluster_aligned (int fd, const GByteArray *table)
{
  guint64 length = (guint64) lseek (fd, 0, SEEK_END);
  guint64 offset = (length + TEST_QCOW2_CLUSTER - 1) & ~(TEST_QCOW2_CLUSTER - 1);

  write_at (fd, table->data, table->len, offset);
  return offset;
}

static void
add_bytes (GByteArray *table, guint64 value, guint n_bytes)
{
  guint64 raw = GUINT64_TO_BE (value);

  g_byte_array_append (table, (const guint8 *) &raw + 8 - n_bytes, n_bytes);
}

static void
add_text (GByteArray *table, const char *text)
{
  g_byte_array_append (table, (const guint8 *) text, (guint) strlen (text));
}

static void
fill (GByteArray *table, gsize n_bytes)
{
  for (gsize i = 0; i < n_bytes; i++)
    add_bytes (table, 0, 1);
}

static void
add_tag (GByteArray *table, const TestTag *tag, guint64 l1_offset, guint32 l1_entries)
{
  guint32 extra_length = tag->extra_length != 0 ? tag->extra_length : 24;
  gsize begin;

  add_bytes (table, tag->l1_offset != 0 ? tag->l1_offset : l1_offset, 8);
  add_bytes (table, tag->l1_entries != 0 ? tag->l1_entries : l1_entries, 4);
  add_bytes (table, strlen (tag->id), 2);
  add_bytes (table, strlen (tag->name), 2);
  add_bytes (table, 1700000000, 4);
  fill (table, 4 + 8);
  add_bytes (table, MIN (tag->vm_state_bytes, G_MAXUINT32), 4);
  add_bytes (table, extra_length, 4);
  begin = table->len;
  add_bytes (table, tag->vm_state_bytes, 8);
  add_bytes (table, tag->capacity != 0 ? tag->capacity : TEST_QCOW2_CAPACITY, 8);
  fill (table, MIN (extra_length, 4096));
  g_byte_array_set_size (table, (guint) (begin + MIN (extra_length, 4096)));
  add_text (table, tag->id);
  add_text (table, tag->name);
  fill (table, -table->len & 7);
}

guint64
test_qcow2_append_tags (const char *path, const TestTag *tags, gsize n_tags)
{
  int fd = open (path, O_RDWR | O_CLOEXEC);
  g_autoptr (GByteArray) table = g_byte_array_new ();
  guint64 offset;

  g_assert_cmpint (fd, >=, 0);
  for (gsize i = 0; i < n_tags; i++)
    add_tag (table, &tags[i], TEST_QCOW2_L1_CLUSTER * TEST_QCOW2_CLUSTER, 1);
  offset = append_cluster_aligned (fd, table);
  write32 (fd, TEST_QCOW2_SNAPSHOTS, (guint32) n_tags);
  write64 (fd, TEST_QCOW2_SNAPSHOTS_OFFSET, offset);
  close (fd);

  return offset;
}

static void
add_bitmap (GByteArray *table, const TestBitmap *bitmap)
{
  add_bytes (table,
             bitmap->table_offset != 0 ? bitmap->table_offset
                                       : TEST_QCOW2_L2_CLUSTER * TEST_QCOW2_CLUSTER,
             8);
  add_bytes (table, bitmap->table_entries != 0 ? bitmap->table_entries : 1, 4);
  add_bytes (table, bitmap->flags, 4);
  add_bytes (table, bitmap->type != 0 ? bitmap->type : 1, 1);
  add_bytes (table, bitmap->granularity_bits != 0 ? bitmap->granularity_bits : 16, 1);
  add_bytes (table, strlen (bitmap->name), 2);
  add_bytes (table, bitmap->extra_length, 4);
  fill (table, MIN (bitmap->extra_length, 4096));
  add_text (table, bitmap->name);
  fill (table, -table->len & 7);
}

guint64
test_qcow2_append_bitmaps (const char *path, const TestBitmap *bitmaps, gsize n_bitmaps)
{
  int fd = open (path, O_RDWR | O_CLOEXEC);
  g_autoptr (GByteArray) table = g_byte_array_new ();
  guint64 offset;

  g_assert_cmpint (fd, >=, 0);
  for (gsize i = 0; i < n_bitmaps; i++)
    add_bitmap (table, &bitmaps[i]);
  offset = append_cluster_aligned (fd, table);
  write64 (fd, TEST_QCOW2_BITMAPS_LENGTH, table->len);
  write64 (fd, TEST_QCOW2_BITMAPS_OFFSET, offset);
  close (fd);

  return offset;
}
