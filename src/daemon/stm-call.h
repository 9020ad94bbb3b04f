/* What handlers of long methods have in common: hand an operation to the registry, and reply once.
 *
 * Each function takes the invocation and completes it, now or later. Handlers set their invocation
 * aside with g_steal_pointer() and return TRUE. Main loop only.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include "stm-registry.h"

#include <gio/gio.h>

typedef enum
{
  STM_REPLY_NOTHING,          /* () */
  STM_REPLY_DOMAIN,           /* (o) */
  STM_REPLY_JOB,              /* (o) */
  STM_REPLY_SNAPSHOT_AND_JOB, /* (oo) */
} StmReply;

typedef enum
{
  STM_WAIT_FOR_INTENT, /* reply when the intent is durable */
  STM_WAIT_FOR_END,    /* reply when the job has ended, with its error */
} StmWait;

/* The op is borrowed. Calls that give no job always wait for its end. */
void stm_call_submit (StmRegistry *registry, GDBusMethodInvocation *invocation, StmOp *op,
                      StmReply reply, StmWait wait);
void stm_call_resolve (StmRegistry *registry, GDBusMethodInvocation *invocation,
                       const char *finding_id, const char *choice, StmWait wait);
/* Replies (aa{sv}): the rows of the plan, or of its refusal. The op is borrowed. */
void stm_call_plan (StmRegistry *registry, GDBusMethodInvocation *invocation, StmOp *op);

/* An error that is not of our domain becomes FAILED: it is a bug that wants a code. */
void stm_call_refuse (GDBusMethodInvocation *invocation, const GError *error);
