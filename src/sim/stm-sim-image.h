/* StmSimImage: an image file that does not exist: what it stands on, which blocks it holds, its
 * internal snapshots and bitmaps.
 *
 * Owned by StmSimWorld, whose lock guards it. Knows no other image.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include <glib.h>

#define STM_SIM_BLOCK ((guint64) 64 * 1024) /* bytes; also the granularity of bitmaps */

/* block number -> what was written there; the number stands for the content of the block */
typedef GHashTable StmSimBlocks;

typedef struct
{
  char *id;
  char *name;
  gint64 created; /* seconds since the epoch */
  guint64 capacity;
  StmSimBlocks *blocks;
} StmSimTag;

typedef struct
{
  char *name;
  gboolean is_broken;
  GHashTable *dirty; /* set of block numbers */
} StmSimBitmap;

typedef struct
{
  char *path;
  char *format;
  char *backing; /* NULL at the end of the chain */
  char *backing_format;
  char *maker; /* id of the plan that made it; NULL for what was there */
  guint64 capacity;
  StmSimBlocks *blocks;
  GPtrArray *tags;    /* StmSimTag */
  GPtrArray *bitmaps; /* StmSimBitmap */
} StmSimImage;

StmSimImage *stm_sim_image_new (const char *path, const char *format, guint64 capacity);
void stm_sim_image_free (StmSimImage *self);

/* As a guest does it: recorded by all bitmaps that are in order. */
void stm_sim_image_write (StmSimImage *self, guint64 block, guint64 value);

StmSimBlocks *stm_sim_blocks_copy (StmSimBlocks *blocks);
gboolean stm_sim_blocks_equal (StmSimBlocks *a, StmSimBlocks *b);

StmSimTag *stm_sim_image_find_tag (const StmSimImage *self, const char *name);
/* Keeps the present content under `name`, which must be free. */
void stm_sim_image_add_tag (StmSimImage *self, const char *name, gint64 now);
void stm_sim_image_remove_tag (StmSimImage *self, const char *name);

StmSimBitmap *stm_sim_image_find_bitmap (const StmSimImage *self, const char *name);
/* An empty one; `name` must be free. */
StmSimBitmap *stm_sim_image_add_bitmap (StmSimImage *self, const char *name);
void stm_sim_image_remove_bitmap (StmSimImage *self, const char *name);
void stm_sim_bitmap_merge (StmSimBitmap *self, const StmSimBitmap *other);

#define STM_SIM_IMAGE_TYPE G_VARIANT_TYPE ("(ssmsmsmsta(tt)a(ssxta(tt))a(sbat))")
GVariant *stm_sim_image_to_variant (const StmSimImage *self); /* floating */
StmSimImage *stm_sim_image_from_variant (GVariant *variant);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (StmSimImage, stm_sim_image_free)
