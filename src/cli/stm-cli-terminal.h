/* Questions to whom sits at the terminal.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include "stm-cli-call.h"

/* Whether somebody is there to answer. */
gboolean stm_cli_can_ask (void);

/* Asks for a yes. TRUE without a question with --yes; CANCELLED when the answer is not yes; RISKY
 * with `what` and the way out when nobody can be asked. `what` is a clause, "deleting 3 snapshots",
 * and escaped here. */
gboolean stm_cli_confirm (const StmCliCall *call, const char *what, GError **error);

/* A line without its end; NULL at the end of the input. */
char *stm_cli_ask_line (const char *prompt);
