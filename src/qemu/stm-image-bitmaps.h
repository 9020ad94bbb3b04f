/* The persistent bitmaps of an image, looked at right before and after they are worked on.
 *
 * Worker threads only.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include "stm-image.h"
#include "stm-survey.h"

typedef struct
{
  StmFacts *facts; /* of these only path, capacity, tags and bitmaps are set */
  guint version;   /* of the format; 0: raw */
} StmImageBitmaps;

/* The image is open nowhere else. CHAIN_BROKEN … */
gboolean stm_image_bitmaps_read (int fd, const StmImage *image, StmImageBitmaps *out_bitmaps,
                                 GError **error);
void stm_image_bitmaps_clear (StmImageBitmaps *self);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (StmImageBitmaps, stm_image_bitmaps_clear)

const StmBitmapFacts *stm_image_bitmaps_find (const StmImageBitmaps *self, const char *name);
/* There, and not marked as in use. */
gboolean stm_image_bitmaps_is_in_order (const StmImageBitmaps *self, const char *name);

/* NOT_SUPPORTED, with the way out, unless the format can hold bitmaps. */
gboolean stm_image_bitmaps_check_format (const StmImageBitmaps *self, GError **error);

/* NO_SPACE unless `n_more` bitmaps of the usual granularity have room beside those that are there:
 * QEMU writes all of them anew when it closes an image that was open for writing, and one that does
 * not fit is lost. */
gboolean
stm_image_bitmaps_check_space (const StmImageBitmaps *self, int fd, guint n_more, GError **error);

/* BITMAP_MISSING or BITMAP_INCONSISTENT unless it is in order. */
gboolean stm_image_bitmaps_check (const StmImageBitmaps *self, const char *name, GError **error);
