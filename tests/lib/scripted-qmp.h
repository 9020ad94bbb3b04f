/* A QMP peer that follows a script, on a socket pair and a thread of its own.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include <glib.h>

#define SCRIPTED_QMP_GREETING                                                                      \
  "{\"QMP\": {\"version\": {\"qemu\": {\"micro\": 22, \"minor\": 2, \"major\": 7}, "               \
  "\"package\": \"\"}, \"capabilities\": []}}\r\n"

typedef struct _ScriptedQmp ScriptedQmp;

/* The script is written first, then started. */
ScriptedQmp *scripted_qmp_new (void);
/* Sends text as it is. */
void scripted_qmp_send (ScriptedQmp *self, const char *text);
/* Waits for a command and notes its line. */
void scripted_qmp_expect (ScriptedQmp *self, const char *command);
/* Sends text with "$ID" replaced by the id of the last command. */
void scripted_qmp_reply (ScriptedQmp *self, const char *text);
/* The greeting, and the answer to qmp_capabilities. */
void scripted_qmp_greet (ScriptedQmp *self);
/* Cancels a cancellable at this point. */
void scripted_qmp_call (ScriptedQmp *self, void (*function) (gpointer), gpointer user_data);
/* Hangs up; without it the socket stays open until the end of the test. */
void scripted_qmp_hang_up (ScriptedQmp *self);

/* Gives the client's end, which is the caller's. */
int scripted_qmp_start (ScriptedQmp *self);
/* Waits for the end of the script; fails the test when a command was not the expected one. */
void scripted_qmp_finish (ScriptedQmp *self);
/* Descriptors that came with commands, after finish. */
guint scripted_qmp_get_n_fds (ScriptedQmp *self);
void scripted_qmp_free (ScriptedQmp *self);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (ScriptedQmp, scripted_qmp_free)
