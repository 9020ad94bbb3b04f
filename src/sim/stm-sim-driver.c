/* Binds the verbs of StmDriver to the simulated world.
 *
 * Made on any thread; verbs are called on workers, several at once: the world has its own lock.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "stm-sim-driver.h"

#include "stm-sim-private.h"

#include "stemma-error.h"

#include <string.h>

struct _StmSimDriver
{
  GObject parent_instance;

  StmSimWorld *world;
  StmSimBehaviour behaviour;
};

static void stm_sim_driver_iface_init (StmDriverInterface *iface);

G_DEFINE_FINAL_TYPE_WITH_CODE (StmSimDriver, stm_sim_driver, G_TYPE_OBJECT,
                               G_IMPLEMENT_INTERFACE (STM_TYPE_DRIVER, stm_sim_driver_iface_init))

StmSimDriver *
stm_sim_driver_new (const char *file, const StmSimBehaviour *behaviour, GError **error)
{
  g_autoptr (StmSimWorld) world = stm_sim_world_open (file, error);

  if (world == NULL)
    return NULL;

  StmSimDriver *self = g_object_new (STM_TYPE_SIM_DRIVER, NULL);
  self->world = g_steal_pointer (&world);
  self->behaviour = *behaviour;

  return self;
}

/* ---- what the verbs share ---- */

StmSimImage *
stm_sim_get_image (StmSimWorld *world, const StmPathPolicy *policy, const char *path,
                   const char *what, GError **error)
{
  StmSimImage *image = NULL;

  if (!stm_path_policy_check (policy, path, error))
    return NULL;
  image = stm_sim_world_get (world, path);
  if (image == NULL)
    g_set_error (error, STEMMA_ERROR, STEMMA_ERROR_NOT_FOUND, "%s %s: there is no such file", what,
                 path);

  return image;
}

StmSimImage *
stm_sim_get_qcow2 (StmSimWorld *world, const StmPathPolicy *policy, const char *path,
                   const char *what, GError **error)
{
  StmSimImage *image = stm_sim_get_image (world, policy, path, what, error);

  if (image == NULL || g_str_equal (image->format, "qcow2"))
    return image;
  g_set_error (error, STEMMA_ERROR, STEMMA_ERROR_NOT_SUPPORTED,
               "%s %s: a %s image can hold neither internal snapshots nor bitmaps; convert it to "
               "qcow2, or take an external snapshot first",
               what, path, image->format);

  return NULL;
}

/* ---- verbs ---- */

static const char *
get_name (StmDriver *driver)
{
  return "sim";
}

static char *
get_version (StmDriver *driver, GError **error)
{
  return g_strdup (STM_VERSION);
}

/* Nothing runs beside the service. */
static gboolean
reap (StmDriver *driver, GCancellable *cancellable, GError **error)
{
  return TRUE;
}

static GPtrArray *
walk_chain (StmDriver *driver, const StmChainRequest *request, GCancellable *cancellable,
            GError **error)
{
  return stm_sim_walk_chain (STM_SIM_DRIVER (driver)->world, request, error);
}

static StmSurvey *
survey (StmDriver *driver, const StmSurveyRequest *request, GCancellable *cancellable,
        GError **error)
{
  return stm_sim_survey (STM_SIM_DRIVER (driver)->world, request);
}

static gboolean
make_overlays (StmDriver *driver, const StmPlan *plan, const StmPathPolicy *policy,
               StmProgress *progress, GCancellable *cancellable, GError **error)
{
  StmSimDriver *self = STM_SIM_DRIVER (driver);

  return stm_sim_make_overlays (self->world, plan, policy, self->behaviour.writes_per_image, error);
}

static gboolean
make_tags (StmDriver *driver, const StmPlan *plan, const StmPathPolicy *policy,
           GCancellable *cancellable, GError **error)
{
  return stm_sim_make_marks (STM_SIM_DRIVER (driver)->world, plan, STM_STEP_TAG, policy, error);
}

static gboolean
make_bitmaps (StmDriver *driver, const StmPlan *plan, const StmPathPolicy *policy,
              GCancellable *cancellable, GError **error)
{
  return stm_sim_make_marks (STM_SIM_DRIVER (driver)->world, plan, STM_STEP_BITMAP, policy, error);
}

static gboolean
go_to_tag (StmDriver *driver, const StmStep *step, const StmPathPolicy *policy,
           GCancellable *cancellable, GError **error)
{
  return stm_sim_go_to_tag (STM_SIM_DRIVER (driver)->world, step, policy, error);
}

static gboolean
abandon_marks (StmDriver *driver, const StmPlan *plan, const StmPathPolicy *policy, GError **error)
{
  return stm_sim_abandon_marks (STM_SIM_DRIVER (driver)->world, plan, policy, error);
}

static gboolean
remove_marks (StmDriver *driver, const StmStep *const *steps, gsize n_steps,
              const StmPathPolicy *policy, GError **failures)
{
  return stm_sim_remove_marks (STM_SIM_DRIVER (driver)->world, steps, n_steps, policy, failures);
}

static gboolean
merge (StmDriver *driver, const StmStep *step, const StmPathPolicy *policy, StmProgress *progress,
       GCancellable *cancellable, GError **error)
{
  StmSimDriver *self = STM_SIM_DRIVER (driver);

  return stm_sim_merge (self->world, step, policy, self->behaviour.bytes_per_second, progress,
                        cancellable, error);
}

static gboolean
remove_image (StmDriver *driver, const StmStep *step, const StmPathPolicy *policy, GError **error)
{
  return stm_sim_remove_image (STM_SIM_DRIVER (driver)->world, step, policy, error);
}

static gboolean
abandon_overlays (StmDriver *driver, const StmPlan *plan, const StmPathPolicy *policy,
                  GError **error)
{
  return stm_sim_abandon_overlays (STM_SIM_DRIVER (driver)->world, plan, error);
}

static void
stm_sim_driver_iface_init (StmDriverInterface *iface)
{
  iface->get_name = get_name;
  iface->get_version = get_version;
  iface->reap = reap;
  iface->walk_chain = walk_chain;
  iface->survey = survey;
  iface->make_overlays = make_overlays;
  iface->make_tags = make_tags;
  iface->make_bitmaps = make_bitmaps;
  iface->go_to_tag = go_to_tag;
  iface->abandon_marks = abandon_marks;
  iface->remove_marks = remove_marks;
  iface->merge = merge;
  iface->remove_image = remove_image;
  iface->abandon_overlays = abandon_overlays;
}

/* ---- the world outside ---- */

void
stm_sim_driver_make_image (StmSimDriver *self, const char *path, const char *format,
                           guint64 capacity, const char *backing)
{
  StmSimImage *image = stm_sim_image_new (path, format, capacity);

  stm_sim_world_lock (self->world);
  const StmSimImage *below = stm_sim_world_get (self->world, backing);
  image->backing = g_strdup (backing);
  image->backing_format = g_strdup (below != NULL ? below->format : NULL);
  stm_sim_world_add (self->world, image);
  stm_sim_world_unlock (self->world);
}

void
stm_sim_driver_write (StmSimDriver *self, const char *path, guint64 block, guint64 value)
{
  stm_sim_world_lock (self->world);
  stm_sim_image_write (stm_sim_world_get (self->world, path), block, value);
  stm_sim_world_unlock (self->world);
}

void
stm_sim_driver_resize (StmSimDriver *self, const char *path, guint64 capacity)
{
  stm_sim_world_lock (self->world);
  stm_sim_world_get (self->world, path)->capacity = capacity;
  stm_sim_world_unlock (self->world);
}

guint64
stm_sim_driver_read (StmSimDriver *self, const char *path, guint64 block)
{
  stm_sim_world_lock (self->world);
  guint64 value = stm_sim_world_read (self->world, stm_sim_world_get (self->world, path), block);
  stm_sim_world_unlock (self->world);

  return value;
}

gboolean
stm_sim_driver_has_image (StmSimDriver *self, const char *path)
{
  stm_sim_world_lock (self->world);
  gboolean is_there = stm_sim_world_get (self->world, path) != NULL;
  stm_sim_world_unlock (self->world);

  return is_there;
}

void
stm_sim_driver_lose_image (StmSimDriver *self, const char *path)
{
  stm_sim_world_lock (self->world);
  stm_sim_world_remove (self->world, path);
  stm_sim_world_unlock (self->world);
}

void
stm_sim_driver_break_bitmap (StmSimDriver *self, const char *path, const char *bitmap)
{
  stm_sim_world_lock (self->world);
  stm_sim_image_find_bitmap (stm_sim_world_get (self->world, path), bitmap)->is_broken = TRUE;
  stm_sim_world_unlock (self->world);
}

static void
stm_sim_driver_finalize (GObject *object)
{
  g_clear_pointer (&STM_SIM_DRIVER (object)->world, stm_sim_world_free);
  G_OBJECT_CLASS (stm_sim_driver_parent_class)->finalize (object);
}

static void
stm_sim_driver_class_init (StmSimDriverClass *class)
{
  G_OBJECT_CLASS (class)->finalize = stm_sim_driver_finalize;
}

static void
stm_sim_driver_init (StmSimDriver *self)
{
}
