/* What the store makes of rows in which any cell may hold anything: what is sound, fitting
 * together.
 *
 * The input is lines, each a cell to be overwritten: `table.column value`, or with
 * `table.column@key` only in the rows of that key, as a number. A value is `null`, `i` and a
 * number, `r` and a real number, `t` and text, `b` and bytes; both may be no UTF-8. Lines that say
 * nothing are passed over.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "fuzz.h"

#include "golden.h"
#include "store-fixture.h"

#include "stm-row-reader.h"
#include "stm-row-writer.h"
#include "stm-schema.h"

#include <string.h>

#define MAX_LINES 64
#define MAX_NAME 64

static const struct
{
  const char *name;
  const char *key;
  const char *columns;
} tables[] = {
  { "service", "id", "generation last_job" },
  { "definition", "seq", "seq hash text" },
  { "domain", "seq", "seq id name title description definition generation" },
  { "disk", "domain",
    "domain position target kind source format is_read_only is_excluded "
    "next_index" },
  { "root", "domain", "domain position path" },
  { "image", "domain", "domain path target image_index format backing origin capacity" },
  { "moment", "seq",
    "seq id domain kind name parent place description created state health "
    "definition memory memory_file inactive cookie" },
  { "moment_disk", "moment", "moment position target mode frozen overlay format tag bitmap" },
  { "current", "domain", "domain moment" },
  { "journal", "seq", "seq id operation domain phase n_done uid started finding plan" },
};

/* Columns lose their types and their duty to be there. */
static const char *const loosen =
    "PRAGMA foreign_keys = OFF; PRAGMA writable_schema = ON;"
    "UPDATE sqlite_schema SET sql = replace (replace (replace (sql, ') STRICT, ', ') '),"
    " ') STRICT', ')'), ' NOT NULL', '');"
    "PRAGMA writable_schema = RESET";

static sqlite3 *
database_new (void)
{
  g_autoptr (StmRowWriter) writer = NULL;
  g_autoptr (StmChange) first = golden_change (GOLDEN_VERSION);
  g_autoptr (StmChange) second = sample_define (2, 8);
  g_autoptr (StmJournalEntry) entry = golden_entry (GOLDEN_VERSION);
  sqlite3 *db = NULL;

  g_assert_cmpint (sqlite3_open (":memory:", &db), ==, SQLITE_OK);
  g_assert_true (stm_schema_upgrade (db, NULL));
  writer = stm_row_writer_new (db, NULL);
  g_assert_nonnull (writer);
  g_assert_true (stm_row_writer_write_change (writer, first, NULL));
  g_assert_true (stm_row_writer_write_change (writer, second, NULL));
  g_assert_true (stm_row_writer_put_entry (writer, entry, NULL));
  g_clear_pointer (&writer, stm_row_writer_free);
  g_assert_cmpint (sqlite3_exec (db, loosen, NULL, NULL, NULL), ==, SQLITE_OK);

  return db;
}

/* The statement that overwrites a cell, by a name as the input has it; NULL when there is none. */
static char *
update_of (const char *name)
{
  g_auto (GStrv) parts = g_strsplit_set (name, ".@", 3);

  if (g_strv_length (parts) < 2)
    return NULL;
  for (gsize i = 0; i < G_N_ELEMENTS (tables); i++)
    {
      g_auto (GStrv) columns = g_strsplit (tables[i].columns, " ", -1);

      if (!g_str_equal (tables[i].name, parts[0])
          || !g_strv_contains ((const char *const *) columns, parts[1]))
        continue;
      if (parts[2] == NULL)
        return g_strdup_printf ("UPDATE OR IGNORE %s SET %s = ?1", parts[0], parts[1]);

      return g_strdup_printf ("UPDATE OR IGNORE %s SET %s = ?1 WHERE %s = %" G_GINT64_FORMAT,
                              parts[0], parts[1], tables[i].key,
                              g_ascii_strtoll (parts[2], NULL, 10));
    }

  return NULL;
}

static void
bind_value (sqlite3_stmt *statement, const char *value, int length)
{
  g_autofree char *number = g_strndup (value, (gsize) length);

  switch (*value)
    {
    case 'i':
      sqlite3_bind_int64 (statement, 1, g_ascii_strtoll (number + 1, NULL, 10));
      break;
    case 'r':
      sqlite3_bind_double (statement, 1, g_ascii_strtod (number + 1, NULL));
      break;
    case 't':
      sqlite3_bind_text (statement, 1, value + 1, length - 1, SQLITE_TRANSIENT);
      break;
    case 'b':
      sqlite3_bind_blob (statement, 1, value + 1, length - 1, SQLITE_TRANSIENT);
      break;
    default:
      sqlite3_bind_null (statement, 1);
    }
}

static void
overwrite (sqlite3 *db, const char *line, size_t length)
{
  const char *space = memchr (line, ' ', MIN (length, MAX_NAME));
  g_autofree char *name = space == NULL ? NULL : g_strndup (line, (gsize) (space - line));
  g_autofree char *text = name == NULL ? NULL : update_of (name);
  sqlite3_stmt *statement = NULL;

  if (text == NULL || space + 1 == line + length)
    return;
  g_assert_cmpint (sqlite3_prepare_v2 (db, text, -1, &statement, NULL), ==, SQLITE_OK);
  bind_value (statement, space + 1, (int) (line + length - space - 1));
  /* May fail where a key would be there twice. */
  sqlite3_step (statement);
  sqlite3_finalize (statement);
}

/* All that is shown is sound, and fits a model that nothing else has been put into. */
static void
check_content (const StmStoreContent *content)
{
  g_autoptr (StmModel) model = model_of_content (content);

  for (guint i = 0; i < content->changes->len; i++)
    {
      const StmChange *change = g_ptr_array_index (content->changes, i);

      g_assert_true (stm_domain_is_sound (change->domain, NULL));
      for (guint j = 0; j < change->put_moments->len; j++)
        g_assert_true (stm_moment_is_sound (change->put_moments->pdata[j], NULL));
    }
  assert_models_equal (model, content->model);
}

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
  g_autoptr (sqlite3) db = database_new ();
  g_autoptr (StmProblems) problems = stm_problems_new ();
  g_autoptr (StmStoreContent) content = NULL;
  const char *line = (const char *) data;

  for (guint i = 0; i < MAX_LINES && size > 0; i++)
    {
      const char *end = memchr (line, '\n', size);
      size_t length = end == NULL ? size : (size_t) (end - line);

      overwrite (db, line, length);
      size -= MIN (length + 1, size);
      line += length + 1;
    }
  content = stm_row_reader_read (db, problems);
  check_content (content);

  return 0;
}
