/* One block job of an endpoint, from its start to its end.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include "stm-block-endpoint.h"
#include "stm-progress.h"

typedef struct
{
  const char *command;   /* "block-commit", "block-stream", "blockdev-create" */
  JsonObject *arguments; /* but for those that rule how it ends, which are added */
  const char *attempt;   /* for messages: "commit of /a into /b" */
  StmProgress *progress; /* nullable */
  guint64 bytes;         /* what a whole job counts for in the progress */
  /* When all is copied and before the job changes anything else: FALSE stops it there. Nullable. */
  gboolean (*prepare_end) (gpointer user_data, GError **error);
  gpointer user_data;
} StmBlockJob;

/* Takes as long as it takes, but ends with the process. CANCELLED: the job was stopped and left
 * everything but copied data as it was. */
gboolean stm_block_job_run_sync (StmBlockEndpoint *endpoint, const StmBlockJob *job,
                                 GCancellable *cancellable, GError **error);
