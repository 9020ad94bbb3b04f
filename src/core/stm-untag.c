/* Takes the internal snapshots of moments that go out of their images.
 *
 * Called by StmRemoval, main loop, pure. A tag that somebody removed already is no obstacle, nor is
 * one whose image is missing or goes with this operation; one that a moment which stays has on
 * record too is left alone.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "stm-untag.h"

#include "stm-image-check.h"
#include "stm-planner-shared.h"

typedef struct
{
  const StmModel *model;
  const StmSurvey *survey;
  const char *domain_id;
  StmLayers *layers;
  GHashTable *ids;  /* of the moments that go */
  GHashTable *done; /* "<path>\n<tag>" */
  StmPlan *plan;
} Untagging;

static void
untagging_clear (Untagging *self)
{
  g_clear_pointer (&self->ids, g_hash_table_unref);
  g_clear_pointer (&self->done, g_hash_table_unref);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Untagging, untagging_clear)

static gboolean
is_internal (const StmMomentDisk *disk)
{
  return disk->mode == STM_MODE_INTERNAL;
}

void
stm_untag_add_images (const StmModel *model, const char *domain_id, const GPtrArray *moments,
                      GPtrArray *images)
{
  g_autoptr (GHashTable) seen = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);

  for (guint i = 0; i < images->len; i++)
    g_hash_table_add (seen, g_strdup (((StmImage *) images->pdata[i])->path));
  for (guint i = 0; i < moments->len; i++)
    {
      const StmMoment *moment = moments->pdata[i];

      for (gsize j = 0; j < moment->n_disks; j++)
        {
          const StmImage *image = !is_internal (&moment->disks[j])
                                      ? NULL
                                      : stm_model_get_image (model, domain_id,
                                                             moment->disks[j].frozen);

          if (image != NULL && g_hash_table_add (seen, g_strdup (image->path)))
            g_ptr_array_add (images, stm_image_ref (image));
        }
    }
}

/* Some moment that stays has it on record, here or in another domain. */
static gboolean
is_needed (const Untagging *self, const StmMomentDisk *disk)
{
  g_autoptr (GArray) users = stm_model_image_users (self->model, disk->frozen);

  for (guint i = 0; i < users->len; i++)
    {
      const StmImageUser *user = &g_array_index (users, StmImageUser, i);
      const StmTree *tree = stm_model_tree (self->model, user->domain_id, user->kind);
      const StmMoment *moment = user->moment_id == NULL ? NULL
                                                        : stm_tree_get (tree, user->moment_id);

      if (moment == NULL || g_hash_table_contains (self->ids, moment->id))
        continue;
      if (g_strcmp0 (stm_moment_find_disk (moment, user->target)->tag, disk->tag) == 0)
        return TRUE;
    }

  return FALSE;
}

static void
keep (const Untagging *self, const StmMomentDisk *disk, const char *why)
{
  g_autofree char *text = g_strdup_printf ("internal snapshot '%s' stays in it: %s", disk->tag,
                                           why);

  stm_plan_add_kept (self->plan, disk->frozen, text);
}

static void
add_step (const Untagging *self, const StmMomentDisk *disk, StmImage *image)
{
  stm_planner_add_before_unlinks (self->plan, &(StmStep){ .kind = STM_STEP_UNTAG,
                                                          .target = disk->target,
                                                          .image = image,
                                                          .name = disk->tag });
}

static gboolean
untag_disk (const Untagging *self, const StmMomentDisk *disk, GError **error)
{
  const StmImage *image = stm_model_get_image (self->model, self->domain_id, disk->frozen);
  StmImage *now = image == NULL ? NULL : stm_layers_image_now (self->layers, image->path);
  const StmFacts *facts = stm_survey_get (self->survey, disk->frozen);
  g_autoptr (GError) local = NULL;

  if (now == NULL || facts == NULL || stm_image_is_missing (image, self->survey)
      || is_needed (self, disk)
      || !g_hash_table_add (self->done, g_strconcat (disk->frozen, "\n", disk->tag, NULL)))
    return TRUE;
  if (facts->problem == NULL && stm_facts_find_tag (facts, disk->tag) == NULL)
    return TRUE;
  if (!stm_image_check_unused (image, self->survey, error))
    return FALSE;
  if (image->origin == STM_IMAGE_BACKING)
    keep (self, disk, "the image is not the service's to change");
  else if (!stm_image_check (image, self->survey, STM_CHECK_MEMBER, &local))
    keep (self, disk, local->message);
  else
    add_step (self, disk, now);

  return TRUE;
}

gboolean
stm_untag_plan (const StmModel *model, const StmSurvey *survey, const char *domain_id,
                const GPtrArray *moments, StmLayers *layers, StmPlan *plan, GError **error)
{
  g_auto (Untagging) self = { .model = model,
                              .survey = survey,
                              .domain_id = domain_id,
                              .layers = layers,
                              .ids = g_hash_table_new (g_str_hash, g_str_equal),
                              .done = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL),
                              .plan = plan };

  for (guint i = 0; i < moments->len; i++)
    g_hash_table_add (self.ids, (char *) ((StmMoment *) moments->pdata[i])->id);
  for (guint i = 0; i < moments->len; i++)
    {
      const StmMoment *moment = moments->pdata[i];

      for (gsize j = 0; j < moment->n_disks; j++)
        if (is_internal (&moment->disks[j]) && !untag_disk (&self, &moment->disks[j], error))
          return FALSE;
    }

  return TRUE;
}
