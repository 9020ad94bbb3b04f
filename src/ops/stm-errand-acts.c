/* The acts of an operation from its durable intent on: run, finish, clean up, or take back. Main
 * loop; what blocks runs on a worker that sees only this errand's StmRun.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "stm-errand-private.h"

/* ---- clean up ---- */

static void
end_closed (StmErrand *self)
{
  if (self->failure != NULL)
    stm_job_fail (self->job, self->failure);
  else
    stm_job_succeed (self->job, NULL);
  stm_errand_end (self, NULL, NULL);
}

static void
on_removed_from_journal (GObject *source, GAsyncResult *result, gpointer user_data)
{
  StmErrand *self = user_data;
  g_autoptr (GError) error = NULL;

  if (!stm_ledger_commit_finish (STM_LEDGER (source), result, &error))
    {
      /* The record still says that the operation is under way. */
      if (self->failure != NULL || self->choice == STM_SETTLE_ABANDON)
        {
          stm_errand_leave_unsettled (self, error);
          return;
        }
      /* All is done; the entry that stays is settled at once by the next start. */
      g_warning ("journal of operation %s: %s", self->plan->id, error->message);
    }
  stm_errand_note_health (self, end_closed);
}

static void
on_cleaned_up (gpointer data)
{
  StmErrand *self = data;

  if (self->error != NULL)
    {
      g_autofree char *left = g_strdup (self->error->message);

      stm_job_succeed (self->job, g_variant_new_parsed ("{'left': <%s>}", left));
      stm_errand_end (self, NULL, left);
      return;
    }
  stm_errand_close (self, NULL);
}

void
stm_errand_close (StmErrand *self, StmChange *change)
{
  stm_ledger_commit_async (self->tools->ledger, change, STM_JOURNAL_REMOVE, self->entry,
                           on_removed_from_journal, self);
}

static void
work_clean_up (gpointer data)
{
  StmErrand *self = data;

  stm_run_clean_up_sync (self->run, &self->error);
}

static gboolean
is_recorded (const StmModel *model, const char *path)
{
  g_autoptr (GPtrArray) ids = stm_model_domain_ids (model);

  for (guint i = 0; i < ids->len; i++)
    if (stm_model_get_image (model, g_ptr_array_index (ids, i), path) != NULL)
      return TRUE;
  return FALSE;
}

/* A name becomes free when its file was removed by hand, or by a cleanup whose end could not be
 * recorded. An image that has it since then may look the same in every header. */
void
stm_errand_clean_up (StmErrand *self)
{
  for (guint i = 0; i < self->plan->steps->len; i++)
    {
      const StmStep *step = g_ptr_array_index (self->plan->steps, i);

      if (step->kind == STM_STEP_UNLINK
          && is_recorded (stm_errand_get_model (self), step->image->path))
        stm_run_spare (self->run, step->image->path);
    }
  stm_workers_run (self->tools->workers, work_clean_up, on_cleaned_up, self);
}

/* ---- finish ---- */

static gboolean
needs_cleanup (const StmPlan *plan)
{
  return stm_plan_n_steps_of (plan, STM_STEP_UNLINK) + stm_plan_n_steps_of (plan, STM_STEP_UNTAG)
             + stm_plan_n_steps_of (plan, STM_STEP_UNBITMAP)
         > 0;
}

static void
on_finished (GObject *source, GAsyncResult *result, gpointer user_data)
{
  StmErrand *self = user_data;
  g_autoptr (GError) error = NULL;

  if (!stm_ledger_commit_finish (STM_LEDGER (source), result, &error))
    {
      /* As the store still has it: in cleanup the files would go that the record still needs. */
      self->entry->phase = STM_PHASE_INTENT;
      stm_errand_leave_unsettled (self, error);
      return;
    }
  stm_errand_note_health (self, needs_cleanup (self->plan) ? stm_errand_clean_up : end_closed);
}

static void
finish (StmErrand *self)
{
  if (self->survey != NULL)
    self->events->looked (self, self->survey, self->user_data);
  self->entry->n_done = self->run->entry->n_done;
  if (needs_cleanup (self->plan))
    self->entry->phase = STM_PHASE_CLEANUP;
  stm_ledger_commit_async (self->tools->ledger, self->plan->finish,
                           needs_cleanup (self->plan) ? STM_JOURNAL_PUT : STM_JOURNAL_REMOVE,
                           self->entry, on_finished, self);
}

/* ---- take back ---- */

static void
on_taken_back (gpointer data)
{
  StmErrand *self = data;
  g_autoptr (GError) error = g_steal_pointer (&self->error);

  if (error != NULL)
    stm_errand_leave_unsettled (self, error);
  else
    stm_errand_close (self, self->plan->undo);
}

static void
work_take_back (gpointer data)
{
  StmErrand *self = data;

  /* A file that was open for writing when QEMU ended may have lost bitmaps. */
  stm_run_repair_sync (self->run);
  if (stm_run_take_back_sync (self->run, &self->error))
    self->survey = stm_run_look_back_sync (self->run);
}

void
stm_errand_take_back (StmErrand *self)
{
  stm_workers_run (self->tools->workers, work_take_back, on_taken_back, self);
}

/* ---- run ---- */

static void
on_run (gpointer data)
{
  StmErrand *self = data;

  self->entry->n_done = self->run->entry->n_done;
  if (self->error == NULL)
    {
      finish (self);
      return;
    }
  self->failure = g_steal_pointer (&self->error);
  if (self->can_take_back)
    stm_errand_take_back (self);
  else
    stm_errand_leave_unsettled (self, self->failure);
}

static void
work_run (gpointer data)
{
  StmErrand *self = data;

  g_clear_pointer (&self->survey, stm_survey_unref);
  if (stm_run_steps_sync (self->run, &self->error))
    {
      if (self->is_settling)
        stm_run_repair_sync (self->run);
      self->survey = stm_run_look_back_sync (self->run);
    }
  else
    /* What an earlier life may have begun cannot be taken back by this one. */
    self->can_take_back = !self->is_settling && stm_run_can_take_back_sync (self->run);
}

/* An undefined domain is gone with the directories of its disks; what is left to be removed was
 * made for it, and the journal names it. */
static StmPathPolicy *
policy_without_domain (StmErrand *self)
{
  g_autoptr (GPtrArray) exact = g_ptr_array_new ();

  for (guint i = 0; i < self->plan->steps->len; i++)
    {
      const StmStep *step = g_ptr_array_index (self->plan->steps, i);

      if (step->kind == STM_STEP_UNLINK || step->kind == STM_STEP_UNTAG
          || step->kind == STM_STEP_UNBITMAP)
        g_ptr_array_add (exact, (gpointer) step->image->path);
    }
  g_ptr_array_add (exact, NULL);
  return stm_path_policy_new (self->tools->pools, (const char *const *) exact->pdata);
}

void
stm_errand_prepare_run (StmErrand *self)
{
  const char *domain_id = self->plan->domain_id;

  if (self->policy == NULL && stm_model_get_domain (stm_errand_get_model (self), domain_id) == NULL)
    self->policy = policy_without_domain (self);
  if (self->policy == NULL)
    self->policy = stm_model_path_policy (stm_errand_get_model (self), domain_id,
                                          self->tools->pools);
  self->run = stm_run_new (self->tools->driver, stm_ledger_get_store (self->tools->ledger),
                           self->policy, stm_job_get_progress (self->job),
                           stm_job_get_cancellable (self->job), self->entry);
}

void
stm_errand_run (StmErrand *self)
{
  stm_workers_run (self->tools->workers, work_run, on_run, self);
}
