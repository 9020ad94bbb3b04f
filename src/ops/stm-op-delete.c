/* Deletes snapshots: decided in core/stm-plan-delete.c.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "stm-op-private.h"

#define STM_TYPE_OP_DELETE stm_op_delete_get_type ()
G_DECLARE_FINAL_TYPE (StmOpDelete, stm_op_delete, STM, OP_DELETE, StmOp)

struct _StmOpDelete
{
  StmOp parent_instance;

  StmDeleteRequest request; /* its pointers are to the copies below */
  char *moment_id;
};

G_DEFINE_FINAL_TYPE (StmOpDelete, stm_op_delete, STM_TYPE_OP)

static gboolean
prepare (StmOp *op, const StmModel *model, GPtrArray **out_images, GError **error)
{
  StmOpDelete *self = STM_OP_DELETE (op);
  g_autoptr (GPtrArray) images = NULL;

  images = stm_plan_delete_prepare (model, stm_op_get_domain_id (op), &self->request, error);
  if (images == NULL)
    return FALSE;
  *out_images = g_steal_pointer (&images);
  return TRUE;
}

static StmPlan *
plan (StmOp *op, const StmModel *model, const StmSurvey *survey, const StmPlanContext *context,
      GError **error)
{
  StmOpDelete *self = STM_OP_DELETE (op);

  return stm_plan_delete (model, survey, stm_op_get_domain_id (op), &self->request, context, error);
}

StmOp *
stm_op_delete_new (const char *domain_id, const StmDeleteRequest *request)
{
  StmOpDelete *self = g_object_new (STM_TYPE_OP_DELETE, NULL);

  stm_op_init_base (STM_OP (self), STM_OPERATION_DELETE, domain_id);
  self->request = *request;
  self->request.moment_id = self->moment_id = g_strdup (request->moment_id);
  return STM_OP (self);
}

static void
stm_op_delete_finalize (GObject *object)
{
  StmOpDelete *self = STM_OP_DELETE (object);

  g_free (self->moment_id);
  G_OBJECT_CLASS (stm_op_delete_parent_class)->finalize (object);
}

static void
stm_op_delete_class_init (StmOpDeleteClass *class)
{
  G_OBJECT_CLASS (class)->finalize = stm_op_delete_finalize;
  STM_OP_CLASS (class)->prepare = prepare;
  STM_OP_CLASS (class)->plan = plan;
}

static void
stm_op_delete_init (StmOpDelete *self)
{
}
