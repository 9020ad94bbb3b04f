/* Plans that all snapshots, or all checkpoints, of a domain are forgotten as one change.
 *
 * Called by the operation of that name, main loop. What a forgotten snapshot froze, and all below
 * it, is somebody's from then on, who may redefine the snapshot or take the files elsewhere: it
 * stays on record as an image that the service never writes and never removes. The record of such
 * an image goes when nothing that stays stands on it, so that redefining and forgetting in turn
 * does not pile up records. Costs by the number of moments and images.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "stm-forget.h"

#include "stm-planner-shared.h"

/* The image and all below it, as far as recorded; stops where another walk came by. */
static void
keep_chain (const StmModel *model, const char *domain_id, const char *path, GHashTable *kept)
{
  const StmImage *image = path != NULL ? stm_model_get_image (model, domain_id, path) : NULL;

  while (image != NULL && g_hash_table_add (kept, (char *) image->path))
    image = image->backing != NULL ? stm_model_get_image (model, domain_id, image->backing) : NULL;
}

static void
keep_frozen (const StmModel *model, const char *domain_id, StmMomentKind kind, GHashTable *kept)
{
  g_autoptr (GPtrArray) moments = stm_tree_subtree (stm_model_tree (model, domain_id, kind), NULL);

  for (guint i = 0; i < moments->len; i++)
    {
      const StmMoment *moment = moments->pdata[i];

      for (gsize j = 0; j < moment->n_disks; j++)
        keep_chain (model, domain_id, moment->disks[j].frozen, kept);
    }
}

static void
forget_images (const StmModel *model, const StmDomain *domain, StmMomentKind kind,
               StmChange *change)
{
  g_autoptr (GPtrArray) images = stm_model_images (model, domain->id);
  g_autoptr (GHashTable) kept = g_hash_table_new (g_str_hash, g_str_equal);
  StmMomentKind other = kind == STM_MOMENT_SNAPSHOT ? STM_MOMENT_CHECKPOINT : STM_MOMENT_SNAPSHOT;

  keep_frozen (model, domain->id, other, kept);
  for (gsize i = 0; i < domain->n_disks; i++)
    keep_chain (model, domain->id, domain->disks[i].source, kept);
  for (guint i = 0; i < images->len; i++)
    {
      const StmImage *image = images->pdata[i];

      if (image->origin != STM_IMAGE_BACKING)
        keep_chain (model, domain->id, image->path, kept);
    }
  for (guint i = 0; i < images->len; i++)
    {
      const StmImage *image = images->pdata[i];

      if (!g_hash_table_contains (kept, image->path))
        stm_change_remove_image (change, image->path);
    }
}

/* Stops where another walk came by. */
static void
protect_chain (const StmModel *model, const char *domain_id, const char *path, GHashTable *seen,
               StmChange *change)
{
  const StmImage *image = path != NULL ? stm_model_get_image (model, domain_id, path) : NULL;

  while (image != NULL && g_hash_table_add (seen, (char *) image->path))
    {
      StmImage init = *image;
      g_autoptr (StmImage) protected = NULL;

      init.origin = STM_IMAGE_BACKING;
      protected = stm_image_new (&init);
      if (image->origin != STM_IMAGE_BACKING)
        stm_change_put_image (change, protected);
      image = image->backing != NULL ? stm_model_get_image (model, domain_id, image->backing)
                                     : NULL;
    }
}

static void
protect_frozen (const StmModel *model, const char *domain_id, GPtrArray *snapshots,
                StmChange *change)
{
  g_autoptr (GHashTable) seen = g_hash_table_new (g_str_hash, g_str_equal);

  for (guint i = 0; i < snapshots->len; i++)
    {
      const StmMoment *snapshot = snapshots->pdata[i];

      for (gsize j = 0; j < snapshot->n_disks; j++)
        if (snapshot->disks[j].mode == STM_MODE_EXTERNAL)
          protect_chain (model, domain_id, snapshot->disks[j].frozen, seen, change);
    }
}

StmPlan *
stm_plan_forget_all (const StmModel *model, const char *domain_id, StmMomentKind kind,
                     const StmPlanContext *context, GError **error)
{
  const StmDomain *domain = stm_planner_get_domain (model, domain_id, error);

  if (domain == NULL)
    return NULL;

  const StmTree *tree = stm_model_tree (model, domain_id, kind);
  g_autoptr (StmPlan) plan = stm_plan_new (STM_OPERATION_FORGET, context->plan_id, domain_id);
  if (stm_tree_count (tree) == 0)
    return g_steal_pointer (&plan);

  g_autoptr (GPtrArray) moments = stm_tree_subtree (tree, NULL);
  for (guint i = 0; i < moments->len; i++)
    stm_change_remove_moment (plan->finish, ((StmMoment *) moments->pdata[i])->id);
  if (kind == STM_MOMENT_SNAPSHOT && stm_tree_current (tree) != NULL)
    stm_change_set_current (plan->finish, NULL);
  forget_images (model, domain, kind, plan->finish);
  if (kind == STM_MOMENT_SNAPSHOT)
    protect_frozen (model, domain_id, moments, plan->finish);

  return g_steal_pointer (&plan);
}
