/* What has to be done to the images when checkpoints go: their bitmaps are taken out of them.
 *
 * Shared by the planners of deletion and undefinition; main loop, pure.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include "stm-layers.h"
#include "stm-planner.h"

/* The recorded images that may have a bitmap of one of the checkpoints: that in which it was begun,
 * what stands on it and what it stands on. StmImage, referenced. `checkpoints`: StmMoment. */
GPtrArray *
stm_unmark_list_images (const StmModel *model, const char *domain_id, const GPtrArray *checkpoints);

/* Adds the steps to the plan, before those that remove files. An image that is not the service's or
 * not what is recorded keeps its bitmap, with a word in plan->kept. `layers`: what becomes of the
 * images before, or NULL. IN_USE. */
gboolean
stm_unmark_plan (const StmModel *model, const StmSurvey *survey, const char *domain_id,
                 const GPtrArray *checkpoints, StmLayers *layers, StmPlan *plan, GError **error);
