/* Runs pkttyagent while a call waits for authorization.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "stm-cli-agent.h"

#include <glib-unix.h>
#include <signal.h>
#include <unistd.h>

#define PROGRAM "pkttyagent"
#define START_MILLISECONDS 5000
/* What the agent's end of the pipe is in the agent. */
#define NOTIFY_FD 3

/* The agent closes its end when polkit knows it, or when it ends. */
static gboolean
wait_for_end (int fd)
{
  GPollFD poll = { .fd = fd, .events = G_IO_IN | G_IO_HUP };

  return g_poll (&poll, 1, START_MILLISECONDS) == 1;
}

static GSubprocess *
spawn (int notify_fd)
{
  g_autoptr (GSubprocessLauncher)
      launcher = g_subprocess_launcher_new (G_SUBPROCESS_FLAGS_STDIN_INHERIT);
  g_autofree char *process = g_strdup_printf ("%d", (int) getpid ());
  g_autofree char *descriptor = g_strdup_printf ("%d", NOTIFY_FD);

  g_subprocess_launcher_take_fd (launcher, notify_fd, NOTIFY_FD);
  return g_subprocess_launcher_spawn (launcher, /* error= */ NULL, PROGRAM, "--fallback",
                                      "--notify-fd", descriptor, "--process", process, NULL);
}

GSubprocess *
stm_cli_agent_start (void)
{
  g_autofree char *program = g_find_program_in_path (PROGRAM);
  g_autoptr (GSubprocess) agent = NULL;
  int fds[2] = { -1, -1 };
  gboolean is_known = FALSE;

  if (program == NULL || !g_unix_open_pipe (fds, FD_CLOEXEC, /* error= */ NULL))
    return NULL;

  agent = spawn (fds[1]);
  is_known = agent != NULL && wait_for_end (fds[0]);
  close (fds[0]);
  if (agent != NULL && !is_known)
    stm_cli_agent_stop (g_steal_pointer (&agent));
  return g_steal_pointer (&agent);
}

void
stm_cli_agent_stop (GSubprocess *agent)
{
  g_subprocess_send_signal (agent, SIGTERM);
  g_subprocess_wait (agent, /* cancellable= */ NULL, /* error= */ NULL);
  g_object_unref (agent);
}
