/* StmRevert: whether a snapshot can be reverted to, as far as the model alone tells, and which
 * disks that is about.
 *
 * Called by the planner of reverts, main loop, pure.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "stm-revert.h"

#include "stemma-error.h"
#include "stm-planner-shared.h"

void
stm_revert_clear (StmRevert *self)
{
  g_clear_pointer (&self->concerns, g_array_unref);
  g_clear_pointer (&self->layers, stm_layers_free);
}

static gboolean
refuse_target (const StmMoment *target, StemmaError code, const char *why, GError **error)
{
  g_set_error (error, STEMMA_ERROR, code, "cannot revert to snapshot '%s': %s", target->name, why);
  return FALSE;
}

gboolean
stm_revert_prefix (const StmRevert *self, GError **error)
{
  g_prefix_error (error, "cannot revert to snapshot '%s': ", self->target->name);
  return FALSE;
}

static gboolean
check_target (const StmMoment *target, GError **error)
{
  switch (target->state)
    {
    case STM_STATE_CREATING:
    case STM_STATE_DELETING:
      return refuse_target (target, STEMMA_ERROR_WRONG_STATE,
                            "it is being made or deleted; let Manager.Check and Manager.Resolve "
                            "settle that",
                            error);
    case STM_STATE_RUNNING:
    case STM_STATE_PAUSED:
      return refuse_target (target, STEMMA_ERROR_NOT_SUPPORTED,
                            "it holds the memory of a running machine, and only disks of a machine "
                            "that is off can be reverted yet",
                            error);
    case STM_STATE_SHUTOFF:
    case STM_STATE_DISK_ONLY:
      break;
    }
  /* Whether its images are there is for the survey to say: they may be back since. */
  if (target->health == STM_HEALTH_INCONSISTENT)
    return refuse_target (target, STEMMA_ERROR_CHAIN_BROKEN,
                          "its images were not as recorded when they were last looked at; "
                          "Manager.Check tells what differs",
                          error);

  return TRUE;
}

static gboolean
check_choices (const StmRevert *self, GError **error)
{
  const char *keep = self->request->keep;

  if (keep != NULL && self->request->discards)
    {
      g_set_error (error, STEMMA_ERROR, STEMMA_ERROR_INVALID_ARGUMENT,
                   "the state being left can be kept or discarded, not both: give one of the "
                   "options 'keep' and 'discard'");
      return FALSE;
    }
  if (keep == NULL)
    return TRUE;

  g_autofree char *name = stm_naming_moment (self->tree, keep, /* now= */ 0, error);

  return name != NULL && stm_planner_check_room (self->model, self->domain->id, error);
}

/* A block device has no place for an overlay, but may hold an internal snapshot. */
static gboolean
can_be_reverted (const StmDisk *disk, StmDiskMode mode)
{
  return disk != NULL && !disk->is_read_only
         && (disk->kind == STM_SOURCE_FILE
             || (disk->kind == STM_SOURCE_BLOCK && mode == STM_MODE_INTERNAL));
}

static gboolean
refuse_without_force (const StmMoment *target, const char *why, GError **error)
{
  g_set_error (error, STEMMA_ERROR, STEMMA_ERROR_RISKY,
               "reverting to snapshot '%s' would not give the machine of then: %s; give the option "
               "'force' to revert what can be, with the present definition",
               target->name, why);
  return FALSE;
}

static gboolean
add_concern (StmRevert *self, const StmMomentDisk *wanted, GError **error)
{
  const StmDisk *disk = stm_domain_find_disk (self->domain, wanted->target);

  if (!can_be_reverted (disk, wanted->mode))
    {
      g_autofree char *why = g_strdup_printf (
          "disk '%s' is not a writable disk with a file any more", wanted->target);

      return self->request->forces || refuse_without_force (self->target, why, error);
    }

  g_autoptr (GPtrArray)
      active = stm_planner_chain (self->model, self->domain->id, disk->target, disk->source, error);
  if (active == NULL)
    return FALSE;
  g_autoptr (GPtrArray) frozen = stm_planner_chain (self->model, self->domain->id, disk->target,
                                                    wanted->frozen, error);
  if (frozen == NULL)
    return stm_revert_prefix (self, error);
  if (!stm_planner_check_writers (self->model, self->domain->id,
                                  wanted->mode == STM_MODE_INTERNAL ? disk->target : NULL,
                                  wanted->frozen, error))
    return FALSE;

  StmRevertDisk concern = {
    .disk = disk,
    .active = stm_model_get_image (self->model, self->domain->id, disk->source),
    .frozen = stm_model_get_image (self->model, self->domain->id, wanted->frozen),
    .tag = wanted->tag,
  };
  g_array_append_val (self->concerns, concern);

  return TRUE;
}

static gboolean
find_concerns (StmRevert *self, GError **error)
{
  self->concerns = g_array_new (FALSE, FALSE, sizeof (StmRevertDisk));
  for (gsize i = 0; i < self->target->n_disks; i++)
    {
      const StmMomentDisk *wanted = &self->target->disks[i];

      if (wanted->mode != STM_MODE_NONE && !add_concern (self, wanted, error))
        return FALSE;
    }
  if (self->concerns->len == 0)
    return refuse_target (self->target, STEMMA_ERROR_NOT_SUPPORTED,
                          "it holds no disk that the machine still has", error);

  return TRUE;
}

/* A snapshot names all disks of its time, also those that were not taken. */
static gboolean
has_same_disks (const StmMoment *moment, const StmDomain *domain)
{
  if (moment->n_disks != domain->n_disks)
    return FALSE;
  for (gsize i = 0; i < moment->n_disks; i++)
    if (stm_domain_find_disk (domain, moment->disks[i].target) == NULL)
      return FALSE;

  return TRUE;
}

static gboolean
choose_definition (StmRevert *self, GError **error)
{
  const char *then = self->target->definition;

  self->definition = self->domain->definition;
  if (g_strcmp0 (then, self->domain->definition) == 0)
    return TRUE;
  if (then != NULL && has_same_disks (self->target, self->domain))
    {
      self->definition = then;
      return TRUE;
    }
  if (self->request->forces)
    return TRUE;

  return refuse_without_force (self->target,
                               then == NULL ? "the definition of then is not known"
                                            : "the machine has other disks now",
                               error);
}

gboolean
stm_revert_start (StmRevert *self, const StmModel *model, const char *domain_id, GError **error)
{
  self->model = model;
  self->target = stm_planner_get_snapshot (model, domain_id, self->request->moment_id, error);
  if (self->target == NULL)
    return FALSE;

  self->domain = stm_model_get_domain (model, domain_id);
  self->tree = stm_model_tree (model, domain_id, STM_MOMENT_SNAPSHOT);

  return check_target (self->target, error)
         && stm_planner_check_settled (model, domain_id, /* ignored= */ NULL, error)
         && check_choices (self, error) && find_concerns (self, error)
         && choose_definition (self, error);
}
