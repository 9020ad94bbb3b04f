/* StmMomentSubtree: answers calls to the snapshots, or to the checkpoints, of one domain.
 *
 * One subtree is registered for all of them; a call finds its moment in the model, and a skeleton
 * is made for the time of a method call. Main loop only.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include "stm-bus-context.h"

/* How many of them an introspection of the path above lists; calls reach all of them. */
#define STM_MAX_INTROSPECTED_MOMENTS 1000

typedef struct _StmMomentSubtree StmMomentSubtree;

StmMomentSubtree *
stm_moment_subtree_new (const StmBusContext *context, const char *domain_id, StmMomentKind kind);
/* Takes them off the bus. */
void stm_moment_subtree_free (StmMomentSubtree *self);
