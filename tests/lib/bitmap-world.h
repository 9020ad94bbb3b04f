/* Images with persistent bitmaps, and a model of what each bitmap has to know.
 *
 * What is in a file is read here anew, bit by bit, without the code under test.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include "bitmap-reader.h"
#include "image-fixture.h"

#define BITMAP_WORLD_BLOCK TEST_BITMAP_BLOCK
#define BITMAP_WORLD_N_BLOCKS 1024
#define BITMAP_WORLD_CAPACITY (BITMAP_WORLD_BLOCK * BITMAP_WORLD_N_BLOCKS)

typedef struct
{
  ImageFixture *fixture;
  GHashTable *models; /* name of a bitmap to guint8[BITMAP_WORLD_N_BLOCKS], blocks written since */
} BitmapWorld;

BitmapWorld *bitmap_world_new (ImageFixture *fixture);
void bitmap_world_free (BitmapWorld *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (BitmapWorld, bitmap_world_free)

/* Makes a qcow2 image; `backing` (nullable) is a name, too, of one that is qcow2. */
void bitmap_world_make (BitmapWorld *self, const char *image, const char *backing);
/* Begins a bitmap: from now on it has to know all writes. */
void bitmap_world_begin (BitmapWorld *self, const char *image, const char *bitmap);
/* The same bitmap in an overlay, empty. */
void bitmap_world_continue (BitmapWorld *self, const char *image, const char *bitmap);
/* As the bitmap's clock started with something else than bitmap_world_begin(). */
void bitmap_world_watch (BitmapWorld *self, const char *bitmap);
/* What a guest does. */
void bitmap_world_write (BitmapWorld *self, const char *image, guint block, guint n_blocks);
/* As a kill of a QEMU that had the image open for writing. */
void bitmap_world_break (BitmapWorld *self, const char *image);

/* What the file says of a bitmap; its blocks are set in `blocks` (nullable), the others left. */
TestBitmapState
bitmap_world_read (BitmapWorld *self, const char *image, const char *bitmap, guint8 *blocks);
guint bitmap_world_get_granularity (BitmapWorld *self, const char *image, const char *bitmap);
/* How many blocks it has; it must be in order. */
guint bitmap_world_count (BitmapWorld *self, const char *image, const char *bitmap);

/* What is known of a bitmap in the chain from `active` down to `home`: the worst state of all; when
 * that is in order, the test fails unless they know all writes together. */
TestBitmapState
bitmap_world_check (BitmapWorld *self, const char *active, const char *home, const char *bitmap);
