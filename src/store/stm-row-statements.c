/* StmRowWriter itself: its statements, prepared once, and the little that all writes need of them.
 *
 * Store thread only. The SQL of all writes stands here; which of it a change takes is for
 * stm-row-writer.c and stm-row-moments.c.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "stm-row-writer-private.h"

#include "stemma-error.h"

/* ?1 is the key of the domain wherever there is one. */
static const char *const statement_sql[] = {
  [STM_WRITE_FIND_DOMAIN] = "SELECT seq FROM domain WHERE id = ?1",
  [STM_WRITE_PUT_DOMAIN] =
      "INSERT INTO domain (id, name, title, description, definition, generation)"
      " VALUES (?1, ?2, ?3, ?4, ?5, ?6) ON CONFLICT (id) DO UPDATE SET name = excluded.name,"
      " title = excluded.title, description = excluded.description,"
      " definition = excluded.definition, generation = excluded.generation",
  [STM_WRITE_SET_GENERATION] = "UPDATE domain SET generation = ?2 WHERE seq = ?1",
  [STM_WRITE_SET_SERVICE_GENERATION] = "UPDATE service SET generation = ?1 WHERE id = 1",
  /* Never back: a request may be overtaken by a later one. */
  [STM_WRITE_RESERVE_JOBS] = "UPDATE service SET last_job = max (last_job, ?1) WHERE id = 1",
  [STM_WRITE_REMOVE_DISKS] = "DELETE FROM disk WHERE domain = ?1",
  [STM_WRITE_ADD_DISK] =
      "INSERT INTO disk (domain, position, target, kind, source, format, is_read_only,"
      " is_excluded, next_index) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
  [STM_WRITE_REMOVE_ROOTS] = "DELETE FROM root WHERE domain = ?1",
  [STM_WRITE_ADD_ROOT] = "INSERT INTO root (domain, position, path) VALUES (?1, ?2, ?3)",
  [STM_WRITE_ADD_TEXT] =
      "INSERT INTO definition (hash, text) VALUES (?1, ?2) ON CONFLICT (hash) DO NOTHING",
  [STM_WRITE_FIND_TEXT] = "SELECT seq FROM definition WHERE hash = ?1",
  [STM_WRITE_FIND_MOMENT] = "SELECT seq FROM moment WHERE domain = ?1 AND id = ?2",
  [STM_WRITE_ADD_MOMENT] =
      "INSERT INTO moment (domain, id, kind, name, parent, place, description, created, state,"
      " health, definition, memory, memory_file, inactive, cookie)"
      " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15)",
  /* Leaves a moment of another domain or kind alone. */
  [STM_WRITE_REPLACE_MOMENT] =
      "UPDATE moment SET name = ?4, parent = ?5,"
      " place = CASE WHEN parent IS ?5 AND created = ?8 THEN place ELSE ?6 END,"
      " description = ?7, created = ?8, state = ?9, health = ?10, definition = ?11, memory = ?12,"
      " memory_file = ?13, inactive = ?14, cookie = ?15"
      " WHERE id = ?2 AND domain = ?1 AND kind = ?3",
  [STM_WRITE_REMOVE_MOMENT] = "DELETE FROM moment WHERE domain = ?1 AND id = ?2",
  [STM_WRITE_REMOVE_MOMENT_DISKS] = "DELETE FROM moment_disk WHERE moment = ?1",
  [STM_WRITE_ADD_MOMENT_DISK] =
      "INSERT INTO moment_disk (moment, position, target, mode, frozen, overlay,"
      " format, tag, bitmap) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
  [STM_WRITE_REMOVE_CURRENT] = "DELETE FROM current WHERE domain = ?1",
  [STM_WRITE_SET_CURRENT] = "INSERT INTO current (domain, moment) VALUES (?1, ?2)"
                            " ON CONFLICT (domain) DO UPDATE SET moment = excluded.moment",
  [STM_WRITE_PUT_IMAGE] =
      "INSERT INTO image (domain, path, target, image_index, format, backing, origin,"
      " capacity) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8) ON CONFLICT (domain, path)"
      " DO UPDATE SET target = excluded.target, image_index = excluded.image_index,"
      " format = excluded.format, backing = excluded.backing, origin = excluded.origin,"
      " capacity = excluded.capacity",
  [STM_WRITE_REMOVE_IMAGE] = "DELETE FROM image WHERE domain = ?1 AND path = ?2",
  [STM_WRITE_FORGET_MOMENT_DISKS] = "DELETE FROM moment_disk WHERE moment IN"
                                    " (SELECT seq FROM moment WHERE domain = ?1)",
  [STM_WRITE_FORGET_MOMENTS] = "DELETE FROM moment WHERE domain = ?1",
  [STM_WRITE_FORGET_IMAGES] = "DELETE FROM image WHERE domain = ?1",
  [STM_WRITE_FORGET_DOMAIN] = "DELETE FROM domain WHERE seq = ?1",
  [STM_WRITE_PUT_ENTRY] =
      "INSERT INTO journal (id, operation, domain, phase, n_done, uid, started, finding, plan)"
      " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9) ON CONFLICT (id) DO UPDATE SET"
      " phase = excluded.phase, n_done = excluded.n_done, finding = excluded.finding,"
      " plan = excluded.plan",
  [STM_WRITE_REMOVE_ENTRY] = "DELETE FROM journal WHERE id = ?1",
};

G_STATIC_ASSERT (G_N_ELEMENTS (statement_sql) == STM_N_WRITES);

StmRowWriter *
stm_row_writer_new (sqlite3 *db, GError **error)
{
  g_autoptr (StmRowWriter) self = g_new0 (StmRowWriter, 1);

  self->db = db;
  self->moments = g_hash_table_new_full (g_str_hash, g_str_equal, NULL, g_free);
  self->texts = g_hash_table_new_full (g_str_hash, g_str_equal, NULL, g_free);
  if (!stm_sqlite_get_number (db, "SELECT coalesce (max (place), 0) + 1 FROM moment",
                              "read the order of moments", &self->next_place, error))
    return NULL;
  for (gsize i = 0; i < STM_N_WRITES; i++)
    {
      self->statements[i] = stm_sqlite_prepare (db, statement_sql[i], "prepare a write", error);
      if (self->statements[i] == NULL)
        return NULL;
    }

  return g_steal_pointer (&self);
}

void
stm_row_writer_free (StmRowWriter *self)
{
  if (self == NULL)
    return;

  for (gsize i = 0; i < STM_N_WRITES; i++)
    sqlite3_finalize (self->statements[i]);
  g_hash_table_unref (self->moments);
  g_hash_table_unref (self->texts);
  g_free (self);
}

gboolean
stm_row_writer_require_hit (StmRowWriter *self, const char *noun, const char *name, GError **error)
{
  if (sqlite3_changes64 (self->db) == 1)
    return TRUE;

  g_set_error (error, STEMMA_ERROR, STEMMA_ERROR_FAILED,
               "cannot write %s %s: the store does not have it as the model has; nothing of this "
               "change was written",
               noun, name);
  return FALSE;
}

gboolean
stm_row_writer_find_key (StmRowWriter *self, StmWriteStatement find, const StmCell *cells,
                         gsize n_cells, gint64 *out_key, GError **error)
{
  sqlite3_stmt *statement = self->statements[find];
  int result = SQLITE_MISUSE;

  if (stm_sqlite_bind (statement, cells, n_cells, "look up a key", error))
    {
      result = sqlite3_step (statement);
      *out_key = result == SQLITE_ROW ? sqlite3_column_int64 (statement, 0) : -1;
      if (result != SQLITE_ROW && result != SQLITE_DONE)
        stm_sqlite_set_error (self->db, result, "look up a key", error);
    }
  sqlite3_reset (statement);
  sqlite3_clear_bindings (statement);

  return result == SQLITE_ROW || result == SQLITE_DONE;
}
