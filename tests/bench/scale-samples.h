/* What the benchmarks are made of: one domain and as many snapshots as wanted, as redefinition
 * would bring them.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include "stm-change.h"

typedef enum
{
  SHAPE_CHAIN, /* each on the one before */
  SHAPE_FAN,   /* all on the first */
} Shape;

#define SCALE_DOMAIN "d0000000000000000000000000000001"

const char *shape_to_word (Shape shape);

/* The change that brings the domain, its image and a definition of 4 kB. */
StmChange *scale_define (void);

/* Snapshot `number`, from 0, all with that definition. */
StmMoment *scale_moment (Shape shape, guint number);
/* All of them as one change, with the last one current. */
StmChange *scale_bulk (Shape shape, guint n);
