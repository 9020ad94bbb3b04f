/* StmRevert: what becomes of the state that a revert leaves.
 *
 * It is lost only when the survey proved that there is nothing in it, or when the client said so;
 * else it becomes a snapshot, or the request is refused. Called by the planner of reverts, main
 * loop, pure.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "stm-revert.h"

#include "stemma-error.h"
#include "stm-image-check.h"
#include "stm-planner-shared.h"

/* Proof that the active image shows what the other holds, and that nothing but bitmaps would be
 * lost with it. */
static gboolean
shows_only (const StmRevert *self, const StmImage *active, const StmImage *below)
{
  const StmFacts *facts = stm_survey_get (self->survey, active->path);

  return active->origin == STM_IMAGE_MADE && below != NULL
         && g_strcmp0 (active->backing, below->path) == 0
         && stm_image_check (active, self->survey, STM_CHECK_MEMBER, NULL) && facts->data_bytes == 0
         && facts->capacity == below->capacity
         /* With internal snapshots that are on record the image stays where it is. */
         && (facts->tags->len == 0 || stm_revert_holds (self, active->path, STM_MODE_INTERNAL));
}

/* A machine that runs writes on to an image that is to be left, be it kept, dropped or unchanged so
 * far. */
gboolean
stm_revert_check_unused (const StmRevert *self, GError **error)
{
  for (guint i = 0; i < self->concerns->len; i++)
    if (!stm_image_check_unused (g_array_index (self->concerns, StmRevertDisk, i).active,
                                 self->survey, error))
      return FALSE;

  return TRUE;
}

void
stm_revert_find_staying (StmRevert *self)
{
  for (guint i = 0; i < self->concerns->len; i++)
    {
      StmRevertDisk *concern = &g_array_index (self->concerns, StmRevertDisk, i);

      /* An image that a snapshot froze must not be written to any longer than it has to. */
      if (concern->tag == NULL)
        concern->stays = self->request->keep == NULL
                         && shows_only (self, concern->active, concern->frozen)
                         && !stm_revert_holds (self, concern->active->path, STM_MODE_EXTERNAL);
    }
}

/* What the disk shows is an internal snapshot's, of its image or of the one just below. */
static gboolean
is_tagged (const StmRevert *self, const StmRevertDisk *concern)
{
  const StmImage *below = stm_model_get_image (self->model, self->domain->id,
                                               concern->active->backing);

  return stm_revert_is_tagged (self, concern->active->path)
         || (shows_only (self, concern->active, below) && stm_revert_is_tagged (self, below->path));
}

/* Nothing was written since the current snapshot, or what is there is an internal one's. */
static gboolean
is_saved (const StmRevert *self, const StmRevertDisk *concern)
{
  const char *current_id = stm_tree_current (self->tree);
  const StmMoment *current = current_id == NULL ? NULL : stm_tree_get (self->tree, current_id);
  const StmMomentDisk *saved = current == NULL
                                   ? NULL
                                   : stm_moment_find_disk (current, concern->disk->target);

  if (is_tagged (self, concern))
    return TRUE;
  if (saved == NULL || saved->mode != STM_MODE_EXTERNAL)
    return FALSE;

  return stm_revert_find_foreign_bitmap (self, concern) == NULL
         && shows_only (self, concern->active,
                        stm_model_get_image (self->model, self->domain->id, saved->frozen));
}

/* What is at stake, by disk. */
typedef struct
{
  GString *unsaved; /* what would be lost; empty for nothing */
  GString *adrift;  /* nothing was written, but not over what the current snapshot froze */
} Stakes;

static void
append_item (GString *list, const char *item)
{
  g_string_append_printf (list, "%s%s", list->len > 0 ? ", " : "", item);
}

/* The snapshot of this domain that froze the image for this disk; NULL for none. */
static const StmMoment *
find_freezer (const StmRevert *self, const StmRevertDisk *concern, const char *path)
{
  g_autoptr (GArray) users = stm_model_image_users (self->model, path);

  for (guint i = 0; i < users->len; i++)
    {
      const StmImageUser *user = &g_array_index (users, StmImageUser, i);
      const StmMoment *moment = user->moment_id != NULL ? stm_tree_get (self->tree, user->moment_id)
                                                        : NULL;
      const StmMomentDisk *disk = moment != NULL
                                      ? stm_moment_find_disk (moment, concern->disk->target)
                                      : NULL;

      if (disk != NULL && disk->mode == STM_MODE_EXTERNAL && g_str_equal (disk->frozen, path))
        return moment;
    }

  return NULL;
}

/* The empty layers show what the first other image has: `shown`. */
static void
add_adrift (const StmRevert *self, const StmRevertDisk *concern, const StmImage *shown,
            Stakes *stakes)
{
  const StmMoment *freezer = find_freezer (self, concern, shown->path);
  g_autofree char *text = NULL;

  if (freezer != NULL && g_strcmp0 (freezer->id, stm_tree_current (self->tree)) == 0)
    text = g_strdup_printf ("disk '%s' has another size now, or an internal snapshot that is not "
                            "on record",
                            concern->disk->target);
  else if (freezer != NULL)
    text = g_strdup_printf ("disk '%s' stands on what snapshot '%s' froze, to which you can revert "
                            "first",
                            concern->disk->target, freezer->name);
  else
    text = g_strdup_printf ("disk '%s' stands on image %s, which no snapshot of it froze",
                            concern->disk->target, shown->path);
  append_item (stakes->adrift, text);
}

/* With the active image go the layers below it that no snapshot holds. */
static void
add_unsaved (const StmRevert *self, const StmRevertDisk *concern, Stakes *stakes)
{
  g_autoptr (GPtrArray)
      chain = stm_model_chain_from (self->model, self->domain->id, concern->active->path);
  const StmImage *shown = concern->active;
  const char *bitmap = stm_revert_find_foreign_bitmap (self, concern);
  g_autofree char *text = NULL;
  guint64 bytes = 0;

  for (guint i = 0; i < chain->len; i++)
    {
      const StmImage *image = chain->pdata[i];
      const StmFacts *facts = stm_survey_get (self->survey, image->path);

      shown = image;
      if (i > 0
          && (stm_layers_is_held (self->layers, image->path) || image->origin != STM_IMAGE_MADE))
        break;
      if (facts == NULL || facts->problem != NULL || facts->data_bytes == STM_BYTES_UNKNOWN)
        {
          text = g_strdup_printf ("an unknown amount on '%s'", concern->disk->target);
          append_item (stakes->unsaved, text);
          return;
        }
      bytes += MIN (facts->data_bytes, G_MAXUINT64 - bytes);
    }
  if (bytes == 0 && bitmap == NULL)
    {
      add_adrift (self, concern, shown, stakes);
      return;
    }

  g_autofree char *size = g_format_size_full (bytes, G_FORMAT_SIZE_IEC_UNITS);
  text = bitmap == NULL
             ? g_strdup_printf ("%s on '%s'", size, concern->disk->target)
             : g_strdup_printf ("%s and bitmap '%s' on '%s'", size, bitmap, concern->disk->target);
  append_item (stakes->unsaved, text);
}

static gboolean
refuse_adrift (const StmRevert *self, const char *adrift, GError **error)
{
  const char *current_id = stm_tree_current (self->tree);
  const StmMoment *current = current_id != NULL ? stm_tree_get (self->tree, current_id) : NULL;
  g_autofree char *proof = current != NULL
                               ? g_strdup_printf ("the disks are not as the current snapshot '%s' "
                                                  "has them",
                                                  current->name)
                               : g_strdup ("no snapshot is current");

  g_set_error (error, STEMMA_ERROR, STEMMA_ERROR_UNSAVED_STATE,
               "reverting domain '%s' to snapshot '%s' would leave a state that is not known to be "
               "saved, though nothing was written to it: %s; %s; give the option 'keep' with a "
               "name to make it a snapshot, or 'discard' to leave it",
               self->domain->name, self->target->name, proof, adrift);

  return FALSE;
}

gboolean
stm_revert_check_unsaved (const StmRevert *self, GError **error)
{
  g_autoptr (GString) unsaved = g_string_new (NULL);
  g_autoptr (GString) adrift = g_string_new (NULL);
  Stakes stakes = { .unsaved = unsaved, .adrift = adrift };

  if (self->request->keep != NULL || self->request->discards)
    return TRUE;
  for (guint i = 0; i < self->concerns->len; i++)
    {
      const StmRevertDisk *concern = &g_array_index (self->concerns, StmRevertDisk, i);

      if (concern->stays || is_saved (self, concern))
        continue;
      add_unsaved (self, concern, &stakes);
    }
  if (unsaved->len == 0)
    return adrift->len == 0 || refuse_adrift (self, adrift->str, error);

  g_set_error (error, STEMMA_ERROR, STEMMA_ERROR_UNSAVED_STATE,
               "reverting domain '%s' to snapshot '%s' would lose what no snapshot holds: %s; give "
               "the option 'keep' with a name to make it a snapshot, or 'discard' to lose it",
               self->domain->name, self->target->name, unsaved->str);

  return FALSE;
}

/* The active image goes from the record, and its file with it when it is proven to be ours. */
static gboolean
drop_active (StmRevert *self, const StmRevertDisk *concern, StmPlan *plan, GError **error)
{
  const char *path = concern->active->path;
  g_autoptr (GError) local = NULL;

  /* Frozen by some snapshot all the same: nothing is lost, and nothing goes. */
  if (stm_layers_is_held (self->layers, path))
    return TRUE;

  g_autofree char *obstacle = stm_layers_find_obstacle (self->layers, self->survey, path);
  if (obstacle != NULL)
    {
      g_set_error (error, STEMMA_ERROR, STEMMA_ERROR_IN_USE,
                   "the present state of disk '%s' of domain '%s' cannot be discarded: %s; give "
                   "the option 'keep' with a name to make it a snapshot",
                   concern->disk->target, self->domain->name, obstacle);
      return FALSE;
    }
  if (stm_image_is_missing (concern->active, self->survey)
      || stm_image_check (concern->active, self->survey, STM_CHECK_MEMBER, &local))
    {
      stm_layers_prune (self->layers, self->survey, path, plan);
      return TRUE;
    }

  /* What is not provably ours stays in its place, but need not keep the machine from a good state.
   */
  stm_layers_disown (self->layers, path);
  stm_plan_add_kept (plan, path, local->message);

  return TRUE;
}

/* The disk gets another image. */
static gboolean
leaves (const StmRevertDisk *concern)
{
  return !concern->stays && concern->active != concern->frozen;
}

gboolean
stm_revert_drop_actives (StmRevert *self, StmPlan *plan, GError **error)
{
  if (self->request->keep != NULL)
    return TRUE;
  for (guint i = 0; i < self->concerns->len; i++)
    {
      const StmRevertDisk *concern = &g_array_index (self->concerns, StmRevertDisk, i);

      if (leaves (concern))
        stm_layers_release_active (self->layers, concern->active->path);
    }
  for (guint i = 0; i < self->concerns->len; i++)
    {
      const StmRevertDisk *concern = &g_array_index (self->concerns, StmRevertDisk, i);

      if (leaves (concern) && !drop_active (self, concern, plan, error))
        return FALSE;
    }

  return TRUE;
}

/* --- the snapshot of the state being left --- */

static StmMomentDisk *
freeze_actives (const StmRevert *self)
{
  StmMomentDisk *disks = g_new0 (StmMomentDisk, self->domain->n_disks);

  for (gsize i = 0; i < self->domain->n_disks; i++)
    disks[i].target = self->domain->disks[i].target;
  for (guint i = 0; i < self->concerns->len; i++)
    {
      const StmRevertDisk *concern = &g_array_index (self->concerns, StmRevertDisk, i);
      StmMomentDisk *disk = &disks[concern->disk - self->domain->disks];

      disk->mode = concern->kept_tag != NULL ? STM_MODE_INTERNAL : STM_MODE_EXTERNAL;
      disk->tag = concern->kept_tag;
      disk->frozen = concern->active->path;
      disk->format = concern->active->format;
    }

  return disks;
}

static gboolean
check_kept_images (const StmRevert *self, StmPlan *plan, GError **error)
{
  for (guint i = 0; i < self->concerns->len; i++)
    {
      const StmImage *active = g_array_index (self->concerns, StmRevertDisk, i).active;
      g_autoptr (GPtrArray)
          chain = stm_model_chain_from (self->model, self->domain->id, active->path);
      g_autoptr (StmImage) resized = stm_planner_resized (active, self->survey);

      if (!stm_image_check_chain (chain, self->survey, STM_CHECK_MEMBER, error)
          || !stm_planner_check_writers (self->model, self->domain->id, active->target,
                                         active->path, error))
        return FALSE;
      if (!stm_image_equal (active, resized))
        stm_change_put_image (plan->finish, resized);
    }

  return TRUE;
}

gboolean
stm_revert_keep_state (const StmRevert *self, StmPlan *plan, const StmPlanContext *context,
                       GError **error)
{
  if (self->request->keep == NULL)
    return TRUE;

  g_autofree StmMomentDisk *disks = freeze_actives (self);
  g_autofree char *name = stm_naming_moment (self->tree, self->request->keep, context->now, error);
  if (name == NULL || !check_kept_images (self, plan, error))
    return FALSE;

  g_autoptr (StmMoment) moment = stm_moment_new (&(StmMoment){
      .kind = STM_MOMENT_SNAPSHOT,
      .id = context->moment_id,
      .name = name,
      .parent = stm_tree_current (self->tree),
      .description = "",
      .created = context->now,
      .state = STM_STATE_CREATING,
      .health = STM_HEALTH_CREATING,
      .definition = self->domain->definition,
      .disks = disks,
      .n_disks = self->domain->n_disks,
  });
  g_autoptr (StmMoment) done = stm_moment_with_state (moment, STM_STATE_SHUTOFF, STM_HEALTH_OK);
  stm_change_put_moment (plan->begin, moment);
  stm_change_remove_moment (plan->undo, context->moment_id);
  stm_change_put_moment (plan->finish, done);

  return TRUE;
}
