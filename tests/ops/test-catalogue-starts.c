/* How many endpoints an operation starts for a machine of few disks and for one of many: counted,
 * for they are what an operation on many small images takes its time for.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "catalogue-kit.h"

#include <glib/gstdio.h>

#define PROGRAM "qemu-system-x86_64"
#define FEW 2
#define MANY 12

typedef struct
{
  guint n_disks;
  const char *log; /* one byte for each start */
} Machine;

/* Finds a script before QEMU, which leaves a byte in the log. Before there is any thread. */
static void
put_script (const char *directory, const char *log)
{
  g_autofree char *program = g_find_program_in_path (PROGRAM);
  g_autofree char *script = g_build_filename (directory, PROGRAM, NULL);
  g_autofree char *search = g_strdup_printf ("%s:%s", directory, g_getenv ("PATH"));
  g_autofree char *text = NULL;

  if (program == NULL)
    return;
  text = g_strdup_printf ("#!/bin/sh\nprintf . >> '%s'\nexec '%s' \"$@\"\n", log, program);
  g_assert_true (g_file_set_contents (script, text, -1, NULL));
  g_assert_cmpint (g_chmod (script, 0700), ==, 0);
  g_setenv ("PATH", search, /* overwrite= */ TRUE);
}

static gsize
count_starts (const Machine *machine)
{
  g_autofree char *bytes = NULL;
  gsize length = 0;

  if (g_file_test (machine->log, G_FILE_TEST_EXISTS))
    g_assert_true (g_file_get_contents (machine->log, &bytes, &length, NULL));
  return length;
}

/* The kit's machine, with as many disks more as are wanted. */
static void
define (Catalogue *self, guint n_disks)
{
  g_autofree char *like = catalogue_path (self, "a.qcow2");
  g_autoptr (GString) text = g_string_new ("<domain type='qemu'><name>vm</name>"
                                           "<uuid>" CATALOGUE_UUID "</uuid><devices>");
  g_autofree char *content = NULL;
  g_autoptr (GError) error = NULL;
  gsize length = 0;
  StmOp *op;

  g_assert_true (g_file_get_contents (like, &content, &length, NULL));
  for (guint i = 0; i < n_disks; i++)
    {
      g_autofree char *name = g_strdup_printf ("%c.qcow2", 'a' + i);
      g_autofree char *path = catalogue_path (self, name);

      g_assert_true (g_file_set_contents (path, content, (gssize) length, NULL));
      g_string_append_printf (text,
                              "<disk type='file'><driver name='qemu' type='qcow2'/>"
                              "<source file='%s'/><target dev='vd%c'/></disk>",
                              path, 'a' + i);
    }
  g_string_append (text, "</devices></domain>");
  op = stm_op_define_new (text->str, &error);
  g_assert_no_error (error);
  catalogue_do (self, op);
}

static void
assert_takes_one (Catalogue *self, const Machine *machine, StmOp *op)
{
  gsize before = count_starts (machine);

  catalogue_do (self, op);
  g_assert_cmpuint (count_starts (machine), ==, before + 1);
}

static void
test_one (Catalogue *self, gconstpointer data)
{
  const Machine *machine = data;
  g_autofree char *found = NULL;

  if (self->directory == NULL)
    return;
  define (self, machine->n_disks);
  assert_takes_one (self, machine, catalogue_checkpoint ("c"));
  assert_takes_one (self, machine,
                    catalogue_delete (self, STM_MOMENT_CHECKPOINT, "c", STM_DELETE_ONE));
  assert_takes_one (self, machine, catalogue_create ("internal", STM_MODE_INTERNAL));
  assert_takes_one (self, machine,
                    catalogue_delete (self, STM_MOMENT_SNAPSHOT, "internal", STM_DELETE_ONE));
  assert_takes_one (self, machine, catalogue_create ("external", STM_MODE_EXTERNAL));
  found = catalogue_check (self);
  g_assert_cmpstr (found, ==, "");
}

#define ADD(path, data, function)                                                                  \
  g_test_add ("/ops/catalogue/starts/" path, Catalogue, data, catalogue_set_up, function,          \
              catalogue_tear_down)

int
main (int argc, char **argv)
{
  g_autofree char *directory = NULL;
  g_autofree char *log = NULL;
  int result;

  g_test_init (&argc, &argv, NULL);
  directory = test_directory_new ();
  log = g_build_filename (directory, "starts", NULL);
  put_script (directory, log);

  const Machine small = { FEW, log };
  const Machine large = { MANY, log };

  ADD ("an-operation-on-few-disks-takes-one", &small, test_one);
  ADD ("an-operation-on-many-disks-takes-one", &large, test_one);
  result = g_test_run ();
  test_directory_remove (directory);
  return result;
}
