/* StmRow: one row of a query, read column by column, where each column may hold anything.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include "stm-problems.h"
#include "stm-sqlite.h"

/* A query over one table that remembers the first column of a row that was not as it must be. */
typedef struct
{
  sqlite3_stmt *statement;
  const char *table;
  guint64 limit; /* rows that are read at most */
  guint64 n_rows;
  const char *broken; /* why the row cannot be used; NULL while it can */
  StmProblems *problems;
} StmRow;

/* FALSE, and a problem noted, when the query cannot be made. */
gboolean stm_row_open (StmRow *self, sqlite3 *db, const char *table, const char *sql, guint64 limit,
                       StmProblems *problems);
void stm_row_close (StmRow *self);

/* The next row; FALSE after the last, at the limit or when the database cannot be read on, which
 * is noted. */
gboolean stm_row_next (StmRow *self);

/* A column of the present row; texts are good until the next row. Something harmless when it is
 * not of its type; then the row is broken. */
gboolean stm_row_is_null (StmRow *self, int column);
const char *stm_row_text (StmRow *self, int column);
const char *stm_row_text_or_null (StmRow *self, int column);
gint64 stm_row_number (StmRow *self, int column, gint64 min, gint64 max);
GBytes *stm_row_bytes (StmRow *self, int column);

/* Marks the row as broken by what a value says of itself. */
void stm_row_break (StmRow *self, const char *why);

/* Whether all was as it must be; else it is noted, with a name for the row. */
gboolean stm_row_is_sound (StmRow *self, const char *name);

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (StmRow, stm_row_close)
