/* Survey and plan of an operation without doing it, for the Plan… methods.
 *
 * Main loop; the looking runs on a worker.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include "stm-op.h"
#include "stm-workers.h"

void stm_preview_async (StmOp *op, const StmModel *model, StmDriver *driver, StmWorkers *workers,
                        const char *const *pools, GAsyncReadyCallback callback, gpointer user_data);
StmPlan *stm_preview_finish (GAsyncResult *result, GError **error);
