/* The reading of the journal, at start.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include "stm-journal-entry.h"
#include "stm-problems.h"
#include "stm-sqlite.h"

/* StmJournalEntry, oldest first; empty without a database. What cannot be read is said in
 * `problems` and left out. */
GPtrArray *stm_row_journal_read (sqlite3 *db, StmProblems *problems);
