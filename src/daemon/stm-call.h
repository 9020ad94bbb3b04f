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
  STM_WAIT_FOR_INTENT, /* reply when the intent is durable */
  STM_WAIT_FOR_END,    /* reply when the job has ended, with its error */
} StmWait;

/* What is known when a call is answered; borrowed. */
typedef struct
{
  StmJob *job;
  StmOp *op; /* NULL when a finding was resolved */
  const char *object_id;
  StmMomentKind kind;
} StmDone;

/* The reply's arguments, a floating tuple. */
typedef GVariant *(*StmMakeReply) (const StmDone *done);
GVariant *stm_reply_nothing (const StmDone *done);        /* () */
GVariant *stm_reply_domain (const StmDone *done);         /* (o) */
GVariant *stm_reply_job (const StmDone *done);            /* (o) */
GVariant *stm_reply_moment_and_job (const StmDone *done); /* (oo) */

typedef struct
{
  StmMakeReply make;
  StmMomentKind kind; /* of the moments in the reply, if any */
  StmWait wait;
} StmReply;

/* The op is borrowed. */
void stm_call_submit (StmRegistry *registry, GDBusMethodInvocation *invocation, StmOp *op,
                      const StmReply *reply);
/* Replies (o job). */
void stm_call_resolve (StmRegistry *registry, GDBusMethodInvocation *invocation,
                       const char *finding_id, const char *choice, StmWait wait);
/* Replies (aa{sv}): the rows of the plan, or of its refusal. The op is borrowed. */
void stm_call_plan (StmRegistry *registry, GDBusMethodInvocation *invocation, StmOp *op);

/* An error that is not of our domain becomes FAILED: it is a bug that wants a code. */
void stm_call_refuse (GDBusMethodInvocation *invocation, const GError *error);
