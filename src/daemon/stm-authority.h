/* StmAuthority: who decides whether a call may be made. Implemented by polkit and by session mode.
 *
 * Main loop only; an answer comes through the main loop, also when it is known at once.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include <gio/gio.h>

typedef enum
{
  STM_PROMPT_NEVER,
  STM_PROMPT_ALLOWED,
} StmPrompt;

typedef struct
{
  const char *sender; /* unique bus name */
  guint uid;
  const char *action;  /* NULL: the method is open to all whom the authority serves */
  GHashTable *details; /* char * to char *, what rules and the prompt are told */
  StmPrompt prompt;
} StmQuestion;

#define STM_TYPE_AUTHORITY stm_authority_get_type ()
G_DECLARE_INTERFACE (StmAuthority, stm_authority, STM, AUTHORITY, GObject)

struct _StmAuthorityInterface
{
  GTypeInterface parent_iface;

  /* Whether it wants to be asked about open methods too. */
  gboolean (*is_asked_always) (StmAuthority *self);
  void (*check_async) (StmAuthority *self, const StmQuestion *question, GCancellable *cancellable,
                       GAsyncReadyCallback callback, gpointer user_data);
  gboolean (*check_finish) (StmAuthority *self, GAsyncResult *result, GError **error);
};

gboolean stm_authority_is_asked_always (StmAuthority *self);
/* The question is borrowed for the time of the call. */
void stm_authority_check_async (StmAuthority *self, const StmQuestion *question,
                                GCancellable *cancellable, GAsyncReadyCallback callback,
                                gpointer user_data);
/* FALSE with one of the three shades of NOT_AUTHORIZED. */
gboolean stm_authority_check_finish (StmAuthority *self, GAsyncResult *result, GError **error);
