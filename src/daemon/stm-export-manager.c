/* The service as a whole: makes domains known, finds them, lists and settles findings. Called by
 * the gate with calls that are allowed; the publisher sets the properties. Main loop only; keeps no
 * state of the model.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "stm-export-manager.h"

#include "stemma-error.h"
#include "stm-call.h"
#include "stm-export.h"
#include "stm-names.h"
#include "stm-object-path.h"
#include "stm-options.h"

struct _StmExportManager
{
  StemmaManagerSkeleton parent_instance;

  StmRegistry *registry;
};

static void stm_export_manager_iface_init (StemmaManagerIface *iface);

G_DEFINE_FINAL_TYPE_WITH_CODE (StmExportManager, stm_export_manager, STEMMA_TYPE_MANAGER_SKELETON,
                               G_IMPLEMENT_INTERFACE (STEMMA_TYPE_MANAGER,
                                                      stm_export_manager_iface_init))

static const char *const features[] = { "checkpoints", "external-snapshots",
                                        "findings",    "internal-snapshots",
                                        "offline",     "plans",
                                        "redefine",    "wait",
                                        NULL };

StmExportManager *
stm_export_manager_new (StmRegistry *registry, StmGate *gate, const char *hypervisor_version)
{
  StmExportManager *self = g_object_new (STM_TYPE_EXPORT_MANAGER, NULL);
  StemmaManager *manager = STEMMA_MANAGER (self);

  self->registry = g_object_ref (registry);
  stm_gate_attach (gate, G_DBUS_INTERFACE_SKELETON (self), /* describe= */ NULL);
  stemma_manager_set_version (manager, STM_VERSION);
  stemma_manager_set_driver (manager, stm_driver_get_name (stm_registry_get_driver (registry)));
  stemma_manager_set_hypervisor_version (manager, hypervisor_version);
  stemma_manager_set_features (manager, features);
  stm_export_manager_update_health (self);
  stm_export_manager_update_generation (self);
  return self;
}

void
stm_export_manager_update_health (StmExportManager *self)
{
  stemma_manager_set_health (STEMMA_MANAGER (self), stm_registry_get_health (self->registry));
}

void
stm_export_manager_update_generation (StmExportManager *self)
{
  const StmModel *model = stm_registry_get_model (self->registry);

  stemma_manager_set_generation (STEMMA_MANAGER (self), stm_model_service_generation (model));
}

static gboolean
handle_define_domain (StemmaManager *manager, GDBusMethodInvocation *invocation, const char *xml,
                      GVariant *options)
{
  StmExportManager *self = STM_EXPORT_MANAGER (manager);
  g_autoptr (GError) error = NULL;
  g_autoptr (StmOp) op = NULL;

  if (!stm_options_expect_none (options, &error))
    return stm_export_refuse (invocation, error);
  op = stm_op_define_new (xml, &error);
  if (op == NULL)
    return stm_export_refuse (invocation, error);

  stm_call_submit (self->registry, invocation, op,
                   &(StmReply){ .make = stm_reply_domain, .wait = STM_WAIT_FOR_END });
  return TRUE;
}

static gboolean
handle_find_domain (StemmaManager *manager, GDBusMethodInvocation *invocation,
                    const char *name_or_uuid, GVariant *options)
{
  StmExportManager *self = STM_EXPORT_MANAGER (manager);
  g_autofree char *path = NULL;
  g_autoptr (GError) error = NULL;
  const StmDomain *domain = NULL;

  if (!stm_options_expect_none (options, &error)
      || !stm_text_check ("name_or_uuid", name_or_uuid, STM_MAX_NAME_BYTES, &error))
    return stm_export_refuse (invocation, error);

  domain = stm_model_find_domain (stm_registry_get_model (self->registry), name_or_uuid);
  if (domain == NULL)
    {
      g_set_error (&error, STEMMA_ERROR, STEMMA_ERROR_NOT_FOUND,
                   "no domain has the name or uuid '%s'", name_or_uuid);
      return stm_export_refuse (invocation, error);
    }

  path = stm_object_path_of_domain (domain->id);
  stemma_manager_complete_find_domain (manager, invocation, path);
  return TRUE;
}

static char *
path_of_finding (StmRegistry *registry, const StmFinding *finding)
{
  if (finding->domain_id == NULL)
    return g_strdup (STM_PATH_MANAGER);
  if (finding->moment_id == NULL)
    return stm_object_path_of_domain (finding->domain_id);

  return stm_export_moment_path (registry, finding->domain_id, finding->moment_id,
                                 STM_MOMENT_SNAPSHOT);
}

static GVariant *
findings_to_rows (StmRegistry *registry, GPtrArray *findings)
{
  GVariantBuilder rows;

  g_variant_builder_init (&rows, G_VARIANT_TYPE ("aa{sv}"));
  for (guint i = 0; i < findings->len; i++)
    {
      const StmFinding *finding = g_ptr_array_index (findings, i);
      g_autofree char *path = path_of_finding (registry, finding);

      g_variant_builder_open (&rows, G_VARIANT_TYPE_VARDICT);
      g_variant_builder_add (&rows, "{sv}", "id", g_variant_new_string (finding->id));
      g_variant_builder_add (&rows, "{sv}", "object", g_variant_new_object_path (path));
      g_variant_builder_add (&rows, "{sv}", "kind", g_variant_new_string (finding->kind));
      g_variant_builder_add (&rows, "{sv}", "text", g_variant_new_string (finding->text));
      g_variant_builder_add (&rows, "{sv}", "choices", g_variant_new_strv (finding->choices, -1));
      g_variant_builder_close (&rows);
    }
  return g_variant_builder_end (&rows);
}

static void
on_findings (GObject *source, GAsyncResult *result, gpointer user_data)
{
  g_autoptr (GDBusMethodInvocation) invocation = user_data;
  g_autoptr (GError) error = NULL;
  g_autoptr (GPtrArray)
      findings = stm_registry_check_finish (STM_REGISTRY (source), result, &error);

  if (findings == NULL)
    stm_call_refuse (g_steal_pointer (&invocation), error);
  else
    g_dbus_method_invocation_return_value (
        g_steal_pointer (&invocation),
        g_variant_new ("(@aa{sv})", findings_to_rows (STM_REGISTRY (source), findings)));
}

static gboolean
handle_check (StemmaManager *manager, GDBusMethodInvocation *invocation, GVariant *options)
{
  StmExportManager *self = STM_EXPORT_MANAGER (manager);
  g_autoptr (GError) error = NULL;

  if (!stm_options_expect_none (options, &error))
    return stm_export_refuse (invocation, error);

  stm_registry_check_async (self->registry, on_findings, invocation);
  return TRUE;
}

static gboolean
handle_resolve (StemmaManager *manager, GDBusMethodInvocation *invocation, const char *finding,
                const char *choice, GVariant *arg_options)
{
  StmExportManager *self = STM_EXPORT_MANAGER (manager);
  g_autoptr (StmOptions) options = stm_options_new (arg_options);
  g_autoptr (GError) error = NULL;
  gboolean waits = stm_options_take_boolean (options, "wait");

  if (!stm_options_end (options, &error)
      || !stm_text_check ("finding", finding, STM_MAX_NAME_BYTES, &error)
      || !stm_text_check ("choice", choice, STM_MAX_NAME_BYTES, &error))
    return stm_export_refuse (invocation, error);

  stm_call_resolve (self->registry, invocation, finding, choice,
                    waits ? STM_WAIT_FOR_END : STM_WAIT_FOR_INTENT);
  return TRUE;
}

static void
stm_export_manager_dispose (GObject *object)
{
  StmExportManager *self = STM_EXPORT_MANAGER (object);

  g_clear_object (&self->registry);
  G_OBJECT_CLASS (stm_export_manager_parent_class)->dispose (object);
}

static void
stm_export_manager_iface_init (StemmaManagerIface *iface)
{
  iface->handle_define_domain = handle_define_domain;
  iface->handle_find_domain = handle_find_domain;
  iface->handle_check = handle_check;
  iface->handle_resolve = handle_resolve;
}

static void
stm_export_manager_class_init (StmExportManagerClass *klass)
{
  G_OBJECT_CLASS (klass)->dispose = stm_export_manager_dispose;
  stm_gate_install (G_DBUS_INTERFACE_SKELETON_CLASS (klass));
}

static void
stm_export_manager_init (StmExportManager *self)
{
}
