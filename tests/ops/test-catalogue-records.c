/* The catalogue of faults: records that libvirt drops at the next start or when a write fails.
 * Large ones, many disks, files left in the state directory, a file system that is full, calls that
 * come while an operation runs. Simulated images, the real store.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "registry-call.h"
#include "stemma-error.h"
#include "stm-sim-driver.h"

#include <glib/gstdio.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>

#define UUID "d0000000-0000-0000-0000-000000000001"
#define ID "d0000000000000000000000000000001"
#define SNAPSHOT STM_MOMENT_SNAPSHOT

#define N_DISKS 200
#define N_CHAIN 60
#define LARGE (3 * 512 * 1024) /* of which libvirt would read nothing: it stops at 1 MiB */
#define DESCRIPTION_LIMIT 65536

typedef struct
{
  char *directory;
  StmSimDriver *driver;
  StmRegistry *registry;
} Fixture;

/* ---- the service ---- */

static void
open_service (Fixture *self)
{
  g_autoptr (GError) error = NULL;

  self->registry = stm_registry_open_sync (STM_DRIVER (self->driver), self->directory, NULL,
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
restart (Fixture *self)
{
  close_service (self);
  open_service (self);
  g_assert_cmpstr (stm_registry_get_health (self->registry), ==, "ok");
}

static GError *
submit (Fixture *self, StmOp *op)
{
  return registry_run (self->registry, op);
}

static void
do_well (Fixture *self, StmOp *op)
{
  g_autoptr (GError) error = submit (self, op);

  g_assert_no_error (error);
}

static char *
make_domain (guint n_disks, gsize padding)
{
  GString *text = g_string_new ("<domain type='kvm'><name>vm</name><uuid>" UUID "</uuid>"
                                "<metadata><n:a xmlns:n='urn:n'>");
  g_autofree char *filling = g_strnfill (padding, 'x');

  g_string_append_printf (text, "%s</n:a></metadata><devices>", filling);
  for (guint i = 0; i < n_disks; i++)
    g_string_append_printf (text,
                            "<disk type='file'><driver name='qemu' type='qcow2'/>"
                            "<source file='/sim/%u.qcow2'/><target dev='vd%c%c'/></disk>",
                            i, 'a' + i / 26, 'a' + i % 26);
  g_string_append (text, "</devices></domain>");
  return g_string_free (text, FALSE);
}

static void
define (Fixture *self, const char *domain)
{
  g_autoptr (GError) error = NULL;
  StmOp *op = stm_op_define_new (domain, &error);

  g_assert_no_error (error);
  do_well (self, op);
}

static void
set_up_with (Fixture *self, const StmSimBehaviour *behaviour)
{
  g_autoptr (GError) error = NULL;

  /* What cannot be written is warned of, rightly. */
  g_log_set_always_fatal (G_LOG_FATAL_MASK | G_LOG_LEVEL_CRITICAL);
  self->directory = g_dir_make_tmp ("stemma-XXXXXX", &error);
  g_assert_no_error (error);
  self->driver = stm_sim_driver_new (NULL, behaviour, &error);
  g_assert_no_error (error);
  open_service (self);
}

static void
set_up (Fixture *self, gconstpointer data)
{
  const StmSimBehaviour behaviour = { 0 };

  set_up_with (self, &behaviour);
}

/* Merges that take a second. */
static void
set_up_slow (Fixture *self, gconstpointer data)
{
  const StmSimBehaviour behaviour = { .bytes_per_second = 128 * 1024, .writes_per_image = 2 };

  set_up_with (self, &behaviour);
}

static void
remove_directory (const char *path)
{
  g_autoptr (GDir) directory = g_dir_open (path, 0, NULL);
  const char *name;

  while ((name = g_dir_read_name (directory)) != NULL)
    {
      g_autofree char *file = g_build_filename (path, name, NULL);

      if (g_file_test (file, G_FILE_TEST_IS_DIR))
        remove_directory (file);
      else
        g_unlink (file);
    }
  g_rmdir (path);
}

static void
tear_down (Fixture *self, gconstpointer data)
{
  close_service (self);
  g_clear_object (&self->driver);
  remove_directory (self->directory);
  g_free (self->directory);
}

static const StmTree *
tree_of (Fixture *self)
{
  return stm_model_tree (stm_registry_get_model (self->registry), ID, SNAPSHOT);
}

static StmOp *
make_snapshot (const char *name)
{
  return stm_op_create_new (ID, &(StmCreateRequest){ .name = name });
}

static char *
make_record (const char *name, const char *description, const char *parent, const char *domain)
{
  g_autofree char *above = parent == NULL
                               ? g_strdup ("")
                               : g_strdup_printf ("<parent><name>%s</name></parent>", parent);

  return g_strdup_printf ("<domainsnapshot><name>%s</name><description>%s</description>"
                          "<state>shutoff</state><creationTime>1</creationTime>%s%s"
                          "</domainsnapshot>",
                          name, description, above, domain);
}

static StmOp *
make_redefinition (const char *document)
{
  const char *const documents[] = { document, NULL };

  return stm_op_redefine_new (ID, &(StmRedefineRequest){ .documents = documents, .fd = -1 });
}

typedef struct
{
  char *text;
  gboolean is_over;
} Reading;

static void
on_read (GObject *source, GAsyncResult *result, gpointer user_data)
{
  Reading *reading = user_data;

  reading->text = stm_registry_read_text_finish (STM_REGISTRY (source), result, NULL);
  reading->is_over = TRUE;
}

/* The definition that a snapshot has. */
static char *
read_definition (Fixture *self, const char *name)
{
  Reading reading = { NULL };

  stm_registry_read_text_async (self->registry, stm_tree_find (tree_of (self), name)->definition,
                                on_read, &reading);
  while (!reading.is_over)
    g_main_context_iteration (NULL, TRUE);
  g_assert_nonnull (reading.text);
  return reading.text;
}

/* ---- large records ---- */

static void
test_large (Fixture *self, gconstpointer data)
{
  g_autofree char *domain = make_domain (N_DISKS, LARGE);
  g_autofree char *record = make_record ("redefined", "", "made", domain);
  g_autofree char *definition = NULL;

  define (self, domain);
  do_well (self, make_snapshot ("made"));
  do_well (self, make_redefinition (record));
  restart (self);
  g_assert_cmpuint (stm_tree_count (tree_of (self)), ==, 2);
  g_assert_cmpuint (stm_tree_find (tree_of (self), "made")->n_disks, ==, N_DISKS);
  g_assert_cmpuint (stm_tree_find (tree_of (self), "redefined")->n_disks, ==, N_DISKS);
  definition = read_definition (self, "redefined");
  g_assert_cmpstr (definition, ==, domain);
}

/* One that is too long is refused, not dropped later. */
static void
test_descriptions (Fixture *self, gconstpointer data)
{
  g_autofree char *domain = make_domain (1, 0);
  g_autofree char *longest = g_strnfill (DESCRIPTION_LIMIT, 'd');
  g_autofree char *megabyte = g_strnfill (1024 * 1024, 'd');
  g_autofree char *good = make_record ("good", longest, NULL, domain);
  g_autofree char *bad = make_record ("bad", megabyte, NULL, domain);
  g_autoptr (GError) error = NULL;

  define (self, domain);
  do_well (self, make_redefinition (good));
  error = submit (self, make_redefinition (bad));
  g_assert_error (error, STEMMA_ERROR, STEMMA_ERROR_INVALID_XML);
  g_assert_nonnull (strstr (error->message, "description"));
  restart (self);
  g_assert_cmpuint (stm_tree_count (tree_of (self)), ==, 1);
  g_assert_cmpstr (stm_tree_find (tree_of (self), "good")->description, ==, longest);
}

/* What a snapshot stores does not grow with the chain below it. */
static void
test_deep (Fixture *self, gconstpointer data)
{
  g_autofree char *domain = make_domain (1, 0);
  g_autofree char *first = NULL;
  g_autofree char *last = NULL;

  define (self, domain);
  for (guint i = 0; i < N_CHAIN; i++)
    {
      g_autofree char *name = g_strdup_printf ("s%03u", i);

      do_well (self, make_snapshot (name));
    }
  first = read_definition (self, "s001");
  last = read_definition (self, "s059");
  g_assert_cmpuint (strlen (last), ==, strlen (first));
  g_assert_null (strstr (last, "s057"));
}

/* ---- what is written and read ---- */

static void
leave (Fixture *self, const char *name, const char *text)
{
  g_autofree char *path = g_build_filename (self->directory, name, NULL);
  g_autofree char *parent = g_path_get_dirname (path);
  g_autoptr (GError) error = NULL;

  g_assert_cmpint (g_mkdir_with_parents (parent, 0700), ==, 0);
  g_file_set_contents (path, text, -1, &error);
  g_assert_no_error (error);
}

/* libvirt reads whatever lies in its directory. */
static void
test_left_over (Fixture *self, gconstpointer data)
{
  g_autofree char *domain = make_domain (1, 0);
  g_autofree char *ghost = make_record ("ghost", "", NULL, domain);

  define (self, domain);
  do_well (self, make_snapshot ("s"));
  leave (self, "ghost.xml.new", ghost);
  leave (self, "snapshot/vm/ghost.xml", ghost);
  leave (self, "stemma.db.new", "no database");
  leave (self, "stemma.db.old", "no database");
  restart (self);
  g_assert_cmpuint (stm_tree_count (tree_of (self)), ==, 1);
  g_assert_null (stm_tree_find (tree_of (self), "ghost"));
  g_assert_cmpstr (stm_tree_current (tree_of (self)), ==, stm_tree_find (tree_of (self), "s")->id);
}

static void
limit_files (rlim_t bytes)
{
  const struct rlimit limit = { .rlim_cur = bytes, .rlim_max = RLIM_INFINITY };

  g_assert_cmpint (setrlimit (RLIMIT_FSIZE, &limit), ==, 0);
}

/* libvirt drops the snapshot that it could not write anew. */
static void
test_full (Fixture *self, gconstpointer data)
{
  g_autofree char *domain = make_domain (1, 0);
  g_autofree char *text = g_strnfill (DESCRIPTION_LIMIT, 'd');
  g_autofree char *before = make_record ("s", "before", NULL, domain);
  g_autofree char *after = make_record ("s", text, NULL, domain);
  g_autoptr (GError) error = NULL;
  g_autoptr (GError) forgetting = NULL;

  define (self, domain);
  do_well (self, make_redefinition (before));
  /* Every write fails from here, as on a file system that is full. */
  signal (SIGXFSZ, SIG_IGN);
  limit_files (1);
  error = submit (self, make_redefinition (after));
  forgetting = submit (self, stm_op_forget_all_new (ID, SNAPSHOT));
  limit_files (RLIM_INFINITY);
  g_assert_nonnull (error);
  g_assert_true (error->domain == STEMMA_ERROR);
  g_test_message ("%s", error->message);
  g_assert_nonnull (forgetting);
  g_assert_cmpstr (stm_tree_find (tree_of (self), "s")->description, ==, "before");
  restart (self);
  g_assert_cmpstr (stm_tree_find (tree_of (self), "s")->description, ==, "before");
  do_well (self, make_redefinition (after));
  g_assert_cmpstr (stm_tree_find (tree_of (self), "s")->description, ==, text);
}

/* ---- while an operation runs ---- */

static void
test_queued (Fixture *self, gconstpointer data)
{
  g_autofree char *domain = make_domain (1, 0);
  g_autofree char *record = make_record ("b", "anew", NULL, domain);
  g_autofree char *other = make_record ("d", "", "b", domain);
  RegistryCall deletion = { NULL };
  RegistryCall first = { NULL };
  RegistryCall second = { NULL };
  StmOp *op;

  define (self, domain);
  do_well (self, make_snapshot ("a"));
  do_well (self, make_snapshot ("b"));
  op = stm_op_delete_new (
      ID, &(StmDeleteRequest){ .moment_id = stm_tree_find (tree_of (self), "a")->id });
  registry_call_begin (&deletion, self->registry, op);
  registry_call_begin (&first, self->registry, make_redefinition (record));
  registry_call_begin (&second, self->registry, make_redefinition (other));
  g_assert_no_error (registry_call_end (&second));
  /* They waited for it, and for each other. */
  g_assert_true (deletion.is_over);
  g_assert_true (first.is_over);
  g_assert_no_error (registry_call_end (&deletion));
  g_assert_no_error (registry_call_end (&first));
  restart (self);
  g_assert_null (stm_tree_find (tree_of (self), "a"));
  g_assert_cmpstr (stm_tree_find (tree_of (self), "b")->description, ==, "anew");
  g_assert_cmpstr (stm_tree_find (tree_of (self), "d")->parent, ==,
                   stm_tree_find (tree_of (self), "b")->id);
}

#define ADD(path, before, test)                                                                    \
  g_test_add ("/ops/catalogue/records/" path, Fixture, NULL, before, test, tear_down)

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  stemma_error_quark ();
  ADD ("large-ones-of-many-disks-are-there-after-a-restart", set_up, test_large);
  ADD ("a-description-is-kept-or-refused", set_up, test_descriptions);
  ADD ("the-depth-of-a-chain-costs-no-definition-anything", set_up, test_deep);
  ADD ("files-left-beside-the-store-are-not-read", set_up, test_left_over);
  ADD ("what-cannot-be-written-stays-as-it-was", set_up, test_full);
  ADD ("redefinitions-wait-for-what-runs", set_up_slow, test_queued);
  return g_test_run ();
}
