/* Completion of command lines, for shells.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include <glib.h>

/* Prints what the last word may become, one candidate a line, a tab and a description behind it
 * where there is one; a line ":files" says that names of files fit, too. Starts no service, waits
 * only a moment for one, and is silent about what goes wrong. `words` are those after the program's
 * name; the last is the one at the cursor, may be empty. */
void stm_cli_complete (char **words);
