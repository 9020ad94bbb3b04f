/* The end of the service, asked for at an awkward moment.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "bus-client.h"
#include "stm-daemon.h"
#include "stm-session-authority.h"

#include <glib-unix.h>

#include <signal.h>
#include <unistd.h>

static gboolean
on_signal (gpointer user_data)
{
  *(gboolean *) user_data = TRUE;
  return G_SOURCE_CONTINUE;
}

/* Who sees the name may send it at once, and the main context is looked after before the loop runs.
 */
static void
test_asked_before_the_loop_runs (void)
{
  GDBusConnection *bus = bus_client_new ();
  g_autoptr (StmAuthority) authority = stm_session_authority_new (geteuid ());
  g_autoptr (StmDaemon) daemon = stm_daemon_new (bus, authority);
  gboolean is_seen = FALSE;
  guint watch = g_unix_signal_add (SIGTERM, on_signal, &is_seen);
  g_autoptr (GError) error = NULL;

  g_assert_true (stm_daemon_own_name_sync (daemon, STM_NAME_KEEP, &error));
  g_assert_no_error (error);
  g_assert_cmpint (kill (getpid (), SIGTERM), ==, 0);
  while (!is_seen)
    g_main_context_iteration (NULL, TRUE);
  while (g_main_context_iteration (NULL, FALSE))
    ;
  stm_daemon_run (daemon);
  g_source_remove (watch);
  g_clear_object (&daemon);
  bus_client_leave (bus);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/daemon/end/asked-for-before-the-loop-runs", test_asked_before_the_loop_runs);
  return g_test_run ();
}
