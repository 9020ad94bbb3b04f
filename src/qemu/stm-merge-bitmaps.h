/* The bitmaps that go along with the data of a merge.
 *
 * Worker threads only.
 *
 * A commit may be killed while the lower image is open for writing, and then all bitmaps of that
 * are lost. So what they recorded is added to those of the upper image first, which is only read
 * from then on: from there the lower ones can be made anew. That this was done is itself kept as a
 * bitmap of the upper image, for after a kill nothing else tells a bitmap that was lost to it from
 * one that was lost before, which must not come back with half of its record.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include "stm-image-bitmaps.h"
#include "stm-merge.h"

typedef struct
{
  const StmMerge *merge; /* NULL: not looked at, and nothing is to be done */
  const StmImage *source;
  const StmImage *target;
  StmImageBitmaps from; /* of the image whose data goes, as they were before QEMU opened it */
  StmImageBitmaps into; /* of the one that takes it */
  gboolean is_complete; /* those of a name in `from` have all that those in `into` recorded */
} StmMergeBitmaps;

void stm_merge_bitmaps_clear (StmMergeBitmaps *self);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (StmMergeBitmaps, stm_merge_bitmaps_clear)

/* Looks at both images. Places in the step's chain. */
gboolean stm_merge_bitmaps_look (const StmMerge *merge, guint from, guint into,
                                 StmMergeBitmaps *out_bitmaps, GError **error);

/* For a commit: whether it can take the bitmaps down: NOT_SUPPORTED, NO_SPACE … */
gboolean stm_merge_bitmaps_check_down (const StmMergeBitmaps *self, GError **error);
/* Whether those of the upper image have to be completed first; that writes to it. */
gboolean stm_merge_bitmaps_need_completion (const StmMergeBitmaps *self);
/* Completes them; durable when it returns. `upper` was added for writing, over `lower`. */
gboolean stm_merge_bitmaps_complete (StmMergeBitmaps *self, StmBlockEndpoint *endpoint,
                                     StmBlockNode upper, StmBlockNode lower, GError **error);
/* Takes the note that it was done off the upper image again, as far as that can be done: for a
 * commit that is given up in time. What was added stays, for it was recorded. */
void stm_merge_bitmaps_forget_completion (const StmMergeBitmaps *self, StmBlockEndpoint *endpoint,
                                          StmBlockNode upper, StmBlockNode lower);
/* Before the data goes down: takes off the lower image, which was added for writing over `rest`,
 * the lost bitmaps that would keep it from growing. That they are missing tells of the loss as
 * well. */
gboolean stm_merge_bitmaps_make_way (const StmMergeBitmaps *self, StmBlockEndpoint *endpoint,
                                     StmBlockNode lower, StmBlockNode rest, GError **error);
/* When all data is down and the lower image still open for writing. */
gboolean stm_merge_bitmaps_carry_down (const StmMergeBitmaps *self, StmBlockEndpoint *endpoint,
                                       StmBlockNode upper, StmBlockNode lower, GError **error);
/* When the lower image is closed for writing: BITMAP_… unless all is there. */
gboolean stm_merge_bitmaps_verify_down (const StmMergeBitmaps *self, GError **error);

/* For a stream: as above. One that the top has lost stays lost, and one that the absorbed image has
 * lost records no more in the top, which would seem to know all otherwise. */
gboolean stm_merge_bitmaps_check_up (const StmMergeBitmaps *self, GError **error);
gboolean stm_merge_bitmaps_add_up (const StmMergeBitmaps *self, StmBlockEndpoint *endpoint,
                                   StmBlockNode absorbed, StmBlockNode top, GError **error);
