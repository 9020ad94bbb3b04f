/* Operations: calls that begin a job, and following the job to its end. Wait in the default main
 * context, which runs meanwhile; so sources of the caller (signals of the process, timers) are
 * served. The thread of that context only.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include "stemma-client.h"
#include "stemma-generated.h"

G_BEGIN_DECLS

/**
 * StemmaOperation:
 * @path: object path of the object to call
 * @interface: the interface, without the prefix `org.stemma1.`
 * @method: a method whose last result is the path of a job
 * @arguments: its arguments, a tuple; a floating reference is consumed
 * @reply_type: the type of its reply
 *
 * A call that begins a job. Without the option `wait`: the reply comes when the intent is durable.
 */
typedef struct
{
  const char *path;
  const char *interface;
  const char *method;
  GVariant *arguments;
  const GVariantType *reply_type;
} StemmaOperation;

/**
 * stemma_operation_start_sync:
 * @client: a client
 * @operation: what to call
 * @out_reply: (out) (optional) (nullable) (transfer full): the reply; %NULL when it was lost
 * @cancellable: (nullable): a #GCancellable
 * @error: return location for an error
 *
 * Begins a job. That the reply is lost or late does not mean that the operation failed: when the
 * service showed a job of ours on this object after the call was sent, that is the one.
 *
 * Returns: (transfer full): the path of the job, or %NULL with @error set
 */
char *stemma_operation_start_sync (StemmaClient *client, const StemmaOperation *operation,
                                   GVariant **out_reply, GCancellable *cancellable, GError **error);

/**
 * StemmaJobFunc:
 * @job: the job
 * @user_data: data of the caller
 *
 * Called with the job when it is first seen and after each change of its properties.
 */
typedef void (*StemmaJobFunc) (StemmaJob *job, gpointer user_data);

/**
 * stemma_operation_follow_sync:
 * @client: a client
 * @job: the path of a job that the service has just told of
 * @on_change: (nullable) (scope call): told of the job
 * @user_data: data for @on_change
 * @cancellable: (nullable): ends the wait, not the job
 * @error: return location for an error
 *
 * Waits for the end of a job; it may have ended before. The error is that with which it ended, or
 * one of which stemma_client_error_is_absence() is true when the service went away.
 *
 * Returns: (transfer full): the job's result, `a{sv}`, or %NULL with @error set
 */
GVariant *
stemma_operation_follow_sync (StemmaClient *client, const char *job, StemmaJobFunc on_change,
                              gpointer user_data, GCancellable *cancellable, GError **error);

G_END_DECLS
