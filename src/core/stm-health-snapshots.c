/* The part of stm_plan_health() that is about snapshots: whether the images that hold their states,
 * and all that these stand on, are there, and what is internal to an image is still in it.
 *
 * Pure, main loop. Called after each survey, so it costs by what was looked at and by what is
 * missing, never by the size of the tree: what is gone spreads from the missing images to those
 * that stand on them, each met once; and only a snapshot whose own image was looked at can be seen
 * to be whole, of which each image is walked over once.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "stm-health-private.h"

#include "stemma-error.h"
#include "stm-checkpoints.h"

typedef struct
{
  const StmModel *model;
  const StmSurvey *survey;
  const char *domain_id;
  GPtrArray *looked_at; /* StmFacts */
  GHashTable *missing;  /* set of paths: of images that are gone, or stand on one that is */
  GHashTable *whole; /* path -> whether it and all below it were seen; while not walked, absent */
  GHashTable *tags;  /* path -> set of the names of its tags */
} Look;

static void
look_clear (Look *self)
{
  g_clear_pointer (&self->looked_at, g_ptr_array_unref);
  g_clear_pointer (&self->missing, g_hash_table_unref);
  g_clear_pointer (&self->whole, g_hash_table_unref);
  g_clear_pointer (&self->tags, g_hash_table_unref);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Look, look_clear)

/* --- what is missing --- */

static void
add_missing (Look *self, GPtrArray *pending, const char *path)
{
  if (g_hash_table_add (self->missing, (char *) path))
    g_ptr_array_add (pending, (char *) path);
}

static void
spread_missing (Look *self)
{
  g_autoptr (GPtrArray) pending = g_ptr_array_new ();

  for (guint i = 0; i < self->looked_at->len; i++)
    {
      const StmFacts *facts = self->looked_at->pdata[i];

      if (g_error_matches (facts->problem, STEMMA_ERROR, STEMMA_ERROR_NOT_FOUND))
        add_missing (self, pending, facts->path);
    }
  while (pending->len > 0)
    {
      const char *path = g_ptr_array_steal_index_fast (pending, pending->len - 1);
      g_autoptr (GPtrArray) over = stm_model_images_over (self->model, self->domain_id, path);

      for (guint i = 0; i < over->len; i++)
        add_missing (self, pending, ((StmImage *) over->pdata[i])->path);
    }
}

/* --- what is there --- */

/* The next image below one that was seen, or NULL: at the end of what is on record, which is the
 * end of what can be asked for, or at an image that was not looked at or cannot be read. */
static const StmImage *
step_down (const Look *self, const StmImage *image, gboolean *out_is_seen)
{
  const StmFacts *facts = stm_survey_get (self->survey, image->path);

  *out_is_seen = facts != NULL && facts->problem == NULL;

  return *out_is_seen && image->backing != NULL
             ? stm_model_get_image (self->model, self->domain_id, image->backing)
             : NULL;
}

/* Whether the image is on record, and it and all below it were seen. */
static gboolean
is_whole (Look *self, const char *path)
{
  const StmImage *image = stm_model_get_image (self->model, self->domain_id, path);
  g_autoptr (GPtrArray) walked = g_ptr_array_new ();
  gboolean result = image != NULL;

  while (image != NULL)
    {
      gpointer known;

      if (g_hash_table_lookup_extended (self->whole, image->path, NULL, &known))
        {
          result = GPOINTER_TO_INT (known);
          break;
        }
      /* Until it is known: so that not even a ring would be walked for ever. */
      g_hash_table_insert (self->whole, (char *) image->path, GINT_TO_POINTER (FALSE));
      g_ptr_array_add (walked, (char *) image->path);
      image = step_down (self, image, &result);
    }
  for (guint i = 0; result && i < walked->len; i++)
    g_hash_table_insert (self->whole, walked->pdata[i], GINT_TO_POINTER (TRUE));

  return result;
}

/* An image may have a great many, and each belongs to a snapshot that asks. */
static GHashTable *
get_tags (Look *self, const StmFacts *facts)
{
  GHashTable *names = g_hash_table_lookup (self->tags, facts->path);

  if (names != NULL)
    return names;
  names = g_hash_table_new (g_str_hash, g_str_equal);
  for (guint i = 0; i < facts->tags->len; i++)
    g_hash_table_add (names, (char *) ((StmTagFacts *) facts->tags->pdata[i])->name);
  g_hash_table_insert (self->tags, facts->path, names);

  return names;
}

/* --- judged --- */

static gboolean
is_disk_missing (Look *self, const StmMomentDisk *disk)
{
  const StmFacts *facts = stm_survey_get (self->survey, disk->frozen);

  if (disk->frozen == NULL)
    return FALSE;
  if (g_hash_table_contains (self->missing, disk->frozen))
    return TRUE;

  return disk->mode == STM_MODE_INTERNAL && facts != NULL && facts->problem == NULL
         && !g_hash_table_contains (get_tags (self, facts), disk->tag);
}

/* MISSING when an image that it needs is gone, or was seen without its tag; OK when it was missing
 * or nobody had looked, and all of it was seen; else as it was. */
static StmHealth
judge (Look *self, const StmMoment *snapshot)
{
  for (gsize i = 0; i < snapshot->n_disks; i++)
    if (snapshot->disks[i].mode != STM_MODE_NONE && is_disk_missing (self, &snapshot->disks[i]))
      return STM_HEALTH_MISSING;
  if (snapshot->health == STM_HEALTH_OK)
    return STM_HEALTH_OK;

  for (gsize i = 0; i < snapshot->n_disks; i++)
    if (snapshot->disks[i].mode != STM_MODE_NONE
        && (snapshot->disks[i].frozen == NULL || !is_whole (self, snapshot->disks[i].frozen)))
      return snapshot->health;

  return STM_HEALTH_OK;
}

/* Whether a look at its images says anything of it: not of one that is being made or deleted, whose
 * images come and go, nor of one that lost its content or its place, which no file brings back. */
static gboolean
can_be_judged (const StmMoment *snapshot)
{
  if (snapshot->state == STM_STATE_CREATING || snapshot->state == STM_STATE_DELETING)
    return FALSE;

  return snapshot->health == STM_HEALTH_OK || snapshot->health == STM_HEALTH_MISSING
         || snapshot->health == STM_HEALTH_UNKNOWN;
}

/* Those that hold the image and are another thing than what is recorded. */
static void
judge_holders (Look *self, const char *path, GHashTable *judged, GHashTable *changed)
{
  g_autoptr (GPtrArray) holders = stm_model_snapshots_in (self->model, self->domain_id, path);

  for (guint i = 0; i < holders->len; i++)
    {
      StmMoment *snapshot = holders->pdata[i];

      if (g_hash_table_add (judged, snapshot) && can_be_judged (snapshot)
          && judge (self, snapshot) != snapshot->health)
        g_hash_table_add (changed, snapshot);
    }
}

/* Of each snapshot once, however many of its images were looked at. */
static GPtrArray *
list_changed (Look *self)
{
  g_autoptr (GHashTable) judged = g_hash_table_new (NULL, NULL);
  g_autoptr (GHashTable) changed = g_hash_table_new (NULL, NULL);
  GHashTableIter iter;
  gpointer path;

  g_hash_table_iter_init (&iter, self->missing);
  while (g_hash_table_iter_next (&iter, &path, NULL))
    judge_holders (self, path, judged, changed);
  for (guint i = 0; i < self->looked_at->len; i++)
    judge_holders (self, ((StmFacts *) self->looked_at->pdata[i])->path, judged, changed);

  return stm_checkpoints_sort (changed);
}

void
stm_health_judge_snapshots (const StmModel *model, const StmSurvey *survey, const StmDomain *domain,
                            StmChange *change)
{
  g_auto (Look) look = {
    .model = model,
    .survey = survey,
    .domain_id = domain->id,
    .looked_at = stm_survey_list (survey),
    .missing = g_hash_table_new (g_str_hash, g_str_equal),
    .whole = g_hash_table_new (g_str_hash, g_str_equal),
    .tags = g_hash_table_new_full (g_str_hash, g_str_equal, NULL,
                                   (GDestroyNotify) g_hash_table_unref),
  };

  spread_missing (&look);

  g_autoptr (GPtrArray) changed = list_changed (&look);
  for (guint i = 0; i < changed->len; i++)
    {
      const StmMoment *snapshot = changed->pdata[i];
      g_autoptr (StmMoment)
          judged = stm_moment_with_state (snapshot, snapshot->state, judge (&look, snapshot));

      stm_change_put_moment (change, judged);
    }
}
