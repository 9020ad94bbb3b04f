/* RegistryCall: an operation that is submitted to the registry and lived through to its end.
 *
 * Main loop only.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include "stm-registry.h"

/* Zeroed before it begins. */
typedef struct
{
  GError *error;
  gboolean is_over;
} RegistryCall;

/* Takes the operation. */
void registry_call_begin (RegistryCall *self, StmRegistry *registry, StmOp *taken_op);
/* Waits: how it ended, NULL for well. */
GError *registry_call_end (RegistryCall *self);
/* One after the other. */
GError *registry_run (StmRegistry *registry, StmOp *taken_op);
