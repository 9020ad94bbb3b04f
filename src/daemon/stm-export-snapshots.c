/* The snapshots of a domain together: makes one, finds and lists them. Called by the gate with
 * calls that are allowed; the publisher sets the properties. Main loop only; keeps no state of the
 * model.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "stm-export-snapshots.h"

#include "stemma-error.h"
#include "stm-call.h"
#include "stm-export.h"
#include "stm-moment-xml.h"
#include "stm-object-path.h"
#include "stm-options.h"
#include "stm-planner.h"
#include "stm-snapshot-list.h"

#define MAX_DISKS 256
#define MAX_STATES 16

struct _StmExportSnapshots
{
  StemmaSnapshotsSkeleton parent_instance;

  StmRegistry *registry;
  char *domain_id;
};

static void stm_export_snapshots_iface_init (StemmaSnapshotsIface *iface);

G_DEFINE_FINAL_TYPE_WITH_CODE (StmExportSnapshots, stm_export_snapshots,
                               STEMMA_TYPE_SNAPSHOTS_SKELETON,
                               G_IMPLEMENT_INTERFACE (STEMMA_TYPE_SNAPSHOTS,
                                                      stm_export_snapshots_iface_init))

static const char *const mode_words[] = { "external", "internal", NULL };
static const char *const memory_words[] = { "none", "external", "internal", NULL };
static const char *const quiesce_words[] = { "no", "try", "require", NULL };
/* In the order of StmLocation. */
static const char *const location_words[] = { "any", "internal", "external", "mixed", NULL };

static const StmTree *
get_tree (StmExportSnapshots *self)
{
  const StmModel *model = stm_registry_get_model (self->registry);

  return stm_model_tree (model, self->domain_id, STM_MOMENT_SNAPSHOT);
}

static void
describe (GDBusInterfaceSkeleton *skeleton, GHashTable *details)
{
  StmExportSnapshots *self = STM_EXPORT_SNAPSHOTS (skeleton);

  stm_export_describe (self->registry, self->domain_id, /* moment_id= */ NULL, details);
  g_hash_table_insert (details, g_strdup ("kind"), g_strdup ("snapshot"));
}

StmExportSnapshots *
stm_export_snapshots_new (StmRegistry *registry, StmGate *gate, const char *domain_id)
{
  StmExportSnapshots *self = g_object_new (STM_TYPE_EXPORT_SNAPSHOTS, NULL);

  self->registry = g_object_ref (registry);
  self->domain_id = g_strdup (domain_id);
  stm_gate_attach (gate, G_DBUS_INTERFACE_SKELETON (self), describe);
  stm_export_snapshots_update (self);
  return self;
}

void
stm_export_snapshots_update (StmExportSnapshots *self)
{
  StemmaSnapshots *snapshots = STEMMA_SNAPSHOTS (self);
  const StmTree *tree = get_tree (self);
  g_autofree char *current = stm_object_path_of_snapshot (self->domain_id, stm_tree_current (tree));

  stemma_snapshots_set_current (snapshots, current);
  stemma_snapshots_set_count (snapshots, stm_tree_count (tree));
}

/* Choices of Create that are words of the contract but need what is not here yet. */
static gboolean
take_unsupported (StmOptions *options, GError **error)
{
  guint mode = stm_options_take_word (options, "mode", mode_words);
  guint memory = stm_options_take_word (options, "memory", memory_words);
  guint quiesce = stm_options_take_word (options, "quiesce", quiesce_words);
  const char *checkpoint = stm_options_take_string (options, "checkpoint", STM_MAX_NAME_BYTES);

  stm_options_refuse_boolean (options, "reuse-files",
                              "leave it out, and new overlay images are made");
  if (!stm_options_end (options, error))
    return FALSE;
  if (g_str_equal (quiesce_words[quiesce], "require"))
    {
      g_set_error (error, STEMMA_ERROR, STEMMA_ERROR_WRONG_STATE,
                   "option 'quiesce': a machine that is off has nothing to bring to rest; leave "
                   "the option out");
      return FALSE;
    }
  if (mode > 0 || memory > 0 || checkpoint != NULL)
    {
      g_set_error (error, STEMMA_ERROR, STEMMA_ERROR_NOT_SUPPORTED,
                   "option '%s': this version makes external snapshots of machines that are off; "
                   "leave the option out",
                   mode > 0     ? "mode"
                   : memory > 0 ? "memory"
                                : "checkpoint");
      return FALSE;
    }
  return TRUE;
}

/* What Create and PlanCreate take. A NULL name: it stands in the options. */
static StmOp *
read_create (StmExportSnapshots *self, const char *name, GVariant *arg_options, StmWait *out_wait,
             GError **error)
{
  g_autoptr (StmOptions) options = stm_options_new (arg_options);
  gboolean waits = stm_options_take_boolean (options, "wait");
  const char *description = stm_options_take_string (options, "description",
                                                     STM_MAX_DESCRIPTION_BYTES);
  StmCreateRequest request = {
    .name = name != NULL ? name : stm_options_take_string (options, "name", STM_MAX_NAME_BYTES),
    .description = description != NULL ? description : "",
    .disks = stm_options_take_strings (options, "disks", MAX_DISKS),
  };

  if (!take_unsupported (options, error))
    return NULL;
  if (request.name == NULL)
    request.name = "";
  if (*request.name != '\0' && !stm_moment_name_check (request.name, error))
    return NULL;

  *out_wait = waits ? STM_WAIT_FOR_END : STM_WAIT_FOR_INTENT;
  return stm_op_create_new (self->domain_id, &request);
}

static gboolean
handle_create (StemmaSnapshots *snapshots, GDBusMethodInvocation *invocation, const char *name,
               GVariant *options)
{
  StmExportSnapshots *self = STM_EXPORT_SNAPSHOTS (snapshots);
  g_autoptr (GError) error = NULL;
  StmWait wait = STM_WAIT_FOR_INTENT;
  g_autoptr (StmOp) op = read_create (self, name, options, &wait, &error);

  if (op == NULL)
    return stm_export_refuse (invocation, error);

  stm_call_submit (self->registry, invocation, op, STM_REPLY_SNAPSHOT_AND_JOB, wait);
  return TRUE;
}

/* The choices stand in a document. */
static StmOp *
read_document (StmExportSnapshots *self, const char *xml, GVariant *options, GError **error)
{
  const StmModel *model = stm_registry_get_model (self->registry);
  g_autoptr (StmSnapshotXml) document = NULL;

  if (!stm_options_expect_none (options, error))
    return NULL;
  document = stm_snapshot_xml_parse (xml, stm_model_get_domain (model, self->domain_id), error);
  if (document == NULL)
    return NULL;

  return stm_op_create_new (self->domain_id, &(StmCreateRequest){
                                                 .name = document->name,
                                                 .description = document->description,
                                                 .choices = document->choices,
                                                 .n_choices = document->n_choices,
                                             });
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
    op = read_document (self, xml, options, &error);
  if (op == NULL)
    return stm_export_refuse (invocation, error);

  stm_call_plan (self->registry, invocation, op);
  return TRUE;
}

static gboolean
handle_find (StemmaSnapshots *snapshots, GDBusMethodInvocation *invocation, const char *name,
             GVariant *options)
{
  StmExportSnapshots *self = STM_EXPORT_SNAPSHOTS (snapshots);
  g_autofree char *path = NULL;
  g_autoptr (GError) error = NULL;
  const StmMoment *moment = NULL;

  if (!stm_options_expect_none (options, &error)
      || !stm_text_check ("name", name, STM_MAX_NAME_BYTES, &error))
    return stm_export_refuse (invocation, error);

  moment = stm_tree_find (get_tree (self), name);
  if (moment == NULL)
    {
      g_set_error (&error, STEMMA_ERROR, STEMMA_ERROR_NOT_FOUND,
                   "the domain has no snapshot of the name '%s'", name);
      return stm_export_refuse (invocation, error);
    }

  path = stm_object_path_of_snapshot (self->domain_id, moment->id);
  stemma_snapshots_complete_find (snapshots, invocation, path);
  return TRUE;
}

/* The id in an option that names a snapshot of this domain. */
static gboolean
read_snapshot (StmExportSnapshots *self, const char *key, const char *path, const char **out_id,
               GError **error)
{
  if (path == NULL)
    return TRUE;

  *out_id = stm_object_path_to_snapshot (path, self->domain_id);
  if (*out_id != NULL)
    return TRUE;

  g_set_error (error, STEMMA_ERROR, STEMMA_ERROR_NOT_FOUND,
               "option '%s' names no snapshot of this domain", key);
  return FALSE;
}

static gboolean
check_list (const StmListFilter *filter, GError **error)
{
  StmMomentState state = STM_STATE_SHUTOFF;

  if (filter->roots_only && filter->from != NULL)
    {
      g_set_error (error, STEMMA_ERROR, STEMMA_ERROR_INVALID_ARGUMENT,
                   "option 'roots' does not go with 'from': a snapshot below another is no root");
      return FALSE;
    }
  if (filter->takes_descendants && filter->from == NULL)
    {
      g_set_error (error, STEMMA_ERROR, STEMMA_ERROR_INVALID_ARGUMENT,
                   "option 'descendants' needs 'from'; without both all snapshots are listed");
      return FALSE;
    }
  for (gsize i = 0; filter->states != NULL && filter->states[i] != NULL; i++)
    {
      if (!stm_moment_state_from_word (filter->states[i], &state))
        {
          g_set_error (error, STEMMA_ERROR, STEMMA_ERROR_INVALID_ARGUMENT,
                       "option 'states': '%s' is no state of a snapshot", filter->states[i]);
          return FALSE;
        }
    }
  return TRUE;
}

static GPtrArray *
read_list (StmExportSnapshots *self, GVariant *arg_options, GError **error)
{
  g_autoptr (StmOptions) options = stm_options_new (arg_options);
  const char *from = stm_options_take_object_path (options, "from");
  const char *after = stm_options_take_object_path (options, "after");
  StmListFilter filter = {
    .roots_only = stm_options_take_boolean (options, "roots"),
    .leaves_only = stm_options_take_boolean (options, "leaves"),
    .takes_descendants = stm_options_take_boolean (options, "descendants"),
    .states = stm_options_take_strings (options, "states", MAX_STATES),
    .location = (StmLocation) stm_options_take_word (options, "location", location_words),
    .order = stm_options_take_boolean (options, "topological") ? STM_ORDER_TOPOLOGICAL
                                                               : STM_ORDER_CREATION,
    .limit = stm_options_take_uint32 (options, "limit"),
  };

  if (!stm_options_end (options, error) || !read_snapshot (self, "from", from, &filter.from, error)
      || !read_snapshot (self, "after", after, &filter.after, error)
      || !check_list (&filter, error))
    return NULL;

  return stm_snapshot_list (get_tree (self), &filter, error);
}

static gboolean
handle_list (StemmaSnapshots *snapshots, GDBusMethodInvocation *invocation, GVariant *options)
{
  StmExportSnapshots *self = STM_EXPORT_SNAPSHOTS (snapshots);
  g_autoptr (GError) error = NULL;
  g_autoptr (GPtrArray) list = read_list (self, options, &error);
  GVariantBuilder paths;

  if (list == NULL)
    return stm_export_refuse (invocation, error);

  g_variant_builder_init (&paths, G_VARIANT_TYPE_OBJECT_PATH_ARRAY);
  for (guint i = 0; i < list->len; i++)
    {
      const StmMoment *moment = g_ptr_array_index (list, i);
      g_autofree char *path = stm_object_path_of_snapshot (self->domain_id, moment->id);

      g_variant_builder_add (&paths, "o", path);
    }
  g_dbus_method_invocation_return_value (invocation, g_variant_new ("(ao)", &paths));
  return TRUE;
}

static void
stm_export_snapshots_dispose (GObject *object)
{
  StmExportSnapshots *self = STM_EXPORT_SNAPSHOTS (object);

  g_clear_object (&self->registry);
  G_OBJECT_CLASS (stm_export_snapshots_parent_class)->dispose (object);
}

static void
stm_export_snapshots_finalize (GObject *object)
{
  StmExportSnapshots *self = STM_EXPORT_SNAPSHOTS (object);

  g_free (self->domain_id);
  G_OBJECT_CLASS (stm_export_snapshots_parent_class)->finalize (object);
}

static void
stm_export_snapshots_iface_init (StemmaSnapshotsIface *iface)
{
  iface->handle_create = handle_create;
  iface->handle_plan_create = handle_plan_create;
  iface->handle_find = handle_find;
  iface->handle_list = handle_list;
}

static void
stm_export_snapshots_class_init (StmExportSnapshotsClass *klass)
{
  G_OBJECT_CLASS (klass)->dispose = stm_export_snapshots_dispose;
  G_OBJECT_CLASS (klass)->finalize = stm_export_snapshots_finalize;
  stm_gate_install (G_DBUS_INTERFACE_SKELETON_CLASS (klass));
}

static void
stm_export_snapshots_init (StmExportSnapshots *self)
{
}
