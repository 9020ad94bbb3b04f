/* Redefinition on real images: what documents name is found by its header, validated, and reverted
 * to, bytes compared.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "registry-call.h"
#include "stemma-error.h"
#include "stm-qemu-driver.h"
#include "test-images.h"

#include <glib/gstdio.h>
#include <string.h>
#include <unistd.h>

#define UUID "d0000000-0000-0000-0000-000000000001"
#define ID "d0000000000000000000000000000001"
#define SIZE (1024 * 1024)

/* base <- old <- top (active); old <- other, which only documents name. */
typedef struct
{
  char *directory;
  char *base, *old, *top, *other;
  StmDriver *driver;
  StmRegistry *registry;
} Fixture;

static void
assert_done (GError *taken_error)
{
  g_autoptr (GError) error = taken_error;

  g_assert_no_error (error);
}

static char *
make_domain (const char *source)
{
  return g_strdup_printf ("<domain type='kvm'><name>vm</name><uuid>" UUID "</uuid><devices>"
                          "<disk type='file' device='disk'><driver name='qemu' type='qcow2'/>"
                          "<source file='%s'/><target dev='vda' bus='virtio'/></disk>"
                          "</devices></domain>",
                          source);
}

/* `mode` is what <disk> says after its name. */
static GError *
redefine (Fixture *self, StmMomentKind kind, const char *name, const char *mode, const char *source,
          gboolean validates)
{
  g_autofree char *domain = source != NULL ? make_domain (source) : g_strdup ("");
  const char *root = kind == STM_MOMENT_SNAPSHOT ? "domainsnapshot" : "domaincheckpoint";
  g_autofree char *document = g_strdup_printf (
      "<%s><name>%s</name>%s<creationTime>1</creationTime><disks><disk name='vda'%s</disks>%s</%s>",
      root, name, kind == STM_MOMENT_SNAPSHOT ? "<state>shutoff</state>" : "", mode, domain, root);
  const char *const documents[] = { document, NULL };
  const StmRedefineRequest request = {
    .kind = kind, .fd = -1, .documents = documents, .validates = validates
  };

  return registry_run (self->registry, stm_op_redefine_new (ID, &request));
}

static const StmMoment *
find (Fixture *self, StmMomentKind kind, const char *name)
{
  return stm_tree_find (stm_model_tree (stm_registry_get_model (self->registry), ID, kind), name);
}

static char *
revert (Fixture *self, const char *name, gboolean forces)
{
  const StmRevertRequest request = { .moment_id = find (self, STM_MOMENT_SNAPSHOT, name)->id,
                                     .keep = "kept",
                                     .forces = forces };
  const StmDomain *domain;

  assert_done (registry_run (self->registry, stm_op_revert_new (ID, &request)));
  domain = stm_model_get_domain (stm_registry_get_model (self->registry), ID);
  return test_image_digest (domain->disks[0].source, "qcow2");
}

static void
make_images (Fixture *self)
{
  self->base = g_build_filename (self->directory, "base.qcow2", NULL);
  self->old = g_build_filename (self->directory, "old.qcow2", NULL);
  self->top = g_build_filename (self->directory, "top.qcow2", NULL);
  self->other = g_build_filename (self->directory, "other.qcow2", NULL);
  test_image_create (self->base, "qcow2", SIZE, NULL, NULL);
  test_image_write (self->base, "qcow2", 1, 0, 65536);
  test_image_create (self->old, "qcow2", 0, self->base, "qcow2");
  test_image_write (self->old, "qcow2", 2, 65536, 65536);
  test_image_create (self->top, "qcow2", 0, self->old, "qcow2");
  test_image_write (self->top, "qcow2", 3, 0, 65536);
  test_image_create (self->other, "qcow2", 0, self->old, "qcow2");
  test_image_write (self->other, "qcow2", 4, 131072, 65536);
}

static void
set_up (Fixture *self, gconstpointer data)
{
  g_autofree char *domain = NULL;
  g_autofree char *run = NULL;
  g_autofree char *state = NULL;
  g_autoptr (GError) error = NULL;
  StmOp *op;

  if (!test_images_have_tools ())
    return;
  self->directory = test_directory_new ();
  make_images (self);
  run = g_build_filename (self->directory, "run", NULL);
  state = g_build_filename (self->directory, "state", NULL);
  self->driver = STM_DRIVER (stm_qemu_driver_new (NULL, NULL, run));
  self->registry = stm_registry_open_sync (self->driver, state, NULL, &error);
  g_assert_no_error (error);
  domain = make_domain (self->top);
  op = stm_op_define_new (domain, &error);
  g_assert_no_error (error);
  assert_done (registry_run (self->registry, op));
}

static void
tear_down (Fixture *self, gconstpointer data)
{
  if (self->directory == NULL)
    return;
  stm_registry_close_sync (self->registry);
  g_clear_object (&self->registry);
  while (g_main_context_iteration (NULL, FALSE))
    ;
  g_clear_object (&self->driver);
  test_directory_remove (self->directory);
  g_free (self->directory);
  g_free (self->base);
  g_free (self->old);
  g_free (self->top);
  g_free (self->other);
}

static void
test_on_record (Fixture *self, gconstpointer data)
{
  g_autofree char *before = NULL;
  g_autofree char *after = NULL;

  if (self->directory == NULL)
    return;
  before = test_image_digest (self->old, "qcow2");
  assert_done (redefine (self, STM_MOMENT_SNAPSHOT, "a", " snapshot='external'/>", self->old,
                         /* validates= */ TRUE));
  after = revert (self, "a", FALSE);
  g_assert_cmpstr (after, ==, before);
  g_assert_true (g_file_test (self->top, G_FILE_TEST_EXISTS));
}

static void
test_by_header (Fixture *self, gconstpointer data)
{
  g_autofree char *before = NULL;
  g_autofree char *after = NULL;
  const StmImage *image;

  if (self->directory == NULL)
    return;
  before = test_image_digest (self->other, "qcow2");
  assert_done (redefine (self, STM_MOMENT_SNAPSHOT, "b", " snapshot='external'/>", self->other,
                         /* validates= */ FALSE));
  image = stm_model_get_image (stm_registry_get_model (self->registry), ID, self->other);
  g_assert_cmpint (image->origin, ==, STM_IMAGE_BACKING);
  g_assert_cmpstr (image->backing, ==, self->old);
  after = revert (self, "b", FALSE);
  g_assert_cmpstr (after, ==, before);
}

/* Without a <domain> the overlay's header proves what was frozen; reverted to with force alone. */
static void
test_by_overlay (Fixture *self, gconstpointer data)
{
  g_autofree char *before = NULL;
  g_autofree char *after = NULL;
  g_autofree char *mode = NULL;
  g_autoptr (GError) error = NULL;
  StmRevertRequest request = { .keep = "kept" };

  if (self->directory == NULL)
    return;
  before = test_image_digest (self->old, "qcow2");
  mode = g_strdup_printf (" snapshot='external'><source file='%s'/></disk>", self->other);
  assert_done (redefine (self, STM_MOMENT_SNAPSHOT, "c", mode, NULL, /* validates= */ FALSE));
  g_assert_cmpstr (find (self, STM_MOMENT_SNAPSHOT, "c")->disks[0].frozen, ==, self->old);
  request.moment_id = find (self, STM_MOMENT_SNAPSHOT, "c")->id;
  error = registry_run (self->registry, stm_op_revert_new (ID, &request));
  g_assert_error (error, STEMMA_ERROR, STEMMA_ERROR_RISKY);
  after = revert (self, "c", TRUE);
  g_assert_cmpstr (after, ==, before);
}

/* What cannot be read is kept as a record that nobody relies on. */
static void
test_missing (Fixture *self, gconstpointer data)
{
  g_autofree char *gone = NULL;
  g_autofree char *files = NULL;
  g_autofree char *files_after = NULL;
  g_autoptr (GError) refusal = NULL;
  g_autoptr (GError) error = NULL;
  StmRevertRequest request = { .keep = "kept" };

  if (self->directory == NULL)
    return;
  gone = g_build_filename (self->directory, "gone.qcow2", NULL);
  files = test_directory_list (self->directory);
  refusal = redefine (self, STM_MOMENT_SNAPSHOT, "d", " snapshot='external'/>", gone,
                      /* validates= */ TRUE);
  g_assert_error (refusal, STEMMA_ERROR, STEMMA_ERROR_NOT_FOUND);
  g_assert_null (find (self, STM_MOMENT_SNAPSHOT, "d"));
  assert_done (redefine (self, STM_MOMENT_SNAPSHOT, "d", " snapshot='external'/>", gone,
                         /* validates= */ FALSE));
  g_assert_cmpint (find (self, STM_MOMENT_SNAPSHOT, "d")->health, ==, STM_HEALTH_MISSING);
  request.moment_id = find (self, STM_MOMENT_SNAPSHOT, "d")->id;
  error = registry_run (self->registry, stm_op_revert_new (ID, &request));
  g_assert_error (error, STEMMA_ERROR, STEMMA_ERROR_CHAIN_BROKEN);
  files_after = test_directory_list (self->directory);
  g_assert_cmpstr (files_after, ==, files);
}

/* A definition that is older than the snapshot is put right first: then the machine writes
 * elsewhere than into what was frozen. */
static void
test_active (Fixture *self, gconstpointer data)
{
  g_autofree char *next = NULL;
  g_autofree char *mode = NULL;
  g_autofree char *domain = NULL;
  g_autofree char *before = NULL;
  g_autofree char *after = NULL;
  g_autoptr (GError) refusal = NULL;
  g_autoptr (GError) error = NULL;
  StmOp *op;

  if (self->directory == NULL)
    return;
  next = g_build_filename (self->directory, "next.qcow2", NULL);
  test_image_create (next, "qcow2", 0, self->top, "qcow2");
  test_image_write (next, "qcow2", 5, 0, 65536);
  mode = g_strdup_printf (" snapshot='external'><source file='%s'/></disk>", next);
  refusal = redefine (self, STM_MOMENT_SNAPSHOT, "e", mode, self->top, /* validates= */ FALSE);
  g_assert_error (refusal, STEMMA_ERROR, STEMMA_ERROR_IN_USE);
  g_assert_nonnull (strstr (refusal->message, next));
  g_assert_null (find (self, STM_MOMENT_SNAPSHOT, "e"));

  domain = make_domain (next);
  op = stm_op_define_new (domain, &error);
  g_assert_no_error (error);
  assert_done (registry_run (self->registry, op));
  assert_done (redefine (self, STM_MOMENT_SNAPSHOT, "e", mode, self->top, /* validates= */ TRUE));
  before = test_image_digest (self->top, "qcow2");
  after = revert (self, "e", FALSE);
  g_assert_cmpstr (after, ==, before);
}

/* A link is what it leads to. */
static void
test_link (Fixture *self, gconstpointer data)
{
  g_autofree char *to_old = NULL;
  g_autofree char *to_top = NULL;
  g_autoptr (GError) refusal = NULL;

  if (self->directory == NULL)
    return;
  to_old = g_build_filename (self->directory, "to-old.qcow2", NULL);
  to_top = g_build_filename (self->directory, "to-top.qcow2", NULL);
  g_assert_cmpint (symlink (self->old, to_old), ==, 0);
  g_assert_cmpint (symlink (self->top, to_top), ==, 0);
  assert_done (redefine (self, STM_MOMENT_SNAPSHOT, "g", " snapshot='external'/>", to_old,
                         /* validates= */ FALSE));
  g_assert_cmpstr (find (self, STM_MOMENT_SNAPSHOT, "g")->disks[0].frozen, ==, self->old);
  g_assert_cmpint (find (self, STM_MOMENT_SNAPSHOT, "g")->health, ==, STM_HEALTH_OK);
  refusal = redefine (self, STM_MOMENT_SNAPSHOT, "h", " snapshot='external'/>", to_top,
                      /* validates= */ FALSE);
  g_assert_error (refusal, STEMMA_ERROR, STEMMA_ERROR_IN_USE);
}

/* Also through a link, and by what a header names. */
static void
test_outside (Fixture *self, gconstpointer data)
{
  g_autofree char *directory = NULL;
  g_autofree char *outside = NULL;
  g_autofree char *link = NULL;
  g_autofree char *over = NULL;

  if (self->directory == NULL)
    return;
  directory = test_directory_new ();
  outside = g_build_filename (directory, "outside.qcow2", NULL);
  link = g_build_filename (self->directory, "link.qcow2", NULL);
  over = g_build_filename (self->directory, "over.qcow2", NULL);
  test_image_create (outside, "qcow2", SIZE, NULL, NULL);
  test_image_create (over, "qcow2", 0, outside, "qcow2");
  g_assert_cmpint (symlink (outside, link), ==, 0);

  const char *const paths[] = { outside, link, over };
  for (gsize i = 0; i < G_N_ELEMENTS (paths); i++)
    {
      g_autoptr (GError)
          refusal = redefine (self, STM_MOMENT_SNAPSHOT, "f", " snapshot='external'/>", paths[i],
                              /* validates= */ FALSE);

      g_test_message ("%s", refusal != NULL ? refusal->message : "accepted");
      g_assert_error (refusal, STEMMA_ERROR, STEMMA_ERROR_NOT_ALLOWED);
      g_assert_null (find (self, STM_MOMENT_SNAPSHOT, "f"));
    }
  test_directory_remove (directory);
}

static void
test_tag (Fixture *self, gconstpointer data)
{
  g_autoptr (GError) refusal = NULL;
  g_autofree char *output = NULL;

  if (self->directory == NULL)
    return;
  refusal = redefine (self, STM_MOMENT_SNAPSHOT, "20240101", " snapshot='internal'/>", self->top,
                      /* validates= */ TRUE);
  g_assert_error (refusal, STEMMA_ERROR, STEMMA_ERROR_CHAIN_BROKEN);
  output = test_run ("qemu-img", "snapshot", "-c", "20240101", self->top, NULL);
  assert_done (redefine (self, STM_MOMENT_SNAPSHOT, "20240101", " snapshot='internal'/>", self->top,
                         /* validates= */ TRUE));
  g_assert_cmpstr (find (self, STM_MOMENT_SNAPSHOT, "20240101")->disks[0].tag, ==, "20240101");
}

static void
add_bitmap (const char *image, const char *name)
{
  g_free (test_run ("qemu-img", "bitmap", "--add", image, name, NULL));
}

static void
test_bitmap (Fixture *self, gconstpointer data)
{
  g_autoptr (GError) refusal = NULL;

  if (self->directory == NULL)
    return;
  add_bitmap (self->old, "c1");
  refusal = redefine (self, STM_MOMENT_CHECKPOINT, "c1", " checkpoint='bitmap'/>", self->base,
                      /* validates= */ TRUE);
  g_assert_error (refusal, STEMMA_ERROR, STEMMA_ERROR_BITMAP_MISSING);
  add_bitmap (self->top, "c1");
  assert_done (redefine (self, STM_MOMENT_CHECKPOINT, "c1", " checkpoint='bitmap'/>", self->base,
                         /* validates= */ TRUE));
  g_assert_cmpstr (find (self, STM_MOMENT_CHECKPOINT, "c1")->disks[0].frozen, ==, self->old);
  g_assert_cmpint (find (self, STM_MOMENT_CHECKPOINT, "c1")->health, ==, STM_HEALTH_OK);
}

/* The bitmap that is there stays on record until it is forgotten, or another is seen. */
static void
test_other_bitmap (Fixture *self, gconstpointer data)
{
  const char *other = " checkpoint='bitmap' bitmap='c2'/>";
  g_autoptr (GError) refusal = NULL;

  if (self->directory == NULL)
    return;
  add_bitmap (self->top, "c1");
  assert_done (redefine (self, STM_MOMENT_CHECKPOINT, "c1", " checkpoint='bitmap'/>", self->base,
                         /* validates= */ TRUE));
  refusal = redefine (self, STM_MOMENT_CHECKPOINT, "c1", other, self->base,
                      /* validates= */ FALSE);
  g_assert_error (refusal, STEMMA_ERROR, STEMMA_ERROR_INVALID_ARGUMENT);
  g_test_message ("%s", refusal->message);
  g_assert_cmpstr (find (self, STM_MOMENT_CHECKPOINT, "c1")->disks[0].bitmap, ==, "c1");
  add_bitmap (self->top, "c2");
  assert_done (redefine (self, STM_MOMENT_CHECKPOINT, "c1", other, self->base,
                         /* validates= */ TRUE));
  g_assert_cmpstr (find (self, STM_MOMENT_CHECKPOINT, "c1")->disks[0].bitmap, ==, "c2");
}

/* After all snapshots were forgotten the disk is as it was, and the service goes on. */
static void
test_forget (Fixture *self, gconstpointer data)
{
  g_autofree char *before = NULL;
  g_autofree char *after = NULL;

  if (self->directory == NULL)
    return;
  before = test_image_digest (self->top, "qcow2");
  assert_done (
      registry_run (self->registry, stm_op_create_new (ID, &(StmCreateRequest){ .name = "s" })));
  assert_done (redefine (self, STM_MOMENT_SNAPSHOT, "b", " snapshot='external'/>", self->other,
                         /* validates= */ FALSE));
  assert_done (registry_run (self->registry, stm_op_forget_all_new (ID, STM_MOMENT_SNAPSHOT)));
  g_assert_null (stm_model_get_image (stm_registry_get_model (self->registry), ID, self->other));
  assert_done (
      registry_run (self->registry, stm_op_create_new (ID, &(StmCreateRequest){ .name = "s" })));
  after = revert (self, "s", FALSE);
  g_assert_cmpstr (after, ==, before);
}

#define ADD(path, test) g_test_add (path, Fixture, NULL, set_up, test, tear_down)

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  ADD ("/ops/redefine/images/one-on-record-is-reverted-to", test_on_record);
  ADD ("/ops/redefine/images/one-found-by-its-header-is-reverted-to", test_by_header);
  ADD ("/ops/redefine/images/the-overlay-proves-what-was-frozen", test_by_overlay);
  ADD ("/ops/redefine/images/one-that-is-gone-is-never-relied-on", test_missing);
  ADD ("/ops/redefine/images/the-active-one-holds-no-external-snapshot", test_active);
  ADD ("/ops/redefine/images/a-link-is-what-it-leads-to", test_link);
  ADD ("/ops/redefine/images/one-outside-the-policy-is-refused", test_outside);
  ADD ("/ops/redefine/images/a-tag-is-there-or-the-document-is-refused", test_tag);
  ADD ("/ops/redefine/images/a-bitmap-is-traced-to-where-it-began", test_bitmap);
  ADD ("/ops/redefine/images/a-bitmap-gives-way-to-one-that-was-seen-alone", test_other_bitmap);
  ADD ("/ops/forget/images/the-bytes-stay-and-the-tree-is-usable", test_forget);
  return g_test_run ();
}
