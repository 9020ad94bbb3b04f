/* StmRevert: one call of the planner of reverts, in its parts. Only they include it; main loop.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include "stm-layers.h"
#include "stm-planner.h"

/* A disk that the revert is about. All borrowed from the model. */
typedef struct
{
  const StmDisk *disk;
  const StmImage *active;
  const StmImage *frozen; /* by the target; may be the active one when that is internal to it */
  gboolean stays;         /* the disk shows what the target holds, and its image remains */

  /* When the target is internal to the frozen image. Borrowed from the model and the plan. */
  const char *tag;      /* of the target, else NULL */
  gboolean goes;        /* the image has to be brought to it */
  const char *fallback; /* tag of what the image has now, when it goes */
  const char *kept_tag; /* tag that a snapshot of the state being left keeps, else NULL */
} StmRevertDisk;

/* One call of a planner function. */
typedef struct
{
  const StmModel *model;
  const StmSurvey *survey; /* NULL while preparing */
  const StmDomain *domain;
  const StmTree *tree;
  const StmRevertRequest *request;
  const StmMoment *target;
  GArray *concerns; /* StmRevertDisk */
  StmLayers *layers;
  const char *definition; /* hash of what the domain is defined as afterwards */
} StmRevert;

/* stm-revert.c: what the model alone decides. `request` is set already. Sets a STEMMA_ERROR. */
gboolean
stm_revert_start (StmRevert *self, const StmModel *model, const char *domain_id, GError **error);
void stm_revert_clear (StmRevert *self);
/* Puts before the message of a check that knows only of images what they were wanted for. Always
 * FALSE. */
gboolean stm_revert_prefix (const StmRevert *self, GError **error);

/* stm-revert-leave.c: the state being left, by the survey. In this order. */
gboolean stm_revert_check_unused (const StmRevert *self, GError **error);
void stm_revert_find_staying (StmRevert *self);
gboolean stm_revert_check_unsaved (const StmRevert *self, GError **error);
gboolean stm_revert_keep_state (const StmRevert *self, StmPlan *plan, const StmPlanContext *context,
                                GError **error);
gboolean stm_revert_drop_actives (StmRevert *self, StmPlan *plan, GError **error);

/* stm-revert-checkpoints.c. A bitmap in order that would be lost with the active image, and that no
 * checkpoint has; NULL: none. */
const char *stm_revert_find_foreign_bitmap (const StmRevert *self, const StmRevertDisk *concern);
/* What the survey must look at besides: a checkpoint may have more disks than the snapshot. */
void stm_revert_add_checkpointed (const StmRevert *self, GHashTable *seen, GPtrArray *images);
/* When it is settled what becomes of the images: puts the checkpoints whose health changes.
 * UNSAVED_STATE. */
gboolean stm_revert_put_checkpoints (const StmRevert *self, StmPlan *plan, const StmDisk *new_disks,
                                     GError **error);

/* stm-revert-internal.c: disks to which the target is internal. In this order: the first two before
 * any other step, the third before files go, the last after all other changes of the images. */
gboolean stm_revert_check_internal (StmRevert *self, GError **error);
gboolean stm_revert_add_gotos (StmRevert *self, StmPlan *plan, const StmPlanContext *context,
                               GError **error);
void stm_revert_add_untags (const StmRevert *self, StmPlan *plan);
void stm_revert_put_images (const StmRevert *self, StmPlan *plan);

/* Whether a snapshot's disk of this mode counts on the image. */
gboolean stm_revert_holds (const StmRevert *self, const char *path, StmDiskMode mode);
/* Whether what the image has now is proven to be an internal snapshot's on record. */
gboolean stm_revert_is_tagged (const StmRevert *self, const char *path);

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (StmRevert, stm_revert_clear)
