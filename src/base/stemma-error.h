/* The one error domain of Stemma, shared by the service and its clients.
 *
 * Each code maps to one D-Bus error name, org.stemma1.Error.<Code>; the table stands in
 * stemma-error.c and is registered with GDBus the first time the domain is used, so that an error
 * keeps its type across the bus in both directions.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/**
 * STEMMA_ERROR:
 *
 * The error domain of Stemma. Codes are of #StemmaError.
 */
#define STEMMA_ERROR (stemma_error_quark ())

/**
 * StemmaError:
 * @STEMMA_ERROR_INVALID_ARGUMENT: an option is unknown or of the wrong type, or a value is not to
 *   the rules; the message names it
 * @STEMMA_ERROR_INVALID_XML: a document is malformed, over a limit or not to the rules
 * @STEMMA_ERROR_NOT_FOUND: nothing has this name, id or path
 * @STEMMA_ERROR_ALREADY_EXISTS: the name, id or path is taken
 * @STEMMA_ERROR_NOT_AUTHORIZED: the authority said no
 * @STEMMA_ERROR_NOT_AUTHORIZED_CAN_OBTAIN: the authority would say yes after asking the user
 * @STEMMA_ERROR_NOT_AUTHORIZED_DISMISSED: the user dismissed the prompt
 * @STEMMA_ERROR_NOT_ALLOWED: a path outside the path policy, a protocol or a data file in a header
 * @STEMMA_ERROR_WRONG_STATE: not possible in the present state of the domain
 * @STEMMA_ERROR_BUSY: another operation, named in the message, is in the way
 * @STEMMA_ERROR_NOT_SUPPORTED: Stemma or this QEMU cannot do it; the message says what would
 * @STEMMA_ERROR_HAS_CHILDREN: other moments or images stand on it
 * @STEMMA_ERROR_HAS_MOMENTS: the domain still has snapshots or checkpoints
 * @STEMMA_ERROR_IN_USE: an image is locked or referenced; the message says by whom
 * @STEMMA_ERROR_UNSAVED_STATE: unsaved writes would be lost; needs keep or discard
 * @STEMMA_ERROR_RISKY: needs force
 * @STEMMA_ERROR_AMBIGUOUS_PARENT: several reachable leaves, named in the message
 * @STEMMA_ERROR_BITMAP_MISSING: a recorded bitmap is not in its image
 * @STEMMA_ERROR_BITMAP_INCONSISTENT: a bitmap is broken
 * @STEMMA_ERROR_CHAIN_BROKEN: an image and its record, or its definition, differ
 * @STEMMA_ERROR_NO_SPACE: not enough space
 * @STEMMA_ERROR_READ_ONLY: the store or a file system cannot be written
 * @STEMMA_ERROR_TOO_LARGE: a size is over its limit
 * @STEMMA_ERROR_TOO_MANY: a count is over its limit
 * @STEMMA_ERROR_HYPERVISOR: QEMU refused; its class and words are kept in the message
 * @STEMMA_ERROR_AGENT_UNAVAILABLE: the guest agent does not answer
 * @STEMMA_ERROR_QUIESCE_TIMEOUT: the guest did not freeze its file systems in time
 * @STEMMA_ERROR_CANCELLED: cancelled by a call of Job.Cancel
 * @STEMMA_ERROR_TIMED_OUT: no answer in time
 * @STEMMA_ERROR_FAILED: anything else; a bug that wants a code of its own
 *
 * Codes of %STEMMA_ERROR.
 */
typedef enum
{
  STEMMA_ERROR_INVALID_ARGUMENT,
  STEMMA_ERROR_INVALID_XML,
  STEMMA_ERROR_NOT_FOUND,
  STEMMA_ERROR_ALREADY_EXISTS,
  STEMMA_ERROR_NOT_AUTHORIZED,
  STEMMA_ERROR_NOT_AUTHORIZED_CAN_OBTAIN,
  STEMMA_ERROR_NOT_AUTHORIZED_DISMISSED,
  STEMMA_ERROR_NOT_ALLOWED,
  STEMMA_ERROR_WRONG_STATE,
  STEMMA_ERROR_BUSY,
  STEMMA_ERROR_NOT_SUPPORTED,
  STEMMA_ERROR_HAS_CHILDREN,
  STEMMA_ERROR_HAS_MOMENTS,
  STEMMA_ERROR_IN_USE,
  STEMMA_ERROR_UNSAVED_STATE,
  STEMMA_ERROR_RISKY,
  STEMMA_ERROR_AMBIGUOUS_PARENT,
  STEMMA_ERROR_BITMAP_MISSING,
  STEMMA_ERROR_BITMAP_INCONSISTENT,
  STEMMA_ERROR_CHAIN_BROKEN,
  STEMMA_ERROR_NO_SPACE,
  STEMMA_ERROR_READ_ONLY,
  STEMMA_ERROR_TOO_LARGE,
  STEMMA_ERROR_TOO_MANY,
  STEMMA_ERROR_HYPERVISOR,
  STEMMA_ERROR_AGENT_UNAVAILABLE,
  STEMMA_ERROR_QUIESCE_TIMEOUT,
  STEMMA_ERROR_CANCELLED,
  STEMMA_ERROR_TIMED_OUT,
  STEMMA_ERROR_FAILED, /*< last >*/
} StemmaError;

/**
 * STEMMA_N_ERRORS: (skip)
 *
 * How many codes #StemmaError has.
 */
#define STEMMA_N_ERRORS (STEMMA_ERROR_FAILED + 1)

/**
 * stemma_error_quark:
 *
 * Gives the error domain, and registers its D-Bus names at the first call.
 *
 * Returns: the quark of %STEMMA_ERROR
 */
GQuark stemma_error_quark (void);

/**
 * stemma_error_to_name:
 * @code: an error code
 *
 * Gives the D-Bus name of a code.
 *
 * Returns: (transfer none): the name, `org.stemma1.Error.<Code>`
 */
const char *stemma_error_to_name (StemmaError code);

G_END_DECLS
