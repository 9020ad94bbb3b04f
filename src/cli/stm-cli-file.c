/* Reads what is given to the service as text. Files are read as the user; the service is given the
 * words, never the path.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "stm-cli-file.h"

#include "stemma-error.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* The service takes no document as large as this. */
#define MAX_TEXT (64 * 1024 * 1024)
#define MAX_DOCUMENTS 1000000
#define MAX_ALL_TEXT (G_GUINT64_CONSTANT (1) << 31)
#define CHUNK (64 * 1024)

static gboolean
set_too_large (const char *path, guint64 limit, GError **error)
{
  g_autofree char *size = g_format_size_full (limit, G_FORMAT_SIZE_IEC_UNITS);

  g_set_error (error, STEMMA_ERROR, STEMMA_ERROR_TOO_LARGE, "'%s' has more than %s", path, size);
  return FALSE;
}

static gboolean
read_stream (FILE *stream, const char *path, guint64 limit, GByteArray *bytes, GError **error)
{
  g_autofree guint8 *chunk = g_malloc (CHUNK);
  gsize n_read = 0;

  while ((n_read = fread (chunk, 1, CHUNK, stream)) > 0)
    {
      if (bytes->len + n_read > limit)
        return set_too_large (path, limit, error);
      g_byte_array_append (bytes, chunk, (guint) n_read);
    }
  if (!ferror (stream))
    return TRUE;

  g_set_error (error, STEMMA_ERROR, STEMMA_ERROR_FAILED, "'%s' cannot be read: %s", path,
               g_strerror (errno));
  return FALSE;
}

static gboolean
read_bytes (const char *path, guint64 limit, GByteArray *bytes, GError **error)
{
  FILE *stream = g_str_equal (path, "-") ? stdin : fopen (path, "re");
  gboolean is_read = FALSE;

  if (stream == NULL)
    {
      g_set_error (error, STEMMA_ERROR,
                   errno == ENOENT ? STEMMA_ERROR_NOT_FOUND : STEMMA_ERROR_FAILED,
                   "'%s' cannot be opened: %s", path, g_strerror (errno));
      return FALSE;
    }

  is_read = read_stream (stream, path, limit, bytes, error);
  if (stream != stdin)
    fclose (stream);
  return is_read;
}

/* A string of the bus is UTF-8 without NUL. */
static char *
to_text (const char *bytes, gsize length, const char *path, GError **error)
{
  if (g_utf8_validate (bytes, (gssize) length, NULL))
    return g_strndup (bytes, length);

  g_set_error (error, STEMMA_ERROR, STEMMA_ERROR_INVALID_XML, "'%s' is not text in UTF-8", path);
  return NULL;
}

char *
stm_cli_file_read_text (const char *path, GError **error)
{
  g_autoptr (GByteArray) bytes = g_byte_array_new ();

  if (!read_bytes (path, MAX_TEXT, bytes, error))
    return NULL;
  if (bytes->len == 0)
    {
      g_set_error (error, STEMMA_ERROR, STEMMA_ERROR_INVALID_XML, "'%s' is empty", path);
      return NULL;
    }
  return to_text ((const char *) bytes->data, bytes->len, path, error);
}

static gboolean
add_document (GPtrArray *documents, char *text, GError **error)
{
  if (text == NULL)
    return FALSE;

  g_ptr_array_add (documents, text);
  if (documents->len <= MAX_DOCUMENTS)
    return TRUE;
  g_set_error (error, STEMMA_ERROR, STEMMA_ERROR_TOO_MANY, "more than %d documents were given",
               MAX_DOCUMENTS);
  return FALSE;
}

/* White space after the last NUL is the end of the last line, not a document. */
static gboolean
is_blank (const char *bytes, gsize length)
{
  for (gsize i = 0; i < length; i++)
    {
      if (!g_ascii_isspace (bytes[i]))
        return FALSE;
    }
  return TRUE;
}

static gboolean
split_documents (GPtrArray *documents, GByteArray *bytes, const char *path, GError **error)
{
  /* An empty file has no bytes to point at. */
  const char *at = bytes->len > 0 ? (const char *) bytes->data : "";
  const char *end = at + bytes->len;

  while (at < end)
    {
      const char *nul = memchr (at, '\0', (gsize) (end - at));
      const char *stop = nul != NULL ? nul : end;

      if ((nul != NULL || !is_blank (at, (gsize) (stop - at)))
          && !add_document (documents, to_text (at, (gsize) (stop - at), path, error), error))
        return FALSE;
      at = nul != NULL ? nul + 1 : end;
    }
  return TRUE;
}

static int
compare_paths (gconstpointer left, gconstpointer right)
{
  return strcmp (*(const char *const *) left, *(const char *const *) right);
}

static gboolean
add_directory (GPtrArray *documents, const char *path, GError **error)
{
  g_autoptr (GDir) directory = NULL;
  g_autoptr (GPtrArray) names = g_ptr_array_new_with_free_func (g_free);
  g_autoptr (GError) problem = NULL;
  const char *name = NULL;

  directory = g_dir_open (path, 0, &problem);
  if (directory == NULL)
    {
      g_set_error_literal (error, STEMMA_ERROR, STEMMA_ERROR_FAILED, problem->message);
      return FALSE;
    }
  while ((name = g_dir_read_name (directory)) != NULL)
    {
      if (g_str_has_suffix (name, ".xml") && *name != '.')
        g_ptr_array_add (names, g_build_filename (path, name, NULL));
    }
  g_ptr_array_sort (names, compare_paths);
  for (guint i = 0; i < names->len; i++)
    {
      if (!add_document (documents, stm_cli_file_read_text (names->pdata[i], error), error))
        return FALSE;
    }
  return TRUE;
}

static gboolean
add_path (GPtrArray *documents, const char *path, GError **error)
{
  g_autoptr (GByteArray) bytes = NULL;

  if (g_file_test (path, G_FILE_TEST_IS_DIR))
    return add_directory (documents, path, error);

  bytes = g_byte_array_new ();
  return read_bytes (path, MAX_ALL_TEXT, bytes, error)
         && split_documents (documents, bytes, path, error);
}

GPtrArray *
stm_cli_file_read_documents (char **paths, guint n_paths, guint64 *out_size, GError **error)
{
  g_autoptr (GPtrArray) documents = g_ptr_array_new_with_free_func (g_free);
  guint64 size = 0;

  for (guint i = 0; i < n_paths; i++)
    {
      if (!add_path (documents, paths[i], error))
        return NULL;
    }
  for (guint i = 0; i < documents->len; i++)
    size += strlen (documents->pdata[i]) + 1;
  if (documents->len == 0)
    {
      g_set_error (error, STEMMA_ERROR, STEMMA_ERROR_NOT_FOUND, "there is no document in '%s'",
                   paths[0]);
      return NULL;
    }
  if (size > MAX_ALL_TEXT)
    {
      set_too_large (paths[0], MAX_ALL_TEXT, error);
      return NULL;
    }

  *out_size = size;
  return g_steal_pointer (&documents);
}

void
stm_cli_file_blame (const char *path, GError **error)
{
  if (error != NULL && g_error_matches (*error, STEMMA_ERROR, STEMMA_ERROR_INVALID_XML))
    g_prefix_error (error, "'%s': ", path);
}
