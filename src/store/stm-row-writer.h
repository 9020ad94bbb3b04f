/* StmRowWriter: changes and journal entries into rows.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include "stm-journal-entry.h"
#include "stm-sqlite.h"

typedef struct _StmRowWriter StmRowWriter;

/* Prepares all statements; the connection must outlive it. */
StmRowWriter *stm_row_writer_new (sqlite3 *db, GError **error);
void stm_row_writer_free (StmRowWriter *self);

/* Each within a transaction of the caller, who takes it back after an error. */
gboolean stm_row_writer_write_change (StmRowWriter *self, const StmChange *change, GError **error);
gboolean
stm_row_writer_put_entry (StmRowWriter *self, const StmJournalEntry *entry, GError **error);
gboolean
stm_row_writer_remove_entry (StmRowWriter *self, const StmJournalEntry *entry, GError **error);
/* Puts on record that numbers of jobs up to this one may have been given out. */
gboolean stm_row_writer_reserve_jobs (StmRowWriter *self, guint last_job, GError **error);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (StmRowWriter, stm_row_writer_free)
