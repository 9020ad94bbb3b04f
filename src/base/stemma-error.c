/* The error table: one row per code, tied to the enum by an assert, registered with GDBus once.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "stemma-error.h"

#include "stm-names.h"

#include <gio/gio.h>

static const GDBusErrorEntry error_table[] = {
  { STEMMA_ERROR_INVALID_ARGUMENT, STM_ERROR_PREFIX "InvalidArgument" },
  { STEMMA_ERROR_INVALID_XML, STM_ERROR_PREFIX "InvalidXml" },
  { STEMMA_ERROR_NOT_FOUND, STM_ERROR_PREFIX "NotFound" },
  { STEMMA_ERROR_ALREADY_EXISTS, STM_ERROR_PREFIX "AlreadyExists" },
  { STEMMA_ERROR_NOT_AUTHORIZED, STM_ERROR_PREFIX "NotAuthorized" },
  { STEMMA_ERROR_NOT_AUTHORIZED_CAN_OBTAIN, STM_ERROR_PREFIX "NotAuthorizedCanObtain" },
  { STEMMA_ERROR_NOT_AUTHORIZED_DISMISSED, STM_ERROR_PREFIX "NotAuthorizedDismissed" },
  { STEMMA_ERROR_NOT_ALLOWED, STM_ERROR_PREFIX "NotAllowed" },
  { STEMMA_ERROR_WRONG_STATE, STM_ERROR_PREFIX "WrongState" },
  { STEMMA_ERROR_BUSY, STM_ERROR_PREFIX "Busy" },
  { STEMMA_ERROR_NOT_SUPPORTED, STM_ERROR_PREFIX "NotSupported" },
  { STEMMA_ERROR_HAS_CHILDREN, STM_ERROR_PREFIX "HasChildren" },
  { STEMMA_ERROR_HAS_MOMENTS, STM_ERROR_PREFIX "HasMoments" },
  { STEMMA_ERROR_IN_USE, STM_ERROR_PREFIX "InUse" },
  { STEMMA_ERROR_UNSAVED_STATE, STM_ERROR_PREFIX "UnsavedState" },
  { STEMMA_ERROR_RISKY, STM_ERROR_PREFIX "Risky" },
  { STEMMA_ERROR_AMBIGUOUS_PARENT, STM_ERROR_PREFIX "AmbiguousParent" },
  { STEMMA_ERROR_BITMAP_MISSING, STM_ERROR_PREFIX "BitmapMissing" },
  { STEMMA_ERROR_BITMAP_INCONSISTENT, STM_ERROR_PREFIX "BitmapInconsistent" },
  { STEMMA_ERROR_CHAIN_BROKEN, STM_ERROR_PREFIX "ChainBroken" },
  { STEMMA_ERROR_NO_SPACE, STM_ERROR_PREFIX "NoSpace" },
  { STEMMA_ERROR_READ_ONLY, STM_ERROR_PREFIX "ReadOnly" },
  { STEMMA_ERROR_TOO_LARGE, STM_ERROR_PREFIX "TooLarge" },
  { STEMMA_ERROR_TOO_MANY, STM_ERROR_PREFIX "TooMany" },
  { STEMMA_ERROR_HYPERVISOR, STM_ERROR_PREFIX "Hypervisor" },
  { STEMMA_ERROR_AGENT_UNAVAILABLE, STM_ERROR_PREFIX "AgentUnavailable" },
  { STEMMA_ERROR_QUIESCE_TIMEOUT, STM_ERROR_PREFIX "QuiesceTimeout" },
  { STEMMA_ERROR_CANCELLED, STM_ERROR_PREFIX "Cancelled" },
  { STEMMA_ERROR_TIMED_OUT, STM_ERROR_PREFIX "TimedOut" },
  { STEMMA_ERROR_FAILED, STM_ERROR_PREFIX "Failed" },
};

G_STATIC_ASSERT (G_N_ELEMENTS (error_table) == STEMMA_N_ERRORS);

GQuark
stemma_error_quark (void)
{
  static gsize quark = 0;

  g_dbus_error_register_error_domain ("stemma-error-quark", &quark, error_table,
                                      G_N_ELEMENTS (error_table));
  return (GQuark) quark;
}

const char *
stemma_error_to_name (StemmaError code)
{
  g_return_val_if_fail ((guint) code < STEMMA_N_ERRORS, NULL);

  return error_table[code].dbus_error_name;
}
