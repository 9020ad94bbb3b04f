/* What the tests of snapshots within images have in common.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include "image-world.h"

#include "stemma-error.h"

/* Of the machine "vm". */
StmPlan *internal_plan_create (World *world, const char *name, StmDiskMode mode);
void internal_take (World *world, const char *name, StmDiskMode mode);

/* The plan in words; the tag that it makes for the time being is FALLBACK. */
void internal_assert_told (const StmPlan *plan, const char *expected);
void internal_assert_revert_refused (World *world, const char *name, StmRevertRequest request,
                                     StemmaError code, const char *words);
void internal_assert_block (const World *world, const char *target, int block, int value);

/* A machine whose disks hold 1, with the internal snapshot "s1", and then 2. */
World *internal_world (const char *const *targets);
