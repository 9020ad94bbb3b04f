/* Stands between GDBus and the generated dispatch: takes each method call, finds the permission in
 * the method's annotations, asks the authority, looks the object up again and passes the call on.
 * Main loop only; nothing blocks, so calls that wait for a prompt hold up no other call. Who the
 * callers are, and how many calls of each wait, is in stm-gate-clients.c.
 *
 * It wraps the dispatch table that a skeleton gives to GDBus. The authorize hook of GLib is not
 * used: its handlers run in a shared pool of ten threads, which pending prompts exhaust.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "stm-gate.h"

#include "stemma-error.h"
#include "stm-gate-clients.h"
#include "stm-names.h"

#define ACTION_OPEN "open"
#define ANNOTATION_DESTRUCTIVE "org.stemma1.Destructive"

struct _StmGate
{
  GObject parent_instance;

  StmAuthority *authority;
  StmGateClients *clients;
  guint n_passed; /* calls that were passed on and not answered */
};

G_DEFINE_FINAL_TYPE (StmGate, stm_gate, G_TYPE_OBJECT)

/* What is attached to a skeleton. */
typedef struct
{
  StmGate *gate;
  StmGateDescribe describe;
  StmGateIsThere is_there; /* NULL: while it is exported */
} Attachment;

/* What is attached to a call that is passed on, until it is answered. */
typedef struct
{
  StmCaller caller;
  StmGate *gate;
} Passed;

struct _StmGateJob
{
  StmGate *gate;
  StmGateClient *client; /* whom an unfinished job keeps */
};

/* One call on its way. */
typedef struct
{
  StmGate *gate;
  GDBusInterfaceSkeleton *skeleton;
  GDBusMethodInvocation *invocation;
  StmGateClient *client; /* while it is pending, which keeps him */
  const char *action;    /* NULL when open; borrowed from the static method info */
  guint uid;
} GatedCall;

static GQuark
attachment_quark (void)
{
  return g_quark_from_static_string ("stm-gate-attachment");
}

static GQuark
caller_quark (void)
{
  return g_quark_from_static_string ("stm-gate-caller");
}

static void
passed_free (gpointer data)
{
  Passed *passed = data;

  passed->gate->n_passed--;
  g_object_unref (passed->gate);
  g_free (passed);
}

static void
attachment_free (gpointer data)
{
  Attachment *attachment = data;

  g_object_unref (attachment->gate);
  g_free (attachment);
}

static void
gated_call_free (GatedCall *call)
{
  g_object_unref (call->gate);
  g_object_unref (call->skeleton);
  g_clear_object (&call->invocation);
  g_free (call);
}

G_DEFINE_AUTOPTR_CLEANUP_FUNC (GatedCall, gated_call_free)

static const Attachment *
get_attachment (GDBusInterfaceSkeleton *skeleton)
{
  return g_object_get_qdata (G_OBJECT (skeleton), attachment_quark ());
}

/* The table that the generated class made: that of the parent of the leaf class. */
static const GDBusInterfaceVTable *
generated_vtable (GDBusInterfaceSkeleton *skeleton)
{
  gpointer parent = g_type_class_peek_parent (G_OBJECT_GET_CLASS (skeleton));

  return G_DBUS_INTERFACE_SKELETON_CLASS (parent)->get_vtable (skeleton);
}

static void
refuse (GatedCall *call, const GError *error)
{
  g_log_structured (G_LOG_DOMAIN, G_LOG_LEVEL_INFO, "STEMMA_SENDER",
                    g_dbus_method_invocation_get_sender (call->invocation), "STEMMA_OBJECT",
                    g_dbus_method_invocation_get_object_path (call->invocation), "MESSAGE",
                    "refused %s.%s: %s",
                    g_dbus_method_invocation_get_interface_name (call->invocation),
                    g_dbus_method_invocation_get_method_name (call->invocation), error->message);
  g_dbus_method_invocation_return_gerror (g_steal_pointer (&call->invocation), error);
}

/* Passes the call to the handler of the generated dispatch. */
static void
pass (GatedCall *call)
{
  GDBusMethodInvocation *invocation = call->invocation;
  Passed *passed = g_new0 (Passed, 1);

  passed->caller.uid = call->uid;
  passed->gate = g_object_ref (call->gate);
  passed->gate->n_passed++;
  g_object_set_qdata_full (G_OBJECT (invocation), caller_quark (), passed, passed_free);
  generated_vtable (call->skeleton)
      ->method_call (g_dbus_method_invocation_get_connection (invocation),
                     g_dbus_method_invocation_get_sender (invocation),
                     g_dbus_method_invocation_get_object_path (invocation),
                     g_dbus_method_invocation_get_interface_name (invocation),
                     g_dbus_method_invocation_get_method_name (invocation),
                     g_dbus_method_invocation_get_parameters (invocation),
                     g_steal_pointer (&call->invocation), call->skeleton);
}

/* The object may have gone while the question was open; another one may stand at its path now. */
static gboolean
is_still_there (GatedCall *call, GError **error)
{
  StmGateIsThere is_there = get_attachment (call->skeleton)->is_there;

  if (is_there != NULL ? is_there (call->skeleton)
                       : g_dbus_interface_skeleton_get_object_path (call->skeleton) != NULL)
    return TRUE;

  g_set_error (error, STEMMA_ERROR, STEMMA_ERROR_NOT_FOUND,
               "%s went while the authorization for %s was pending; nothing was done",
               g_dbus_method_invocation_get_object_path (call->invocation),
               g_dbus_method_invocation_get_method_name (call->invocation));
  return FALSE;
}

static void
on_answered (GObject *source, GAsyncResult *result, gpointer user_data)
{
  g_autoptr (GatedCall) call = user_data;
  g_autoptr (GError) error = NULL;

  stm_gate_client_end_call (call->client);
  if (!stm_authority_check_finish (STM_AUTHORITY (source), result, &error)
      || !is_still_there (call, &error))
    {
      refuse (call, error);
      return;
    }

  pass (call);
}

static GHashTable *
describe (GatedCall *call)
{
  const Attachment *attachment = get_attachment (call->skeleton);
  const GDBusMethodInfo *method = g_dbus_method_invocation_get_method_info (call->invocation);
  GHashTable *details = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, g_free);
  const char *destructive = g_dbus_annotation_info_lookup (method->annotations,
                                                           ANNOTATION_DESTRUCTIVE);

  g_hash_table_insert (details, g_strdup ("destructive"),
                       g_strdup (g_strcmp0 (destructive, "true") == 0 ? "true" : "false"));
  if (attachment->describe != NULL)
    attachment->describe (call->skeleton, details);
  return details;
}

static void
ask_authority (GatedCall *call)
{
  GDBusMessage *message = g_dbus_method_invocation_get_message (call->invocation);
  gboolean may_prompt = (g_dbus_message_get_flags (message)
                         & G_DBUS_MESSAGE_FLAGS_ALLOW_INTERACTIVE_AUTHORIZATION)
                        != 0;
  g_autoptr (GHashTable) details = describe (call);
  StmQuestion question = {
    .sender = g_dbus_method_invocation_get_sender (call->invocation),
    .uid = call->uid,
    .action = call->action,
    .details = details,
    .prompt = may_prompt ? STM_PROMPT_ALLOWED : STM_PROMPT_NEVER,
  };

  stm_authority_check_async (call->gate->authority, &question,
                             stm_gate_client_get_cancellable (call->client), on_answered, call);
}

/* The uid of the caller is known, or why not. */
static void
on_uid_known (guint uid, const GError *problem, gpointer user_data)
{
  g_autoptr (GatedCall) call = user_data;
  g_autoptr (GError) error = NULL;

  call->uid = uid;
  if (problem != NULL)
    g_set_error (&error, STEMMA_ERROR, STEMMA_ERROR_NOT_AUTHORIZED,
                 "the bus does not say who the caller is: %s", problem->message);
  if (error == NULL && is_still_there (call, &error))
    {
      ask_authority (g_steal_pointer (&call));
      return;
    }

  stm_gate_client_end_call (call->client);
  refuse (call, error);
}

/* The permission of a method; FALSE when it carries none. `*out_action` is NULL for an open one. */
static gboolean
find_action (GDBusMethodInvocation *invocation, const char **out_action, GError **error)
{
  const GDBusMethodInfo *method = g_dbus_method_invocation_get_method_info (invocation);
  const char *action = method == NULL ? NULL
                                      : g_dbus_annotation_info_lookup (method->annotations,
                                                                       STM_ANNOTATION_AUTHORIZE);

  if (action == NULL)
    {
      g_set_error (error, STEMMA_ERROR, STEMMA_ERROR_NOT_AUTHORIZED,
                   "%s.%s says not who may call it, so nobody may",
                   g_dbus_method_invocation_get_interface_name (invocation),
                   g_dbus_method_invocation_get_method_name (invocation));
      return FALSE;
    }

  *out_action = g_str_equal (action, ACTION_OPEN) ? NULL : action;
  return TRUE;
}

void
stm_gate_call (GDBusInterfaceSkeleton *skeleton, GDBusMethodInvocation *invocation)
{
  const Attachment *attachment = get_attachment (skeleton);
  g_autoptr (GatedCall) call = NULL;
  g_autoptr (GError) error = NULL;
  StmGateClient *client = NULL;

  if (attachment == NULL)
    {
      g_dbus_method_invocation_return_error (invocation, STEMMA_ERROR, STEMMA_ERROR_NOT_AUTHORIZED,
                                             "%s is not open to calls",
                                             g_dbus_method_invocation_get_object_path (invocation));
      return;
    }

  call = g_new0 (GatedCall, 1);
  call->gate = g_object_ref (attachment->gate);
  call->skeleton = g_object_ref (skeleton);
  call->invocation = invocation;
  call->uid = STM_UID_UNKNOWN;
  if (!find_action (invocation, &call->action, &error))
    refuse (call, error);
  else if (call->action == NULL && !stm_authority_is_asked_always (call->gate->authority))
    pass (call);
  else if ((client = stm_gate_clients_begin_call (call->gate->clients, invocation, &error)) == NULL)
    refuse (call, error);
  else
    {
      call->client = client;
      stm_gate_client_ask_uid (client, on_uid_known, g_steal_pointer (&call));
    }
}

static void
handle_call (GDBusConnection *connection, const char *sender, const char *object_path,
             const char *interface_name, const char *method_name, GVariant *parameters,
             GDBusMethodInvocation *invocation, gpointer user_data)
{
  stm_gate_call (G_DBUS_INTERFACE_SKELETON (user_data), invocation);
}

static GVariant *
handle_get_property (GDBusConnection *connection, const char *sender, const char *object_path,
                     const char *interface_name, const char *property_name, GError **error,
                     gpointer user_data)
{
  return generated_vtable (user_data)->get_property (
      connection, sender, object_path, interface_name, property_name, error, user_data);
}

/* No set_property: no property is writable. */
static const GDBusInterfaceVTable gate_vtable = {
  .method_call = handle_call,
  .get_property = handle_get_property,
};

static GDBusInterfaceVTable *
get_vtable (GDBusInterfaceSkeleton *skeleton)
{
  return (GDBusInterfaceVTable *) &gate_vtable;
}

StmGate *
stm_gate_new (StmAuthority *authority)
{
  StmGate *self = g_object_new (STM_TYPE_GATE, NULL);

  self->authority = g_object_ref (authority);
  return self;
}

void
stm_gate_install (GDBusInterfaceSkeletonClass *klass)
{
  klass->get_vtable = get_vtable;
}

void
stm_gate_attach (StmGate *self, GDBusInterfaceSkeleton *skeleton, StmGateDescribe describe_object)
{
  stm_gate_attach_flyweight (self, skeleton, describe_object, /* is_there= */ NULL);
}

void
stm_gate_attach_flyweight (StmGate *self, GDBusInterfaceSkeleton *skeleton,
                           StmGateDescribe describe_object, StmGateIsThere is_there)
{
  Attachment *attachment = g_new0 (Attachment, 1);

  attachment->gate = g_object_ref (self);
  attachment->describe = describe_object;
  attachment->is_there = is_there;
  g_object_set_qdata_full (G_OBJECT (skeleton), attachment_quark (), attachment, attachment_free);
}

gboolean
stm_gate_has_pending (StmGate *self)
{
  return self->n_passed > 0 || stm_gate_clients_has_pending (self->clients);
}

const StmCaller *
stm_gate_get_caller (GDBusMethodInvocation *invocation)
{
  const Passed *passed = g_object_get_qdata (G_OBJECT (invocation), caller_quark ());

  return &passed->caller;
}

StmGateJob *
stm_gate_begin_job (GDBusMethodInvocation *invocation, GError **error)
{
  const Passed *passed = g_object_get_qdata (G_OBJECT (invocation), caller_quark ());
  StmGateClient *client = stm_gate_clients_begin_job (passed->gate->clients, invocation, error);
  StmGateJob *self = NULL;

  if (client == NULL)
    return NULL;

  self = g_new0 (StmGateJob, 1);
  self->gate = g_object_ref (passed->gate);
  self->client = client;
  return self;
}

void
stm_gate_end_job (StmGateJob *self)
{
  if (self == NULL)
    return;

  stm_gate_client_end_job (self->client);
  g_object_unref (self->gate);
  g_free (self);
}

static void
stm_gate_dispose (GObject *object)
{
  StmGate *self = STM_GATE (object);

  g_clear_object (&self->authority);
  G_OBJECT_CLASS (stm_gate_parent_class)->dispose (object);
}

/* Pending calls and unfinished jobs hold the gate, so its clients have none. */
static void
stm_gate_finalize (GObject *object)
{
  StmGate *self = STM_GATE (object);

  stm_gate_clients_free (self->clients);
  G_OBJECT_CLASS (stm_gate_parent_class)->finalize (object);
}

static void
stm_gate_class_init (StmGateClass *klass)
{
  G_OBJECT_CLASS (klass)->dispose = stm_gate_dispose;
  G_OBJECT_CLASS (klass)->finalize = stm_gate_finalize;
}

static void
stm_gate_init (StmGate *self)
{
  self->clients = stm_gate_clients_new ();
}
