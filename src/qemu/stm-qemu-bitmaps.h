/* The BITMAP and UNBITMAP steps on real images.
 *
 * Implements make_bitmaps, and the bitmaps' part of abandon_marks and remove_marks, of StmDriver.
 * Worker threads only.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include "stm-endpoint-series.h"
#include "stm-plan.h"

#include "stm-path-policy.h"

/* All BITMAP steps of a plan or none, in the files when it returns. */
gboolean
stm_qemu_bitmaps_make (const StmQemuSetup *setup, const StmPlan *plan, const StmPathPolicy *policy,
                       GCancellable *cancellable, GError **error);

/* Removes what BITMAP steps of the plan made, in order or broken; one that is not there is fine.
 * One that cannot go keeps none of the others. */
gboolean stm_qemu_bitmaps_abandon (StmEndpointSeries *series, const StmPlan *plan,
                                   const StmPathPolicy *policy, GError **error);

/* Does one UNBITMAP step. */
gboolean stm_qemu_bitmaps_remove (StmEndpointSeries *series, const StmStep *step,
                                  const StmPathPolicy *policy, GError **error);
