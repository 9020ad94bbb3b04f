/* StmJournalEntry: a running operation as the journal holds it.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include "stm-plan.h"

typedef enum
{
  STM_PHASE_INTENT,  /* durable; the images may have been touched, `n_done` steps are done */
  STM_PHASE_CLEANUP, /* the finishing change is applied; files remain to be removed */
} StmJournalPhase;

typedef struct
{
  StmPlan *plan; /* its id is the id of the entry */
  StmJournalPhase phase;
  guint n_done;   /* merges that are recorded as done */
  guint uid;      /* who asked */
  gint64 started; /* seconds since the epoch */
  char *finding;  /* why settling it failed, NULL while it has not */
} StmJournalEntry;

StmJournalEntry *stm_journal_entry_new (const StmPlan *plan, guint uid, gint64 started);
StmJournalEntry *stm_journal_entry_copy (const StmJournalEntry *self);
void stm_journal_entry_free (StmJournalEntry *self);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (StmJournalEntry, stm_journal_entry_free)
