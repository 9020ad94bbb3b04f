/* What has to be done to the images when internal snapshots go.
 *
 * Used by StmRemoval only; main loop, pure.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include "stm-layers.h"

/* Adds the images that hold the moments to those that the survey must look at. `moments`:
 * StmMoment. */
void stm_untag_add_images (const StmModel *model, const char *domain_id, const GPtrArray *moments,
                           GPtrArray *images);

/* Adds the steps to the plan, before those that remove files. `layers`: settled already. An image
 * that is not the service's or not what is recorded keeps its tag, with a word in plan->kept.
 * IN_USE. */
gboolean
stm_untag_plan (const StmModel *model, const StmSurvey *survey, const char *domain_id,
                const GPtrArray *moments, StmLayers *layers, StmPlan *plan, GError **error);
