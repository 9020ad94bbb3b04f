/* Files of the document tests: the folders below tests/data/xml and what is expected of them.
 *
 * in/<kind>/ holds documents that are accepted; out/<kind>/ what is expected of each;
 * invalid/<kind>/ documents that are refused. in/ documents are valid by libvirt's schema, but for
 * those named loose-*. With the environment variable STEMMA_REGENERATE=1 the tests write out/
 * instead of comparing with it, into the source tree; look at the difference before you commit it.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include <gio/gio.h>
#include <string.h>

static inline gboolean
xml_files_regenerate (void)
{
  return g_strcmp0 (g_getenv ("STEMMA_REGENERATE"), "1") == 0;
}

static inline char *
xml_files_path (const char *folder, const char *kind, const char *name)
{
  return g_test_build_filename (G_TEST_DIST, "data", "xml", folder, kind, name, NULL);
}

static inline char *
xml_files_read (const char *folder, const char *kind, const char *name)
{
  g_autofree char *path = xml_files_path (folder, kind, name);
  g_autoptr (GError) error = NULL;
  char *text = NULL;

  g_file_get_contents (path, &text, NULL, &error);
  g_assert_no_error (error);
  return text;
}

static inline int
xml_files_compare (gconstpointer a, gconstpointer b)
{
  return strcmp (*(const char *const *) a, *(const char *const *) b);
}

/* The names of the documents in a folder, sorted, with ".xml". */
static inline GPtrArray *
xml_files_list (const char *folder, const char *kind)
{
  g_autofree char *path = xml_files_path (folder, kind, NULL);
  g_autoptr (GError) error = NULL;
  g_autoptr (GDir) dir = g_dir_open (path, 0, &error);
  GPtrArray *names = g_ptr_array_new_with_free_func (g_free);
  const char *name;

  g_assert_no_error (error);
  while ((name = g_dir_read_name (dir)) != NULL)
    if (g_str_has_suffix (name, ".xml"))
      g_ptr_array_add (names, g_strdup (name));
  g_ptr_array_sort (names, xml_files_compare);
  g_assert_cmpuint (names->len, >, 0);
  return names;
}

/* Compares with out/<kind>/<stem>.<suffix>, or writes it. */
static inline void
xml_files_expect (const char *kind, const char *name, const char *suffix, const char *text)
{
  g_autofree char *stem = g_strndup (name, strlen (name) - strlen (".xml"));
  g_autofree char *file = g_strconcat (stem, ".", suffix, NULL);
  g_autofree char *expected = NULL;

  if (xml_files_regenerate ())
    {
      g_autofree char *path = xml_files_path ("out", kind, file);
      g_autoptr (GError) error = NULL;

      g_file_set_contents (path, text, -1, &error);
      g_assert_no_error (error);
      return;
    }
  expected = xml_files_read ("out", kind, file);
  if (strcmp (text, expected) != 0)
    g_test_message ("%s is not as expected:\n%s", file, text);
  g_assert_cmpstr (text, ==, expected);
}
