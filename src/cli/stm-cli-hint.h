/* What a person at the terminal can do about an error, in the words of this program: the service
 * says it in those of the bus.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include "stm-cli-call.h"

/* One line, not escaped, to be freed; NULL when there is nothing to add. The command may be unknown
 * as yet. */
char *stm_cli_hint_for (const StmCliCall *call, const GError *error);

/* The same on stderr; nothing with --quiet. */
void stm_cli_hint_print (const StmCliCall *call, const GError *error);
