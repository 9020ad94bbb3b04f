/* The catalogue of faults: a machine of two hundred real disks, more than a message carries
 * descriptors for with room to spare, goes through every operation.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "catalogue-kit.h"

#include <string.h>

#define N_DISKS 200
#define LARGE (1024 * 1024)

/* All disks but vda and vdb are like those. */
static void
define_many (Catalogue *self)
{
  g_autofree char *filling = g_strnfill (LARGE, 'x');
  g_autofree char *like = catalogue_path (self, "a.qcow2");
  g_autoptr (GString) text = g_string_new ("<domain type='qemu'><name>vm</name>"
                                           "<uuid>" CATALOGUE_UUID "</uuid><metadata>"
                                           "<n:a xmlns:n='urn:n'>");
  g_autofree char *content = NULL;
  gsize length = 0;
  g_autoptr (GError) error = NULL;
  StmOp *op = NULL;

  g_string_append_printf (text, "%s</n:a></metadata><devices>", filling);
  g_file_get_contents (like, &content, &length, &error);
  g_assert_no_error (error);
  for (guint i = 0; i < N_DISKS; i++)
    {
      g_autofree char *name = i < 2 ? g_strdup_printf ("%c.qcow2", 'a' + i)
                                    : g_strdup_printf ("disk-%u.qcow2", i);
      g_autofree char *path = catalogue_path (self, name);
      g_autofree char *target = i < 2 ? g_strdup_printf ("vd%c", 'a' + i)
                                      : g_strdup_printf ("vd%c%c", 'a' + i / 26, 'a' + i % 26);

      if (i >= 2)
        g_file_set_contents (path, content, (gssize) length, &error);
      g_assert_no_error (error);
      g_string_append_printf (text,
                              "<disk type='file'><driver name='qemu' type='qcow2'/>"
                              "<source file='%s'/><target dev='%s'/></disk>",
                              path, target);
    }
  g_string_append (text, "</devices></domain>");
  op = stm_op_define_new (text->str, &error);
  g_assert_no_error (error);
  catalogue_do (self, op);
}

static void
assert_sound (Catalogue *self)
{
  g_autofree char *found = catalogue_check (self);

  g_assert_cmpstr (found, ==, "");
}

static void
test_many (Catalogue *self, gconstpointer unused)
{
  g_autofree char *first = NULL;
  g_autofree char *second = NULL;

  if (self->directory == NULL)
    return;
  define_many (self);
  catalogue_do (self, catalogue_create ("external", STM_MODE_EXTERNAL));
  catalogue_do (self, catalogue_checkpoint ("c"));
  catalogue_write (self, 'b', 1, 1);
  first = catalogue_see (self);
  catalogue_restart (self);
  g_assert_cmpuint (catalogue_find (self, STM_MOMENT_SNAPSHOT, "external")->n_disks, ==, N_DISKS);
  g_assert_cmpuint (catalogue_find (self, STM_MOMENT_CHECKPOINT, "c")->n_disks, ==, N_DISKS);
  assert_sound (self);
  catalogue_do (self, catalogue_delete (self, STM_MOMENT_CHECKPOINT, "c", STM_DELETE_ONE));
  catalogue_do (self, catalogue_create ("internal", STM_MODE_INTERNAL));
  catalogue_write (self, 'b', 1, 2);
  catalogue_do (self, catalogue_revert (self, "internal"));
  second = catalogue_see (self);
  g_assert_cmpstr (second, ==, first);
  catalogue_do (self, catalogue_delete (self, STM_MOMENT_SNAPSHOT, "external", STM_DELETE_SUBTREE));
  g_free (second);
  second = catalogue_see (self);
  g_assert_cmpstr (second, ==, first);
  assert_sound (self);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add ("/ops/catalogue/disks/two-hundred-go-through-every-operation", Catalogue, NULL,
              catalogue_set_up, test_many, catalogue_tear_down);
  return g_test_run ();
}
