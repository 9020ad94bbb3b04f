/* Runs qemu-img, qemu-io and qemu-system for tests.
 *
 * Without syncs: what is read is read from the same kernel, and no test cuts the power.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "test-images.h"

#include <glib/gstdio.h>
#include <json-glib/json-glib.h>

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>

gboolean
test_images_have_tools (void)
{
  static const char *const tools[] = { "qemu-img", "qemu-io", "qemu-system-x86_64" };

  for (gsize i = 0; i < G_N_ELEMENTS (tools); i++)
    {
      g_autofree char *path = g_find_program_in_path (tools[i]);

      if (path == NULL)
        {
          g_autofree char *why = g_strdup_printf ("there is no %s", tools[i]);

          g_test_skip (why);
          return FALSE;
        }
    }

  return TRUE;
}

char *
test_directory_new (void)
{
  g_autoptr (GError) error = NULL;
  g_autofree char *made = g_dir_make_tmp ("stemma-test-XXXXXX", &error);

  g_assert_no_error (error);
  return g_canonicalize_filename (made, NULL);
}

void
test_directory_remove (const char *directory)
{
  g_autoptr (GDir) listing = g_dir_open (directory, 0, NULL);
  const char *name;

  while (listing != NULL && (name = g_dir_read_name (listing)) != NULL)
    {
      g_autofree char *path = g_build_filename (directory, name, NULL);

      if (g_file_test (path, G_FILE_TEST_IS_DIR) && !g_file_test (path, G_FILE_TEST_IS_SYMLINK))
        test_directory_remove (path);
      else
        (void) g_unlink (path);
    }
  (void) g_rmdir (directory);
}

static char *
run_vector (char **arguments)
{
  g_autoptr (GError) error = NULL;
  g_autofree char *words = NULL;
  char *output = NULL;
  int status = 0;

  g_spawn_sync (NULL, (char **) arguments, NULL, G_SPAWN_SEARCH_PATH, NULL, NULL, &output, &words,
                &status, &error);
  g_assert_no_error (error);
  if (status != 0)
    g_error ("%s %s: %s%s", arguments[0], arguments[1], output, words);

  return output;
}

char *
test_run (const char *program, ...)
{
  g_autoptr (GPtrArray) arguments = g_ptr_array_new ();
  const char *argument;
  va_list rest;

  g_ptr_array_add (arguments, (char *) program);
  va_start (rest, program);
  while ((argument = va_arg (rest, const char *)) != NULL)
    g_ptr_array_add (arguments, (char *) argument);
  va_end (rest);
  g_ptr_array_add (arguments, NULL);

  return run_vector ((char **) arguments->pdata);
}

void
test_image_create (const char *path, const char *format, guint64 size, const char *backing,
                   const char *backing_format)
{
  g_autofree char *size_text = g_strdup_printf ("%" G_GUINT64_FORMAT, size);
  g_autoptr (GPtrArray) arguments = g_ptr_array_new ();
  const char *const first[] = { "qemu-img", "create", "-q", "-f", format };
  g_autofree char *output = NULL;

  for (gsize i = 0; i < G_N_ELEMENTS (first); i++)
    g_ptr_array_add (arguments, (char *) first[i]);
  if (backing != NULL)
    {
      const char *const below[] = { "-b", backing, "-F", backing_format };

      for (gsize i = 0; i < G_N_ELEMENTS (below); i++)
        g_ptr_array_add (arguments, (char *) below[i]);
    }
  g_ptr_array_add (arguments, (char *) path);
  if (size != 0)
    g_ptr_array_add (arguments, size_text);
  g_ptr_array_add (arguments, NULL);
  output = run_vector ((char **) arguments->pdata);
}

void
test_image_write (const char *path, const char *format, guint pattern, guint64 offset,
                  guint64 length)
{
  g_autofree char *command = g_strdup_printf (
      "write -P %u %" G_GUINT64_FORMAT " %" G_GUINT64_FORMAT, pattern, offset, length);
  g_autofree char *output = test_run ("qemu-io", "-t", "unsafe", "-f", format, "-c", command, path,
                                      NULL);

  /* qemu-io of some versions ends with 0 when a write failed. */
  if (strstr (output, "wrote") == NULL)
    g_error ("qemu-io %s: %s", path, output);
}

char *
test_image_digest (const char *path, const char *format)
{
  g_autofree char *flat = g_strconcat (path, ".flat", NULL);
  g_autoptr (GMappedFile) file = NULL;

  g_free (test_run ("qemu-img", "convert", "-t", "unsafe", "-f", format, "-O", "raw", path, flat,
                    NULL));
  file = g_mapped_file_new (flat, FALSE, NULL);
  g_assert_nonnull (file);
  (void) g_unlink (flat);

  return g_compute_checksum_for_data (G_CHECKSUM_SHA1,
                                      (const guchar *) g_mapped_file_get_contents (file),
                                      g_mapped_file_get_length (file));
}

void
test_image_assert_sound (const char *path)
{
  g_autofree char *output = NULL;
  g_autofree char *words = NULL;
  const char *const arguments[] = { "qemu-img", "check", "-q", "-f", "qcow2", path, NULL };
  g_autoptr (GError) error = NULL;
  int status = 0;

  g_spawn_sync (NULL, (char **) arguments, NULL, G_SPAWN_SEARCH_PATH, NULL, NULL, &output, &words,
                &status, &error);
  g_assert_no_error (error);
  /* 3: clusters that were allocated and are not used, as after a kill; nothing is wrong with the
   * data. */
  if (!g_spawn_check_wait_status (status, &error)
      && !(error->domain == G_SPAWN_EXIT_ERROR && error->code == 3))
    g_error ("qemu-img check %s: %s%s", path, output, words);
}

static JsonNode *
get_info (const char *path)
{
  g_autofree char *output = test_run ("qemu-img", "info", "-U", "--output=json", "-f", "qcow2",
                                      path, NULL);
  g_autoptr (GError) error = NULL;
  JsonNode *info = json_from_string (output, &error);

  g_assert_no_error (error);
  return info;
}

char *
test_image_get_backing (const char *path, char **out_backing_format)
{
  g_autoptr (JsonNode) info = get_info (path);
  JsonObject *object = json_node_get_object (info);

  if (out_backing_format != NULL)
    *out_backing_format = g_strdup (
        json_object_get_string_member_with_default (object, "backing-filename-format", NULL));
  return g_strdup (json_object_get_string_member_with_default (object, "backing-filename", NULL));
}

guint64
test_image_get_capacity (const char *path)
{
  g_autoptr (JsonNode) info = get_info (path);

  return json_object_get_int_member (json_node_get_object (info), "virtual-size");
}

/* In the child. */
static void
die_with_parent (gpointer unused)
{
  (void) prctl (PR_SET_PDEATHSIG, SIGKILL);
}

/* It greets before its devices are there, and takes its locks with them; what it is told it does
 * after that. */
static void
await_devices (GSubprocess *holder)
{
  static const char command[] = "{\"execute\": \"qmp_capabilities\"}\n";
  GOutputStream *input = g_subprocess_get_stdin_pipe (holder);
  g_autoptr (GDataInputStream)
      output = g_data_input_stream_new (g_subprocess_get_stdout_pipe (holder));
  g_autofree char *greeting = NULL;
  g_autofree char *reply = NULL;
  g_autoptr (GError) error = NULL;

  g_filter_input_stream_set_close_base_stream (G_FILTER_INPUT_STREAM (output), FALSE);
  greeting = g_data_input_stream_read_line (output, NULL, NULL, &error);
  g_assert_no_error (error);
  g_assert_nonnull (greeting);
  g_output_stream_write_all (input, command, strlen (command), NULL, NULL, &error);
  g_assert_no_error (error);
  reply = g_data_input_stream_read_line (output, NULL, NULL, &error);
  g_assert_no_error (error);
  g_assert_nonnull (reply);
  g_assert_true (g_str_has_prefix (reply, "{\"return\""));
}

GSubprocess *
test_image_hold (const char *path, const char *format, gboolean is_read_only)
{
  const char *read_only = is_read_only ? "true" : "false";
  g_autofree char *file = g_strdup_printf (
      "{\"driver\": \"file\", \"filename\": \"%s\", \"node-name\": \"s\", "
      "\"read-only\": %s}",
      path, read_only);
  g_autofree char *image = g_strdup_printf (
      "{\"driver\": \"%s\", \"file\": \"s\", \"node-name\": \"f\", "
      "\"read-only\": %s%s}",
      format, read_only, strcmp (format, "raw") != 0 ? ", \"backing\": null" : "");
  g_autoptr (GSubprocessLauncher) launcher = g_subprocess_launcher_new (
      G_SUBPROCESS_FLAGS_STDOUT_PIPE | G_SUBPROCESS_FLAGS_STDIN_PIPE);
  g_autoptr (GError) error = NULL;
  GSubprocess *holder;

  g_subprocess_launcher_set_child_setup (launcher, die_with_parent, NULL, NULL);
  holder = g_subprocess_launcher_spawn (launcher, &error, "qemu-system-x86_64", "-machine",
                                        "q35,accel=tcg", "-nodefaults", "-display", "none", "-S",
                                        "-qmp", "stdio", "-blockdev", file, "-blockdev", image,
                                        "-device", "virtio-blk-pci,drive=f", NULL);
  g_assert_no_error (error);
  await_devices (holder);

  return holder;
}

void
test_image_let_go (GSubprocess *holder)
{
  g_subprocess_force_exit (holder);
  g_subprocess_wait (holder, NULL, NULL);
  g_object_unref (holder);
}

static int
compare_names (gconstpointer a, gconstpointer b)
{
  return strcmp (*(const char *const *) a, *(const char *const *) b);
}

char *
test_directory_list (const char *directory)
{
  g_autoptr (GDir) listing = g_dir_open (directory, 0, NULL);
  g_autoptr (GPtrArray) names = g_ptr_array_new_with_free_func (g_free);
  const char *name;

  g_assert_nonnull (listing);
  while ((name = g_dir_read_name (listing)) != NULL)
    g_ptr_array_add (names, g_strdup (name));
  g_ptr_array_sort (names, compare_names);
  g_ptr_array_add (names, NULL);

  return g_strjoinv (" ", (char **) names->pdata);
}
