/* Moments as they were read, put into an order in which a tree can take them.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include "stm-moment.h"
#include "stm-problems.h"

typedef struct
{
  StmMoment *moment;
  gint64 place; /* order among siblings */
} StmMomentRow;

StmMomentRow *stm_moment_row_new (const StmMoment *moment, gint64 place);
void stm_moment_row_free (StmMomentRow *self);

/* StmMoment, each parent before its children and siblings by place. A moment whose parent is not
 * there, or that stands in a ring of parents, is given as a root with health "orphan", and said.
 * Sorts `rows` (StmMomentRow, of one domain; ids are unique). */
GPtrArray *stm_row_forest_order (GPtrArray *rows, StmProblems *problems);
