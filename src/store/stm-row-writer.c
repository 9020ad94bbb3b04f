/* Writes changes and journal entries as rows.
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
#include "stm-row-writer-private.h"

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

static gboolean
find_domain (StmRowWriter *self, const char *id, gint64 *out_domain, GError **error)
{
  const StmCell cells[] = { STM_TEXT (id) };

  return stm_row_writer_find_key (self, STM_WRITE_FIND_DOMAIN, cells, G_N_ELEMENTS (cells),
                                  out_domain, error);
}

static gboolean
add_disks (StmRowWriter *self, gint64 domain, const StmDomain *value, GError **error)
{
  for (gsize i = 0; i < value->n_disks; i++)
    {
      const StmDisk *disk = &value->disks[i];

      if (!STM_RUN (self, STM_WRITE_ADD_DISK, "write a disk", error, STM_NUMBER (domain),
                    STM_NUMBER (i), STM_TEXT (disk->target),
                    STM_TEXT (stm_source_kind_to_word (disk->kind)), STM_TEXT (disk->source),
                    STM_TEXT (disk->format), STM_NUMBER (disk->is_read_only != 0),
                    STM_NUMBER (disk->is_excluded != 0), STM_NUMBER (disk->next_index)))
        return FALSE;
    }

  return TRUE;
}

static gboolean
add_roots (StmRowWriter *self, gint64 domain, const StmDomain *value, GError **error)
{
  for (gsize i = 0; value->roots != NULL && value->roots[i] != NULL; i++)
    if (!STM_RUN (self, STM_WRITE_ADD_ROOT, "write an approved directory", error,
                  STM_NUMBER (domain), STM_NUMBER (i), STM_TEXT (value->roots[i])))
      return FALSE;

  return TRUE;
}

static gboolean
add_text (StmRowWriter *self, const char *hash, const char *text, GError **error)
{
  return STM_RUN (self, STM_WRITE_ADD_TEXT, "write a definition", error, STM_TEXT (hash),
                  STM_TEXT (text));
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

/* Writes the record of the domain and gives its key. A domain may do without a definition: "" in
 * the value, NULL in the row. */
static gboolean
put_domain (StmRowWriter *self, const StmChange *change, gint64 *out_domain, GError **error)
{
  const StmDomain *value = change->domain;
  const char *hash = *value->definition == '\0' ? NULL : value->definition;

  if (change->definition_text != NULL && !add_text (self, hash, change->definition_text, error))
    return FALSE;

  return STM_RUN (self, STM_WRITE_PUT_DOMAIN, "write a domain", error, STM_TEXT (value->id),
                  STM_TEXT (value->name), STM_TEXT (value->title), STM_TEXT (value->description),
                  STM_TEXT (hash), STM_NUMBER (change->generation))
         && find_domain (self, value->id, out_domain, error)
         && STM_RUN (self, STM_WRITE_REMOVE_DISKS, "write the disks", error,
                     STM_NUMBER (*out_domain))
         && add_disks (self, *out_domain, value, error)
         && STM_RUN (self, STM_WRITE_REMOVE_ROOTS, "write the directories", error,
                     STM_NUMBER (*out_domain))
         && add_roots (self, *out_domain, value, error);
}

static gboolean
put_image (StmRowWriter *self, gint64 domain, const StmImage *value, GError **error)
{
  return require_number ("image", value->path, value->capacity, error)
         && STM_RUN (self, STM_WRITE_PUT_IMAGE, "write an image", error, STM_NUMBER (domain),
                     STM_TEXT (value->path), STM_TEXT (value->target), STM_NUMBER (value->index),
                     STM_TEXT (value->format), STM_TEXT (value->backing),
                     STM_TEXT (stm_image_origin_to_word (value->origin)),
                     STM_NUMBER (value->capacity));
}

static gboolean
remove_image (StmRowWriter *self, gint64 domain, const char *path, GError **error)
{
  return STM_RUN (self, STM_WRITE_REMOVE_IMAGE, "remove an image", error, STM_NUMBER (domain),
                  STM_TEXT (path))
         && stm_row_writer_require_hit (self, "image", path, error);
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
    return STM_RUN (self, STM_WRITE_REMOVE_CURRENT, "write the current snapshot", error,
                    STM_NUMBER (domain));

  return STM_RUN (self, STM_WRITE_SET_CURRENT, "write the current snapshot", error,
                  STM_NUMBER (domain), STM_TEXT (change->current_id));
}

/* The rows of a domain, those that refer to others first. */
static gboolean
forget_domain (StmRowWriter *self, gint64 domain, GError **error)
{
  static const StmWriteStatement order[] = {
    STM_WRITE_REMOVE_CURRENT, STM_WRITE_FORGET_MOMENT_DISKS, STM_WRITE_FORGET_MOMENTS,
    STM_WRITE_FORGET_IMAGES,  STM_WRITE_REMOVE_DISKS,        STM_WRITE_REMOVE_ROOTS,
    STM_WRITE_FORGET_DOMAIN
  };

  for (gsize i = 0; i < G_N_ELEMENTS (order); i++)
    if (!STM_RUN (self, order[i], "remove a domain", error, STM_NUMBER (domain)))
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
          || !STM_RUN (self, STM_WRITE_SET_GENERATION, "write a generation", error,
                       STM_NUMBER (domain), STM_NUMBER (change->generation))
          || !stm_row_writer_require_hit (self, "domain", change->domain_id, error))
        return FALSE;
    }
  if (change->removes_domain)
    return forget_domain (self, domain, error);

  return add_texts (self, change, error)
         && stm_row_writer_write_moments (self, domain, change, error)
         && write_images (self, domain, change, error)
         && write_current (self, domain, change, error);
}

/* 0 leaves the generation as it is, as in the model. */
static gboolean
write_service_generation (StmRowWriter *self, guint64 generation, GError **error)
{
  return generation == 0
         || (require_number ("generation of", "the service", generation, error)
             && STM_RUN (self, STM_WRITE_SET_SERVICE_GENERATION, "write a generation", error,
                         STM_NUMBER (generation))
             && stm_row_writer_require_hit (self, "generation of", "the service", error));
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

  return STM_RUN (self, STM_WRITE_PUT_ENTRY, "write a journal entry", error, STM_TEXT (plan->id),
                  STM_TEXT (stm_operation_to_word (plan->operation)), STM_TEXT (plan->domain_id),
                  STM_TEXT (stm_journal_phase_to_word (entry->phase)), STM_NUMBER (entry->n_done),
                  STM_NUMBER (entry->uid), STM_NUMBER (entry->started), STM_TEXT (entry->finding),
                  STM_BYTES (g_bytes_get_data (bytes, /* size= */ NULL), g_bytes_get_size (bytes)));
}

gboolean
stm_row_writer_remove_entry (StmRowWriter *self, const StmJournalEntry *entry, GError **error)
{
  return STM_RUN (self, STM_WRITE_REMOVE_ENTRY, "remove a journal entry", error,
                  STM_TEXT (entry->plan->id));
}

gboolean
stm_row_writer_reserve_jobs (StmRowWriter *self, guint last_job, GError **error)
{
  return STM_RUN (self, STM_WRITE_RESERVE_JOBS, "reserve numbers of jobs", error,
                  STM_NUMBER (last_job))
         && stm_row_writer_require_hit (self, "numbers of jobs of", "the service", error);
}
