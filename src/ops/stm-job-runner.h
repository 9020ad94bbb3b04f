/* StmJobRunner: one queue of errands for each domain, in order, capped.
 *
 * Main loop only. Everything that changes a domain goes through here. Signals: "job-added" and
 * "job-removed" (StmJob *), "looked" (const StmSurvey *), "unsettled-changed" ().
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include "stm-caller.h"
#include "stm-job-numbers.h"
#include "stm-job.h"
#include "stm-ledger.h"
#include "stm-op.h"
#include "stm-workers.h"

#define STM_TYPE_JOB_RUNNER stm_job_runner_get_type ()
G_DECLARE_FINAL_TYPE (StmJobRunner, stm_job_runner, STM, JOB_RUNNER, GObject)

/* The numbers must outlive it. */
StmJobRunner *stm_job_runner_new (StmLedger *ledger, StmDriver *driver, StmWorkers *workers,
                                  StmJobNumbers *numbers, const char *const *pools);

/* Answers when accepted; the refusal of an operation is the error. */
void stm_job_runner_submit_async (StmJobRunner *self, StmOp *op, const StmCaller *caller,
                                  GAsyncReadyCallback callback, gpointer user_data);
StmJob *stm_job_runner_submit_finish (StmJobRunner *self, GAsyncResult *result,
                                      char **out_object_id, GError **error);

/* Queues the settling of a journal entry; nothing else of its domain is accepted before. */
StmJob *stm_job_runner_settle (StmJobRunner *self, const StmJournalEntry *entry, GError **error);
/* Closes an entry without touching a file. */
StmJob *stm_job_runner_abandon (StmJobRunner *self, const StmJournalEntry *entry, GError **error);

/* Takes an entry on as not settled, without trying to. */
void
stm_job_runner_leave_unsettled (StmJobRunner *self, const StmJournalEntry *entry, const char *why);

gboolean stm_job_runner_is_busy (StmJobRunner *self, const char *domain_id);

/* Whether a plan that is made out of the queue would tell what an operation would do. FALSE with
 * BUSY while another is at work on the domain, or not settled: what it was made of would not hold.
 */
gboolean stm_job_runner_check_plannable (StmJobRunner *self, const char *domain_id, GError **error);

/* Entries that could not be settled: StmJournalEntry with `finding` set; borrowed. */
GPtrArray *stm_job_runner_list_unsettled (StmJobRunner *self);

/* Lets what is running on workers come to a safe end soon; at the end of the service. */
void stm_job_runner_interrupt (StmJobRunner *self);
GPtrArray *stm_job_runner_list_jobs (StmJobRunner *self); /* StmJob, referenced */
