/* The snapshots of a domain together: makes one, finds, lists and redefines them. Called by the
 * gate with calls that are allowed; the publisher sets the properties. Main loop only; keeps no
 * state of the model.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "stm-export-snapshots.h"

#include "stemma-error.h"
#include "stm-call.h"
#include "stm-create-options.h"
#include "stm-export.h"
#include "stm-moment-lookup.h"
#include "stm-moment-records.h"
#include "stm-moment-xml.h"
#include "stm-planner.h"

struct _StmExportSnapshots
{
  StemmaSnapshotsSkeleton parent_instance;

  StmMomentScope scope;
  StmListPages *pages;
};

static void stm_export_snapshots_iface_init (StemmaSnapshotsIface *iface);

G_DEFINE_FINAL_TYPE_WITH_CODE (StmExportSnapshots, stm_export_snapshots,
                               STEMMA_TYPE_SNAPSHOTS_SKELETON,
                               G_IMPLEMENT_INTERFACE (STEMMA_TYPE_SNAPSHOTS,
                                                      stm_export_snapshots_iface_init))

static const char *const mode_words[] = { "external", "internal", NULL };
static const char *const memory_words[] = { "none", "external", "internal", NULL };

static void
describe (GDBusInterfaceSkeleton *skeleton, GHashTable *details)
{
  stm_moment_scope_describe (&STM_EXPORT_SNAPSHOTS (skeleton)->scope, details);
}

StmExportSnapshots *
stm_export_snapshots_new (StmRegistry *registry, StmGate *gate, const char *domain_id)
{
  StmExportSnapshots *self = g_object_new (STM_TYPE_EXPORT_SNAPSHOTS, NULL);

  stm_moment_scope_init (&self->scope, registry, domain_id, STM_MOMENT_SNAPSHOT,
                         /* moment_id= */ NULL);
  self->pages = stm_list_pages_new ();
  stm_gate_attach (gate, G_DBUS_INTERFACE_SKELETON (self), describe);
  stm_export_snapshots_update (self);
  return self;
}

void
stm_export_snapshots_update (StmExportSnapshots *self)
{
  StemmaSnapshots *snapshots = STEMMA_SNAPSHOTS (self);
  const StmTree *tree = stm_moment_scope_get_tree (&self->scope);
  g_autofree char *current = stm_moment_scope_path_of (&self->scope, stm_tree_current (tree));

  stm_list_pages_forget (self->pages);
  stemma_snapshots_set_current (snapshots, current);
  stemma_snapshots_set_count (snapshots, stm_tree_count (tree));
}

/* Choices of Create that are words of the contract but need a machine that runs. */
static gboolean
check_create (guint memory, StmQuiesce quiesce, GError **error)
{
  if (!stm_quiesce_check (quiesce, error))
    return FALSE;
  if (memory == 0)
    return TRUE;

  g_set_error (
      error, STEMMA_ERROR, STEMMA_ERROR_NOT_SUPPORTED,
      "option 'memory': a machine that is off has no memory to keep; leave the option out");
  return FALSE;
}

/* What Create and PlanCreate take. A NULL name: it stands in the options. */
static StmOp *
read_create (StmExportSnapshots *self, const char *name, GVariant *arg_options, StmWait *out_wait,
             GError **error)
{
  g_autoptr (StmOptions) options = stm_options_new (arg_options);
  gboolean waits = stm_options_take_boolean (options, "wait");
  guint memory = stm_options_take_word (options, "memory", memory_words);
  StmQuiesce quiesce = stm_options_take_quiesce (options);
  const char *description = stm_options_take_string (options, "description",
                                                     STM_MAX_DESCRIPTION_BYTES);
  StmCreateRequest request = {
    .name = name != NULL ? name : stm_options_take_string (options, "name", STM_MAX_NAME_BYTES),
    .description = description != NULL ? description : "",
    .disks = stm_options_take_strings (options, "disks", STM_MAX_DISKS),
    .mode = stm_options_take_word (options, "mode", mode_words) > 0 ? STM_MODE_INTERNAL
                                                                    : STM_MODE_EXTERNAL,
    .checkpoint = stm_options_take_string (options, "checkpoint", STM_MAX_NAME_BYTES),
  };

  stm_options_refuse_boolean (options, "reuse-files",
                              "leave it out, and new overlay images are made");
  if (!stm_options_end (options, error) || !check_create (memory, quiesce, error))
    return NULL;
  if (request.name == NULL)
    request.name = "";
  if (*request.name != '\0' && !stm_moment_name_check (request.name, error))
    return NULL;

  *out_wait = waits ? STM_WAIT_FOR_END : STM_WAIT_FOR_INTENT;
  return stm_op_create_new (self->scope.domain_id, &request);
}

/* What CreateXML and PlanCreate take when the choices stand in a document. */
static StmOp *
read_document (StmExportSnapshots *self, const char *xml, GVariant *arg_options, StmWait *out_wait,
               GError **error)
{
  const StmModel *model = stm_registry_get_model (self->scope.registry);
  g_autoptr (StmOptions) options = stm_options_new (arg_options);
  gboolean waits = stm_options_take_boolean (options, "wait");
  g_autoptr (StmSnapshotXml) document = NULL;

  if (!stm_options_end (options, error))
    return NULL;
  document = stm_snapshot_xml_parse (xml, stm_model_get_domain (model, self->scope.domain_id),
                                     error);
  if (document == NULL)
    return NULL;

  *out_wait = waits ? STM_WAIT_FOR_END : STM_WAIT_FOR_INTENT;
  return stm_op_create_new (self->scope.domain_id, &(StmCreateRequest){
                                                       .name = document->name,
                                                       .description = document->description,
                                                       .choices = document->choices,
                                                       .n_choices = document->n_choices,
                                                   });
}

static gboolean
handle_create (StemmaSnapshots *snapshots, GDBusMethodInvocation *invocation, const char *name,
               GVariant *options)
{
  StmExportSnapshots *self = STM_EXPORT_SNAPSHOTS (snapshots);
  g_autoptr (GError) error = NULL;
  StmReply reply = { .make = stm_reply_moment_and_job, .kind = STM_MOMENT_SNAPSHOT };
  g_autoptr (StmOp) op = read_create (self, name, options, &reply.wait, &error);

  if (op == NULL)
    return stm_export_refuse (invocation, error);

  stm_call_submit (self->scope.registry, invocation, op, &reply);
  return TRUE;
}

static gboolean
handle_create_xml (StemmaSnapshots *snapshots, GDBusMethodInvocation *invocation, const char *xml,
                   GVariant *options)
{
  StmExportSnapshots *self = STM_EXPORT_SNAPSHOTS (snapshots);
  g_autoptr (GError) error = NULL;
  StmReply reply = { .make = stm_reply_moment_and_job, .kind = STM_MOMENT_SNAPSHOT };
  g_autoptr (StmOp) op = read_document (self, xml, options, &reply.wait, &error);

  if (op == NULL)
    return stm_export_refuse (invocation, error);

  stm_call_submit (self->scope.registry, invocation, op, &reply);
  return TRUE;
}

static gboolean
handle_plan_create (StemmaSnapshots *snapshots, GDBusMethodInvocation *invocation, const char *xml,
                    GVariant *options)
{
  StmExportSnapshots *self = STM_EXPORT_SNAPSHOTS (snapshots);
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
handle_redefine (StemmaSnapshots *snapshots, GDBusMethodInvocation *invocation, const char *xml,
                 GVariant *options)
{
  return stm_moments_redefine (&STM_EXPORT_SNAPSHOTS (snapshots)->scope, invocation, xml, options);
}

static gboolean
handle_redefine_all (StemmaSnapshots *snapshots, GDBusMethodInvocation *invocation,
                     const char *const *xmls, GVariant *options)
{
  return stm_moments_redefine_all (&STM_EXPORT_SNAPSHOTS (snapshots)->scope, invocation, xmls,
                                   options);
}

static gboolean
handle_redefine_from (StemmaSnapshots *snapshots, GDBusMethodInvocation *invocation,
                      GUnixFDList *descriptors, GVariant *documents, GVariant *options)
{
  return stm_moments_redefine_from (&STM_EXPORT_SNAPSHOTS (snapshots)->scope, invocation,
                                    descriptors, documents, options);
}

static gboolean
handle_forget_all (StemmaSnapshots *snapshots, GDBusMethodInvocation *invocation, GVariant *options)
{
  return stm_moments_forget_all (&STM_EXPORT_SNAPSHOTS (snapshots)->scope, invocation, options);
}

static gboolean
handle_find (StemmaSnapshots *snapshots, GDBusMethodInvocation *invocation, const char *name,
             GVariant *options)
{
  return stm_moments_find (&STM_EXPORT_SNAPSHOTS (snapshots)->scope, invocation, name, options);
}

static gboolean
handle_list (StemmaSnapshots *snapshots, GDBusMethodInvocation *invocation, GVariant *options)
{
  StmExportSnapshots *self = STM_EXPORT_SNAPSHOTS (snapshots);

  return stm_moments_list (&self->scope, self->pages, invocation, options);
}

static gboolean
handle_list_properties (StemmaSnapshots *snapshots, GDBusMethodInvocation *invocation,
                        GVariant *options)
{
  StmExportSnapshots *self = STM_EXPORT_SNAPSHOTS (snapshots);

  return stm_moments_list_properties (&self->scope, self->pages, invocation, options);
}

static void
stm_export_snapshots_finalize (GObject *object)
{
  StmExportSnapshots *self = STM_EXPORT_SNAPSHOTS (object);

  stm_moment_scope_clear (&self->scope);
  stm_list_pages_free (self->pages);
  G_OBJECT_CLASS (stm_export_snapshots_parent_class)->finalize (object);
}

static void
stm_export_snapshots_iface_init (StemmaSnapshotsIface *iface)
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
stm_export_snapshots_class_init (StmExportSnapshotsClass *klass)
{
  G_OBJECT_CLASS (klass)->finalize = stm_export_snapshots_finalize;
  stm_gate_install (G_DBUS_INTERFACE_SKELETON_CLASS (klass));
}

static void
stm_export_snapshots_init (StmExportSnapshots *self)
{
}
