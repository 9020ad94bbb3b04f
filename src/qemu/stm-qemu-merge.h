/* The COMMIT and STREAM steps of a plan on real images.
 *
 * Implements the verb merge of StmDriver. Worker threads only.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include "stm-merge.h"

gboolean stm_qemu_merge (const StmMerge *merge, GError **error);
