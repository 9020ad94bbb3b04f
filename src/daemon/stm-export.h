/* What the exported classes have in common. Main loop only.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include "stm-registry.h"

#include <gio/gio.h>

/* Details for rules and the prompt: domain, uuid, and with a moment its kind and name. Ids may name
 * nothing. */
void stm_export_describe (StmRegistry *registry, const char *domain_id, const char *moment_id,
                          GHashTable *details);

/* For rules and messages: "snapshot", "checkpoint". */
const char *stm_export_kind_to_word (StmMomentKind kind);

/* Where a moment stands; for one that is of neither kind any more, as one of kind `gone`. */
char *stm_export_moment_path (StmRegistry *registry, const char *domain_id, const char *moment_id,
                              StmMomentKind gone);

/* Refuses the call: for use as the return value of a handler. */
gboolean stm_export_refuse (GDBusMethodInvocation *invocation, const GError *error);
