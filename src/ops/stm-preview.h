/* Survey and plan of an operation without doing it, for the Plan… methods.
 *
 * Main loop; the looking runs on a worker.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include "stm-op.h"
#include "stm-workers.h"

/* `closing` is to be cancelled before the workers go. */
void stm_preview_async (StmOp *op, const StmModel *model, StmDriver *driver, StmWorkers *workers,
                        GCancellable *closing, const char *const *pools,
                        GAsyncReadyCallback callback, gpointer user_data);
StmPlan *stm_preview_finish (GAsyncResult *result, GError **error);
