/* org.stemma1.Checkpoint for the time of one call: delete it, describe it. Made by the subtree of
 * the domain's checkpoints, called by the gate when the call is allowed; exported nowhere. Main
 * loop only; keeps no state of the model.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "stm-export-checkpoint.h"

#include "stm-moment-verbs.h"

struct _StmExportCheckpoint
{
  StemmaCheckpointSkeleton parent_instance;

  StmMomentScope scope;
};

static void stm_export_checkpoint_iface_init (StemmaCheckpointIface *iface);

G_DEFINE_FINAL_TYPE_WITH_CODE (StmExportCheckpoint, stm_export_checkpoint,
                               STEMMA_TYPE_CHECKPOINT_SKELETON,
                               G_IMPLEMENT_INTERFACE (STEMMA_TYPE_CHECKPOINT,
                                                      stm_export_checkpoint_iface_init))

static void
describe (GDBusInterfaceSkeleton *skeleton, GHashTable *details)
{
  stm_moment_scope_describe (&STM_EXPORT_CHECKPOINT (skeleton)->scope, details);
}

static gboolean
is_there (GDBusInterfaceSkeleton *skeleton)
{
  return stm_moment_scope_get_moment (&STM_EXPORT_CHECKPOINT (skeleton)->scope) != NULL;
}

StmExportCheckpoint *
stm_export_checkpoint_new (StmRegistry *registry, StmGate *gate, const char *domain_id,
                           const char *moment_id)
{
  StmExportCheckpoint *self = g_object_new (STM_TYPE_EXPORT_CHECKPOINT, NULL);

  stm_moment_scope_init (&self->scope, registry, domain_id, STM_MOMENT_CHECKPOINT, moment_id);
  stm_gate_attach_flyweight (gate, G_DBUS_INTERFACE_SKELETON (self), describe, is_there);
  return self;
}

static gboolean
handle_delete (StemmaCheckpoint *checkpoint, GDBusMethodInvocation *invocation, GVariant *options)
{
  return stm_moment_delete (&STM_EXPORT_CHECKPOINT (checkpoint)->scope, invocation, options);
}

static gboolean
handle_plan_delete (StemmaCheckpoint *checkpoint, GDBusMethodInvocation *invocation,
                    GVariant *options)
{
  return stm_moment_plan_delete (&STM_EXPORT_CHECKPOINT (checkpoint)->scope, invocation, options);
}

static gboolean
handle_set_description (StemmaCheckpoint *checkpoint, GDBusMethodInvocation *invocation,
                        const char *description, GVariant *options)
{
  return stm_moment_describe (&STM_EXPORT_CHECKPOINT (checkpoint)->scope, invocation, description,
                              options);
}

static gboolean
handle_get_xml (StemmaCheckpoint *checkpoint, GDBusMethodInvocation *invocation, GVariant *options)
{
  return stm_moment_get_xml (&STM_EXPORT_CHECKPOINT (checkpoint)->scope, invocation, options,
                             STM_XML_PUBLIC);
}

static gboolean
handle_get_secure_xml (StemmaCheckpoint *checkpoint, GDBusMethodInvocation *invocation,
                       GVariant *options)
{
  return stm_moment_get_xml (&STM_EXPORT_CHECKPOINT (checkpoint)->scope, invocation, options,
                             STM_XML_SECURE);
}

static void
stm_export_checkpoint_finalize (GObject *object)
{
  stm_moment_scope_clear (&STM_EXPORT_CHECKPOINT (object)->scope);
  G_OBJECT_CLASS (stm_export_checkpoint_parent_class)->finalize (object);
}

static void
stm_export_checkpoint_iface_init (StemmaCheckpointIface *iface)
{
  iface->handle_delete = handle_delete;
  iface->handle_plan_delete = handle_plan_delete;
  iface->handle_set_description = handle_set_description;
  iface->handle_get_xml = handle_get_xml;
  iface->handle_get_secure_xml = handle_get_secure_xml;
}

static void
stm_export_checkpoint_class_init (StmExportCheckpointClass *klass)
{
  G_OBJECT_CLASS (klass)->finalize = stm_export_checkpoint_finalize;
  stm_gate_install (G_DBUS_INTERFACE_SKELETON_CLASS (klass));
}

static void
stm_export_checkpoint_init (StmExportCheckpoint *self)
{
}
