/* StmLayers: a working copy of the images of one domain, on which an operation tries out what
 * becomes of them when snapshots or active images let go of them.
 *
 * Made and used by one planner on the main loop; the model is only read. An image that no moment
 * freezes and no disk writes to is a hidden layer: it is removed when nothing stands on it, merged
 * with the one image that stands on it, or left in place until it can go.
 *
 * Only what the operation is concerned with is looked at: what lets go, the chains of the disks,
 * what these stand on, and what a merge of a hidden layer among them needs. One elsewhere waits
 * until an operation comes by.
 *
 * An image that was hidden with nothing on it before the operation began is left alone: it may be
 * what a disk was that has been taken out of the machine.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include "stm-model.h"
#include "stm-plan.h"
#include "stm-survey.h"

typedef struct _StmLayers StmLayers;

/* Borrows the model for its life. */
StmLayers *stm_layers_new (const StmModel *model, const char *domain_id);
void stm_layers_free (StmLayers *self);

/* Before the survey. */
void stm_layers_release_moment (StmLayers *self, const StmMoment *moment);
/* One disk lets go of its active image. */
void stm_layers_release_active (StmLayers *self, const char *path);
/* Its bitmaps are to go: nothing is done for them, and they keep nothing from being done. */
void stm_layers_release_checkpoint (StmLayers *self, const StmMoment *checkpoint);
/* What stm_layers_settle() must know about: StmImage, referenced. */
GPtrArray *stm_layers_list_concerned (StmLayers *self);

/* Whether a moment, or a disk other than those released, still holds the image. */
gboolean stm_layers_is_held (StmLayers *self, const char *path);
/* What keeps the file of an image, that nothing holds, from being removed, as a clause for people;
 * NULL when nothing does. Does not judge its content. */
char *stm_layers_find_obstacle (StmLayers *self, const StmSurvey *survey, const char *path);

/* Removes, merges and keeps until nothing more can be done; adds the merges, the unlinks and what
 * is kept to the plan. CHAIN_BROKEN or NO_SPACE when an image that was released just now needs what
 * cannot be had; a layer from earlier is then kept. */
gboolean
stm_layers_settle (StmLayers *self, const StmSurvey *survey, StmPlan *plan, GError **error);

/* Removes the image, and below it what is left hidden without anything on it. No merges. */
void stm_layers_prune (StmLayers *self, const StmSurvey *survey, const char *path, StmPlan *plan);

/* Takes the image out of the record and leaves its file. Nothing stands on it by the record. */
void stm_layers_disown (StmLayers *self, const char *path);

/* Leaves all files, for ever: what was released goes out of the record when nothing stands on it,
 * and what its file needs below it will not be touched by any later operation. */
void stm_layers_forget (StmLayers *self, StmPlan *plan);

/* What came out of it. The path where the content of an image is now; NULL: nowhere. */
const char *stm_layers_path_now (const StmLayers *self, const char *path);
/* The record of an image that is still there under its path; NULL: none is. Borrowed. */
StmImage *stm_layers_image_now (StmLayers *self, const char *path);
/* The moments that name an image which is not there any more: StmMoment, borrowed, added to the
 * set. */
void stm_layers_list_moved (const StmLayers *self, GHashTable *moments);
void stm_layers_fill_images (const StmLayers *self, StmChange *change);
/* The moment, or the domain, with other images where they have moved; NULL when none has. A
 * checkpoint that was begun in an image which is nowhere any more is MISSING. */
StmMoment *stm_layers_move_moment (const StmLayers *self, const StmMoment *moment);
StmDomain *stm_layers_move_domain (const StmLayers *self, const StmDomain *domain);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (StmLayers, stm_layers_free)
