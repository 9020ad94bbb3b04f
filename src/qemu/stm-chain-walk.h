/* Walks the backing chain of a disk by reading headers, once, when a domain is defined.
 *
 * Implements the verb walk_chain of StmDriver. Changes nothing, starts nothing. Worker threads
 * only.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include "stm-driver.h"

/* Images of a longer chain are refused: TOO_MANY. */
#define STM_MAX_CHAIN_DEPTH 200

/* As stm_driver_walk_chain(). */
GPtrArray *
stm_chain_walk (const StmChainRequest *request, GCancellable *cancellable, GError **error);
