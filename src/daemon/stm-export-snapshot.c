/* One snapshot: return to it, delete it. Called by the gate with calls that are allowed; the
 * publisher sets the properties. Main loop only; keeps no state of the model but the value that it
 * shows.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "stm-export-snapshot.h"

#include "stemma-error.h"
#include "stm-call.h"
#include "stm-export.h"
#include "stm-object-path.h"
#include "stm-options.h"
#include "stm-planner.h"
#include "stm-snapshot-list.h"

struct _StmExportSnapshot
{
  StemmaSnapshotSkeleton parent_instance;

  StmRegistry *registry;
  char *domain_id;
  char *moment_id;
  StmMoment *shown;
};

static void stm_export_snapshot_iface_init (StemmaSnapshotIface *iface);

G_DEFINE_FINAL_TYPE_WITH_CODE (StmExportSnapshot, stm_export_snapshot,
                               STEMMA_TYPE_SNAPSHOT_SKELETON,
                               G_IMPLEMENT_INTERFACE (STEMMA_TYPE_SNAPSHOT,
                                                      stm_export_snapshot_iface_init))

static const char *const state_words[] = { "shutoff", "running", "paused", NULL };

static void
describe (GDBusInterfaceSkeleton *skeleton, GHashTable *details)
{
  StmExportSnapshot *self = STM_EXPORT_SNAPSHOT (skeleton);

  stm_export_describe (self->registry, self->domain_id, self->moment_id, details);
}

StmExportSnapshot *
stm_export_snapshot_new (StmRegistry *registry, StmGate *gate, const char *domain_id,
                         const char *moment_id)
{
  StmExportSnapshot *self = g_object_new (STM_TYPE_EXPORT_SNAPSHOT, NULL);

  self->registry = g_object_ref (registry);
  self->domain_id = g_strdup (domain_id);
  self->moment_id = g_strdup (moment_id);
  stm_gate_attach (gate, G_DBUS_INTERFACE_SKELETON (self), describe);
  stm_export_snapshot_update (self);
  return self;
}

static void
add_text (GVariantBuilder *row, const char *key, const char *text)
{
  if (text != NULL)
    g_variant_builder_add (row, "{sv}", key, g_variant_new_string (text));
}

static GVariant *
disks_to_rows (const StmMoment *moment)
{
  GVariantBuilder rows;

  g_variant_builder_init (&rows, G_VARIANT_TYPE ("aa{sv}"));
  for (gsize i = 0; i < moment->n_disks; i++)
    {
      const StmMomentDisk *disk = &moment->disks[i];

      g_variant_builder_open (&rows, G_VARIANT_TYPE_VARDICT);
      add_text (&rows, "target", disk->target);
      add_text (&rows, "mode", stm_disk_mode_to_word (disk->mode));
      add_text (&rows, "frozen", disk->frozen);
      add_text (&rows, "overlay", disk->overlay);
      add_text (&rows, "format", disk->format);
      add_text (&rows, "tag", disk->tag);
      g_variant_builder_close (&rows);
    }
  return g_variant_builder_end (&rows);
}

static void
update_links (StmExportSnapshot *self, const StmTree *tree, const StmMoment *moment)
{
  StemmaSnapshot *snapshot = STEMMA_SNAPSHOT (self);
  g_autofree char *domain = stm_object_path_of_domain (self->domain_id);
  g_autofree char *parent = stm_object_path_of_snapshot (self->domain_id, moment->parent);

  stemma_snapshot_set_domain (snapshot, domain);
  stemma_snapshot_set_parent (snapshot, parent);
  stemma_snapshot_set_child_count (snapshot, stm_tree_n_children (tree, moment->id));
  stemma_snapshot_set_current (snapshot, g_strcmp0 (stm_tree_current (tree), moment->id) == 0);
}

void
stm_export_snapshot_update (StmExportSnapshot *self)
{
  StemmaSnapshot *snapshot = STEMMA_SNAPSHOT (self);
  const StmTree *tree = stm_model_tree (stm_registry_get_model (self->registry), self->domain_id,
                                        STM_MOMENT_SNAPSHOT);
  const StmMoment *moment = stm_tree_get (tree, self->moment_id);

  update_links (self, tree, moment);
  stemma_snapshot_set_name (snapshot, moment->name);
  stemma_snapshot_set_description (snapshot, moment->description);
  stemma_snapshot_set_creation_time (snapshot, (guint64) MAX (moment->created, 0));
  stemma_snapshot_set_state (snapshot, stm_moment_state_to_word (moment->state));
  /* No moment of this model has memory, or was taken of a machine that could be brought to rest. */
  stemma_snapshot_set_memory (snapshot, "none");
  stemma_snapshot_set_quiesced (snapshot, "no");
  stemma_snapshot_set_location (snapshot, stm_location_to_word (stm_moment_get_location (moment)));
  stemma_snapshot_set_disks (snapshot, disks_to_rows (moment));
  stemma_snapshot_set_has_definition (snapshot, moment->definition != NULL);
  stemma_snapshot_set_health (snapshot, stm_health_to_word (moment->health));
  g_clear_pointer (&self->shown, stm_moment_unref);
  self->shown = stm_moment_ref (moment);
}

const StmMoment *
stm_export_snapshot_get_shown (StmExportSnapshot *self)
{
  return self->shown;
}

/* What Revert and PlanRevert take. */
static StmOp *
read_revert (StmExportSnapshot *self, GVariant *arg_options, StmWait *out_wait, GError **error)
{
  g_autoptr (StmOptions) options = stm_options_new (arg_options);
  gboolean waits = stm_options_take_boolean (options, "wait");
  guint state = stm_options_take_word (options, "state", state_words);
  StmRevertRequest request = {
    .moment_id = self->moment_id,
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
  return stm_op_revert_new (self->domain_id, &request);
}

static gboolean
handle_revert (StemmaSnapshot *snapshot, GDBusMethodInvocation *invocation, GVariant *options)
{
  StmExportSnapshot *self = STM_EXPORT_SNAPSHOT (snapshot);
  g_autoptr (GError) error = NULL;
  StmWait wait = STM_WAIT_FOR_INTENT;
  g_autoptr (StmOp) op = read_revert (self, options, &wait, &error);

  if (op == NULL)
    return stm_export_refuse (invocation, error);

  stm_call_submit (self->registry, invocation, op, STM_REPLY_JOB, wait);
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

  stm_call_plan (self->registry, invocation, op);
  return TRUE;
}

/* What Delete and PlanDelete take. */
static StmOp *
read_delete (StmExportSnapshot *self, GVariant *arg_options, StmWait *out_wait, GError **error)
{
  g_autoptr (StmOptions) options = stm_options_new (arg_options);
  gboolean waits = stm_options_take_boolean (options, "wait");
  gboolean with_children = stm_options_take_boolean (options, "children");
  gboolean children_only = stm_options_take_boolean (options, "children-only");
  StmDeleteRequest request = {
    .moment_id = self->moment_id,
    .scope = children_only   ? STM_DELETE_CHILDREN
             : with_children ? STM_DELETE_SUBTREE
                             : STM_DELETE_ONE,
    .metadata_only = stm_options_take_boolean (options, "metadata-only"),
  };

  if (!stm_options_end (options, error))
    return NULL;
  if (with_children && children_only)
    {
      g_set_error (error, STEMMA_ERROR, STEMMA_ERROR_INVALID_ARGUMENT,
                   "options 'children' and 'children-only' say different things; give one");
      return NULL;
    }

  *out_wait = waits ? STM_WAIT_FOR_END : STM_WAIT_FOR_INTENT;
  return stm_op_delete_new (self->domain_id, &request);
}

static gboolean
handle_delete (StemmaSnapshot *snapshot, GDBusMethodInvocation *invocation, GVariant *options)
{
  StmExportSnapshot *self = STM_EXPORT_SNAPSHOT (snapshot);
  g_autoptr (GError) error = NULL;
  StmWait wait = STM_WAIT_FOR_INTENT;
  g_autoptr (StmOp) op = read_delete (self, options, &wait, &error);

  if (op == NULL)
    return stm_export_refuse (invocation, error);

  stm_call_submit (self->registry, invocation, op, STM_REPLY_JOB, wait);
  return TRUE;
}

static gboolean
handle_plan_delete (StemmaSnapshot *snapshot, GDBusMethodInvocation *invocation, GVariant *options)
{
  StmExportSnapshot *self = STM_EXPORT_SNAPSHOT (snapshot);
  g_autoptr (GError) error = NULL;
  StmWait wait = STM_WAIT_FOR_INTENT;
  g_autoptr (StmOp) op = read_delete (self, options, &wait, &error);

  if (op == NULL)
    return stm_export_refuse (invocation, error);

  stm_call_plan (self->registry, invocation, op);
  return TRUE;
}

static void
stm_export_snapshot_dispose (GObject *object)
{
  StmExportSnapshot *self = STM_EXPORT_SNAPSHOT (object);

  g_clear_object (&self->registry);
  G_OBJECT_CLASS (stm_export_snapshot_parent_class)->dispose (object);
}

static void
stm_export_snapshot_finalize (GObject *object)
{
  StmExportSnapshot *self = STM_EXPORT_SNAPSHOT (object);

  g_clear_pointer (&self->shown, stm_moment_unref);
  g_free (self->domain_id);
  g_free (self->moment_id);
  G_OBJECT_CLASS (stm_export_snapshot_parent_class)->finalize (object);
}

static void
stm_export_snapshot_iface_init (StemmaSnapshotIface *iface)
{
  iface->handle_revert = handle_revert;
  iface->handle_plan_revert = handle_plan_revert;
  iface->handle_delete = handle_delete;
  iface->handle_plan_delete = handle_plan_delete;
}

static void
stm_export_snapshot_class_init (StmExportSnapshotClass *klass)
{
  G_OBJECT_CLASS (klass)->dispose = stm_export_snapshot_dispose;
  G_OBJECT_CLASS (klass)->finalize = stm_export_snapshot_finalize;
  stm_gate_install (G_DBUS_INTERFACE_SKELETON_CLASS (klass));
}

static void
stm_export_snapshot_init (StmExportSnapshot *self)
{
}
