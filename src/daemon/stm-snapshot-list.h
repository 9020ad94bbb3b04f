/* Which snapshots or checkpoints List gives, and in which order. Pure, on one tree of one domain.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include "stm-tree.h"

typedef enum
{
  STM_LOCATION_ANY,
  STM_LOCATION_INTERNAL,
  STM_LOCATION_EXTERNAL,
  STM_LOCATION_MIXED,
} StmLocation;

typedef enum
{
  STM_ORDER_CREATION,
  STM_ORDER_TOPOLOGICAL, /* each parent before its children */
} StmListOrder;

typedef struct
{
  gboolean roots_only;
  gboolean leaves_only;
  const char *from;           /* id: only its children; NULL: all of the tree */
  gboolean takes_descendants; /* with `from`: not only the children */
  const char *const *states;  /* words; NULL: any */
  StmLocation location;
  StmListOrder order;
  const char *after; /* id: only what follows it in that order; NULL: all */
  guint limit;       /* 0: none */
} StmListFilter;

/* What a filter puts in question, in its order, whatever it picks of that. */
typedef struct _StmSnapshotOrder StmSnapshotOrder;

/* NOT_FOUND when `from` is not in the tree. */
StmSnapshotOrder *
stm_snapshot_order_new (const StmTree *tree, const StmListFilter *filter, GError **error);
void stm_snapshot_order_free (StmSnapshotOrder *self);

/* StmMoment, referenced; the tree is the same still, and so are `from`, `takes_descendants` and
 * `order`. NOT_FOUND when `after` is not in the list. What follows the last one that was given is
 * found at once. */
GPtrArray *stm_snapshot_order_pick (StmSnapshotOrder *self, const StmTree *tree,
                                    const StmListFilter *filter, GError **error);

/* Both at once. */
GPtrArray *stm_snapshot_list (const StmTree *tree, const StmListFilter *filter, GError **error);

/* Where the disks of a snapshot have their states, and it its memory; EXTERNAL when it has none. */
StmLocation stm_moment_get_location (const StmMoment *moment);
const char *stm_location_to_word (StmLocation location);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (StmSnapshotOrder, stm_snapshot_order_free)
