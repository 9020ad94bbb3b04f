/* StmJobNumbers: numbers of jobs, each given out once in the life of the store.
 *
 * A client may wait for a job when its service ends, and meet another service that answers in its
 * place: were there a job of the same number, the client would take that one's end for that of its
 * own. So a number is given out only when the store has on record that it may have been, and after
 * a restart or a crash they go on behind those. Numbers are put on record a block at a time, and
 * the next block before it is needed; what is left of a block at the end of the service is skipped.
 *
 * Main loop only.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include "stm-store.h"

typedef struct _StmJobNumbers StmJobNumbers;

/* `last_job`: what the store has on record. Begins to reserve the first block. */
StmJobNumbers *stm_job_numbers_new (StmStore *store, guint last_job);

/* The next number. 0 when none could be reserved: the store's error (READ_ONLY, NO_SPACE, FAILED),
 * which any operation would meet a little later, or TOO_MANY when there are none left. */
guint stm_job_numbers_take (StmJobNumbers *self, GError **error);

void stm_job_numbers_free (StmJobNumbers *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (StmJobNumbers, stm_job_numbers_free)
