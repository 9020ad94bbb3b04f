/* The end of an operation that is neither finished nor taken back: the records as if it had not
 * been asked for, but for what its merges did to the images. Pure, main loop.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include "stm-model.h"
#include "stm-plan.h"
#include "stm-survey.h"

/* Of a plan whose beginning change is on record: the change that closes it. `n_done` merges are
 * done, and the next one may have begun. The survey (nullable) is of the images of that one: a
 * header that names the new image below proves that this much was done.
 *
 * Moments that were to go stay; those whose state a merge wrote over are INCONSISTENT. The images
 * stay on record where they are, each over what its header names. */
StmChange *stm_plan_abandon (const StmModel *model, const StmPlan *plan, guint n_done,
                             const StmSurvey *survey);
