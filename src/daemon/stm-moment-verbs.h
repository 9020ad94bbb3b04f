/* The methods that a snapshot and a checkpoint have in common.
 *
 * Each takes the invocation and completes it, now or later; TRUE, for use as the return value of a
 * handler. Called by the exported classes with calls that are allowed. Main loop only.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include "stm-domain-xml.h"
#include "stm-moment-scope.h"

gboolean stm_moment_delete (const StmMomentScope *scope, GDBusMethodInvocation *invocation,
                            GVariant *options);
gboolean stm_moment_plan_delete (const StmMomentScope *scope, GDBusMethodInvocation *invocation,
                                 GVariant *options);
gboolean stm_moment_rename (const StmMomentScope *scope, GDBusMethodInvocation *invocation,
                            const char *name, GVariant *options);
gboolean stm_moment_describe (const StmMomentScope *scope, GDBusMethodInvocation *invocation,
                              const char *description, GVariant *options);
gboolean stm_moment_get_xml (const StmMomentScope *scope, GDBusMethodInvocation *invocation,
                             GVariant *options, StmXmlSecrecy secrecy);
