/* From options to operations, and from the texts that a moment names to its document. Reads the
 * model, changes nothing itself.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "stm-moment-verbs.h"

#include "stemma-error.h"
#include "stm-call.h"
#include "stm-export.h"
#include "stm-moment-xml.h"
#include "stm-options.h"

/* A message may have 32 MiB on the system bus; who sends more is disconnected. */
#define MAX_REPLY_BYTES ((gsize) 30 * 1024 * 1024)

/* What Delete and PlanDelete take. */
static StmOp *
read_delete (const StmMomentScope *scope, GVariant *arg_options, StmWait *out_wait, GError **error)
{
  g_autoptr (StmOptions) options = stm_options_new (arg_options);
  gboolean waits = stm_options_take_boolean (options, "wait");
  gboolean with_children = stm_options_take_boolean (options, "children");
  gboolean children_only = stm_options_take_boolean (options, "children-only");
  StmDeleteRequest request = {
    .moment_id = scope->moment_id,
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
  return scope->kind == STM_MOMENT_SNAPSHOT
             ? stm_op_delete_new (scope->domain_id, &request)
             : stm_op_delete_checkpoint_new (scope->domain_id, &request);
}

gboolean
stm_moment_delete (const StmMomentScope *scope, GDBusMethodInvocation *invocation,
                   GVariant *options)
{
  g_autoptr (GError) error = NULL;
  StmReply reply = { .make = stm_reply_job };
  g_autoptr (StmOp) op = read_delete (scope, options, &reply.wait, &error);

  if (op == NULL)
    return stm_export_refuse (invocation, error);

  stm_call_submit (scope->registry, invocation, op, &reply);
  return TRUE;
}

gboolean
stm_moment_plan_delete (const StmMomentScope *scope, GDBusMethodInvocation *invocation,
                        GVariant *options)
{
  g_autoptr (GError) error = NULL;
  StmWait wait = STM_WAIT_FOR_INTENT;
  g_autoptr (StmOp) op = read_delete (scope, options, &wait, &error);

  if (op == NULL)
    return stm_export_refuse (invocation, error);

  stm_call_plan (scope->registry, invocation, op);
  return TRUE;
}

static gboolean
submit_edit (const StmMomentScope *scope, GDBusMethodInvocation *invocation, StmOp *op)
{
  stm_call_submit (scope->registry, invocation, op,
                   &(StmReply){ .make = stm_reply_nothing, .wait = STM_WAIT_FOR_END });
  return TRUE;
}

gboolean
stm_moment_rename (const StmMomentScope *scope, GDBusMethodInvocation *invocation, const char *name,
                   GVariant *options)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (StmOp) op = NULL;

  if (!stm_options_expect_none (options, &error)
      || !stm_text_check ("name", name, STM_MAX_NAME_BYTES, &error))
    return stm_export_refuse (invocation, error);

  op = stm_op_rename_moment_new (scope->domain_id, scope->kind, scope->moment_id, name);
  return submit_edit (scope, invocation, op);
}

gboolean
stm_moment_describe (const StmMomentScope *scope, GDBusMethodInvocation *invocation,
                     const char *description, GVariant *options)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (StmOp) op = NULL;

  if (!stm_options_expect_none (options, &error)
      || !stm_text_check ("description", description, STM_MAX_DESCRIPTION_BYTES, &error))
    return stm_export_refuse (invocation, error);

  op = stm_op_describe_moment_new (scope->domain_id, scope->kind, scope->moment_id, description);
  return submit_edit (scope, invocation, op);
}

/* --- the document: its texts are read one after the other, then it is printed --- */

typedef enum
{
  TEXT_DEFINITION,
  TEXT_INACTIVE,
  TEXT_COOKIE,
  N_TEXTS
} Text;

typedef struct
{
  StmRegistry *registry;
  GDBusMethodInvocation *invocation;
  StmMoment *moment; /* as it was when the call came */
  char *domain_id;
  char *parent; /* name */
  gboolean omits_domain;
  StmXmlSecrecy secrecy;
  guint next; /* Text */
  char *texts[N_TEXTS];
} XmlCall;

static void
xml_call_free (XmlCall *call)
{
  g_object_unref (call->registry);
  g_clear_object (&call->invocation);
  stm_moment_unref (call->moment);
  g_free (call->domain_id);
  g_free (call->parent);
  for (guint i = 0; i < N_TEXTS; i++)
    g_free (call->texts[i]);
  g_free (call);
}

G_DEFINE_AUTOPTR_CLEANUP_FUNC (XmlCall, xml_call_free)

static GPtrArray *
chain_of_then (const char *target, gpointer data)
{
  const XmlCall *call = data;
  const StmMomentDisk *disk = stm_moment_find_disk (call->moment, target);

  return stm_model_chain_from (stm_registry_get_model (call->registry), call->domain_id,
                               disk != NULL ? disk->frozen : NULL);
}

static char *
print_document (XmlCall *call, GError **error)
{
  g_autofree char *xml = stm_moment_document_print (
      &(StmMomentPrint){
          .moment = call->moment,
          .domain_id = call->domain_id,
          .parent = call->parent,
          .definition = call->texts[TEXT_DEFINITION],
          .inactive = call->texts[TEXT_INACTIVE],
          .cookie = call->texts[TEXT_COOKIE],
          .chain_of = chain_of_then,
          .chain_data = call,
          .omits_domain = call->omits_domain,
          .secrecy = call->secrecy,
      },
      error);

  if (xml != NULL && strlen (xml) > MAX_REPLY_BYTES)
    {
      g_set_error (error, STEMMA_ERROR, STEMMA_ERROR_TOO_LARGE,
                   "the document of '%s' has %" G_GSIZE_FORMAT " bytes, more than a message may "
                   "have; 'no-domain' leaves its definition out",
                   call->moment->name, strlen (xml));
      return NULL;
    }
  return g_steal_pointer (&xml);
}

static void
answer_xml (XmlCall *call)
{
  g_autoptr (GError) error = NULL;
  g_autofree char *xml = print_document (call, &error);

  if (xml == NULL)
    stm_call_refuse (g_steal_pointer (&call->invocation), error);
  else
    g_dbus_method_invocation_return_value (g_steal_pointer (&call->invocation),
                                           g_variant_new ("(s)", xml));
}

static const char *
hash_of (const XmlCall *call, Text text)
{
  switch (text)
    {
    case TEXT_DEFINITION:
      return call->omits_domain ? NULL : call->moment->definition;
    case TEXT_INACTIVE:
      return call->omits_domain ? NULL : call->moment->inactive;
    case TEXT_COOKIE:
    default:
      return call->moment->cookie;
    }
}

/* The hash of the next text to read, which call->next then says; NULL when all are there. */
static const char *
find_next (XmlCall *call)
{
  while (call->next < N_TEXTS
         && (call->texts[call->next] != NULL || hash_of (call, call->next) == NULL))
    call->next++;
  return call->next == N_TEXTS ? NULL : hash_of (call, call->next);
}

static void
on_text (GObject *source, GAsyncResult *result, gpointer user_data)
{
  StmRegistry *registry = STM_REGISTRY (source);
  g_autoptr (XmlCall) call = user_data;
  g_autoptr (GError) error = NULL;
  const char *hash = NULL;

  call->texts[call->next] = stm_registry_read_text_finish (registry, result, &error);
  if (error != NULL)
    {
      g_prefix_error (&error, "document of '%s': ", call->moment->name);
      stm_call_refuse (g_steal_pointer (&call->invocation), error);
      return;
    }

  hash = find_next (call);
  if (hash == NULL)
    answer_xml (call);
  else
    stm_registry_read_text_async (registry, hash, on_text, g_steal_pointer (&call));
}

/* Takes the call. */
static void
begin_xml (XmlCall *unowned_call)
{
  g_autoptr (XmlCall) call = unowned_call;
  StmRegistry *registry = call->registry;
  const char *hash = find_next (call);

  if (hash == NULL)
    answer_xml (call);
  else
    stm_registry_read_text_async (registry, hash, on_text, g_steal_pointer (&call));
}

static XmlCall *
xml_call_new (const StmMomentScope *scope, GDBusMethodInvocation *invocation,
              const StmMoment *moment)
{
  const StmTree *tree = stm_moment_scope_get_tree (scope);
  const StmMoment *parent = moment->parent == NULL ? NULL : stm_tree_get (tree, moment->parent);
  XmlCall *call = g_new0 (XmlCall, 1);

  call->registry = g_object_ref (scope->registry);
  call->invocation = invocation;
  call->moment = stm_moment_ref (moment);
  call->domain_id = g_strdup (scope->domain_id);
  call->parent = parent == NULL ? NULL : g_strdup (parent->name);
  return call;
}

gboolean
stm_moment_get_xml (const StmMomentScope *scope, GDBusMethodInvocation *invocation,
                    GVariant *arg_options, StmXmlSecrecy secrecy)
{
  g_autoptr (StmOptions) options = stm_options_new (arg_options);
  gboolean omits_domain = stm_options_take_boolean (options, "no-domain");
  const StmMoment *moment = stm_moment_scope_get_moment (scope);
  g_autoptr (GError) error = NULL;
  XmlCall *call = NULL;

  if (scope->kind == STM_MOMENT_CHECKPOINT)
    stm_options_refuse_boolean (options, "size",
                                "leave it out, and the document has no sizes of changes");
  if (!stm_options_end (options, &error))
    return stm_export_refuse (invocation, error);
  if (moment == NULL)
    {
      g_set_error (&error, STEMMA_ERROR, STEMMA_ERROR_NOT_FOUND, "there is no %s %s any more",
                   stm_export_kind_to_word (scope->kind), scope->moment_id);
      return stm_export_refuse (invocation, error);
    }

  call = xml_call_new (scope, invocation, moment);
  call->omits_domain = omits_domain;
  call->secrecy = secrecy;
  begin_xml (call);
  return TRUE;
}
