/* Redefinition, forgetting, renaming and describing as operations: with the store, the queue and a
 * simulated hypervisor, over restarts of the service.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "stemma-error.h"
#include "stm-registry.h"
#include "stm-sim-driver.h"

#include <fcntl.h>
#include <glib-unix.h>
#include <glib/gstdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define UUID "d0000000-0000-0000-0000-000000000001"
#define ID "d0000000000000000000000000000001"
#define IMAGE "/sim/a.qcow2"
#define OVERLAY "/sim/a.s"
#define DISK                                                                                       \
  "<disks><disk name='vda' snapshot='external'><source file='" OVERLAY "'/></disk></disks>"

typedef struct
{
  char *directory;
  StmSimDriver *driver;
  StmRegistry *registry;
  GPtrArray *ids; /* of the last redefinition */
  GError *error;
  gboolean is_over;
  char *text;
} Fixture;

/* --- the service --- */

static void
open_service (Fixture *self)
{
  g_autoptr (GError) error = NULL;
  const char *const pools[] = { NULL };

  self->registry = stm_registry_open_sync (STM_DRIVER (self->driver), self->directory, pools,
                                           &error);
  g_assert_no_error (error);
}

static void
close_service (Fixture *self)
{
  stm_registry_close_sync (self->registry);
  g_clear_object (&self->registry);
  while (g_main_context_iteration (NULL, FALSE))
    ;
}

static void
reopen_service (Fixture *self)
{
  close_service (self);
  open_service (self);
}

static void
on_submitted (GObject *source, GAsyncResult *result, gpointer user_data)
{
  Fixture *self = user_data;
  g_autoptr (StmJob)
      job = stm_registry_submit_finish (STM_REGISTRY (source), result, NULL, &self->error);

  g_assert_true ((job != NULL) == (self->error == NULL));
  self->is_over = TRUE;
}

static void
wait_over (Fixture *self)
{
  while (!self->is_over)
    g_main_context_iteration (NULL, TRUE);
}

/* The refusal, or NULL. */
static GError *
submit (Fixture *self, StmOp *taken_op)
{
  g_autoptr (StmOp) op = taken_op;
  const StmCaller caller = { .uid = 0 };

  self->is_over = FALSE;
  stm_registry_submit_async (self->registry, op, &caller, on_submitted, self);
  wait_over (self);
  return g_steal_pointer (&self->error);
}

/* Of the time of the snapshots, before the disk went on in the overlay. */
static char *
make_domain (const char *extra)
{
  return g_strdup_printf ("<domain type='kvm'><name>vm</name><uuid>" UUID "</uuid>"
                          "<memory unit='KiB'>1048576</memory><vcpu>2</vcpu>%s"
                          "<os><type arch='x86_64' machine='q35'>hvm</type></os><devices>"
                          "<disk type='file' device='disk'><driver name='qemu' type='qcow2'/>"
                          "<source file='" IMAGE "'/><target dev='vda' bus='virtio'/></disk>"
                          "</devices></domain>",
                          extra != NULL ? extra : "");
}

static char *
make_document (const char *name, const char *parent, const char *domain)
{
  g_autofree char *above = parent != NULL
                               ? g_strdup_printf ("<parent><name>%s</name></parent>", parent)
                               : NULL;

  return g_strdup_printf ("<domainsnapshot><name>%s</name><state>shutoff</state>"
                          "<creationTime>1700000000</creationTime>%s" DISK "%s</domainsnapshot>",
                          name, above != NULL ? above : "", domain != NULL ? domain : "");
}

static char *
make_other_domain (const char *source)
{
  g_autofree char *domain = make_domain (NULL);
  g_auto (GStrv) parts = g_strsplit (domain, IMAGE, 2);

  return g_strjoinv (source, parts);
}

static void
set_up (Fixture *self, gconstpointer data)
{
  const StmSimBehaviour behaviour = { 0 };
  g_autoptr (GError) error = NULL;
  g_autofree char *domain = make_other_domain (OVERLAY);
  StmOp *op;

  self->directory = g_dir_make_tmp ("stemma-XXXXXX", &error);
  g_assert_no_error (error);
  self->driver = stm_sim_driver_new (NULL, &behaviour, &error);
  g_assert_no_error (error);
  stm_sim_driver_make_image (self->driver, IMAGE, "qcow2", 1 << 20, NULL);
  stm_sim_driver_make_image (self->driver, OVERLAY, "qcow2", 1 << 20, IMAGE);
  open_service (self);
  op = stm_op_define_new (domain, &error);
  g_assert_no_error (error);
  g_assert_null (submit (self, op));
}

static void
tear_down (Fixture *self, gconstpointer data)
{
  g_autoptr (GDir) directory = NULL;
  const char *name;

  close_service (self);
  g_clear_object (&self->driver);
  directory = g_dir_open (self->directory, 0, NULL);
  while ((name = g_dir_read_name (directory)) != NULL)
    {
      g_autofree char *path = g_build_filename (self->directory, name, NULL);

      g_unlink (path);
    }
  g_rmdir (self->directory);
  g_free (self->directory);
  g_free (self->text);
  g_clear_pointer (&self->ids, g_ptr_array_unref);
}

static GError *
redefine (Fixture *self, const StmRedefineRequest *request)
{
  g_autoptr (StmOp) op = stm_op_redefine_new (ID, request);
  GError *refusal = submit (self, g_object_ref (op));
  const char *const *ids = stm_op_redefine_get_ids (op);

  g_clear_pointer (&self->ids, g_ptr_array_unref);
  self->ids = g_ptr_array_new_with_free_func (g_free);
  for (guint i = 0; refusal == NULL && ids[i] != NULL; i++)
    g_ptr_array_add (self->ids, g_strdup (ids[i]));
  return refusal;
}

static GError *
redefine_one (Fixture *self, const char *document)
{
  const char *const documents[] = { document, NULL };

  return redefine (self, &(StmRedefineRequest){ .fd = -1, .documents = documents });
}

static const StmTree *
tree_of (Fixture *self)
{
  return stm_model_tree (stm_registry_get_model (self->registry), ID, STM_MOMENT_SNAPSHOT);
}

static const StmMoment *
find (Fixture *self, const char *name)
{
  return stm_tree_find (tree_of (self), name);
}

static void
on_text (GObject *source, GAsyncResult *result, gpointer user_data)
{
  Fixture *self = user_data;

  self->text = stm_registry_read_text_finish (STM_REGISTRY (source), result, &self->error);
  self->is_over = TRUE;
}

static const char *
read_text (Fixture *self, const char *hash)
{
  g_clear_pointer (&self->text, g_free);
  self->is_over = FALSE;
  stm_registry_read_text_async (self->registry, hash, on_text, self);
  wait_over (self);
  return self->text;
}

static void
assert_done (GError *taken_error)
{
  g_autoptr (GError) error = taken_error;

  g_assert_no_error (error);
}

/* --- tests --- */

static void
test_restart (Fixture *self, gconstpointer data)
{
  g_autofree char *domain = make_domain ("<title>then</title>");
  g_autofree char *a = make_document ("a", "b", domain);
  g_autofree char *b = make_document ("b", NULL, domain);
  const char *const documents[] = { a, b, NULL };
  StmRedefineRequest request = { .fd = -1, .documents = documents, .current = "a" };

  assert_done (redefine (self, &request));
  g_assert_cmpuint (self->ids->len, ==, 2);
  g_assert_cmpstr (self->ids->pdata[0], ==, find (self, "a")->id);
  g_assert_cmpstr (self->ids->pdata[1], ==, find (self, "b")->id);
  reopen_service (self);
  g_assert_cmpstr (find (self, "a")->parent, ==, self->ids->pdata[1]);
  g_assert_cmpstr (stm_tree_current (tree_of (self)), ==, self->ids->pdata[0]);
  g_assert_cmpstr (find (self, "a")->disks[0].frozen, ==, IMAGE);
  g_assert_cmpstr (read_text (self, find (self, "a")->definition), ==, domain);
}

static void
test_texts (Fixture *self, gconstpointer data)
{
  const char *document =
      "<domainsnapshot><name>r</name><state>running</state><creationTime>1</creationTime>"
      "<memory snapshot='external' file='/sim/r.mem'/>" DISK "<cookie><x a='1'/></cookie>"
      "<inactiveDomain type='kvm'><name>vm</name><uuid>" UUID "</uuid></inactiveDomain>"
      "<domain type='kvm'><name>vm</name><uuid>" UUID "</uuid><devices><disk type='file'>"
      "<driver type='qcow2'/><source file='" IMAGE "'/><target dev='vda'/></disk></devices>"
      "</domain></domainsnapshot>";

  assert_done (redefine_one (self, document));
  reopen_service (self);
  g_assert_cmpint (find (self, "r")->memory, ==, STM_MEMORY_EXTERNAL);
  g_assert_cmpstr (find (self, "r")->memory_file, ==, "/sim/r.mem");
  g_assert_nonnull (strstr (read_text (self, find (self, "r")->cookie), "<x a=\"1\"/>"));
  g_assert_true (g_str_has_prefix (read_text (self, find (self, "r")->inactive), "<domain"));
}

/* What only the store knows is fetched to be compared. */
static void
test_machine (Fixture *self, gconstpointer data)
{
  g_autofree char *domain = make_domain ("<title>then</title>");
  g_auto (GStrv) parts = g_strsplit (domain, "<vcpu>2", 2);
  g_autofree char *other = g_strjoinv ("<vcpu>4", parts);
  g_autofree char *first = make_document ("a", NULL, domain);
  g_autofree char *second = make_document ("a", NULL, other);
  g_autoptr (GError) error = NULL;

  assert_done (redefine_one (self, first));
  reopen_service (self);
  error = redefine_one (self, second);
  g_assert_error (error, STEMMA_ERROR, STEMMA_ERROR_INVALID_ARGUMENT);
  g_assert_nonnull (strstr (error->message, "<vcpu>"));
}

static void
test_images (Fixture *self, gconstpointer data)
{
  g_autofree char *domain = make_other_domain ("/sim/top.qcow2");
  g_autofree char *document = make_document ("a", NULL, domain);
  const StmModel *model;

  stm_sim_driver_make_image (self->driver, "/sim/low.qcow2", "qcow2", 1 << 20, NULL);
  stm_sim_driver_make_image (self->driver, "/sim/top.qcow2", "qcow2", 1 << 20, "/sim/low.qcow2");
  assert_done (redefine_one (self, document));
  reopen_service (self);
  model = stm_registry_get_model (self->registry);
  g_assert_cmpint (find (self, "a")->health, ==, STM_HEALTH_OK);
  g_assert_cmpstr (stm_model_get_image (model, ID, "/sim/top.qcow2")->backing, ==,
                   "/sim/low.qcow2");
  g_assert_cmpint (stm_model_get_image (model, ID, "/sim/low.qcow2")->origin, ==,
                   STM_IMAGE_BACKING);
}

/* A golden base outside the directory of the disk: the first definition names it, the headers of
 * the snapshots to come do. */
static void
test_golden_base (Fixture *self, gconstpointer data)
{
  g_autofree char *domain = make_other_domain ("/sim/on0.qcow2");
  g_auto (GStrv) parts = g_strsplit (domain, "<target", 2);
  g_autofree char *declaring = g_strjoinv ("<backingStore type='file'><format type='qcow2'/>"
                                           "<source file='/golden/base.qcow2'/></backingStore>"
                                           "<target",
                                           parts);
  g_autoptr (GPtrArray) documents = g_ptr_array_new_with_free_func (g_free);
  g_autoptr (GError) refusal = NULL;

  stm_sim_driver_make_image (self->driver, "/golden/base.qcow2", "qcow2", 1 << 20, NULL);
  for (guint i = 0; i < 12; i++)
    {
      g_autofree char *path = g_strdup_printf ("/sim/on%u.qcow2", i);
      g_autofree char *name = g_strdup_printf ("n%u", i);
      g_autofree char *plain = make_other_domain (path);

      stm_sim_driver_make_image (self->driver, path, "qcow2", 1 << 20, "/golden/base.qcow2");
      g_ptr_array_add (documents, make_document (name, NULL, i > 0 ? plain : declaring));
    }
  g_ptr_array_add (documents, NULL);

  refusal = redefine_one (self, documents->pdata[1]);
  g_assert_error (refusal, STEMMA_ERROR, STEMMA_ERROR_NOT_ALLOWED);
  assert_done (
      redefine (self, &(StmRedefineRequest){ .fd = -1, .documents = (gpointer) documents->pdata }));
  reopen_service (self);
  g_assert_cmpuint (stm_tree_count (tree_of (self)), ==, 12);
  g_assert_cmpint (find (self, "n11")->health, ==, STM_HEALTH_OK);
}

static void
test_forget (Fixture *self, gconstpointer data)
{
  g_autofree char *document = make_document ("a", NULL, NULL);

  assert_done (redefine_one (self, document));
  /* Whatever became of the images. */
  stm_sim_driver_lose_image (self->driver, IMAGE);
  assert_done (submit (self, stm_op_forget_all_new (ID, STM_MOMENT_SNAPSHOT)));
  g_assert_cmpuint (stm_tree_count (tree_of (self)), ==, 0);
  reopen_service (self);
  g_assert_cmpuint (stm_tree_count (tree_of (self)), ==, 0);
  assert_done (redefine_one (self, document));
  g_assert_cmpuint (stm_tree_count (tree_of (self)), ==, 1);
}

static void
test_edit (Fixture *self, gconstpointer data)
{
  g_autofree char *domain = make_domain (NULL);
  g_autofree char *document = make_document ("a", NULL, domain);
  const char *id;

  assert_done (redefine_one (self, document));
  id = self->ids->pdata[0];
  g_assert_null (
      submit (self, stm_op_rename_moment_new (ID, STM_MOMENT_SNAPSHOT, id, "1700000000")));
  assert_done (submit (self, stm_op_describe_moment_new (ID, STM_MOMENT_SNAPSHOT, id, "why")));
  reopen_service (self);
  g_assert_null (find (self, "a"));
  g_assert_cmpstr (find (self, "1700000000")->id, ==, id);
  g_assert_cmpstr (find (self, "1700000000")->description, ==, "why");
}

static void
append_document (GByteArray *bytes, guint number, const char *domain)
{
  g_autofree char *name = g_strdup_printf ("%u", number);
  g_autofree char *parent = number > 0 ? g_strdup_printf ("%u", number / 2) : NULL;
  g_autofree char *document = make_document (name, number > 1 ? parent : NULL, domain);

  g_byte_array_append (bytes, (const guint8 *) document, (guint) strlen (document) + 1);
}

static int
memory_of (const GByteArray *bytes)
{
  int fd = memfd_create ("documents", MFD_CLOEXEC);

  g_assert_cmpint (fd, >=, 0);
  for (guint n = 0; n < bytes->len;)
    {
      gssize n_written = write (fd, bytes->data + n, bytes->len - n);

      g_assert_cmpint (n_written, >, 0);
      n += (guint) n_written;
    }
  g_assert_cmpint (lseek (fd, 0, SEEK_SET), ==, 0);
  return fd;
}

/* Forty megabytes, the last documents first, with names of digits only. */
static void
test_from_descriptor (Fixture *self, gconstpointer data)
{
  guint n = 10000;
  g_autofree char *padding = g_strnfill (3600, 'x');
  g_autofree char *extra = g_strdup_printf ("<description>%s</description>", padding);
  g_autofree char *domain = make_domain (extra);
  g_autoptr (GByteArray) bytes = g_byte_array_new ();
  gint64 begin;

  for (guint i = n; i > 0; i--)
    append_document (bytes, i, domain);
  g_assert_cmpuint (bytes->len, >, 40 * 1000 * 1000);
  begin = g_get_monotonic_time ();
  assert_done (redefine (self, &(StmRedefineRequest){ .fd = memory_of (bytes) }));
  g_test_message ("%u documents of %u MB in %.3f s", n, bytes->len / 1000 / 1000,
                  (double) (g_get_monotonic_time () - begin) / G_USEC_PER_SEC);
  g_assert_cmpuint (stm_tree_count (tree_of (self)), ==, n);
  g_assert_cmpstr (find (self, "10000")->parent, ==, find (self, "5000")->id);
  reopen_service (self);
  g_assert_cmpuint (stm_tree_count (tree_of (self)), ==, n);
}

/* One bad document among many, and nothing has changed. */
static void
test_all_or_nothing (Fixture *self, gconstpointer data)
{
  g_autofree char *domain = make_domain (NULL);
  g_autofree char *first = make_document ("kept", NULL, domain);
  const char *orphan = "<domainsnapshot><name>y</name><state>shutoff</state><creationTime>1"
                       "</creationTime><parent><name>z</name></parent></domainsnapshot>";
  const char *const lasts[] = {
    "",
    "<domainsnapshot><name>x</name></domainsnapshot>",
    "<!DOCTYPE a [<!ENTITY b 'c'>]><domainsnapshot/>",
    orphan,
    "<domaincheckpoint><name>y</name></domaincheckpoint>",
  };
  guint64 generation;

  assert_done (redefine_one (self, first));
  generation = stm_model_generation (stm_registry_get_model (self->registry), ID);
  for (gsize i = 0; i < G_N_ELEMENTS (lasts); i++)
    {
      g_autoptr (GByteArray) bytes = g_byte_array_new ();
      g_autoptr (GError) error = NULL;

      for (guint j = 0; j < 100; j++)
        append_document (bytes, j, domain);
      g_byte_array_append (bytes, (const guint8 *) lasts[i], (guint) strlen (lasts[i]) + 1);
      error = redefine (self, &(StmRedefineRequest){ .fd = memory_of (bytes) });
      g_assert_nonnull (error);
      g_test_message ("%s", error->message);
      g_assert_nonnull (strstr (error->message, "document 101"));
      g_assert_cmpuint (stm_tree_count (tree_of (self)), ==, 1);
      g_assert_cmpuint (stm_model_generation (stm_registry_get_model (self->registry), ID), ==,
                        generation);
    }
}

/* A million entities are a document type declaration, of which nothing is read. */
static void
test_entities (Fixture *self, gconstpointer data)
{
  GString *document = g_string_new ("<!DOCTYPE d [\n");
  g_autofree char *text = NULL;

  for (guint i = 0; i < 100000; i++)
    g_string_append_printf (document, "<!ENTITY e%u '&e%u;&e%u;'>\n", i + 1, i, i);
  g_string_append (document, "]><domainsnapshot><name>&e100000;</name></domainsnapshot>");
  text = g_string_free (document, FALSE);

  g_autoptr (GError) error = redefine_one (self, text);
  g_assert_error (error, STEMMA_ERROR, STEMMA_ERROR_INVALID_XML);

  /* References to what every document may have, a million of them: over the size of a document. */
  document = g_string_new ("<domainsnapshot><name>");
  for (guint i = 0; i < 1000000; i++)
    g_string_append (document, "&amp;");
  g_string_append (document, "</name></domainsnapshot>");
  g_free (text);
  text = g_string_free (document, FALSE);

  g_autoptr (GError) large = redefine_one (self, text);
  g_assert_error (large, STEMMA_ERROR, STEMMA_ERROR_INVALID_XML);
}

/* Nobody writes; the service ends all the same. */
static void
test_end_while_reading (Fixture *self, gconstpointer data)
{
  int fds[2];
  g_autoptr (StmOp) op = NULL;
  const StmCaller caller = { .uid = 0 };

  g_assert_true (g_unix_open_pipe (fds, FD_CLOEXEC, NULL));
  op = stm_op_redefine_new (ID, &(StmRedefineRequest){ .fd = fds[0] });
  self->is_over = FALSE;
  stm_registry_submit_async (self->registry, op, &caller, on_submitted, self);
  g_main_context_iteration (NULL, FALSE);
  stm_registry_close_sync (self->registry);
  wait_over (self);
  g_assert_error (self->error, STEMMA_ERROR, STEMMA_ERROR_CANCELLED);
  g_clear_error (&self->error);
  g_clear_object (&self->registry);
  close (fds[1]);
  open_service (self);
}

#define ADD(path, test) g_test_add (path, Fixture, NULL, set_up, test, tear_down)

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  ADD ("/ops/redefine/a-tree-is-there-after-a-restart", test_restart);
  ADD ("/ops/redefine/memory-cookie-and-next-definition-are-kept", test_texts);
  ADD ("/ops/redefine/another-machine-is-refused-by-what-the-store-has", test_machine);
  ADD ("/ops/redefine/images-not-on-record-are-looked-at", test_images);
  ADD ("/ops/redefine/a-golden-base-that-one-document-declares", test_golden_base);
  ADD ("/ops/redefine/forty-megabytes-in-one-change", test_from_descriptor);
  ADD ("/ops/redefine/all-documents-or-none", test_all_or_nothing);
  ADD ("/ops/redefine/entities-are-never-read", test_entities);
  ADD ("/ops/redefine/a-silent-client-does-not-keep-the-service-from-its-end",
       test_end_while_reading);
  ADD ("/ops/forget/all-go-though-an-image-is-missing", test_forget);
  ADD ("/ops/edit/names-and-descriptions-are-there-after-a-restart", test_edit);
  return g_test_run ();
}
