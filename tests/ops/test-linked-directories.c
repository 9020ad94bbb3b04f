/* Images in a directory that is reached through a symbolic link: whichever way they are spelled,
 * the service knows them by one path, and no link leads out of what was approved.
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

#define UUID "d0000000-0000-0000-0000-000000000002"
#define ID "d0000000000000000000000000000002"
#define SIZE (1024 * 1024)

/* images -> data; data/old <- data/top, the disk's own, which the definition calls images/top. */
typedef struct
{
  char *directory, *outside;
  char *old, *top, *spelled_old, *spelled_top;
  StmDriver *driver;
  StmRegistry *registry;
  StmPlan *plan;
  GError *error;
  gboolean is_over;
} Fixture;

static void
assert_done (GError *taken_error)
{
  g_autoptr (GError) error = taken_error;

  g_assert_no_error (error);
}

static void
assert_refused (GError *taken_error, int code, const char *named)
{
  g_autoptr (GError) error = taken_error;

  g_test_message ("%s", error != NULL ? error->message : "accepted");
  g_assert_error (error, STEMMA_ERROR, code);
  g_assert_nonnull (strstr (error->message, named));
}

static char *
make_domain (const char *source, const char *layers)
{
  return g_strdup_printf ("<domain type='kvm'><name>vm</name><uuid>" UUID "</uuid><devices>"
                          "<disk type='file' device='disk'><driver name='qemu' type='qcow2'/>"
                          "<source file='%s'/>%s<target dev='vda' bus='virtio'/></disk>"
                          "</devices></domain>",
                          source, layers);
}

/* The document of an external snapshot that froze `source`; `disk` is what <disk> is named. */
static char *
make_snapshot (const char *name, const char *disk, const char *overlay, const char *source,
               const char *layers)
{
  g_autofree char *domain = make_domain (source, layers);
  g_autofree char *over = overlay != NULL ? g_strdup_printf ("<source file='%s'/>", overlay)
                                          : g_strdup ("");

  return g_strdup_printf ("<domainsnapshot><name>%s</name><state>shutoff</state><creationTime>1"
                          "</creationTime><disks><disk name='%s' snapshot='external'>%s</disk>"
                          "</disks>%s</domainsnapshot>",
                          name, disk, over, domain);
}

static GError *
redefine (Fixture *self, const char *const *documents)
{
  const StmRedefineRequest request = { .fd = -1, .documents = documents };

  return registry_run (self->registry, stm_op_redefine_new (ID, &request));
}

/* Takes the document. */
static GError *
redefine_one (Fixture *self, char *taken_document)
{
  g_autofree char *document = taken_document;

  return redefine (self, (const char *const[]){ document, NULL });
}

static const StmModel *
get_model (Fixture *self)
{
  return stm_registry_get_model (self->registry);
}

static const StmMoment *
find (Fixture *self, const char *name)
{
  return stm_tree_find (stm_model_tree (get_model (self), ID, STM_MOMENT_SNAPSHOT), name);
}

static char *
spell (Fixture *self, const char *place, const char *name)
{
  return g_build_filename (self->directory, place, name, NULL);
}

/* No record has a link in its path, so no file has two. */
static void
assert_real_records (Fixture *self)
{
  g_autoptr (GPtrArray) images = stm_model_images (get_model (self), ID);
  g_autofree char *data = spell (self, "data", "");

  for (guint i = 0; i < images->len; i++)
    g_assert_true (g_str_has_prefix (((StmImage *) images->pdata[i])->path, data)
                   || g_str_has_prefix (((StmImage *) images->pdata[i])->path, self->outside));
}

static void
define (Fixture *self, const char *source, const char *layers)
{
  g_autofree char *domain = make_domain (source, layers);
  g_autoptr (GError) error = NULL;
  StmOp *op = stm_op_define_new (domain, &error);

  g_assert_no_error (error);
  assert_done (registry_run (self->registry, op));
}

static void
set_up (Fixture *self, gconstpointer data)
{
  g_autofree char *below = NULL;
  g_autofree char *link = NULL;
  g_autofree char *run = NULL;
  g_autofree char *state = NULL;
  g_autoptr (GError) error = NULL;

  if (!test_images_have_tools ())
    return;
  self->directory = test_directory_new ();
  self->outside = test_directory_new ();
  below = g_build_filename (self->directory, "data", NULL);
  link = g_build_filename (self->directory, "images", NULL);
  run = g_build_filename (self->directory, "run", NULL);
  state = g_build_filename (self->directory, "state", NULL);
  g_assert_cmpint (g_mkdir (below, 0700), ==, 0);
  g_assert_cmpint (symlink (below, link), ==, 0);
  self->old = spell (self, "data", "old.qcow2");
  self->top = spell (self, "data", "top.qcow2");
  self->spelled_old = spell (self, "images", "old.qcow2");
  self->spelled_top = spell (self, "images", "top.qcow2");
  test_image_create (self->old, "qcow2", SIZE, NULL, NULL);
  test_image_create (self->top, "qcow2", 0, self->spelled_old, "qcow2");
  self->driver = STM_DRIVER (stm_qemu_driver_new (NULL, NULL, run));
  self->registry = stm_registry_open_sync (self->driver, state, NULL, &error);
  g_assert_no_error (error);
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
  test_directory_remove (self->outside);
  g_free (self->directory);
  g_free (self->outside);
  g_free (self->old);
  g_free (self->top);
  g_free (self->spelled_old);
  g_free (self->spelled_top);
}

/* A client's own documents, with the paths that it gave, after the service forgot all. */
static void
test_round (Fixture *self, gconstpointer data)
{
  g_autofree char *chosen = NULL;
  g_autofree char *real = NULL;
  g_autofree char *old_document = NULL;
  g_autofree char *document = NULL;

  if (self->directory == NULL)
    return;
  define (self, self->spelled_top, "");
  g_assert_cmpstr (stm_model_get_domain (get_model (self), ID)->disks[0].source, ==, self->top);

  chosen = spell (self, "images", "chosen.qcow2");
  real = spell (self, "data", "chosen.qcow2");
  const StmDiskChoice choice = { .target = "vda", .mode = STM_MODE_EXTERNAL, .file = chosen };
  assert_done (registry_run (
      self->registry,
      stm_op_create_new (ID,
                         &(StmCreateRequest){ .name = "s", .choices = &choice, .n_choices = 1 })));
  g_assert_cmpstr (find (self, "s")->disks[0].overlay, ==, real);
  assert_done (registry_run (self->registry, stm_op_forget_all_new (ID, STM_MOMENT_SNAPSHOT)));

  document = make_snapshot ("s", self->spelled_top, chosen, self->spelled_top, "");
  old_document = make_snapshot ("o", "vda", self->spelled_top, self->spelled_old, "");
  assert_done (redefine (self, (const char *const[]){ document, old_document, NULL }));
  g_assert_cmpstr (find (self, "s")->disks[0].frozen, ==, self->top);
  g_assert_cmpstr (find (self, "s")->disks[0].overlay, ==, real);
  g_assert_cmpint (find (self, "s")->health, ==, STM_HEALTH_OK);
  g_assert_cmpstr (find (self, "o")->disks[0].frozen, ==, self->old);
  g_assert_cmpstr (find (self, "o")->disks[0].overlay, ==, self->top);
  assert_real_records (self);
}

static void
on_planned (GObject *source, GAsyncResult *result, gpointer user_data)
{
  Fixture *self = user_data;

  self->plan = stm_registry_plan_finish (STM_REGISTRY (source), result, &self->error);
  self->is_over = TRUE;
}

/* The plan that is shown is the plan that is run. */
static void
test_preview (Fixture *self, gconstpointer data)
{
  g_autofree char *chosen = NULL;
  g_autofree char *real = NULL;
  g_autoptr (StmOp) op = NULL;
  g_autoptr (StmPlan) plan = NULL;

  if (self->directory == NULL)
    return;
  define (self, self->spelled_top, "");
  chosen = spell (self, "images", "chosen.qcow2");
  real = spell (self, "data", "chosen.qcow2");
  const StmDiskChoice choice = { .target = "vda", .mode = STM_MODE_EXTERNAL, .file = chosen };
  op = stm_op_create_new (ID,
                          &(StmCreateRequest){ .name = "s", .choices = &choice, .n_choices = 1 });
  self->is_over = FALSE;
  stm_registry_plan_async (self->registry, op, on_planned, self);
  while (!self->is_over)
    g_main_context_iteration (NULL, TRUE);
  g_assert_no_error (self->error);
  plan = g_steal_pointer (&self->plan);
  g_assert_cmpuint (plan->steps->len, ==, 1);
  g_assert_cmpstr (((StmStep *) plan->steps->pdata[0])->image->path, ==, real);
}

/* Of a file that is not on record, and of one that is not there at all. */
static void
test_unknown (Fixture *self, gconstpointer data)
{
  g_autofree char *other = NULL;
  g_autofree char *spelled_other = NULL;
  g_autofree char *gone = NULL;
  g_autofree char *spelled_gone = NULL;

  if (self->directory == NULL)
    return;
  define (self, self->spelled_top, "");
  other = spell (self, "data", "other.qcow2");
  spelled_other = spell (self, "images", "other.qcow2");
  gone = spell (self, "data", "gone.qcow2");
  spelled_gone = spell (self, "images", "gone.qcow2");
  test_image_create (other, "qcow2", 0, self->old, "qcow2");
  assert_done (redefine_one (self, make_snapshot ("b", "vda", NULL, spelled_other, "")));
  g_assert_cmpstr (find (self, "b")->disks[0].frozen, ==, other);
  assert_done (redefine_one (self, make_snapshot ("c", "vda", NULL, other, "")));
  g_assert_cmpstr (find (self, "c")->disks[0].frozen, ==, other);
  assert_done (redefine_one (self, make_snapshot ("g", "vda", NULL, spelled_gone, "")));
  g_assert_cmpstr (find (self, "g")->disks[0].frozen, ==, gone);
  g_assert_cmpint (find (self, "g")->health, ==, STM_HEALTH_MISSING);
  assert_real_records (self);
}

/* The machine writes to it, however it is spelled. */
static void
test_active (Fixture *self, gconstpointer data)
{
  if (self->directory == NULL)
    return;
  define (self, self->spelled_top, "");
  assert_refused (redefine_one (self, make_snapshot ("a", "vda", NULL, self->spelled_top, "")),
                  STEMMA_ERROR_IN_USE, self->top);
  assert_refused (redefine_one (self, make_snapshot ("a", "vda", self->top, self->spelled_top, "")),
                  STEMMA_ERROR_INVALID_XML, "overlay");
}

/* By the path that was given, and in the same words as the ways before: neither where a link leads
 * nor what is there is told. */
static void
assert_way_refused (Fixture *self, const char *way, char **inout_words)
{
  g_autoptr (GError) error = redefine_one (self, make_snapshot ("f", "vda", NULL, way, ""));
  const char *rest = NULL;

  g_assert_error (error, STEMMA_ERROR, STEMMA_ERROR_NOT_ALLOWED);
  g_assert_null (strstr (error->message, self->outside));
  g_assert_null (find (self, "f"));
  rest = strstr (error->message, way);
  g_assert_nonnull (rest);
  rest += strlen (way);
  if (*inout_words == NULL)
    *inout_words = g_strdup (rest);
  g_assert_cmpstr (rest, ==, *inout_words);
}

/* Neither out of the approved directories, nor to what lies behind a link that leads there. */
static void
test_outside (Fixture *self, gconstpointer data)
{
  g_autofree char *secret = NULL;
  g_autofree char *way_out = NULL;
  g_autofree char *through = NULL;
  g_autofree char *missing = NULL;
  g_autofree char *foreign = NULL;
  g_autofree char *to_file = NULL;
  g_autofree char *to_text = NULL;
  g_autofree char *text = NULL;

  if (self->directory == NULL)
    return;
  define (self, self->spelled_top, "");
  secret = g_build_filename (self->outside, "secret.qcow2", NULL);
  way_out = spell (self, "data", "way-out");
  through = spell (self, "data/way-out", "secret.qcow2");
  missing = spell (self, "data/way-out", "missing.qcow2");
  foreign = spell (self, "images/way-out", "secret.qcow2");
  test_image_create (secret, "qcow2", SIZE, NULL, NULL);
  g_assert_cmpint (symlink (self->outside, way_out), ==, 0);
  to_file = spell (self, "data", "to-file");
  to_text = spell (self, "data", "to-text");
  text = g_build_filename (self->outside, "text", NULL);
  g_assert_true (g_file_set_contents (text, "no image", -1, NULL));
  g_assert_cmpint (symlink (secret, to_file), ==, 0);
  g_assert_cmpint (symlink (text, to_text), ==, 0);

  assert_refused (redefine_one (self, make_snapshot ("f", "vda", NULL, secret, "")),
                  STEMMA_ERROR_NOT_ALLOWED, secret);
  assert_refused (redefine_one (self, make_snapshot ("f", "vda", NULL, foreign, "")),
                  STEMMA_ERROR_NOT_ALLOWED, foreign);

  /* A directory, an image, a text and nothing at all are refused in the same words. */
  const char *const ways[] = { way_out, through, missing, to_file, to_text };
  g_autofree char *words = NULL;
  for (gsize i = 0; i < G_N_ELEMENTS (ways); i++)
    assert_way_refused (self, ways[i], &words);

  const char *const files[] = { foreign, missing, through };
  for (gsize i = 0; i < G_N_ELEMENTS (files); i++)
    {
      const StmDiskChoice choice = { .target = "vda", .mode = STM_MODE_EXTERNAL, .file = files[i] };

      assert_refused (registry_run (self->registry,
                                    stm_op_create_new (ID, &(StmCreateRequest){ .name = "f",
                                                                                .choices = &choice,
                                                                                .n_choices = 1 })),
                      STEMMA_ERROR_NOT_ALLOWED, files[i]);
    }
}

/* One document declares the golden base by a link to the file, the headers of the others name the
 * file itself, or the directory by a link. */
static void
test_declared (Fixture *self, gconstpointer data)
{
  g_autofree char *golden = NULL;
  g_autofree char *alias = NULL;
  g_autofree char *layer = NULL;
  g_autofree char *one = NULL;
  g_autofree char *two = NULL;
  g_autofree char *first = NULL;
  g_autofree char *second = NULL;
  g_autofree char *third = NULL;

  if (self->directory == NULL)
    return;
  define (self, self->spelled_top, "");
  golden = g_build_filename (self->outside, "golden-3.qcow2", NULL);
  alias = g_build_filename (self->outside, "golden.qcow2", NULL);
  one = spell (self, "data", "one.qcow2");
  two = spell (self, "data", "two.qcow2");
  test_image_create (golden, "qcow2", SIZE, NULL, NULL);
  g_assert_cmpint (symlink (golden, alias), ==, 0);
  test_image_create (one, "qcow2", 0, golden, "qcow2");
  test_image_create (two, "qcow2", 0, alias, "qcow2");
  layer = g_strdup_printf ("<backingStore type='file'><format type='qcow2'/><source file='%s'/>"
                           "<backingStore/></backingStore>",
                           alias);

  first = make_snapshot ("first", "vda", NULL, one, layer);
  second = make_snapshot ("second", "vda", NULL, two, "");
  /* Of the base itself, which no directory allows but which the others stand on. */
  third = make_snapshot ("third", "vda", NULL, alias, "");
  assert_done (redefine (self, (const char *const[]){ second, third, first, NULL }));
  g_assert_cmpstr (find (self, "third")->disks[0].frozen, ==, golden);
  g_assert_nonnull (stm_model_get_image (get_model (self), ID, golden));
  g_assert_null (stm_model_get_image (get_model (self), ID, alias));
  assert_real_records (self);
}

#define ADD(path, test) g_test_add (path, Fixture, NULL, set_up, test, tear_down)

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  ADD ("/ops/linked-directory/spelled-as-in-the-definition-all-is-accepted", test_round);
  ADD ("/ops/linked-directory/a-plan-has-the-real-path", test_preview);
  ADD ("/ops/linked-directory/what-is-not-on-record-gets-its-real-path", test_unknown);
  ADD ("/ops/linked-directory/the-active-image-is-known-by-either-spelling", test_active);
  ADD ("/ops/linked-directory/no-link-leads-out-of-what-was-approved", test_outside);
  ADD ("/ops/linked-directory/a-base-declared-by-a-link-is-the-file-it-leads-to", test_declared);
  return g_test_run ();
}
