/* The checkpoints of a domain together: begins one, finds, lists and redefines them. Called by the
 * gate with calls that are allowed; the publisher sets the properties. Main loop only; keeps no
 * state of the model.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "stm-export-checkpoints.h"

#include "stm-call.h"
#include "stm-create-options.h"
#include "stm-export.h"
#include "stm-moment-lookup.h"
#include "stm-moment-records.h"
#include "stm-moment-xml.h"

struct _StmExportCheckpoints
{
  StemmaCheckpointsSkeleton parent_instance;

  StmMomentScope scope;
  StmListPages *pages;
};

static void stm_export_checkpoints_iface_init (StemmaCheckpointsIface *iface);

G_DEFINE_FINAL_TYPE_WITH_CODE (StmExportCheckpoints, stm_export_checkpoints,
                               STEMMA_TYPE_CHECKPOINTS_SKELETON,
                               G_IMPLEMENT_INTERFACE (STEMMA_TYPE_CHECKPOINTS,
                                                      stm_export_checkpoints_iface_init))

static void
describe (GDBusInterfaceSkeleton *skeleton, GHashTable *details)
{
  stm_moment_scope_describe (&STM_EXPORT_CHECKPOINTS (skeleton)->scope, details);
}

StmExportCheckpoints *
stm_export_checkpoints_new (StmRegistry *registry, StmGate *gate, const char *domain_id)
{
  StmExportCheckpoints *self = g_object_new (STM_TYPE_EXPORT_CHECKPOINTS, NULL);

  stm_moment_scope_init (&self->scope, registry, domain_id, STM_MOMENT_CHECKPOINT,
                         /* moment_id= */ NULL);
  self->pages = stm_list_pages_new ();
  stm_gate_attach (gate, G_DBUS_INTERFACE_SKELETON (self), describe);
  stm_export_checkpoints_update (self);
  return self;
}

void
stm_export_checkpoints_update (StmExportCheckpoints *self)
{
  StemmaCheckpoints *checkpoints = STEMMA_CHECKPOINTS (self);
  const StmModel *model = stm_registry_get_model (self->scope.registry);
  const char *leaf = stm_model_lone_leaf (model, self->scope.domain_id, /* out_n_leaves= */ NULL);
  g_autofree char *path = stm_moment_scope_path_of (&self->scope, leaf);

  stm_list_pages_forget (self->pages);
  stemma_checkpoints_set_leaf (checkpoints, path);
  stemma_checkpoints_set_count (checkpoints,
                                stm_tree_count (stm_moment_scope_get_tree (&self->scope)));
}

/* What Create and PlanCreate take. A NULL name: it stands in the options. */
static StmOp *
read_create (StmExportCheckpoints *self, const char *name, GVariant *arg_options, StmWait *out_wait,
             GError **error)
{
  g_autoptr (StmOptions) options = stm_options_new (arg_options);
  gboolean waits = stm_options_take_boolean (options, "wait");
  StmQuiesce quiesce = stm_options_take_quiesce (options);
  const char *parent = stm_options_take_object_path (options, "parent");
  const char *description = stm_options_take_string (options, "description",
                                                     STM_MAX_DESCRIPTION_BYTES);
  StmCreateCheckpointRequest request = {
    .name = name != NULL ? name : stm_options_take_string (options, "name", STM_MAX_NAME_BYTES),
    .description = description != NULL ? description : "",
    .disks = stm_options_take_strings (options, "disks", STM_MAX_DISKS),
  };

  /* Of a machine that is off everything is on the disk when the job ends, asked for or not. */
  stm_options_take_boolean (options, "durable");
  if (!stm_options_end (options, error) || !stm_quiesce_check (quiesce, error)
      || !stm_moments_read_path (&self->scope, "parent", parent, &request.parent_id, error))
    return NULL;
  if (request.name == NULL)
    request.name = "";

  *out_wait = waits ? STM_WAIT_FOR_END : STM_WAIT_FOR_INTENT;
  return stm_op_create_checkpoint_new (self->scope.domain_id, &request);
}

/* What CreateXML and PlanCreate take when the choices stand in a document. */
static StmOp *
read_document (StmExportCheckpoints *self, const char *xml, GVariant *arg_options,
               StmWait *out_wait, GError **error)
{
  const StmModel *model = stm_registry_get_model (self->scope.registry);
  g_autoptr (StmOptions) options = stm_options_new (arg_options);
  gboolean waits = stm_options_take_boolean (options, "wait");
  const char *parent = stm_options_take_object_path (options, "parent");
  StmCreateCheckpointRequest request = { NULL };
  g_autoptr (StmCheckpointXml) document = NULL;

  if (!stm_options_end (options, error)
      || !stm_moments_read_path (&self->scope, "parent", parent, &request.parent_id, error))
    return NULL;
  document = stm_checkpoint_xml_parse (xml, stm_model_get_domain (model, self->scope.domain_id),
                                       error);
  if (document == NULL)
    return NULL;

  request.name = document->name;
  request.description = document->description;
  request.disks = (const char *const *) document->disks;
  *out_wait = waits ? STM_WAIT_FOR_END : STM_WAIT_FOR_INTENT;
  return stm_op_create_checkpoint_new (self->scope.domain_id, &request);
}

static gboolean
handle_create (StemmaCheckpoints *checkpoints, GDBusMethodInvocation *invocation, const char *name,
               GVariant *options)
{
  StmExportCheckpoints *self = STM_EXPORT_CHECKPOINTS (checkpoints);
  g_autoptr (GError) error = NULL;
  StmReply reply = { .make = stm_reply_moment_and_job, .kind = STM_MOMENT_CHECKPOINT };
  g_autoptr (StmOp) op = read_create (self, name, options, &reply.wait, &error);

  if (op == NULL)
    return stm_export_refuse (invocation, error);

  stm_call_submit (self->scope.registry, invocation, op, &reply);
  return TRUE;
}

static gboolean
handle_create_xml (StemmaCheckpoints *checkpoints, GDBusMethodInvocation *invocation,
                   const char *xml, GVariant *options)
{
  StmExportCheckpoints *self = STM_EXPORT_CHECKPOINTS (checkpoints);
  g_autoptr (GError) error = NULL;
  StmReply reply = { .make = stm_reply_moment_and_job, .kind = STM_MOMENT_CHECKPOINT };
  g_autoptr (StmOp) op = read_document (self, xml, options, &reply.wait, &error);

  if (op == NULL)
    return stm_export_refuse (invocation, error);

  stm_call_submit (self->scope.registry, invocation, op, &reply);
  return TRUE;
}

static gboolean
handle_plan_create (StemmaCheckpoints *checkpoints, GDBusMethodInvocation *invocation,
                    const char *xml, GVariant *options)
{
  StmExportCheckpoints *self = STM_EXPORT_CHECKPOINTS (checkpoints);
  g_autoptr (GError) error = NULL;
  g_autoptr (StmOp) op = NULL;
  StmWait wait = STM_WAIT_FOR_INTENT;

  if (*xml == '\0')
    op = read_create (self, /* name= */ NULL, options, &wait, &error);
  else
    op = read_document (self, xml, options, &wait, &error);
  if (op == NULL)
    return stm_export_refuse (invocation, error);

  stm_call_plan (self->scope.registry, invocation, op);
  return TRUE;
}

static gboolean
handle_redefine (StemmaCheckpoints *checkpoints, GDBusMethodInvocation *invocation, const char *xml,
                 GVariant *options)
{
  return stm_moments_redefine (&STM_EXPORT_CHECKPOINTS (checkpoints)->scope, invocation, xml,
                               options);
}

static gboolean
handle_redefine_all (StemmaCheckpoints *checkpoints, GDBusMethodInvocation *invocation,
                     const char *const *xmls, GVariant *options)
{
  return stm_moments_redefine_all (&STM_EXPORT_CHECKPOINTS (checkpoints)->scope, invocation, xmls,
                                   options);
}

static gboolean
handle_redefine_from (StemmaCheckpoints *checkpoints, GDBusMethodInvocation *invocation,
                      GUnixFDList *descriptors, GVariant *documents, GVariant *options)
{
  return stm_moments_redefine_from (&STM_EXPORT_CHECKPOINTS (checkpoints)->scope, invocation,
                                    descriptors, documents, options);
}

static gboolean
handle_forget_all (StemmaCheckpoints *checkpoints, GDBusMethodInvocation *invocation,
                   GVariant *options)
{
  return stm_moments_forget_all (&STM_EXPORT_CHECKPOINTS (checkpoints)->scope, invocation, options);
}

static gboolean
handle_find (StemmaCheckpoints *checkpoints, GDBusMethodInvocation *invocation, const char *name,
             GVariant *options)
{
  return stm_moments_find (&STM_EXPORT_CHECKPOINTS (checkpoints)->scope, invocation, name, options);
}

static gboolean
handle_list (StemmaCheckpoints *checkpoints, GDBusMethodInvocation *invocation, GVariant *options)
{
  StmExportCheckpoints *self = STM_EXPORT_CHECKPOINTS (checkpoints);

  return stm_moments_list (&self->scope, self->pages, invocation, options);
}

static gboolean
handle_list_properties (StemmaCheckpoints *checkpoints, GDBusMethodInvocation *invocation,
                        GVariant *options)
{
  StmExportCheckpoints *self = STM_EXPORT_CHECKPOINTS (checkpoints);

  return stm_moments_list_properties (&self->scope, self->pages, invocation, options);
}

static void
stm_export_checkpoints_finalize (GObject *object)
{
  StmExportCheckpoints *self = STM_EXPORT_CHECKPOINTS (object);

  stm_moment_scope_clear (&self->scope);
  stm_list_pages_free (self->pages);
  G_OBJECT_CLASS (stm_export_checkpoints_parent_class)->finalize (object);
}

static void
stm_export_checkpoints_iface_init (StemmaCheckpointsIface *iface)
{
  iface->handle_create = handle_create;
  iface->handle_create_xml = handle_create_xml;
  iface->handle_plan_create = handle_plan_create;
  iface->handle_redefine = handle_redefine;
  iface->handle_redefine_all = handle_redefine_all;
  iface->handle_redefine_from = handle_redefine_from;
  iface->handle_forget_all = handle_forget_all;
  iface->handle_find = handle_find;
  iface->handle_list = handle_list;
  iface->handle_list_properties = handle_list_properties;
}

static void
stm_export_checkpoints_class_init (StmExportCheckpointsClass *klass)
{
  G_OBJECT_CLASS (klass)->finalize = stm_export_checkpoints_finalize;
  stm_gate_install (G_DBUS_INTERFACE_SKELETON_CLASS (klass));
}

static void
stm_export_checkpoints_init (StmExportCheckpoints *self)
{
}
