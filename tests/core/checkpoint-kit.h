/* What the tests of checkpoints' plans have in common.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include "image-world.h"

#include "stemma-error.h"

/* The machine "vm" with these disks. */
World *checkpoint_world (const char *const *disks);

void checkpoint_assert_error (GError *error, StemmaError code, const char *word);
void checkpoint_assert_told (const StmPlan *plan, const char *expected);
/* Takes the plan, which must be there and read as expected, and carries it out. */
void checkpoint_run_told (World *world, StmPlan *owned, GError *error, const char *expected);

void checkpoint_assert_health (World *world, const char *name, StmHealth health);
void checkpoint_set_health (World *world, const char *name, StmHealth health);
void checkpoint_assert_leaf (World *world, const char *name);
/* What a backup since the checkpoint would take of vda, as "014". */
void checkpoint_assert_dirty (World *world, const char *name, const char *expected);
