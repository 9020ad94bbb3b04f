/* StmLeafIndex: the checkpoints of one domain by what is asked of them often: which of those that
 * can be reached are leaves, and which have a bitmap of a name.
 *
 * Part of StmModel, main loop only. Fed with each checkpoint that is put or removed; each feeding
 * and each question costs by its answer and not by the number of checkpoints.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include "stm-moment.h"

typedef struct _StmLeafIndex StmLeafIndex;

StmLeafIndex *stm_leaf_index_new (void);
void stm_leaf_index_free (StmLeafIndex *self);

/* A put of a known id replaces it. The order does not matter, a child may come before its parent;
 * moments that are no checkpoints are let pass. */
void stm_leaf_index_put (StmLeafIndex *self, const StmMoment *moment);
void stm_leaf_index_remove (StmLeafIndex *self, const char *id);

/* Whether the record of a checkpoint can be gone on from: it is made, and neither off the active
 * chain nor lost. One of which nothing is known counts as such. */
gboolean stm_checkpoint_is_reachable (const StmMoment *moment);

/* The reachable checkpoints on which no reachable one stands, be it on a line through others: how
 * many, and the id of the only one or NULL. */
guint stm_leaf_index_count (const StmLeafIndex *self);
const char *stm_leaf_index_lone (const StmLeafIndex *self);
/* At most `limit` of them, by name. StmMoment, referenced. */
GPtrArray *stm_leaf_index_list (const StmLeafIndex *self, guint limit);

/* Those that have the bitmap on the disk. StmMoment, referenced, by id. */
GPtrArray *
stm_leaf_index_sharers (const StmLeafIndex *self, const char *target, const char *bitmap);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (StmLeafIndex, stm_leaf_index_free)
