/* StmProgress: how far a running operation is, written by its worker, read by the main loop.
 *
 * Thread-safe without locks: single atomic fields, no invariant across them but that the total is
 * set before the work begins. Reference counted.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include <glib.h>

typedef struct _StmProgress StmProgress;

StmProgress *stm_progress_new (void);
StmProgress *stm_progress_ref (StmProgress *self);
void stm_progress_unref (StmProgress *self);

/* Worker. */
void stm_progress_set_total (StmProgress *self, guint64 bytes);
void stm_progress_set_phase (StmProgress *self, const char *phase); /* an interned or static word */
/* Bytes of the present step; those of finished steps are kept apart. */
void stm_progress_set_step_done (StmProgress *self, guint64 bytes);
void stm_progress_finish_step (StmProgress *self, guint64 bytes);
/* Point of no return: from here on the operation cannot be cancelled. FALSE when it was cancelled
 * before; then the worker stops. Decides a race between seal and cancel once and for all. */
gboolean stm_progress_seal (StmProgress *self);

/* Main loop. */
gboolean stm_progress_cancel (StmProgress *self); /* FALSE when sealed already */
gboolean stm_progress_is_sealed (const StmProgress *self);
guint64 stm_progress_get_total (const StmProgress *self);
guint64 stm_progress_get_done (const StmProgress *self);
const char *stm_progress_get_phase (const StmProgress *self);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (StmProgress, stm_progress_unref)
