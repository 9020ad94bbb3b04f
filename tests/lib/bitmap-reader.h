/* Persistent bitmaps of qcow2 images as they are in the file.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include <glib.h>

#define TEST_BITMAP_BLOCK ((guint64) 64 * 1024) /* bytes; what a bit stands for at least */

typedef enum
{
  TEST_BITMAP_MISSING,
  TEST_BITMAP_BROKEN, /* marked as in use */
  TEST_BITMAP_IN_ORDER,
} TestBitmapState;

/* What the file says of a bitmap; its blocks are set in `blocks` (nullable), the others left. */
TestBitmapState
test_bitmap_read (const char *path, const char *bitmap, guint8 *blocks, guint n_blocks);
guint test_bitmap_get_granularity (const char *path, const char *bitmap); /* bytes */
