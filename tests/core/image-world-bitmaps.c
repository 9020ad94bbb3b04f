/* The bitmaps and checkpoints of image-world.h.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "image-world.h"

#include <string.h>

WorldBitmap *
world_find_bitmap (const WorldFile *file, const char *name)
{
  for (guint i = 0; i < file->bitmaps->len; i++)
    {
      WorldBitmap *bitmap = file->bitmaps->pdata[i];

      if (g_str_equal (bitmap->name, name))
        return bitmap;
    }

  return NULL;
}

WorldBitmap *
world_add_bitmap (WorldFile *file, const char *name)
{
  WorldBitmap *bitmap = g_new0 (WorldBitmap, 1);

  g_assert_cmpstr (file->format, ==, "qcow2");
  g_assert_null (world_find_bitmap (file, name));
  bitmap->name = g_strdup (name);
  bitmap->is_recording = TRUE;
  g_ptr_array_add (file->bitmaps, bitmap);

  return bitmap;
}

gboolean
world_bitmap_is_in_order (const WorldBitmap *bitmap)
{
  return bitmap != NULL && bitmap->is_recording && !bitmap->is_broken;
}

void
world_note_write (WorldFile *file, guint block)
{
  for (guint i = 0; i < file->bitmaps->len; i++)
    {
      WorldBitmap *bitmap = file->bitmaps->pdata[i];

      if (world_bitmap_is_in_order (bitmap))
        bitmap->blocks[block] = TRUE;
    }
}

void
world_break_bitmaps (WorldFile *file)
{
  for (guint i = 0; i < file->bitmaps->len; i++)
    {
      WorldBitmap *bitmap = file->bitmaps->pdata[i];

      bitmap->is_broken |= bitmap->is_recording;
    }
}

static void
merge_bitmap (WorldBitmap *target, const WorldBitmap *source)
{
  for (guint i = 0; i < WORLD_BLOCKS; i++)
    target->blocks[i] |= source->blocks[i];
}

/* --- steps --- */

void
world_do_bitmap (World *world, const StmStep *step)
{
  WorldFile *file = world_get_file (world, step->image->path);

  world_assert_header (file, step->image);
  world_add_bitmap (file, step->name);
}

/* No checkpoint that stays counts on it. */
static void
assert_bitmap_unused (const World *world, const StmPlan *plan, const StmStep *step)
{
  g_autoptr (GPtrArray)
      sharers = stm_model_bitmap_sharers (world->model, plan->domain_id, step->target, step->name);

  for (guint i = 0; i < sharers->len; i++)
    {
      const StmMomentDisk *disk = stm_moment_find_disk (sharers->pdata[i], step->target);
      g_autoptr (GPtrArray)
          chain = stm_model_chain_from (world->model, plan->domain_id, step->image->path);

      for (guint j = 0; j < chain->len; j++)
        g_assert_cmpstr (((StmImage *) chain->pdata[j])->path, !=, disk->frozen);
    }
}

void
world_do_unbitmap (World *world, const StmPlan *plan, const StmStep *step)
{
  WorldFile *file = world_get_file (world, step->image->path);
  WorldBitmap *bitmap;

  world_assert_header (file, step->image);
  g_assert_false (g_str_has_prefix (step->name, WORLD_FOREIGN));
  assert_bitmap_unused (world, plan, step);
  bitmap = world_find_bitmap (file, step->name);
  if (bitmap != NULL)
    g_ptr_array_remove (file->bitmaps, bitmap);
}

void
world_do_overlay_bitmaps (World *world, const StmStep *step)
{
  WorldFile *overlay = world_get_file (world, step->image->path);
  const WorldFile *covered = world_get_file (world, step->image->backing);
  guint n_new = 0;

  for (guint i = 0; i < covered->bitmaps->len; i++)
    {
      const WorldBitmap *bitmap = covered->bitmaps->pdata[i];

      g_assert_cmpint (world_bitmap_is_in_order (bitmap), ==,
                       g_strv_contains ((const char *const *) step->bitmaps, bitmap->name));
    }
  for (guint i = 0; step->bitmaps[i] != NULL; i++)
    {
      n_new += world_find_bitmap (covered, step->bitmaps[i]) == NULL;
      world_add_bitmap (overlay, step->bitmaps[i]);
    }
  g_assert_cmpuint (n_new, <=, 1);
}

/* One that is not in order below must not look whole above: it is there, and does not record. */
static void
rest_half (WorldFile *upper, const WorldBitmap *below)
{
  WorldBitmap *above = world_find_bitmap (upper, below->name);

  if (!world_bitmap_is_in_order (below) && world_bitmap_is_in_order (above))
    above->is_recording = FALSE;
}

static gboolean
needs_completion (const WorldFile *upper, const WorldFile *lower, const StmStep *step)
{
  for (guint i = 0; step->bitmaps[i] != NULL; i++)
    if (world_bitmap_is_in_order (world_find_bitmap (upper, step->bitmaps[i]))
        && world_bitmap_is_in_order (world_find_bitmap (lower, step->bitmaps[i])))
      return !upper->is_completed;

  return FALSE;
}

/* What the lower image recorded is added to the upper one, which then has all, and a mark that it
 * has: so a later try knows that a bitmap of the lower image which is broken by then may be made
 * anew from it. One that is broken before that is lost. */
void
world_do_commit_begin (World *world, const StmStep *step)
{
  WorldFile *upper = world_get_file (world, ((StmImage *) step->chain->pdata[0])->path);
  WorldFile *lower = world_get_file (world, ((StmImage *) step->chain->pdata[1])->path);

  if (!needs_completion (upper, lower, step))
    return;
  upper->is_completed = TRUE;
  for (guint i = 0; i < lower->bitmaps->len; i++)
    {
      const WorldBitmap *below = lower->bitmaps->pdata[i];
      WorldBitmap *above = world_find_bitmap (upper, below->name);

      rest_half (upper, below);
      if (world_bitmap_is_in_order (above) && world_bitmap_is_in_order (below))
        merge_bitmap (above, below);
    }
}

void
world_do_commit_end (World *world, const StmStep *step, gboolean is_whole)
{
  WorldFile *upper = world_get_file (world, ((StmImage *) step->chain->pdata[0])->path);
  WorldFile *lower = world_get_file (world, ((StmImage *) step->chain->pdata[1])->path);

  if (!is_whole)
    {
      world_break_bitmaps (lower);
      if (world->kills_hard)
        {
          world_break_bitmaps (upper);
          upper->is_completed = FALSE;
        }
      return;
    }
  for (guint i = 0; step->bitmaps[i] != NULL; i++)
    {
      const WorldBitmap *above = world_find_bitmap (upper, step->bitmaps[i]);
      WorldBitmap *below = world_find_bitmap (lower, step->bitmaps[i]);

      if (!world_bitmap_is_in_order (above) || world_bitmap_is_in_order (below)
          || (below != NULL && !upper->is_completed))
        continue;
      if (below != NULL)
        g_ptr_array_remove (lower->bitmaps, below);
      merge_bitmap (world_add_bitmap (lower, step->bitmaps[i]), above);
    }
  upper->is_completed = FALSE;
}

void
world_do_stream_end (World *world, const StmStep *step, gboolean is_whole)
{
  WorldFile *upper = world_get_file (world, ((StmImage *) step->chain->pdata[0])->path);
  const WorldFile *lower = world_get_file (world, ((StmImage *) step->chain->pdata[1])->path);

  if (!is_whole)
    {
      if (world->kills_hard)
        world_break_bitmaps (upper);
      return;
    }
  for (guint i = 0; step->bitmaps[i] != NULL; i++)
    {
      WorldBitmap *above = world_find_bitmap (upper, step->bitmaps[i]);
      const WorldBitmap *below = world_find_bitmap (lower, step->bitmaps[i]);

      if (world_bitmap_is_in_order (above) && world_bitmap_is_in_order (below))
        merge_bitmap (above, below);
    }
  for (guint i = 0; i < lower->bitmaps->len; i++)
    rest_half (upper, lower->bitmaps->pdata[i]);
}

/* --- checkpoints --- */

const StmTree *
world_checkpoints (const World *world, const char *domain)
{
  return stm_model_tree (world->model, world_domain (world, domain)->id, STM_MOMENT_CHECKPOINT);
}

const StmMoment *
world_checkpoint (const World *world, const char *domain, const char *name)
{
  const StmMoment *checkpoint = stm_tree_find (world_checkpoints (world, domain), name);

  g_assert_nonnull (checkpoint);
  return checkpoint;
}

gboolean
world_read_checkpoint (const World *world, const char *domain, const StmMoment *checkpoint,
                       const char *target, gboolean *out_blocks)
{
  const StmMomentDisk *disk = stm_moment_find_disk (checkpoint, target);
  const char *path = world_disk (world, domain, target)->source;
  guint n = 0;

  memset (out_blocks, 0, WORLD_BLOCKS * sizeof *out_blocks);
  while (path != NULL)
    {
      const WorldFile *file = world_get_file (world, path);
      const WorldBitmap *bitmap = world_find_bitmap (file, disk->bitmap);

      g_assert_cmpuint (n++, <, 1000);
      if (!world_bitmap_is_in_order (bitmap))
        return FALSE;
      for (guint i = 0; i < WORLD_BLOCKS; i++)
        out_blocks[i] |= bitmap->blocks[i];
      if (g_strcmp0 (path, disk->frozen) == 0)
        return TRUE;
      path = file->backing;
    }

  return FALSE;
}

void
world_look (World *world, const char *domain)
{
  const char *id = world_domain (world, domain)->id;
  g_autoptr (GPtrArray) images = stm_model_images (world->model, id);
  g_autoptr (StmSurvey) survey = world_survey (world, images);
  g_autoptr (StmChange) change = stm_plan_health (world->model, survey, id);

  if (change != NULL)
    world_apply (world, change);
}

void
world_make_checkpoint (World *world, const char *domain, const char *name)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (StmPlan) plan = world_plan_checkpoint (
      world, domain, &(StmCreateCheckpointRequest){ .name = name }, &error);

  g_assert_no_error (error);
  world_run (world, plan, NULL, NULL);
}

char *
world_delete_checkpoint (World *world, const char *domain, const char *name, StmDeleteScope scope)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (StmPlan) plan = world_plan_delete_checkpoint (
      world, domain, name, (StmDeleteRequest){ .scope = scope }, &error);

  g_assert_no_error (error);
  world_run (world, plan, NULL, NULL);

  return world_tell (plan);
}
