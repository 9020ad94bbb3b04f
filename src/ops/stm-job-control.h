/* What StmJobRunner does to a job. Not for daemon/, which only shows jobs.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include "stm-caller.h"
#include "stm-job.h"

StmJob *
stm_job_new (guint number, StmOperation operation, const char *domain_id, const StmCaller *caller);

StmProgress *stm_job_get_progress (StmJob *self);
GCancellable *stm_job_get_cancellable (StmJob *self);
void stm_job_set_moment_id (StmJob *self, const char *moment_id);

/* Each emits "changed" when something changed. */
void stm_job_begin (StmJob *self);
void stm_job_poll (StmJob *self); /* takes over what the worker wrote into the progress */

/* Ends the job: "changed", then "completed". `result` is an a{sv} or NULL, sunk. */
void stm_job_succeed (StmJob *self, GVariant *result);
void stm_job_fail (StmJob *self, const GError *error); /* cancelled for STEMMA_ERROR_CANCELLED */
