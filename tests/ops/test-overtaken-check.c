/* A check that is overtaken: what an operation made after its images were looked at is not missed,
 * and who asks then is answered by another look.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "registry-call.h"
#include "stemma-error.h"
#include "stm-sim-driver.h"

#include <glib/gstdio.h>

#define GATE "gate" /* where a driver has it */
#define ID "d0000000000000000000000000000001"
#define DOMAIN                                                                                     \
  "<domain type='kvm'><name>vm</name><uuid>d0000000-0000-0000-0000-000000000001</uuid><devices>"   \
  "<disk type='file' device='disk'><driver name='qemu' type='qcow2'/>"                             \
  "<source file='/sim/a.qcow2'/><target dev='vda' bus='virtio'/></disk></devices></domain>"

typedef StmSurvey *(*Survey) (StmDriver *driver, const StmSurveyRequest *request,
                              GCancellable *cancellable, GError **error);

/* Holds the next look of a driver back when it has seen the images. */
typedef struct
{
  GMutex mutex;
  GCond cond;
  Survey survey; /* that of the driver itself */
  gboolean is_armed, is_held;
} Gate;

typedef struct
{
  char *directory;
  StmDriver *driver;
  Gate gate;
  StmRegistry *registry;
  GPtrArray *findings; /* of the last check; NULL while it is under way */
  GPtrArray *later;    /* of one that was asked for meanwhile */
  GError *error;
} Fixture;

static StmSurvey *
survey_gated (StmDriver *driver, const StmSurveyRequest *request, GCancellable *cancellable,
              GError **error)
{
  Gate *gate = g_object_get_data (G_OBJECT (driver), GATE);
  StmSurvey *survey = gate->survey (driver, request, cancellable, error);

  g_mutex_lock (&gate->mutex);
  if (gate->is_armed)
    {
      gate->is_armed = FALSE;
      gate->is_held = TRUE;
      g_cond_broadcast (&gate->cond);
      while (gate->is_held)
        g_cond_wait (&gate->cond, &gate->mutex);
    }
  g_mutex_unlock (&gate->mutex);
  return survey;
}

static void
on_checked (GObject *source, GAsyncResult *result, gpointer user_data)
{
  Fixture *self = user_data;

  self->findings = stm_registry_check_finish (STM_REGISTRY (source), result, &self->error);
}

static void
end_check (Fixture *self)
{
  while (self->findings == NULL && self->error == NULL)
    g_main_context_iteration (NULL, TRUE);
  g_assert_no_error (self->error);
}

/* Returns when the images were looked at, and the check does not know yet. */
static void
begin_held_check (Fixture *self)
{
  Gate *gate = &self->gate;

  g_clear_pointer (&self->findings, g_ptr_array_unref);
  g_mutex_lock (&gate->mutex);
  gate->is_armed = TRUE;
  stm_registry_check_async (self->registry, on_checked, self);
  while (!gate->is_held)
    g_cond_wait (&gate->cond, &gate->mutex);
  g_mutex_unlock (&gate->mutex);
}

static void
let_go (Fixture *self)
{
  Gate *gate = &self->gate;

  g_assert_null (self->findings);
  g_mutex_lock (&gate->mutex);
  gate->is_held = FALSE;
  g_cond_broadcast (&gate->cond);
  g_mutex_unlock (&gate->mutex);
}

static void
end_held_check (Fixture *self)
{
  let_go (self);
  end_check (self);
}

static void
submit (Fixture *self, StmOp *taken_op)
{
  g_autoptr (GError) error = registry_run (self->registry, taken_op);

  g_assert_no_error (error);
}

static void
open_service (Fixture *self)
{
  const char *const pools[] = { NULL };
  g_autoptr (GError) error = NULL;

  self->registry = stm_registry_open_sync (self->driver, self->directory, pools, &error);
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
set_up (Fixture *self, gconstpointer data)
{
  const StmSimBehaviour behaviour = { 0 };
  g_autoptr (GError) error = NULL;
  StmOp *op = stm_op_define_new (DOMAIN, &error);

  g_assert_no_error (error);
  self->directory = g_dir_make_tmp ("stemma-XXXXXX", &error);
  g_assert_no_error (error);
  self->driver = STM_DRIVER (stm_sim_driver_new (NULL, &behaviour, &error));
  g_assert_no_error (error);
  self->gate.survey = *(const Survey *) data;
  g_mutex_init (&self->gate.mutex);
  g_cond_init (&self->gate.cond);
  g_object_set_data (G_OBJECT (self->driver), GATE, &self->gate);
  open_service (self);
  submit (self, op);
  /* Nor is that of the start under way any more. */
  stm_registry_check_async (self->registry, on_checked, self);
  end_check (self);
}

static void
tear_down (Fixture *self, gconstpointer data)
{
  g_autofree char *file = g_build_filename (self->directory, "stemma.db", NULL);

  close_service (self);
  g_clear_object (&self->driver);
  g_mutex_clear (&self->gate.mutex);
  g_cond_clear (&self->gate.cond);
  g_clear_pointer (&self->findings, g_ptr_array_unref);
  g_clear_pointer (&self->later, g_ptr_array_unref);
  g_assert_cmpint (g_unlink (file), ==, 0);
  g_assert_cmpint (g_rmdir (self->directory), ==, 0);
  g_free (self->directory);
}

static StmHealth
get_health (Fixture *self, StmMomentKind kind, const char *name)
{
  const StmTree *tree = stm_model_tree (stm_registry_get_model (self->registry), ID, kind);

  return stm_tree_find (tree, name)->health;
}

static void
test_checkpoint (Fixture *self, gconstpointer data)
{
  begin_held_check (self);
  submit (self, stm_op_create_checkpoint_new (ID, &(StmCreateCheckpointRequest){ .name = "c" }));
  end_held_check (self);
  g_assert_cmpint (get_health (self, STM_MOMENT_CHECKPOINT, "c"), ==, STM_HEALTH_OK);
  g_assert_cmpuint (self->findings->len, ==, 0);
}

static void
test_internal (Fixture *self, gconstpointer data)
{
  const StmDiskChoice choice = { .target = "vda", .mode = STM_MODE_INTERNAL };

  begin_held_check (self);
  submit (self, stm_op_create_new (
                    ID, &(StmCreateRequest){ .name = "s", .choices = &choice, .n_choices = 1 }));
  end_held_check (self);
  g_assert_cmpint (get_health (self, STM_MOMENT_SNAPSHOT, "s"), ==, STM_HEALTH_OK);
  g_assert_cmpuint (self->findings->len, ==, 0);
}

/* One that nothing overtakes does put on record what it saw. */
static void
test_alone (Fixture *self, gconstpointer data)
{
  submit (self, stm_op_create_new (ID, &(StmCreateRequest){ .name = "s" }));
  stm_sim_driver_lose_image (STM_SIM_DRIVER (self->driver), "/sim/a.qcow2");
  begin_held_check (self);
  end_held_check (self);
  g_assert_cmpint (get_health (self, STM_MOMENT_SNAPSHOT, "s"), ==, STM_HEALTH_MISSING);
  g_assert_cmpuint (self->findings->len, ==, 1);
}

static void
on_later (GObject *source, GAsyncResult *result, gpointer user_data)
{
  Fixture *self = user_data;

  g_assert_nonnull (self->findings);
  self->later = stm_registry_check_finish (STM_REGISTRY (source), result, &self->error);
}

static void
test_question_during_a_look (Fixture *self, gconstpointer data)
{
  submit (self, stm_op_create_new (ID, &(StmCreateRequest){ .name = "s" }));
  begin_held_check (self);
  stm_sim_driver_lose_image (STM_SIM_DRIVER (self->driver), "/sim/a.qcow2");
  stm_registry_check_async (self->registry, on_later, self);
  end_held_check (self);
  g_assert_cmpuint (self->findings->len, ==, 0);
  while (self->later == NULL && self->error == NULL)
    g_main_context_iteration (NULL, TRUE);
  g_assert_no_error (self->error);
  g_assert_cmpint (get_health (self, STM_MOMENT_SNAPSHOT, "s"), ==, STM_HEALTH_MISSING);
  g_assert_cmpuint (self->later->len, ==, 1);
}

static void
on_too_late (GObject *source, GAsyncResult *result, gpointer user_data)
{
  Fixture *self = user_data;

  g_assert_null (stm_registry_check_finish (STM_REGISTRY (source), result, &self->error));
}

/* The look is over on its worker, and nobody has heard of it yet. */
static void
test_end_of_service (Fixture *self, gconstpointer data)
{
  begin_held_check (self);
  stm_registry_check_async (self->registry, on_too_late, self);
  let_go (self);
  close_service (self);
  g_assert_error (self->error, STEMMA_ERROR, STEMMA_ERROR_CANCELLED);
  g_clear_error (&self->error);
  open_service (self);
}

#define ADD(path, test) g_test_add (path, Fixture, &survey, set_up, test, tear_down)

int
main (int argc, char **argv)
{
  GTypeClass *class = g_type_class_ref (STM_TYPE_SIM_DRIVER);
  StmDriverInterface *iface = g_type_interface_peek (class, STM_TYPE_DRIVER);
  const Survey survey = iface->survey;
  int result;

  g_test_init (&argc, &argv, NULL);
  iface->survey = survey_gated;
  ADD ("/ops/overtaken-check/a-new-checkpoint-is-not-missed", test_checkpoint);
  ADD ("/ops/overtaken-check/a-new-internal-snapshot-is-not-missed", test_internal);
  ADD ("/ops/overtaken-check/one-that-is-alone-tells-what-it-saw", test_alone);
  ADD ("/ops/overtaken-check/who-asks-meanwhile-hears-of-another-look",
       test_question_during_a_look);
  ADD ("/ops/overtaken-check/who-waits-at-the-end-of-the-service-is-told", test_end_of_service);
  result = g_test_run ();
  g_type_class_unref (class);
  return result;
}
