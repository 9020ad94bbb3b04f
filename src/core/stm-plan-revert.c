/* Plans the return of a machine that is off to a snapshot: on each of its disks a new overlay over
 * the image that the snapshot froze, or that image itself brought to its internal snapshot.
 *
 * Title, description and name of the domain stay what they are, also when the definition of the
 * snapshot comes back. Pure, main loop.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "stm-planner.h"

#include "stm-checkpoints.h"
#include "stm-image-check.h"
#include "stm-planner-shared.h"
#include "stm-revert.h"

GPtrArray *
stm_plan_revert_prepare (const StmModel *model, const char *domain_id,
                         const StmRevertRequest *request, GError **error)
{
  g_auto (StmRevert) self = { .request = request };

  if (!stm_revert_start (&self, model, domain_id, error))
    return NULL;

  GPtrArray *images = g_ptr_array_new_with_free_func ((GDestroyNotify) stm_image_unref);
  g_autoptr (GHashTable) seen = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
  for (guint i = 0; i < self.concerns->len; i++)
    {
      const StmRevertDisk *concern = &g_array_index (self.concerns, StmRevertDisk, i);
      g_autoptr (GPtrArray) active = stm_model_chain_from (model, domain_id, concern->active->path);
      g_autoptr (GPtrArray) frozen = stm_model_chain_from (model, domain_id, concern->frozen->path);

      stm_planner_add_images (images, seen, active);
      stm_planner_add_images (images, seen, frozen);
    }
  stm_revert_add_checkpointed (&self, seen, images);

  return images;
}

static gboolean
plan_overlay (const StmRevert *self, StmPlan *plan, const StmRevertDisk *concern, StmNaming *naming,
              StmDisk *disk, GError **error)
{
  g_autoptr (GPtrArray)
      chain = stm_model_chain_from (self->model, self->domain->id, concern->frozen->path);

  if (!stm_image_check_chain (chain, self->survey, STM_CHECK_UNCHANGED, error))
    return stm_revert_prefix (self, error);
  if (concern->stays)
    return TRUE;

  g_autofree char *path = stm_naming_overlay (naming, concern->frozen->path, self->target->name,
                                              error);
  const StmImage *overlay = path == NULL
                                ? NULL
                                : stm_planner_add_overlay (plan, concern->disk, chain, path, error);
  if (overlay == NULL)
    return FALSE;
  disk->source = overlay->path;
  disk->format = overlay->format;
  disk->next_index++;

  return TRUE;
}

/* Overlays over what the target froze. Gives the disks of the domain afterwards, whose texts stay
 * those of the domain, the model and the plan. */
static StmDisk *
plan_overlays (const StmRevert *self, StmPlan *plan, GError **error)
{
  g_autofree StmDisk *disks = g_memdup2 (self->domain->disks,
                                         self->domain->n_disks * sizeof (StmDisk));
  g_autoptr (StmNaming) naming = stm_naming_new (self->model, self->survey);

  for (guint i = 0; i < self->concerns->len; i++)
    {
      const StmRevertDisk *concern = &g_array_index (self->concerns, StmRevertDisk, i);
      StmDisk *disk = &disks[concern->disk - self->domain->disks];

      if (concern->tag == NULL)
        {
          if (!plan_overlay (self, plan, concern, naming, disk, error))
            return NULL;
          continue;
        }
      disk->source = concern->frozen->path;
      disk->format = concern->frozen->format;
    }

  return g_steal_pointer (&disks);
}

/* The image over what a snapshot froze is the one it was made with, or else the first made by a
 * revert to it. */
static StmMoment *
adopt_overlays (const StmMoment *target, const StmDomain *domain, const StmDisk *new_disks)
{
  g_autofree StmMomentDisk *disks = g_memdup2 (target->disks, target->n_disks * sizeof *disks);
  gboolean is_changed = FALSE;

  for (gsize i = 0; i < target->n_disks; i++)
    {
      const StmDisk *disk = stm_domain_find_disk (domain, disks[i].target);

      if (disks[i].mode != STM_MODE_EXTERNAL || disks[i].overlay != NULL || disk == NULL)
        continue;

      const StmDisk *new_disk = &new_disks[disk - domain->disks];
      if (g_strcmp0 (disk->source, new_disk->source) == 0)
        continue;
      disks[i].overlay = new_disk->source;
      is_changed = TRUE;
    }

  return is_changed ? stm_moment_with_disks (target, disks, target->n_disks) : NULL;
}

/* The target, and the snapshots that name an image which goes. */
static void
put_snapshots (const StmRevert *self, StmPlan *plan, const StmDisk *new_disks)
{
  g_autoptr (GHashTable) concerned = g_hash_table_new (NULL, NULL);

  stm_layers_list_moved (self->layers, concerned);
  g_hash_table_add (concerned, (gpointer) self->target);

  g_autoptr (GPtrArray) moments = stm_checkpoints_sort (concerned);
  for (guint i = 0; i < moments->len; i++)
    {
      const StmMoment *moment = moments->pdata[i];
      g_autoptr (StmMoment) moved = stm_layers_move_moment (self->layers, moment);
      const StmMoment *present = moved != NULL ? moved : moment;
      g_autoptr (StmMoment) adopting = NULL;

      if (moment->kind != STM_MOMENT_SNAPSHOT)
        continue;
      if (moment == self->target)
        adopting = adopt_overlays (present, self->domain, new_disks);
      if (adopting != NULL)
        stm_change_put_moment (plan->finish, adopting);
      else if (moved != NULL)
        stm_change_put_moment (plan->finish, moved);
    }
}

static void
put_domain (const StmRevert *self, StmPlan *plan, const StmDisk *new_disks)
{
  gboolean has_moved = FALSE;
  g_autoptr (StmDomain)
      domain = stm_planner_domain_with_disks (self->domain, new_disks, self->definition);

  for (gsize i = 0; i < self->domain->n_disks; i++)
    has_moved |= g_strcmp0 (new_disks[i].source, self->domain->disks[i].source) != 0;
  if (has_moved || g_strcmp0 (self->definition, self->domain->definition) != 0)
    stm_change_set_domain (plan->finish, domain);
  if (g_strcmp0 (stm_tree_current (self->tree), self->target->id) != 0)
    stm_change_set_current (plan->finish, self->target->id);
}

StmPlan *
stm_plan_revert (const StmModel *model, const StmSurvey *survey, const char *domain_id,
                 const StmRevertRequest *request, const StmPlanContext *context, GError **error)
{
  g_auto (StmRevert) self = { .request = request, .survey = survey };

  if (!stm_revert_start (&self, model, domain_id, error) || !stm_revert_check_unused (&self, error))
    return NULL;

  g_autoptr (StmPlan) plan = stm_plan_new (STM_OPERATION_REVERT, context->plan_id, domain_id);
  plan->object_id = g_strdup (request->moment_id);
  self.layers = stm_layers_new (model, domain_id);
  stm_revert_find_staying (&self);
  if (!stm_revert_check_internal (&self, error)
      || !stm_revert_add_gotos (&self, plan, context, error))
    return NULL;

  g_autofree StmDisk *new_disks = plan_overlays (&self, plan, error);
  if (new_disks == NULL || !stm_revert_check_unsaved (&self, error)
      || !stm_revert_keep_state (&self, plan, context, error))
    return NULL;

  stm_revert_add_untags (&self, plan);
  if (!stm_revert_drop_actives (&self, plan, error))
    return NULL;

  stm_checkpoints_carry (plan, survey);
  put_snapshots (&self, plan, new_disks);
  if (!stm_revert_put_checkpoints (&self, plan, new_disks, error))
    return NULL;

  put_domain (&self, plan, new_disks);
  stm_layers_fill_images (self.layers, plan->finish);
  stm_revert_put_images (&self, plan);

  return g_steal_pointer (&plan);
}
