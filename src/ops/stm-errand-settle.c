/* What is done with an operation that an earlier life of the service left in the journal: finished,
 * taken back, or abandoned by somebody's choice. Main loop.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "stm-errand-private.h"

#include "stemma-error.h"
#include "stm-abandon.h"

/* The records as if the operation had not been asked for, but for what it did to the images. What
 * is in cleanup is recorded already. */
static StmChange *
build_abandonment (const StmErrand *self)
{
  const StmJournalEntry *entry = self->entry;

  if (entry->phase == STM_PHASE_CLEANUP)
    return NULL;
  if (stm_plan_is_taken_back (entry->plan))
    return stm_change_ref (entry->plan->undo);
  return stm_plan_abandon (stm_errand_get_model (self), entry->plan, entry->n_done, self->survey);
}

static void
on_looked_at_next (gpointer data)
{
  StmErrand *self = data;

  self->abandonment = build_abandonment (self);
  stm_errand_close (self, self->abandonment);
}

static void
work_look_at_next (gpointer data)
{
  StmErrand *self = data;

  self->survey = stm_run_look_at_next_sync (self->run);
}

static void
start_abandoning (StmErrand *self)
{
  stm_job_begin (self->job);
  self->events->accepted (self, self->user_data);
  stm_errand_prepare_run (self);
  stm_workers_run (self->tools->workers, work_look_at_next, on_looked_at_next, self);
}

static gboolean
is_active (const StmModel *model, const char *domain_id, const StmImage *image)
{
  const StmDomain *domain = stm_model_get_domain (model, domain_id);

  for (gsize i = 0; domain != NULL && i < domain->n_disks; i++)
    if (g_strcmp0 (domain->disks[i].source, image->path) == 0)
      return TRUE;
  return FALSE;
}

/* Until the finishing change the record says that a disk is written to its old image, also when
 * that was moved down already. Somebody may have run the machine on it since then, by hand: what it
 * wrote is moved by doing the merge again, and those after it. Gives how many need not be. */
static guint
count_lasting_merges (const StmErrand *self)
{
  guint n_merges = 0;

  for (guint i = 0; i < self->plan->steps->len && n_merges < self->entry->n_done; i++)
    {
      const StmStep *step = g_ptr_array_index (self->plan->steps, i);

      if (step->kind != STM_STEP_COMMIT && step->kind != STM_STEP_STREAM)
        continue;
      if (step->kind == STM_STEP_COMMIT
          && is_active (stm_errand_get_model (self), self->plan->domain_id, step->image))
        break;
      n_merges++;
    }
  return n_merges;
}

static void
start_finishing (StmErrand *self)
{
  stm_claims_take (self->tools->claims, self->plan, NULL);
  stm_job_begin (self->job);
  self->events->accepted (self, self->user_data);
  if (self->entry->phase == STM_PHASE_INTENT)
    self->entry->n_done = count_lasting_merges (self);
  stm_errand_prepare_run (self);
  if (self->entry->phase == STM_PHASE_CLEANUP)
    stm_errand_clean_up (self);
  else if (!stm_plan_is_taken_back (self->plan))
    stm_errand_run (self);
  else
    {
      self->failure = g_error_new (STEMMA_ERROR, STEMMA_ERROR_CANCELLED,
                                   "the service was interrupted; the operation was taken back");
      stm_errand_take_back (self);
    }
}

void
stm_errand_start_settling (StmErrand *self)
{
  if (self->choice == STM_SETTLE_ABANDON)
    start_abandoning (self);
  else
    start_finishing (self);
}
