/* Makes plans in the world of image-world.h and plays them on its files.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "image-world.h"

#include "stemma-error.h"

#include <string.h>

typedef struct
{
  char *plan_id;
  char *moment_id;
  StmPlanContext context;
} Ids;

static void
ids_clear (Ids *ids)
{
  g_free (ids->plan_id);
  g_free (ids->moment_id);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Ids, ids_clear)

static Ids
ids_new (World *world)
{
  Ids ids = { .plan_id = world_new_id (world), .moment_id = world_new_id (world) };

  ids.context.plan_id = ids.plan_id;
  ids.context.moment_id = ids.moment_id;
  ids.context.now = world->now;

  return ids;
}

StmPlan *
world_plan_create (World *world, const char *domain, const StmCreateRequest *request,
                   GError **error)
{
  g_auto (Ids) ids = ids_new (world);
  const char *id = world_domain (world, domain)->id;
  g_autoptr (GPtrArray) images = stm_plan_create_prepare (world->model, id, request, error);

  if (images == NULL)
    return NULL;
  g_autoptr (StmSurvey) survey = world_survey (world, images);

  return stm_plan_create (world->model, survey, id, request, &ids.context, error);
}

StmPlan *
world_plan_revert (World *world, const char *domain, const char *moment, StmRevertRequest request,
                   GError **error)
{
  g_auto (Ids) ids = ids_new (world);
  const char *id = world_domain (world, domain)->id;

  request.moment_id = world_moment (world, domain, moment)->id;
  g_autoptr (GPtrArray) images = stm_plan_revert_prepare (world->model, id, &request, error);
  if (images == NULL)
    return NULL;
  g_autoptr (StmSurvey) survey = world_survey (world, images);

  return stm_plan_revert (world->model, survey, id, &request, &ids.context, error);
}

StmPlan *
world_plan_delete (World *world, const char *domain, const char *moment, StmDeleteRequest request,
                   GError **error)
{
  g_auto (Ids) ids = ids_new (world);
  const char *id = world_domain (world, domain)->id;

  request.moment_id = world_moment (world, domain, moment)->id;
  g_autoptr (GPtrArray) images = stm_plan_delete_prepare (world->model, id, &request, error);
  if (images == NULL)
    return NULL;
  g_autoptr (StmSurvey) survey = world_survey (world, images);

  return stm_plan_delete (world->model, survey, id, &request, &ids.context, error);
}

StmPlan *
world_plan_undefine (World *world, const char *domain, StmMomentsChoice moments, GError **error)
{
  g_auto (Ids) ids = ids_new (world);
  const char *id = world_domain (world, domain)->id;
  StmUndefineRequest request = { moments };
  g_autoptr (GPtrArray) images = stm_plan_undefine_prepare (world->model, id, &request, error);

  if (images == NULL)
    return NULL;
  g_autoptr (StmSurvey) survey = world_survey (world, images);

  return stm_plan_undefine (world->model, survey, id, &request, &ids.context, error);
}

static const char *
base_of (const StmImage *image)
{
  return strrchr (image->path, '/') + 1;
}

static void
tell_step (GString *text, const StmStep *step)
{
  switch (step->kind)
    {
    case STM_STEP_TAG:
    case STM_STEP_GOTO:
    case STM_STEP_BITMAP:
    case STM_STEP_UNTAG:
    case STM_STEP_UNBITMAP:
      g_string_append_printf (text, "mark %s %s", step->name, base_of (step->image));
      break;
    case STM_STEP_OVERLAY:
      g_string_append_printf (text, "overlay %s>%s", base_of (step->image),
                              base_of (step->chain->pdata[0]));
      break;
    case STM_STEP_COMMIT:
      g_string_append_printf (text, "commit %s>%s", base_of (step->chain->pdata[0]),
                              base_of (step->chain->pdata[1]));
      for (guint i = 0; i < step->children->len; i++)
        g_string_append_printf (text, "%s%s", i == 0 ? " (" : " ",
                                base_of (step->children->pdata[i]));
      if (step->children->len > 0)
        g_string_append_c (text, ')');
      break;
    case STM_STEP_STREAM:
      g_string_append_printf (text, "stream %s>%s", base_of (step->chain->pdata[1]),
                              base_of (step->chain->pdata[0]));
      break;
    case STM_STEP_UNLINK:
      g_string_append_printf (text, "unlink %s", base_of (step->image));
      break;
    }
}

char *
world_tell (const StmPlan *plan)
{
  g_autoptr (GString) text = g_string_new (NULL);

  for (guint i = 0; i < plan->steps->len; i++)
    {
      g_string_append (text, i > 0 ? ", " : "");
      tell_step (text, plan->steps->pdata[i]);
    }
  for (guint i = 0; i < plan->kept->len; i++)
    {
      const StmKeptFile *kept = plan->kept->pdata[i];

      g_string_append_printf (text, "%skeep %s", text->len > 0 ? ", " : "",
                              strrchr (kept->path, '/') + 1);
    }

  return g_string_free (g_steal_pointer (&text), FALSE);
}

/* The files that the plan will remove: what they show does not matter any more. */
static GHashTable *
list_doomed (const StmPlan *plan)
{
  GHashTable *doomed = g_hash_table_new (g_str_hash, g_str_equal);

  for (guint i = 0; i < plan->steps->len; i++)
    {
      const StmStep *step = plan->steps->pdata[i];

      if (step->kind == STM_STEP_UNLINK)
        g_hash_table_add (doomed, (char *) step->image->path);
    }

  return doomed;
}

static void
assert_chain (const World *world, const GPtrArray *chain)
{
  for (guint i = 0; i < chain->len; i++)
    {
      const StmImage *image = chain->pdata[i];

      world_assert_header (world_get_file (world, image->path), image);
    }
  g_assert_null (((StmImage *) chain->pdata[chain->len - 1])->backing);
}

static void
do_overlay (World *world, const StmStep *step)
{
  assert_chain (world, step->chain);
  g_assert_cmpstr (step->image->backing, ==, ((StmImage *) step->chain->pdata[0])->path);
  g_assert_cmpuint (step->image->capacity, ==,
                    world_get_file (world, step->image->backing)->capacity);
  world_add_file (world, step->image->path, step->image->format, step->image->backing)->capacity =
      step->image->capacity;
}

/* All files on `path` but the doomed are in `known`. */
static void
assert_children (const World *world, const char *path, GHashTable *doomed, const char *but,
                 const GPtrArray *known)
{
  g_auto (GStrv) children = world_list_children (world, path);

  for (guint i = 0; children[i] != NULL; i++)
    {
      gboolean is_known = g_strcmp0 (children[i], but) == 0
                          || g_hash_table_contains (doomed, children[i]);

      for (guint j = 0; known != NULL && j < known->len; j++)
        is_known |= g_str_equal (children[i], ((StmImage *) known->pdata[j])->path);
      if (!is_known)
        g_error ("%s stands on %s, which is about to change", children[i], path);
    }
}

static void
do_commit (World *world, const StmStep *step, GHashTable *doomed, guint n_blocks)
{
  WorldFile *upper = world_get_file (world, ((StmImage *) step->chain->pdata[0])->path);
  WorldFile *lower = world_get_file (world, ((StmImage *) step->chain->pdata[1])->path);

  assert_chain (world, step->chain);
  assert_children (world, lower->path, doomed, upper->path, NULL);
  assert_children (world, upper->path, doomed, NULL, step->children);
  g_assert_cmpuint (lower->n_tags + lower->n_bitmaps + upper->n_tags + upper->n_bitmaps, ==, 0);
  g_assert_cmpuint (upper->capacity, >=, lower->capacity);

  for (guint i = 0; i < n_blocks; i++)
    if (upper->blocks[i] != WORLD_HOLE)
      lower->blocks[i] = upper->blocks[i];
  if (n_blocks < WORLD_BLOCKS)
    return;

  lower->capacity = upper->capacity;
  for (guint i = 0; i < step->children->len; i++)
    {
      const StmImage *image = step->children->pdata[i];
      WorldFile *child = world_get_file (world, image->path);

      world_assert_header (child, image);
      g_free (child->backing);
      child->backing = g_strdup (lower->path);
    }
}

static void
do_stream (World *world, const StmStep *step, guint n_blocks)
{
  WorldFile *upper = world_get_file (world, ((StmImage *) step->chain->pdata[0])->path);
  WorldFile *lower = world_get_file (world, ((StmImage *) step->chain->pdata[1])->path);

  assert_chain (world, step->chain);
  g_assert_cmpstr (upper->format, ==, "qcow2");
  g_assert_cmpuint (lower->n_tags + lower->n_bitmaps + upper->n_tags + upper->n_bitmaps, ==, 0);

  for (guint i = 0; i < n_blocks; i++)
    if (upper->blocks[i] == WORLD_HOLE)
      upper->blocks[i] = lower->blocks[i];
  if (n_blocks < WORLD_BLOCKS)
    return;
  g_free (upper->backing);
  upper->backing = g_strdup (lower->backing);
}

static void
do_unlink (World *world, const StmStep *step)
{
  const WorldFile *file = world_get_file (world, step->image->path);
  g_autoptr (GArray) users = stm_model_image_users (world->model, step->image->path);
  g_auto (GStrv) children = world_list_children (world, step->image->path);

  g_assert_cmpuint (users->len, ==, 0);
  g_assert_null (children[0]);
  g_assert_cmpint (step->image->origin, ==, STM_IMAGE_MADE);
  if (file == NULL)
    return;
  world_assert_header (file, step->image);
  g_assert_cmpuint (file->n_tags, ==, 0);
  world_remove_file (world, step->image->path);
}

static void
do_step (World *world, const StmStep *step, GHashTable *doomed, guint n_blocks)
{
  switch (step->kind)
    {
    case STM_STEP_TAG:
    case STM_STEP_GOTO:
    case STM_STEP_BITMAP:
    case STM_STEP_UNTAG:
    case STM_STEP_UNBITMAP:
      g_assert_not_reached ();
    case STM_STEP_OVERLAY:
      if (n_blocks == WORLD_BLOCKS)
        do_overlay (world, step);
      break;
    case STM_STEP_COMMIT:
      do_commit (world, step, doomed, n_blocks);
      break;
    case STM_STEP_STREAM:
      do_stream (world, step, n_blocks);
      break;
    case STM_STEP_UNLINK:
      if (n_blocks == WORLD_BLOCKS)
        do_unlink (world, step);
      break;
    }
}

static StmPlan *
through_variant (const StmPlan *plan)
{
  g_autoptr (GVariant) variant = g_variant_ref_sink (stm_plan_to_variant (plan));
  StmPlan *copy = stm_plan_from_variant (variant);

  g_assert_nonnull (copy);
  g_autoptr (GVariant) again = g_variant_ref_sink (stm_plan_to_variant (copy));
  g_assert_true (g_variant_equal (variant, again));

  return copy;
}

void
world_run (World *world, const StmPlan *original, WorldWatch watch, gpointer user_data)
{
  /* Often enough to find what does not survive it, and not so often that it takes all the time. */
  gboolean is_journalled = world->n_ids % 8 < 2;
  g_autoptr (StmPlan) plan = is_journalled ? through_variant (original) : stm_plan_ref (original);
  g_autoptr (GHashTable) doomed = list_doomed (plan);
  gboolean is_finished = FALSE;

  world_apply (world, plan->begin);
  for (guint i = 0; i < plan->steps->len; i++)
    {
      const StmStep *step = plan->steps->pdata[i];

      if (step->kind == STM_STEP_UNLINK && !is_finished)
        {
          world_apply (world, plan->finish);
          is_finished = TRUE;
        }
      /* A crash in the middle, and then the whole step again. */
      do_step (world, step, doomed, WORLD_BLOCKS / 2);
      if (watch != NULL)
        watch (world, user_data);
      do_step (world, step, doomed, WORLD_BLOCKS);
      if (watch != NULL)
        watch (world, user_data);
    }
  if (!is_finished)
    world_apply (world, plan->finish);
}

void
world_undo (World *world, const StmPlan *plan)
{
  world_apply (world, plan->begin);
  world_apply (world, plan->undo);
}

void
world_create (World *world, const char *domain, const char *name)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (StmPlan)
      plan = world_plan_create (world, domain, &(StmCreateRequest){ .name = name }, &error);

  g_assert_no_error (error);
  world_run (world, plan, NULL, NULL);
}

void
world_revert (World *world, const char *domain, const char *name)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (StmPlan) plan = world_plan_revert (world, domain, name,
                                                (StmRevertRequest){ .discards = TRUE }, &error);

  g_assert_no_error (error);
  world_run (world, plan, NULL, NULL);
}

char *
world_delete (World *world, const char *domain, const char *name, StmDeleteScope scope)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (StmPlan)
      plan = world_plan_delete (world, domain, name, (StmDeleteRequest){ .scope = scope }, &error);

  g_assert_no_error (error);
  world_run (world, plan, NULL, NULL);

  return world_tell (plan);
}
