/* StmInspector: what is known of the images from the last look at them, and what of it is not as
 * recorded.
 *
 * Main loop only; the looking runs on a worker. What a look shows of the moments' health it puts on
 * record. Signal: "changed" () when the findings may be others.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include "stm-findings.h"
#include "stm-job-runner.h"
#include "stm-ledger.h"

#define STM_TYPE_INSPECTOR stm_inspector_get_type ()
G_DECLARE_FINAL_TYPE (StmInspector, stm_inspector, STM, INSPECTOR, GObject)

/* `pools` is borrowed. */
StmInspector *stm_inspector_new (StmLedger *ledger, StmDriver *driver, StmWorkers *workers,
                                 StmJobRunner *runner, const char *const *pools);

/* Takes over facts that an operation has just seen. */
void stm_inspector_note (StmInspector *self, const StmSurvey *survey);
/* Bytes that an image took when it was last looked at; 0 unknown. */
guint64 stm_inspector_get_allocation (StmInspector *self, const char *path);

/* StmFinding, owned by the array: what is unsettled now, and what the last check found. */
GPtrArray *stm_inspector_list_findings (StmInspector *self);

/* Looks at all images from now on, and answers with the findings. TOO_MANY, CANCELLED. */
void
stm_inspector_check_async (StmInspector *self, GAsyncReadyCallback callback, gpointer user_data);
GPtrArray *stm_inspector_check_finish (StmInspector *self, GAsyncResult *result, GError **error);

/* Before the workers go: no look begins any more, and who waits for one is refused. */
void stm_inspector_close (StmInspector *self);
