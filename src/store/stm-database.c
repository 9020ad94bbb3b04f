/* Opens the database file, and decides whether it may be written.
 *
 * By the thread that opens the store; afterwards the store thread has the connection. A file that
 * is damaged, strange, from a newer version or of another program is never changed: a service that
 * starts read-only and says why is of more use than one that does not start, and a file that was
 * left alone can still be repaired.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "stm-database.h"

#include "stemma-error.h"
#include "stm-schema.h"
#include "stm-state-directory.h"

#define NEW_NAME STM_DATABASE_NAME ".new"

/* One definition or plan; a plan over some hundred thousand moments is tens of megabytes. */
#define MAX_VALUE_BYTES (256 * 1024 * 1024)
#define MAX_SQL_BYTES (64 * 1024)
#define LOG_SIZE_LIMIT 16777216

typedef struct
{
  int id;
  int value;
} Limit;

static const Limit limits[] = {
  { SQLITE_LIMIT_LENGTH, MAX_VALUE_BYTES },
  { SQLITE_LIMIT_SQL_LENGTH, MAX_SQL_BYTES },
  { SQLITE_LIMIT_COLUMN, 100 },
  { SQLITE_LIMIT_EXPR_DEPTH, 50 },
  { SQLITE_LIMIT_COMPOUND_SELECT, 5 },
  { SQLITE_LIMIT_VDBE_OP, 100000 },
  { SQLITE_LIMIT_ATTACHED, 0 },
  { SQLITE_LIMIT_LIKE_PATTERN_LENGTH, 50 },
  { SQLITE_LIMIT_VARIABLE_NUMBER, 20 },
  { SQLITE_LIMIT_TRIGGER_DEPTH, 10 },
  { SQLITE_LIMIT_WORKER_THREADS, 0 },
};

/* The schema in the file is input as well: nothing that it could define is run. */
static const Limit switches[] = {
  { SQLITE_DBCONFIG_DEFENSIVE, 1 },
  { SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0 },
  { SQLITE_DBCONFIG_ENABLE_TRIGGER, 0 },
  { SQLITE_DBCONFIG_ENABLE_VIEW, 0 },
  { SQLITE_DBCONFIG_ENABLE_FKEY, 1 },
  { SQLITE_DBCONFIG_ENABLE_LOAD_EXTENSION, 0 },
  { SQLITE_DBCONFIG_DQS_DML, 0 },
  { SQLITE_DBCONFIG_DQS_DDL, 0 },
  /* Until it is known that the file may be written. */
  { SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1 },
};

/* Checkpoints are made by stm-commit between writes, not within one. */
static const char *const pragmas = "PRAGMA locking_mode = EXCLUSIVE;"
                                   "PRAGMA synchronous = FULL;"
                                   "PRAGMA cell_size_check = ON;"
                                   "PRAGMA mmap_size = 0;"
                                   "PRAGMA temp_store = MEMORY;"
                                   "PRAGMA wal_autocheckpoint = 0;"
                                   "PRAGMA journal_size_limit = " G_STRINGIFY (LOG_SIZE_LIMIT);

#define WAY_OUT_RESTORE                                                                            \
  "; stop the service, keep a copy of the directory, put a backup in the place of the file, "      \
  "remove " STM_DATABASE_NAME "-wal, and start it again"

static StmDatabase *
database_new (const char *path)
{
  StmDatabase *self = g_new0 (StmDatabase, 1);

  self->path = g_strdup (path);
  return self;
}

void
stm_database_free (StmDatabase *self)
{
  if (self == NULL)
    return;

  g_clear_pointer (&self->db, sqlite3_close_v2);
  g_free (self->path);
  g_free (self->read_only);
  g_free (self);
}

static void
set_log_is_kept (sqlite3 *db, gboolean is_kept)
{
  sqlite3_db_config (db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, is_kept ? 1 : 0, NULL);
}

void
stm_database_set_read_only (StmDatabase *self, const char *reason)
{
  if (self->read_only == NULL)
    self->read_only = g_strdup_printf ("read-only: %s", reason);
  if (self->db == NULL)
    return;

  sqlite3_exec (self->db, "PRAGMA query_only = ON", NULL, NULL, NULL);
  set_log_is_kept (self->db, TRUE);
}

/* The file is of no use: what is wrong is kept, the connection is not. */
static void
give_up (StmDatabase *self, const char *reason)
{
  stm_database_set_read_only (self, reason);
  g_clear_pointer (&self->db, sqlite3_close_v2);
}

G_GNUC_PRINTF (2, 3)
static void
set_read_only (StmDatabase *self, const char *format, ...)
{
  g_autofree char *reason = NULL;
  va_list arguments;

  va_start (arguments, format);
  reason = g_strdup_vprintf (format, arguments);
  va_end (arguments);
  stm_database_set_read_only (self, reason);
}

static gboolean
connect_to (StmDatabase *self, const char *path, GError **error)
{
  int result = sqlite3_open_v2 (path, &self->db,
                                SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_NOFOLLOW
                                    | SQLITE_OPEN_EXRESCODE,
                                /* vfs= */ NULL);

  if (result != SQLITE_OK)
    {
      stm_sqlite_set_error (self->db, result, "open the store", error);
      return FALSE;
    }
  for (gsize i = 0; i < G_N_ELEMENTS (limits); i++)
    sqlite3_limit (self->db, limits[i].id, limits[i].value);
  for (gsize i = 0; i < G_N_ELEMENTS (switches); i++)
    sqlite3_db_config (self->db, switches[i].id, switches[i].value, NULL);

  return TRUE;
}

/* With a log in use, "wal"; whatever else the database says is an obstacle. */
static gboolean
use_log (sqlite3 *db, GError **error)
{
  const char *what = "turn on the write-ahead log";
  g_autoptr (sqlite3_stmt)
      statement = stm_sqlite_prepare (db, "PRAGMA journal_mode = WAL", what, error);
  int result;

  if (statement == NULL)
    return FALSE;

  result = sqlite3_step (statement);
  if (result == SQLITE_ROW
      && g_strcmp0 ((const char *) sqlite3_column_text (statement, 0), "wal") == 0)
    return TRUE;

  if (result == SQLITE_ROW)
    g_set_error (error, STEMMA_ERROR, STEMMA_ERROR_FAILED,
                 "cannot %s in %s: its file system does not support it", what,
                 sqlite3_db_filename (db, "main"));
  else
    stm_sqlite_set_error (db, result, what, error);
  return FALSE;
}

/* Made under another name and renamed when it is whole: so an empty or half made file under the
 * final name is damage, never taken for a fresh start. */
static gboolean
make_database (const StmStateDirectory *directory, GError **error)
{
  g_autofree char *path = g_build_filename (stm_state_directory_get_path (directory), NEW_NAME,
                                            NULL);
  g_autoptr (StmDatabase) made = database_new (path);

  if (!stm_state_directory_make_file (directory, NEW_NAME, error) || !connect_to (made, path, error)
      || !stm_sqlite_exec (made->db, pragmas, "set up the store", error)
      || !stm_schema_upgrade (made->db, error) || !use_log (made->db, error))
    return FALSE;

  set_log_is_kept (made->db, FALSE);
  g_clear_pointer (&made, stm_database_free);
  return stm_state_directory_rename (directory, NEW_NAME, STM_DATABASE_NAME, error);
}

/* In exclusive mode the first transaction takes the lock of the file, and keeps it. FALSE when
 * there is nothing to be read; *error only when another has the lock. */
static gboolean
take_lock (StmDatabase *self, GError **error)
{
  g_autoptr (GError) local_error = NULL;
  int result = sqlite3_exec (self->db, pragmas, NULL, NULL, NULL);

  if (result == SQLITE_OK)
    result = sqlite3_exec (self->db, "BEGIN IMMEDIATE; ROLLBACK", NULL, NULL, NULL);
  if (result == SQLITE_OK)
    return TRUE;

  stm_sqlite_set_error (self->db, result, "lock the store", &local_error);
  switch (result & 0xff)
    {
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
      g_propagate_error (error, g_steal_pointer (&local_error));
      return FALSE;
    case SQLITE_CORRUPT:
    case SQLITE_READONLY: /* by a header that SQLite does not know in full */
      set_read_only (self, "%s is damaged (%s)" WAY_OUT_RESTORE, self->path,
                     sqlite3_errmsg (self->db));
      return TRUE;
    case SQLITE_NOTADB:
      set_read_only (self, "%s is not a database" WAY_OUT_RESTORE, self->path);
      give_up (self, self->read_only);
      return FALSE;
    default:
      give_up (self, local_error->message);
      return FALSE;
    }
}

static gboolean
check_owner (StmDatabase *self)
{
  gint64 application;

  if (!stm_sqlite_get_number (self->db, "PRAGMA application_id", "read the header", &application,
                              NULL)
      || application == STM_SCHEMA_APPLICATION_ID)
    return TRUE;

  set_read_only (self, "%s is the database of another program" WAY_OUT_RESTORE, self->path);
  give_up (self, self->read_only);
  return FALSE;
}

static void
check_pages (StmDatabase *self)
{
  sqlite3_stmt *unchecked = NULL;
  int result = sqlite3_prepare_v2 (self->db, "PRAGMA quick_check (1)", -1, &unchecked, NULL);
  g_autoptr (sqlite3_stmt) statement = unchecked;
  const char *found = NULL;

  if (result == SQLITE_OK)
    result = sqlite3_step (statement);
  if (result == SQLITE_ROW)
    found = (const char *) sqlite3_column_text (statement, 0);
  if (g_strcmp0 (found, "ok") == 0)
    return;

  g_autofree char *valid = g_utf8_make_valid (found != NULL ? found : sqlite3_errmsg (self->db),
                                              -1);

  g_strdelimit (valid, "\n", ' ');
  set_read_only (self, "%s is damaged (%s)" WAY_OUT_RESTORE, self->path, g_strstrip (valid));
}

static void
check_version (StmDatabase *self)
{
  g_autoptr (GError) error = NULL;
  gint64 version;

  if (!stm_sqlite_get_number (self->db, "PRAGMA user_version", "read the header", &version, &error))
    set_read_only (self, "%s" WAY_OUT_RESTORE, error->message);
  else if (version > stm_schema_version ())
    set_read_only (self,
                   "%s is of format %" G_GINT64_FORMAT
                   ", made by a newer version of the service, and this one knows format %u; start "
                   "the newer version, or restore a backup that this one made",
                   self->path, version, stm_schema_version ());
  else if (!stm_schema_upgrade (self->db, &error))
    set_read_only (self, "%s", error->message);
  else if (!stm_schema_check (self->db, &error))
    set_read_only (self, "%s has other tables than it should (%s)" WAY_OUT_RESTORE, self->path,
                   error->message);
}

/* Texts that nothing refers to any more. Only when no operation is to be settled: the change that
 * takes one back may need a text again. That it fails harms nothing; it is tried again at the next
 * start. The check of references is off for this statement, as it would look through all moments
 * once for each text. */
static void
drop_unused_texts (sqlite3 *db)
{
  sqlite3_exec (db,
                "PRAGMA foreign_keys = OFF;"
                "DELETE FROM definition WHERE NOT EXISTS (SELECT 1 FROM journal)"
                " AND hash NOT IN (SELECT definition FROM domain WHERE definition IS NOT NULL)"
                " AND seq NOT IN (SELECT definition FROM moment WHERE definition IS NOT NULL)"
                " AND seq NOT IN (SELECT inactive FROM moment WHERE inactive IS NOT NULL)"
                " AND seq NOT IN (SELECT cookie FROM moment WHERE cookie IS NOT NULL)",
                NULL, NULL, NULL);
  sqlite3_exec (db, "PRAGMA foreign_keys = ON", NULL, NULL, NULL);
}

/* Looks at the content; each check only when those before it found nothing. */
static void
check_content (StmDatabase *self)
{
  g_autoptr (GError) error = NULL;

  if (!check_owner (self))
    return;
  if (self->read_only == NULL)
    check_pages (self);
  if (self->read_only == NULL)
    check_version (self);
  if (self->read_only == NULL && !use_log (self->db, &error))
    set_read_only (self, "%s", error->message);
  if (self->read_only != NULL)
    return;

  set_log_is_kept (self->db, FALSE);
  drop_unused_texts (self->db);
}

static gboolean
open_in_place (StmDatabase *self, GError **error)
{
  g_autoptr (GError) connect_error = NULL;
  g_autoptr (GError) lock_error = NULL;

  if (!connect_to (self, self->path, &connect_error))
    {
      give_up (self, connect_error->message);
      return TRUE;
    }
  if (take_lock (self, &lock_error))
    check_content (self);
  if (lock_error == NULL)
    return TRUE;

  g_propagate_error (error, g_steal_pointer (&lock_error));
  return FALSE;
}

/* SQLite cannot read a database with a log that it may not write beside; a copy has no such
 * trouble, and leaves the original alone. */
static void
open_copy (StmDatabase *self, const StmStateDirectory *directory, const char *obstacle)
{
  g_autoptr (GError) error = NULL;
  g_autofree char *copy = stm_state_directory_copy_out (directory, STM_DATABASE_NAME, &error);
  g_autofree char *path = NULL;

  if (copy != NULL)
    {
      path = g_build_filename (copy, STM_DATABASE_NAME, NULL);
      if (connect_to (self, path, &error) && take_lock (self, &error))
        check_content (self);
      stm_state_directory_remove_copy (copy, STM_DATABASE_NAME);
    }
  if (error != NULL)
    {
      set_read_only (self, "%s, and it cannot be read either: %s", obstacle, error->message);
      give_up (self, self->read_only);
    }
  set_read_only (self, "%s; make it writable and start the service again", obstacle);
}

/* There is a state directory and no database that could be opened. */
static void
explain (StmDatabase *self, StmFileState state)
{
  if (state == STM_FILE_REMAINS)
    set_read_only (self,
                   "beside %s lies a log or journal that does not belong to it" WAY_OUT_RESTORE,
                   self->path);
  else if (state == STM_FILE_EMPTY)
    set_read_only (self, "%s has no content" WAY_OUT_RESTORE, self->path);
  else
    set_read_only (self, "%s is not a regular file" WAY_OUT_RESTORE, self->path);
}

StmDatabase *
stm_database_open (const char *directory, GError **error)
{
  g_autoptr (StmStateDirectory) place = stm_state_directory_open (directory, error);

  if (place == NULL)
    return NULL;

  g_autofree char *path = g_build_filename (stm_state_directory_get_path (place), STM_DATABASE_NAME,
                                            NULL);
  g_autoptr (StmDatabase) self = database_new (path);
  StmFileState state = stm_state_directory_look (place, STM_DATABASE_NAME);
  g_autofree char *obstacle = stm_state_directory_find_obstacle (place, STM_DATABASE_NAME);

  if (state == STM_FILE_ABSENT && obstacle == NULL)
    {
      if (!make_database (place, error))
        return NULL;
      state = STM_FILE_PRESENT;
    }
  if (state == STM_FILE_ABSENT)
    set_read_only (self, "there is no %s yet and %s; make it writable and start the service again",
                   self->path, obstacle);
  else if (state != STM_FILE_PRESENT)
    explain (self, state);
  else if (obstacle != NULL)
    open_copy (self, place, obstacle);
  else if (!open_in_place (self, error))
    return NULL;

  return g_steal_pointer (&self);
}
