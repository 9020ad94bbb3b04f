/* ForgetAll: drops the records of all moments of one kind, whatever state they are in. Pure, main
 * loop; no image is looked at or touched.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include "stm-planner.h"

/* A plan without steps. NOT_FOUND for the domain. */
StmPlan *stm_plan_forget_all (const StmModel *model, const char *domain_id, StmMomentKind kind,
                              const StmPlanContext *context, GError **error);
