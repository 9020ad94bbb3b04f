/* The base of all operations: what they are about. Main loop but for `look`; holds no state of the
 * service.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "stm-op.h"

#include "stm-op-private.h"

typedef struct
{
  StmOperation operation;
  char *domain_id;
} StmOpPrivate;

G_DEFINE_ABSTRACT_TYPE_WITH_PRIVATE (StmOp, stm_op, G_TYPE_OBJECT)

void
stm_op_init_base (StmOp *self, StmOperation operation, const char *domain_id)
{
  StmOpPrivate *private = stm_op_get_instance_private (self);

  private->operation = operation;
  g_free (private->domain_id);
  private->domain_id = g_strdup (domain_id);
}

StmOperation
stm_op_get_operation (StmOp *self)
{
  StmOpPrivate *private = stm_op_get_instance_private (self);

  return private->operation;
}

const char *
stm_op_get_domain_id (StmOp *self)
{
  StmOpPrivate *private = stm_op_get_instance_private (self);

  return private->domain_id;
}

static void
stm_op_finalize (GObject *object)
{
  StmOpPrivate *private = stm_op_get_instance_private (STM_OP (object));

  g_free (private->domain_id);
  G_OBJECT_CLASS (stm_op_parent_class)->finalize (object);
}

static void
stm_op_class_init (StmOpClass *class)
{
  G_OBJECT_CLASS (class)->finalize = stm_op_finalize;
}

static void
stm_op_init (StmOp *self)
{
}
