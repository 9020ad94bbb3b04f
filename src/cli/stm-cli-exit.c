/* From the code of an error to the exit status.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "stm-cli-exit.h"

#include "stemma-client.h"
#include "stemma-error.h"

static StmCliExit
exit_of_code (StemmaError code)
{
  switch (code)
    {
    case STEMMA_ERROR_INVALID_ARGUMENT:
    case STEMMA_ERROR_INVALID_XML:
      return STM_CLI_EXIT_USAGE;
    case STEMMA_ERROR_NOT_FOUND:
      return STM_CLI_EXIT_NOT_FOUND;
    case STEMMA_ERROR_NOT_AUTHORIZED:
    case STEMMA_ERROR_NOT_AUTHORIZED_CAN_OBTAIN:
    case STEMMA_ERROR_NOT_AUTHORIZED_DISMISSED:
      return STM_CLI_EXIT_NOT_AUTHORIZED;
    case STEMMA_ERROR_BUSY:
    case STEMMA_ERROR_WRONG_STATE:
      return STM_CLI_EXIT_BUSY;
    case STEMMA_ERROR_UNSAVED_STATE:
      return STM_CLI_EXIT_UNSAVED;
    case STEMMA_ERROR_ALREADY_EXISTS:
    case STEMMA_ERROR_NOT_ALLOWED:
    case STEMMA_ERROR_NOT_SUPPORTED:
    case STEMMA_ERROR_HAS_CHILDREN:
    case STEMMA_ERROR_HAS_MOMENTS:
    case STEMMA_ERROR_IN_USE:
    case STEMMA_ERROR_RISKY:
    case STEMMA_ERROR_AMBIGUOUS_PARENT:
      return STM_CLI_EXIT_REFUSED;
    case STEMMA_ERROR_CANCELLED:
      return STM_CLI_EXIT_CANCELLED;
    default:
      return STM_CLI_EXIT_FAILED;
    }
}

StmCliExit
stm_cli_exit_of (const GError *error)
{
  if (error->domain == STEMMA_ERROR)
    return exit_of_code (error->code);
  /* What the policy of the bus refuses before the service sees it. */
  if (g_error_matches (error, G_DBUS_ERROR, G_DBUS_ERROR_ACCESS_DENIED)
      || g_error_matches (error, G_DBUS_ERROR, G_DBUS_ERROR_AUTH_FAILED))
    return STM_CLI_EXIT_NOT_AUTHORIZED;
  if (stemma_client_error_is_absence (error))
    return STM_CLI_EXIT_NO_SERVICE;
  return STM_CLI_EXIT_FAILED;
}
