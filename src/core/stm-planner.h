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
  const char *second_id; /* for the checkpoint that is made with a snapshot */
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

GPtrArray *
stm_plan_create_checkpoint_prepare (const StmModel *model, const char *domain_id,
                                    const StmCreateCheckpointRequest *request, GError **error);
StmPlan *
stm_plan_create_checkpoint (const StmModel *model, const StmSurvey *survey, const char *domain_id,
                            const StmCreateCheckpointRequest *request,
                            const StmPlanContext *context, GError **error);

/* StmDeleteRequest with a checkpoint's id. */
GPtrArray *stm_plan_delete_checkpoint_prepare (const StmModel *model, const char *domain_id,
                                               const StmDeleteRequest *request, GError **error);
StmPlan *stm_plan_delete_checkpoint (const StmModel *model, const StmSurvey *survey,
                                     const char *domain_id, const StmDeleteRequest *request,
                                     const StmPlanContext *context, GError **error);

/* What the survey shows of the domain's moments that differs from their recorded health: a change
 * that puts them with the health that they have, or NULL when all is as recorded. Moments whose
 * images were not looked at stay as they are. */
StmChange *stm_plan_health (const StmModel *model, const StmSurvey *survey, const char *domain_id);

/* A name that a client gave for a moment: not over 255 bytes of UTF-8, no control character, no
 * '/', no leading '.'. INVALID_ARGUMENT else. */
gboolean stm_moment_name_check (const char *name, GError **error);
/* The same for a domain. */
gboolean stm_domain_name_check (const char *name, GError **error);
/* Of a checkpoint: letters, digits, '_', '-' and '.', no leading '.', which is libvirt's schema. */
gboolean stm_checkpoint_name_check (const char *name, GError **error);
