/* org.stemma1.Snapshot for the time of one call: return to it, delete it, name it. Made by the
 * subtree of the domain's snapshots, called by the gate when the call is allowed; exported nowhere.
 * Main loop only; keeps no state of the model.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "stm-export-snapshot.h"

#include "stemma-error.h"
#include "stm-call.h"
#include "stm-export.h"
#include "stm-moment-verbs.h"
#include "stm-options.h"
#include "stm-planner.h"

struct _StmExportSnapshot
{
  StemmaSnapshotSkeleton parent_instance;

  StmMomentScope scope;
};

static void stm_export_snapshot_iface_init (StemmaSnapshotIface *iface);

G_DEFINE_FINAL_TYPE_WITH_CODE (StmExportSnapshot, stm_export_snapshot,
                               STEMMA_TYPE_SNAPSHOT_SKELETON,
                               G_IMPLEMENT_INTERFACE (STEMMA_TYPE_SNAPSHOT,
                                                      stm_export_snapshot_iface_init))

static const char *const state_words[] = { "shutoff", "running", "paused", NULL };

/* What Revert and PlanRevert take. */
static StmOp *
read_revert (StmExportSnapshot *self, GVariant *arg_options, StmWait *out_wait, GError **error)
{
  g_autoptr (StmOptions) options = stm_options_new (arg_options);
  gboolean waits = stm_options_take_boolean (options, "wait");
  guint state = stm_options_take_word (options, "state", state_words);
  StmRevertRequest request = {
    .moment_id = self->scope.moment_id,
    .keep = stm_options_take_string (options, "keep", STM_MAX_NAME_BYTES),
    .discards = stm_options_take_boolean (options, "discard"),
    .forces = stm_options_take_boolean (options, "force"),
  };

  stm_options_refuse_boolean (options, "reset-nvram", "leave it out; the NVRAM stays as it is");
  if (!stm_options_end (options, error))
    return NULL;
  if (state > 0)
    {
      g_set_error (error, STEMMA_ERROR, STEMMA_ERROR_NOT_SUPPORTED,
                   "option 'state': this version starts no machines; leave the option out and "
                   "start the machine afterwards");
      return NULL;
    }
  if (request.keep != NULL && request.discards)
    {
      g_set_error (error, STEMMA_ERROR, STEMMA_ERROR_INVALID_ARGUMENT,
                   "options 'keep' and 'discard' say opposite things of the state being left");
      return NULL;
    }
  if (request.keep != NULL && *request.keep != '\0' && !stm_moment_name_check (request.keep, error))
    return NULL;

  *out_wait = waits ? STM_WAIT_FOR_END : STM_WAIT_FOR_INTENT;
  return stm_op_revert_new (self->scope.domain_id, &request);
}

static void
describe (GDBusInterfaceSkeleton *skeleton, GHashTable *details)
{
  stm_moment_scope_describe (&STM_EXPORT_SNAPSHOT (skeleton)->scope, details);
}

static gboolean
is_there (GDBusInterfaceSkeleton *skeleton)
{
  return stm_moment_scope_get_moment (&STM_EXPORT_SNAPSHOT (skeleton)->scope) != NULL;
}

StmExportSnapshot *
stm_export_snapshot_new (StmRegistry *registry, StmGate *gate, const char *domain_id,
                         const char *moment_id)
{
  StmExportSnapshot *self = g_object_new (STM_TYPE_EXPORT_SNAPSHOT, NULL);

  stm_moment_scope_init (&self->scope, registry, domain_id, STM_MOMENT_SNAPSHOT, moment_id);
  stm_gate_attach_flyweight (gate, G_DBUS_INTERFACE_SKELETON (self), describe, is_there);
  return self;
}

static gboolean
handle_revert (StemmaSnapshot *snapshot, GDBusMethodInvocation *invocation, GVariant *options)
{
  StmExportSnapshot *self = STM_EXPORT_SNAPSHOT (snapshot);
  g_autoptr (GError) error = NULL;
  StmReply reply = { .make = stm_reply_job };
  g_autoptr (StmOp) op = read_revert (self, options, &reply.wait, &error);

  if (op == NULL)
    return stm_export_refuse (invocation, error);

  stm_call_submit (self->scope.registry, invocation, op, &reply);
  return TRUE;
}

static gboolean
handle_plan_revert (StemmaSnapshot *snapshot, GDBusMethodInvocation *invocation, GVariant *options)
{
  StmExportSnapshot *self = STM_EXPORT_SNAPSHOT (snapshot);
  g_autoptr (GError) error = NULL;
  StmWait wait = STM_WAIT_FOR_INTENT;
  g_autoptr (StmOp) op = read_revert (self, options, &wait, &error);

  if (op == NULL)
    return stm_export_refuse (invocation, error);

  stm_call_plan (self->scope.registry, invocation, op);
  return TRUE;
}

static gboolean
handle_delete (StemmaSnapshot *snapshot, GDBusMethodInvocation *invocation, GVariant *options)
{
  return stm_moment_delete (&STM_EXPORT_SNAPSHOT (snapshot)->scope, invocation, options);
}

static gboolean
handle_plan_delete (StemmaSnapshot *snapshot, GDBusMethodInvocation *invocation, GVariant *options)
{
  return stm_moment_plan_delete (&STM_EXPORT_SNAPSHOT (snapshot)->scope, invocation, options);
}

static gboolean
handle_rename (StemmaSnapshot *snapshot, GDBusMethodInvocation *invocation, const char *name,
               GVariant *options)
{
  return stm_moment_rename (&STM_EXPORT_SNAPSHOT (snapshot)->scope, invocation, name, options);
}

static gboolean
handle_set_description (StemmaSnapshot *snapshot, GDBusMethodInvocation *invocation,
                        const char *description, GVariant *options)
{
  return stm_moment_describe (&STM_EXPORT_SNAPSHOT (snapshot)->scope, invocation, description,
                              options);
}

static gboolean
handle_get_xml (StemmaSnapshot *snapshot, GDBusMethodInvocation *invocation, GVariant *options)
{
  return stm_moment_get_xml (&STM_EXPORT_SNAPSHOT (snapshot)->scope, invocation, options,
                             STM_XML_PUBLIC);
}

static gboolean
handle_get_secure_xml (StemmaSnapshot *snapshot, GDBusMethodInvocation *invocation,
                       GVariant *options)
{
  return stm_moment_get_xml (&STM_EXPORT_SNAPSHOT (snapshot)->scope, invocation, options,
                             STM_XML_SECURE);
}

static void
stm_export_snapshot_finalize (GObject *object)
{
  stm_moment_scope_clear (&STM_EXPORT_SNAPSHOT (object)->scope);
  G_OBJECT_CLASS (stm_export_snapshot_parent_class)->finalize (object);
}

static void
stm_export_snapshot_iface_init (StemmaSnapshotIface *iface)
{
  iface->handle_revert = handle_revert;
  iface->handle_plan_revert = handle_plan_revert;
  iface->handle_delete = handle_delete;
  iface->handle_plan_delete = handle_plan_delete;
  iface->handle_rename = handle_rename;
  iface->handle_set_description = handle_set_description;
  iface->handle_get_xml = handle_get_xml;
  iface->handle_get_secure_xml = handle_get_secure_xml;
}

static void
stm_export_snapshot_class_init (StmExportSnapshotClass *klass)
{
  G_OBJECT_CLASS (klass)->finalize = stm_export_snapshot_finalize;
  stm_gate_install (G_DBUS_INTERFACE_SKELETON_CLASS (klass));
}

static void
stm_export_snapshot_init (StmExportSnapshot *self)
{
}
