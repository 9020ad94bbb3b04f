/* Tags and bitmaps in one: what is taken back and what is removed, of either kind.
 *
 * Implements abandon_marks and remove_marks of StmDriver. Worker threads only.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include "stm-plan.h"
#include "stm-qemu-process.h"

#include "stm-path-policy.h"

gboolean stm_qemu_marks_abandon (const StmQemuSetup *setup, const StmPlan *plan,
                                 const StmPathPolicy *policy, GError **error);
gboolean stm_qemu_marks_remove (const StmQemuSetup *setup, const StmStep *const *steps,
                                gsize n_steps, const StmPathPolicy *policy, GError **failures);
