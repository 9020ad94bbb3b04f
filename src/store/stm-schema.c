/* The tables, as SQL, and the stepwise upgrade.
 *
 * Used when the database is opened, by the thread that opens it. Knows tables, not values: those
 * are for stm-row-writer and stm-row-reader.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "stm-schema.h"

#include "stemma-error.h"
#include "stm-schema-plans.h"

#include <string.h>

/* Keys are small integers within the database, so that what one domain writes lies together and
 * the ids stand once. Two orders are kept apart: `seq` is identity, `place` is the order among
 * siblings of one time of creation, where a moment that gets another parent comes last, as it does
 * in the tree.
 *
 * The parent is a text and its check is deferred, so that the moments of one change may come in any
 * order. There is no index on the names of moments: they are unique when a change is whole, but not
 * always on the way there. No index on moment.definition either: unused definitions are looked for
 * once per start, over all.
 *
 * operation and domain of the journal stand in the plan too; here they can be said of an entry
 * whose plan cannot be read. */
static const char *const version_1 =
    "CREATE TABLE service ("
    "  id INTEGER PRIMARY KEY CHECK (id = 1),"
    "  generation INTEGER NOT NULL"
    ") STRICT;"
    "INSERT INTO service (id, generation) VALUES (1, 0);"
    "CREATE TABLE definition ("
    "  hash TEXT NOT NULL UNIQUE,"
    "  text TEXT NOT NULL"
    ") STRICT;"
    "CREATE TABLE domain ("
    "  seq INTEGER PRIMARY KEY,"
    "  id TEXT NOT NULL UNIQUE,"
    "  name TEXT NOT NULL UNIQUE,"
    "  title TEXT NOT NULL,"
    "  description TEXT NOT NULL,"
    "  definition TEXT REFERENCES definition (hash),"
    "  generation INTEGER NOT NULL"
    ") STRICT;"
    "CREATE TABLE disk ("
    "  domain INTEGER NOT NULL REFERENCES domain (seq),"
    "  position INTEGER NOT NULL,"
    "  target TEXT NOT NULL,"
    "  kind TEXT NOT NULL,"
    "  source TEXT,"
    "  format TEXT NOT NULL,"
    "  is_read_only INTEGER NOT NULL,"
    "  is_excluded INTEGER NOT NULL,"
    "  next_index INTEGER NOT NULL,"
    "  PRIMARY KEY (domain, position)"
    ") STRICT, WITHOUT ROWID;"
    "CREATE TABLE root ("
    "  domain INTEGER NOT NULL REFERENCES domain (seq),"
    "  position INTEGER NOT NULL,"
    "  path TEXT NOT NULL,"
    "  PRIMARY KEY (domain, position)"
    ") STRICT, WITHOUT ROWID;"
    "CREATE TABLE image ("
    "  domain INTEGER NOT NULL REFERENCES domain (seq),"
    "  path TEXT NOT NULL,"
    "  target TEXT NOT NULL,"
    "  image_index INTEGER NOT NULL,"
    "  format TEXT NOT NULL,"
    "  backing TEXT,"
    "  origin TEXT NOT NULL,"
    "  capacity INTEGER NOT NULL,"
    "  PRIMARY KEY (domain, path)"
    ") STRICT, WITHOUT ROWID;"
    "CREATE TABLE moment ("
    "  seq INTEGER PRIMARY KEY,"
    "  id TEXT NOT NULL UNIQUE,"
    "  domain INTEGER NOT NULL REFERENCES domain (seq),"
    "  kind TEXT NOT NULL,"
    "  name TEXT NOT NULL,"
    "  parent TEXT REFERENCES moment (id) DEFERRABLE INITIALLY DEFERRED,"
    "  place INTEGER NOT NULL,"
    "  description TEXT NOT NULL,"
    "  created INTEGER NOT NULL,"
    "  state TEXT NOT NULL,"
    "  health TEXT NOT NULL,"
    "  definition TEXT REFERENCES definition (hash)"
    ") STRICT;"
    "CREATE INDEX moment_by_domain ON moment (domain);"
    "CREATE INDEX moment_by_parent ON moment (parent);"
    "CREATE TABLE moment_disk ("
    "  moment INTEGER NOT NULL REFERENCES moment (seq),"
    "  position INTEGER NOT NULL,"
    "  target TEXT NOT NULL,"
    "  mode TEXT NOT NULL,"
    "  frozen TEXT,"
    "  overlay TEXT,"
    "  format TEXT,"
    "  tag TEXT,"
    "  bitmap TEXT,"
    "  PRIMARY KEY (moment, position)"
    ") STRICT, WITHOUT ROWID;"
    "CREATE TABLE current ("
    "  domain INTEGER PRIMARY KEY REFERENCES domain (seq),"
    "  moment TEXT NOT NULL UNIQUE REFERENCES moment (id) DEFERRABLE INITIALLY DEFERRED"
    ") STRICT;"
    "CREATE TABLE journal ("
    "  seq INTEGER PRIMARY KEY,"
    "  id TEXT NOT NULL UNIQUE,"
    "  operation TEXT NOT NULL,"
    "  domain TEXT NOT NULL,"
    "  phase TEXT NOT NULL,"
    "  n_done INTEGER NOT NULL,"
    "  uid INTEGER NOT NULL,"
    "  started INTEGER NOT NULL,"
    "  finding TEXT,"
    "  plan BLOB NOT NULL"
    ") STRICT;";

/* Definitions became texts of any use, which moments name by a small number, as they do their
 * parent: so a moment has no long key of another row, and the index by parent grows at its end.
 * What redefinition brings got its columns; disks of checkpoints got their own mode.
 *
 * Tables are made anew beside the old ones, filled and renamed, which leaves alone what refers to
 * them by name. */
static const char *const version_2 =
    "CREATE TABLE new_definition ("
    "  seq INTEGER PRIMARY KEY,"
    "  hash TEXT NOT NULL UNIQUE,"
    "  text TEXT NOT NULL"
    ") STRICT;"
    "INSERT INTO new_definition (hash, text) SELECT hash, text FROM definition ORDER BY rowid;"
    "DROP TABLE definition;"
    "ALTER TABLE new_definition RENAME TO definition;"
    "CREATE TABLE new_moment ("
    "  seq INTEGER PRIMARY KEY,"
    "  id TEXT NOT NULL UNIQUE,"
    "  domain INTEGER NOT NULL REFERENCES domain (seq),"
    "  kind TEXT NOT NULL,"
    "  name TEXT NOT NULL,"
    "  parent INTEGER REFERENCES moment (seq) DEFERRABLE INITIALLY DEFERRED,"
    "  place INTEGER NOT NULL,"
    "  description TEXT NOT NULL,"
    "  created INTEGER NOT NULL,"
    "  state TEXT NOT NULL,"
    "  health TEXT NOT NULL,"
    "  definition INTEGER REFERENCES definition (seq),"
    "  memory TEXT NOT NULL,"
    "  memory_file TEXT,"
    "  inactive INTEGER REFERENCES definition (seq),"
    "  cookie INTEGER REFERENCES definition (seq)"
    ") STRICT;"
    "INSERT INTO new_moment (seq, id, domain, kind, name, parent, place, description, created,"
    " state, health, definition, memory)"
    " SELECT m.seq, m.id, m.domain, m.kind, m.name,"
    /* What is not there stays missing, and is said as that. */
    " CASE WHEN m.parent IS NULL THEN NULL ELSE coalesce (p.seq, -1) END,"
    " m.place, m.description, m.created, m.state, m.health,"
    " CASE WHEN m.definition IS NULL THEN NULL ELSE coalesce (d.seq, -1) END, 'none'"
    " FROM moment AS m LEFT JOIN moment AS p ON p.id = m.parent"
    " LEFT JOIN definition AS d ON d.hash = m.definition;"
    "DROP TABLE moment;"
    "ALTER TABLE new_moment RENAME TO moment;"
    "CREATE INDEX moment_by_domain ON moment (domain);"
    "CREATE INDEX moment_by_parent ON moment (parent);"
    "UPDATE moment_disk SET mode = 'bitmap' WHERE bitmap IS NOT NULL"
    " AND moment IN (SELECT seq FROM moment WHERE kind = 'checkpoint');";

/* Jobs got numbers that never come again: this one and those below may have been given out. */
static const char *const version_3 =
    "ALTER TABLE service ADD COLUMN last_job INTEGER NOT NULL DEFAULT 0;";

typedef struct
{
  const char *sql;
  gboolean (*convert) (sqlite3 *db, GError **error); /* what SQL cannot; or NULL */
} Step;

/* Step i brings version i to version i + 1. A step is never changed once it was released. */
static const Step steps[] = {
  { version_1, NULL },
  { version_2, stm_schema_convert_plans_1 },
  { version_3, NULL },
};

static const char *const list_schema =
    "SELECT type || ' ' || name, sql FROM sqlite_schema ORDER BY type, name";

guint
stm_schema_version (void)
{
  return G_N_ELEMENTS (steps);
}

static gboolean
run_step (sqlite3 *db, gint64 from, GError **error)
{
  const char *what = "bring the tables to the present version";
  g_autofree char *begin = g_strdup_printf ("BEGIN IMMEDIATE; %s", steps[from].sql);
  g_autofree char *end = g_strdup_printf (
      "PRAGMA application_id = %d; PRAGMA user_version = %" G_GINT64_FORMAT "; COMMIT",
      STM_SCHEMA_APPLICATION_ID, from + 1);

  if (stm_sqlite_exec (db, begin, what, error)
      && (steps[from].convert == NULL || steps[from].convert (db, error))
      && stm_sqlite_exec (db, end, what, error))
    return TRUE;

  if (!sqlite3_get_autocommit (db))
    sqlite3_exec (db, "ROLLBACK", NULL, NULL, NULL);
  return FALSE;
}

static gboolean
run_steps (sqlite3 *db, gint64 version, GError **error)
{
  for (gint64 i = MAX (version, 0); i < (gint64) G_N_ELEMENTS (steps); i++)
    if (!run_step (db, i, error))
      return FALSE;

  return TRUE;
}

/* Dropping a table must not count as the removal of its rows, so references are not watched
 * meanwhile; that they are whole is looked at when the rows are read. */
gboolean
stm_schema_upgrade (sqlite3 *db, GError **error)
{
  gint64 version;
  gboolean is_done;

  if (!stm_sqlite_get_number (db, "PRAGMA user_version", "read the version", &version, error))
    return FALSE;
  if (version >= (gint64) G_N_ELEMENTS (steps))
    return TRUE;

  sqlite3_db_config (db, SQLITE_DBCONFIG_ENABLE_FKEY, 0, NULL);
  is_done = run_steps (db, version, error);
  sqlite3_db_config (db, SQLITE_DBCONFIG_ENABLE_FKEY, 1, NULL);
  return is_done;
}

/* The present row's first column, NULL after the last row. */
static const char *
step_to_name (sqlite3_stmt *list)
{
  return sqlite3_step (list) == SQLITE_ROW ? (const char *) sqlite3_column_text (list, 0) : NULL;
}

/* The name of the first entry that differs between two sorted lists of the schema, NULL when none
 * does. */
static char *
find_difference (sqlite3_stmt *ours, sqlite3_stmt *theirs)
{
  while (TRUE)
    {
      const char *our_name = step_to_name (ours);
      const char *their_name = step_to_name (theirs);

      if (our_name == NULL || their_name == NULL)
        return g_strdup (our_name != NULL ? our_name : their_name);
      /* The one that comes first is the one that the other list does not have. */
      if (!g_str_equal (our_name, their_name))
        return g_strdup (strcmp (our_name, their_name) < 0 ? our_name : their_name);
      if (g_strcmp0 ((const char *) sqlite3_column_text (ours, 1),
                     (const char *) sqlite3_column_text (theirs, 1))
          != 0)
        return g_strdup (their_name);
    }
}

gboolean
stm_schema_check (sqlite3 *db, GError **error)
{
  const char *what = "compare the tables";
  g_autoptr (sqlite3) model = NULL;
  int result = sqlite3_open_v2 (":memory:", &model, SQLITE_OPEN_READWRITE | SQLITE_OPEN_MEMORY,
                                /* vfs= */ NULL);

  if (result != SQLITE_OK)
    {
      stm_sqlite_set_error (model, result, what, error);
      return FALSE;
    }
  if (!stm_schema_upgrade (model, error))
    return FALSE;

  g_autoptr (sqlite3_stmt) ours = stm_sqlite_prepare (model, list_schema, what, error);
  g_autoptr (sqlite3_stmt) theirs = NULL;

  if (ours == NULL)
    return FALSE;
  theirs = stm_sqlite_prepare (db, list_schema, what, error);
  if (theirs == NULL)
    return FALSE;

  g_autofree char *difference = find_difference (ours, theirs);

  if (difference == NULL)
    return TRUE;

  g_set_error (error, STEMMA_ERROR, STEMMA_ERROR_FAILED, "%s is not as this version makes it",
               difference);
  return FALSE;
}
