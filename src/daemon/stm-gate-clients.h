/* StmGateClients: who calls through a gate, and how much each may have under way.
 *
 * Main loop only. A client is known by its unique name from its first call on. One with a call
 * pending or a job unfinished is kept; of those that have nothing under way some are remembered, so
 * that the bus need not be asked again who they are. Knows nothing of permissions.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include <gio/gio.h>

#define STM_UID_UNKNOWN G_MAXUINT

typedef struct _StmGateClients StmGateClients;
typedef struct _StmGateClient StmGateClient;

StmGateClients *stm_gate_clients_new (void);
/* None may have anything under way. */
void stm_gate_clients_free (StmGateClients *self);

/* The caller, with one more call pending. NULL with TOO_MANY: of the client, or of all. */
StmGateClient *
stm_gate_clients_begin_call (StmGateClients *self, GDBusMethodInvocation *call, GError **error);
void stm_gate_client_end_call (StmGateClient *self);
/* Whether a call of any client is pending. */
gboolean stm_gate_clients_has_pending (const StmGateClients *self);
/* Cancelled when the client leaves the bus. */
GCancellable *stm_gate_client_get_cancellable (StmGateClient *self);

/* The answer to who the client is; the uid is unknown when there is a problem. */
typedef void (*StmGateUidKnown) (guint uid, const GError *problem, gpointer user_data);
/* For a call that is pending: answers at once when it is known. Else the bus is asked, and all that
 * come before its answer wait for it, so that calls of one client stay in order. */
void stm_gate_client_ask_uid (StmGateClient *self, StmGateUidKnown when_known, gpointer user_data);

/* The caller, with one more job unfinished. NULL with TOO_MANY. */
StmGateClient *
stm_gate_clients_begin_job (StmGateClients *self, GDBusMethodInvocation *call, GError **error);
void stm_gate_client_end_job (StmGateClient *self);
