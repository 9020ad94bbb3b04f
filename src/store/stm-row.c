/* Reads rows that may hold anything: wrong types, NULL, text that is not UTF-8 or has NUL bytes.
 *
 * By the thread that has the connection. Knows columns, not values.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "stm-row.h"

gboolean
stm_row_open (StmRow *self, sqlite3 *db, const char *table, const char *sql, guint64 limit,
              StmProblems *problems)
{
  g_autoptr (GError) error = NULL;

  *self = (StmRow){ .table = table, .limit = limit, .problems = problems };
  self->statement = stm_sqlite_prepare (db, sql, "read the rows", &error);
  if (self->statement != NULL)
    return TRUE;

  stm_problems_add (problems, "table %s: %s", table, error->message);
  return FALSE;
}

void
stm_row_close (StmRow *self)
{
  g_clear_pointer (&self->statement, sqlite3_finalize);
}

gboolean
stm_row_next (StmRow *self)
{
  int result = sqlite3_step (self->statement);

  self->broken = NULL;
  if (result == SQLITE_ROW && self->n_rows < self->limit)
    {
      self->n_rows++;
      return TRUE;
    }

  if (result == SQLITE_ROW)
    stm_problems_add (self->problems, "table %s has more than %" G_GUINT64_FORMAT " rows",
                      self->table, self->limit);
  else if (result != SQLITE_DONE)
    stm_problems_add (self->problems,
                      "table %s cannot be read after %" G_GUINT64_FORMAT " rows: %s", self->table,
                      self->n_rows, sqlite3_errmsg (sqlite3_db_handle (self->statement)));
  return FALSE;
}

void
stm_row_break (StmRow *self, const char *why)
{
  if (self->broken == NULL)
    self->broken = why;
}

static gboolean
has_type (StmRow *self, int column, int type)
{
  if (sqlite3_column_type (self->statement, column) == type)
    return TRUE;

  stm_row_break (self, "a column is missing or of the wrong type");
  return FALSE;
}

gboolean
stm_row_is_null (StmRow *self, int column)
{
  return sqlite3_column_type (self->statement, column) == SQLITE_NULL;
}

const char *
stm_row_text (StmRow *self, int column)
{
  if (!has_type (self, column, SQLITE_TEXT))
    return "";

  const char *text = (const char *) sqlite3_column_text (self->statement, column);
  int length = sqlite3_column_bytes (self->statement, column);

  /* With a length, a NUL byte within the text is not valid either. */
  if (text != NULL && g_utf8_validate (text, length, /* end= */ NULL))
    return text;

  stm_row_break (self, "a text is not UTF-8");
  return "";
}

const char *
stm_row_text_or_null (StmRow *self, int column)
{
  if (stm_row_is_null (self, column))
    return NULL;

  return stm_row_text (self, column);
}

gint64
stm_row_number (StmRow *self, int column, gint64 min, gint64 max)
{
  if (!has_type (self, column, SQLITE_INTEGER))
    return min;

  gint64 number = sqlite3_column_int64 (self->statement, column);

  if (number >= min && number <= max)
    return number;

  stm_row_break (self, "a number is out of range");
  return min;
}

GBytes *
stm_row_bytes (StmRow *self, int column)
{
  if (!has_type (self, column, SQLITE_BLOB))
    return g_bytes_new (NULL, 0);

  const void *data = sqlite3_column_blob (self->statement, column);

  return g_bytes_new (data, (gsize) sqlite3_column_bytes (self->statement, column));
}

gboolean
stm_row_is_sound (StmRow *self, const char *name)
{
  if (self->broken == NULL)
    return TRUE;

  stm_problems_add (self->problems, "a row of table %s (\"%s\") is left out: %s", self->table, name,
                    self->broken);
  return FALSE;
}
