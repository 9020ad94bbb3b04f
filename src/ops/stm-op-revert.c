/* Goes back to a snapshot: decided in core/stm-plan-revert.c.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "stm-op-private.h"

#define STM_TYPE_OP_REVERT stm_op_revert_get_type ()
G_DECLARE_FINAL_TYPE (StmOpRevert, stm_op_revert, STM, OP_REVERT, StmOp)

struct _StmOpRevert
{
  StmOp parent_instance;

  StmRevertRequest request; /* its pointers are to the copies below */
  char *moment_id;
  char *keep;
};

G_DEFINE_FINAL_TYPE (StmOpRevert, stm_op_revert, STM_TYPE_OP)

static gboolean
prepare (StmOp *op, const StmModel *model, GPtrArray **out_images, GError **error)
{
  StmOpRevert *self = STM_OP_REVERT (op);
  g_autoptr (GPtrArray) images = NULL;

  images = stm_plan_revert_prepare (model, stm_op_get_domain_id (op), &self->request, error);
  if (images == NULL)
    return FALSE;
  *out_images = g_steal_pointer (&images);
  return TRUE;
}

static StmPlan *
plan (StmOp *op, const StmModel *model, const StmSurvey *survey, const StmPlanContext *context,
      GError **error)
{
  StmOpRevert *self = STM_OP_REVERT (op);

  return stm_plan_revert (model, survey, stm_op_get_domain_id (op), &self->request, context, error);
}

StmOp *
stm_op_revert_new (const char *domain_id, const StmRevertRequest *request)
{
  StmOpRevert *self = g_object_new (STM_TYPE_OP_REVERT, NULL);

  stm_op_init_base (STM_OP (self), STM_OPERATION_REVERT, domain_id);
  self->request = *request;
  self->request.moment_id = self->moment_id = g_strdup (request->moment_id);
  self->request.keep = self->keep = g_strdup (request->keep);
  return STM_OP (self);
}

static void
stm_op_revert_finalize (GObject *object)
{
  StmOpRevert *self = STM_OP_REVERT (object);

  g_free (self->moment_id);
  g_free (self->keep);
  G_OBJECT_CLASS (stm_op_revert_parent_class)->finalize (object);
}

static void
stm_op_revert_class_init (StmOpRevertClass *class)
{
  G_OBJECT_CLASS (class)->finalize = stm_op_revert_finalize;
  STM_OP_CLASS (class)->prepare = prepare;
  STM_OP_CLASS (class)->plan = plan;
}

static void
stm_op_revert_init (StmOpRevert *self)
{
}
