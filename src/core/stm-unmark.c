/* Takes the bitmaps of checkpoints that go out of the images.
 *
 * Called by planners, main loop, pure. Looks at no more images than those that stand on the ones in
 * which the bitmaps were begun, and those below. A bitmap that a checkpoint which stays has in the
 * same image under the same name is left alone.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "stm-unmark.h"

#include "stm-image-check.h"

/* --- which images --- */

static void
add_image (const StmImage *image, GHashTable *seen, GPtrArray *images)
{
  if (g_hash_table_add (seen, (gpointer) image->path))
    g_ptr_array_add (images, stm_image_ref (image));
}

static void
add_children (const StmModel *model, const char *domain_id, const char *path, GHashTable *seen,
              GPtrArray *images)
{
  g_autoptr (GPtrArray) children = stm_model_image_children (model, path);

  for (guint i = 0; i < children->len; i++)
    {
      const StmImage *child = stm_model_get_image (model, domain_id, children->pdata[i]);

      if (child != NULL && g_strcmp0 (child->backing, path) == 0)
        add_image (child, seen, images);
    }
}

/* The image, and all that stands on it: the array is the queue of what is still to be gone up from.
 */
static void
add_tree (const StmModel *model, const char *domain_id, const char *home, GHashTable *seen,
          GPtrArray *images)
{
  const StmImage *image = stm_model_get_image (model, domain_id, home);

  if (image == NULL || g_hash_table_contains (seen, home))
    return;

  guint position = images->len;
  add_image (image, seen, images);
  for (; position < images->len; position++)
    add_children (model, domain_id, ((StmImage *) images->pdata[position])->path, seen, images);
}

static void
add_homes (const StmModel *model, const char *domain_id, const StmMoment *checkpoint,
           GHashTable *homes, GHashTable *seen, GPtrArray *images)
{
  for (gsize i = 0; i < checkpoint->n_disks; i++)
    {
      const char *home = checkpoint->disks[i].frozen;

      if (home == NULL)
        continue;
      g_hash_table_add (homes, (gpointer) home);
      add_tree (model, domain_id, home, seen, images);
    }
}

GPtrArray *
stm_unmark_list_images (const StmModel *model, const char *domain_id, const GPtrArray *checkpoints)
{
  GPtrArray *images = g_ptr_array_new_with_free_func ((GDestroyNotify) stm_image_unref);
  g_autoptr (GHashTable) seen = g_hash_table_new (g_str_hash, g_str_equal);
  g_autoptr (GHashTable) homes = g_hash_table_new (g_str_hash, g_str_equal);
  GHashTableIter iter;
  gpointer home;

  for (guint i = 0; i < checkpoints->len; i++)
    add_homes (model, domain_id, checkpoints->pdata[i], homes, seen, images);
  /* Below last: what is seen there must not keep the tree above a home from being gone up. */
  g_hash_table_iter_init (&iter, homes);
  while (g_hash_table_iter_next (&iter, &home, NULL))
    {
      g_autoptr (GPtrArray) chain = stm_model_chain_from (model, domain_id, home);

      for (guint i = 0; i < chain->len; i++)
        add_image (chain->pdata[i], seen, images);
    }

  return images;
}

/* --- which bitmaps --- */

typedef struct
{
  const StmModel *model;
  const StmSurvey *survey;
  const char *domain_id;
  StmLayers *layers;
  GHashTable *ids; /* of the checkpoints that go */
  StmPlan *plan;
} Unmarking;

static gboolean
stands_on (const Unmarking *self, const StmImage *image, const char *home)
{
  g_autoptr (GPtrArray) chain = stm_model_chain_from (self->model, self->domain_id, image->path);

  for (guint i = 0; i < chain->len; i++)
    if (g_strcmp0 (((StmImage *) chain->pdata[i])->path, home) == 0)
      return TRUE;

  return FALSE;
}

/* Some checkpoint that goes has a bitmap of this name on the disk, and none that stays counts on it
 * in this image. */
static gboolean
is_to_go (const Unmarking *self, const StmImage *image, const char *bitmap)
{
  g_autoptr (GPtrArray)
      sharers = stm_model_bitmap_sharers (self->model, self->domain_id, image->target, bitmap);
  gboolean is_doomed = FALSE;

  for (guint i = 0; i < sharers->len; i++)
    {
      const StmMoment *sharer = sharers->pdata[i];

      if (g_hash_table_contains (self->ids, sharer->id))
        is_doomed = TRUE;
      else if (stands_on (self, image, stm_moment_find_disk (sharer, image->target)->frozen))
        return FALSE;
    }

  return is_doomed;
}

/* Before the files go. */
static void
add_step (StmPlan *plan, StmImage *image, const char *bitmap)
{
  stm_plan_add_step (plan, &(StmStep){ .kind = STM_STEP_UNBITMAP,
                                       .target = image->target,
                                       .image = image,
                                       .name = bitmap });

  guint position = plan->steps->len - 1;
  while (position > 0 && ((StmStep *) plan->steps->pdata[position - 1])->kind == STM_STEP_UNLINK)
    position--;
  g_ptr_array_insert (plan->steps, position,
                      g_ptr_array_steal_index (plan->steps, plan->steps->len - 1));
}

static void
keep (const Unmarking *self, const StmImage *image, const char *bitmap, const char *why)
{
  g_autofree char *text = g_strdup_printf ("bitmap '%s' stays in it: %s", bitmap, why);

  stm_plan_add_kept (self->plan, image->path, text);
}

static void
unmark_bitmap (const Unmarking *self, const StmImage *image, const char *bitmap)
{
  StmImage *now = self->layers == NULL ? (StmImage *) image
                                       : stm_layers_image_now (self->layers, image->path);
  g_autoptr (GError) local = NULL;

  if (now == NULL)
    return;
  if (image->origin == STM_IMAGE_BACKING)
    keep (self, image, bitmap, "the image is not the service's to change");
  else if (!stm_image_check (image, self->survey, STM_CHECK_MEMBER, &local))
    keep (self, image, bitmap, local->message);
  else
    add_step (self->plan, now, bitmap);
}

static gboolean
unmark_image (const Unmarking *self, const StmImage *image, GError **error)
{
  const StmFacts *facts = stm_survey_get (self->survey, image->path);

  if (!stm_image_check_unused (image, self->survey, error))
    return FALSE;
  /* A file that is gone took its bitmaps along; one that cannot be read keeps what it has. */
  if (facts == NULL || facts->problem != NULL)
    {
      if (!stm_image_is_missing (image, self->survey))
        stm_plan_add_kept (self->plan, image->path, "it could not be looked at for bitmaps");
      return TRUE;
    }
  for (guint i = 0; i < facts->bitmaps->len; i++)
    {
      const StmBitmapFacts *bitmap = facts->bitmaps->pdata[i];

      if (is_to_go (self, image, bitmap->name))
        unmark_bitmap (self, image, bitmap->name);
    }

  return TRUE;
}

gboolean
stm_unmark_plan (const StmModel *model, const StmSurvey *survey, const char *domain_id,
                 const GPtrArray *checkpoints, StmLayers *layers, StmPlan *plan, GError **error)
{
  g_autoptr (GPtrArray) images = stm_unmark_list_images (model, domain_id, checkpoints);
  g_autoptr (GHashTable) ids = g_hash_table_new (g_str_hash, g_str_equal);
  const Unmarking self = { .model = model,
                           .survey = survey,
                           .domain_id = domain_id,
                           .layers = layers,
                           .ids = ids,
                           .plan = plan };

  for (guint i = 0; i < checkpoints->len; i++)
    g_hash_table_add (ids, (char *) ((StmMoment *) checkpoints->pdata[i])->id);
  for (guint i = 0; i < images->len; i++)
    if (!unmark_image (&self, images->pdata[i], error))
      return FALSE;

  return TRUE;
}
