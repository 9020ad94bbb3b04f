/* Binds the verbs of StmDriver to what stands in this folder.
 *
 * Made on any thread; verbs are called on workers, several at once. Immutable but for the version,
 * which is asked once and set atomically, and the keeper, which sees to itself. Holds no state on
 * images: each verb looks for itself.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "stm-qemu-driver.h"

#include "stm-block-endpoint.h"
#include "stm-chain-walk.h"
#include "stm-endpoint-keeper.h"
#include "stm-endpoint-record.h"
#include "stm-image-file.h"
#include "stm-image-remove.h"
#include "stm-image-repair.h"
#include "stm-image-survey.h"
#include "stm-qemu-bitmaps.h"
#include "stm-qemu-goto.h"
#include "stm-qemu-marks.h"
#include "stm-qemu-merge.h"
#include "stm-qemu-overlay.h"
#include "stm-qemu-tags.h"

struct _StmQemuDriver
{
  GObject parent_instance;

  char *binary;
  char *endpoint_user;
  char *run_directory;
  StmQemuSetup setup; /* borrows these */
  char *version;      /* atomic; NULL until asked */
};

static void stm_qemu_driver_iface_init (StmDriverInterface *iface);

G_DEFINE_FINAL_TYPE_WITH_CODE (StmQemuDriver, stm_qemu_driver, G_TYPE_OBJECT,
                               G_IMPLEMENT_INTERFACE (STM_TYPE_DRIVER, stm_qemu_driver_iface_init))

StmQemuDriver *
stm_qemu_driver_new (const char *binary, const char *endpoint_user, const char *run_directory)
{
  g_return_val_if_fail (run_directory != NULL, NULL);

  StmQemuDriver *self = g_object_new (STM_TYPE_QEMU_DRIVER, NULL);

  self->binary = g_strdup (binary != NULL ? binary : STM_QEMU_DEFAULT_BINARY);
  self->endpoint_user = g_strdup (endpoint_user);
  self->run_directory = g_strdup (run_directory);
  self->setup = (StmQemuSetup){ .binary = self->binary,
                                .user = self->endpoint_user,
                                .run_directory = self->run_directory };
  return self;
}

void
stm_qemu_driver_keep_spare (StmQemuDriver *self, guint idle_ms)
{
  g_return_if_fail (STM_IS_QEMU_DRIVER (self) && self->setup.keeper == NULL);

  self->setup.keeper = stm_endpoint_keeper_new (&self->setup, idle_ms);
}

static const char *
get_name (StmDriver *driver)
{
  return "qemu";
}

static char *
ask_version (StmQemuDriver *self, GError **error)
{
  StmQemuSetup setup = self->setup;

  /* That it was asked does not say that images will be worked on. */
  setup.keeper = NULL;

  g_autoptr (StmBlockEndpoint) endpoint = stm_block_endpoint_start (&setup, error);
  const char *version = endpoint != NULL
                            ? stm_block_endpoint_get_version_sync (endpoint, NULL, error)
                            : NULL;

  return g_strdup (version);
}

static char *
get_version (StmDriver *driver, GError **error)
{
  StmQemuDriver *self = STM_QEMU_DRIVER (driver);

  if (g_atomic_pointer_get (&self->version) == NULL)
    {
      g_autofree char *version = ask_version (self, error);

      if (version == NULL)
        return NULL;
      /* The first of two that ask at once; it never changes afterwards. */
      if (g_atomic_pointer_compare_and_exchange (&self->version, NULL, version))
        (void) g_steal_pointer (&version);
    }

  return g_strdup (g_atomic_pointer_get (&self->version));
}

static gboolean
reap (StmDriver *driver, GCancellable *cancellable, GError **error)
{
  return stm_endpoint_records_reap_sync (STM_QEMU_DRIVER (driver)->run_directory, cancellable,
                                         error);
}

static char *
find_real_path (StmDriver *driver, const char *path)
{
  return stm_image_file_spell (path);
}

static GPtrArray *
walk_chain (StmDriver *driver, const StmChainRequest *request, GCancellable *cancellable,
            GError **error)
{
  return stm_chain_walk (request, cancellable, error);
}

static StmSurvey *
survey (StmDriver *driver, const StmSurveyRequest *request, GCancellable *cancellable,
        GError **error)
{
  return stm_image_survey (request, cancellable, error);
}

static gboolean
make_overlays (StmDriver *driver, const StmPlan *plan, const StmPathPolicy *policy,
               StmProgress *progress, GCancellable *cancellable, GError **error)
{
  return stm_qemu_overlays_make (&STM_QEMU_DRIVER (driver)->setup, plan, policy, cancellable,
                                 error);
}

static gboolean
make_tags (StmDriver *driver, const StmPlan *plan, const StmPathPolicy *policy,
           GCancellable *cancellable, GError **error)
{
  return stm_qemu_tags_make (&STM_QEMU_DRIVER (driver)->setup, plan, policy, cancellable, error);
}

static gboolean
make_bitmaps (StmDriver *driver, const StmPlan *plan, const StmPathPolicy *policy,
              GCancellable *cancellable, GError **error)
{
  return stm_qemu_bitmaps_make (&STM_QEMU_DRIVER (driver)->setup, plan, policy, cancellable, error);
}

static gboolean
go_to_tag (StmDriver *driver, const StmStep *step, const StmPathPolicy *policy,
           GCancellable *cancellable, GError **error)
{
  return stm_qemu_goto_run (&STM_QEMU_DRIVER (driver)->setup, step, policy, cancellable, error);
}

static gboolean
abandon_marks (StmDriver *driver, const StmPlan *plan, const StmPathPolicy *policy, GError **error)
{
  return stm_qemu_marks_abandon (&STM_QEMU_DRIVER (driver)->setup, plan, policy, error);
}

static gboolean
remove_marks (StmDriver *driver, const StmStep *const *steps, gsize n_steps,
              const StmPathPolicy *policy, GError **failures)
{
  return stm_qemu_marks_remove (&STM_QEMU_DRIVER (driver)->setup, steps, n_steps, policy, failures);
}

static gboolean
merge (StmDriver *driver, const StmStep *step, const StmPathPolicy *policy, StmProgress *progress,
       GCancellable *cancellable, GError **error)
{
  return stm_qemu_merge (&(StmMerge){ .setup = &STM_QEMU_DRIVER (driver)->setup,
                                      .step = step,
                                      .policy = policy,
                                      .progress = progress,
                                      .cancellable = cancellable },
                         error);
}

static gboolean
repair_image (StmDriver *driver, const StmImage *image, const StmPathPolicy *policy, GError **error)
{
  return stm_image_repair_leaks (&STM_QEMU_DRIVER (driver)->setup, image, policy, error);
}

static gboolean
remove_image (StmDriver *driver, const StmStep *step, const StmPathPolicy *policy, GError **error)
{
  return stm_image_remove (step->image, policy, error);
}

static gboolean
abandon_overlays (StmDriver *driver, const StmPlan *plan, const StmPathPolicy *policy,
                  GError **error)
{
  return stm_qemu_overlays_abandon (plan, policy, error);
}

static void
stm_qemu_driver_iface_init (StmDriverInterface *iface)
{
  iface->get_name = get_name;
  iface->get_version = get_version;
  iface->reap = reap;
  iface->find_real_path = find_real_path;
  iface->walk_chain = walk_chain;
  iface->survey = survey;
  iface->make_overlays = make_overlays;
  iface->make_tags = make_tags;
  iface->make_bitmaps = make_bitmaps;
  iface->go_to_tag = go_to_tag;
  iface->abandon_marks = abandon_marks;
  iface->remove_marks = remove_marks;
  iface->merge = merge;
  iface->repair_image = repair_image;
  iface->remove_image = remove_image;
  iface->abandon_overlays = abandon_overlays;
}

static void
stm_qemu_driver_finalize (GObject *object)
{
  StmQemuDriver *self = STM_QEMU_DRIVER (object);

  g_clear_pointer (&self->setup.keeper, stm_endpoint_keeper_free);
  g_free (self->binary);
  g_free (self->endpoint_user);
  g_free (self->run_directory);
  g_free (self->version);

  G_OBJECT_CLASS (stm_qemu_driver_parent_class)->finalize (object);
}

static void
stm_qemu_driver_class_init (StmQemuDriverClass *klass)
{
  G_OBJECT_CLASS (klass)->finalize = stm_qemu_driver_finalize;
}

static void
stm_qemu_driver_init (StmQemuDriver *self)
{
}
