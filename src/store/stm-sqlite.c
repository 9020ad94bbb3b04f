/* The border to SQLite: runs statements and turns result codes into STEMMA_ERROR.
 *
 * For the files of this folder only, on the thread that has the connection. Keeps nothing.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "stm-sqlite.h"

#include "stemma-error.h"

#include <errno.h>

static const char *
file_name (sqlite3 *db)
{
  const char *name = db == NULL ? NULL : sqlite3_db_filename (db, "main");

  return name == NULL || *name == '\0' ? "the store" : name;
}

/* The errno behind codes that come from a system call. Asked of the file system layer:
 * sqlite3_system_errno() is not set by a COMMIT that fails, and then has that of an older error. */
static int
system_error (sqlite3 *db, int result)
{
  int primary = result & 0xff;
  sqlite3_vfs *vfs = NULL;

  if (db == NULL || (primary != SQLITE_IOERR && primary != SQLITE_CANTOPEN))
    return 0;
  if (sqlite3_file_control (db, "main", SQLITE_FCNTL_VFS_POINTER, &vfs) != SQLITE_OK || vfs == NULL
      || vfs->xGetLastError == NULL)
    return 0;

  return vfs->xGetLastError (vfs, 0, NULL);
}

static StemmaError
code_of (int result, int system_errno)
{
  if (system_errno == ENOSPC || system_errno == EDQUOT)
    return STEMMA_ERROR_NO_SPACE;
  if (system_errno == EROFS)
    return STEMMA_ERROR_READ_ONLY;

  switch (result & 0xff)
    {
    case SQLITE_FULL:
      return STEMMA_ERROR_NO_SPACE;
    case SQLITE_READONLY:
    case SQLITE_PERM:
      return STEMMA_ERROR_READ_ONLY;
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
      return STEMMA_ERROR_BUSY;
    default:
      return STEMMA_ERROR_FAILED;
    }
}

static const char *
way_out (StemmaError code)
{
  switch (code)
    {
    case STEMMA_ERROR_NO_SPACE:
      return "; free some space on its file system and try again";
    case STEMMA_ERROR_READ_ONLY:
      return "; make its directory writable and start the service again";
    case STEMMA_ERROR_BUSY:
      return "; another process has it open, end that one first";
    default:
      return "";
    }
}

void
stm_sqlite_set_error (sqlite3 *db, int result, const char *what, GError **error)
{
  int number = system_error (db, result);
  StemmaError code = code_of (result, number);
  const char *reason = db == NULL ? sqlite3_errstr (result) : sqlite3_errmsg (db);

  g_set_error (error, STEMMA_ERROR, code, "cannot %s in %s: %s%s%s%s", what, file_name (db), reason,
               number == 0 ? "" : ": ", number == 0 ? "" : g_strerror (number), way_out (code));
}

gboolean
stm_sqlite_exec (sqlite3 *db, const char *sql, const char *what, GError **error)
{
  int result = sqlite3_exec (db, sql, NULL, NULL, NULL);

  if (result == SQLITE_OK)
    return TRUE;

  stm_sqlite_set_error (db, result, what, error);
  return FALSE;
}

sqlite3_stmt *
stm_sqlite_prepare (sqlite3 *db, const char *sql, const char *what, GError **error)
{
  sqlite3_stmt *statement = NULL;
  int result = sqlite3_prepare_v3 (db, sql, -1, SQLITE_PREPARE_PERSISTENT, &statement, NULL);

  if (result == SQLITE_OK)
    return statement;

  stm_sqlite_set_error (db, result, what, error);
  return NULL;
}

gboolean
stm_sqlite_get_number (sqlite3 *db, const char *sql, const char *what, gint64 *out_number,
                       GError **error)
{
  g_autoptr (sqlite3_stmt) statement = stm_sqlite_prepare (db, sql, what, error);
  int result;

  if (statement == NULL)
    return FALSE;

  result = sqlite3_step (statement);
  if (result == SQLITE_ROW)
    {
      *out_number = sqlite3_column_int64 (statement, 0);
      return TRUE;
    }

  if (result == SQLITE_DONE)
    g_set_error (error, STEMMA_ERROR, STEMMA_ERROR_FAILED, "cannot %s in %s: there is no row", what,
                 file_name (db));
  else
    stm_sqlite_set_error (db, result, what, error);
  return FALSE;
}

static int
bind_cell (sqlite3_stmt *statement, int position, const StmCell *cell)
{
  if (cell->kind == STM_CELL_NUMBER)
    return sqlite3_bind_int64 (statement, position, cell->number);
  if (cell->data == NULL)
    return sqlite3_bind_null (statement, position);
  if (cell->kind == STM_CELL_TEXT)
    return sqlite3_bind_text (statement, position, cell->data, -1, SQLITE_STATIC);

  return sqlite3_bind_blob64 (statement, position, cell->data, (sqlite3_uint64) cell->number,
                              SQLITE_STATIC);
}

gboolean
stm_sqlite_bind (sqlite3_stmt *statement, const StmCell *cells, gsize n_cells, const char *what,
                 GError **error)
{
  for (gsize i = 0; i < n_cells; i++)
    {
      int result = bind_cell (statement, (int) i + 1, &cells[i]);

      if (result != SQLITE_OK)
        {
          stm_sqlite_set_error (sqlite3_db_handle (statement), result, what, error);
          return FALSE;
        }
    }

  return TRUE;
}

gboolean
stm_sqlite_run (sqlite3_stmt *statement, const StmCell *cells, gsize n_cells, const char *what,
                GError **error)
{
  gboolean is_done = FALSE;

  if (stm_sqlite_bind (statement, cells, n_cells, what, error))
    {
      int result = sqlite3_step (statement);

      is_done = result == SQLITE_DONE;
      if (!is_done)
        stm_sqlite_set_error (sqlite3_db_handle (statement), result, what, error);
    }

  /* The result of the reset repeats that of the step. */
  sqlite3_reset (statement);
  sqlite3_clear_bindings (statement);
  return is_done;
}
