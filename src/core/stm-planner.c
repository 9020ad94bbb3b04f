/* The part of planning that does not depend on the operation.
 *
 * Called by the planners on the main loop, where the model lives; reads it and changes nothing.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "stm-planner.h"

#include "stemma-error.h"
#include "stm-planner-shared.h"

#include <string.h>

#define MAX_NAME_BYTES 255

static gboolean
refuse_name (const char *noun, const char *why, GError **error)
{
  g_set_error (error, STEMMA_ERROR, STEMMA_ERROR_INVALID_ARGUMENT,
               "this cannot be the name of a %s: it %s; choose another name", noun, why);
  return FALSE;
}

static gboolean
check_name (const char *noun, const char *name, GError **error)
{
  if (*name == '\0')
    return refuse_name (noun, "is empty", error);
  if (strnlen (name, MAX_NAME_BYTES + 1) > MAX_NAME_BYTES)
    return refuse_name (noun, "is longer than 255 bytes", error);
  if (!g_utf8_validate (name, -1, NULL))
    return refuse_name (noun, "is not UTF-8", error);
  if (*name == '.')
    return refuse_name (noun, "begins with a '.'", error);

  for (const char *p = name; *p != '\0'; p = g_utf8_next_char (p))
    {
      if (*p == '/')
        return refuse_name (noun, "has a '/'", error);
      if (g_unichar_iscntrl (g_utf8_get_char (p)))
        return refuse_name (noun, "has a control character", error);
    }

  return TRUE;
}

gboolean
stm_moment_name_check (const char *name, GError **error)
{
  return check_name ("snapshot", name, error);
}

gboolean
stm_domain_name_check (const char *name, GError **error)
{
  return check_name ("domain", name, error);
}

const StmDomain *
stm_planner_get_domain (const StmModel *model, const char *domain_id, GError **error)
{
  const StmDomain *domain = stm_model_get_domain (model, domain_id);

  if (domain == NULL)
    g_set_error (error, STEMMA_ERROR, STEMMA_ERROR_NOT_FOUND, "there is no domain with the id %s",
                 domain_id);

  return domain;
}

const StmMoment *
stm_planner_get_snapshot (const StmModel *model, const char *domain_id, const char *moment_id,
                          GError **error)
{
  const StmDomain *domain = stm_planner_get_domain (model, domain_id, error);

  if (domain == NULL)
    return NULL;

  const StmTree *tree = stm_model_tree (model, domain_id, STM_MOMENT_SNAPSHOT);
  const StmMoment *moment = stm_tree_get (tree, moment_id);
  if (moment == NULL)
    g_set_error (error, STEMMA_ERROR, STEMMA_ERROR_NOT_FOUND,
                 "domain '%s' has no snapshot with the id %s", domain->name, moment_id);

  return moment;
}

gboolean
stm_planner_check_settled (const StmModel *model, const char *domain_id, GHashTable *ignored,
                           GError **error)
{
  g_autoptr (GPtrArray) moments = stm_model_busy_moments (model, domain_id);

  for (guint i = 0; i < moments->len; i++)
    {
      const StmMoment *moment = moments->pdata[i];

      if (ignored != NULL && g_hash_table_contains (ignored, moment->id))
        continue;
      g_set_error (error, STEMMA_ERROR, STEMMA_ERROR_BUSY,
                   "an operation on %s '%s' is not settled, it is in the state %s: wait for its "
                   "end, or let Manager.Check and Manager.Resolve settle it",
                   moment->kind == STM_MOMENT_SNAPSHOT ? "snapshot" : "checkpoint", moment->name,
                   stm_moment_state_to_word (moment->state));
      return FALSE;
    }

  return TRUE;
}

gboolean
stm_planner_check_room (const StmModel *model, const char *domain_id, GError **error)
{
  const StmTree *tree = stm_model_tree (model, domain_id, STM_MOMENT_SNAPSHOT);

  if (stm_tree_count (tree) < STM_MAX_MOMENTS)
    return TRUE;

  g_set_error (error, STEMMA_ERROR, STEMMA_ERROR_TOO_MANY,
               "the domain has %u snapshots, which is the limit: delete some first",
               stm_tree_count (tree));

  return FALSE;
}

/* Whether the user is a disk that the guest can write to. */
static gboolean
is_writer (const StmModel *model, const StmImageUser *user)
{
  const StmDomain *domain = stm_model_get_domain (model, user->domain_id);
  const StmDisk *disk = domain == NULL ? NULL : stm_domain_find_disk (domain, user->target);

  return user->moment_id == NULL && disk != NULL && !disk->is_read_only;
}

gboolean
stm_planner_check_writers (const StmModel *model, const char *domain_id, const char *target,
                           const char *path, GError **error)
{
  g_autoptr (GArray) users = stm_model_image_disks (model, path);

  for (guint i = 0; i < users->len; i++)
    {
      const StmImageUser *user = &g_array_index (users, StmImageUser, i);
      gboolean is_own = g_str_equal (user->domain_id, domain_id)
                        && g_strcmp0 (user->target, target) == 0;

      if (is_own || !is_writer (model, user))
        continue;
      g_set_error (error, STEMMA_ERROR, STEMMA_ERROR_IN_USE,
                   "disk '%s' of domain '%s' writes to image %s, which so cannot hold a state that "
                   "must not change: give that disk an image of its own",
                   user->target, stm_model_get_domain (model, user->domain_id)->name, path);
      return FALSE;
    }

  return TRUE;
}

GPtrArray *
stm_planner_chain (const StmModel *model, const char *domain_id, const char *target,
                   const char *path, GError **error)
{
  g_autoptr (GPtrArray) chain = NULL;

  if (stm_model_get_image (model, domain_id, path) != NULL)
    chain = stm_model_chain_from (model, domain_id, path);
  if (chain == NULL || chain->len == 0)
    {
      g_set_error (error, STEMMA_ERROR, STEMMA_ERROR_CHAIN_BROKEN,
                   "%s of disk '%s' has no record: put the file in place and define the domain, or "
                   "redefine the snapshot, again",
                   path != NULL ? path : "the image", target);
      return NULL;
    }

  return g_steal_pointer (&chain);
}

void
stm_planner_add_images (GPtrArray *images, GHashTable *seen, const GPtrArray *more)
{
  for (guint i = 0; i < more->len; i++)
    {
      StmImage *image = more->pdata[i];

      if (g_hash_table_add (seen, g_strdup (image->path)))
        g_ptr_array_add (images, stm_image_ref (image));
    }
}

const StmImage *
stm_planner_add_overlay (StmPlan *plan, const StmDisk *disk, GPtrArray *chain, const char *path,
                         GError **error)
{
  const StmImage *below = chain->pdata[0];

  if (chain->len >= STM_MAX_LAYERS || disk->next_index == G_MAXUINT)
    {
      g_set_error (error, STEMMA_ERROR, STEMMA_ERROR_TOO_MANY,
                   "disk '%s' has %u layers of at most %d: delete a snapshot first", disk->target,
                   chain->len, STM_MAX_LAYERS);
      return NULL;
    }

  g_autoptr (StmImage) overlay = stm_image_new (&(StmImage){ .path = path,
                                                             .target = disk->target,
                                                             .index = disk->next_index,
                                                             .format = "qcow2",
                                                             .backing = below->path,
                                                             .origin = STM_IMAGE_MADE,
                                                             .capacity = below->capacity });
  stm_plan_add_step (plan, &(StmStep){ .kind = STM_STEP_OVERLAY,
                                       .target = disk->target,
                                       .image = overlay,
                                       .chain = chain });
  stm_change_put_image (plan->finish, overlay);

  return ((StmStep *) plan->steps->pdata[plan->steps->len - 1])->image;
}

void
stm_planner_add_before_unlinks (StmPlan *plan, const StmStep *init)
{
  guint position = 0;

  while (position < plan->steps->len
         && ((StmStep *) plan->steps->pdata[position])->kind != STM_STEP_UNLINK)
    position++;
  stm_plan_add_step (plan, init);
  g_ptr_array_insert (plan->steps, (int) position,
                      g_ptr_array_steal_index (plan->steps, plan->steps->len - 1));
}

StmImage *
stm_planner_resized (const StmImage *image, const StmSurvey *survey)
{
  const StmFacts *facts = stm_survey_get (survey, image->path);
  StmImage init = *image;

  if (facts == NULL || facts->capacity == image->capacity)
    return stm_image_ref (image);
  init.capacity = facts->capacity;

  return stm_image_new (&init);
}

StmDomain *
stm_planner_domain_with_disks (const StmDomain *domain, const StmDisk *disks,
                               const char *definition)
{
  StmDomain init = *domain;

  init.disks = disks;
  init.definition = definition;

  return stm_domain_new (&init);
}
