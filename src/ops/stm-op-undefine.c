/* Forgets a domain: decided in core/stm-plan-undefine.c.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "stm-op-private.h"

#define STM_TYPE_OP_UNDEFINE stm_op_undefine_get_type ()
G_DECLARE_FINAL_TYPE (StmOpUndefine, stm_op_undefine, STM, OP_UNDEFINE, StmOp)

struct _StmOpUndefine
{
  StmOp parent_instance;

  StmUndefineRequest request; /* plain values */
};

G_DEFINE_FINAL_TYPE (StmOpUndefine, stm_op_undefine, STM_TYPE_OP)

static gboolean
prepare (StmOp *op, const StmModel *model, GPtrArray **out_images, GError **error)
{
  StmOpUndefine *self = STM_OP_UNDEFINE (op);
  g_autoptr (GPtrArray) images = NULL;

  images = stm_plan_undefine_prepare (model, stm_op_get_domain_id (op), &self->request, error);
  if (images == NULL)
    return FALSE;
  *out_images = g_steal_pointer (&images);
  return TRUE;
}

static StmPlan *
plan (StmOp *op, const StmModel *model, const StmSurvey *survey, const StmPlanContext *context,
      GError **error)
{
  StmOpUndefine *self = STM_OP_UNDEFINE (op);

  return stm_plan_undefine (model, survey, stm_op_get_domain_id (op), &self->request, context,
                            error);
}

StmOp *
stm_op_undefine_new (const char *domain_id, const StmUndefineRequest *request)
{
  StmOpUndefine *self = g_object_new (STM_TYPE_OP_UNDEFINE, NULL);

  stm_op_init_base (STM_OP (self), STM_OPERATION_UNDEFINE, domain_id);
  self->request = *request;
  return STM_OP (self);
}

static void
stm_op_undefine_class_init (StmOpUndefineClass *class)
{
  STM_OP_CLASS (class)->prepare = prepare;
  STM_OP_CLASS (class)->plan = plan;
}

static void
stm_op_undefine_init (StmOpUndefine *self)
{
}
