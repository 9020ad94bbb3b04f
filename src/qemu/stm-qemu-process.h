/* StmQemuProcess: one sandboxed, unprivileged QEMU with a monitor on a socket pair, which lives for
 * one verb and never longer than the thread that started it.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include <gio/gio.h>

typedef struct _StmEndpointKeeper StmEndpointKeeper;

/* How endpoints are started; what it points to outlives the value's users. */
typedef struct
{
  const char *binary;        /* a name to be found in PATH, or a path */
  const char *user;          /* to run as; NULL: as ourselves */
  const char *run_directory; /* for the records of what runs; made when missing */
  StmEndpointKeeper *keeper; /* has one that is up already; NULL: each is started when needed */
} StmQemuSetup;

typedef struct _StmQemuProcess StmQemuProcess;

/* Starts it and returns at once; the monitor greets when it is up. The calling thread must live as
 * long as the process: the kernel kills the one with the other. *out_qmp_fd is the caller's.
 * NOT_SUPPORTED: no such program or user; what the system refused. */
StmQemuProcess *stm_qemu_process_start (const StmQemuSetup *setup, int *out_qmp_fd, GError **error);

/* Where a tool finds its socket. */
#define STM_QEMU_TOOL_SOCKET_FD 3

/* Starts a program of QEMU's that works on what it reaches by `socket_fd`, a connected socket, and
 * by nothing else: it is as little privileged as the endpoint, makes no process and writes no file.
 * The socket is closed here in any case, so that its peer sees the end of the program. arguments[0]
 * is a name to be found in PATH. As above else. */
StmQemuProcess *stm_qemu_process_start_tool (const StmQemuSetup *setup, char *const *arguments,
                                             int socket_fd, GError **error);

/* Readable when the process is dead. Borrowed. */
int stm_qemu_process_get_pidfd (StmQemuProcess *self);
GPid stm_qemu_process_get_pid (StmQemuProcess *self);

/* Waits for its own end and reaps it; FALSE with HYPERVISOR when it did not end well by itself in
 * time (then it is killed) or was ended by a signal. */
gboolean stm_qemu_process_end_sync (StmQemuProcess *self, guint timeout_ms, GError **error);

/* What it wrote to its standard error, the end of it; empty when nothing. */
char *stm_qemu_process_read_words (StmQemuProcess *self);

/* Kills it when it is not dead, and reaps it. */
void stm_qemu_process_free (StmQemuProcess *self);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (StmQemuProcess, stm_qemu_process_free)
