/* Runs the registry with the real driver in the process of the test; operations one at a time.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "catalogue-kit.h"

#include "registry-call.h"
#include "stemma-error.h"
#include "stm-qemu-driver.h"

#include <glib/gstdio.h>
#include <string.h>

#define SIZE (1024 * 1024)
#define BLOCK 65536

/* ---- the service ---- */

static void
wait_over (Catalogue *self)
{
  while (!self->is_over)
    g_main_context_iteration (NULL, TRUE);
}

static gboolean
is_busy (Catalogue *self)
{
  g_autoptr (GPtrArray) jobs = stm_registry_get_jobs (self->registry);

  for (guint i = 0; i < jobs->len; i++)
    if (!stm_job_is_ended (g_ptr_array_index (jobs, i)))
      return TRUE;
  return FALSE;
}

static void
open_service (Catalogue *self)
{
  g_autofree char *state = g_build_filename (self->directory, "state", NULL);
  g_autoptr (GError) error = NULL;

  self->registry = stm_registry_open_sync (self->driver, state, NULL, &error);
  g_assert_no_error (error);
  while (is_busy (self))
    g_main_context_iteration (NULL, TRUE);
}

static void
close_service (Catalogue *self)
{
  stm_registry_close_sync (self->registry);
  g_clear_object (&self->registry);
  while (g_main_context_iteration (NULL, FALSE))
    ;
}

void
catalogue_restart (Catalogue *self)
{
  close_service (self);
  open_service (self);
}

GError *
catalogue_submit (Catalogue *self, StmOp *op)
{
  return registry_run (self->registry, op);
}

void
catalogue_do (Catalogue *self, StmOp *op)
{
  g_autoptr (GError) error = catalogue_submit (self, op);

  g_assert_no_error (error);
}

void
catalogue_refuse (Catalogue *self, StmOp *op, int code, const char *part)
{
  g_autoptr (GError) error = catalogue_submit (self, op);

  g_assert_error (error, STEMMA_ERROR, code);
  g_test_message ("%s", error->message);
  if (strstr (error->message, part) == NULL)
    g_error ("'%s' does not say '%s'", error->message, part);
}

/* ---- the machine ---- */

static char *
make_document (const char *source_a, const char *source_b)
{
  return g_strdup_printf ("<domain type='qemu'><name>vm</name><uuid>" CATALOGUE_UUID "</uuid>"
                          "<devices><disk type='file'><driver name='qemu' type='qcow2'/>"
                          "<source file='%s'/><target dev='vda'/></disk>"
                          "<disk type='file'><driver name='qemu' type='qcow2'/>"
                          "<source file='%s'/><target dev='vdb'/></disk></devices></domain>",
                          source_a, source_b);
}

char *
catalogue_domain (Catalogue *self)
{
  g_autofree char *a = catalogue_active (self, 'a');
  g_autofree char *b = catalogue_active (self, 'b');

  return make_document (a, b);
}

void
catalogue_define (Catalogue *self)
{
  g_autofree char *a = catalogue_path (self, "a.qcow2");
  g_autofree char *b = catalogue_path (self, "b.qcow2");
  g_autofree char *document = make_document (a, b);
  g_autoptr (GError) error = NULL;
  StmOp *op = stm_op_define_new (document, &error);

  g_assert_no_error (error);
  catalogue_do (self, op);
}

void
catalogue_set_up (Catalogue *self, gconstpointer unused)
{
  g_autofree char *run = NULL;
  g_autofree char *a = NULL;
  g_autofree char *b = NULL;

  if (!test_images_have_tools ())
    return;
  /* What an operation leaves unsettled is warned of, rightly. */
  g_log_set_always_fatal (G_LOG_FATAL_MASK | G_LOG_LEVEL_CRITICAL);
  self->directory = test_directory_new ();
  self->images = g_build_filename (self->directory, "images", NULL);
  g_assert_cmpint (g_mkdir (self->images, 0700), ==, 0);
  a = catalogue_path (self, "a.qcow2");
  b = catalogue_path (self, "b.qcow2");
  test_image_create (a, "qcow2", SIZE, /* backing= */ NULL, /* backing_format= */ NULL);
  test_image_create (b, "qcow2", SIZE, /* backing= */ NULL, /* backing_format= */ NULL);
  run = g_build_filename (self->directory, "run", NULL);
  self->driver = STM_DRIVER (stm_qemu_driver_new (NULL, NULL, run));
  open_service (self);
  catalogue_define (self);
}

void
catalogue_tear_down (Catalogue *self, gconstpointer unused)
{
  if (self->directory == NULL)
    return;
  close_service (self);
  g_clear_object (&self->driver);
  g_clear_pointer (&self->findings, g_ptr_array_unref);
  test_directory_remove (self->directory);
  g_free (self->directory);
  g_free (self->images);
}

/* ---- operations ---- */

StmOp *
catalogue_create (const char *name, StmDiskMode mode)
{
  return stm_op_create_new (CATALOGUE_ID, &(StmCreateRequest){ .name = name, .mode = mode });
}

StmOp *
catalogue_checkpoint (const char *name)
{
  return stm_op_create_checkpoint_new (CATALOGUE_ID, &(StmCreateCheckpointRequest){ .name = name });
}

StmOp *
catalogue_revert (Catalogue *self, const char *name)
{
  return stm_op_revert_new (
      CATALOGUE_ID,
      &(StmRevertRequest){ .moment_id = catalogue_find (self, STM_MOMENT_SNAPSHOT, name)->id,
                           .discards = TRUE });
}

StmOp *
catalogue_delete (Catalogue *self, StmMomentKind kind, const char *name, StmDeleteScope scope)
{
  const StmDeleteRequest request = { .moment_id = catalogue_find (self, kind, name)->id,
                                     .scope = scope };

  return kind == STM_MOMENT_SNAPSHOT ? stm_op_delete_new (CATALOGUE_ID, &request)
                                     : stm_op_delete_checkpoint_new (CATALOGUE_ID, &request);
}

StmOp *
catalogue_redefine (StmMomentKind kind, const char *const *documents)
{
  return stm_op_redefine_new (
      CATALOGUE_ID, &(StmRedefineRequest){ .kind = kind, .documents = documents, .fd = -1 });
}

char *
catalogue_document (const char *name, const char *parent)
{
  g_autofree char *above = parent == NULL
                               ? g_strdup ("")
                               : g_strdup_printf ("<parent><name>%s</name></parent>", parent);

  return g_strdup_printf ("<domainsnapshot><name>%s</name><state>shutoff</state>"
                          "<creationTime>1</creationTime>%s</domainsnapshot>",
                          name, above);
}

/* ---- what the service knows ---- */

static const StmTree *
tree_of (Catalogue *self, StmMomentKind kind)
{
  return stm_model_tree (stm_registry_get_model (self->registry), CATALOGUE_ID, kind);
}

const StmMoment *
catalogue_find (Catalogue *self, StmMomentKind kind, const char *name)
{
  const StmMoment *moment = stm_tree_find (tree_of (self, kind), name);

  if (moment == NULL)
    g_error ("there is no '%s'", name);
  return moment;
}

static int
by_name (gconstpointer a, gconstpointer b)
{
  return strcmp ((*(const StmMoment *const *) a)->name, (*(const StmMoment *const *) b)->name);
}

/* Trees of tests are flat. */
static void
print_below (GString *text, const StmTree *tree, const char *parent)
{
  g_autoptr (GPtrArray) children = g_ptr_array_new ();
  const StmMoment *child;

  for (child = stm_tree_first_child (tree, parent); child != NULL;
       child = stm_tree_next_sibling (tree, child->id))
    g_ptr_array_add (children, (gpointer) child);
  g_ptr_array_sort (children, by_name);
  for (guint i = 0; i < children->len; i++)
    {
      child = g_ptr_array_index (children, i);
      g_string_append_printf (text, "%s%s%s", i > 0 ? " " : "", child->name,
                              g_strcmp0 (stm_tree_current (tree), child->id) == 0 ? "*" : "");
      if (stm_tree_n_children (tree, child->id) == 0)
        continue;
      g_string_append_c (text, '(');
      print_below (text, tree, child->id);
      g_string_append_c (text, ')');
    }
}

char *
catalogue_tree (Catalogue *self, StmMomentKind kind)
{
  GString *text = g_string_new (NULL);

  print_below (text, tree_of (self, kind), /* parent= */ NULL);
  return g_string_free (text, FALSE);
}

void
catalogue_assert_tree (Catalogue *self, StmMomentKind kind, const char *expected)
{
  g_autofree char *tree = catalogue_tree (self, kind);

  g_assert_cmpstr (tree, ==, expected);
}

void
catalogue_assert_health (Catalogue *self, StmMomentKind kind, const char *name, StmHealth health)
{
  const StmMoment *moment = catalogue_find (self, kind, name);

  g_assert_cmpstr (stm_health_to_word (moment->health), ==, stm_health_to_word (health));
}

char *
catalogue_active (Catalogue *self, char disk)
{
  const StmModel *model = stm_registry_get_model (self->registry);

  return g_strdup (stm_model_get_domain (model, CATALOGUE_ID)->disks[disk - 'a'].source);
}

char *
catalogue_path (Catalogue *self, const char *file_name)
{
  return g_build_filename (self->images, file_name, NULL);
}

static void
on_checked (GObject *source, GAsyncResult *result, gpointer user_data)
{
  Catalogue *self = user_data;

  g_clear_pointer (&self->findings, g_ptr_array_unref);
  self->findings = stm_registry_check_finish (STM_REGISTRY (source), result, &self->error);
  self->is_over = TRUE;
}

static int
by_kind (gconstpointer a, gconstpointer b)
{
  return strcmp ((*(const StmFinding *const *) a)->kind, (*(const StmFinding *const *) b)->kind);
}

char *
catalogue_check (Catalogue *self)
{
  g_autoptr (GString) kinds = g_string_new (NULL);

  self->is_over = FALSE;
  stm_registry_check_async (self->registry, on_checked, self);
  wait_over (self);
  g_assert_no_error (self->error);
  g_ptr_array_sort (self->findings, by_kind);
  for (guint i = 0; i < self->findings->len; i++)
    {
      const StmFinding *finding = g_ptr_array_index (self->findings, i);

      g_test_message ("%s: %s", finding->kind, finding->text);
      g_string_append_printf (kinds, "%s%s", i > 0 ? " " : "", finding->kind);
    }
  return g_string_free (g_steal_pointer (&kinds), FALSE);
}

/* ---- the guest ---- */

void
catalogue_write (Catalogue *self, char disk, guint block, guint pattern)
{
  g_autofree char *path = catalogue_active (self, disk);

  test_image_write (path, "qcow2", pattern, (guint64) block * BLOCK, BLOCK);
}

char *
catalogue_see (Catalogue *self)
{
  g_autofree char *a = catalogue_active (self, 'a');
  g_autofree char *b = catalogue_active (self, 'b');
  g_autofree char *of_a = test_image_digest (a, "qcow2");
  g_autofree char *of_b = test_image_digest (b, "qcow2");

  return g_strconcat (of_a, " ", of_b, NULL);
}
