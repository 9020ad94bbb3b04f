/* Asks on stderr and reads answers from stdin.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "stm-cli-terminal.h"

#include "stemma-error.h"
#include "stm-cli-output.h"

#include <stdio.h>
#include <unistd.h>

/* Longer answers are not read to their end. */
#define MAX_ANSWER 4096

gboolean
stm_cli_can_ask (void)
{
  return isatty (STDIN_FILENO) && isatty (STDERR_FILENO);
}

char *
stm_cli_ask_line (const char *prompt)
{
  char line[MAX_ANSWER];

  fflush (stdout);
  g_printerr ("%s", prompt);
  if (fgets (line, sizeof line, stdin) == NULL)
    {
      g_printerr ("\n");
      return NULL;
    }
  return g_strdup (g_strchomp (line));
}

gboolean
stm_cli_confirm (const StmCliCall *call, const char *what, GError **error)
{
  g_autofree char *shown = stm_cli_escape (what);
  g_autofree char *prompt = g_strdup_printf ("Go on with %s? [y/N] ", shown);
  g_autofree char *answer = NULL;

  if (call->settings->yes)
    return TRUE;
  if (!stm_cli_can_ask ())
    {
      g_set_error (error, STEMMA_ERROR, STEMMA_ERROR_RISKY,
                   "%s wants a yes, and there is no terminal to ask on: give --yes", what);
      return FALSE;
    }

  answer = stm_cli_ask_line (prompt);
  if (answer != NULL
      && (g_ascii_strcasecmp (answer, "y") == 0 || g_ascii_strcasecmp (answer, "yes") == 0))
    return TRUE;
  g_set_error_literal (error, STEMMA_ERROR, STEMMA_ERROR_CANCELLED, "nothing was done");
  return FALSE;
}
