/* The authority of system mode. Every answer is polkit's, that for uid 0 too; when polkit cannot be
 * asked, the answer is no. Main loop only, never blocks: the connection to polkit is made by the
 * first question, and anew by the next one when that failed.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "stm-polkit-authority.h"

#include "stemma-error.h"

#include <polkit/polkit.h>

struct _StmPolkitAuthority
{
  GObject parent_instance;

  PolkitAuthority *polkit; /* NULL until the first question */
};

/* A question that outlives the call, while the connection is made. */
typedef struct
{
  PolkitSubject *subject;
  PolkitDetails *details;
  char *action;
  PolkitCheckAuthorizationFlags flags;
} Pending;

static void stm_polkit_authority_iface_init (StmAuthorityInterface *iface);

G_DEFINE_FINAL_TYPE_WITH_CODE (StmPolkitAuthority, stm_polkit_authority, G_TYPE_OBJECT,
                               G_IMPLEMENT_INTERFACE (STM_TYPE_AUTHORITY,
                                                      stm_polkit_authority_iface_init))

StmAuthority *
stm_polkit_authority_new (void)
{
  return g_object_new (STM_TYPE_POLKIT_AUTHORITY, NULL);
}

static void
pending_free (gpointer data)
{
  Pending *pending = data;

  g_object_unref (pending->subject);
  g_object_unref (pending->details);
  g_free (pending->action);
  g_free (pending);
}

static Pending *
pending_new (const StmQuestion *question)
{
  Pending *pending = g_new0 (Pending, 1);
  GHashTableIter iter;
  gpointer key = NULL;
  gpointer value = NULL;

  pending->subject = polkit_system_bus_name_new (question->sender);
  pending->details = polkit_details_new ();
  pending->action = g_strdup (question->action);
  pending->flags = question->prompt == STM_PROMPT_ALLOWED
                       ? POLKIT_CHECK_AUTHORIZATION_FLAGS_ALLOW_USER_INTERACTION
                       : POLKIT_CHECK_AUTHORIZATION_FLAGS_NONE;
  g_hash_table_iter_init (&iter, question->details);
  while (g_hash_table_iter_next (&iter, &key, &value))
    polkit_details_insert (pending->details, key, value);
  return pending;
}

static GError *
refusal (PolkitAuthorizationResult *result, const char *action)
{
  if (polkit_authorization_result_get_dismissed (result))
    return g_error_new (STEMMA_ERROR, STEMMA_ERROR_NOT_AUTHORIZED_DISMISSED,
                        "the authentication for %s was dismissed", action);
  if (polkit_authorization_result_get_is_challenge (result))
    return g_error_new (
        STEMMA_ERROR, STEMMA_ERROR_NOT_AUTHORIZED_CAN_OBTAIN,
        "%s needs authentication: call again with interactive authorization allowed", action);
  return g_error_new (STEMMA_ERROR, STEMMA_ERROR_NOT_AUTHORIZED,
                      "%s is not allowed by the authority", action);
}

static void
return_unreachable (GTask *task, const GError *reason)
{
  if (g_error_matches (reason, G_IO_ERROR, G_IO_ERROR_CANCELLED))
    g_task_return_new_error (task, STEMMA_ERROR, STEMMA_ERROR_NOT_AUTHORIZED,
                             "the caller left before the authority answered");
  else
    g_task_return_new_error (
        task, STEMMA_ERROR, STEMMA_ERROR_NOT_AUTHORIZED,
        "polkit could not be asked, so this is denied; is polkitd running? (%s)", reason->message);
}

static void
on_checked (GObject *source, GAsyncResult *result, gpointer user_data)
{
  g_autoptr (GTask) task = user_data;
  g_autoptr (GError) error = NULL;
  g_autoptr (PolkitAuthorizationResult) answer = polkit_authority_check_authorization_finish (
      POLKIT_AUTHORITY (source), result, &error);
  const Pending *pending = g_task_get_task_data (task);

  if (answer == NULL)
    return_unreachable (task, error);
  else if (polkit_authorization_result_get_is_authorized (answer))
    g_task_return_boolean (task, TRUE);
  else
    g_task_return_error (task, refusal (answer, pending->action));
}

static void
ask (StmPolkitAuthority *self, GTask *task)
{
  const Pending *pending = g_task_get_task_data (task);

  polkit_authority_check_authorization (
      self->polkit, pending->subject, pending->action, pending->details, pending->flags,
      g_task_get_cancellable (task), on_checked, g_object_ref (task));
}

static void
on_connected (GObject *source, GAsyncResult *result, gpointer user_data)
{
  g_autoptr (GTask) task = user_data;
  g_autoptr (GError) error = NULL;
  StmPolkitAuthority *self = g_task_get_source_object (task);
  g_autoptr (PolkitAuthority) polkit = polkit_authority_get_finish (result, &error);

  if (polkit == NULL)
    {
      return_unreachable (task, error);
      return;
    }

  g_set_object (&self->polkit, polkit);
  ask (self, task);
}

static gboolean
is_asked_always (StmAuthority *authority)
{
  return FALSE;
}

static void
check_async (StmAuthority *authority, const StmQuestion *question, GCancellable *cancellable,
             GAsyncReadyCallback callback, gpointer user_data)
{
  StmPolkitAuthority *self = STM_POLKIT_AUTHORITY (authority);
  g_autoptr (GTask) task = g_task_new (self, cancellable, callback, user_data);

  g_task_set_source_tag (task, check_async);
  /* The refusal is ours even when the caller is gone: a cancelled check is still a denied one. */
  g_task_set_check_cancellable (task, FALSE);
  g_task_set_task_data (task, pending_new (question), pending_free);
  if (self->polkit != NULL)
    ask (self, task);
  else
    polkit_authority_get_async (cancellable, on_connected, g_object_ref (task));
}

static gboolean
check_finish (StmAuthority *authority, GAsyncResult *result, GError **error)
{
  return g_task_propagate_boolean (G_TASK (result), error);
}

static void
stm_polkit_authority_dispose (GObject *object)
{
  StmPolkitAuthority *self = STM_POLKIT_AUTHORITY (object);

  g_clear_object (&self->polkit);
  G_OBJECT_CLASS (stm_polkit_authority_parent_class)->dispose (object);
}

static void
stm_polkit_authority_iface_init (StmAuthorityInterface *iface)
{
  iface->is_asked_always = is_asked_always;
  iface->check_async = check_async;
  iface->check_finish = check_finish;
}

static void
stm_polkit_authority_class_init (StmPolkitAuthorityClass *klass)
{
  G_OBJECT_CLASS (klass)->dispose = stm_polkit_authority_dispose;
}

static void
stm_polkit_authority_init (StmPolkitAuthority *self)
{
}
