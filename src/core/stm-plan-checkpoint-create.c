/* Plans a checkpoint of a machine that is off: a bitmap in the active image of each disk, all begun
 * in one transaction.
 *
 * No guest data is touched. Pure, main loop.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "stm-planner.h"

#include "stemma-error.h"
#include "stm-checkpoints.h"
#include "stm-image-check.h"
#include "stm-planner-shared.h"

#define LEAVE_IT_OUT "name the disks to take with the option 'disks' and leave it out"

static gboolean
refuse_disk (const StmDisk *disk, const char *why, GError **error)
{
  g_set_error (error, STEMMA_ERROR, STEMMA_ERROR_NOT_SUPPORTED,
               "no checkpoint can be made of disk '%s': %s", disk->target, why);
  return FALSE;
}

static gboolean
check_kind (const StmDisk *disk, GError **error)
{
  if (disk->kind == STM_SOURCE_NONE)
    return refuse_disk (disk, "it has no medium; " LEAVE_IT_OUT, error);
  if (disk->is_read_only)
    return refuse_disk (disk, "it is read-only and does not change; " LEAVE_IT_OUT, error);
  if (disk->kind != STM_SOURCE_FILE)
    return refuse_disk (disk, "its source is not a file; " LEAVE_IT_OUT, error);
  if (g_strcmp0 (disk->format, "qcow2") != 0)
    return refuse_disk (disk,
                        "a raw image has no room for a bitmap; take a snapshot first, its overlay "
                        "is qcow2, or " LEAVE_IT_OUT,
                        error);

  return TRUE;
}

/* All writable disks with a medium. One of them that cannot be taken is not left out silently. */
static gboolean
choose_default_disks (const StmDomain *domain, GPtrArray *disks, GError **error)
{
  for (gsize i = 0; i < domain->n_disks; i++)
    {
      const StmDisk *disk = &domain->disks[i];

      if (disk->is_read_only || disk->kind == STM_SOURCE_NONE)
        continue;
      if (!check_kind (disk, error))
        return FALSE;
      g_ptr_array_add (disks, (gpointer) disk);
    }

  return TRUE;
}

static gboolean
choose_named_disks (const StmDomain *domain, const char *const *targets, GPtrArray *disks,
                    GError **error)
{
  for (gsize i = 0; targets[i] != NULL; i++)
    {
      const StmDisk *disk = stm_domain_find_disk (domain, targets[i]);

      if (disk == NULL)
        {
          g_set_error (error, STEMMA_ERROR, STEMMA_ERROR_NOT_FOUND, "domain '%s' has no disk '%s'",
                       domain->name, targets[i]);
          return FALSE;
        }
      if (g_ptr_array_find (disks, disk, /* index= */ NULL))
        {
          g_set_error (error, STEMMA_ERROR, STEMMA_ERROR_INVALID_ARGUMENT,
                       "disk '%s' is named twice", targets[i]);
          return FALSE;
        }
      if (!check_kind (disk, error))
        return FALSE;
      g_ptr_array_add (disks, (gpointer) disk);
    }

  return TRUE;
}

/* The disks to take, borrowed from the domain. */
static GPtrArray *
choose_disks (const StmDomain *domain, const char *const *targets, GError **error)
{
  g_autoptr (GPtrArray) disks = g_ptr_array_new ();
  gboolean is_chosen = targets == NULL ? choose_default_disks (domain, disks, error)
                                       : choose_named_disks (domain, targets, disks, error);

  if (!is_chosen)
    return NULL;
  if (disks->len == 0)
    {
      g_set_error (error, STEMMA_ERROR, STEMMA_ERROR_NOT_SUPPORTED,
                   "domain '%s' has no disk to make a checkpoint of: name a writable disk with a "
                   "qcow2 image",
                   domain->name);
      return NULL;
    }

  return g_steal_pointer (&disks);
}

static void
clear_start (gpointer data)
{
  g_clear_pointer (&((StmCheckpointStart *) data)->chain, g_ptr_array_unref);
}

static gboolean
add_start (const StmModel *model, const StmDomain *domain, const StmDisk *disk, GArray *starts,
           GError **error)
{
  StmCheckpointStart start = { .disk = disk };

  if (!stm_planner_check_writers (model, domain->id, disk->target, disk->source, error))
    return FALSE;
  start.chain = stm_planner_chain (model, domain->id, disk->target, disk->source, error);
  if (start.chain == NULL)
    return FALSE;
  start.home = start.chain->pdata[0];
  g_array_append_val (starts, start);

  return TRUE;
}

static StmCheckpointWish
wish_of (const StmCreateCheckpointRequest *request)
{
  return (StmCheckpointWish){ .name = request->name,
                              .description = request->description,
                              .parent_id = request->parent_id };
}

/* All that the model alone can decide. StmCheckpointStart. */
static GArray *
prepare (const StmModel *model, const StmDomain *domain, const StmCreateCheckpointRequest *request,
         GError **error)
{
  const StmCheckpointWish wish = wish_of (request);

  if (!stm_planner_check_settled (model, domain->id, /* ignored= */ NULL, error)
      || !stm_checkpoints_check (model, domain, &wish, error))
    return NULL;

  g_autoptr (GPtrArray) disks = choose_disks (domain, request->disks, error);
  g_autoptr (GArray) starts = g_array_new (FALSE, FALSE, sizeof (StmCheckpointStart));
  if (disks == NULL)
    return NULL;

  g_array_set_clear_func (starts, clear_start);
  for (guint i = 0; i < disks->len; i++)
    if (!add_start (model, domain, disks->pdata[i], starts, error))
      return NULL;

  return g_steal_pointer (&starts);
}

GPtrArray *
stm_plan_create_checkpoint_prepare (const StmModel *model, const char *domain_id,
                                    const StmCreateCheckpointRequest *request, GError **error)
{
  const StmDomain *domain = stm_planner_get_domain (model, domain_id, error);
  g_autoptr (GArray) starts = domain == NULL ? NULL : prepare (model, domain, request, error);

  if (starts == NULL)
    return NULL;

  GPtrArray *images = g_ptr_array_new_with_free_func ((GDestroyNotify) stm_image_unref);
  g_autoptr (GHashTable) seen = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
  for (guint i = 0; i < starts->len; i++)
    stm_planner_add_images (images, seen, g_array_index (starts, StmCheckpointStart, i).chain);

  return images;
}

StmPlan *
stm_plan_create_checkpoint (const StmModel *model, const StmSurvey *survey, const char *domain_id,
                            const StmCreateCheckpointRequest *request,
                            const StmPlanContext *context, GError **error)
{
  const StmDomain *domain = stm_planner_get_domain (model, domain_id, error);
  g_autoptr (GArray) starts = domain == NULL ? NULL : prepare (model, domain, request, error);
  const StmCheckpointWish wish = wish_of (request);

  if (starts == NULL)
    return NULL;

  g_autoptr (StmPlan)
      plan = stm_plan_new (STM_OPERATION_CREATE_CHECKPOINT, context->plan_id, domain_id);
  plan->object_id = g_strdup (context->moment_id);
  for (guint i = 0; i < starts->len; i++)
    if (!stm_image_check_chain (g_array_index (starts, StmCheckpointStart, i).chain, survey,
                                STM_CHECK_MEMBER, error))
      return NULL;
  if (!stm_checkpoints_begin (model, survey, domain, &wish, context->moment_id, context->now,
                              starts, plan, error))
    return NULL;

  return g_steal_pointer (&plan);
}
