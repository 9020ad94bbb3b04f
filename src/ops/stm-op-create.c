/* Takes a snapshot: what it looks at and how it is decided stands in core/stm-plan-create.c.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "stm-op-private.h"

#define STM_TYPE_OP_CREATE stm_op_create_get_type ()
G_DECLARE_FINAL_TYPE (StmOpCreate, stm_op_create, STM, OP_CREATE, StmOp)

struct _StmOpCreate
{
  StmOp parent_instance;

  StmCreateRequest request; /* its pointers are to the copies below */
  char *name;
  char *description;
  GStrv disks;
};

G_DEFINE_FINAL_TYPE (StmOpCreate, stm_op_create, STM_TYPE_OP)

static gboolean
prepare (StmOp *op, const StmModel *model, GPtrArray **out_images, GError **error)
{
  StmOpCreate *self = STM_OP_CREATE (op);
  g_autoptr (GPtrArray) images = NULL;

  images = stm_plan_create_prepare (model, stm_op_get_domain_id (op), &self->request, error);
  if (images == NULL)
    return FALSE;
  *out_images = g_steal_pointer (&images);
  return TRUE;
}

static StmPlan *
plan (StmOp *op, const StmModel *model, const StmSurvey *survey, const StmPlanContext *context,
      GError **error)
{
  StmOpCreate *self = STM_OP_CREATE (op);

  return stm_plan_create (model, survey, stm_op_get_domain_id (op), &self->request, context, error);
}

StmOp *
stm_op_create_new (const char *domain_id, const StmCreateRequest *request)
{
  StmOpCreate *self = g_object_new (STM_TYPE_OP_CREATE, NULL);

  stm_op_init_base (STM_OP (self), STM_OPERATION_CREATE, domain_id);
  self->request = *request;
  self->request.name = self->name = g_strdup (request->name);
  self->request.description = self->description = g_strdup (request->description);
  self->disks = g_strdupv ((GStrv) request->disks);
  self->request.disks = (const char *const *) self->disks;
  return STM_OP (self);
}

static void
stm_op_create_finalize (GObject *object)
{
  StmOpCreate *self = STM_OP_CREATE (object);

  g_free (self->name);
  g_free (self->description);
  g_strfreev (self->disks);
  G_OBJECT_CLASS (stm_op_create_parent_class)->finalize (object);
}

static void
stm_op_create_class_init (StmOpCreateClass *class)
{
  G_OBJECT_CLASS (class)->finalize = stm_op_create_finalize;
  STM_OP_CLASS (class)->prepare = prepare;
  STM_OP_CLASS (class)->plan = plan;
}

static void
stm_op_create_init (StmOpCreate *self)
{
}
