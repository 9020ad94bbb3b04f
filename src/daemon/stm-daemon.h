/* StmDaemon: the service's place on the bus: its name, its objects, its end.
 *
 * Main loop only.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include "stm-authority.h"
#include "stm-bus-name.h"
#include "stm-registry.h"

#define STM_TYPE_DAEMON stm_daemon_get_type ()
G_DECLARE_FINAL_TYPE (StmDaemon, stm_daemon, STM, DAEMON, GObject)

StmDaemon *stm_daemon_new (GDBusConnection *connection, StmAuthority *authority);

/* Blocking; before the main loop runs. BUSY when the name is owned and not given. A SIGTERM or
 * SIGINT from now on ends the run. */
gboolean stm_daemon_own_name_sync (StmDaemon *self, StmNamePolicy policy, GError **error);

void stm_daemon_publish (StmDaemon *self, StmRegistry *registry, const char *hypervisor_version);

/* Runs the main loop until SIGTERM or SIGINT, or until the name or the bus is lost; then answers
 * the calls that came before, for a second at most, and takes the objects off the bus. */
void stm_daemon_run (StmDaemon *self);
