/* Plans that a domain leaves the service: alone, with its snapshots and checkpoints forgotten, or
 * with them deleted.
 *
 * The images of its disks stay in any case. Pure, main loop.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "stm-planner.h"

#include "stemma-error.h"
#include "stm-planner-shared.h"
#include "stm-removal.h"

static gboolean
check_no_moments (const StmModel *model, const StmDomain *domain, GError **error)
{
  guint n_snapshots = stm_tree_count (stm_model_tree (model, domain->id, STM_MOMENT_SNAPSHOT));
  guint n_checkpoints = stm_tree_count (stm_model_tree (model, domain->id, STM_MOMENT_CHECKPOINT));

  if (n_snapshots == 0 && n_checkpoints == 0)
    return TRUE;

  g_set_error (error, STEMMA_ERROR, STEMMA_ERROR_HAS_MOMENTS,
               "domain '%s' cannot be undefined, it has %u snapshot%s and %u checkpoint%s: delete "
               "them first, or give the option 'moments' as 'delete' or 'forget'",
               domain->name, n_snapshots, n_snapshots == 1 ? "" : "s", n_checkpoints,
               n_checkpoints == 1 ? "" : "s");

  return FALSE;
}

static gpointer
copy_moment (gconstpointer moment, gpointer user_data)
{
  return stm_moment_ref (moment);
}

/* The removal of all moments: of the record alone unless they are to be deleted. */
static StmRemoval *
start (const StmModel *model, const char *domain_id, const StmUndefineRequest *request,
       GError **error)
{
  const StmDomain *domain = stm_planner_get_domain (model, domain_id, error);

  if (domain == NULL
      || (request->moments == STM_MOMENTS_REFUSE && !check_no_moments (model, domain, error)))
    return NULL;

  const StmTree *tree = stm_model_tree (model, domain_id, STM_MOMENT_SNAPSHOT);
  g_autoptr (GPtrArray) moments = stm_tree_subtree (tree, NULL);
  g_autoptr (GPtrArray) checkpoints = stm_tree_subtree (
      stm_model_tree (model, domain_id, STM_MOMENT_CHECKPOINT), NULL);
  gboolean metadata_only = request->moments != STM_MOMENTS_DELETE;

  g_ptr_array_extend (moments, checkpoints, copy_moment, /* user_data= */ NULL);

  return stm_removal_new (model, domain_id, moments, metadata_only, error);
}

GPtrArray *
stm_plan_undefine_prepare (const StmModel *model, const char *domain_id,
                           const StmUndefineRequest *request, GError **error)
{
  g_autoptr (StmRemoval) removal = start (model, domain_id, request, error);

  return removal == NULL ? NULL : stm_removal_images (removal);
}

StmPlan *
stm_plan_undefine (const StmModel *model, const StmSurvey *survey, const char *domain_id,
                   const StmUndefineRequest *request, const StmPlanContext *context, GError **error)
{
  g_autoptr (StmRemoval) removal = start (model, domain_id, request, error);

  if (removal == NULL)
    return NULL;

  g_autoptr (StmPlan) plan = stm_plan_new (STM_OPERATION_UNDEFINE, context->plan_id, domain_id);
  if (!stm_removal_fill_steps (removal, survey, plan, error))
    return NULL;
  plan->finish->removes_domain = TRUE;

  return g_steal_pointer (&plan);
}
