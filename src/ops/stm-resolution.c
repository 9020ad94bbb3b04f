/* Finds out what a finding's choice comes to, and has the job runner do it.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "stm-resolution.h"

#include "stemma-error.h"

static const StmJournalEntry *
find_entry (StmJobRunner *runner, const char *finding_id)
{
  g_autoptr (GPtrArray) entries = stm_job_runner_list_unsettled (runner);

  for (guint i = 0; i < entries->len; i++)
    {
      const StmJournalEntry *entry = g_ptr_array_index (entries, i);
      g_autoptr (StmFinding) finding = stm_finding_new_unsettled (entry);

      if (g_str_equal (finding->id, finding_id))
        return entry;
    }
  return NULL;
}

/* NULL when there is none of this id. */
static StmFinding *
find_finding (StmInspector *inspector, const char *finding_id)
{
  g_autoptr (GPtrArray) findings = stm_inspector_list_findings (inspector);

  for (guint i = 0; i < findings->len; i++)
    {
      const StmFinding *finding = g_ptr_array_index (findings, i);

      if (g_str_equal (finding->id, finding_id))
        return stm_finding_copy (finding);
    }
  return NULL;
}

static gboolean
check_choice (const char *finding_id, const StmFinding *finding, const char *choice, GError **error)
{
  if (finding == NULL || finding->choices[0] == NULL)
    {
      g_set_error (error, STEMMA_ERROR, STEMMA_ERROR_NOT_FOUND,
                   "there is no finding '%s' that can be resolved by a choice: Manager.Check lists "
                   "those that are open",
                   finding_id);
      return FALSE;
    }
  if (!g_strv_contains (finding->choices, choice))
    {
      g_autofree char *choices = g_strjoinv (", ", (GStrv) finding->choices);

      g_set_error (error, STEMMA_ERROR, STEMMA_ERROR_INVALID_ARGUMENT,
                   "finding '%s' cannot be resolved by '%s': give one of %s", finding_id, choice,
                   choices);
      return FALSE;
    }
  return TRUE;
}

/* What closes a finding about a moment, NULL for other findings. */
static StmOp *
op_for_finding (const StmFinding *finding)
{
  StmDeleteRequest request = { .moment_id = finding->moment_id };

  if (g_str_equal (finding->kind, "checkpoint-broken"))
    return stm_op_delete_checkpoint_new (finding->domain_id, &request);
  request.metadata_only = TRUE;
  if (g_str_equal (finding->kind, "snapshot-broken"))
    return stm_op_delete_new (finding->domain_id, &request);
  return NULL;
}

static StmJob *
settle_entry (const StmResolution *self, StmJobRunner *runner, GError **error)
{
  const StmJournalEntry *entry = find_entry (runner, self->finding_id);

  if (entry == NULL)
    {
      g_set_error (error, STEMMA_ERROR, STEMMA_ERROR_NOT_FOUND, "finding '%s' is settled already",
                   self->finding_id);
      return NULL;
    }
  if (!g_str_equal (self->store_health, "ok"))
    {
      g_set_error (error, STEMMA_ERROR, STEMMA_ERROR_READ_ONLY,
                   "finding '%s' cannot be resolved, what is done could not be recorded: %s",
                   self->finding_id, self->store_health);
      return NULL;
    }
  if (stm_job_runner_is_busy (runner, entry->plan->domain_id))
    {
      g_set_error (error, STEMMA_ERROR, STEMMA_ERROR_BUSY,
                   "another operation of the domain is running: wait until it has ended");
      return NULL;
    }
  if (g_str_equal (self->choice, "retry"))
    return stm_job_runner_settle (runner, entry, error);
  return stm_job_runner_abandon (runner, entry, error);
}

static void
on_finding_op (GObject *source, GAsyncResult *result, gpointer user_data)
{
  g_autoptr (GTask) task = user_data;
  GError *error = NULL;
  StmJob *job = stm_job_runner_submit_finish (STM_JOB_RUNNER (source), result,
                                              /* out_object_id= */ NULL, &error);

  if (job != NULL)
    g_task_return_pointer (task, job, g_object_unref);
  else
    g_task_return_error (task, error);
}

void
stm_resolution_start_async (const StmResolution *self, StmJobRunner *runner,
                            StmInspector *inspector, GAsyncReadyCallback callback,
                            gpointer user_data)
{
  g_autoptr (GTask) task = g_task_new (runner, NULL, callback, user_data);
  g_autoptr (StmFinding) finding = find_finding (inspector, self->finding_id);
  g_autoptr (StmOp) op = NULL;
  GError *error = NULL;
  StmJob *job = NULL;

  g_task_set_source_tag (task, stm_resolution_start_async);
  if (check_choice (self->finding_id, finding, self->choice, &error))
    op = op_for_finding (finding);
  if (op != NULL)
    {
      stm_job_runner_submit_async (runner, op, self->caller, on_finding_op, g_object_ref (task));
      return;
    }
  if (error == NULL)
    job = settle_entry (self, runner, &error);
  if (job != NULL)
    g_task_return_pointer (task, job, g_object_unref);
  else
    g_task_return_error (task, error);
}

StmJob *
stm_resolution_start_finish (GAsyncResult *result, GError **error)
{
  return g_task_propagate_pointer (G_TASK (result), error);
}
