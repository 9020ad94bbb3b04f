/* What happens in the child between fork and exec.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include <glib.h>
#include <sys/types.h>

/* Where the child finds its monitor, or another socket. */
#define STM_QEMU_CHILD_QMP_FD 3

/* Everything the child needs, made before the fork. */
typedef struct
{
  const char *binary; /* a path */
  char *const *arguments;
  char *const *environment;
  gboolean changes_user;
  uid_t uid;
  gid_t gid;
  pid_t parent;
  gboolean is_filtered; /* can make no process and write no file: QEMU does that by itself */
  int null_fd;          /* for standard input and output */
  int error_fd;         /* for standard error */
  int qmp_fd;           /* the monitor's end, or that of another socket */
  int control_fd;       /* one byte comes in: go on; on failure one StmQemuChildFailure goes out */
} StmQemuChild;

typedef struct
{
  int step;   /* StmQemuChildStep */
  int number; /* errno */
} StmQemuChildFailure;

/* Runs in the child only, and never returns. Async-signal-safe. */
G_NORETURN void stm_qemu_child_run (const StmQemuChild *child);

/* What a step attempts, for messages. */
const char *stm_qemu_child_step_to_text (int step);
