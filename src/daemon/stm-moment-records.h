/* The methods that write and drop the records of snapshots, or of checkpoints, as a whole.
 *
 * Each takes the invocation and completes it; TRUE, for use as the return value of a handler. Main
 * loop only: documents are read on a worker, by the operation.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include "stm-moment-scope.h"

#include <gio/gunixfdlist.h>

/* Of one message; more come by RedefineFrom. */
#define STM_MAX_REDEFINED_BY_MESSAGE 100000

gboolean stm_moments_redefine (const StmMomentScope *scope, GDBusMethodInvocation *invocation,
                               const char *xml, GVariant *options);
gboolean stm_moments_redefine_all (const StmMomentScope *scope, GDBusMethodInvocation *invocation,
                                   const char *const *xmls, GVariant *options);
gboolean
stm_moments_redefine_from (const StmMomentScope *scope, GDBusMethodInvocation *invocation,
                           GUnixFDList *descriptors, GVariant *documents, GVariant *options);
gboolean stm_moments_forget_all (const StmMomentScope *scope, GDBusMethodInvocation *invocation,
                                 GVariant *options);
