/* The part of stm_model_check() that looks at the images: nothing that is needed goes, and nothing
 * is needed that is not recorded.
 *
 * Main loop only; changes nothing.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "stm-model-check-private.h"

#include "stemma-error.h"

static gboolean
check_values (const StmModelView *view, GError **error)
{
  const GPtrArray *puts = view->change->put_images;

  for (guint i = 0; i < puts->len; i++)
    if (!stm_image_is_sound (puts->pdata[i], error))
      return FALSE;

  return TRUE;
}

static gboolean
refuse_removal_below (const StmModelView *view, const char *path, const StmImage *child,
                      GError **error)
{
  g_set_error (error, STEMMA_ERROR, STEMMA_ERROR_HAS_CHILDREN,
               "cannot forget image %s of domain %s: image %s stands on it", path,
               view->domain->name, child->path);
  return FALSE;
}

/* Children that were there before; those that come stand in check_backings(). */
static gboolean
check_children_gone (const StmModelView *view, const char *path, GError **error)
{
  g_autoptr (GPtrArray) children = stm_image_index_children (view->entry->images, path);

  for (guint i = 0; i < children->len; i++)
    {
      const StmImage *child = children->pdata[i];
      const StmImage *stays = stm_model_view_image (view, child->path);

      if (stays != NULL && g_strcmp0 (stays->backing, path) == 0)
        return refuse_removal_below (view, path, stays, error);
    }

  return TRUE;
}

static gboolean
refuse_missing (const StmModelView *view, const char *path, const char *what, const char *name,
                GError **error)
{
  if (g_hash_table_contains (view->removed_images, path))
    g_set_error (error, STEMMA_ERROR, STEMMA_ERROR_IN_USE,
                 "cannot forget image %s of domain %s: %s \"%s\" needs it", path,
                 view->domain->name, what, name);
  else
    g_set_error (error, STEMMA_ERROR, STEMMA_ERROR_NOT_FOUND,
                 "%s \"%s\" of domain %s cannot use image %s: it is not recorded", what, name,
                 view->domain->name, path);

  return FALSE;
}

/* A redefined moment may name an image that could not be read and so is not recorded. A record that
 * a checkpoint has goes only when it is known to be lost; that which a snapshot holds never, for a
 * file that is missing may come back. */
static gboolean
may_be_unrecorded (const StmModelView *view, const StmMoment *moment, const char *path)
{
  if (g_hash_table_contains (view->removed_images, path))
    return moment->kind == STM_MOMENT_CHECKPOINT && moment->health == STM_HEALTH_MISSING;

  return moment->health != STM_HEALTH_OK && moment->health != STM_HEALTH_CREATING;
}

static gboolean
check_frozen_recorded (const StmModelView *view, const StmMoment *moment, GError **error)
{
  for (gsize i = 0; i < moment->n_disks; i++)
    {
      const char *frozen = moment->disks[i].frozen;

      if (frozen != NULL && stm_model_view_image (view, frozen) == NULL
          && !may_be_unrecorded (view, moment, frozen))
        return refuse_missing (view, frozen,
                               moment->kind == STM_MOMENT_SNAPSHOT ? "snapshot" : "checkpoint",
                               moment->name, error);
    }

  return TRUE;
}

/* Moments that were there before; those that come stand in check_new_moments(). */
static gboolean
check_moments_let_go (const StmModelView *view, const char *path, GError **error)
{
  g_autoptr (GPtrArray) moments = stm_image_index_moments (view->entry->images, path);

  for (guint i = 0; i < moments->len; i++)
    {
      const StmMoment *moment = moments->pdata[i];
      const StmMoment *stays = stm_model_view_moment (view, moment->kind, moment->id);

      if (stays != NULL && !check_frozen_recorded (view, stays, error))
        return FALSE;
    }

  return TRUE;
}

static gboolean
check_removals (const StmModelView *view, GError **error)
{
  const GPtrArray *paths = view->change->removed_images;

  for (guint i = 0; i < paths->len; i++)
    {
      const char *path = paths->pdata[i];

      if (stm_model_view_old_image (view, path) == NULL)
        {
          g_set_error (error, STEMMA_ERROR, STEMMA_ERROR_NOT_FOUND,
                       "cannot forget image %s of domain %s: it is not recorded", path,
                       view->domain->name);
          return FALSE;
        }
      if (!check_children_gone (view, path, error) || !check_moments_let_go (view, path, error))
        return FALSE;
    }

  return TRUE;
}

/* A backing image that is not recorded is legal and ends the chain; one that goes is not. */
static gboolean
check_backings (const StmModelView *view, GError **error)
{
  const GPtrArray *puts = view->change->put_images;

  for (guint i = 0; i < puts->len; i++)
    {
      const StmImage *image = puts->pdata[i];

      if (image->backing != NULL && g_hash_table_contains (view->removed_images, image->backing))
        return refuse_removal_below (view, image->backing, image, error);
    }

  return TRUE;
}

static gboolean
check_new_moments (const StmModelView *view, GError **error)
{
  const GPtrArray *puts = view->change->put_moments;

  for (guint i = 0; i < puts->len; i++)
    if (!check_frozen_recorded (view, puts->pdata[i], error))
      return FALSE;

  return TRUE;
}

/* The disks alone are looked at in whole: a domain has few. */
static gboolean
check_disks (const StmModelView *view, GError **error)
{
  for (gsize i = 0; i < view->domain->n_disks; i++)
    {
      const StmDisk *disk = &view->domain->disks[i];

      if (disk->source != NULL && stm_model_view_image (view, disk->source) == NULL)
        return refuse_missing (view, disk->source, "disk", disk->target, error);
    }

  return TRUE;
}

static gconstpointer
backing_of (const StmModelView *view, gconstpointer value)
{
  const StmImage *image = value;

  return image->backing != NULL ? stm_model_view_image (view, image->backing) : NULL;
}

static const char *
path_of (gconstpointer value)
{
  return ((const StmImage *) value)->path;
}

/* A record that comes may close what an unrecorded path left open, so it counts as moved too. */
static gboolean
leads_elsewhere (const StmModelView *view, gconstpointer value)
{
  const StmImage *image = value;
  const StmImage *old = stm_model_view_old_image (view, image->path);

  if (old != NULL)
    return g_strcmp0 (old->backing, image->backing) != 0;

  return view->entry != NULL && stm_image_index_has_children (view->entry->images, image->path);
}

static gboolean
check_rings (const StmModelView *view, GError **error)
{
  const StmRingWalk walk = {
    .next_of = backing_of,
    .key_of = path_of,
    .is_moved = leads_elsewhere,
    .changed = view->put_images,
  };
  const StmImage *found = stm_model_find_ring (view, &walk, view->change->put_images);

  if (found == NULL)
    return TRUE;

  g_set_error (error, STEMMA_ERROR, STEMMA_ERROR_CHAIN_BROKEN,
               "image %s of domain %s cannot be recorded so: its backing chain leads back to it",
               found->path, view->domain->name);
  return FALSE;
}

gboolean
stm_model_check_images (const StmModelView *view, GError **error)
{
  return check_values (view, error) && check_removals (view, error) && check_backings (view, error)
         && check_new_moments (view, error) && check_disks (view, error)
         && check_rings (view, error);
}
