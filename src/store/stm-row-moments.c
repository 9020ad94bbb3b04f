/* Writes moments as rows: parents before children, each with its disks.
 *
 * Store thread only, as a part of stm-row-writer. Costs by the size of the change: what was found
 * of keys is remembered until its end.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "stemma-error.h"
#include "stm-row-codec.h"
#include "stm-row-writer-private.h"

/* Notes a key for the rest of the change. */
static void
note_key (GHashTable *keys, const char *name, gint64 key)
{
  g_hash_table_replace (keys, (char *) name, g_memdup2 (&key, sizeof key));
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
  if (!stm_row_writer_find_key (self, STM_WRITE_FIND_TEXT, cells, G_N_ELEMENTS (cells), &key,
                                error))
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
  if (!stm_row_writer_find_key (self, STM_WRITE_FIND_MOMENT, cells, G_N_ELEMENTS (cells),
                                out_moment, error))
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

      if (!STM_RUN (self, STM_WRITE_ADD_MOMENT_DISK, "write the disks of a moment", error,
                    STM_NUMBER (moment), STM_NUMBER (i), STM_TEXT (disk->target),
                    STM_TEXT (stm_disk_mode_to_word (disk->mode)), STM_TEXT (disk->frozen),
                    STM_TEXT (disk->overlay), STM_TEXT (disk->format), STM_TEXT (disk->tag),
                    STM_TEXT (disk->bitmap)))
        return FALSE;
    }

  return TRUE;
}

static gboolean
put_moment_row (StmRowWriter *self, StmWriteStatement put, gint64 domain, const StmMoment *value,
                GError **error)
{
  StmCell parent, definition, inactive, cookie;

  if (!find_parent (self, domain, value->parent, &parent, error)
      || !find_text (self, value->definition, &definition, error)
      || !find_text (self, value->inactive, &inactive, error)
      || !find_text (self, value->cookie, &cookie, error))
    return FALSE;

  return STM_RUN (self, put, "write a moment", error, STM_NUMBER (domain), STM_TEXT (value->id),
                  STM_TEXT (stm_moment_kind_to_word (value->kind)), STM_TEXT (value->name), parent,
                  STM_NUMBER (self->next_place), STM_TEXT (value->description),
                  STM_NUMBER (value->created), STM_TEXT (stm_moment_state_to_word (value->state)),
                  STM_TEXT (stm_health_to_word (value->health)), definition,
                  STM_TEXT (stm_memory_to_word (value->memory)), STM_TEXT (value->memory_file),
                  inactive, cookie)
         && stm_row_writer_require_hit (self, "moment", value->name, error);
}

static gboolean
put_moment (StmRowWriter *self, gint64 domain, const StmMoment *value, GError **error)
{
  gint64 moment;

  if (!find_moment (self, domain, value->id, &moment, error))
    return FALSE;
  if (moment < 0)
    {
      if (!put_moment_row (self, STM_WRITE_ADD_MOMENT, domain, value, error))
        return FALSE;
      moment = sqlite3_last_insert_rowid (self->db);
      note_key (self->moments, value->id, moment);
    }
  else if (!put_moment_row (self, STM_WRITE_REPLACE_MOMENT, domain, value, error)
           || !STM_RUN (self, STM_WRITE_REMOVE_MOMENT_DISKS, "write the disks of a moment", error,
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
  return STM_RUN (self, STM_WRITE_REMOVE_MOMENT_DISKS, "remove a moment", error,
                  STM_NUMBER (moment))
         && STM_RUN (self, STM_WRITE_REMOVE_MOMENT, "remove a moment", error, STM_NUMBER (domain),
                     STM_TEXT (id))
         && stm_row_writer_require_hit (self, "moment", id, error);
}

/* In the order of stm_model_apply(), parents before their children: it decides on the order of
 * siblings of one time of creation. */
static gboolean
put_line (StmRowWriter *self, gint64 domain, GHashTable *waiting, const StmMoment *moment,
          GError **error)
{
  g_autoptr (GPtrArray) line = g_ptr_array_new ();

  for (; moment != NULL;
       moment = moment->parent != NULL ? g_hash_table_lookup (waiting, moment->parent) : NULL)
    {
      g_hash_table_remove (waiting, moment->id);
      g_ptr_array_add (line, (StmMoment *) moment);
    }
  for (guint i = line->len; i > 0; i--)
    if (!put_moment (self, domain, g_ptr_array_index (line, i - 1), error))
      return FALSE;

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

gboolean
stm_row_writer_write_moments (StmRowWriter *self, gint64 domain, const StmChange *change,
                              GError **error)
{
  for (guint i = 0; i < change->removed_moments->len; i++)
    if (!remove_moment (self, domain, g_ptr_array_index (change->removed_moments, i), error))
      return FALSE;

  return put_moments (self, domain, change->put_moments, error);
}
