/* Somebody to ask for passwords on a terminal where no desktop does.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include <gio/gio.h>

/* Starts polkit's agent for terminals, for this process, and waits until it is known to polkit.
 * NULL when it is not installed or does not start. */
GSubprocess *stm_cli_agent_start (void);
/* Ends it; it leaves the terminal as it was. */
void stm_cli_agent_stop (GSubprocess *agent);
