/* StmRemoval: takes moments out of the trees and lets StmLayers decide on the images.
 *
 * Main loop, owned by one planner for one call; reads the model, writes only the plan.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "stm-removal.h"

#include "stemma-error.h"
#include "stm-checkpoints.h"
#include "stm-planner-shared.h"
#include "stm-unmark.h"
#include "stm-untag.h"

struct _StmRemoval
{
  const StmModel *model;
  const StmTree *tree; /* of snapshots */
  char *domain_id;
  GPtrArray *moments;     /* StmMoment, snapshots */
  GPtrArray *checkpoints; /* StmMoment */
  GHashTable *ids;        /* of both, borrowed from them */
  StmLayers *layers;
  gboolean metadata_only;
};

static gboolean
check_states (const GPtrArray *moments, GError **error)
{
  for (guint i = 0; i < moments->len; i++)
    {
      const StmMoment *moment = moments->pdata[i];

      if (moment->state != STM_STATE_CREATING)
        continue;
      g_set_error (error, STEMMA_ERROR, STEMMA_ERROR_WRONG_STATE,
                   "%s '%s' cannot be deleted while it is being made: wait for the end of that, or "
                   "let Manager.Check and Manager.Resolve settle it",
                   moment->kind == STM_MOMENT_SNAPSHOT ? "snapshot" : "checkpoint", moment->name);
      return FALSE;
    }

  return TRUE;
}

static void
take_moments (StmRemoval *self, const GPtrArray *moments)
{
  self->moments = g_ptr_array_new_with_free_func ((GDestroyNotify) stm_moment_unref);
  self->checkpoints = g_ptr_array_new_with_free_func ((GDestroyNotify) stm_moment_unref);
  self->ids = g_hash_table_new (g_str_hash, g_str_equal);
  for (guint i = 0; i < moments->len; i++)
    {
      const StmMoment *moment = moments->pdata[i];
      GPtrArray *same = moment->kind == STM_MOMENT_SNAPSHOT ? self->moments : self->checkpoints;

      g_ptr_array_add (same, stm_moment_ref (moment));
      g_hash_table_add (self->ids, (char *) moment->id);
    }
}

StmRemoval *
stm_removal_new (const StmModel *model, const char *domain_id, const GPtrArray *moments,
                 gboolean metadata_only, GError **error)
{
  g_autoptr (StmRemoval) self = g_new0 (StmRemoval, 1);

  self->model = model;
  self->tree = stm_model_tree (model, domain_id, STM_MOMENT_SNAPSHOT);
  self->domain_id = g_strdup (domain_id);
  self->metadata_only = metadata_only;
  take_moments (self, moments);
  if (!check_states (moments, error)
      || !stm_planner_check_settled (model, domain_id, self->ids, error))
    return NULL;

  self->layers = stm_layers_new (model, domain_id);
  for (guint i = 0; i < self->moments->len; i++)
    stm_layers_release_moment (self->layers, self->moments->pdata[i]);
  for (guint i = 0; i < self->checkpoints->len; i++)
    stm_layers_release_checkpoint (self->layers, self->checkpoints->pdata[i]);

  return g_steal_pointer (&self);
}

void
stm_removal_free (StmRemoval *self)
{
  if (self == NULL)
    return;
  g_free (self->domain_id);
  g_clear_pointer (&self->moments, g_ptr_array_unref);
  g_clear_pointer (&self->ids, g_hash_table_unref);
  g_clear_pointer (&self->checkpoints, g_ptr_array_unref);
  stm_layers_free (self->layers);
  g_free (self);
}

GPtrArray *
stm_removal_images (const StmRemoval *self)
{
  if (self->metadata_only)
    return g_ptr_array_new_with_free_func ((GDestroyNotify) stm_image_unref);

  g_autoptr (GPtrArray) images = stm_layers_list_concerned (self->layers);
  stm_untag_add_images (self->model, self->domain_id, self->moments, images);
  g_autoptr (GPtrArray)
      marked = stm_unmark_list_images (self->model, self->domain_id, self->checkpoints);
  g_autoptr (GHashTable) seen = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
  GPtrArray *both = g_ptr_array_new_with_free_func ((GDestroyNotify) stm_image_unref);
  stm_planner_add_images (both, seen, images);
  stm_planner_add_images (both, seen, marked);

  return both;
}

static void
put_going (StmPlan *plan, const GPtrArray *moments)
{
  for (guint i = 0; i < moments->len; i++)
    {
      const StmMoment *moment = moments->pdata[i];
      g_autoptr (StmMoment)
          going = stm_moment_with_state (moment, STM_STATE_DELETING, moment->health);

      stm_change_put_moment (plan->begin, going);
      stm_change_put_moment (plan->undo, moment);
    }
}

gboolean
stm_removal_fill_steps (StmRemoval *self, const StmSurvey *survey, StmPlan *plan, GError **error)
{
  if (self->metadata_only)
    {
      stm_layers_forget (self->layers, plan);
      return TRUE;
    }

  if (!stm_layers_settle (self->layers, survey, plan, error)
      || !stm_untag_plan (self->model, survey, self->domain_id, self->moments, self->layers, plan,
                          error)
      || !stm_unmark_plan (self->model, survey, self->domain_id, self->checkpoints, self->layers,
                           plan, error))
    return FALSE;
  put_going (plan, self->moments);
  put_going (plan, self->checkpoints);

  return TRUE;
}

/* The moment itself when it stays, or else its nearest ancestor that does; NULL: none. */
static const char *
nearest_kept (const StmRemoval *self, const char *id)
{
  while (id != NULL && g_hash_table_contains (self->ids, id))
    id = stm_tree_get (self->tree, id)->parent;

  return id;
}

static void
put_kept_moment (StmRemoval *self, StmPlan *plan, const StmMoment *moment)
{
  g_autoptr (StmMoment) moved = stm_layers_move_moment (self->layers, moment);
  const StmMoment *present = moved != NULL ? moved : moment;
  const char *parent = moment->kind == STM_MOMENT_SNAPSHOT ? nearest_kept (self, moment->parent)
                                                           : moment->parent;

  if (moved != NULL && moved->health == STM_HEALTH_MISSING && moment->health != STM_HEALTH_MISSING)
    stm_checkpoints_tell (plan, moment->name);
  if (g_strcmp0 (parent, moment->parent) != 0)
    {
      g_autoptr (StmMoment) adopted = stm_moment_with_parent (present, parent);

      stm_change_put_moment (plan->finish, adopted);
    }
  else if (moved != NULL)
    stm_change_put_moment (plan->finish, moved);
}

/* Those whose parent goes, and those that name an image which goes: no others are concerned. */
static void
put_kept_moments (StmRemoval *self, StmPlan *plan)
{
  g_autoptr (GHashTable) concerned = g_hash_table_new (NULL, NULL);

  stm_layers_list_moved (self->layers, concerned);
  for (guint i = 0; i < self->moments->len; i++)
    {
      const char *id = ((StmMoment *) self->moments->pdata[i])->id;
      const StmMoment *child = stm_tree_first_child (self->tree, id);

      for (; child != NULL; child = stm_tree_next_sibling (self->tree, child->id))
        g_hash_table_add (concerned, (gpointer) child);
    }

  g_autoptr (GPtrArray) moments = stm_checkpoints_sort (concerned);
  for (guint i = 0; i < moments->len; i++)
    {
      const StmMoment *moment = moments->pdata[i];

      if (!g_hash_table_contains (self->ids, moment->id))
        put_kept_moment (self, plan, moment);
    }
}

void
stm_removal_fill_finish (StmRemoval *self, StmPlan *plan)
{
  const StmDomain *domain = stm_model_get_domain (self->model, self->domain_id);
  g_autoptr (StmDomain) moved = stm_layers_move_domain (self->layers, domain);
  const char *current = stm_tree_current (self->tree);

  put_kept_moments (self, plan);
  for (guint i = self->moments->len; i > 0; i--)
    stm_change_remove_moment (plan->finish, ((StmMoment *) self->moments->pdata[i - 1])->id);
  stm_layers_fill_images (self->layers, plan->finish);
  if (moved != NULL)
    stm_change_set_domain (plan->finish, moved);
  if (current != NULL && g_hash_table_contains (self->ids, current))
    stm_change_set_current (plan->finish, nearest_kept (self, current));
}
