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

/* StmMoment, referenced. NOT_FOUND when `from` is not in the tree or `after` not in the list. */
GPtrArray *stm_snapshot_list (const StmTree *tree, const StmListFilter *filter, GError **error);

/* Where the disks of a snapshot have their states, and it its memory; EXTERNAL when it has none. */
StmLocation stm_moment_get_location (const StmMoment *moment);
const char *stm_location_to_word (StmLocation location);
