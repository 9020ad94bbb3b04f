/* What the planners know of checkpoints: which bitmaps go on into a new image, whether a checkpoint
 * is in order over a chain, and how a new one comes to be.
 *
 * Only planners include it. Pure, main loop.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include "stm-planner.h"

/* Each recording bitmap costs memory and time with each write, and a cluster or two of its image;
 * the format itself allows for 65535. */
#define STM_MAX_BITMAPS 1024

/* --- carrying --- */

/* Recording, and complete as far as its image goes. */
gboolean stm_bitmap_is_in_order (const StmBitmapFacts *bitmap);
/* The new images of the OVERLAY steps go on with what is in order in the images that they cover:
 * adds the bitmaps to the steps. */
void stm_checkpoints_carry (StmPlan *plan, const StmSurvey *survey);

/* --- chains --- */

/* The chains of a domain's disks as they are by the record, or as an operation will leave them. */
typedef struct _StmChains StmChains;

/* Borrows both for its life; `survey` may be NULL when nothing is judged. */
StmChains *stm_chains_new (const StmModel *model, const char *domain_id, const StmSurvey *survey);
void stm_chains_free (StmChains *self);
/* StmImage from the active one downwards; `n_new` at its top are not made yet, and will have what
 * those that they cover have in order. */
void stm_chains_set (StmChains *self, const char *target, GPtrArray *chain, guint n_new);

/* The health of a checkpoint over these chains: UNREACHABLE by the record; MISSING or INCONSISTENT
 * by the survey; OK when all was looked at; else `otherwise`. */
StmHealth stm_chains_judge (StmChains *self, const StmMoment *checkpoint, StmHealth otherwise);

/* The lowest image down to which all from `home` on are seen to have the bitmap: where it was begun
 * when nobody knows. Borrowed; `home` when it is not in the chain, NULL when not all were seen. */
const char *
stm_chains_find_begin (StmChains *self, const char *target, const char *home, const char *bitmap);

/* Checkpoints of the domain that were begun in the image. StmMoment, borrowed, added to the set. */
void stm_checkpoints_begun_in (const StmModel *model, const char *domain_id, const char *path,
                               GHashTable *checkpoints);
/* The members of a set of moments by name, borrowed. */
GPtrArray *stm_checkpoints_sort (GHashTable *checkpoints);

/* Names a checkpoint that the plan leaves off the chain, or without an image. */
void stm_checkpoints_tell (StmPlan *plan, const char *name);

/* --- a new one --- */

typedef struct
{
  const char *name; /* may be empty: then the time in decimal seconds, made unique */
  const char *description;
  const char *parent_id; /* NULL: the lone reachable leaf, if any */
} StmCheckpointWish;

/* Where a new checkpoint begins on one disk. */
typedef struct
{
  const StmDisk *disk;
  StmImage *home;   /* borrowed: the image, made or to be made, that gets the bitmap */
  GPtrArray *chain; /* borrowed: StmImage, those that are there, from the top */
  StmStep *overlay; /* borrowed: the step that makes the home; NULL when it is there */
} StmCheckpointStart;

/* What the model alone decides: the name, the parent, room for one more. INVALID_ARGUMENT,
 * ALREADY_EXISTS, NOT_FOUND, WRONG_STATE, AMBIGUOUS_PARENT, TOO_MANY. */
gboolean stm_checkpoints_check (const StmModel *model, const StmDomain *domain,
                                const StmCheckpointWish *wish, GError **error);
/* Adds the checkpoint `id` to the plan: the steps, and the record to begin, undo and finish.
 * `starts`: StmCheckpointStart, one at least. */
gboolean
stm_checkpoints_begin (const StmModel *model, const StmSurvey *survey, const StmDomain *domain,
                       const StmCheckpointWish *wish, const char *id, gint64 now,
                       const GArray *starts, StmPlan *plan, GError **error);

/* The part of the planner of snapshots: the new images of the plan go on with the bitmaps, and the
 * checkpoint that the request asks for begins in them. */
gboolean stm_checkpoints_check_beside (const StmModel *model, const StmDomain *domain,
                                       const StmCreateRequest *request, GError **error);
gboolean
stm_checkpoints_begin_beside (const StmModel *model, const StmSurvey *survey,
                              const StmDomain *domain, const StmCreateRequest *request,
                              const StmPlanContext *context, StmPlan *plan, GError **error);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (StmChains, stm_chains_free)
