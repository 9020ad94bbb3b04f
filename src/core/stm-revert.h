/* StmRevert: one call of the planner of reverts, in its parts. Only they include it; main loop.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include "stm-layers.h"
#include "stm-planner.h"

/* A disk that the revert is about. All borrowed from the model. */
typedef struct
{
  const StmDisk *disk;
  const StmImage *active;
  const StmImage *frozen; /* by the target */
  gboolean stays;         /* it stands empty on the frozen image already */
} StmRevertDisk;

/* One call of a planner function. */
typedef struct
{
  const StmModel *model;
  const StmSurvey *survey; /* NULL while preparing */
  const StmDomain *domain;
  const StmTree *tree;
  const StmRevertRequest *request;
  const StmMoment *target;
  GArray *concerns; /* StmRevertDisk */
  StmLayers *layers;
  const char *definition; /* hash of what the domain is defined as afterwards */
} StmRevert;

/* stm-revert.c: what the model alone decides. `request` is set already. Sets a STEMMA_ERROR. */
gboolean
stm_revert_start (StmRevert *self, const StmModel *model, const char *domain_id, GError **error);
void stm_revert_clear (StmRevert *self);

/* stm-revert-leave.c: the state being left, by the survey. In this order. */
gboolean stm_revert_check_unused (const StmRevert *self, GError **error);
void stm_revert_find_staying (StmRevert *self);
gboolean stm_revert_check_unsaved (const StmRevert *self, GError **error);
gboolean stm_revert_keep_state (const StmRevert *self, StmPlan *plan, const StmPlanContext *context,
                                GError **error);
gboolean stm_revert_drop_actives (StmRevert *self, StmPlan *plan, GError **error);

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (StmRevert, stm_revert_clear)
