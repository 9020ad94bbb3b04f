/* Writes by QEMU's tools, which record in bitmaps as a machine does; reads by a parser of its own.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "bitmap-world.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#define EXTENSION_BITMAPS 0x23852875u
#define IN_USE 1u
#define TABLE_OFFSET G_GUINT64_CONSTANT (0x00fffffffffffe00)

BitmapWorld *
bitmap_world_new (ImageFixture *fixture)
{
  BitmapWorld *self = g_new0 (BitmapWorld, 1);

  self->fixture = fixture;
  self->models = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, g_free);
  return self;
}

void
bitmap_world_free (BitmapWorld *self)
{
  g_hash_table_unref (self->models);
  g_free (self);
}

void
bitmap_world_make (BitmapWorld *self, const char *image, const char *backing)
{
  g_autofree char *path = image_fixture_path (self->fixture, image);
  g_autofree char *below = backing != NULL ? image_fixture_path (self->fixture, backing) : NULL;

  test_image_create (path, "qcow2", BITMAP_WORLD_CAPACITY, below, "qcow2");
}

void
bitmap_world_continue (BitmapWorld *self, const char *image, const char *bitmap)
{
  g_autofree char *path = image_fixture_path (self->fixture, image);

  g_free (test_run ("qemu-img", "bitmap", "--add", "-f", "qcow2", path, bitmap, NULL));
}

void
bitmap_world_watch (BitmapWorld *self, const char *bitmap)
{
  g_hash_table_insert (self->models, g_strdup (bitmap), g_malloc0 (BITMAP_WORLD_N_BLOCKS));
}

void
bitmap_world_begin (BitmapWorld *self, const char *image, const char *bitmap)
{
  bitmap_world_continue (self, image, bitmap);
  bitmap_world_watch (self, bitmap);
}

void
bitmap_world_write (BitmapWorld *self, const char *image, guint block, guint n_blocks)
{
  g_autofree char *path = image_fixture_path (self->fixture, image);
  GHashTableIter iter;
  gpointer model;

  test_image_write (path, "qcow2", 1 + block % 250, block * BITMAP_WORLD_BLOCK,
                    n_blocks * BITMAP_WORLD_BLOCK);
  g_hash_table_iter_init (&iter, self->models);
  while (g_hash_table_iter_next (&iter, NULL, &model))
    memset ((guint8 *) model + block, 1, n_blocks);
}

void
bitmap_world_break (BitmapWorld *self, const char *image)
{
  g_autofree char *path = image_fixture_path (self->fixture, image);

  /* It is killed, not asked to end. */
  test_image_let_go (test_image_hold (path, "qcow2", /* is_read_only= */ FALSE));
}

/* --- reading ---------------------------------------------------------------------------------- */

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
set_bit (guint8 *blocks, guint64 bit, guint granularity_bits)
{
  guint64 begin = (bit << granularity_bits) / BITMAP_WORLD_BLOCK;
  guint64 end = ((bit + 1) << granularity_bits) / BITMAP_WORLD_BLOCK;

  for (guint64 i = begin; i < MAX (end, begin + 1) && i < BITMAP_WORLD_N_BLOCKS; i++)
    blocks[i] = 1;
}

static void
read_blocks (int fd, const Entry *entry, guint8 *blocks)
{
  guint64 cluster = G_GUINT64_CONSTANT (1) << read_be (fd, 20, 4);
  guint64 n_bits = ((BITMAP_WORLD_CAPACITY - 1) >> entry->granularity_bits) + 1;

  for (guint64 bit = 0; bit < n_bits; bit++)
    {
      guint64 cell = read_be (fd, entry->table + bit / 8 / cluster * 8, 8);
      guint64 data = cell & TABLE_OFFSET;
      /* Without a cluster, bit 0 of the cell stands for all of it. */
      gboolean is_set = data == 0 ? (cell & 1) != 0
                                  : (read_be (fd, data + bit / 8 % cluster, 1) >> bit % 8 & 1) != 0;

      if (is_set)
        set_bit (blocks, bit, entry->granularity_bits);
    }
}

static int
open_image (BitmapWorld *self, const char *image)
{
  g_autofree char *path = image_fixture_path (self->fixture, image);
  int fd = open (path, O_RDONLY | O_CLOEXEC);

  g_assert_cmpint (fd, >=, 0);
  return fd;
}

TestBitmapState
bitmap_world_read (BitmapWorld *self, const char *image, const char *bitmap, guint8 *blocks)
{
  int fd = open_image (self, image);
  Entry entry;
  TestBitmapState state = TEST_BITMAP_MISSING;

  if (find_entry (fd, bitmap, &entry))
    state = (entry.flags & IN_USE) != 0 ? TEST_BITMAP_BROKEN : TEST_BITMAP_IN_ORDER;
  if (state == TEST_BITMAP_IN_ORDER && blocks != NULL)
    read_blocks (fd, &entry, blocks);
  close (fd);

  return state;
}

guint
bitmap_world_get_granularity (BitmapWorld *self, const char *image, const char *bitmap)
{
  int fd = open_image (self, image);
  Entry entry = { 0 };

  g_assert_true (find_entry (fd, bitmap, &entry));
  close (fd);
  return 1u << entry.granularity_bits;
}

guint
bitmap_world_count (BitmapWorld *self, const char *image, const char *bitmap)
{
  g_autofree guint8 *blocks = g_malloc0 (BITMAP_WORLD_N_BLOCKS);
  guint n_set = 0;

  g_assert_cmpint (bitmap_world_read (self, image, bitmap, blocks), ==, TEST_BITMAP_IN_ORDER);
  for (guint i = 0; i < BITMAP_WORLD_N_BLOCKS; i++)
    n_set += blocks[i];
  return n_set;
}

/* The name of the image that this one stands on; NULL at the end of the chain. */
static char *
name_below (BitmapWorld *self, const char *image)
{
  g_autofree char *path = image_fixture_path (self->fixture, image);
  g_autofree char *backing = test_image_get_backing (path, NULL);

  return backing != NULL ? g_path_get_basename (backing) : NULL;
}

/* From the top; also what lies below the home. */
static GPtrArray *
list_chain (BitmapWorld *self, const char *active)
{
  GPtrArray *chain = g_ptr_array_new_with_free_func (g_free);

  for (char *image = g_strdup (active); image != NULL; image = name_below (self, image))
    g_ptr_array_add (chain, image);
  return chain;
}

static guint
find_home (const GPtrArray *chain, const char *home)
{
  for (guint i = 0; i < chain->len; i++)
    if (strcmp (chain->pdata[i], home) == 0)
      return i;

  g_error ("image %s is not in the chain of %s", home, (const char *) chain->pdata[0]);
}

static void
assert_knows (const guint8 *model, const guint8 *blocks, const char *bitmap)
{
  for (guint i = 0; i < BITMAP_WORLD_N_BLOCKS; i++)
    if (model[i] != 0 && blocks[i] == 0)
      g_error ("bitmap %s is in order and does not know that block %u was written", bitmap, i);
}

TestBitmapState
bitmap_world_check (BitmapWorld *self, const char *active, const char *home, const char *bitmap)
{
  g_autoptr (GPtrArray) chain = list_chain (self, active);
  g_autofree guint8 *blocks = g_malloc0 (BITMAP_WORLD_N_BLOCKS);
  guint place = find_home (chain, home);
  TestBitmapState worst = TEST_BITMAP_IN_ORDER;

  for (guint i = 0; i <= place; i++)
    worst = MIN (worst, bitmap_world_read (self, chain->pdata[i], bitmap, blocks));
  if (worst == TEST_BITMAP_IN_ORDER)
    assert_knows (g_hash_table_lookup (self->models, bitmap), blocks, bitmap);

  return worst;
}
