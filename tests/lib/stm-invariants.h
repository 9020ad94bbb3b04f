/* What must be true of a model at any time, judged by its public functions alone.
 *
 * For random tests, and after tests that fill a model from a store.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include "stm-model.h"

/* FAILED with what is not as it must be. Costs by the size of the model. */
gboolean stm_model_validate (const StmModel *self, GError **error);
