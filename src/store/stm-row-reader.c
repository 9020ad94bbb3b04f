/* Reads each table once, in the order of its key, and puts the rows of each domain together.
 *
 * By the thread that opens the store, before anything is written. Parses no XML. Rows are hostile:
 * what is not sound is said and left out, and the model itself is asked whether the rest fits.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "stm-row-reader.h"

#include "stm-row-codec.h"
#include "stm-row-domain.h"
#include "stm-row-forest.h"
#include "stm-row-journal.h"
#include "stm-row.h"

#define MAX_DOMAINS 100000
#define MAX_DISKS 1000000 /* of all domains; one domain has its own limit in core/ */
#define MAX_ROOTS 1000000
#define MAX_IMAGES 4000000
#define MAX_MOMENTS 1000000
#define MAX_MOMENT_DISKS 4000000
#define MAX_TEXTS 4000000
#define MAX_BROKEN_REFERENCES 1000

typedef struct
{
  sqlite3 *db;
  StmProblems *problems;
  GPtrArray *domains; /* StmDomainRows, oldest first */
  GHashTable *by_key; /* gint64 to StmDomainRows */
  GHashTable *known;  /* ids of moments that were read: char * */
  GHashTable *texts;  /* gint64 to content hash */
  guint64 generation; /* of the service */
  guint last_job;
} Reader;

static void
reader_clear (Reader *self)
{
  g_clear_pointer (&self->by_key, g_hash_table_unref);
  g_clear_pointer (&self->known, g_hash_table_unref);
  g_clear_pointer (&self->texts, g_hash_table_unref);
  g_clear_pointer (&self->domains, g_ptr_array_unref);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Reader, reader_clear)

/* The domain that a row belongs to. NULL when it was left out, or is not there: then the check of
 * references says it. */
static StmDomainRows *
domain_of (Reader *self, StmRow *row, int column)
{
  gint64 key = stm_row_number (row, column, G_MININT64, G_MAXINT64);

  return g_hash_table_lookup (self->by_key, &key);
}

static void
read_service (Reader *self)
{
  g_auto (StmRow) row = { 0 };

  if (!stm_row_open (&row, self->db, "service",
                     "SELECT generation, last_job FROM service WHERE id = 1", /* limit= */ 1,
                     self->problems))
    return;
  if (!stm_row_next (&row))
    {
      stm_problems_add (self->problems, "the row of table service is missing");
      return;
    }

  self->generation = (guint64) stm_row_number (&row, 0, 0, G_MAXINT64);
  self->last_job = (guint) stm_row_number (&row, 1, 0, G_MAXUINT32);
  stm_row_is_sound (&row, "generation");
}

/* The hashes only: the texts are read when they are asked for. */
static void
read_texts (Reader *self)
{
  g_auto (StmRow) row = { 0 };

  if (!stm_row_open (&row, self->db, "definition", "SELECT seq, hash FROM definition", MAX_TEXTS,
                     self->problems))
    return;

  while (stm_row_next (&row))
    {
      gint64 key = stm_row_number (&row, 0, G_MININT64, G_MAXINT64);
      const char *hash = stm_row_text (&row, 1);

      if (stm_row_is_sound (&row, hash))
        g_hash_table_replace (self->texts, g_memdup2 (&key, sizeof key), g_strdup (hash));
    }
}

/* The hash of the text that a column names; NULL also when it is not there: then the check of
 * references says it. */
static const char *
text_of (Reader *self, StmRow *row, int column)
{
  if (stm_row_is_null (row, column))
    return NULL;

  gint64 key = stm_row_number (row, column, G_MININT64, G_MAXINT64);

  return g_hash_table_lookup (self->texts, &key);
}

static void
read_domains (Reader *self)
{
  g_auto (StmRow) row = { 0 };

  if (!stm_row_open (&row, self->db, "domain",
                     "SELECT seq, id, name, title, description, definition, generation"
                     " FROM domain ORDER BY seq",
                     MAX_DOMAINS, self->problems))
    return;

  while (stm_row_next (&row))
    {
      g_autofree gint64 *key = g_new (gint64, 1);
      StmDomainRows *rows = stm_domain_rows_new ();
      const char *definition = stm_row_text_or_null (&row, 5);

      *key = stm_row_number (&row, 0, G_MININT64, G_MAXINT64);
      rows->id = g_strdup (stm_row_text (&row, 1));
      rows->name = g_strdup (stm_row_text (&row, 2));
      rows->title = g_strdup (stm_row_text (&row, 3));
      rows->description = g_strdup (stm_row_text (&row, 4));
      rows->definition = g_strdup (definition == NULL ? "" : definition);
      rows->generation = (guint64) stm_row_number (&row, 6, 0, G_MAXINT64);
      if (!stm_row_is_sound (&row, rows->name))
        {
          stm_domain_rows_free (rows);
          continue;
        }
      g_ptr_array_add (self->domains, rows);
      g_hash_table_insert (self->by_key, g_steal_pointer (&key), rows);
    }
}

static void
read_disks (Reader *self)
{
  g_auto (StmRow) row = { 0 };

  if (!stm_row_open (&row, self->db, "disk",
                     "SELECT domain, target, kind, source, format, is_read_only, is_excluded,"
                     " next_index FROM disk ORDER BY domain, position",
                     MAX_DISKS, self->problems))
    return;

  while (stm_row_next (&row))
    {
      StmDomainRows *rows = domain_of (self, &row, 0);
      StmDisk disk = { 0 };

      if (rows == NULL)
        continue;
      disk.target = stm_domain_rows_keep (rows, stm_row_text (&row, 1));
      if (!stm_source_kind_from_word (stm_row_text (&row, 2), &disk.kind))
        stm_row_break (&row, "its kind is unknown");
      disk.source = stm_domain_rows_keep (rows, stm_row_text_or_null (&row, 3));
      disk.format = stm_domain_rows_keep (rows, stm_row_text (&row, 4));
      disk.is_read_only = stm_row_number (&row, 5, 0, 1) != 0;
      disk.is_excluded = stm_row_number (&row, 6, 0, 1) != 0;
      disk.next_index = (guint) stm_row_number (&row, 7, 0, G_MAXUINT32);
      if (stm_row_is_sound (&row, disk.target))
        g_array_append_val (rows->disks, disk);
    }
}

static void
read_roots (Reader *self)
{
  g_auto (StmRow) row = { 0 };

  if (!stm_row_open (&row, self->db, "root",
                     "SELECT domain, path FROM root ORDER BY domain, position", MAX_ROOTS,
                     self->problems))
    return;

  while (stm_row_next (&row))
    {
      StmDomainRows *rows = domain_of (self, &row, 0);
      const char *path = stm_row_text (&row, 1);

      if (rows != NULL && stm_row_is_sound (&row, path))
        g_ptr_array_add (rows->roots, (char *) stm_domain_rows_keep (rows, path));
    }
}

static void
read_images (Reader *self)
{
  g_auto (StmRow) row = { 0 };

  if (!stm_row_open (&row, self->db, "image",
                     "SELECT domain, path, target, image_index, format, backing, origin, capacity"
                     " FROM image ORDER BY domain, path",
                     MAX_IMAGES, self->problems))
    return;

  while (stm_row_next (&row))
    {
      g_autoptr (GError) error = NULL;
      StmDomainRows *rows = domain_of (self, &row, 0);
      StmImage image = { 0 };

      image.path = stm_row_text (&row, 1);
      image.target = stm_row_text (&row, 2);
      image.index = (guint) stm_row_number (&row, 3, 1, G_MAXUINT32);
      image.format = stm_row_text (&row, 4);
      image.backing = stm_row_text_or_null (&row, 5);
      if (!stm_image_origin_from_word (stm_row_text (&row, 6), &image.origin))
        stm_row_break (&row, "its origin is unknown");
      image.capacity = (guint64) stm_row_number (&row, 7, 0, G_MAXINT64);
      if (row.broken == NULL && !stm_image_is_sound (&image, &error))
        stm_row_break (&row, error->message);
      if (stm_row_is_sound (&row, image.path) && rows != NULL)
        g_ptr_array_add (rows->images, stm_image_new (&image));
    }
}

/* Disks of moments come in the order of the moments, so that both tables are read once, side by
 * side. */
typedef struct
{
  StmRow row;
  gboolean has_row;
  gint64 moment; /* of the present row */
  GArray *disks; /* StmMomentDisk, of the moment that is being read */
  GStringChunk *texts;
} DiskCursor;

static void
disk_cursor_close (DiskCursor *self)
{
  stm_row_close (&self->row);
  g_clear_pointer (&self->disks, g_array_unref);
  g_clear_pointer (&self->texts, g_string_chunk_free);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (DiskCursor, disk_cursor_close)

static void
disk_cursor_step (DiskCursor *self)
{
  self->has_row = stm_row_next (&self->row);
  if (self->has_row)
    self->moment = stm_row_number (&self->row, 0, G_MININT64, G_MAXINT64);
}

static void
disk_cursor_open (DiskCursor *self, Reader *reader)
{
  self->disks = g_array_new (/* zero_terminated= */ FALSE, /* clear= */ TRUE,
                             sizeof (StmMomentDisk));
  self->texts = g_string_chunk_new (1024);
  if (stm_row_open (&self->row, reader->db, "moment_disk",
                    "SELECT moment, target, mode, frozen, overlay, format, tag, bitmap"
                    " FROM moment_disk ORDER BY moment, position",
                    MAX_MOMENT_DISKS, reader->problems))
    disk_cursor_step (self);
}

static const char *
copy_text (DiskCursor *self, const char *text)
{
  return text == NULL ? NULL : g_string_chunk_insert (self->texts, text);
}

static void
collect_disk (DiskCursor *self)
{
  StmRow *row = &self->row;
  StmMomentDisk disk = { 0 };

  disk.target = copy_text (self, stm_row_text (row, 1));
  if (!stm_disk_mode_from_word (stm_row_text (row, 2), &disk.mode))
    stm_row_break (row, "its mode is unknown");
  disk.frozen = copy_text (self, stm_row_text_or_null (row, 3));
  disk.overlay = copy_text (self, stm_row_text_or_null (row, 4));
  disk.format = copy_text (self, stm_row_text_or_null (row, 5));
  disk.tag = copy_text (self, stm_row_text_or_null (row, 6));
  disk.bitmap = copy_text (self, stm_row_text_or_null (row, 7));
  if (stm_row_is_sound (row, disk.target))
    g_array_append_val (self->disks, disk);
}

/* Collects the disks of one moment. Rows of moments that are not there are passed over: the check
 * of references says them. */
static void
disk_cursor_collect (DiskCursor *self, gint64 moment)
{
  g_array_set_size (self->disks, 0);
  g_string_chunk_clear (self->texts);
  while (self->has_row && self->moment <= moment)
    {
      if (self->moment == moment)
        collect_disk (self);
      disk_cursor_step (self);
    }
}

/* The texts are those of the row, of the cursor and of the reader. */
static StmMoment
moment_of_row (Reader *self, StmRow *row, const DiskCursor *cursor)
{
  StmMoment moment = { 0 };

  if (!stm_moment_kind_from_word (stm_row_text (row, 2), &moment.kind))
    stm_row_break (row, "its kind is unknown");
  moment.id = stm_row_text (row, 3);
  moment.name = stm_row_text (row, 4);
  moment.parent = stm_row_text_or_null (row, 6);
  moment.description = stm_row_text (row, 8);
  moment.created = stm_row_number (row, 9, 0, G_MAXINT64);
  if (!stm_moment_state_from_word (stm_row_text (row, 10), &moment.state))
    stm_row_break (row, "its state is unknown");
  if (!stm_health_from_word (stm_row_text (row, 11), &moment.health))
    stm_row_break (row, "its health is unknown");
  moment.definition = text_of (self, row, 12);
  if (!stm_memory_from_word (stm_row_text (row, 13), &moment.memory))
    stm_row_break (row, "its memory is unknown");
  moment.memory_file = stm_row_text_or_null (row, 14);
  moment.inactive = text_of (self, row, 15);
  moment.cookie = text_of (self, row, 16);
  moment.disks = (const StmMomentDisk *) (gconstpointer) cursor->disks->data;
  moment.n_disks = cursor->disks->len;

  return moment;
}

/* Its row names a parent, and there is none. */
static void
note_lost_parent (Reader *self, StmRow *row, StmMoment *moment)
{
  if (moment->parent != NULL || stm_row_is_null (row, 5))
    return;

  stm_problems_add (self->problems, "the parent of moment \"%s\" is not there", moment->name);
  moment->health = STM_HEALTH_ORPHAN;
}

static void
read_moment (Reader *self, StmRow *row, DiskCursor *cursor)
{
  g_autoptr (GError) error = NULL;
  StmDomainRows *rows = domain_of (self, row, 1);
  gint64 place = stm_row_number (row, 7, G_MININT64, G_MAXINT64);

  disk_cursor_collect (cursor, stm_row_number (row, 0, G_MININT64, G_MAXINT64));

  StmMoment moment = moment_of_row (self, row, cursor);

  if (row->broken == NULL && !stm_moment_is_sound (&moment, &error))
    stm_row_break (row, error->message);
  /* An index that is damaged in the right way lets an id be there twice. */
  if (row->broken == NULL && !g_hash_table_add (self->known, g_strdup (moment.id)))
    stm_row_break (row, "its id is there twice");
  if (!stm_row_is_sound (row, moment.name) || rows == NULL)
    return;

  note_lost_parent (self, row, &moment);

  g_autoptr (StmMoment) value = stm_moment_new (&moment);

  g_ptr_array_add (rows->moments, stm_moment_row_new (value, place));
}

static void
read_moments (Reader *self)
{
  g_auto (StmRow) row = { 0 };
  g_auto (DiskCursor) cursor = { 0 };

  if (!stm_row_open (&row, self->db, "moment",
                     "SELECT m.seq, m.domain, m.kind, m.id, m.name, m.parent, p.id, m.place,"
                     " m.description, m.created, m.state, m.health, m.definition, m.memory,"
                     " m.memory_file, m.inactive, m.cookie"
                     " FROM moment AS m LEFT JOIN moment AS p ON p.seq = m.parent ORDER BY m.seq",
                     MAX_MOMENTS, self->problems))
    return;

  disk_cursor_open (&cursor, self);
  while (stm_row_next (&row))
    read_moment (self, &row, &cursor);
}

static void
read_currents (Reader *self)
{
  g_auto (StmRow) row = { 0 };

  if (!stm_row_open (&row, self->db, "current", "SELECT domain, moment FROM current", MAX_DOMAINS,
                     self->problems))
    return;

  while (stm_row_next (&row))
    {
      StmDomainRows *rows = domain_of (self, &row, 0);
      const char *moment = stm_row_text (&row, 1);

      if (stm_row_is_sound (&row, moment) && rows != NULL)
        {
          g_free (rows->current);
          rows->current = g_strdup (moment);
        }
    }
}

/* SQLite's own check finds the rows that refer to what is not there: disks without a domain,
 * definitions that are gone. */
static void
check_references (Reader *self)
{
  g_auto (StmRow) row = { 0 };

  if (!stm_row_open (&row, self->db, "foreign_key_check", "PRAGMA foreign_key_check",
                     MAX_BROKEN_REFERENCES, self->problems))
    return;

  while (stm_row_next (&row))
    stm_problems_add (self->problems, "a row of table %s refers to a row of %s that is not there",
                      stm_row_text (&row, 0), stm_row_text (&row, 2));
}

static void
read_tables (Reader *self)
{
  check_references (self);
  read_service (self);
  read_texts (self);
  read_domains (self);
  read_disks (self);
  read_roots (self);
  read_images (self);
  read_moments (self);
  read_currents (self);
}

/* The model has the last word on what fits. */
static void
build_model (Reader *self, StmStoreContent *content)
{
  for (guint i = 0; i < self->domains->len; i++)
    {
      StmDomainRows *rows = g_ptr_array_index (self->domains, i);
      g_autoptr (GError) error = NULL;
      g_autoptr (StmChange)
          change = stm_domain_rows_to_change (rows, self->generation, self->problems, &error);

      if (change == NULL || !stm_model_check (content->model, change, &error))
        {
          stm_problems_add (self->problems, "domain \"%s\" is left out: %s", rows->name,
                            error->message);
          continue;
        }
      stm_model_apply (content->model, change);
      g_ptr_array_add (content->changes, g_steal_pointer (&change));
    }
}

StmStoreContent *
stm_row_reader_read (sqlite3 *db, StmProblems *problems)
{
  g_auto (Reader) self = { .db = db, .problems = problems };
  StmStoreContent *content = g_new0 (StmStoreContent, 1);

  self.domains = g_ptr_array_new_with_free_func ((GDestroyNotify) stm_domain_rows_free);
  self.by_key = g_hash_table_new_full (g_int64_hash, g_int64_equal, g_free, /* value= */ NULL);
  self.known = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, /* value= */ NULL);
  self.texts = g_hash_table_new_full (g_int64_hash, g_int64_equal, g_free, g_free);
  if (db != NULL)
    read_tables (&self);
  content->changes = g_ptr_array_new_with_free_func ((GDestroyNotify) stm_change_unref);
  content->model = stm_model_new ();
  build_model (&self, content);
  content->service_generation = self.generation;
  content->last_job = self.last_job;
  content->journal = stm_row_journal_read (db, problems);

  return content;
}
