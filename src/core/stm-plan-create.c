/* Plans a snapshot of a machine that is off: on each disk an empty overlay, below which the image
 * written so far is frozen.
 *
 * Nothing is lost by it: the frozen images stay as they are, and an image that nobody knows of and
 * that stands on one of them is only safer for it. Pure, main loop.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "stm-planner.h"

#include "stemma-error.h"
#include "stm-image-check.h"
#include "stm-planner-shared.h"

static const char *
why_disk_cannot (const StmDisk *disk)
{
  switch (disk->kind)
    {
    case STM_SOURCE_NONE:
      return "it has no medium";
    case STM_SOURCE_BLOCK:
      return "it is a block device, which has no directory for an overlay";
    case STM_SOURCE_OTHER:
      return "its source is neither a file nor a block device";
    case STM_SOURCE_FILE:
      break;
    }

  return disk->is_read_only ? "it is read-only and does not change" : NULL;
}

static gboolean
refuse_disk (const StmDisk *disk, GError **error)
{
  g_set_error (error, STEMMA_ERROR, STEMMA_ERROR_NOT_SUPPORTED,
               "no snapshot can be taken of disk '%s': %s; name the disks to take with the option "
               "'disks' and leave it out",
               disk->target, why_disk_cannot (disk));
  return FALSE;
}

/* All writable disks with a medium. One of them that cannot be taken is not left out silently: a
 * machine put back without it would not be the machine of the snapshot. */
static gboolean
choose_default_disks (const StmDomain *domain, GPtrArray *disks, GError **error)
{
  for (gsize i = 0; i < domain->n_disks; i++)
    {
      const StmDisk *disk = &domain->disks[i];

      if (disk->is_excluded || disk->is_read_only || disk->kind == STM_SOURCE_NONE)
        continue;
      if (why_disk_cannot (disk) != NULL)
        return refuse_disk (disk, error);
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
      if (why_disk_cannot (disk) != NULL)
        return refuse_disk (disk, error);
      g_ptr_array_add (disks, (gpointer) disk);
    }

  return TRUE;
}

/* The disks to take, borrowed from the domain. */
static GPtrArray *
choose_disks (const StmDomain *domain, const StmCreateRequest *request, GError **error)
{
  g_autoptr (GPtrArray) disks = g_ptr_array_new ();
  gboolean is_chosen = request->disks == NULL
                           ? choose_default_disks (domain, disks, error)
                           : choose_named_disks (domain, request->disks, disks, error);

  if (!is_chosen)
    return NULL;
  if (disks->len == 0)
    {
      g_set_error (error, STEMMA_ERROR, STEMMA_ERROR_NOT_SUPPORTED,
                   "domain '%s' has no disk to take a snapshot of: name a writable disk with a "
                   "medium in a file",
                   domain->name);
      return NULL;
    }

  return g_steal_pointer (&disks);
}

static gboolean
check_disk (const StmModel *model, const StmDomain *domain, const StmDisk *disk, GError **error)
{
  g_autoptr (GPtrArray)
      chain = stm_planner_chain (model, domain->id, disk->target, disk->source, error);

  return chain != NULL
         && stm_planner_check_writers (model, domain->id, disk->target, disk->source, error);
}

/* All that the model alone can decide. */
static GPtrArray *
prepare_disks (const StmModel *model, const StmDomain *domain, const StmCreateRequest *request,
               GError **error)
{
  const StmTree *tree = stm_model_tree (model, domain->id, STM_MOMENT_SNAPSHOT);
  g_autofree char *name = stm_naming_moment (tree, request->name, /* now= */ 0, error);

  if (name == NULL || !stm_planner_check_settled (model, domain->id, /* ignored= */ NULL, error)
      || !stm_planner_check_room (model, domain->id, error))
    return NULL;

  g_autoptr (GPtrArray) disks = choose_disks (domain, request, error);
  for (guint i = 0; disks != NULL && i < disks->len; i++)
    if (!check_disk (model, domain, disks->pdata[i], error))
      return NULL;

  return g_steal_pointer (&disks);
}

GPtrArray *
stm_plan_create_prepare (const StmModel *model, const char *domain_id,
                         const StmCreateRequest *request, GError **error)
{
  const StmDomain *domain = stm_planner_get_domain (model, domain_id, error);
  g_autoptr (GPtrArray) disks = domain == NULL ? NULL
                                               : prepare_disks (model, domain, request, error);

  if (disks == NULL)
    return NULL;

  GPtrArray *images = g_ptr_array_new_with_free_func ((GDestroyNotify) stm_image_unref);
  g_autoptr (GHashTable) seen = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
  for (guint i = 0; i < disks->len; i++)
    {
      const StmDisk *disk = disks->pdata[i];
      g_autoptr (GPtrArray) chain = stm_model_chain_from (model, domain_id, disk->source);

      stm_planner_add_images (images, seen, chain);
    }

  return images;
}

/* What comes together while the disks are planned one by one. */
typedef struct
{
  const StmModel *model;
  const StmSurvey *survey;
  const StmDomain *domain;
  StmPlan *plan;
  StmNaming *naming;
  const char *name;
  StmMomentDisk *moment_disks; /* of the snapshot, as many as the domain has disks */
  StmDisk *new_disks;          /* of the domain afterwards */
} Draft;

static void
draft_clear (Draft *draft)
{
  g_free (draft->moment_disks);
  g_free (draft->new_disks);
  stm_naming_free (draft->naming);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Draft, draft_clear)

/* The chain of the disk, its top with the size that the guest's disk has now, whatever it was when
 * it was recorded: the overlay takes that size. */
static GPtrArray *
draft_chain (Draft *draft, const StmDisk *disk, GError **error)
{
  g_autoptr (GPtrArray)
      chain = stm_model_chain_from (draft->model, draft->domain->id, disk->source);

  if (!stm_image_check_chain (chain, draft->survey, STM_CHECK_MEMBER, error))
    return NULL;

  g_autoptr (StmImage) recorded = chain->pdata[0];
  chain->pdata[0] = stm_planner_resized (recorded, draft->survey);
  if (!stm_image_equal (recorded, chain->pdata[0]))
    stm_change_put_image (draft->plan->finish, chain->pdata[0]);

  return g_steal_pointer (&chain);
}

/* Freezes the image of a disk below a new overlay. The texts put in stay those of the plan. */
static gboolean
draft_disk (Draft *draft, const StmDisk *disk, GError **error)
{
  g_autoptr (GPtrArray) chain = draft_chain (draft, disk, error);

  if (chain == NULL)
    return FALSE;

  const StmImage *overlay = stm_planner_add_overlay (draft->plan, disk, chain, draft->naming,
                                                     draft->name, error);
  if (overlay == NULL)
    return FALSE;

  const StmImage *frozen = chain->pdata[0];
  gsize position = disk - draft->domain->disks;
  draft->moment_disks[position] = (StmMomentDisk){
    .target = disk->target,
    .mode = STM_MODE_EXTERNAL,
    .frozen = frozen->path,
    .format = frozen->format,
    .overlay = overlay->path,
  };
  draft->new_disks[position].source = overlay->path;
  draft->new_disks[position].format = overlay->format;
  draft->new_disks[position].next_index++;

  return TRUE;
}

static StmMoment *
draft_moment (const Draft *draft, const StmCreateRequest *request, const StmPlanContext *context)
{
  const StmTree *tree = stm_model_tree (draft->model, draft->domain->id, STM_MOMENT_SNAPSHOT);

  return stm_moment_new (&(StmMoment){
      .kind = STM_MOMENT_SNAPSHOT,
      .id = context->moment_id,
      .name = draft->name,
      .parent = stm_tree_current (tree),
      .description = request->description != NULL ? request->description : "",
      .created = context->now,
      .state = STM_STATE_CREATING,
      .health = STM_HEALTH_CREATING,
      .definition = draft->domain->definition,
      .disks = draft->moment_disks,
      .n_disks = draft->domain->n_disks,
  });
}

/* The snapshot is there, in the making, from before the first file until it is done or undone. */
static gboolean
draft_changes (const Draft *draft, const StmCreateRequest *request, const StmPlanContext *context,
               GError **error)
{
  g_autoptr (StmMoment) moment = draft_moment (draft, request, context);
  g_autoptr (StmMoment) done = stm_moment_with_state (moment, STM_STATE_SHUTOFF, STM_HEALTH_OK);
  g_autoptr (StmDomain) domain = stm_planner_domain_with_disks (draft->domain, draft->new_disks,
                                                                draft->domain->definition);

  if (!stm_moment_is_sound (moment, error))
    return FALSE;
  stm_change_put_moment (draft->plan->begin, moment);
  stm_change_remove_moment (draft->plan->undo, context->moment_id);
  stm_change_put_moment (draft->plan->finish, done);
  stm_change_set_domain (draft->plan->finish, domain);
  stm_change_set_current (draft->plan->finish, context->moment_id);

  return TRUE;
}

static void
draft_start (Draft *draft, const StmModel *model, const StmSurvey *survey, const StmDomain *domain)
{
  draft->model = model;
  draft->survey = survey;
  draft->domain = domain;
  draft->naming = stm_naming_new (model, survey);
  draft->new_disks = g_memdup2 (domain->disks, domain->n_disks * sizeof (StmDisk));
  draft->moment_disks = g_new0 (StmMomentDisk, domain->n_disks);
  for (gsize i = 0; i < domain->n_disks; i++)
    draft->moment_disks[i].target = domain->disks[i].target;
}

StmPlan *
stm_plan_create (const StmModel *model, const StmSurvey *survey, const char *domain_id,
                 const StmCreateRequest *request, const StmPlanContext *context, GError **error)
{
  const StmDomain *domain = stm_planner_get_domain (model, domain_id, error);
  g_autoptr (GPtrArray) disks = domain == NULL ? NULL
                                               : prepare_disks (model, domain, request, error);

  if (disks == NULL)
    return NULL;

  g_autoptr (StmPlan) plan = stm_plan_new (STM_OPERATION_CREATE, context->plan_id, domain_id);
  const StmTree *tree = stm_model_tree (model, domain_id, STM_MOMENT_SNAPSHOT);
  g_autofree char *name = stm_naming_moment (tree, request->name, context->now, error);
  g_auto (Draft) draft = { .plan = plan, .name = name };
  if (name == NULL)
    return NULL;

  plan->object_id = g_strdup (context->moment_id);
  draft_start (&draft, model, survey, domain);
  for (guint i = 0; i < disks->len; i++)
    if (!draft_disk (&draft, disks->pdata[i], error))
      return NULL;
  if (!draft_changes (&draft, request, context, error))
    return NULL;

  return g_steal_pointer (&plan);
}
