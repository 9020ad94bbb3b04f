/* The authority of session mode: the user who runs the service may do everything, others nothing,
 * not even what is open to all in system mode. Main loop only.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "stm-session-authority.h"

#include "stemma-error.h"

struct _StmSessionAuthority
{
  GObject parent_instance;

  guint uid;
};

static void stm_session_authority_iface_init (StmAuthorityInterface *iface);

G_DEFINE_FINAL_TYPE_WITH_CODE (StmSessionAuthority, stm_session_authority, G_TYPE_OBJECT,
                               G_IMPLEMENT_INTERFACE (STM_TYPE_AUTHORITY,
                                                      stm_session_authority_iface_init))

StmAuthority *
stm_session_authority_new (guint uid)
{
  StmSessionAuthority *self = g_object_new (STM_TYPE_SESSION_AUTHORITY, NULL);

  self->uid = uid;
  return STM_AUTHORITY (self);
}

static gboolean
is_asked_always (StmAuthority *authority)
{
  return TRUE;
}

static void
check_async (StmAuthority *authority, const StmQuestion *question, GCancellable *cancellable,
             GAsyncReadyCallback callback, gpointer user_data)
{
  StmSessionAuthority *self = STM_SESSION_AUTHORITY (authority);
  g_autoptr (GTask) task = g_task_new (self, cancellable, callback, user_data);

  g_task_set_source_tag (task, check_async);
  if (question->uid == self->uid)
    g_task_return_boolean (task, TRUE);
  else
    g_task_return_new_error (task, STEMMA_ERROR, STEMMA_ERROR_NOT_AUTHORIZED,
                             "this service runs for uid %u and serves no other user", self->uid);
}

static gboolean
check_finish (StmAuthority *authority, GAsyncResult *result, GError **error)
{
  return g_task_propagate_boolean (G_TASK (result), error);
}

static void
stm_session_authority_iface_init (StmAuthorityInterface *iface)
{
  iface->is_asked_always = is_asked_always;
  iface->check_async = check_async;
  iface->check_finish = check_finish;
}

static void
stm_session_authority_class_init (StmSessionAuthorityClass *klass)
{
}

static void
stm_session_authority_init (StmSessionAuthority *self)
{
}
