/* StmEndpointKeeper: one endpoint that is up before it is needed, for half of the time that a small
 * operation takes is QEMU's start.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include "stm-qemu-process.h"

/* Starts nothing yet. `setup` is borrowed, and its own keeper is not looked at. A spare that nobody
 * wanted for `idle_ms` is ended. */
StmEndpointKeeper *stm_endpoint_keeper_new (const StmQemuSetup *setup, guint idle_ms);
/* Ends the spare. What was taken and is still running ends, too: the kernel sees to it. */
void stm_endpoint_keeper_free (StmEndpointKeeper *self);

/* Says that one may be wanted again, and returns at once. Any thread. */
void stm_endpoint_keeper_prepare (StmEndpointKeeper *self);

/* The spare, when there is one and it is alive; else NULL, and the caller starts its own. As
 * stm_qemu_process_start(), but lives as long as the keeper. Any thread. */
StmQemuProcess *stm_endpoint_keeper_take (StmEndpointKeeper *self, int *out_qmp_fd);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (StmEndpointKeeper, stm_endpoint_keeper_free)
