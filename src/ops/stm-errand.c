/* The life of one operation and its first acts: prepare, survey, plan, intent; what comes before
 * stands in stm-errand-intake.c, what follows in stm-errand-acts.c. Main loop; what blocks runs on
 * a worker that sees only this errand's survey request. Never touches the model but through the
 * ledger.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "stm-errand-private.h"

#include "stemma-error.h"
#include "stm-id.h"

/* How often the survey of a definition is repeated when the service changed meanwhile. */
#define MAX_LOOKS 5

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

const StmModel *
stm_errand_get_model (const StmErrand *self)
{
  return stm_ledger_get_model (self->tools->ledger);
}

void
stm_errand_end (StmErrand *self, const GError *refusal, const char *left)
{
  /* What is left half done keeps its files from other domains. */
  if (self->plan != NULL && left == NULL)
    stm_claims_release (self->tools->claims, self->plan->id);
  self->events->ended (self, refusal, self->entry, left, self->user_data);
  stm_errand_free (self);
}

void
stm_errand_end_refused (StmErrand *self)
{
  g_autoptr (GError) refusal = g_steal_pointer (&self->error);

  stm_errand_end (self, refusal, NULL);
}

void
stm_errand_leave_unsettled (StmErrand *self, const GError *why)
{
  g_autofree char *left = g_strdup (why->message);

  stm_job_fail (self->job, self->failure != NULL ? self->failure : why);
  stm_errand_end (self, NULL, left);
}

static void
on_health_noted (GObject *source, GAsyncResult *result, gpointer user_data)
{
  StmErrand *self = user_data;
  g_autoptr (GError) error = NULL;

  /* What cannot be recorded now is seen again by the next survey. */
  if (!stm_ledger_commit_finish (STM_LEDGER (source), result, &error))
    g_warning ("health of the moments of domain %s: %s", stm_job_get_domain_id (self->job),
               error->message);
  self->next (self);
}

void
stm_errand_note_health (StmErrand *self, StmErrandNext next)
{
  const char *domain_id = stm_job_get_domain_id (self->job);
  const StmModel *model = stm_errand_get_model (self);
  g_autoptr (StmChange) change = NULL;

  if (self->survey != NULL && stm_model_get_domain (model, domain_id) != NULL)
    change = stm_plan_health (model, self->survey, domain_id);
  if (change == NULL)
    {
      next (self);
      return;
    }
  self->next = next;
  stm_ledger_commit_async (self->tools->ledger, change, STM_JOURNAL_NONE, NULL, on_health_noted,
                           self);
}

/* ---- plan ---- */

static void
on_begun (GObject *source, GAsyncResult *result, gpointer user_data)
{
  StmErrand *self = user_data;

  if (!stm_ledger_commit_finish (STM_LEDGER (source), result, &self->error))
    {
      g_clear_pointer (&self->entry, stm_journal_entry_free);
      stm_errand_end_refused (self);
      return;
    }
  stm_job_begin (self->job);
  self->events->accepted (self, self->user_data);
  stm_errand_prepare_run (self);
  stm_errand_run (self);
}

static void
on_applied (GObject *source, GAsyncResult *result, gpointer user_data)
{
  StmErrand *self = user_data;

  if (!stm_ledger_commit_finish (STM_LEDGER (source), result, &self->error))
    {
      stm_errand_end_refused (self);
      return;
    }
  stm_job_begin (self->job);
  self->events->accepted (self, self->user_data);
  stm_job_succeed (self->job, NULL);
  stm_errand_end (self, NULL, NULL);
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
decide (StmErrand *self)
{
  g_autofree char *plan_id = stm_id_new ();
  g_autofree char *moment_id = stm_id_new ();
  g_autofree char *second_id = stm_id_new ();
  StmPlanContext context = { .plan_id = plan_id,
                             .moment_id = moment_id,
                             .second_id = second_id,
                             .now = g_get_real_time () / G_USEC_PER_SEC,
                             .pools = self->tools->pools };

  self->plan = STM_OP_GET_CLASS (self->op)->plan (self->op, stm_errand_get_model (self),
                                                  self->survey, &context, &self->error);
  if (self->plan != NULL && stm_claims_take (self->tools->claims, self->plan, &self->error))
    carry_out (self);
  else
    stm_errand_end_refused (self);
}

/* Whether another domain's images may have moved while the chain of a definition was being read. */
static gboolean
is_overtaken (const StmErrand *self)
{
  guint64 generation = stm_model_service_generation (stm_errand_get_model (self));

  return stm_op_get_operation (self->op) == STM_OPERATION_DEFINE
         && generation != self->seen_generation;
}

static void
on_looked (gpointer data)
{
  StmErrand *self = data;

  if (self->error == NULL && is_overtaken (self))
    {
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
    stm_errand_note_health (self, decide);
  else
    stm_errand_end_refused (self);
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

static gboolean
has_to_look (const StmErrand *self)
{
  StmOpClass *class = STM_OP_GET_CLASS (self->op);

  if (self->images != NULL)
    return TRUE;

  return class->look != NULL && (class->needs_look == NULL || class->needs_look (self->op));
}

void
stm_errand_make_policy (StmErrand *self)
{
  if (self->policy == NULL)
    self->policy = stm_model_path_policy (stm_errand_get_model (self),
                                          stm_job_get_domain_id (self->job), self->tools->pools);
}

static void
look (StmErrand *self)
{
  const StmModel *model = stm_errand_get_model (self);

  self->seen_generation = stm_model_service_generation (model);
  if (!has_to_look (self))
    {
      on_looked (self);
      return;
    }
  stm_errand_make_policy (self);
  stm_workers_run (self->tools->workers, work_look, on_looked, self);
}

static void
prepare (StmErrand *self)
{
  if (STM_OP_GET_CLASS (self->op)->prepare (self->op, stm_errand_get_model (self), &self->images,
                                            &self->error))
    stm_errand_fetch_texts (self, look);
  else
    stm_errand_end_refused (self);
}

static void
spell (StmErrand *self)
{
  stm_errand_spell_paths (self, prepare);
}

gboolean
stm_errand_is_settling (const StmErrand *self)
{
  return self->is_settling;
}

void
stm_errand_refuse (StmErrand *self, const GError *why)
{
  stm_errand_end (self, why, NULL);
}

void
stm_errand_start (StmErrand *self)
{
  if (self->is_settling)
    stm_errand_start_settling (self);
  else
    stm_errand_take_in (self, spell);
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
  g_clear_pointer (&self->wanted_texts, g_ptr_array_unref);
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
