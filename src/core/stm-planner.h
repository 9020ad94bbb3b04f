/* The planners: pure functions from (model, survey, request) to a plan or a typed refusal.
 *
 * Each has a `prepare` that says which images the survey must look at; it can refuse as well, when
 * the model alone shows that the request cannot be done. Time, the operation's id and new ids come
 * in through StmPlanContext, so that tests are exact.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include "stm-model.h"
#include "stm-plan.h"
#include "stm-request.h"
#include "stm-survey.h"

typedef struct
{
  const char *plan_id;   /* 32 hex digits */
  const char *moment_id; /* for the moment that the operation makes, when it makes one */
  gint64 now;            /* seconds since the epoch */
  const char *const *pools;
} StmPlanContext;

/* Each `prepare` gives the images to survey (StmImage, referenced) or NULL with a refusal. */
GPtrArray *stm_plan_create_prepare (const StmModel *model, const char *domain_id,
                                    const StmCreateRequest *request, GError **error);
StmPlan *
stm_plan_create (const StmModel *model, const StmSurvey *survey, const char *domain_id,
                 const StmCreateRequest *request, const StmPlanContext *context, GError **error);

GPtrArray *stm_plan_revert_prepare (const StmModel *model, const char *domain_id,
                                    const StmRevertRequest *request, GError **error);
StmPlan *
stm_plan_revert (const StmModel *model, const StmSurvey *survey, const char *domain_id,
                 const StmRevertRequest *request, const StmPlanContext *context, GError **error);

GPtrArray *stm_plan_delete_prepare (const StmModel *model, const char *domain_id,
                                    const StmDeleteRequest *request, GError **error);
StmPlan *
stm_plan_delete (const StmModel *model, const StmSurvey *survey, const char *domain_id,
                 const StmDeleteRequest *request, const StmPlanContext *context, GError **error);

GPtrArray *stm_plan_undefine_prepare (const StmModel *model, const char *domain_id,
                                      const StmUndefineRequest *request, GError **error);
StmPlan *stm_plan_undefine (const StmModel *model, const StmSurvey *survey, const char *domain_id,
                            const StmUndefineRequest *request, const StmPlanContext *context,
                            GError **error);

/* A name that a client gave for a moment: not over 255 bytes of UTF-8, no control character, no
 * '/', no leading '.'. INVALID_ARGUMENT else. */
gboolean stm_moment_name_check (const char *name, GError **error);
