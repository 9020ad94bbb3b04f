/* The OVERLAY steps of a plan on real images.
 *
 * Implements the verbs make_overlays and abandon_overlays of StmDriver. Worker threads only.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include "stm-plan.h"
#include "stm-qemu-process.h"

#include "stm-path-policy.h"

gboolean
stm_qemu_overlays_make (const StmQemuSetup *setup, const StmPlan *plan, const StmPathPolicy *policy,
                        GCancellable *cancellable, GError **error);

/* Removes what the plan's temporary names hold, and each final name whose header proves an empty
 * overlay over the recorded image. CHAIN_BROKEN when one is something else: it stays. */
gboolean
stm_qemu_overlays_abandon (const StmPlan *plan, const StmPathPolicy *policy, GError **error);
