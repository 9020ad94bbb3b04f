/* StmRegistry: the service without a bus. Owns the model, the store, the driver and the queues.
 *
 * Main loop only. Everything that changes a domain goes through stm_registry_submit_async(); the
 * model is for reading. Order kept for each change: checked, durable in the store, applied to the
 * model, "changed" emitted, then the job's state, then the answer.
 *
 * Signals:
 *   "changed" (StmChange *change): just applied; listeners send what they have to before returning.
 *   "job-added" (StmJob *job), "job-removed" (StmJob *job)
 *   "health-changed" (): of the service, or of a domain by findings
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include "stm-caller.h"
#include "stm-job.h"
#include "stm-model.h"
#include "stm-op.h"

#define STM_TYPE_REGISTRY stm_registry_get_type ()
G_DECLARE_FINAL_TYPE (StmRegistry, stm_registry, STM, REGISTRY, GObject)

/* One thing that is not as recorded, or that could not be settled. */
typedef struct
{
  const char *id;        /* stable over restarts: 16 hex digits */
  const char *domain_id; /* NULL: the service */
  const char *moment_id; /* NULL: the domain */
  const char *kind;      /* "unsettled-operation", "image-missing", "image-differs", "orphan-file",
                          * "checkpoint-broken", "snapshot-broken" */
  const char *text;
  const char *const *choices; /* what stm_registry_resolve_async() takes */
} StmFinding;

/* Opens the store in `state_directory` and reads it; lays the recovery of what the journal holds at
 * the heads of the queues, before any call of a client. `pools` are the directories that the
 * configuration allows. Blocking; before the main loop serves anybody. */
StmRegistry *stm_registry_open_sync (StmDriver *driver, const char *state_directory,
                                     const char *const *pools, GError **error);
/* Lets running steps come to a safe end, and closes the store. */
void stm_registry_close_sync (StmRegistry *self);

/* Called after each durable journal write with "<operation>:<phase>", for tests that stop the
 * service there: phases "intent", "step-<n>", "cleanup", "done". Any thread. */
typedef void (*StmPhaseHook) (const char *phase, gpointer user_data);
void stm_registry_set_phase_hook (StmRegistry *self, StmPhaseHook hook, gpointer user_data);

const StmModel *stm_registry_get_model (StmRegistry *self);
StmDriver *stm_registry_get_driver (StmRegistry *self);
const char *stm_registry_get_health (StmRegistry *self); /* "ok", or why not */
StmHealth stm_registry_get_domain_health (StmRegistry *self, const char *domain_id);
/* Bytes that an image took when it was last looked at; 0 unknown. */
guint64 stm_registry_get_allocation (StmRegistry *self, const char *path);
GPtrArray *stm_registry_get_jobs (StmRegistry *self); /* StmJob, borrowed container and elements */

/* Queues the operation. Answers when its intent is durable and visible (or it has ended, when it
 * does nothing to images), with the job; or with the refusal, nothing changed. The op is
 * referenced. `out_object_id`: the moment that a create makes, the domain that a define made. */
void stm_registry_submit_async (StmRegistry *self, StmOp *op, const StmCaller *caller,
                                GAsyncReadyCallback callback, gpointer user_data);
StmJob *stm_registry_submit_finish (StmRegistry *self, GAsyncResult *result, char **out_object_id,
                                    GError **error);

/* Answers when the job has ended; with its error when it failed. */
void stm_registry_wait_async (StmRegistry *self, StmJob *job, GAsyncReadyCallback callback,
                              gpointer user_data);
gboolean stm_registry_wait_finish (StmRegistry *self, GAsyncResult *result, GError **error);

/* Survey and plan without doing anything, out of the queue. BUSY when an operation is at work on
 * the domain, or not settled: an operation would be planned only after it. */
void stm_registry_plan_async (StmRegistry *self, StmOp *op, GAsyncReadyCallback callback,
                              gpointer user_data);
StmPlan *stm_registry_plan_finish (StmRegistry *self, GAsyncResult *result, GError **error);

/* The domain's document as it is now. */
void stm_registry_read_definition_async (StmRegistry *self, const char *domain_id,
                                         GAsyncReadyCallback callback, gpointer user_data);
char *stm_registry_read_definition_finish (StmRegistry *self, GAsyncResult *result, GError **error);

/* A text by its content hash, as moments name it: a definition, a cookie. NOT_FOUND. */
void stm_registry_read_text_async (StmRegistry *self, const char *hash,
                                   GAsyncReadyCallback callback, gpointer user_data);
char *stm_registry_read_text_finish (StmRegistry *self, GAsyncResult *result, GError **error);

/* Compares all records with the images; the array owns its StmFinding. */
void stm_registry_check_async (StmRegistry *self, GAsyncReadyCallback callback, gpointer user_data);
GPtrArray *stm_registry_check_finish (StmRegistry *self, GAsyncResult *result, GError **error);

/* Closes a finding by one of its choices; answers like submit. */
void stm_registry_resolve_async (StmRegistry *self, const char *finding_id, const char *choice,
                                 const StmCaller *caller, GAsyncReadyCallback callback,
                                 gpointer user_data);
StmJob *stm_registry_resolve_finish (StmRegistry *self, GAsyncResult *result, GError **error);
