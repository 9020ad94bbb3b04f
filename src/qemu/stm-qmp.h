/* StmQmp: a blocking client of one QMP monitor on a connected socket.
 *
 * For straight-line code on a worker: one thread at a time, never the main loop.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include "stm-qmp-parser.h"

#include <gio/gio.h>

/* From the start of the process to its greeting. A monitor that is taken by another client accepts
 * and never greets. */
#define STM_QMP_GREETING_TIMEOUT_MS (30 * 1000)
/* For the reply to a command. Commands open images and flush them, on storage that may be slow;
 * what takes long by nature is a job and replies at once. */
#define STM_QMP_REPLY_TIMEOUT_MS (300 * 1000)

typedef struct _StmQmp StmQmp;

/* Takes the socket, also when it fails; waits for the greeting and negotiates. `death_fd`
 * (borrowed, -1 for none) becomes readable when QEMU is dead. TIMED_OUT, HYPERVISOR, CANCELLED. */
StmQmp *
stm_qmp_connect_sync (int socket_fd, int death_fd, GCancellable *cancellable, GError **error);
void stm_qmp_free (StmQmp *self);

/* QEMU's version, "7.2.22". */
const char *stm_qmp_get_version (StmQmp *self);

typedef struct
{
  const char *command;
  JsonObject *arguments; /* NULL for none */
  const int *passed_fd;  /* NULL for none */
  const char *attempt;   /* what it is for, in messages: "opening /a/b" */
} StmQmpCall;

/* The value that the command returns. The descriptor that goes along is borrowed. After TIMED_OUT,
 * or HYPERVISOR because the connection broke, no further command is sent. After CANCELLED the
 * command may have run. */
JsonNode *stm_qmp_execute_sync (StmQmp *self, const StmQmpCall *call, GCancellable *cancellable,
                                GError **error);

/* Waits until an event is there, or the time is over: both TRUE. */
gboolean
stm_qmp_wait_event_sync (StmQmp *self, guint timeout_ms, GCancellable *cancellable, GError **error);
/* The oldest event not yet taken; NULL when there is none. Events beyond a limit are dropped,
 * oldest first: they are hints, the truth is queried. */
StmQmpMessage *stm_qmp_pop_event (StmQmp *self);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (StmQmp, stm_qmp_free)
