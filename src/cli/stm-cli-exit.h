/* The exit statuses of stemmactl, as its manual lists them.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include <glib.h>

typedef enum
{
  STM_CLI_EXIT_OK = 0,
  STM_CLI_EXIT_FAILED = 1,
  STM_CLI_EXIT_USAGE = 2, /* the command line, an option or a document is not understood */
  STM_CLI_EXIT_NOT_FOUND = 3,
  STM_CLI_EXIT_NOT_AUTHORIZED = 4,
  STM_CLI_EXIT_BUSY = 5,    /* another operation, or the present state, is in the way */
  STM_CLI_EXIT_UNSAVED = 6, /* unsaved state would be lost */
  STM_CLI_EXIT_REFUSED = 7, /* something else blocks it, which the message names */
  STM_CLI_EXIT_NO_SERVICE = 8,
  STM_CLI_EXIT_CANCELLED = 9, /* by the user */
  STM_CLI_EXIT_FINDINGS = 10, /* `check` found something */
} StmCliExit;

StmCliExit stm_cli_exit_of (const GError *error);
