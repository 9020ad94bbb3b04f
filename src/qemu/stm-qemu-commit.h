/* The COMMIT step on real images.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include "stm-merge.h"

gboolean stm_qemu_commit (const StmMerge *merge, GError **error);
