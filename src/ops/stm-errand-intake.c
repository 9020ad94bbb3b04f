/* What an errand takes in before it looks at the service and its images: what the client sent, by
 * which paths records know the files that it named, and texts of the store. Main loop but for the
 * reading and for the following of links, which are on a worker.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "stm-errand-private.h"

#include "stemma-error.h"

static void
on_taken (gpointer data)
{
  StmErrand *self = data;

  /* Perhaps after the last worker is gone. */
  if (self->error == NULL && g_cancellable_is_cancelled (stm_job_get_cancellable (self->job)))
    self->error = g_error_new (STEMMA_ERROR, STEMMA_ERROR_CANCELLED, "the operation was cancelled");
  if (self->error == NULL)
    self->next (self);
  else
    stm_errand_end_refused (self);
}

static void
work_read (gpointer data)
{
  StmErrand *self = data;

  STM_OP_GET_CLASS (self->op)->read (self->op, stm_job_get_cancellable (self->job), &self->error);
}

void
stm_errand_take_in (StmErrand *self, StmErrandNext next)
{
  StmOpClass *class = STM_OP_GET_CLASS (self->op);

  self->next = next;
  if (class->read == NULL)
    {
      next (self);
      return;
    }
  if (class->reads_little != NULL && class->reads_little (self->op))
    {
      class->read_little (self->op, self->tools->reader, &self->error);
      on_taken (self);
      return;
    }
  stm_workers_run (self->tools->workers, work_read, on_taken, self);
}

static void
work_spell (gpointer data)
{
  StmErrand *self = data;

  stm_spellings_resolve (self->spellings, self->tools->driver, self->policy,
                         stm_job_get_cancellable (self->job), &self->error);
}

void
stm_errand_spell_paths (StmErrand *self, StmErrandNext next)
{
  StmOpClass *class = STM_OP_GET_CLASS (self->op);

  self->spellings = class->list_paths != NULL
                        ? class->list_paths (self->op, stm_errand_get_model (self))
                        : NULL;
  if (self->spellings == NULL || !stm_spellings_is_due (self->spellings))
    {
      next (self);
      return;
    }
  self->next = next;
  stm_errand_make_policy (self);
  stm_workers_run (self->tools->workers, work_spell, on_taken, self);
}

static void fetch_next (StmErrand *self);

static void
on_text (GObject *source, GAsyncResult *result, gpointer user_data)
{
  StmErrand *self = user_data;
  g_autoptr (GError) error = NULL;
  g_autofree char *text = stm_store_read_definition_finish (STM_STORE (source), result, &error);

  /* A text that is not there is the operation's to judge. */
  if (text == NULL && !g_error_matches (error, STEMMA_ERROR, STEMMA_ERROR_NOT_FOUND))
    {
      self->error = g_steal_pointer (&error);
      stm_errand_end_refused (self);
      return;
    }
  if (text != NULL)
    STM_OP_GET_CLASS (self->op)->take_text (self->op, self->wanted_texts->pdata[0], text);
  g_ptr_array_remove_index_fast (self->wanted_texts, 0);
  fetch_next (self);
}

static void
fetch_next (StmErrand *self)
{
  if (self->wanted_texts->len == 0)
    {
      self->next (self);
      return;
    }
  stm_store_read_definition_async (stm_ledger_get_store (self->tools->ledger),
                                   self->wanted_texts->pdata[0], on_text, self);
}

void
stm_errand_fetch_texts (StmErrand *self, StmErrandNext next)
{
  StmOpClass *class = STM_OP_GET_CLASS (self->op);

  if (class->list_texts != NULL)
    self->wanted_texts = class->list_texts (self->op, stm_errand_get_model (self));
  if (self->wanted_texts == NULL)
    {
      next (self);
      return;
    }
  self->next = next;
  fetch_next (self);
}
