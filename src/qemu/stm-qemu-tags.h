/* The TAG and UNTAG steps on real images.
 *
 * Implements make_tags, and the tags' part of remove_marks and abandon_marks, of StmDriver. Worker
 * threads only.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include "stm-endpoint-series.h"
#include "stm-plan.h"

#include "stm-path-policy.h"

/* All TAG steps of a plan or none, durable when it returns. */
gboolean
stm_qemu_tags_make (const StmQemuSetup *setup, const StmPlan *plan, const StmPathPolicy *policy,
                    GCancellable *cancellable, GError **error);

/* Removes what a TAG step of a plan made, and what it left when it was cut off. CHAIN_BROKEN, and
 * the tag stays, when it is not proven to be what the step made. */
gboolean stm_qemu_tags_abandon (StmEndpointSeries *series, const StmPlan *plan, const StmStep *step,
                                const StmPathPolicy *policy, GError **error);

/* Does one UNTAG step; that the tag is not there is fine. Durable when it returns. */
gboolean stm_qemu_tags_remove (StmEndpointSeries *series, const StmStep *step,
                               const StmPathPolicy *policy, GError **error);
