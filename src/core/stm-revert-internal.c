/* StmRevert: disks whose state lies within an image, as an internal snapshot of it.
 *
 * Going to one changes the bytes of the image in place. So nothing else may rest on what the image
 * has now: no image that stands on it but the one that is dropped by this very revert, no snapshot
 * that froze it, no bitmap that would miss the change. Before it goes, the image gets an internal
 * snapshot of what it has, to which it is brought back when the operation is taken back. Called by
 * the planner of reverts, main loop, pure.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "stm-revert.h"

#include "stemma-error.h"
#include "stm-checkpoints.h"
#include "stm-image-check.h"
#include "stm-planner-shared.h"

static gboolean
    G_GNUC_PRINTF (5, 6) refuse (const StmRevert *self, const StmRevertDisk *concern,
                                 StemmaError code, GError **error, const char *format, ...)
{
  g_autofree char *why = NULL;
  va_list arguments;

  va_start (arguments, format);
  why = g_strdup_vprintf (format, arguments);
  va_end (arguments);
  g_set_error (error, STEMMA_ERROR, code,
               "cannot revert to snapshot '%s', which is internal to image %s of disk '%s': %s",
               self->target->name, concern->frozen->path, concern->disk->target, why);
  return FALSE;
}

static const StmTagFacts *
find_tag (const StmRevert *self, const StmRevertDisk *concern)
{
  const StmFacts *facts = stm_survey_get (self->survey, concern->frozen->path);

  return facts == NULL ? NULL : stm_facts_find_tag (facts, concern->tag);
}

/* --- who else counts on the image --- */

gboolean
stm_revert_holds (const StmRevert *self, const char *path, StmDiskMode mode)
{
  g_autoptr (GArray) users = stm_model_image_users (self->model, path);

  for (guint i = 0; i < users->len; i++)
    {
      const StmImageUser *user = &g_array_index (users, StmImageUser, i);
      const StmTree *tree;

      if (user->moment_id == NULL || user->kind != STM_MOMENT_SNAPSHOT)
        continue;
      tree = stm_model_tree (self->model, user->domain_id, STM_MOMENT_SNAPSHOT);
      if (stm_moment_find_disk (stm_tree_get (tree, user->moment_id), user->target)->mode == mode)
        return TRUE;
    }

  return FALSE;
}

/* A disk that is not this one, or a snapshot that froze the image as a whole. */
static gboolean
check_user (const StmRevert *self, const StmRevertDisk *concern, const StmImageUser *user,
            GError **error)
{
  const StmDomain *domain = stm_model_get_domain (self->model, user->domain_id);
  const StmTree *tree = stm_model_tree (self->model, user->domain_id, STM_MOMENT_SNAPSHOT);

  if (user->moment_id == NULL)
    return (domain == self->domain && g_str_equal (user->target, concern->disk->target))
           || refuse (self, concern, STEMMA_ERROR_IN_USE, error,
                      "disk '%s' of domain '%s' has that image too; give it one of its own",
                      user->target, domain->name);
  if (user->kind != STM_MOMENT_SNAPSHOT)
    return TRUE;

  const StmMoment *moment = stm_tree_get (tree, user->moment_id);
  if (stm_moment_find_disk (moment, user->target)->mode != STM_MODE_EXTERNAL)
    return TRUE;

  return refuse (self, concern, STEMMA_ERROR_HAS_MOMENTS, error,
                 "external snapshot '%s' of domain '%s' froze that image as it is now; delete that "
                 "snapshot first",
                 moment->name, domain->name);
}

static gboolean
check_users (const StmRevert *self, const StmRevertDisk *concern, GError **error)
{
  g_autoptr (GArray) users = stm_model_image_users (self->model, concern->frozen->path);

  for (guint i = 0; i < users->len; i++)
    if (!check_user (self, concern, &g_array_index (users, StmImageUser, i), error))
      return FALSE;

  return TRUE;
}

/* Whether the image that is being left, which stands on the one of the target, goes with this
 * revert. */
static gboolean
drops_active (const StmRevert *self, const StmRevertDisk *concern)
{
  const char *path = concern->active->path;
  g_autoptr (GPtrArray) children = stm_model_image_children (self->model, path);

  return self->request->keep == NULL && children->len == 0
         && !stm_revert_holds (self, path, STM_MODE_EXTERNAL)
         && !stm_revert_holds (self, path, STM_MODE_INTERNAL)
         && (stm_image_is_missing (concern->active, self->survey)
             || stm_image_check (concern->active, self->survey, STM_CHECK_MEMBER, NULL));
}

/* Of the children that are known and those that the scan found. */
static gboolean
check_child (const StmRevert *self, const StmRevertDisk *concern, const char *child, GError **error)
{
  gboolean is_active = g_str_equal (child, concern->active->path);

  if (is_active && drops_active (self, concern))
    return TRUE;
  if (is_active && self->request->keep != NULL)
    return refuse (self, concern, STEMMA_ERROR_IN_USE, error,
                   "the state that is to be kept stands on that image; create an external "
                   "snapshot of it and copy that, or give the option 'discard' instead of 'keep'");

  return refuse (self, concern, STEMMA_ERROR_IN_USE, error,
                 "image %s stands on that image and would change with it; delete the snapshots "
                 "that need it first",
                 child);
}

static gboolean
check_children (const StmRevert *self, const StmRevertDisk *concern, GError **error)
{
  const char *path = concern->frozen->path;
  const StmFacts *facts = stm_survey_get (self->survey, path);
  g_autoptr (GPtrArray) known = stm_model_image_children (self->model, path);

  for (guint i = 0; i < known->len; i++)
    if (!check_child (self, concern, known->pdata[i], error))
      return FALSE;
  for (guint i = 0; facts->children[i] != NULL; i++)
    if (!check_child (self, concern, facts->children[i], error))
      return FALSE;

  return TRUE;
}

/* --- bitmaps --- */

/* A checkpoint that measures the changes of the disk, the first by name: one that was begun in an
 * image of its chain. */
static const StmMoment *
find_checkpoint (const StmRevert *self, const char *target)
{
  g_autoptr (GPtrArray) chain = stm_model_chain (self->model, self->domain->id, target);
  g_autoptr (GHashTable) checkpoints = g_hash_table_new (NULL, NULL);
  g_autoptr (GPtrArray) sorted = NULL;

  for (guint i = 0; i < chain->len; i++)
    stm_checkpoints_begun_in (self->model, self->domain->id, ((StmImage *) chain->pdata[i])->path,
                              checkpoints);
  sorted = stm_checkpoints_sort (checkpoints);
  for (guint i = 0; i < sorted->len; i++)
    if (((StmMoment *) sorted->pdata[i])->health != STM_HEALTH_MISSING)
      return sorted->pdata[i];

  return NULL;
}

/* A bitmap does not notice what an internal snapshot brings back. */
static gboolean
check_bitmaps (const StmRevert *self, const StmRevertDisk *concern, GError **error)
{
  const StmFacts *facts = stm_survey_get (self->survey, concern->frozen->path);
  const StmMoment *checkpoint = find_checkpoint (self, concern->disk->target);

  if (checkpoint != NULL)
    return refuse (self, concern, STEMMA_ERROR_HAS_MOMENTS, error,
                   "checkpoint '%s' measures the changes of that disk, and would miss this one; "
                   "delete the checkpoints of the disk first",
                   checkpoint->name);
  if (facts->bitmaps->len == 0)
    return TRUE;

  return refuse (self, concern, STEMMA_ERROR_NOT_SUPPORTED, error,
                 "that image holds bitmap '%s', which would miss the change; delete the "
                 "checkpoint that it is of, or remove it with qemu-img bitmap --remove",
                 ((StmBitmapFacts *) facts->bitmaps->pdata[0])->name);
}

/* --- size --- */

/* The way to the snapshot is the image as it is: a driver neither grows nor shrinks it. */
static gboolean
check_capacity (const StmRevert *self, const StmRevertDisk *concern, GError **error)
{
  const StmFacts *facts = stm_survey_get (self->survey, concern->frozen->path);
  const StmTagFacts *tag = find_tag (self, concern);

  if (tag->capacity == facts->capacity)
    return TRUE;

  return refuse (self, concern, STEMMA_ERROR_NOT_SUPPORTED, error,
                 "the disk had %" G_GUINT64_FORMAT " bytes then and has %" G_GUINT64_FORMAT
                 " now; give the image its old size with qemu-img resize first",
                 tag->capacity, facts->capacity);
}

/* --- all that is needed --- */

static gboolean
check_image (const StmRevert *self, const StmRevertDisk *concern, GError **error)
{
  const StmImage *image = concern->frozen;
  g_autoptr (GPtrArray) chain = stm_model_chain_from (self->model, self->domain->id, image->path);

  if (!stm_image_check_chain (chain, self->survey, STM_CHECK_MEMBER, error))
    return stm_revert_prefix (self, error);
  if (find_tag (self, concern) == NULL)
    return refuse (self, concern, STEMMA_ERROR_CHAIN_BROKEN, error,
                   "the image has no internal snapshot '%s' any more; put a copy of the image "
                   "that has it in place, or delete the snapshot",
                   concern->tag);
  if (image->origin == STM_IMAGE_BACKING)
    return refuse (
        self, concern, STEMMA_ERROR_NOT_ALLOWED, error,
        "the image is not the service's to write, as it was below the disk when that was "
        "defined, or holds a snapshot of which only the record was removed; copy it and "
        "go back in the copy");

  return TRUE;
}

gboolean
stm_revert_check_internal (StmRevert *self, GError **error)
{
  for (guint i = 0; i < self->concerns->len; i++)
    {
      StmRevertDisk *concern = &g_array_index (self->concerns, StmRevertDisk, i);

      if (concern->tag == NULL)
        continue;
      if (!check_image (self, concern, error))
        return FALSE;
      concern->goes = !find_tag (self, concern)->is_present;
      if (!concern->goes && concern->active == concern->frozen)
        {
          concern->stays = self->request->keep == NULL;
          continue;
        }
      if (!check_users (self, concern, error) || !check_children (self, concern, error)
          || (concern->goes
              && (!check_bitmaps (self, concern, error) || !check_capacity (self, concern, error))))
        return FALSE;
    }

  return TRUE;
}

/* --- what is not lost --- */

gboolean
stm_revert_is_tagged (const StmRevert *self, const char *path)
{
  const StmFacts *facts = stm_survey_get (self->survey, path);
  g_autoptr (GArray) users = stm_model_image_users (self->model, path);

  for (guint i = 0; facts != NULL && facts->problem == NULL && i < users->len; i++)
    {
      const StmImageUser *user = &g_array_index (users, StmImageUser, i);
      const StmTree *tree = stm_model_tree (self->model, user->domain_id, user->kind);
      const StmMomentDisk *disk;
      const StmTagFacts *tag;

      if (user->moment_id == NULL || user->kind != STM_MOMENT_SNAPSHOT)
        continue;
      disk = stm_moment_find_disk (stm_tree_get (tree, user->moment_id), user->target);
      tag = disk->tag == NULL ? NULL : stm_facts_find_tag (facts, disk->tag);
      if (tag != NULL && tag->is_present)
        return TRUE;
    }

  return FALSE;
}

/* --- steps --- */

static const char *
add_tag (StmPlan *plan, const StmRevertDisk *concern, StmImage *image, const char *name)
{
  stm_plan_add_step (plan, &(StmStep){ .kind = STM_STEP_TAG,
                                       .target = concern->disk->target,
                                       .image = image,
                                       .name = name });

  return ((StmStep *) plan->steps->pdata[plan->steps->len - 1])->name;
}

/* Whether the state that the disk is in becomes an internal snapshot when it is kept: its image
 * stays the disk's. */
static gboolean
keeps_inside (const StmRevert *self, const StmRevertDisk *concern)
{
  return self->request->keep != NULL && concern->tag != NULL && concern->active == concern->frozen;
}

static gboolean
keep_inside (const StmRevert *self, StmRevertDisk *concern, StmPlan *plan,
             const StmPlanContext *context, GError **error)
{
  const StmFacts *facts = stm_survey_get (self->survey, concern->frozen->path);
  g_autoptr (StmImage) image = stm_planner_resized (concern->frozen, self->survey);
  g_autofree char *name = stm_naming_moment (self->tree, self->request->keep, context->now, error);
  g_autofree char *tag = name == NULL ? NULL
                                      : stm_naming_tag (facts, name, context->moment_id, error);

  if (tag == NULL)
    return FALSE;
  concern->kept_tag = add_tag (plan, concern, image, tag);

  return TRUE;
}

/* What the image has is tagged first, by the snapshot that is kept or for the time being. */
static void
tag_present (const StmRevert *self, StmRevertDisk *concern, StmPlan *plan)
{
  g_autoptr (StmImage) image = stm_planner_resized (concern->frozen, self->survey);
  g_autofree char *name = g_strdup_printf ("stemma-%s", plan->id);

  concern->fallback = concern->kept_tag != NULL ? concern->kept_tag
                                                : add_tag (plan, concern, image, name);
}

static void
add_goto (const StmRevert *self, const StmRevertDisk *concern, StmPlan *plan)
{
  g_autoptr (StmImage) image = stm_planner_resized (concern->frozen, self->survey);

  stm_plan_add_step (plan, &(StmStep){ .kind = STM_STEP_GOTO,
                                       .target = concern->disk->target,
                                       .image = image,
                                       .name = concern->tag,
                                       .fallback = concern->fallback });
}

gboolean
stm_revert_add_gotos (StmRevert *self, StmPlan *plan, const StmPlanContext *context, GError **error)
{
  for (guint i = 0; i < self->concerns->len; i++)
    {
      StmRevertDisk *concern = &g_array_index (self->concerns, StmRevertDisk, i);

      if (keeps_inside (self, concern) && !keep_inside (self, concern, plan, context, error))
        return FALSE;
      if (concern->goes)
        tag_present (self, concern, plan);
    }
  for (guint i = 0; i < self->concerns->len; i++)
    {
      const StmRevertDisk *concern = &g_array_index (self->concerns, StmRevertDisk, i);

      if (concern->goes)
        add_goto (self, concern, plan);
    }

  return TRUE;
}

/* The image as the internal snapshot leaves it: it may have been resized since. */
static StmImage *
image_after (const StmRevert *self, const StmRevertDisk *concern)
{
  StmImage init = *concern->frozen;

  init.capacity = find_tag (self, concern)->capacity;

  return stm_image_new (&init);
}

void
stm_revert_add_untags (const StmRevert *self, StmPlan *plan)
{
  for (guint i = 0; i < self->concerns->len; i++)
    {
      const StmRevertDisk *concern = &g_array_index (self->concerns, StmRevertDisk, i);
      g_autoptr (StmImage) after = NULL;

      if (!concern->goes || concern->kept_tag != NULL)
        continue;
      after = image_after (self, concern);
      stm_plan_add_step (plan, &(StmStep){ .kind = STM_STEP_UNTAG,
                                           .target = concern->disk->target,
                                           .image = after,
                                           .name = concern->fallback });
    }
}

void
stm_revert_put_images (const StmRevert *self, StmPlan *plan)
{
  for (guint i = 0; i < self->concerns->len; i++)
    {
      const StmRevertDisk *concern = &g_array_index (self->concerns, StmRevertDisk, i);
      g_autoptr (StmImage) after = NULL;

      if (concern->tag == NULL)
        continue;
      after = image_after (self, concern);
      if (!stm_image_equal (concern->frozen, after))
        stm_change_put_image (plan->finish, after);
    }
}
