/* From an operation to a reply. Holds the call while the registry works on it; the caller may leave
 * meanwhile, the work goes on. Main loop only.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "stm-call.h"

#include "stemma-error.h"
#include "stm-gate.h"
#include "stm-object-path.h"

typedef struct
{
  StmRegistry *registry;
  GDBusMethodInvocation *invocation;
  StmReply reply;
  StmOp *op;           /* NULL when a finding is resolved */
  StmJob *job;         /* from the moment that the intent is durable */
  StmGateJob *counted; /* until the job has ended */
  char *object_id;     /* the same; what the operation made, may be NULL */
} Call;

static void
call_free (Call *call)
{
  g_object_unref (call->registry);
  g_clear_object (&call->invocation);
  g_clear_object (&call->op);
  g_clear_object (&call->job);
  stm_gate_end_job (call->counted);
  g_free (call->object_id);
  g_free (call);
}

G_DEFINE_AUTOPTR_CLEANUP_FUNC (Call, call_free)

static Call *
call_new (StmRegistry *registry, GDBusMethodInvocation *invocation, StmOp *op,
          const StmReply *reply)
{
  Call *call = g_new0 (Call, 1);

  call->registry = g_object_ref (registry);
  call->invocation = invocation;
  call->reply = *reply;
  g_set_object (&call->op, op);
  return call;
}

void
stm_call_refuse (GDBusMethodInvocation *invocation, const GError *error)
{
  g_log_structured (G_LOG_DOMAIN, G_LOG_LEVEL_INFO, "STEMMA_SENDER",
                    g_dbus_method_invocation_get_sender (invocation), "STEMMA_OBJECT",
                    g_dbus_method_invocation_get_object_path (invocation), "MESSAGE",
                    "%s.%s fails: %s", g_dbus_method_invocation_get_interface_name (invocation),
                    g_dbus_method_invocation_get_method_name (invocation), error->message);
  if (error->domain == STEMMA_ERROR)
    g_dbus_method_invocation_return_gerror (invocation, error);
  else
    g_dbus_method_invocation_return_error_literal (invocation, STEMMA_ERROR, STEMMA_ERROR_FAILED,
                                                   error->message);
}

GVariant *
stm_reply_nothing (const StmDone *done)
{
  return g_variant_new ("()");
}

GVariant *
stm_reply_domain (const StmDone *done)
{
  g_autofree char *domain = stm_object_path_of_domain (done->object_id);

  return g_variant_new ("(o)", domain);
}

GVariant *
stm_reply_job (const StmDone *done)
{
  g_autofree char *job = stm_object_path_of_job (stm_job_get_number (done->job));

  return g_variant_new ("(o)", job);
}

GVariant *
stm_reply_moment_and_job (const StmDone *done)
{
  g_autofree char *job = stm_object_path_of_job (stm_job_get_number (done->job));
  g_autofree char *moment = stm_object_path_of_moment (stm_job_get_domain_id (done->job),
                                                       done->kind, done->object_id);

  return g_variant_new ("(oo)", moment, job);
}

static void
answer (Call *call)
{
  StmDone done = {
    .job = call->job,
    .op = call->op,
    .object_id = call->object_id,
    .kind = call->reply.kind,
  };

  g_dbus_method_invocation_return_value (g_steal_pointer (&call->invocation),
                                         call->reply.make (&done));
}

static void
on_ended (GObject *source, GAsyncResult *result, gpointer user_data)
{
  g_autoptr (Call) call = user_data;
  g_autoptr (GError) error = NULL;

  if (stm_registry_wait_finish (STM_REGISTRY (source), result, &error))
    answer (call);
  else
    stm_call_refuse (g_steal_pointer (&call->invocation), error);
}

static void
on_completed (StmJob *job, gpointer counted)
{
  g_signal_handlers_disconnect_by_func (job, on_completed, counted);
}

static void
end_counted (gpointer counted, GClosure *closure)
{
  stm_gate_end_job (counted);
}

/* The work outlives the call. */
static void
count_until_end (Call *call)
{
  if (!stm_job_is_ended (call->job))
    g_signal_connect_data (call->job, "completed", G_CALLBACK (on_completed),
                           g_steal_pointer (&call->counted), end_counted, 0);
}

/* The intent is durable, or it was refused. */
static void
go_on (Call *unowned_call, StmJob *job, const GError *error)
{
  g_autoptr (Call) call = unowned_call;

  if (job == NULL)
    stm_call_refuse (g_steal_pointer (&call->invocation), error);
  else if (call->reply.wait == STM_WAIT_FOR_END)
    {
      StmRegistry *registry = call->registry;

      stm_registry_wait_async (registry, job, on_ended, g_steal_pointer (&call));
    }
  else
    {
      count_until_end (call);
      answer (call);
    }
}

static void
on_submitted (GObject *source, GAsyncResult *result, gpointer user_data)
{
  Call *call = user_data;
  g_autoptr (GError) error = NULL;

  call->job = stm_registry_submit_finish (STM_REGISTRY (source), result, &call->object_id, &error);
  go_on (call, call->job, error);
}

static void
on_resolved (GObject *source, GAsyncResult *result, gpointer user_data)
{
  Call *call = user_data;
  g_autoptr (GError) error = NULL;

  call->job = stm_registry_resolve_finish (STM_REGISTRY (source), result, &error);
  go_on (call, call->job, error);
}

static void
on_planned (GObject *source, GAsyncResult *result, gpointer user_data)
{
  g_autoptr (Call) call = user_data;
  g_autoptr (GError) error = NULL;
  g_autoptr (StmPlan) plan = stm_registry_plan_finish (STM_REGISTRY (source), result, &error);
  g_autoptr (GVariant) rows = g_variant_ref_sink (plan != NULL ? stm_plan_to_rows (plan)
                                                               : stm_plan_refusal_to_rows (error));

  g_dbus_method_invocation_return_value (g_steal_pointer (&call->invocation),
                                         g_variant_new ("(@aa{sv})", rows));
}

void
stm_call_submit (StmRegistry *registry, GDBusMethodInvocation *invocation, StmOp *op,
                 const StmReply *reply)
{
  g_autoptr (GError) error = NULL;
  StmGateJob *counted = stm_gate_begin_job (invocation, &error);
  Call *call = NULL;

  if (counted == NULL)
    {
      stm_call_refuse (invocation, error);
      return;
    }

  call = call_new (registry, invocation, op, reply);
  call->counted = counted;
  stm_registry_submit_async (registry, op, stm_gate_get_caller (invocation), on_submitted, call);
}

void
stm_call_resolve (StmRegistry *registry, GDBusMethodInvocation *invocation, const char *finding_id,
                  const char *choice, StmWait wait)
{
  StmReply reply = { .make = stm_reply_job, .wait = wait };

  stm_registry_resolve_async (registry, finding_id, choice, stm_gate_get_caller (invocation),
                              on_resolved, call_new (registry, invocation, /* op= */ NULL, &reply));
}

void
stm_call_plan (StmRegistry *registry, GDBusMethodInvocation *invocation, StmOp *op)
{
  StmReply reply = { .make = stm_reply_nothing };

  stm_registry_plan_async (registry, op, on_planned, call_new (registry, invocation, op, &reply));
}
