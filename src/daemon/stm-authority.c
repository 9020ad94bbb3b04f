/* The interface of those who decide; dispatch only.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "stm-authority.h"

G_DEFINE_INTERFACE (StmAuthority, stm_authority, G_TYPE_OBJECT)

gboolean
stm_authority_is_asked_always (StmAuthority *self)
{
  return STM_AUTHORITY_GET_IFACE (self)->is_asked_always (self);
}

void
stm_authority_check_async (StmAuthority *self, const StmQuestion *question,
                           GCancellable *cancellable, GAsyncReadyCallback callback,
                           gpointer user_data)
{
  STM_AUTHORITY_GET_IFACE (self)->check_async (self, question, cancellable, callback, user_data);
}

gboolean
stm_authority_check_finish (StmAuthority *self, GAsyncResult *result, GError **error)
{
  return STM_AUTHORITY_GET_IFACE (self)->check_finish (self, result, error);
}

static void
stm_authority_default_init (StmAuthorityInterface *iface)
{
}
