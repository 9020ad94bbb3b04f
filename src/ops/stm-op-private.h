/* For the files that implement operations.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include "stm-op.h"

/* Sets what every operation has; `domain_id` is copied. */
void stm_op_init_base (StmOp *self, StmOperation operation, const char *domain_id);
