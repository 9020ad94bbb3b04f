/* The GOTO step on real images.
 *
 * Implements go_to_tag, and its part of abandon_marks, of StmDriver. Worker threads only.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include "stm-plan.h"
#include "stm-qemu-process.h"

#include "stm-path-policy.h"

/* Brings the content of the step's image to that of its tag `name`, durably. UNSAVED_STATE when it
 * was written since the fallback was made. */
gboolean stm_qemu_goto_run (const StmQemuSetup *setup, const StmStep *step,
                            const StmPathPolicy *policy, GCancellable *cancellable, GError **error);

/* Brings it back to the tag `fallback`, wherever the step was ended. Without this tag nothing was
 * changed. UNSAVED_STATE as above. */
gboolean stm_qemu_goto_abandon (const StmQemuSetup *setup, const StmStep *step,
                                const StmPathPolicy *policy, GError **error);
