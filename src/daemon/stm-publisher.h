/* StmPublisher: keeps the bus as the registry is. Listens to the registry and sends what changed
 * before it returns, so that all signals of a change are out before the reply of the call that
 * caused it.
 *
 * Main loop only.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include "stm-gate.h"
#include "stm-registry.h"

#define STM_TYPE_PUBLISHER stm_publisher_get_type ()
G_DECLARE_FINAL_TYPE (StmPublisher, stm_publisher, STM, PUBLISHER, GObject)

/* Puts everything that the registry has on the connection. */
StmPublisher *stm_publisher_new (GDBusConnection *connection, StmRegistry *registry, StmGate *gate,
                                 const char *hypervisor_version);
