/* Folds merges that were done into the records of an operation that is given up.
 *
 * Called by ops, main loop, pure. A merge moves the headers of what stands on its images; a record
 * that did not follow would make each chain through them look broken. A commit has written over the
 * image below, and what only that showed is lost. The image that was committed, or absorbed, is
 * still there with all that it had: whoever has it on record keeps it, beside the chain that it was
 * in.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "stm-abandon.h"

#include "stm-checkpoints.h"

typedef struct
{
  const StmModel *model;
  const StmPlan *plan;
  const StmSurvey *survey;
  StmChange *change;
  GHashTable *images;  /* path -> StmImage: the records that change */
  GHashTable *homes;   /* path -> path: where what bitmaps of an image recorded is now */
  GHashTable *writers; /* path -> path: what was committed into it last */
  GHashTable *writes;  /* path -> number of that merge, from 1 */
  GHashTable *moves;   /* path -> number of the merge that led it elsewhere */
  GPtrArray *left;     /* paths: beside the chains that they were in */
  guint n_merges;      /* so far, with the present one */
} Abandonment;

static void
abandonment_clear (Abandonment *self)
{
  g_clear_pointer (&self->change, stm_change_unref);
  g_clear_pointer (&self->images, g_hash_table_unref);
  g_clear_pointer (&self->homes, g_hash_table_unref);
  g_clear_pointer (&self->writers, g_hash_table_unref);
  g_clear_pointer (&self->writes, g_hash_table_unref);
  g_clear_pointer (&self->moves, g_hash_table_unref);
  g_clear_pointer (&self->left, g_ptr_array_unref);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Abandonment, abandonment_clear)

static const StmImage *
image_now (const Abandonment *self, const char *path)
{
  const StmImage *image = path == NULL ? NULL : g_hash_table_lookup (self->images, path);

  return image != NULL || path == NULL
             ? image
             : stm_model_get_image (self->model, self->plan->domain_id, path);
}

static void
take_image (Abandonment *self, StmImage *image)
{
  /* Replace, not insert: the key lives in the value. */
  g_hash_table_replace (self->images, (char *) image->path, image);
}

static void
put_on (Abandonment *self, const char *path, const char *backing)
{
  const StmImage *image = image_now (self, path);

  if (image == NULL || g_strcmp0 (image->backing, backing) == 0)
    return;
  take_image (self, stm_image_with_backing (image, backing));
  g_hash_table_insert (self->moves, (gpointer) path, GUINT_TO_POINTER (self->n_merges));
}

static gboolean
header_names (const Abandonment *self, const char *path, const char *backing)
{
  const StmFacts *facts = self->survey == NULL ? NULL : stm_survey_get (self->survey, path);

  return facts != NULL && facts->problem == NULL && g_strcmp0 (facts->backing, backing) == 0;
}

/* --- images --- */

static void
grow (Abandonment *self, const char *path, guint64 capacity)
{
  const StmImage *image = image_now (self, path);

  if (image == NULL || image->capacity == capacity)
    return;

  StmImage init = *image;
  init.capacity = capacity;
  take_image (self, stm_image_new (&init));
}

static void
fold_commit (Abandonment *self, const StmStep *step, gboolean is_done)
{
  const StmImage *upper = step->chain->pdata[0];
  const char *lower = ((StmImage *) step->chain->pdata[1])->path;

  g_hash_table_insert (self->writers, (gpointer) lower, (gpointer) upper->path);
  g_hash_table_insert (self->writes, (gpointer) lower, GUINT_TO_POINTER (self->n_merges));
  for (guint i = 0; i < step->children->len; i++)
    {
      const char *child = ((StmImage *) step->children->pdata[i])->path;

      if (is_done || header_names (self, child, lower))
        put_on (self, child, lower);
    }
  g_ptr_array_add (self->left, (gpointer) upper->path);
  if (!is_done)
    return;
  grow (self, lower, upper->capacity);
  /* What nothing stood on is still the disk's own. */
  if (step->children->len > 0)
    g_hash_table_insert (self->homes, (gpointer) upper->path, (gpointer) lower);
}

static void
fold_stream (Abandonment *self, const StmStep *step, gboolean is_done)
{
  const char *top = ((StmImage *) step->chain->pdata[0])->path;
  const char *absorbed = ((StmImage *) step->chain->pdata[1])->path;
  const char *below = step->chain->len > 2 ? ((StmImage *) step->chain->pdata[2])->path : NULL;

  if (!is_done && !header_names (self, top, below))
    return;
  put_on (self, top, below);
  g_ptr_array_add (self->left, (gpointer) absorbed);
  g_hash_table_insert (self->homes, (gpointer) absorbed, (gpointer) top);
}

static void
fold_merges (Abandonment *self, guint n_done)
{
  for (guint i = 0; i < self->plan->steps->len && self->n_merges <= n_done; i++)
    {
      const StmStep *step = self->plan->steps->pdata[i];

      if (step->kind != STM_STEP_COMMIT && step->kind != STM_STEP_STREAM)
        continue;
      self->n_merges++;
      if (step->kind == STM_STEP_COMMIT)
        fold_commit (self, step, self->n_merges <= n_done);
      else
        fold_stream (self, step, self->n_merges <= n_done);
    }
}

static void
put_images (Abandonment *self)
{
  GHashTableIter iter;
  gpointer image;

  g_hash_table_iter_init (&iter, self->images);
  while (g_hash_table_iter_next (&iter, NULL, &image))
    stm_change_put_image (self->change, image);
}

/* --- moments --- */

static const char *
home_now (const Abandonment *self, const char *path)
{
  const char *next;

  while (path != NULL && (next = g_hash_table_lookup (self->homes, path)) != NULL)
    path = next;

  return path;
}

static gboolean
move_disk (const Abandonment *self, StmMomentDisk *disk)
{
  const StmImage *overlay = image_now (self, disk->overlay);
  const StmImage *home = disk->mode == STM_MODE_BITMAP
                             ? image_now (self, home_now (self, disk->frozen))
                             : NULL;

  if (home != NULL && g_strcmp0 (home->path, disk->frozen) != 0)
    {
      disk->frozen = home->path;
      disk->format = home->format;
      return TRUE;
    }
  if (overlay == NULL || g_strcmp0 (overlay->backing, disk->frozen) == 0)
    return FALSE;
  disk->overlay = NULL;

  return TRUE;
}

static StmMoment *
move_moment (const Abandonment *self, const StmMoment *moment)
{
  g_autofree StmMomentDisk *disks = g_memdup2 (moment->disks, moment->n_disks * sizeof *disks);
  gboolean is_moved = FALSE;

  for (gsize i = 0; i < moment->n_disks; i++)
    is_moved |= move_disk (self, &disks[i]);

  return is_moved ? stm_moment_with_disks (moment, disks, moment->n_disks)
                  : stm_moment_ref (moment);
}

static guint
number_of (GHashTable *numbers, const char *path)
{
  return GPOINTER_TO_UINT (g_hash_table_lookup (numbers, path));
}

/* Whether what is above shows what it did, though the image below it was written over: that has
 * the content of just this image, or of the one in whose place this came. */
static gboolean
fits (const Abandonment *self, const StmImage *above, const StmImage *below)
{
  return g_strcmp0 (g_hash_table_lookup (self->writers, below->path), above->path) == 0
         || number_of (self->moves, above->path) >= number_of (self->writes, below->path);
}

static gboolean
is_altered (const Abandonment *self, const char *path)
{
  const StmImage *above = NULL;

  for (const StmImage *image = image_now (self, path); image != NULL;
       image = image_now (self, image->backing))
    {
      if (above == NULL ? g_hash_table_contains (self->writes, image->path)
                        : !fits (self, above, image))
        return TRUE;
      above = image;
    }

  return FALSE;
}

static gboolean
is_lost (const Abandonment *self, const StmMoment *moment)
{
  for (gsize i = 0; i < moment->n_disks; i++)
    if (moment->disks[i].mode == STM_MODE_EXTERNAL && is_altered (self, moment->disks[i].frozen))
      return TRUE;

  return FALSE;
}

/* Those that were to go, as they were. */
static void
put_back (Abandonment *self, GHashTable *ids)
{
  const GPtrArray *moments = self->plan->undo->put_moments;

  for (guint i = 0; i < moments->len; i++)
    {
      const StmMoment *moment = moments->pdata[i];
      StmHealth health = is_lost (self, moment) ? STM_HEALTH_INCONSISTENT : moment->health;
      g_autoptr (StmMoment) judged = stm_moment_with_state (moment, moment->state, health);
      g_autoptr (StmMoment) moved = move_moment (self, judged);

      stm_change_put_moment (self->change, moved);
      g_hash_table_add (ids, (gpointer) moment->id);
    }
}

static void
add_users (const Abandonment *self, const char *path, GHashTable *moments)
{
  const StmTree *tree = stm_model_tree (self->model, self->plan->domain_id, STM_MOMENT_SNAPSHOT);
  g_autoptr (GArray) users = stm_model_image_users (self->model, path);

  for (guint i = 0; i < users->len; i++)
    {
      const StmImageUser *user = &g_array_index (users, StmImageUser, i);

      if (user->moment_id != NULL && user->kind == STM_MOMENT_SNAPSHOT
          && g_str_equal (user->domain_id, self->plan->domain_id))
        g_hash_table_add (moments, (gpointer) stm_tree_get (tree, user->moment_id));
    }
  stm_checkpoints_begun_in (self->model, self->plan->domain_id, path, moments);
}

/* Moments that stay, and have what is beside the chain now. */
static void
put_others (Abandonment *self, GHashTable *ids)
{
  g_autoptr (GHashTable) users = g_hash_table_new (NULL, NULL);

  for (guint i = 0; i < self->left->len; i++)
    add_users (self, self->left->pdata[i], users);

  g_autoptr (GPtrArray) moments = stm_checkpoints_sort (users);
  for (guint i = 0; i < moments->len; i++)
    {
      const StmMoment *moment = moments->pdata[i];
      g_autoptr (StmMoment) moved = move_moment (self, moment);

      if (moved != moment && !g_hash_table_contains (ids, moment->id))
        stm_change_put_moment (self->change, moved);
    }
}

StmChange *
stm_plan_abandon (const StmModel *model, const StmPlan *plan, guint n_done, const StmSurvey *survey)
{
  g_return_val_if_fail (model != NULL && plan != NULL, NULL);

  g_auto (Abandonment) self = {
    .model = model,
    .plan = plan,
    .survey = survey,
    .change = stm_change_new (plan->domain_id),
    .images = g_hash_table_new_full (g_str_hash, g_str_equal, NULL,
                                     (GDestroyNotify) stm_image_unref),
    .homes = g_hash_table_new (g_str_hash, g_str_equal),
    .writers = g_hash_table_new (g_str_hash, g_str_equal),
    .writes = g_hash_table_new (g_str_hash, g_str_equal),
    .moves = g_hash_table_new (g_str_hash, g_str_equal),
    .left = g_ptr_array_new (),
  };
  g_autoptr (GHashTable) ids = g_hash_table_new (g_str_hash, g_str_equal);

  fold_merges (&self, n_done);
  put_images (&self);
  put_back (&self, ids);
  put_others (&self, ids);

  return g_steal_pointer (&self.change);
}
