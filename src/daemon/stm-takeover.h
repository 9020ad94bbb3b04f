/* StmTakeover: takes the place of a service that runs, before there is anything to put there.
 *
 * A service gives its store up when it loses its name, so the name has to be taken first. It is
 * taken here, on a connection of its own, on which each call is refused as if nobody had the name
 * (and the bus starts no third service for it). When the store could be opened and everything is
 * exported, the service takes the name from here in one step: nobody ever meets a half of it.
 *
 * Main loop only; before stm_daemon_run().
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include <gio/gio.h>

#define STM_TYPE_TAKEOVER stm_takeover_get_type ()
G_DECLARE_FINAL_TYPE (StmTakeover, stm_takeover, STM, TAKEOVER, GObject)

/* Blocking for three calls to the bus. When this returns, the other service knows that it has to
 * go. The name and the connection are given back when the takeover is finalized. */
StmTakeover *stm_takeover_begin_sync (GBusType bus, GError **error);

/* What needs the other service to be gone; fails with BUSY while it is there. */
typedef gpointer (*StmTakeoverAttempt) (gpointer user_data, GError **error);

/* Runs the main loop and tries again and again: the result of the attempt that succeeds. NULL when
 * one fails with another error than BUSY, or all do for too long; with G_IO_ERROR_CANCELLED when
 * SIGTERM or SIGINT comes, or the name or the bus is lost. */
gpointer stm_takeover_run (StmTakeover *self, StmTakeoverAttempt attempt, gpointer user_data,
                           GError **error);

/* Whether SIGTERM or SIGINT has come since the beginning. */
gboolean stm_takeover_is_stopped (StmTakeover *self);
