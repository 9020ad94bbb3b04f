/* Writes by QEMU's tools, which record in bitmaps as a machine does; reads by a parser of its own.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "bitmap-world.h"

#include <string.h>

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

TestBitmapState
bitmap_world_read (BitmapWorld *self, const char *image, const char *bitmap, guint8 *blocks)
{
  g_autofree char *path = image_fixture_path (self->fixture, image);

  return test_bitmap_read (path, bitmap, blocks, BITMAP_WORLD_N_BLOCKS);
}

guint
bitmap_world_get_granularity (BitmapWorld *self, const char *image, const char *bitmap)
{
  g_autofree char *path = image_fixture_path (self->fixture, image);

  return test_bitmap_get_granularity (path, bitmap);
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
