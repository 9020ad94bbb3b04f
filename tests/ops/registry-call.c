/* Submits an operation, and waits for its job if it has one.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "registry-call.h"

static void
on_waited (GObject *source, GAsyncResult *result, gpointer user_data)
{
  RegistryCall *self = user_data;

  stm_registry_wait_finish (STM_REGISTRY (source), result, &self->error);
  self->is_over = TRUE;
}

static void
on_submitted (GObject *source, GAsyncResult *result, gpointer user_data)
{
  RegistryCall *self = user_data;
  StmRegistry *registry = STM_REGISTRY (source);
  g_autoptr (StmJob) job = stm_registry_submit_finish (registry, result, NULL, &self->error);

  if (job != NULL)
    stm_registry_wait_async (registry, job, on_waited, self);
  else
    self->is_over = TRUE;
}

void
registry_call_begin (RegistryCall *self, StmRegistry *registry, StmOp *taken_op)
{
  g_autoptr (StmOp) op = taken_op;

  stm_registry_submit_async (registry, op, &(StmCaller){ 0 }, on_submitted, self);
}

GError *
registry_call_end (RegistryCall *self)
{
  while (!self->is_over)
    g_main_context_iteration (NULL, TRUE);
  return g_steal_pointer (&self->error);
}

GError *
registry_run (StmRegistry *registry, StmOp *taken_op)
{
  RegistryCall call = { NULL };

  registry_call_begin (&call, registry, taken_op);
  return registry_call_end (&call);
}
