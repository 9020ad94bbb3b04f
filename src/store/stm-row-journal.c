/* Journal entries from rows.
 *
 * By the thread that opens the store. A plan says which files are written and removed, so an entry
 * is taken whole or not at all.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "stm-row-journal.h"

#include "stm-row-codec.h"
#include "stm-row.h"

#define MAX_JOURNAL 10000 /* entries; there is one for each running operation */

static StmJournalEntry *
entry_of_row (StmRow *row)
{
  g_autoptr (GBytes) bytes = stm_row_bytes (row, 7);
  g_autoptr (StmPlan) plan = stm_plan_from_bytes (bytes);
  StmJournalPhase phase = STM_PHASE_INTENT;

  if (plan == NULL || g_strcmp0 (plan->id, stm_row_text (row, 0)) != 0)
    {
      stm_row_break (row, "its plan is not sound");
      return NULL;
    }
  if (!stm_journal_phase_from_word (stm_row_text (row, 2), &phase))
    stm_row_break (row, "its phase is unknown");

  StmJournalEntry *entry = stm_journal_entry_new (plan,
                                                  (guint) stm_row_number (row, 4, 0, G_MAXUINT32),
                                                  stm_row_number (row, 5, G_MININT64, G_MAXINT64));

  entry->phase = phase;
  entry->n_done = (guint) stm_row_number (row, 3, 0, plan->steps->len);
  entry->finding = g_strdup (stm_row_text_or_null (row, 6));
  return entry;
}

GPtrArray *
stm_row_journal_read (sqlite3 *db, StmProblems *problems)
{
  g_autoptr (GPtrArray)
      journal = g_ptr_array_new_with_free_func ((GDestroyNotify) stm_journal_entry_free);
  g_auto (StmRow) row = { 0 };

  if (db == NULL
      || !stm_row_open (&row, db, "journal",
                        "SELECT id, operation, phase, n_done, uid, started, finding, plan, domain"
                        " FROM journal ORDER BY seq",
                        MAX_JOURNAL, problems))
    return g_steal_pointer (&journal);

  while (stm_row_next (&row))
    {
      g_autoptr (StmJournalEntry) entry = entry_of_row (&row);
      g_autofree char *name = g_strdup_printf ("%s of domain %s", stm_row_text (&row, 1),
                                               stm_row_text (&row, 8));

      if (stm_row_is_sound (&row, name))
        g_ptr_array_add (journal, g_steal_pointer (&entry));
    }

  return g_steal_pointer (&journal);
}
