/* The options that Snapshots.Create and Checkpoints.Create have in common. Pure.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include "stm-options.h"

/* Most disks of one request. */
#define STM_MAX_DISKS 256

/* `quiesce`: WRONG_STATE by stm_quiesce_check() when it is required, for there are no guests. */
typedef enum
{
  STM_QUIESCE_NO,
  STM_QUIESCE_TRY,
  STM_QUIESCE_REQUIRE,
} StmQuiesce;

StmQuiesce stm_options_take_quiesce (StmOptions *options);
gboolean stm_quiesce_check (StmQuiesce quiesce, GError **error);
