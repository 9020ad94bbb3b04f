/* StmJob: one operation from its call until some minutes after its end, as clients see it.
 *
 * Main loop only. Made and driven by StmJobRunner; daemon/ shows it on the bus. Signals: "changed"
 * when a value below changed (progress at most 4 times a second), "completed" once at the end.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include "stm-plan.h"
#include "stm-progress.h"

#include <gio/gio.h>

typedef enum
{
  STM_JOB_QUEUED,
  STM_JOB_RUNNING,
  STM_JOB_READY,
  STM_JOB_SUCCEEDED,
  STM_JOB_FAILED,
  STM_JOB_CANCELLED,
} StmJobState;

#define STM_TYPE_JOB stm_job_get_type ()
G_DECLARE_FINAL_TYPE (StmJob, stm_job, STM, JOB, GObject)

guint stm_job_get_number (StmJob *self); /* the <n> of its object path */
StmJobState stm_job_get_state (StmJob *self);
const char *stm_job_state_to_word (StmJobState state);
gboolean stm_job_is_ended (StmJob *self);
const char *stm_job_get_operation (StmJob *self); /* "create", "revert" … */
const char *stm_job_get_domain_id (StmJob *self);
const char *stm_job_get_moment_id (StmJob *self); /* NULL when the job is about the domain */
const char *stm_job_get_phase (StmJob *self);     /* "survey", "overlay", "commit" … */
double stm_job_get_fraction (StmJob *self);       /* 0 to 1, -1 unknown */
guint64 stm_job_get_bytes_done (StmJob *self);
guint64 stm_job_get_bytes_total (StmJob *self);
guint64 stm_job_get_rate (StmJob *self);             /* bytes per second */
gint64 stm_job_get_start_time (StmJob *self);        /* microseconds since the epoch, 0: not yet */
gint64 stm_job_get_expected_end_time (StmJob *self); /* the same; 0: unknown */
guint stm_job_get_uid (StmJob *self);
gboolean stm_job_is_cancelable (StmJob *self);
const GError *stm_job_get_error (StmJob *self); /* NULL unless failed or cancelled */
GVariant *stm_job_get_result (StmJob *self);    /* a{sv}, borrowed; never NULL */

/* WRONG_STATE when it has ended or is past its point of no return. */
gboolean stm_job_cancel (StmJob *self, GError **error);
