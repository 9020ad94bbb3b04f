/* Reads persistent bitmaps of qcow2 images bit by bit, without the code under test.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "bitmap-reader.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#define EXTENSION_BITMAPS 0x23852875u
#define IN_USE 1u
#define TABLE_OFFSET G_GUINT64_CONSTANT (0x00fffffffffffe00)

static guint64
read_be (int fd, guint64 offset, guint n_bytes)
{
  guint8 bytes[8] = { 0 };
  guint64 value = 0;

  g_assert_cmpint (pread (fd, bytes, n_bytes, (off_t) offset), ==, n_bytes);
  for (guint i = 0; i < n_bytes; i++)
    value = value << 8 | bytes[i];
  return value;
}

/* An entry of the directory. */
typedef struct
{
  guint64 table;
  guint n_clusters;
  guint flags;
  guint granularity_bits;
} Entry;

static guint64
find_directory (int fd, guint *out_n_entries)
{
  guint64 offset = read_be (fd, 100, 4);

  /* Bit 0 of the autoclear features: the bitmaps are in force. */
  if (read_be (fd, 4, 4) < 3 || (read_be (fd, 88, 8) & 1) == 0)
    return 0;
  for (;;)
    {
      guint32 kind = read_be (fd, offset, 4);
      guint32 length = read_be (fd, offset + 4, 4);

      if (kind == 0)
        return 0;
      if (kind == EXTENSION_BITMAPS)
        {
          *out_n_entries = read_be (fd, offset + 8, 4);
          return read_be (fd, offset + 24, 8);
        }
      offset += 8 + (length + 7) / 8 * 8;
    }
}

static gboolean
find_entry (int fd, const char *bitmap, Entry *out_entry)
{
  guint n_entries = 0;
  guint64 offset = find_directory (fd, &n_entries);

  for (guint i = 0; offset != 0 && i < n_entries; i++)
    {
      guint name_length = read_be (fd, offset + 18, 2);
      guint extra = read_be (fd, offset + 20, 4);
      g_autofree char *name = g_malloc0 (name_length + 1);

      g_assert_cmpint (pread (fd, name, name_length, (off_t) (offset + 24 + extra)), ==,
                       name_length);
      *out_entry = (Entry){ .table = read_be (fd, offset, 8),
                            .n_clusters = read_be (fd, offset + 8, 4),
                            .flags = read_be (fd, offset + 12, 4),
                            .granularity_bits = read_be (fd, offset + 17, 1) };
      if (strcmp (name, bitmap) == 0)
        return TRUE;
      offset += (24 + extra + name_length + 7) / 8 * 8;
    }

  return FALSE;
}

static void
set_bit (guint8 *blocks, guint n_blocks, guint64 bit, guint granularity_bits)
{
  guint64 begin = (bit << granularity_bits) / TEST_BITMAP_BLOCK;
  guint64 end = ((bit + 1) << granularity_bits) / TEST_BITMAP_BLOCK;

  for (guint64 i = begin; i < MAX (end, begin + 1) && i < n_blocks; i++)
    blocks[i] = 1;
}

static void
read_blocks (int fd, const Entry *entry, guint8 *blocks, guint n_blocks)
{
  guint64 cluster = G_GUINT64_CONSTANT (1) << read_be (fd, 20, 4);
  guint64 n_bits = ((n_blocks * TEST_BITMAP_BLOCK - 1) >> entry->granularity_bits) + 1;

  for (guint64 bit = 0; bit < n_bits; bit++)
    {
      guint64 cell = read_be (fd, entry->table + bit / 8 / cluster * 8, 8);
      guint64 data = cell & TABLE_OFFSET;
      /* Without a cluster, bit 0 of the cell stands for all of it. */
      gboolean is_set = data == 0 ? (cell & 1) != 0
                                  : (read_be (fd, data + bit / 8 % cluster, 1) >> bit % 8 & 1) != 0;

      if (is_set)
        set_bit (blocks, n_blocks, bit, entry->granularity_bits);
    }
}

static int
open_image (const char *path)
{
  int fd = open (path, O_RDONLY | O_CLOEXEC);

  if (fd < 0)
    g_error ("image %s: %s", path, g_strerror (errno));
  return fd;
}

TestBitmapState
test_bitmap_read (const char *path, const char *bitmap, guint8 *blocks, guint n_blocks)
{
  int fd = open_image (path);
  Entry entry;
  TestBitmapState state = TEST_BITMAP_MISSING;

  if (find_entry (fd, bitmap, &entry))
    state = (entry.flags & IN_USE) != 0 ? TEST_BITMAP_BROKEN : TEST_BITMAP_IN_ORDER;
  if (state == TEST_BITMAP_IN_ORDER && blocks != NULL)
    read_blocks (fd, &entry, blocks, n_blocks);
  close (fd);

  return state;
}

guint
test_bitmap_get_granularity (const char *path, const char *bitmap)
{
  int fd = open_image (path);
  Entry entry = { 0 };

  g_assert_true (find_entry (fd, bitmap, &entry));
  close (fd);
  return 1u << entry.granularity_bits;
}
