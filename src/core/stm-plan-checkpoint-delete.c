/* Plans the deletion of checkpoints: one, one with all that stand on it, or only those.
 *
 * The checkpoints go from the tree first, then their bitmaps from the images. Each bitmap records
 * for itself from when it was begun, so that what is left of the others loses nothing. Pure, main
 * loop.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "stm-planner.h"

#include "stemma-error.h"
#include "stm-planner-shared.h"
#include "stm-unmark.h"

typedef struct
{
  const StmModel *model;
  const char *domain_id;
  const StmTree *tree;
  GPtrArray *checkpoints; /* StmMoment, each parent before its children */
  GHashTable *ids;        /* of them, borrowed from them */
} Deletion;

static void
deletion_clear (Deletion *self)
{
  g_clear_pointer (&self->ids, g_hash_table_unref);
  g_clear_pointer (&self->checkpoints, g_ptr_array_unref);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Deletion, deletion_clear)

static const StmMoment *
get_checkpoint (const StmModel *model, const char *domain_id, const char *id, GError **error)
{
  const StmDomain *domain = stm_planner_get_domain (model, domain_id, error);

  if (domain == NULL)
    return NULL;

  const StmMoment *checkpoint = stm_tree_get (
      stm_model_tree (model, domain_id, STM_MOMENT_CHECKPOINT), id);
  if (checkpoint == NULL)
    g_set_error (error, STEMMA_ERROR, STEMMA_ERROR_NOT_FOUND,
                 "domain '%s' has no checkpoint with the id %s", domain->name, id);

  return checkpoint;
}

static GPtrArray *
choose_checkpoints (const StmTree *tree, const StmMoment *checkpoint, StmDeleteScope scope)
{
  GPtrArray *checkpoints = NULL;

  switch (scope)
    {
    case STM_DELETE_ONE:
      checkpoints = g_ptr_array_new_with_free_func ((GDestroyNotify) stm_moment_unref);
      g_ptr_array_add (checkpoints, stm_moment_ref (checkpoint));
      break;
    case STM_DELETE_SUBTREE:
      checkpoints = stm_tree_subtree (tree, checkpoint->id);
      break;
    case STM_DELETE_CHILDREN:
      checkpoints = stm_tree_subtree (tree, checkpoint->id);
      g_ptr_array_remove_index (checkpoints, 0);
      break;
    }

  return checkpoints;
}

static gboolean
check_states (const Deletion *self, GError **error)
{
  for (guint i = 0; i < self->checkpoints->len; i++)
    {
      const StmMoment *checkpoint = self->checkpoints->pdata[i];

      if (checkpoint->state != STM_STATE_CREATING)
        continue;
      g_set_error (error, STEMMA_ERROR, STEMMA_ERROR_WRONG_STATE,
                   "checkpoint '%s' cannot be deleted while it is being made: wait for the end of "
                   "that, or let Manager.Check and Manager.Resolve settle it",
                   checkpoint->name);
      return FALSE;
    }

  return stm_planner_check_settled (self->model, self->domain_id, self->ids, error);
}

static gboolean
start (Deletion *self, const StmModel *model, const char *domain_id,
       const StmDeleteRequest *request, GError **error)
{
  const StmMoment *checkpoint = get_checkpoint (model, domain_id, request->moment_id, error);

  if (checkpoint == NULL)
    return FALSE;

  self->model = model;
  self->domain_id = domain_id;
  self->tree = stm_model_tree (model, domain_id, STM_MOMENT_CHECKPOINT);
  self->checkpoints = choose_checkpoints (self->tree, checkpoint, request->scope);
  self->ids = g_hash_table_new (g_str_hash, g_str_equal);
  for (guint i = 0; i < self->checkpoints->len; i++)
    g_hash_table_add (self->ids, (char *) ((StmMoment *) self->checkpoints->pdata[i])->id);

  return check_states (self, error);
}

GPtrArray *
stm_plan_delete_checkpoint_prepare (const StmModel *model, const char *domain_id,
                                    const StmDeleteRequest *request, GError **error)
{
  g_auto (Deletion) self = { 0 };

  if (!start (&self, model, domain_id, request, error))
    return NULL;
  if (request->metadata_only)
    return g_ptr_array_new_with_free_func ((GDestroyNotify) stm_image_unref);

  return stm_unmark_list_images (model, domain_id, self.checkpoints);
}

static const char *
nearest_kept (const Deletion *self, const char *id)
{
  while (id != NULL && g_hash_table_contains (self->ids, id))
    id = stm_tree_get (self->tree, id)->parent;

  return id;
}

/* A child goes to its nearest ancestor that stays. */
static void
put_children (const Deletion *self, StmPlan *plan)
{
  for (guint i = 0; i < self->checkpoints->len; i++)
    {
      const StmMoment *gone = self->checkpoints->pdata[i];
      const StmMoment *child = stm_tree_first_child (self->tree, gone->id);

      for (; child != NULL; child = stm_tree_next_sibling (self->tree, child->id))
        {
          if (g_hash_table_contains (self->ids, child->id))
            continue;
          g_autoptr (StmMoment)
              adopted = stm_moment_with_parent (child, nearest_kept (self, gone->id));
          stm_change_put_moment (plan->finish, adopted);
        }
    }
}

static void
fill_changes (const Deletion *self, StmPlan *plan)
{
  put_children (self, plan);
  for (guint i = self->checkpoints->len; i > 0; i--)
    {
      const StmMoment *checkpoint = self->checkpoints->pdata[i - 1];

      stm_change_remove_moment (plan->finish, checkpoint->id);
    }
  if (stm_plan_n_steps_of (plan, STM_STEP_UNBITMAP) == 0)
    return;
  for (guint i = 0; i < self->checkpoints->len; i++)
    {
      const StmMoment *checkpoint = self->checkpoints->pdata[i];
      g_autoptr (StmMoment)
          going = stm_moment_with_state (checkpoint, STM_STATE_DELETING, checkpoint->health);

      stm_change_put_moment (plan->begin, going);
      stm_change_put_moment (plan->undo, checkpoint);
    }
}

StmPlan *
stm_plan_delete_checkpoint (const StmModel *model, const StmSurvey *survey, const char *domain_id,
                            const StmDeleteRequest *request, const StmPlanContext *context,
                            GError **error)
{
  g_auto (Deletion) self = { 0 };

  if (!start (&self, model, domain_id, request, error))
    return NULL;

  g_autoptr (StmPlan)
      plan = stm_plan_new (STM_OPERATION_DELETE_CHECKPOINT, context->plan_id, domain_id);
  plan->object_id = g_strdup (request->moment_id);
  if (!request->metadata_only
      && !stm_unmark_plan (model, survey, domain_id, self.checkpoints, /* layers= */ NULL, plan,
                           error))
    return NULL;
  fill_changes (&self, plan);

  return g_steal_pointer (&plan);
}
