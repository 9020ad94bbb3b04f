/* Plans a snapshot of a machine that is off: on each disk an empty overlay, below which the image
 * written so far is frozen, or a snapshot within the image, which is written on.
 *
 * Nothing is lost by it: the frozen images stay as they are, and an image that nobody knows of and
 * that stands on one of them is only safer for it. Pure, main loop.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "stm-planner.h"

#include "stemma-error.h"
#include "stm-checkpoints.h"
#include "stm-create-disks.h"
#include "stm-image-check.h"
#include "stm-planner-shared.h"

static gboolean
check_disk (const StmModel *model, const StmDomain *domain, const StmDisk *disk, GError **error)
{
  g_autoptr (GPtrArray)
      chain = stm_planner_chain (model, domain->id, disk->target, disk->source, error);

  return chain != NULL
         && stm_planner_check_writers (model, domain->id, disk->target, disk->source, error);
}

/* All that the model alone can decide. Gives StmPick. */
static GArray *
prepare_disks (const StmModel *model, const StmDomain *domain, const StmCreateRequest *request,
               GError **error)
{
  const StmTree *tree = stm_model_tree (model, domain->id, STM_MOMENT_SNAPSHOT);
  g_autofree char *name = stm_naming_moment (tree, request->name, /* now= */ 0, error);

  if (name == NULL || !stm_planner_check_settled (model, domain->id, /* ignored= */ NULL, error)
      || !stm_planner_check_room (model, domain->id, error)
      || !stm_checkpoints_check_beside (model, domain, request, error))
    return NULL;

  g_autoptr (GArray) picks = stm_create_pick_disks (domain, request, error);
  for (guint i = 0; picks != NULL && i < picks->len; i++)
    if (!check_disk (model, domain, g_array_index (picks, StmPick, i).disk, error))
      return NULL;

  return g_steal_pointer (&picks);
}

/* An overlay's chosen file, for the survey to see whether there is one of this name already. */
static void
add_chosen_file (const StmPick *pick, GPtrArray *images)
{
  if (pick->file != NULL)
    g_ptr_array_add (images, stm_image_new (&(StmImage){ .path = pick->file,
                                                         .target = pick->disk->target,
                                                         .format = "qcow2",
                                                         .origin = STM_IMAGE_MADE }));
}

GPtrArray *
stm_plan_create_prepare (const StmModel *model, const char *domain_id,
                         const StmCreateRequest *request, GError **error)
{
  const StmDomain *domain = stm_planner_get_domain (model, domain_id, error);
  g_autoptr (GArray) picks = domain == NULL ? NULL : prepare_disks (model, domain, request, error);

  if (picks == NULL)
    return NULL;

  GPtrArray *images = g_ptr_array_new_with_free_func ((GDestroyNotify) stm_image_unref);
  g_autoptr (GHashTable) seen = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
  for (guint i = 0; i < picks->len; i++)
    {
      const StmPick *pick = &g_array_index (picks, StmPick, i);
      g_autoptr (GPtrArray) chain = stm_model_chain_from (model, domain_id, pick->disk->source);

      stm_planner_add_images (images, seen, chain);
      add_chosen_file (pick, images);
    }

  return images;
}

/* What comes together while the disks are planned one by one. */
typedef struct
{
  const StmModel *model;
  const StmSurvey *survey;
  const StmDomain *domain;
  const StmPlanContext *context;
  StmPlan *plan;
  StmNaming *naming;
  StmPathPolicy *policy; /* for files that the client chose; NULL until there is one */
  const char *name;
  StmMomentDisk *moment_disks; /* of the snapshot, as many as the domain has disks */
  StmDisk *new_disks;          /* of the domain afterwards */
} Draft;

static void
draft_clear (Draft *draft)
{
  g_free (draft->moment_disks);
  g_free (draft->new_disks);
  g_clear_pointer (&draft->policy, stm_path_policy_unref);
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

/* The path of the overlay: the chosen one when it is allowed and free, or one that is made up. */
static char *
draft_path (Draft *draft, const StmPick *pick, const StmImage *below, GError **error)
{
  if (pick->file == NULL)
    return stm_naming_overlay (draft->naming, below->path, draft->name, error);

  /* It names all images of the domain: it is made only when it is needed. */
  if (draft->policy == NULL)
    draft->policy = stm_model_path_policy (draft->model, draft->domain->id, draft->context->pools);

  return stm_naming_chosen (draft->naming, pick->file, draft->policy, error) ? g_strdup (pick->file)
                                                                             : NULL;
}

/* Freezes the image of a disk below a new overlay. The texts put in stay those of the plan. */
static gboolean
draft_external (Draft *draft, const StmPick *pick, GPtrArray *chain, GError **error)
{
  const StmDisk *disk = pick->disk;
  const StmImage *frozen = chain->pdata[0];
  g_autofree char *path = draft_path (draft, pick, frozen, error);
  const StmImage *overlay = path == NULL
                                ? NULL
                                : stm_planner_add_overlay (draft->plan, disk, chain, path, error);

  if (overlay == NULL)
    return FALSE;

  gsize position = disk - draft->domain->disks;
  frozen = ((StmStep *) draft->plan->steps->pdata[draft->plan->steps->len - 1])->chain->pdata[0];
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

/* A snapshot within the image, which stays the disk's. */
static gboolean
draft_internal (Draft *draft, const StmPick *pick, GPtrArray *chain, GError **error)
{
  const StmFacts *facts = stm_survey_get (draft->survey, pick->disk->source);
  g_autofree char *tag = stm_naming_tag (facts, draft->name, draft->context->moment_id, error);

  if (tag == NULL)
    return FALSE;

  stm_plan_add_step (draft->plan, &(StmStep){ .kind = STM_STEP_TAG,
                                              .target = pick->disk->target,
                                              .image = chain->pdata[0],
                                              .name = tag });
  const StmStep *step = draft->plan->steps->pdata[draft->plan->steps->len - 1];
  draft->moment_disks[pick->disk - draft->domain->disks] = (StmMomentDisk){
    .target = pick->disk->target,
    .mode = STM_MODE_INTERNAL,
    .frozen = step->image->path,
    .format = step->image->format,
    .tag = step->name,
  };

  return TRUE;
}

/* The disks of one mode. */
static gboolean
draft_disks (Draft *draft, const GArray *picks, StmDiskMode mode, GError **error)
{
  for (guint i = 0; i < picks->len; i++)
    {
      const StmPick *pick = &g_array_index (picks, StmPick, i);
      g_autoptr (GPtrArray) chain = NULL;

      if (pick->mode != mode)
        continue;
      chain = draft_chain (draft, pick->disk, error);
      if (chain == NULL)
        return FALSE;
      if (!(mode == STM_MODE_INTERNAL ? draft_internal (draft, pick, chain, error)
                                      : draft_external (draft, pick, chain, error)))
        return FALSE;
    }

  return TRUE;
}

static StmMoment *
draft_moment (const Draft *draft, const StmCreateRequest *request)
{
  const StmTree *tree = stm_model_tree (draft->model, draft->domain->id, STM_MOMENT_SNAPSHOT);

  return stm_moment_new (&(StmMoment){
      .kind = STM_MOMENT_SNAPSHOT,
      .id = draft->context->moment_id,
      .name = draft->name,
      .parent = stm_tree_current (tree),
      .description = request->description != NULL ? request->description : "",
      .created = draft->context->now,
      .state = STM_STATE_CREATING,
      .health = STM_HEALTH_CREATING,
      .definition = draft->domain->definition,
      .disks = draft->moment_disks,
      .n_disks = draft->domain->n_disks,
  });
}

/* The snapshot is there, in the making, from before the first file until it is done or undone. */
static gboolean
draft_changes (const Draft *draft, const StmCreateRequest *request, GError **error)
{
  const char *moment_id = draft->context->moment_id;
  g_autoptr (StmMoment) moment = draft_moment (draft, request);
  g_autoptr (StmMoment) done = stm_moment_with_state (moment, STM_STATE_SHUTOFF, STM_HEALTH_OK);
  g_autoptr (StmDomain) domain = stm_planner_domain_with_disks (draft->domain, draft->new_disks,
                                                                draft->domain->definition);

  if (!stm_moment_is_sound (moment, error))
    return FALSE;
  stm_change_put_moment (draft->plan->begin, moment);
  stm_change_remove_moment (draft->plan->undo, moment_id);
  stm_change_put_moment (draft->plan->finish, done);
  if (stm_plan_n_steps_of (draft->plan, STM_STEP_OVERLAY) > 0)
    stm_change_set_domain (draft->plan->finish, domain);
  stm_change_set_current (draft->plan->finish, moment_id);

  return TRUE;
}

static void
draft_start (Draft *draft, const StmModel *model, const StmSurvey *survey, const StmDomain *domain,
             const StmPlanContext *context)
{
  draft->model = model;
  draft->survey = survey;
  draft->domain = domain;
  draft->context = context;
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
  g_autoptr (GArray) picks = domain == NULL ? NULL : prepare_disks (model, domain, request, error);

  if (picks == NULL)
    return NULL;

  g_autoptr (StmPlan) plan = stm_plan_new (STM_OPERATION_CREATE, context->plan_id, domain_id);
  const StmTree *tree = stm_model_tree (model, domain_id, STM_MOMENT_SNAPSHOT);
  g_autofree char *name = stm_naming_moment (tree, request->name, context->now, error);
  g_auto (Draft) draft = { .plan = plan, .name = name };
  if (name == NULL)
    return NULL;

  plan->object_id = g_strdup (context->moment_id);
  draft_start (&draft, model, survey, domain, context);
  if (!draft_disks (&draft, picks, STM_MODE_INTERNAL, error)
      || !draft_disks (&draft, picks, STM_MODE_EXTERNAL, error)
      || !draft_changes (&draft, request, error)
      || !stm_checkpoints_begin_beside (model, survey, domain, request, context, plan, error))
    return NULL;

  return g_steal_pointer (&plan);
}
