/* The methods that find and list the snapshots, or the checkpoints, of a domain.
 *
 * Each takes the invocation and completes it; TRUE, for use as the return value of a handler. Main
 * loop only; the work is bounded by the size of the tree.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include "stm-list-pages.h"
#include "stm-moment-scope.h"

gboolean stm_moments_find (const StmMomentScope *scope, GDBusMethodInvocation *invocation,
                           const char *name, GVariant *options);
gboolean stm_moments_list (const StmMomentScope *scope, StmListPages *pages,
                           GDBusMethodInvocation *invocation, GVariant *options);
gboolean stm_moments_list_properties (const StmMomentScope *scope, StmListPages *pages,
                                      GDBusMethodInvocation *invocation, GVariant *options);

/* The id in an option that names a moment of the scope; NULL for a NULL path. NOT_FOUND. */
gboolean stm_moments_read_path (const StmMomentScope *scope, const char *key, const char *path,
                                const char **out_id, GError **error);
