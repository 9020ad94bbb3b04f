/* Forgets all moments of a kind: decided in core/stm-forget.c. What is not settled yet keeps it
 * waiting or refuses it, like every operation of the domain.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "stm-op-private.h"

#include "stemma-error.h"
#include "stm-forget.h"

#define STM_TYPE_OP_FORGET stm_op_forget_get_type ()
G_DECLARE_FINAL_TYPE (StmOpForget, stm_op_forget, STM, OP_FORGET, StmOp)

struct _StmOpForget
{
  StmOp parent_instance;

  StmMomentKind kind;
};

G_DEFINE_FINAL_TYPE (StmOpForget, stm_op_forget, STM_TYPE_OP)

static gboolean
prepare (StmOp *op, const StmModel *model, GPtrArray **out_images, GError **error)
{
  const char *id = stm_op_get_domain_id (op);

  *out_images = NULL;
  if (stm_model_get_domain (model, id) != NULL)
    return TRUE;
  g_set_error (error, STEMMA_ERROR, STEMMA_ERROR_NOT_FOUND, "there is no domain %s any more", id);
  return FALSE;
}

static StmPlan *
plan (StmOp *op, const StmModel *model, const StmSurvey *survey, const StmPlanContext *context,
      GError **error)
{
  return stm_plan_forget_all (model, stm_op_get_domain_id (op), STM_OP_FORGET (op)->kind, context,
                              error);
}

StmOp *
stm_op_forget_all_new (const char *domain_id, StmMomentKind kind)
{
  StmOpForget *self = g_object_new (STM_TYPE_OP_FORGET, NULL);

  stm_op_init_base (STM_OP (self), STM_OPERATION_FORGET, domain_id);
  self->kind = kind;
  return STM_OP (self);
}

static void
stm_op_forget_class_init (StmOpForgetClass *class)
{
  STM_OP_CLASS (class)->prepare = prepare;
  STM_OP_CLASS (class)->plan = plan;
}

static void
stm_op_forget_init (StmOpForget *self)
{
}
