/* Runs one fuzz target over each file of its corpus, whole and cut short, as an ordinary test.
 *
 * The folder is the argument. Each input stands in a block of just its size, so that a sanitizer
 * sees a read past its end.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "fuzz.h"

#include <gio/gio.h>
#include <string.h>

#define MAX_CUTS 64

static void
run (const char *contents, gsize length)
{
  g_autofree uint8_t *exact = g_malloc (MAX (length, 1));

  if (length > 0)
    memcpy (exact, contents, length);
  g_assert_cmpint (LLVMFuzzerTestOneInput (exact, length), ==, 0);
}

static void
test_file (gconstpointer data)
{
  g_autofree char *contents = NULL;
  g_autoptr (GError) error = NULL;
  gsize length;
  gsize step;

  g_file_get_contents (data, &contents, &length, &error);
  g_assert_no_error (error);
  run (contents, length);
  step = MAX (length / MAX_CUTS, 1);
  for (gsize cut = 0; cut < length; cut += step)
    run (contents, cut);
}

int
main (int argc, char **argv)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GDir) dir = NULL;
  g_autofree char *target = NULL;
  const char *name;
  guint count = 0;

  g_test_init (&argc, &argv, NULL);
  g_assert_cmpint (argc, ==, 2);
  target = g_path_get_basename (argv[1]);
  dir = g_dir_open (argv[1], 0, &error);
  g_assert_no_error (error);
  for (; (name = g_dir_read_name (dir)) != NULL; count++)
    {
      g_autofree char *path = g_strdup_printf ("/fuzz/%s/%s", target, name);

      g_test_add_data_func_full (path, g_build_filename (argv[1], name, NULL), test_file, g_free);
    }
  g_assert_cmpuint (count, >=, 15);
  return g_test_run ();
}
