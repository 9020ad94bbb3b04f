/* The commands of each noun; each table ends with a verb of NULL.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include "stm-cli-command.h"

extern const StmCliCommand stm_cli_domain_commands[];
extern const StmCliCommand stm_cli_snapshot_commands[];
extern const StmCliCommand stm_cli_checkpoint_commands[];
extern const StmCliCommand stm_cli_disk_commands[];
extern const StmCliCommand stm_cli_job_commands[];
extern const StmCliCommand stm_cli_monitor_commands[];
extern const StmCliCommand stm_cli_check_commands[];
