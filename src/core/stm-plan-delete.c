/* Plans the deletion of snapshots: one, one with all that stand on it, or only those.
 *
 * The moments go from the tree; the images that held them go as far as nobody needs them any more.
 * Pure, main loop.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "stm-planner.h"

#include "stm-planner-shared.h"
#include "stm-removal.h"

static GPtrArray *
choose_moments (const StmTree *tree, const StmMoment *moment, StmDeleteScope scope)
{
  GPtrArray *moments = NULL;

  switch (scope)
    {
    case STM_DELETE_ONE:
      moments = g_ptr_array_new_with_free_func ((GDestroyNotify) stm_moment_unref);
      g_ptr_array_add (moments, stm_moment_ref (moment));
      break;
    case STM_DELETE_SUBTREE:
      moments = stm_tree_subtree (tree, moment->id);
      break;
    case STM_DELETE_CHILDREN:
      moments = stm_tree_subtree (tree, moment->id);
      g_ptr_array_remove_index (moments, 0);
      break;
    }

  return moments;
}

static StmRemoval *
start (const StmModel *model, const char *domain_id, const StmDeleteRequest *request,
       GError **error)
{
  const StmMoment *moment = stm_planner_get_snapshot (model, domain_id, request->moment_id, error);

  if (moment == NULL)
    return NULL;

  const StmTree *tree = stm_model_tree (model, domain_id, STM_MOMENT_SNAPSHOT);
  g_autoptr (GPtrArray) moments = choose_moments (tree, moment, request->scope);

  return stm_removal_new (model, domain_id, moments, request->metadata_only, error);
}

GPtrArray *
stm_plan_delete_prepare (const StmModel *model, const char *domain_id,
                         const StmDeleteRequest *request, GError **error)
{
  g_autoptr (StmRemoval) removal = start (model, domain_id, request, error);

  return removal == NULL ? NULL : stm_removal_images (removal);
}

StmPlan *
stm_plan_delete (const StmModel *model, const StmSurvey *survey, const char *domain_id,
                 const StmDeleteRequest *request, const StmPlanContext *context, GError **error)
{
  g_autoptr (StmRemoval) removal = start (model, domain_id, request, error);

  if (removal == NULL)
    return NULL;

  g_autoptr (StmPlan) plan = stm_plan_new (STM_OPERATION_DELETE, context->plan_id, domain_id);
  plan->object_id = g_strdup (request->moment_id);
  if (!stm_removal_fill_steps (removal, survey, plan, error))
    return NULL;
  stm_removal_fill_finish (removal, plan);

  return g_steal_pointer (&plan);
}
