/* Edits what a snapshot or checkpoint is called: decided in core/stm-moment-edit.c.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "stm-op-private.h"

#include "stm-moment-edit.h"

#define STM_TYPE_OP_MOMENT_EDIT stm_op_moment_edit_get_type ()
G_DECLARE_FINAL_TYPE (StmOpMomentEdit, stm_op_moment_edit, STM, OP_MOMENT_EDIT, StmOp)

struct _StmOpMomentEdit
{
  StmOp parent_instance;

  StmMomentEdit edit; /* owns its strings */
};

G_DEFINE_FINAL_TYPE (StmOpMomentEdit, stm_op_moment_edit, STM_TYPE_OP)

static gboolean
prepare (StmOp *op, const StmModel *model, GPtrArray **out_images, GError **error)
{
  /* All that there is to refuse is refused by the plan, which follows at once. */
  *out_images = NULL;
  return TRUE;
}

static StmPlan *
plan (StmOp *op, const StmModel *model, const StmSurvey *survey, const StmPlanContext *context,
      GError **error)
{
  return stm_plan_moment_edit (model, stm_op_get_domain_id (op), &STM_OP_MOMENT_EDIT (op)->edit,
                               context, error);
}

StmOp *
stm_op_rename_moment_new (const char *domain_id, StmMomentKind kind, const char *moment_id,
                          const char *name)
{
  StmOpMomentEdit *self = g_object_new (STM_TYPE_OP_MOMENT_EDIT, NULL);

  stm_op_init_base (STM_OP (self), STM_OPERATION_RENAME, domain_id);
  self->edit = (StmMomentEdit){ .kind = kind,
                                .moment_id = g_strdup (moment_id),
                                .name = g_strdup (name) };
  return STM_OP (self);
}

StmOp *
stm_op_describe_moment_new (const char *domain_id, StmMomentKind kind, const char *moment_id,
                            const char *description)
{
  StmOpMomentEdit *self = g_object_new (STM_TYPE_OP_MOMENT_EDIT, NULL);

  stm_op_init_base (STM_OP (self), STM_OPERATION_DESCRIBE, domain_id);
  self->edit = (StmMomentEdit){ .kind = kind,
                                .moment_id = g_strdup (moment_id),
                                .description = g_strdup (description) };
  return STM_OP (self);
}

static void
stm_op_moment_edit_finalize (GObject *object)
{
  StmOpMomentEdit *self = STM_OP_MOMENT_EDIT (object);

  g_free ((char *) self->edit.moment_id);
  g_free ((char *) self->edit.name);
  g_free ((char *) self->edit.description);
  G_OBJECT_CLASS (stm_op_moment_edit_parent_class)->finalize (object);
}

static void
stm_op_moment_edit_class_init (StmOpMomentEditClass *class)
{
  G_OBJECT_CLASS (class)->finalize = stm_op_moment_edit_finalize;
  STM_OP_CLASS (class)->prepare = prepare;
  STM_OP_CLASS (class)->plan = plan;
}

static void
stm_op_moment_edit_init (StmOpMomentEdit *self)
{
}
