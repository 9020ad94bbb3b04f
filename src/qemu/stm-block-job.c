/* Drives one block job through its states.
 *
 * Called on the endpoint's worker. The truth on a job is what query-jobs says; events only end the
 * waiting early, for they may be lost. The job keeps its result until it is dismissed here, and
 * does not end by itself before it was told to.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "stm-block-job.h"

#include "stemma-error.h"

#include <string.h>

/* One job at a time; the prefix tells it from one that somebody else started. */
#define JOB_ID "stemma-job"
/* Between two looks at the progress. */
#define LOOK_INTERVAL_MS 250

typedef struct
{
  StmBlockEndpoint *endpoint;
  const StmBlockJob *job;
  GError *stopped_by;    /* why we cancelled it; NULL while we did not */
  gboolean is_completed; /* told to, when it was ready */
  gboolean is_finalized; /* told to: from here on it cannot be cancelled */
} Run;

static void
run_clear (Run *run)
{
  g_clear_error (&run->stopped_by);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Run, run_clear)

static gboolean
tell (Run *run, const char *command, GError **error)
{
  g_autoptr (JsonObject) arguments = json_object_new ();

  json_object_set_string_member (arguments, "id", JOB_ID);

  /* Not cancellable: a job that is left alone half told would be of unknown state. */
  g_autoptr (JsonNode) result = stm_block_endpoint_execute_sync (run->endpoint, command, arguments,
                                                                 run->job->attempt, NULL, error);

  return result != NULL;
}

static gboolean
start (Run *run, GCancellable *cancellable, GError **error)
{
  g_autoptr (JsonObject) arguments = json_object_new ();
  g_autoptr (GList) members = json_object_get_members (run->job->arguments);

  for (GList *l = members; l != NULL; l = l->next)
    json_object_set_member (arguments, l->data,
                            json_node_copy (json_object_get_member (run->job->arguments, l->data)));
  json_object_set_string_member (arguments, "job-id", JOB_ID);
  /* Jobs that create cannot be told how to end; they wait to be dismissed, too. */
  if (strcmp (run->job->command, "blockdev-create") != 0)
    {
      json_object_set_boolean_member (arguments, "auto-finalize", FALSE);
      json_object_set_boolean_member (arguments, "auto-dismiss", FALSE);
    }

  g_autoptr (JsonNode) result = stm_block_endpoint_execute_sync (
      run->endpoint, run->job->command, arguments, run->job->attempt, cancellable, error);

  return result != NULL;
}

static JsonObject *
find_job (JsonNode *list)
{
  if (!JSON_NODE_HOLDS_ARRAY (list))
    return NULL;

  JsonArray *jobs = json_node_get_array (list);

  for (guint i = 0; i < json_array_get_length (jobs); i++)
    {
      JsonNode *node = json_array_get_element (jobs, i);
      JsonObject *job = JSON_NODE_HOLDS_OBJECT (node) ? json_node_get_object (node) : NULL;

      if (job != NULL
          && g_strcmp0 (json_object_get_string_member_with_default (job, "id", NULL), JOB_ID) == 0)
        return job;
    }

  return NULL;
}

/* The job as it is now, as a list that holds it. */
static JsonNode *
look (Run *run, JsonObject **out_job, GError **error)
{
  g_autoptr (JsonNode) list = stm_block_endpoint_execute_sync (run->endpoint, "query-jobs", NULL,
                                                               run->job->attempt, NULL, error);

  if (list == NULL)
    return NULL;
  *out_job = find_job (list);
  if (*out_job == NULL)
    {
      g_set_error (error, STEMMA_ERROR, STEMMA_ERROR_HYPERVISOR, "%s: QEMU has lost the job",
                   run->job->attempt);
      return NULL;
    }

  return g_steal_pointer (&list);
}

static void
report_progress (const StmBlockJob *job, JsonObject *state)
{
  gint64 done = json_object_get_int_member_with_default (state, "current-progress", 0);
  gint64 total = json_object_get_int_member_with_default (state, "total-progress", 0);

  if (job->progress == NULL || total <= 0)
    return;
  stm_progress_set_step_done (job->progress,
                              (guint64) (job->bytes * (CLAMP (done, 0, total) / (double) total)));
}

/* Cancels the job and remembers why. Takes the reason. */
static gboolean
stop (Run *run, GError *why)
{
  run->stopped_by = why;
  /* One that has failed by itself refuses; the next look shows it. */
  (void) tell (run, "job-cancel", NULL);

  return TRUE;
}

static gboolean
conclude (Run *run, JsonObject *state, GError **error)
{
  const char *words = json_object_get_string_member_with_default (state, "error", NULL);
  g_autoptr (GError) failure = NULL;

  if (run->stopped_by != NULL)
    failure = g_steal_pointer (&run->stopped_by);
  else if (words != NULL)
    failure = stm_block_endpoint_error_new (run->endpoint, run->job->attempt, words);

  if (!tell (run, "job-dismiss", failure == NULL ? error : NULL) || failure != NULL)
    {
      if (failure != NULL)
        g_propagate_error (error, g_steal_pointer (&failure));
      return FALSE;
    }
  if (run->job->progress != NULL)
    stm_progress_set_step_done (run->job->progress, run->job->bytes);

  return TRUE;
}

static gboolean
finish (Run *run, GError **error)
{
  GError *refusal = NULL;

  if (run->job->prepare_end != NULL && !run->job->prepare_end (run->job->user_data, &refusal))
    return stop (run, refusal);

  run->is_finalized = TRUE;
  return tell (run, "job-finalize", error);
}

/* Tells the job what its state asks for, once. */
static gboolean
advance (Run *run, const char *status, GCancellable *cancellable, GError **error)
{
  if (run->stopped_by != NULL || run->is_finalized)
    return TRUE;
  if (g_cancellable_is_cancelled (cancellable))
    return stop (run, g_error_new (STEMMA_ERROR, STEMMA_ERROR_CANCELLED, "%s: cancelled",
                                   run->job->attempt));
  if (strcmp (status, "ready") == 0 && !run->is_completed)
    {
      run->is_completed = TRUE;
      return tell (run, "job-complete", error);
    }
  if (strcmp (status, "pending") == 0)
    return finish (run, error);

  return TRUE;
}

gboolean
stm_block_job_run_sync (StmBlockEndpoint *endpoint, const StmBlockJob *job,
                        GCancellable *cancellable, GError **error)
{
  g_return_val_if_fail (endpoint != NULL && job != NULL && job->arguments != NULL, FALSE);

  g_auto (Run) run = { .endpoint = endpoint, .job = job };

  if (!start (&run, cancellable, error))
    return FALSE;
  for (;;)
    {
      /* Once it was stopped or is ending, a cancellable that is set would end each wait at once. */
      if (!stm_block_endpoint_wait_sync (
              endpoint, LOOK_INTERVAL_MS,
              run.stopped_by == NULL && !run.is_finalized ? cancellable : NULL, error))
        return FALSE;

      JsonObject *state = NULL;
      g_autoptr (JsonNode) list = look (&run, &state, error);

      if (list == NULL)
        return FALSE;

      const char *status = json_object_get_string_member_with_default (state, "status", "");

      report_progress (job, state);
      if (strcmp (status, "concluded") == 0)
        return conclude (&run, state, error);
      if (!advance (&run, status, cancellable, error))
        return FALSE;
    }
}
