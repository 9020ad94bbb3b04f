/* Writes values as rows, with statements that are prepared once.
 *
 * Store thread only. The cost of a write goes by the size of the change and, through the indexes,
 * by the logarithm of the size of the tables. Decides nothing: whether a change fits was checked by
 * the model, and a change that does not fit the rows fails as a whole.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "stm-row-writer.h"

#include "stemma-error.h"
#include "stm-row-codec.h"

typedef enum
{
  FIND_DOMAIN,
  PUT_DOMAIN,
  SET_GENERATION,
  SET_SERVICE_GENERATION,
  REMOVE_DISKS,
  ADD_DISK,
  REMOVE_ROOTS,
  ADD_ROOT,
  ADD_TEXT,
  FIND_TEXT,
  FIND_MOMENT,
  ADD_MOMENT,
  REPLACE_MOMENT,
  REMOVE_MOMENT,
  REMOVE_MOMENT_DISKS,
  ADD_MOMENT_DISK,
  REMOVE_CURRENT,
  SET_CURRENT,
  PUT_IMAGE,
  REMOVE_IMAGE,
  FORGET_MOMENT_DISKS,
  FORGET_MOMENTS,
  FORGET_IMAGES,
  FORGET_DOMAIN,
  PUT_ENTRY,
  REMOVE_ENTRY,
} Statement;

/* ?1 is the key of the domain wherever there is one. */
static const char *const statement_sql[] = {
  [FIND_DOMAIN] = "SELECT seq FROM domain WHERE id = ?1",
  [PUT_DOMAIN] =
      "INSERT INTO domain (id, name, title, description, definition, generation)"
      " VALUES (?1, ?2, ?3, ?4, ?5, ?6) ON CONFLICT (id) DO UPDATE SET name = excluded.name,"
      " title = excluded.title, description = excluded.description,"
      " definition = excluded.definition, generation = excluded.generation",
  [SET_GENERATION] = "UPDATE domain SET generation = ?2 WHERE seq = ?1",
  [SET_SERVICE_GENERATION] = "UPDATE service SET generation = ?1 WHERE id = 1",
  [REMOVE_DISKS] = "DELETE FROM disk WHERE domain = ?1",
  [ADD_DISK] = "INSERT INTO disk (domain, position, target, kind, source, format, is_read_only,"
               " is_excluded, next_index) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
  [REMOVE_ROOTS] = "DELETE FROM root WHERE domain = ?1",
  [ADD_ROOT] = "INSERT INTO root (domain, position, path) VALUES (?1, ?2, ?3)",
  [ADD_TEXT] = "INSERT INTO definition (hash, text) VALUES (?1, ?2) ON CONFLICT (hash) DO NOTHING",
  [FIND_TEXT] = "SELECT seq FROM definition WHERE hash = ?1",
  [FIND_MOMENT] = "SELECT seq FROM moment WHERE domain = ?1 AND id = ?2",
  [ADD_MOMENT] =
      "INSERT INTO moment (domain, id, kind, name, parent, place, description, created, state,"
      " health, definition, memory, memory_file, inactive, cookie)"
      " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15)",
  /* Leaves a moment of another domain or kind alone. */
  [REPLACE_MOMENT] =
      "UPDATE moment SET name = ?4, parent = ?5,"
      " place = CASE WHEN parent IS ?5 AND created = ?8 THEN place ELSE ?6 END,"
      " description = ?7, created = ?8, state = ?9, health = ?10, definition = ?11, memory = ?12,"
      " memory_file = ?13, inactive = ?14, cookie = ?15"
      " WHERE id = ?2 AND domain = ?1 AND kind = ?3",
  [REMOVE_MOMENT] = "DELETE FROM moment WHERE domain = ?1 AND id = ?2",
  [REMOVE_MOMENT_DISKS] = "DELETE FROM moment_disk WHERE moment = ?1",
  [ADD_MOMENT_DISK] = "INSERT INTO moment_disk (moment, position, target, mode, frozen, overlay,"
                      " format, tag, bitmap) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
  [REMOVE_CURRENT] = "DELETE FROM current WHERE domain = ?1",
  [SET_CURRENT] = "INSERT INTO current (domain, moment) VALUES (?1, ?2)"
                  " ON CONFLICT (domain) DO UPDATE SET moment = excluded.moment",
  [PUT_IMAGE] = "INSERT INTO image (domain, path, target, image_index, format, backing, origin,"
                " capacity) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8) ON CONFLICT (domain, path)"
                " DO UPDATE SET target = excluded.target, image_index = excluded.image_index,"
                " format = excluded.format, backing = excluded.backing, origin = excluded.origin,"
                " capacity = excluded.capacity",
  [REMOVE_IMAGE] = "DELETE FROM image WHERE domain = ?1 AND path = ?2",
  [FORGET_MOMENT_DISKS] = "DELETE FROM moment_disk WHERE moment IN"
                          " (SELECT seq FROM moment WHERE domain = ?1)",
  [FORGET_MOMENTS] = "DELETE FROM moment WHERE domain = ?1",
  [FORGET_IMAGES] = "DELETE FROM image WHERE domain = ?1",
  [FORGET_DOMAIN] = "DELETE FROM domain WHERE seq = ?1",
  [PUT_ENTRY] =
      "INSERT INTO journal (id, operation, domain, phase, n_done, uid, started, finding, plan)"
      " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9) ON CONFLICT (id) DO UPDATE SET"
      " phase = excluded.phase, n_done = excluded.n_done, finding = excluded.finding,"
      " plan = excluded.plan",
  [REMOVE_ENTRY] = "DELETE FROM journal WHERE id = ?1",
};

#define N_STATEMENTS G_N_ELEMENTS (statement_sql)

struct _StmRowWriter
{
  sqlite3 *db;
  sqlite3_stmt *statements[N_STATEMENTS];
  gint64 next_place; /* among siblings, over all domains; only ever grows */

  /* Keys that were found during the present change, by ids and hashes that are parts of it. */
  GHashTable *moments; /* id -> gint64 */
  GHashTable *texts;   /* hash -> gint64 */
};

/* Runs a statement with the cells that follow. */
#define RUN(self, statement, what, error, ...)                                                     \
  stm_sqlite_run ((self)->statements[statement], (const StmCell[]){ __VA_ARGS__ },                 \
                  G_N_ELEMENTS (((const StmCell[]){ __VA_ARGS__ })), what, error)

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
  for (gsize i = 0; i < N_STATEMENTS; i++)
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

  for (gsize i = 0; i < N_STATEMENTS; i++)
    sqlite3_finalize (self->statements[i]);
  g_hash_table_unref (self->moments);
  g_hash_table_unref (self->texts);
  g_free (self);
}

/* A write that must hit a row and did not: model and store are not of one mind. */
static gboolean
require_hit (StmRowWriter *self, const char *noun, const char *name, GError **error)
{
  if (sqlite3_changes64 (self->db) == 1)
    return TRUE;

  g_set_error (error, STEMMA_ERROR, STEMMA_ERROR_FAILED,
               "cannot write %s %s: the store does not have it as the model has; nothing of this "
               "change was written",
               noun, name);
  return FALSE;
}

static gboolean
require_number (const char *noun, const char *name, guint64 value, GError **error)
{
  if (value <= G_MAXINT64)
    return TRUE;

  g_set_error (error, STEMMA_ERROR, STEMMA_ERROR_TOO_LARGE,
               "cannot write %s %s: %" G_GUINT64_FORMAT " is over the limit of a stored number",
               noun, name, value);
  return FALSE;
}

/* The key in the first column, -1 when there is no row. */
static gboolean
find_key (StmRowWriter *self, Statement find, const StmCell *cells, gsize n_cells, gint64 *out_key,
          GError **error)
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

static gboolean
find_domain (StmRowWriter *self, const char *id, gint64 *out_domain, GError **error)
{
  const StmCell cells[] = { STM_TEXT (id) };

  return find_key (self, FIND_DOMAIN, cells, G_N_ELEMENTS (cells), out_domain, error);
}

static gboolean
add_disks (StmRowWriter *self, gint64 domain, const StmDomain *value, GError **error)
{
  for (gsize i = 0; i < value->n_disks; i++)
    {
      const StmDisk *disk = &value->disks[i];

      if (!RUN (self, ADD_DISK, "write a disk", error, STM_NUMBER (domain), STM_NUMBER (i),
                STM_TEXT (disk->target), STM_TEXT (stm_source_kind_to_word (disk->kind)),
                STM_TEXT (disk->source), STM_TEXT (disk->format),
                STM_NUMBER (disk->is_read_only != 0), STM_NUMBER (disk->is_excluded != 0),
                STM_NUMBER (disk->next_index)))
        return FALSE;
    }

  return TRUE;
}

static gboolean
add_roots (StmRowWriter *self, gint64 domain, const StmDomain *value, GError **error)
{
  for (gsize i = 0; value->roots != NULL && value->roots[i] != NULL; i++)
    if (!RUN (self, ADD_ROOT, "write an approved directory", error, STM_NUMBER (domain),
              STM_NUMBER (i), STM_TEXT (value->roots[i])))
      return FALSE;

  return TRUE;
}

/* Notes a key for the rest of the change. */
static void
note_key (GHashTable *keys, const char *name, gint64 key)
{
  g_hash_table_replace (keys, (char *) name, g_memdup2 (&key, sizeof key));
}

static gboolean
add_text (StmRowWriter *self, const char *hash, const char *text, GError **error)
{
  return RUN (self, ADD_TEXT, "write a definition", error, STM_TEXT (hash), STM_TEXT (text));
}

static gboolean
add_texts (StmRowWriter *self, const StmChange *change, GError **error)
{
  GHashTableIter iter;
  gpointer hash, text;

  g_hash_table_iter_init (&iter, change->texts);
  while (g_hash_table_iter_next (&iter, &hash, &text))
    if (!add_text (self, hash, text, error))
      return FALSE;

  return TRUE;
}

/* The cell of a text that a moment refers to. */
static gboolean
find_text (StmRowWriter *self, const char *hash, StmCell *out_cell, GError **error)
{
  const StmCell cells[] = { STM_TEXT (hash) };
  const gint64 *known = hash == NULL ? NULL : g_hash_table_lookup (self->texts, hash);
  gint64 key = -1;

  *out_cell = known != NULL ? STM_NUMBER (*known) : STM_TEXT (NULL);
  if (hash == NULL || known != NULL)
    return TRUE;
  if (!find_key (self, FIND_TEXT, cells, G_N_ELEMENTS (cells), &key, error))
    return FALSE;
  if (key < 0)
    {
      g_set_error (error, STEMMA_ERROR, STEMMA_ERROR_FAILED,
                   "cannot write a moment: the store does not have the definition %s that it "
                   "refers to; nothing of this change was written",
                   hash);
      return FALSE;
    }

  note_key (self->texts, hash, key);
  *out_cell = STM_NUMBER (key);
  return TRUE;
}

/* Writes the record of the domain and gives its key. A domain may do without a definition: "" in
 * the value, NULL in the row. */
static gboolean
put_domain (StmRowWriter *self, const StmChange *change, gint64 *out_domain, GError **error)
{
  const StmDomain *value = change->domain;
  const char *hash = *value->definition == '\0' ? NULL : value->definition;

  if (change->definition_text != NULL && !add_text (self, hash, change->definition_text, error))
    return FALSE;

  return RUN (self, PUT_DOMAIN, "write a domain", error, STM_TEXT (value->id),
              STM_TEXT (value->name), STM_TEXT (value->title), STM_TEXT (value->description),
              STM_TEXT (hash), STM_NUMBER (change->generation))
         && find_domain (self, value->id, out_domain, error)
         && RUN (self, REMOVE_DISKS, "write the disks", error, STM_NUMBER (*out_domain))
         && add_disks (self, *out_domain, value, error)
         && RUN (self, REMOVE_ROOTS, "write the directories", error, STM_NUMBER (*out_domain))
         && add_roots (self, *out_domain, value, error);
}

static gboolean
find_moment (StmRowWriter *self, gint64 domain, const char *id, gint64 *out_moment, GError **error)
{
  const StmCell cells[] = { STM_NUMBER (domain), STM_TEXT (id) };
  const gint64 *known = g_hash_table_lookup (self->moments, id);

  if (known != NULL)
    {
      *out_moment = *known;
      return TRUE;
    }
  if (!find_key (self, FIND_MOMENT, cells, G_N_ELEMENTS (cells), out_moment, error))
    return FALSE;
  if (*out_moment >= 0)
    note_key (self->moments, id, *out_moment);

  return TRUE;
}

/* The cell of the parent, which has been written or was there. */
static gboolean
find_parent (StmRowWriter *self, gint64 domain, const char *id, StmCell *out_cell, GError **error)
{
  gint64 parent = -1;

  *out_cell = STM_TEXT (NULL);
  if (id == NULL)
    return TRUE;
  if (!find_moment (self, domain, id, &parent, error))
    return FALSE;
  if (parent < 0)
    {
      g_set_error (error, STEMMA_ERROR, STEMMA_ERROR_FAILED,
                   "cannot write a change to %s: it refers to a moment that the store does not "
                   "have; nothing of it was written",
                   sqlite3_db_filename (self->db, "main"));
      return FALSE;
    }

  *out_cell = STM_NUMBER (parent);
  return TRUE;
}

static gboolean
add_moment_disks (StmRowWriter *self, gint64 moment, const StmMoment *value, GError **error)
{
  for (gsize i = 0; i < value->n_disks; i++)
    {
      const StmMomentDisk *disk = &value->disks[i];

      if (!RUN (self, ADD_MOMENT_DISK, "write the disks of a moment", error, STM_NUMBER (moment),
                STM_NUMBER (i), STM_TEXT (disk->target),
                STM_TEXT (stm_disk_mode_to_word (disk->mode)), STM_TEXT (disk->frozen),
                STM_TEXT (disk->overlay), STM_TEXT (disk->format), STM_TEXT (disk->tag),
                STM_TEXT (disk->bitmap)))
        return FALSE;
    }

  return TRUE;
}

static gboolean
put_moment_row (StmRowWriter *self, Statement put, gint64 domain, const StmMoment *value,
                GError **error)
{
  StmCell parent, definition, inactive, cookie;

  if (!find_parent (self, domain, value->parent, &parent, error)
      || !find_text (self, value->definition, &definition, error)
      || !find_text (self, value->inactive, &inactive, error)
      || !find_text (self, value->cookie, &cookie, error))
    return FALSE;

  return RUN (self, put, "write a moment", error, STM_NUMBER (domain), STM_TEXT (value->id),
              STM_TEXT (stm_moment_kind_to_word (value->kind)), STM_TEXT (value->name), parent,
              STM_NUMBER (self->next_place), STM_TEXT (value->description),
              STM_NUMBER (value->created), STM_TEXT (stm_moment_state_to_word (value->state)),
              STM_TEXT (stm_health_to_word (value->health)), definition,
              STM_TEXT (stm_memory_to_word (value->memory)), STM_TEXT (value->memory_file),
              inactive, cookie)
         && require_hit (self, "moment", value->name, error);
}

static gboolean
put_moment (StmRowWriter *self, gint64 domain, const StmMoment *value, GError **error)
{
  gint64 moment;

  if (!find_moment (self, domain, value->id, &moment, error))
    return FALSE;
  if (moment < 0)
    {
      if (!put_moment_row (self, ADD_MOMENT, domain, value, error))
        return FALSE;
      moment = sqlite3_last_insert_rowid (self->db);
      note_key (self->moments, value->id, moment);
    }
  else if (!put_moment_row (self, REPLACE_MOMENT, domain, value, error)
           || !RUN (self, REMOVE_MOMENT_DISKS, "write the disks of a moment", error,
                    STM_NUMBER (moment)))
    return FALSE;

  self->next_place++;
  return add_moment_disks (self, moment, value, error);
}

static gboolean
remove_moment (StmRowWriter *self, gint64 domain, const char *id, GError **error)
{
  gint64 moment;

  if (!find_moment (self, domain, id, &moment, error))
    return FALSE;

  g_hash_table_remove (self->moments, id);
  return RUN (self, REMOVE_MOMENT_DISKS, "remove a moment", error, STM_NUMBER (moment))
         && RUN (self, REMOVE_MOMENT, "remove a moment", error, STM_NUMBER (domain), STM_TEXT (id))
         && require_hit (self, "moment", id, error);
}

/* Collects the moment and those of its parents that this change brings, from the lowest up to the
 * first that has its parent. A ring, which the model refuses, ends it too. */
static gboolean
collect_line (StmRowWriter *self, gint64 domain, GHashTable *waiting, const StmMoment *moment,
              GPtrArray *line, GError **error)
{
  while (moment != NULL && line->len < g_hash_table_size (waiting))
    {
      gint64 parent = -1;

      g_ptr_array_add (line, (StmMoment *) moment);
      if (moment->parent == NULL)
        return TRUE;
      if (!find_moment (self, domain, moment->parent, &parent, error))
        return FALSE;
      moment = parent < 0 ? g_hash_table_lookup (waiting, moment->parent) : NULL;
    }

  return TRUE;
}

/* In the order of stm_model_apply(), new parents before their children: it decides on the order of
 * siblings of one time of creation. */
static gboolean
put_line (StmRowWriter *self, gint64 domain, GHashTable *waiting, const StmMoment *moment,
          GError **error)
{
  g_autoptr (GPtrArray) line = g_ptr_array_new ();

  if (!collect_line (self, domain, waiting, moment, line, error))
    return FALSE;
  for (guint i = line->len; i > 0; i--)
    {
      const StmMoment *next = g_ptr_array_index (line, i - 1);

      if (g_hash_table_remove (waiting, next->id) && !put_moment (self, domain, next, error))
        return FALSE;
    }

  return TRUE;
}

static gboolean
put_moments (StmRowWriter *self, gint64 domain, const GPtrArray *moments, GError **error)
{
  g_autoptr (GHashTable) waiting = g_hash_table_new (g_str_hash, g_str_equal);

  for (guint i = 0; i < moments->len; i++)
    {
      StmMoment *moment = g_ptr_array_index (moments, i);

      g_hash_table_insert (waiting, (char *) moment->id, moment);
    }
  for (guint i = 0; i < moments->len; i++)
    {
      const StmMoment *moment = g_ptr_array_index (moments, i);

      if (g_hash_table_contains (waiting, moment->id)
          && !put_line (self, domain, waiting, moment, error))
        return FALSE;
    }

  return TRUE;
}

static gboolean
write_moments (StmRowWriter *self, gint64 domain, const StmChange *change, GError **error)
{
  for (guint i = 0; i < change->removed_moments->len; i++)
    if (!remove_moment (self, domain, g_ptr_array_index (change->removed_moments, i), error))
      return FALSE;

  return put_moments (self, domain, change->put_moments, error);
}

static gboolean
put_image (StmRowWriter *self, gint64 domain, const StmImage *value, GError **error)
{
  return require_number ("image", value->path, value->capacity, error)
         && RUN (self, PUT_IMAGE, "write an image", error, STM_NUMBER (domain),
                 STM_TEXT (value->path), STM_TEXT (value->target), STM_NUMBER (value->index),
                 STM_TEXT (value->format), STM_TEXT (value->backing),
                 STM_TEXT (stm_image_origin_to_word (value->origin)), STM_NUMBER (value->capacity));
}

static gboolean
remove_image (StmRowWriter *self, gint64 domain, const char *path, GError **error)
{
  return RUN (self, REMOVE_IMAGE, "remove an image", error, STM_NUMBER (domain), STM_TEXT (path))
         && require_hit (self, "image", path, error);
}

static gboolean
write_images (StmRowWriter *self, gint64 domain, const StmChange *change, GError **error)
{
  for (guint i = 0; i < change->removed_images->len; i++)
    if (!remove_image (self, domain, g_ptr_array_index (change->removed_images, i), error))
      return FALSE;
  for (guint i = 0; i < change->put_images->len; i++)
    if (!put_image (self, domain, g_ptr_array_index (change->put_images, i), error))
      return FALSE;

  return TRUE;
}

static gboolean
write_current (StmRowWriter *self, gint64 domain, const StmChange *change, GError **error)
{
  if (change->current_change == STM_CURRENT_KEEP)
    return TRUE;
  if (change->current_id == NULL)
    return RUN (self, REMOVE_CURRENT, "write the current snapshot", error, STM_NUMBER (domain));

  return RUN (self, SET_CURRENT, "write the current snapshot", error, STM_NUMBER (domain),
              STM_TEXT (change->current_id));
}

/* The rows of a domain, those that refer to others first. */
static gboolean
forget_domain (StmRowWriter *self, gint64 domain, GError **error)
{
  static const Statement order[] = { REMOVE_CURRENT, FORGET_MOMENT_DISKS, FORGET_MOMENTS,
                                     FORGET_IMAGES,  REMOVE_DISKS,        REMOVE_ROOTS,
                                     FORGET_DOMAIN };

  for (gsize i = 0; i < G_N_ELEMENTS (order); i++)
    if (!RUN (self, order[i], "remove a domain", error, STM_NUMBER (domain)))
      return FALSE;

  return TRUE;
}

static gboolean
write_domain_rows (StmRowWriter *self, const StmChange *change, GError **error)
{
  gint64 domain;

  if (change->domain != NULL && !change->removes_domain)
    {
      if (!put_domain (self, change, &domain, error))
        return FALSE;
    }
  else
    {
      if (!find_domain (self, change->domain_id, &domain, error)
          || !RUN (self, SET_GENERATION, "write a generation", error, STM_NUMBER (domain),
                   STM_NUMBER (change->generation))
          || !require_hit (self, "domain", change->domain_id, error))
        return FALSE;
    }
  if (change->removes_domain)
    return forget_domain (self, domain, error);

  return add_texts (self, change, error) && write_moments (self, domain, change, error)
         && write_images (self, domain, change, error)
         && write_current (self, domain, change, error);
}

/* 0 leaves the generation as it is, as in the model. */
static gboolean
write_service_generation (StmRowWriter *self, guint64 generation, GError **error)
{
  return generation == 0
         || (require_number ("generation of", "the service", generation, error)
             && RUN (self, SET_SERVICE_GENERATION, "write a generation", error,
                     STM_NUMBER (generation))
             && require_hit (self, "generation of", "the service", error));
}

/* What is known of keys counts for one change: the next may be the one that follows a change that
 * was taken back. */
static void
forget_keys (StmRowWriter *self)
{
  g_hash_table_remove_all (self->moments);
  g_hash_table_remove_all (self->texts);
}

gboolean
stm_row_writer_write_change (StmRowWriter *self, const StmChange *change, GError **error)
{
  gboolean is_written = require_number ("generation of domain", change->domain_id,
                                        change->generation, error)
                        && write_domain_rows (self, change, error)
                        && write_service_generation (self, change->service_generation, error);

  forget_keys (self);
  return is_written;
}

gboolean
stm_row_writer_put_entry (StmRowWriter *self, const StmJournalEntry *entry, GError **error)
{
  const StmPlan *plan = entry->plan;
  g_autoptr (GBytes) bytes = stm_plan_to_bytes (plan);

  return RUN (self, PUT_ENTRY, "write a journal entry", error, STM_TEXT (plan->id),
              STM_TEXT (stm_operation_to_word (plan->operation)), STM_TEXT (plan->domain_id),
              STM_TEXT (stm_journal_phase_to_word (entry->phase)), STM_NUMBER (entry->n_done),
              STM_NUMBER (entry->uid), STM_NUMBER (entry->started), STM_TEXT (entry->finding),
              STM_BYTES (g_bytes_get_data (bytes, /* size= */ NULL), g_bytes_get_size (bytes)));
}

gboolean
stm_row_writer_remove_entry (StmRowWriter *self, const StmJournalEntry *entry, GError **error)
{
  return RUN (self, REMOVE_ENTRY, "remove a journal entry", error, STM_TEXT (entry->plan->id));
}
