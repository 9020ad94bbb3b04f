/* StmRemoval: moments of one domain that are about to go, and what that means for its images.
 *
 * Shared by the planners of delete and undefine; main loop, pure, for the time of one call.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include "stm-layers.h"

typedef struct _StmRemoval StmRemoval;

/* `moments`: StmMoment of both kinds, each parent before its children. WRONG_STATE or BUSY when one
 * of them, or one that would change with them, is in the making. */
StmRemoval *stm_removal_new (const StmModel *model, const char *domain_id, const GPtrArray *moments,
                             gboolean metadata_only, GError **error);
void stm_removal_free (StmRemoval *self);

/* What the survey must look at; empty when no image is touched. */
GPtrArray *stm_removal_images (const StmRemoval *self);

/* Adds the steps, and the changes before them and in their place. */
gboolean
stm_removal_fill_steps (StmRemoval *self, const StmSurvey *survey, StmPlan *plan, GError **error);
/* Adds what changes when the steps are done: the moments go, their children go to the nearest that
 * stays, and everything names the images where they are then. */
void stm_removal_fill_finish (StmRemoval *self, StmPlan *plan);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (StmRemoval, stm_removal_free)
