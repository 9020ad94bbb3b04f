/* One domain: its names, its definition, its end. Called by the gate with calls that are allowed;
 * the publisher sets the properties. Main loop only; keeps no state of the model.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "stm-export-domain.h"

#include "stemma-error.h"
#include "stm-call.h"
#include "stm-domain-xml.h"
#include "stm-export.h"
#include "stm-id.h"
#include "stm-options.h"

struct _StmExportDomain
{
  StemmaDomainSkeleton parent_instance;

  StmRegistry *registry;
  char *domain_id;
  StmDomain *record; /* that is shown */
};

/* A call of GetXML or GetSecureXML that waits for the definition. */
typedef struct
{
  StmRegistry *registry;
  GDBusMethodInvocation *invocation;
  char *domain_id;
  StmXmlSecrecy secrecy;
} XmlCall;

static void stm_export_domain_iface_init (StemmaDomainIface *iface);

G_DEFINE_FINAL_TYPE_WITH_CODE (StmExportDomain, stm_export_domain, STEMMA_TYPE_DOMAIN_SKELETON,
                               G_IMPLEMENT_INTERFACE (STEMMA_TYPE_DOMAIN,
                                                      stm_export_domain_iface_init))

/* In the order of StmMomentsChoice. */
static const char *const moments_words[] = { "refuse", "forget", "delete", NULL };
static const char *const saved_state_words[] = { "refuse", "delete", NULL };

static void
xml_call_free (XmlCall *call)
{
  g_object_unref (call->registry);
  g_clear_object (&call->invocation);
  g_free (call->domain_id);
  g_free (call);
}

G_DEFINE_AUTOPTR_CLEANUP_FUNC (XmlCall, xml_call_free)

static void
describe (GDBusInterfaceSkeleton *skeleton, GHashTable *details)
{
  StmExportDomain *self = STM_EXPORT_DOMAIN (skeleton);

  stm_export_describe (self->registry, self->domain_id, /* moment_id= */ NULL, details);
}

StmExportDomain *
stm_export_domain_new (StmRegistry *registry, StmGate *gate, const char *domain_id)
{
  StmExportDomain *self = g_object_new (STM_TYPE_EXPORT_DOMAIN, NULL);

  self->registry = g_object_ref (registry);
  self->domain_id = g_strdup (domain_id);
  stm_gate_attach (gate, G_DBUS_INTERFACE_SKELETON (self), describe);
  stm_export_domain_update (self);
  stm_export_domain_update_generation (self);
  return self;
}

static void
show_record (StmExportDomain *self, const StmDomain *record)
{
  StemmaDomain *domain = STEMMA_DOMAIN (self);
  g_autofree char *uuid = stm_id_to_uuid (self->domain_id);

  stemma_domain_set_name (domain, record->name);
  stemma_domain_set_uuid (domain, uuid);
  stemma_domain_set_title (domain, record->title);
  stemma_domain_set_description (domain, record->description);
  /* No driver verb starts a machine, so what the service knows of is off, and defined to stay. */
  stemma_domain_set_state (domain, "shutoff");
  stemma_domain_set_state_reason (domain, "");
  stemma_domain_set_persistent (domain, TRUE);
  stemma_domain_set_autostart (domain, FALSE);
  stemma_domain_set_pid (domain, 0);
}

void
stm_export_domain_update (StmExportDomain *self)
{
  const StmDomain *record = stm_model_get_domain (stm_registry_get_model (self->registry),
                                                  self->domain_id);
  StmHealth health = stm_registry_get_domain_health (self->registry, self->domain_id);

  /* Most changes are of moments: a record that is the same value has nothing new to show. */
  if (record != self->record)
    {
      g_clear_pointer (&self->record, stm_domain_unref);
      self->record = stm_domain_ref (record);
      show_record (self, record);
    }
  stemma_domain_set_health (STEMMA_DOMAIN (self), stm_health_to_word (health));
}

void
stm_export_domain_update_generation (StmExportDomain *self)
{
  const StmModel *model = stm_registry_get_model (self->registry);

  stemma_domain_set_generation (STEMMA_DOMAIN (self),
                                stm_model_generation (model, self->domain_id));
}

/* What Undefine and PlanUndefine take. */
static StmOp *
read_undefine (StmExportDomain *self, GVariant *arg_options, StmWait *out_wait, GError **error)
{
  g_autoptr (StmOptions) options = stm_options_new (arg_options);
  gboolean waits = stm_options_take_boolean (options, "wait");
  StmUndefineRequest request = {
    .moments = (StmMomentsChoice) stm_options_take_word (options, "moments", moments_words),
  };

  /* Both words lead to the same: there is no saved state that could be in the way. */
  stm_options_take_word (options, "saved-state", saved_state_words);
  if (!stm_options_end (options, error))
    return NULL;

  *out_wait = waits ? STM_WAIT_FOR_END : STM_WAIT_FOR_INTENT;
  return stm_op_undefine_new (self->domain_id, &request);
}

static gboolean
handle_undefine (StemmaDomain *domain, GDBusMethodInvocation *invocation, GVariant *options)
{
  StmExportDomain *self = STM_EXPORT_DOMAIN (domain);
  g_autoptr (GError) error = NULL;
  StmWait wait = STM_WAIT_FOR_INTENT;
  g_autoptr (StmOp) op = read_undefine (self, options, &wait, &error);

  if (op == NULL)
    return stm_export_refuse (invocation, error);

  stm_call_submit (self->registry, invocation, op,
                   &(StmReply){ .make = stm_reply_job, .wait = wait });
  return TRUE;
}

static gboolean
handle_plan_undefine (StemmaDomain *domain, GDBusMethodInvocation *invocation, GVariant *options)
{
  StmExportDomain *self = STM_EXPORT_DOMAIN (domain);
  g_autoptr (GError) error = NULL;
  StmWait wait = STM_WAIT_FOR_INTENT;
  g_autoptr (StmOp) op = read_undefine (self, options, &wait, &error);

  if (op == NULL)
    return stm_export_refuse (invocation, error);

  stm_call_plan (self->registry, invocation, op);
  return TRUE;
}

static gboolean
handle_rename (StemmaDomain *domain, GDBusMethodInvocation *invocation, const char *name,
               GVariant *options)
{
  StmExportDomain *self = STM_EXPORT_DOMAIN (domain);
  g_autoptr (GError) error = NULL;
  g_autoptr (StmOp) op = NULL;

  if (!stm_options_expect_none (options, &error)
      || !stm_text_check ("name", name, STM_MAX_NAME_BYTES, &error))
    return stm_export_refuse (invocation, error);

  op = stm_op_rename_domain_new (self->domain_id, name);
  stm_call_submit (self->registry, invocation, op,
                   &(StmReply){ .make = stm_reply_nothing, .wait = STM_WAIT_FOR_END });
  return TRUE;
}

static gboolean
handle_set_description (StemmaDomain *domain, GDBusMethodInvocation *invocation,
                        const char *description, GVariant *options)
{
  StmExportDomain *self = STM_EXPORT_DOMAIN (domain);
  g_autoptr (GError) error = NULL;
  g_autoptr (StmOp) op = NULL;

  if (!stm_options_expect_none (options, &error)
      || !stm_text_check ("description", description, STM_MAX_DESCRIPTION_BYTES, &error))
    return stm_export_refuse (invocation, error);

  op = stm_op_describe_domain_new (self->domain_id, description);
  stm_call_submit (self->registry, invocation, op,
                   &(StmReply){ .make = stm_reply_nothing, .wait = STM_WAIT_FOR_END });
  return TRUE;
}

static GPtrArray *
chain_of_disk (const char *target, gpointer data)
{
  const XmlCall *call = data;

  return stm_model_chain (stm_registry_get_model (call->registry), call->domain_id, target);
}

/* The domain may have gone while its text was read. */
static char *
print_definition (XmlCall *call, const char *text, GError **error)
{
  const StmDomain *record = stm_model_get_domain (stm_registry_get_model (call->registry),
                                                  call->domain_id);

  if (record == NULL)
    {
      g_set_error (error, STEMMA_ERROR, STEMMA_ERROR_NOT_FOUND,
                   "the domain was undefined while its definition was read");
      return NULL;
    }
  return stm_domain_xml_print_chains (text, record, chain_of_disk, call, call->secrecy, error);
}

static void
on_definition (GObject *source, GAsyncResult *result, gpointer user_data)
{
  g_autoptr (XmlCall) call = user_data;
  g_autoptr (GError) error = NULL;
  g_autofree char *text = stm_registry_read_definition_finish (STM_REGISTRY (source), result,
                                                               &error);
  g_autofree char *xml = text == NULL ? NULL : print_definition (call, text, &error);

  if (xml == NULL)
    stm_call_refuse (g_steal_pointer (&call->invocation), error);
  else
    g_dbus_method_invocation_return_value (g_steal_pointer (&call->invocation),
                                           g_variant_new ("(s)", xml));
}

static gboolean
get_xml (StemmaDomain *domain, GDBusMethodInvocation *invocation, GVariant *options,
         StmXmlSecrecy secrecy)
{
  StmExportDomain *self = STM_EXPORT_DOMAIN (domain);
  g_autoptr (GError) error = NULL;
  XmlCall *call = NULL;

  if (!stm_options_expect_none (options, &error))
    return stm_export_refuse (invocation, error);

  call = g_new0 (XmlCall, 1);
  call->registry = g_object_ref (self->registry);
  call->invocation = invocation;
  call->domain_id = g_strdup (self->domain_id);
  call->secrecy = secrecy;
  stm_registry_read_definition_async (self->registry, self->domain_id, on_definition, call);
  return TRUE;
}

static gboolean
handle_get_xml (StemmaDomain *domain, GDBusMethodInvocation *invocation, GVariant *options)
{
  return get_xml (domain, invocation, options, STM_XML_PUBLIC);
}

static gboolean
handle_get_secure_xml (StemmaDomain *domain, GDBusMethodInvocation *invocation, GVariant *options)
{
  return get_xml (domain, invocation, options, STM_XML_SECURE);
}

static void
stm_export_domain_dispose (GObject *object)
{
  StmExportDomain *self = STM_EXPORT_DOMAIN (object);

  g_clear_object (&self->registry);
  G_OBJECT_CLASS (stm_export_domain_parent_class)->dispose (object);
}

static void
stm_export_domain_finalize (GObject *object)
{
  StmExportDomain *self = STM_EXPORT_DOMAIN (object);

  g_clear_pointer (&self->record, stm_domain_unref);
  g_free (self->domain_id);
  G_OBJECT_CLASS (stm_export_domain_parent_class)->finalize (object);
}

static void
stm_export_domain_iface_init (StemmaDomainIface *iface)
{
  iface->handle_undefine = handle_undefine;
  iface->handle_plan_undefine = handle_plan_undefine;
  iface->handle_rename = handle_rename;
  iface->handle_set_description = handle_set_description;
  iface->handle_get_xml = handle_get_xml;
  iface->handle_get_secure_xml = handle_get_secure_xml;
}

static void
stm_export_domain_class_init (StmExportDomainClass *klass)
{
  G_OBJECT_CLASS (klass)->dispose = stm_export_domain_dispose;
  G_OBJECT_CLASS (klass)->finalize = stm_export_domain_finalize;
  stm_gate_install (G_DBUS_INTERFACE_SKELETON_CLASS (klass));
}

static void
stm_export_domain_init (StmExportDomain *self)
{
}
