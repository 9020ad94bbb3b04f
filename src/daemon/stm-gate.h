/* StmGate: one asynchronous permission check in front of each method of each exported object.
 *
 * Main loop only. A class of exported skeletons installs it from its class_init with one line; each
 * instance is attached when it is made. The permission of a method stands beside it in the
 * introspection XML: an action, or `open`; no annotation, or no gate attached, means denied.
 *
 * A handler is called only when the call is allowed, with its object still exported.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include "stm-authority.h"
#include "stm-caller.h"

/* How many calls of one sender, and of all, may wait for an answer of the authority. */
#define STM_GATE_MAX_PENDING_PER_SENDER 64
#define STM_GATE_MAX_PENDING 1024
/* How many jobs of one sender may be unfinished. */
#define STM_GATE_MAX_JOBS_PER_SENDER 128

#define STM_TYPE_GATE stm_gate_get_type ()
G_DECLARE_FINAL_TYPE (StmGate, stm_gate, STM, GATE, GObject)

StmGate *stm_gate_new (StmAuthority *authority);

/* Tells rules and the prompt what the object is: adds char * to char * (both owned). */
typedef void (*StmGateDescribe) (GDBusInterfaceSkeleton *skeleton, GHashTable *details);

/* For class_init of a leaf class that derives from a generated skeleton. */
void stm_gate_install (GDBusInterfaceSkeletonClass *klass);
/* For each instance; `describe` may be NULL. */
void stm_gate_attach (StmGate *self, GDBusInterfaceSkeleton *skeleton, StmGateDescribe describe);

/* Whether the object that a skeleton stands for is there. */
typedef gboolean (*StmGateIsThere) (GDBusInterfaceSkeleton *skeleton);

/* For a skeleton that is made for one call and exported nowhere: it is there while `is_there` says
 * so. */
void stm_gate_attach_flyweight (StmGate *self, GDBusInterfaceSkeleton *skeleton,
                                StmGateDescribe describe, StmGateIsThere is_there);
/* A call of a client to such a skeleton; takes the invocation. */
void stm_gate_call (GDBusInterfaceSkeleton *skeleton, GDBusMethodInvocation *invocation);

/* Whether a call still waits to hear whether it is allowed, or for its answer. */
gboolean stm_gate_has_pending (StmGate *self);

/* Who makes this call. Known for methods that carry an action; for open ones the uid is unknown,
 * all bits set. */
const StmCaller *stm_gate_get_caller (GDBusMethodInvocation *invocation);

/* A job of who makes this call, until it has ended. NULL with TOO_MANY. */
typedef struct _StmGateJob StmGateJob;
StmGateJob *stm_gate_begin_job (GDBusMethodInvocation *invocation, GError **error);
void stm_gate_end_job (StmGateJob *self);
