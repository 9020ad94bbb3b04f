/* Operations from the command line: begun, followed with a bar, cancelled with Ctrl-C.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include "stemma-operation.h"
#include "stm-cli-call.h"

#include <json-glib/json-glib.h>

typedef struct
{
  char *job;
  GVariant *reply;  /* NULL when it was lost */
  GVariant *result; /* a{sv}; NULL when it was not waited for */
} StmCliOutcome;

/* FALSE when the operation could not begin, failed, was cancelled or goes on without us. */
gboolean stm_cli_run_operation (StmCliCall *call, const StemmaOperation *operation,
                                StmCliOutcome *outcome, GError **error);
/* The same for a job that is already at work. */
gboolean stm_cli_follow (StmCliCall *call, const char *job, GVariant **out_result, GError **error);

void stm_cli_outcome_clear (StmCliOutcome *outcome);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (StmCliOutcome, stm_cli_outcome_clear)

/* Tells of a success: the sentence (that the job began, when it was not waited for), or with --json
 * an object with the path and name of what it is about, the job and its result. */
void stm_cli_tell (const StmCliCall *call, const char *object, const char *name,
                   const StmCliOutcome *outcome, const char *format, ...) G_GNUC_PRINTF (5, 6);

/* That object alone, open, so that more can be added. `outcome` may be NULL. */
void stm_cli_outcome_begin_json (JsonBuilder *builder, const char *object, const char *name,
                                 const StmCliOutcome *outcome);
