/* Edits what a domain is called: its name, its description. Touches no image.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "stm-op-private.h"

#include "stemma-error.h"

#define STM_TYPE_OP_EDIT stm_op_edit_get_type ()
G_DECLARE_FINAL_TYPE (StmOpEdit, stm_op_edit, STM, OP_EDIT, StmOp)

struct _StmOpEdit
{
  StmOp parent_instance;

  char *name;        /* NULL: stays */
  char *description; /* NULL: stays */
};

G_DEFINE_FINAL_TYPE (StmOpEdit, stm_op_edit, STM_TYPE_OP)

static gboolean
prepare (StmOp *op, const StmModel *model, GPtrArray **out_images, GError **error)
{
  StmOpEdit *self = STM_OP_EDIT (op);
  const char *id = stm_op_get_domain_id (op);

  *out_images = NULL;
  if (self->name != NULL && !stm_domain_name_check (self->name, error))
    return FALSE;
  if (stm_model_get_domain (model, id) != NULL)
    return TRUE;
  g_set_error (error, STEMMA_ERROR, STEMMA_ERROR_NOT_FOUND, "there is no domain %s any more", id);
  return FALSE;
}

static StmPlan *
plan (StmOp *op, const StmModel *model, const StmSurvey *survey, const StmPlanContext *context,
      GError **error)
{
  StmOpEdit *self = STM_OP_EDIT (op);
  const StmDomain *present = stm_model_get_domain (model, stm_op_get_domain_id (op));
  g_autoptr (StmPlan) plan = NULL;
  g_autoptr (StmDomain) domain = NULL;
  StmDomain init;

  if (present == NULL)
    {
      g_set_error (error, STEMMA_ERROR, STEMMA_ERROR_NOT_FOUND, "there is no domain %s any more",
                   stm_op_get_domain_id (op));
      return NULL;
    }
  init = *present;
  if (self->name != NULL)
    init.name = self->name;
  if (self->description != NULL)
    init.description = self->description;
  plan = stm_plan_new (stm_op_get_operation (op), context->plan_id, present->id);
  if (g_str_equal (init.name, present->name)
      && g_str_equal (init.description, present->description))
    return g_steal_pointer (&plan);
  domain = stm_domain_new (&init);
  stm_change_set_domain (plan->finish, domain);
  return g_steal_pointer (&plan);
}

StmOp *
stm_op_rename_domain_new (const char *domain_id, const char *name)
{
  StmOpEdit *self = g_object_new (STM_TYPE_OP_EDIT, NULL);

  stm_op_init_base (STM_OP (self), STM_OPERATION_RENAME, domain_id);
  self->name = g_strdup (name);
  return STM_OP (self);
}

StmOp *
stm_op_describe_domain_new (const char *domain_id, const char *description)
{
  StmOpEdit *self = g_object_new (STM_TYPE_OP_EDIT, NULL);

  stm_op_init_base (STM_OP (self), STM_OPERATION_DESCRIBE, domain_id);
  self->description = g_strdup (description);
  return STM_OP (self);
}

static void
stm_op_edit_finalize (GObject *object)
{
  StmOpEdit *self = STM_OP_EDIT (object);

  g_free (self->name);
  g_free (self->description);
  G_OBJECT_CLASS (stm_op_edit_parent_class)->finalize (object);
}

static void
stm_op_edit_class_init (StmOpEditClass *class)
{
  G_OBJECT_CLASS (class)->finalize = stm_op_edit_finalize;
  STM_OP_CLASS (class)->prepare = prepare;
  STM_OP_CLASS (class)->plan = plan;
}

static void
stm_op_edit_init (StmOpEdit *self)
{
}
