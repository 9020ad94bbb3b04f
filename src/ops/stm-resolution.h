/* Closes a finding by one of its choices: settles or abandons what the journal holds, or deletes a
 * moment that its images do not bear out.
 *
 * Main loop only. Holds nothing; what a choice means is the job runner's and the operation's.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include "stm-inspector.h"
#include "stm-job-runner.h"

typedef struct
{
  const char *finding_id;
  const char *choice;
  const StmCaller *caller;
  const char *store_health; /* "ok", or why nothing can be recorded */
} StmResolution;

/* Answers like stm_job_runner_submit_async(). Everything is borrowed until this returns. */
void stm_resolution_start_async (const StmResolution *self, StmJobRunner *runner,
                                 StmInspector *inspector, GAsyncReadyCallback callback,
                                 gpointer user_data);
StmJob *stm_resolution_start_finish (GAsyncResult *result, GError **error);
