/* The parts of stm_plan_health(), for its own files only.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include "stm-planner.h"

/* Puts the snapshots of the domain whose health is another than recorded, by what the survey shows
 * of the images that hold their states and of those below. */
void stm_health_judge_snapshots (const StmModel *model, const StmSurvey *survey,
                                 const StmDomain *domain, StmChange *change);
