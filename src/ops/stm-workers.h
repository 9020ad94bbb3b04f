/* StmWorkers: runs blocking functions off the main loop. The only code that knows threads.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include <gio/gio.h>

typedef struct _StmWorkers StmWorkers;
typedef void (*StmWork) (gpointer data);

StmWorkers *stm_workers_new (void);
/* Waits for what is running. */
void stm_workers_free (StmWorkers *self);

/* Runs `work` on a thread of its own and then `done` on the main loop, both with `data`, which
 * nobody else touches in between. */
void stm_workers_run (StmWorkers *self, StmWork work, StmWork done, gpointer data);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (StmWorkers, stm_workers_free)
