/* stemmactl undefine: the machine is forgotten, and where its disks are is told.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include "stm-cli-call.h"

/* VM; options `moments` and those of the service */
gboolean stm_cli_run_undefine (StmCliCall *call, GError **error);
