/* Small helpers around SQLite for the files of this folder: errors become STEMMA_ERROR here.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include <glib.h>
#include <sqlite3.h>

G_DEFINE_AUTOPTR_CLEANUP_FUNC (sqlite3, sqlite3_close_v2)
G_DEFINE_AUTOPTR_CLEANUP_FUNC (sqlite3_stmt, sqlite3_finalize)

/* Sets the error for a result code of SQLite: NO_SPACE, READ_ONLY, BUSY, else FAILED. `what` is
 * what was attempted: "cannot <what> in <file>: <why>". */
void stm_sqlite_set_error (sqlite3 *db, int result, const char *what, GError **error);

/* One or more statements without values. */
gboolean stm_sqlite_exec (sqlite3 *db, const char *sql, const char *what, GError **error);

/* A statement that is kept and used many times. */
sqlite3_stmt *stm_sqlite_prepare (sqlite3 *db, const char *sql, const char *what, GError **error);

/* The first column of the first row. */
gboolean stm_sqlite_get_number (sqlite3 *db, const char *sql, const char *what, gint64 *out_number,
                                GError **error);

/* A value to bind. Text and bytes are borrowed until the statement was run; NULL is SQL's NULL. */
typedef enum
{
  STM_CELL_NUMBER,
  STM_CELL_TEXT,
  STM_CELL_BYTES,
} StmCellKind;

typedef struct
{
  StmCellKind kind;
  gint64 number; /* with BYTES: how many */
  const void *data;
} StmCell;

#define STM_NUMBER(value) ((StmCell){ .kind = STM_CELL_NUMBER, .number = (gint64) (value) })
#define STM_TEXT(value) ((StmCell){ .kind = STM_CELL_TEXT, .data = (const char *){ (value) } })
#define STM_BYTES(value, size)                                                                     \
  ((StmCell){ .kind = STM_CELL_BYTES, .number = (gint64) (size), .data = (value) })

/* Binds the cells to the parameters ?1, ?2 … */
gboolean stm_sqlite_bind (sqlite3_stmt *statement, const StmCell *cells, gsize n_cells,
                          const char *what, GError **error);

/* Binds, runs a statement that gives no rows, and makes it ready for the next time. */
gboolean stm_sqlite_run (sqlite3_stmt *statement, const StmCell *cells, gsize n_cells,
                         const char *what, GError **error);
