/* StmDriver: dispatches the verbs to the implementation.
 *
 * Called on workers; holds no state and adds none.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "stm-driver.h"

G_DEFINE_INTERFACE (StmDriver, stm_driver, G_TYPE_OBJECT)

static void
stm_driver_default_init (StmDriverInterface *iface)
{
}

const char *
stm_driver_get_name (StmDriver *self)
{
  g_return_val_if_fail (STM_IS_DRIVER (self), NULL);

  return STM_DRIVER_GET_IFACE (self)->get_name (self);
}

char *
stm_driver_get_version (StmDriver *self, GError **error)
{
  g_return_val_if_fail (STM_IS_DRIVER (self), NULL);

  return STM_DRIVER_GET_IFACE (self)->get_version (self, error);
}

gboolean
stm_driver_reap (StmDriver *self, GCancellable *cancellable, GError **error)
{
  g_return_val_if_fail (STM_IS_DRIVER (self), FALSE);

  return STM_DRIVER_GET_IFACE (self)->reap (self, cancellable, error);
}

char *
stm_driver_find_real_path (StmDriver *self, const char *path)
{
  g_return_val_if_fail (STM_IS_DRIVER (self) && path != NULL, NULL);

  StmDriverInterface *iface = STM_DRIVER_GET_IFACE (self);

  return iface->find_real_path != NULL ? iface->find_real_path (self, path) : g_strdup (path);
}

GPtrArray *
stm_driver_walk_chain (StmDriver *self, const StmChainRequest *request, GCancellable *cancellable,
                       GError **error)
{
  g_return_val_if_fail (STM_IS_DRIVER (self) && request != NULL, NULL);

  return STM_DRIVER_GET_IFACE (self)->walk_chain (self, request, cancellable, error);
}

StmSurvey *
stm_driver_survey (StmDriver *self, const StmSurveyRequest *request, GCancellable *cancellable,
                   GError **error)
{
  g_return_val_if_fail (STM_IS_DRIVER (self) && request != NULL, NULL);

  return STM_DRIVER_GET_IFACE (self)->survey (self, request, cancellable, error);
}

gboolean
stm_driver_make_overlays (StmDriver *self, const StmPlan *plan, const StmPathPolicy *policy,
                          StmProgress *progress, GCancellable *cancellable, GError **error)
{
  g_return_val_if_fail (STM_IS_DRIVER (self) && plan != NULL, FALSE);

  return STM_DRIVER_GET_IFACE (self)->make_overlays (self, plan, policy, progress, cancellable,
                                                     error);
}

gboolean
stm_driver_merge (StmDriver *self, const StmStep *step, const StmPathPolicy *policy,
                  StmProgress *progress, GCancellable *cancellable, GError **error)
{
  g_return_val_if_fail (STM_IS_DRIVER (self) && step != NULL, FALSE);

  return STM_DRIVER_GET_IFACE (self)->merge (self, step, policy, progress, cancellable, error);
}

gboolean
stm_driver_repair_image (StmDriver *self, const StmImage *image, const StmPathPolicy *policy,
                         GError **error)
{
  g_return_val_if_fail (STM_IS_DRIVER (self) && image != NULL, FALSE);

  StmDriverInterface *iface = STM_DRIVER_GET_IFACE (self);

  return iface->repair_image == NULL || iface->repair_image (self, image, policy, error);
}

gboolean
stm_driver_remove_image (StmDriver *self, const StmStep *step, const StmPathPolicy *policy,
                         GError **error)
{
  g_return_val_if_fail (STM_IS_DRIVER (self) && step != NULL, FALSE);

  return STM_DRIVER_GET_IFACE (self)->remove_image (self, step, policy, error);
}

gboolean
stm_driver_abandon_overlays (StmDriver *self, const StmPlan *plan, const StmPathPolicy *policy,
                             GError **error)
{
  g_return_val_if_fail (STM_IS_DRIVER (self) && plan != NULL, FALSE);

  return STM_DRIVER_GET_IFACE (self)->abandon_overlays (self, plan, policy, error);
}

gboolean
stm_driver_make_tags (StmDriver *self, const StmPlan *plan, const StmPathPolicy *policy,
                      GCancellable *cancellable, GError **error)
{
  g_return_val_if_fail (STM_IS_DRIVER (self) && plan != NULL, FALSE);

  return STM_DRIVER_GET_IFACE (self)->make_tags (self, plan, policy, cancellable, error);
}

gboolean
stm_driver_make_bitmaps (StmDriver *self, const StmPlan *plan, const StmPathPolicy *policy,
                         GCancellable *cancellable, GError **error)
{
  g_return_val_if_fail (STM_IS_DRIVER (self) && plan != NULL, FALSE);

  return STM_DRIVER_GET_IFACE (self)->make_bitmaps (self, plan, policy, cancellable, error);
}

gboolean
stm_driver_go_to_tag (StmDriver *self, const StmStep *step, const StmPathPolicy *policy,
                      GCancellable *cancellable, GError **error)
{
  g_return_val_if_fail (STM_IS_DRIVER (self) && step != NULL, FALSE);

  return STM_DRIVER_GET_IFACE (self)->go_to_tag (self, step, policy, cancellable, error);
}

gboolean
stm_driver_abandon_marks (StmDriver *self, const StmPlan *plan, const StmPathPolicy *policy,
                          GError **error)
{
  g_return_val_if_fail (STM_IS_DRIVER (self) && plan != NULL, FALSE);

  return STM_DRIVER_GET_IFACE (self)->abandon_marks (self, plan, policy, error);
}

gboolean
stm_driver_remove_marks (StmDriver *self, const StmStep *const *steps, gsize n_steps,
                         const StmPathPolicy *policy, GError **failures)
{
  g_return_val_if_fail (STM_IS_DRIVER (self) && steps != NULL && failures != NULL, FALSE);

  return STM_DRIVER_GET_IFACE (self)->remove_marks (self, steps, n_steps, policy, failures);
}
