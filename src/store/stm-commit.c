/* Group commit: one transaction and so one fsync for all writes that wait, a savepoint for each
 * that is not alone.
 *
 * Store thread only. Knows transactions; what a write does to rows is for stm-row-writer.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "stm-commit.h"

#include "stemma-error.h"
#include "stm-row-writer.h"

#define LOG_PAGES_MAX 1000 /* pages of the log at which it is moved into the database */
/* Moments that a change removes, beyond which it gets a transaction of its own. Within a savepoint
 * SQLite walks, at the end of each statement, all that was changed since the savepoint began: a
 * hundred thousand removals took minutes. */
#define REMOVALS_MAX 1000

typedef enum
{
  BEGIN,
  COMMIT,
  ROLLBACK,
  SAVEPOINT,
  RELEASE,
  TAKE_BACK,
} Statement;

static const char *const statement_sql[] = {
  [BEGIN] = "BEGIN IMMEDIATE",     [COMMIT] = "COMMIT",
  [ROLLBACK] = "ROLLBACK",         [SAVEPOINT] = "SAVEPOINT one_write",
  [RELEASE] = "RELEASE one_write", [TAKE_BACK] = "ROLLBACK TO one_write",
};

#define N_STATEMENTS G_N_ELEMENTS (statement_sql)

struct _StmCommitter
{
  StmDatabase *database;
  StmRowWriter *writer; /* NULL when read-only */
  sqlite3_stmt *statements[N_STATEMENTS];
  int log_pages;
  gboolean log_is_doubtful; /* a commit failed; what it left in the log is not cleared yet */
};

static gboolean
run (StmCommitter *self, Statement statement, GError **error)
{
  return stm_sqlite_run (self->statements[statement], /* cells= */ NULL, 0, "write", error);
}

static int
note_log_pages (void *data, sqlite3 *db, const char *schema, int n_pages)
{
  StmCommitter *self = data;

  self->log_pages = n_pages;
  return SQLITE_OK;
}

StmCommitter *
stm_committer_new (StmDatabase *database, GError **error)
{
  g_autoptr (StmCommitter) self = g_new0 (StmCommitter, 1);

  self->database = database;
  if (database->read_only != NULL)
    return g_steal_pointer (&self);

  self->writer = stm_row_writer_new (database->db, error);
  if (self->writer == NULL)
    return NULL;
  for (gsize i = 0; i < N_STATEMENTS; i++)
    {
      self->statements[i] = stm_sqlite_prepare (database->db, statement_sql[i], "prepare to write",
                                                error);
      if (self->statements[i] == NULL)
        return NULL;
    }
  sqlite3_wal_hook (database->db, note_log_pages, self);

  return g_steal_pointer (&self);
}

void
stm_committer_free (StmCommitter *self)
{
  if (self == NULL)
    return;

  if (self->writer != NULL)
    sqlite3_wal_hook (self->database->db, NULL, NULL);
  g_clear_pointer (&self->writer, stm_row_writer_free);
  for (gsize i = 0; i < N_STATEMENTS; i++)
    sqlite3_finalize (self->statements[i]);
  g_free (self);
}

static void
roll_back (StmCommitter *self)
{
  /* SQLite does it by itself after some errors, a full disk for one. */
  if (!sqlite3_get_autocommit (self->database->db))
    run (self, ROLLBACK, /* error= */ NULL);
}

/* Also those checks of references that SQLite defers to the commit: there they would fail all. */
static gboolean
check_references (StmCommitter *self, GError **error)
{
  int n_open = 0, highest;

  sqlite3_db_status (self->database->db, SQLITE_DBSTATUS_DEFERRED_FKS, &n_open, &highest,
                     /* reset= */ 0);
  if (n_open == 0)
    return TRUE;

  g_set_error (error, STEMMA_ERROR, STEMMA_ERROR_FAILED,
               "cannot write a change to %s: it refers to a moment that the store does not have; "
               "nothing of it was written",
               self->database->path);
  return FALSE;
}

static gboolean
apply_write (StmCommitter *self, StmWrite *write)
{
  if (write->change != NULL
      && !stm_row_writer_write_change (self->writer, write->change, &write->error))
    return FALSE;
  if (write->action == STM_JOURNAL_PUT
      && !stm_row_writer_put_entry (self->writer, write->entry, &write->error))
    return FALSE;
  if (write->action == STM_JOURNAL_REMOVE
      && !stm_row_writer_remove_entry (self->writer, write->entry, &write->error))
    return FALSE;
  if (write->last_job != 0
      && !stm_row_writer_reserve_jobs (self->writer, write->last_job, &write->error))
    return FALSE;

  return check_references (self, &write->error);
}

/* Of several. Leaves no transaction behind when what the write has done cannot be taken back by
 * itself. */
static void
do_write (StmCommitter *self, StmWrite *write)
{
  if (!run (self, SAVEPOINT, &write->error))
    {
      roll_back (self);
      return;
    }
  if (apply_write (self, write) && run (self, RELEASE, &write->error))
    return;

  if (sqlite3_get_autocommit (self->database->db))
    return;
  if (!run (self, TAKE_BACK, /* error= */ NULL) || !run (self, RELEASE, /* error= */ NULL))
    roll_back (self);
}

/* The only one of its transaction. */
static void
do_lone_write (StmCommitter *self, StmWrite *write)
{
  if (!apply_write (self, write))
    roll_back (self);
}

static void
fail_writes (StmWrite *const *writes, guint n_writes, const GError *error)
{
  for (guint i = 0; i < n_writes; i++)
    if (writes[i]->error == NULL)
      writes[i]->error = g_error_copy (error);
}

/* After a failed commit the frames of the transaction, and even its end mark, may be in the log
 * file, where only the sync failed: a crash before the next commit would bring it back to life. So
 * the log is emptied before anything else is written. */
static gboolean
clear_doubtful_log (StmCommitter *self, GError **error)
{
  sqlite3 *db = self->database->db;
  int result;

  if (!self->log_is_doubtful)
    return TRUE;

  result = sqlite3_wal_checkpoint_v2 (db, NULL, SQLITE_CHECKPOINT_TRUNCATE, NULL, NULL);
  if (result != SQLITE_OK)
    {
      stm_sqlite_set_error (db, result, "write after an earlier failure", error);
      return FALSE;
    }

  self->log_is_doubtful = FALSE;
  self->log_pages = 0;
  return TRUE;
}

/* The writes of one transaction; FALSE with the error for those that have none of their own. */
static gboolean
write_group (StmCommitter *self, StmWrite *const *writes, guint n_writes, GError **error)
{
  if (!clear_doubtful_log (self, error) || !run (self, BEGIN, error))
    return FALSE;

  for (guint i = 0; i < n_writes; i++)
    {
      if (n_writes == 1)
        do_lone_write (self, writes[i]);
      else
        do_write (self, writes[i]);
      if (sqlite3_get_autocommit (self->database->db))
        {
          g_propagate_error (error, g_error_copy (writes[i]->error));
          return FALSE;
        }
    }
  if (run (self, COMMIT, error))
    return TRUE;

  roll_back (self);
  self->log_is_doubtful = TRUE;
  clear_doubtful_log (self, /* error= */ NULL);
  return FALSE;
}

static gboolean
wants_own_transaction (const StmWrite *write)
{
  return write->change != NULL && write->change->removed_moments->len > REMOVALS_MAX;
}

/* How many of the first writes go into one transaction. */
static guint
measure_group (StmWrite *const *writes, guint n_writes)
{
  guint n = 1;

  if (wants_own_transaction (writes[0]))
    return n;
  while (n < n_writes && !wants_own_transaction (writes[n]))
    n++;

  return n;
}

void
stm_committer_commit (StmCommitter *self, StmWrite *const *writes, guint n_writes)
{
  while (n_writes > 0)
    {
      guint n_group = measure_group (writes, n_writes);
      g_autoptr (GError) error = NULL;

      if (self->database->read_only != NULL)
        error = g_error_new (STEMMA_ERROR, STEMMA_ERROR_READ_ONLY, "cannot write to the store: %s",
                             self->database->read_only);
      if (error != NULL || !write_group (self, writes, n_group, &error))
        fail_writes (writes, n_group, error);
      writes += n_group;
      n_writes -= n_group;
    }
}

void
stm_committer_tidy (StmCommitter *self)
{
  if (self->log_pages < LOG_PAGES_MAX)
    return;

  /* When it fails nothing is lost: the log holds all, and the next write comes by here again. */
  if (sqlite3_wal_checkpoint_v2 (self->database->db, NULL, SQLITE_CHECKPOINT_PASSIVE, NULL, NULL)
      == SQLITE_OK)
    self->log_pages = 0;
}
