/* StmJournalEntry: a plain value, copied when it crosses a thread.
 *
 * Any thread; the plan is immutable and shared by reference. Knows nothing of the database.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "stm-journal-entry.h"

StmJournalEntry *
stm_journal_entry_new (const StmPlan *plan, guint uid, gint64 started)
{
  g_return_val_if_fail (plan != NULL, NULL);

  StmJournalEntry *self = g_new0 (StmJournalEntry, 1);

  self->plan = stm_plan_ref (plan);
  self->phase = STM_PHASE_INTENT;
  self->uid = uid;
  self->started = started;
  return self;
}

StmJournalEntry *
stm_journal_entry_copy (const StmJournalEntry *self)
{
  g_return_val_if_fail (self != NULL, NULL);

  StmJournalEntry *copy = stm_journal_entry_new (self->plan, self->uid, self->started);

  copy->phase = self->phase;
  copy->n_done = self->n_done;
  copy->finding = g_strdup (self->finding);
  return copy;
}

void
stm_journal_entry_free (StmJournalEntry *self)
{
  if (self == NULL)
    return;

  g_clear_pointer (&self->plan, stm_plan_unref);
  g_free (self->finding);
  g_free (self);
}
