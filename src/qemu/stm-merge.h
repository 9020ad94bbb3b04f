/* What the two kinds of merges share: the images of the step, checked and opened.
 *
 * Worker threads only.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include "stm-block-endpoint.h"
#include "stm-image-verify.h"
#include "stm-plan.h"
#include "stm-progress.h"

/* A COMMIT or STREAM step to be done, and what it is done with. All borrowed. */
typedef struct
{
  const StmQemuSetup *setup;
  const StmStep *step;
  const StmPathPolicy *policy;
  StmProgress *progress;
  GCancellable *cancellable;
} StmMerge;

/* The image at a place of the step's chain, 0 at the top; NULL beyond its end. */
const StmImage *stm_merge_get_image (const StmMerge *self, guint place);

/* Opens the image at a place and holds it against its record: -1 with CHAIN_BROKEN … when it
 * differs. */
int stm_merge_open (const StmMerge *self, guint place, StmImageAccess access,
                    StmImageReading *out_reading, GError **error);

/* The same, and adds it to the endpoint, over a node or over nothing. */
StmBlockNode stm_merge_add (const StmMerge *self, StmBlockEndpoint *endpoint, guint place,
                            StmImageAccess access, StmBlockNode backing, GError **error);
/* Adds, for reading, all images from a place on downwards; *out_node is the uppermost, 0 when there
 * is none. */
gboolean stm_merge_add_from (const StmMerge *self, StmBlockEndpoint *endpoint, guint place,
                             StmBlockNode *out_node, GError **error);

/* NOT_SUPPORTED when an image has internal snapshots, which a merge would change or lose. */
gboolean stm_merge_check_tags (const StmMerge *self, guint place, const StmImageReading *reading,
                               GError **error);

/* Makes what was written to an image durable, its name too. */
gboolean stm_merge_sync (const StmMerge *self, const char *path, GError **error);
