/* The acts of one operation in their order: prepare, survey, plan, intent, run, finish, clean up;
 * and the ways out of each. Main loop; what blocks runs on a worker that sees only this errand's
 * StmRun or survey request. Never touches the model but through the ledger.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "stm-errand.h"

#include "stemma-error.h"
#include "stm-id.h"

#include "stm-job-control.h"
#include "stm-run.h"

/* How often the survey of a definition is repeated when the service changed meanwhile. */
#define MAX_LOOKS 5

struct _StmErrand
{
  const StmErrandTools *tools;
  const StmErrandEvents *events;
  gpointer user_data;
  StmJob *job;
  StmOp *op; /* NULL when settling */
  GTask *task;
  gboolean is_settling;
  StmSettleChoice choice;
  StmChange *abandonment;
  guint n_looks;
  guint64 seen_generation;

  GPtrArray *images;
  StmPathPolicy *policy;
  StmSurvey *survey;
  StmPlan *plan;
  StmJournalEntry *entry;
  StmRun *run;
  GError *error;   /* of the act that just ended */
  GError *failure; /* why the operation is being taken back */
  gboolean can_take_back;
};

static void look (StmErrand *self);

StmJob *
stm_errand_get_job (StmErrand *self)
{
  return self->job;
}

const StmPlan *
stm_errand_get_plan (StmErrand *self)
{
  return self->plan;
}

void
stm_errand_set_task (StmErrand *self, GTask *task)
{
  g_set_object (&self->task, task);
}

GTask *
stm_errand_steal_task (StmErrand *self)
{
  return g_steal_pointer (&self->task);
}

static const StmModel *
model_of (StmErrand *self)
{
  return stm_ledger_get_model (self->tools->ledger);
}

static void
end (StmErrand *self, const GError *refusal, const char *left)
{
  /* What is left half done keeps its files from other domains. */
  if (self->plan != NULL && left == NULL)
    stm_claims_release (self->tools->claims, self->plan->id);
  self->events->ended (self, refusal, self->entry, left, self->user_data);
  stm_errand_free (self);
}

static void
refuse (StmErrand *self)
{
  g_autoptr (GError) refusal = g_steal_pointer (&self->error);

  end (self, refusal, NULL);
}

/* The operation is over and the journal still has it: it failed where it cannot go back, or could
 * not be taken back. */
static void
leave_unsettled (StmErrand *self, const GError *why)
{
  g_autofree char *left = g_strdup (why->message);

  stm_job_fail (self->job, self->failure != NULL ? self->failure : why);
  end (self, NULL, left);
}

/* ---- clean up ---- */

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
          leave_unsettled (self, error);
          return;
        }
      /* All is done; the entry that stays is settled at once by the next start. */
      g_warning ("journal of operation %s: %s", self->plan->id, error->message);
    }
  if (self->failure != NULL)
    stm_job_fail (self->job, self->failure);
  else
    stm_job_succeed (self->job, NULL);
  end (self, NULL, NULL);
}

static void
on_cleaned_up (gpointer data)
{
  StmErrand *self = data;

  if (self->error != NULL)
    {
      g_autofree char *left = g_strdup (self->error->message);

      stm_job_succeed (self->job, g_variant_new_parsed ("{'left': <%s>}", left));
      end (self, NULL, left);
      return;
    }
  stm_ledger_commit_async (self->tools->ledger, NULL, STM_JOURNAL_REMOVE, self->entry,
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
static void
clean_up (StmErrand *self)
{
  for (guint i = 0; i < self->plan->steps->len; i++)
    {
      const StmStep *step = g_ptr_array_index (self->plan->steps, i);

      if (step->kind == STM_STEP_UNLINK && is_recorded (model_of (self), step->image->path))
        stm_run_spare (self->run, step->image->path);
    }
  stm_workers_run (self->tools->workers, work_clean_up, on_cleaned_up, self);
}

/* ---- finish ---- */

static gboolean
needs_cleanup (const StmPlan *plan)
{
  return stm_plan_n_steps_of (plan, STM_STEP_UNLINK) > 0;
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
      leave_unsettled (self, error);
      return;
    }
  if (needs_cleanup (self->plan))
    {
      clean_up (self);
      return;
    }
  stm_job_succeed (self->job, NULL);
  end (self, NULL, NULL);
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
take_back_change (StmErrand *self)
{
  stm_ledger_commit_async (self->tools->ledger, self->plan->undo, STM_JOURNAL_REMOVE, self->entry,
                           on_removed_from_journal, self);
}

static void
on_taken_back (gpointer data)
{
  StmErrand *self = data;
  g_autoptr (GError) error = g_steal_pointer (&self->error);

  if (error != NULL)
    leave_unsettled (self, error);
  else
    take_back_change (self);
}

static void
work_take_back (gpointer data)
{
  StmErrand *self = data;

  stm_run_take_back_sync (self->run, &self->error);
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
    stm_workers_run (self->tools->workers, work_take_back, on_taken_back, self);
  else
    leave_unsettled (self, self->failure);
}

static void
work_run (gpointer data)
{
  StmErrand *self = data;

  g_clear_pointer (&self->survey, stm_survey_unref);
  if (stm_run_steps_sync (self->run, &self->error))
    self->survey = stm_run_look_back_sync (self->run);
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

      if (step->kind == STM_STEP_UNLINK)
        g_ptr_array_add (exact, (gpointer) step->image->path);
    }
  g_ptr_array_add (exact, NULL);
  return stm_path_policy_new (self->tools->pools, (const char *const *) exact->pdata);
}

static void
prepare_run (StmErrand *self)
{
  const char *domain_id = self->plan->domain_id;

  if (self->policy == NULL && stm_model_get_domain (model_of (self), domain_id) == NULL)
    self->policy = policy_without_domain (self);
  if (self->policy == NULL)
    self->policy = stm_model_path_policy (model_of (self), domain_id, self->tools->pools);
  self->run = stm_run_new (self->tools->driver, stm_ledger_get_store (self->tools->ledger),
                           self->policy, stm_job_get_progress (self->job),
                           stm_job_get_cancellable (self->job), self->entry);
}

static void
on_begun (GObject *source, GAsyncResult *result, gpointer user_data)
{
  StmErrand *self = user_data;

  if (!stm_ledger_commit_finish (STM_LEDGER (source), result, &self->error))
    {
      g_clear_pointer (&self->entry, stm_journal_entry_free);
      refuse (self);
      return;
    }
  stm_job_begin (self->job);
  self->events->accepted (self, self->user_data);
  prepare_run (self);
  stm_workers_run (self->tools->workers, work_run, on_run, self);
}

/* ---- plan ---- */

static void
on_applied (GObject *source, GAsyncResult *result, gpointer user_data)
{
  StmErrand *self = user_data;

  if (!stm_ledger_commit_finish (STM_LEDGER (source), result, &self->error))
    {
      refuse (self);
      return;
    }
  stm_job_begin (self->job);
  self->events->accepted (self, self->user_data);
  stm_job_succeed (self->job, NULL);
  end (self, NULL, NULL);
}

static void
carry_out (StmErrand *self)
{
  if (self->survey != NULL)
    self->events->looked (self, self->survey, self->user_data);
  if (self->plan->object_id != NULL)
    stm_job_set_moment_id (self->job, self->plan->object_id);
  if (self->plan->steps->len == 0)
    {
      stm_ledger_commit_async (self->tools->ledger, self->plan->finish, STM_JOURNAL_NONE, NULL,
                               on_applied, self);
      return;
    }
  self->entry = stm_journal_entry_new (self->plan, stm_job_get_uid (self->job),
                                       g_get_real_time () / G_USEC_PER_SEC);
  stm_ledger_commit_async (self->tools->ledger, self->plan->begin, STM_JOURNAL_PUT, self->entry,
                           on_begun, self);
}

static void
on_looked (gpointer data)
{
  StmErrand *self = data;
  g_autofree char *plan_id = stm_id_new ();
  g_autofree char *moment_id = stm_id_new ();
  StmPlanContext context = { .plan_id = plan_id,
                             .moment_id = moment_id,
                             .now = g_get_real_time () / G_USEC_PER_SEC,
                             .pools = self->tools->pools };
  guint64 generation = stm_model_service_generation (model_of (self));

  if (self->error == NULL && stm_op_get_operation (self->op) == STM_OPERATION_DEFINE
      && generation != self->seen_generation)
    {
      /* Another domain's images may have moved while this chain was being read. */
      g_clear_pointer (&self->survey, stm_survey_unref);
      if (++self->n_looks < MAX_LOOKS)
        {
          look (self);
          return;
        }
      self->error = g_error_new (STEMMA_ERROR, STEMMA_ERROR_BUSY,
                                 "other domains change while the images of this one are read: try "
                                 "again");
    }
  if (self->error == NULL)
    self->plan = STM_OP_GET_CLASS (self->op)->plan (self->op, model_of (self), self->survey,
                                                    &context, &self->error);
  if (self->plan == NULL || !stm_claims_take (self->tools->claims, self->plan, &self->error))
    {
      refuse (self);
      return;
    }
  carry_out (self);
}

static void
work_look (gpointer data)
{
  StmErrand *self = data;
  GCancellable *cancellable = stm_job_get_cancellable (self->job);
  StmOpClass *class = STM_OP_GET_CLASS (self->op);

  if (self->images != NULL)
    {
      StmSurveyRequest request = { .images = (const StmImage *const *) self->images->pdata,
                                   .n_images = self->images->len,
                                   .scans_directories = TRUE,
                                   .policy = self->policy };

      self->survey = stm_driver_survey (self->tools->driver, &request, cancellable, &self->error);
      if (self->survey == NULL)
        return;
    }
  if (class->look != NULL)
    class->look (self->op, self->tools->driver, self->policy, cancellable, &self->error);
}

static void
look (StmErrand *self)
{
  self->seen_generation = stm_model_service_generation (model_of (self));
  stm_workers_run (self->tools->workers, work_look, on_looked, self);
}

/* The model as if the operation had not been asked for; moments that it may have damaged say so. */
static StmChange *
build_abandonment (const StmJournalEntry *entry)
{
  const StmChange *undo = entry->plan->undo;
  StmChange *change;

  if (entry->phase == STM_PHASE_CLEANUP)
    return NULL;
  if (stm_plan_n_steps_of (entry->plan, STM_STEP_OVERLAY) > 0)
    return stm_change_ref (entry->plan->undo);
  change = stm_change_new (undo->domain_id);
  for (guint i = 0; i < undo->put_moments->len; i++)
    {
      const StmMoment *moment = g_ptr_array_index (undo->put_moments, i);
      g_autoptr (StmMoment)
          damaged = stm_moment_with_state (moment, moment->state, STM_HEALTH_INCONSISTENT);

      stm_change_put_moment (change, damaged);
    }
  return change;
}

static void
start_abandoning (StmErrand *self)
{
  stm_job_begin (self->job);
  self->events->accepted (self, self->user_data);
  self->abandonment = build_abandonment (self->entry);
  stm_ledger_commit_async (self->tools->ledger, self->abandonment, STM_JOURNAL_REMOVE, self->entry,
                           on_removed_from_journal, self);
}

static void
start_settling (StmErrand *self)
{
  gboolean goes_on = stm_plan_n_steps_of (self->plan, STM_STEP_OVERLAY) == 0;

  stm_claims_take (self->tools->claims, self->plan, NULL);
  stm_job_begin (self->job);
  self->events->accepted (self, self->user_data);
  prepare_run (self);
  if (self->entry->phase == STM_PHASE_CLEANUP)
    clean_up (self);
  else if (goes_on)
    stm_workers_run (self->tools->workers, work_run, on_run, self);
  else
    {
      self->failure = g_error_new (STEMMA_ERROR, STEMMA_ERROR_CANCELLED,
                                   "the service was interrupted; the operation was taken back");
      stm_workers_run (self->tools->workers, work_take_back, on_taken_back, self);
    }
}

gboolean
stm_errand_is_settling (const StmErrand *self)
{
  return self->is_settling;
}

void
stm_errand_refuse (StmErrand *self, const GError *why)
{
  end (self, why, NULL);
}

void
stm_errand_start (StmErrand *self)
{
  const char *domain_id = stm_job_get_domain_id (self->job);

  if (self->is_settling)
    {
      if (self->choice == STM_SETTLE_ABANDON)
        start_abandoning (self);
      else
        start_settling (self);
      return;
    }
  if (!STM_OP_GET_CLASS (self->op)->prepare (self->op, model_of (self), &self->images,
                                             &self->error))
    {
      refuse (self);
      return;
    }
  self->policy = stm_model_path_policy (model_of (self), domain_id, self->tools->pools);
  look (self);
}

static StmErrand *
errand_new (const StmErrandTools *tools, const StmErrandEvents *events, gpointer user_data,
            StmJob *job)
{
  StmErrand *self = g_new0 (StmErrand, 1);

  self->tools = tools;
  self->events = events;
  self->user_data = user_data;
  self->job = g_object_ref (job);
  return self;
}

StmErrand *
stm_errand_new (const StmErrandTools *tools, const StmErrandEvents *events, gpointer user_data,
                StmJob *job, StmOp *op)
{
  StmErrand *self = errand_new (tools, events, user_data, job);

  self->op = g_object_ref (op);
  return self;
}

StmErrand *
stm_errand_new_settle (const StmErrandTools *tools, const StmErrandEvents *events,
                       gpointer user_data, StmJob *job, const StmJournalEntry *entry,
                       StmSettleChoice choice)
{
  StmErrand *self = errand_new (tools, events, user_data, job);

  self->is_settling = TRUE;
  self->choice = choice;
  self->entry = stm_journal_entry_copy (entry);
  self->plan = stm_plan_ref (entry->plan);
  stm_job_set_moment_id (job, entry->plan->object_id);
  return self;
}

void
stm_errand_free (StmErrand *self)
{
  g_clear_object (&self->job);
  g_clear_object (&self->op);
  g_clear_object (&self->task);
  g_clear_pointer (&self->images, g_ptr_array_unref);
  g_clear_pointer (&self->policy, stm_path_policy_unref);
  g_clear_pointer (&self->survey, stm_survey_unref);
  g_clear_pointer (&self->plan, stm_plan_unref);
  g_clear_pointer (&self->abandonment, stm_change_unref);
  g_clear_pointer (&self->entry, stm_journal_entry_free);
  g_clear_pointer (&self->run, stm_run_free);
  g_clear_error (&self->error);
  g_clear_error (&self->failure);
  g_free (self);
}
