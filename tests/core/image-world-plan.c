/* Makes plans in the world of image-world.h and plays them on its files.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "image-world.h"

#include "stemma-error.h"
#include "stm-abandon.h"

#include <string.h>

typedef struct
{
  char *plan_id;
  char *moment_id;
  char *second_id;
  StmPlanContext context;
} Ids;

static void
ids_clear (Ids *ids)
{
  g_free (ids->plan_id);
  g_free (ids->moment_id);
  g_free (ids->second_id);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Ids, ids_clear)

static Ids
ids_new (World *world)
{
  Ids ids = { .plan_id = world_new_id (world),
              .moment_id = world_new_id (world),
              .second_id = world_new_id (world) };

  ids.context.plan_id = ids.plan_id;
  ids.context.moment_id = ids.moment_id;
  ids.context.second_id = ids.second_id;
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
world_plan_checkpoint (World *world, const char *domain, const StmCreateCheckpointRequest *request,
                       GError **error)
{
  g_auto (Ids) ids = ids_new (world);
  const char *id = world_domain (world, domain)->id;
  g_autoptr (GPtrArray)
      images = stm_plan_create_checkpoint_prepare (world->model, id, request, error);

  if (images == NULL)
    return NULL;
  g_autoptr (StmSurvey) survey = world_survey (world, images);

  return stm_plan_create_checkpoint (world->model, survey, id, request, &ids.context, error);
}

StmPlan *
world_plan_delete_checkpoint (World *world, const char *domain, const char *checkpoint,
                              StmDeleteRequest request, GError **error)
{
  g_auto (Ids) ids = ids_new (world);
  const char *id = world_domain (world, domain)->id;

  request.moment_id = world_checkpoint (world, domain, checkpoint)->id;
  g_autoptr (GPtrArray)
      images = stm_plan_delete_checkpoint_prepare (world->model, id, &request, error);
  if (images == NULL)
    return NULL;
  g_autoptr (StmSurvey) survey = world_survey (world, images);

  return stm_plan_delete_checkpoint (world->model, survey, id, &request, &ids.context, error);
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
tell_names (GString *text, const char *opening, GStrv names, const char *closing)
{
  g_autofree char *joined = g_strjoinv (" ", names);

  if (*joined != '\0')
    g_string_append_printf (text, "%s%s%s", opening, joined, closing);
}

static void
tell_step (GString *text, const StmStep *step)
{
  switch (step->kind)
    {
    case STM_STEP_TAG:
      g_string_append_printf (text, "tag %s@%s", base_of (step->image), step->name);
      break;
    case STM_STEP_GOTO:
      g_string_append_printf (text, "goto %s@%s (%s)", base_of (step->image), step->name,
                              step->fallback);
      break;
    case STM_STEP_UNTAG:
      g_string_append_printf (text, "untag %s@%s", base_of (step->image), step->name);
      break;
    case STM_STEP_BITMAP:
      g_string_append_printf (text, "bitmap %s %s", step->name, base_of (step->image));
      break;
    case STM_STEP_UNBITMAP:
      g_string_append_printf (text, "unbitmap %s %s", step->name, base_of (step->image));
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
  tell_names (text, " [", step->bitmaps, "]");
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

/* The plan takes the internal snapshot away: it may show anything from its first merge on. */
static gboolean
is_tag_doomed (const StmPlan *plan, const WorldFile *file, const WorldTag *tag)
{
  for (guint i = 0; i < plan->steps->len; i++)
    {
      const StmStep *step = plan->steps->pdata[i];

      if (g_strcmp0 (step->image->path, file->path) == 0
          && (step->kind == STM_STEP_UNLINK
              || (step->kind == STM_STEP_UNTAG && g_str_equal (step->name, tag->name))))
        return TRUE;
    }

  return FALSE;
}

static void
assert_no_lasting_tags (const StmPlan *plan, const WorldFile *file)
{
  for (guint i = 0; i < file->tags->len; i++)
    g_assert_true (is_tag_doomed (plan, file, file->tags->pdata[i]));
}

static void
do_tag (World *world, const StmStep *step)
{
  WorldFile *file = world_get_file (world, step->image->path);

  world_assert_header (file, step->image);
  g_assert_cmpstr (file->format, ==, "qcow2");
  g_assert_cmpuint (strlen (step->name), >, 0);
  /* A tool would take it for an id. */
  g_assert_true (step->name[strspn (step->name, "0123456789")] != '\0');
  world_add_tag (file, step->name);
}

static void
bring_to (WorldFile *file, const char *name)
{
  const WorldTag *tag = world_find_tag (file, name);

  g_assert_nonnull (tag);
  memcpy (file->blocks, tag->blocks, sizeof file->blocks);
  file->capacity = tag->capacity;
}

static void assert_children (const World *world, const char *path, GHashTable *doomed,
                             const char *but, const GPtrArray *known);

static void
do_goto (World *world, const StmStep *step, GHashTable *doomed)
{
  WorldFile *file = world_get_file (world, step->image->path);

  world_assert_header (file, step->image);
  assert_children (world, file->path, doomed, NULL, NULL);
  g_assert_nonnull (world_find_tag (file, step->fallback));
  g_assert_cmpuint (file->bitmaps->len, ==, 0);
  bring_to (file, step->name);
}

static void
do_untag (World *world, const StmStep *step)
{
  WorldFile *file = world_get_file (world, step->image->path);
  WorldTag *tag;

  world_assert_header (file, step->image);
  tag = world_find_tag (file, step->name);
  if (tag != NULL)
    g_ptr_array_remove (file->tags, tag);
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
  world_do_overlay_bitmaps (world, step);
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
do_commit (World *world, const StmPlan *plan, const StmStep *step, GHashTable *doomed,
           guint n_blocks)
{
  WorldFile *upper = world_get_file (world, ((StmImage *) step->chain->pdata[0])->path);
  WorldFile *lower = world_get_file (world, ((StmImage *) step->chain->pdata[1])->path);

  assert_chain (world, step->chain);
  assert_children (world, lower->path, doomed, upper->path, NULL);
  assert_children (world, upper->path, doomed, NULL, step->children);
  assert_no_lasting_tags (plan, lower);
  assert_no_lasting_tags (plan, upper);
  g_assert_cmpuint (upper->capacity, >=, lower->capacity);

  world_do_commit_begin (world, step);
  for (guint i = 0; i < n_blocks; i++)
    if (upper->blocks[i] != WORLD_HOLE)
      {
        lower->blocks[i] = upper->blocks[i];
        world_note_write (lower, i);
      }
  world_do_commit_end (world, step, n_blocks == WORLD_BLOCKS);
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
do_stream (World *world, const StmPlan *plan, const StmStep *step, guint n_blocks)
{
  WorldFile *upper = world_get_file (world, ((StmImage *) step->chain->pdata[0])->path);
  WorldFile *lower = world_get_file (world, ((StmImage *) step->chain->pdata[1])->path);

  assert_chain (world, step->chain);
  g_assert_cmpstr (upper->format, ==, "qcow2");
  assert_no_lasting_tags (plan, lower);
  assert_no_lasting_tags (plan, upper);

  for (guint i = 0; i < n_blocks; i++)
    if (upper->blocks[i] == WORLD_HOLE)
      upper->blocks[i] = lower->blocks[i];
  world_do_stream_end (world, step, n_blocks == WORLD_BLOCKS);
  if (n_blocks < WORLD_BLOCKS)
    return;
  g_free (upper->backing);
  upper->backing = g_strdup (lower->backing);
}

/* No moment counts on it, and the service made it. */
static void
assert_tag_unused (const World *world, const StmPlan *plan, const WorldFile *file,
                   const WorldTag *tag)
{
  const StmTree *tree = stm_model_tree (world->model, plan->domain_id, STM_MOMENT_SNAPSHOT);
  g_autoptr (GPtrArray) moments = tree == NULL ? g_ptr_array_new () : stm_tree_subtree (tree, NULL);

  g_assert_false (g_str_has_prefix (tag->name, WORLD_FOREIGN));
  for (guint i = 0; i < moments->len; i++)
    {
      const StmMoment *moment = moments->pdata[i];

      for (gsize j = 0; j < moment->n_disks; j++)
        g_assert_false (g_strcmp0 (moment->disks[j].frozen, file->path) == 0
                        && g_strcmp0 (moment->disks[j].tag, tag->name) == 0);
    }
}

static void
do_unlink (World *world, const StmPlan *plan, const StmStep *step)
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
  for (guint i = 0; i < file->tags->len; i++)
    assert_tag_unused (world, plan, file, file->tags->pdata[i]);
  world_remove_file (world, step->image->path);
}

static void
do_step (World *world, const StmPlan *plan, const StmStep *step, GHashTable *doomed, guint n_blocks)
{
  switch (step->kind)
    {
    case STM_STEP_BITMAP:
      if (n_blocks == WORLD_BLOCKS)
        world_do_bitmap (world, step);
      break;
    case STM_STEP_UNBITMAP:
      world_do_unbitmap (world, plan, step);
      break;
    case STM_STEP_TAG:
      if (n_blocks == WORLD_BLOCKS)
        do_tag (world, step);
      break;
    case STM_STEP_GOTO:
      do_goto (world, step, doomed);
      break;
    case STM_STEP_UNTAG:
      do_untag (world, step);
      break;
    case STM_STEP_OVERLAY:
      if (n_blocks == WORLD_BLOCKS)
        do_overlay (world, step);
      break;
    case STM_STEP_COMMIT:
      do_commit (world, plan, step, doomed, n_blocks);
      break;
    case STM_STEP_STREAM:
      do_stream (world, plan, step, n_blocks);
      break;
    case STM_STEP_UNLINK:
      if (n_blocks == WORLD_BLOCKS)
        do_unlink (world, plan, step);
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

      if (step->kind >= STM_STEP_UNTAG && !is_finished)
        {
          world_apply (world, plan->finish);
          is_finished = TRUE;
        }
      /* A crash in the middle, and then the whole step again. */
      if (!world->is_calm)
        do_step (world, plan, step, doomed, WORLD_BLOCKS / 2);
      if (watch != NULL)
        watch (world, user_data);
      do_step (world, plan, step, doomed, WORLD_BLOCKS);
      if (watch != NULL)
        watch (world, user_data);
    }
  if (!is_finished)
    world_apply (world, plan->finish);
}

/* As after a crash: whether the step was done or only begun is not known. */
static void
take_back (World *world, const StmStep *step)
{
  WorldFile *file = world_get_file (world, step->image->path);
  WorldTag *tag;

  switch (step->kind)
    {
    case STM_STEP_GOTO:
      if (world_find_tag (file, step->fallback) != NULL)
        bring_to (file, step->fallback);
      break;
    case STM_STEP_TAG:
      tag = world_find_tag (file, step->name);
      if (tag != NULL)
        g_ptr_array_remove (file->tags, tag);
      break;
    case STM_STEP_OVERLAY:
      if (file != NULL)
        world_remove_file (world, step->image->path);
      break;
    default:
      break;
    }
}

void
world_undo (World *world, const StmPlan *plan, guint n_steps)
{
  g_autoptr (GHashTable) doomed = list_doomed (plan);

  world_apply (world, plan->begin);
  for (guint i = 0; i < n_steps; i++)
    do_step (world, plan, plan->steps->pdata[i], doomed, WORLD_BLOCKS);
  for (guint i = plan->steps->len; i > 0; i--)
    take_back (world, plan->steps->pdata[i - 1]);
  world_apply (world, plan->undo);
}

void
world_abandon (World *world, const StmPlan *plan, guint n_merges)
{
  g_autoptr (GHashTable) doomed = list_doomed (plan);
  guint n_done = 0;

  world_apply (world, plan->begin);
  for (guint i = 0; i < plan->steps->len; i++)
    {
      const StmStep *step = plan->steps->pdata[i];

      if (step->kind != STM_STEP_COMMIT && step->kind != STM_STEP_STREAM)
        continue;
      do_step (world, plan, step, doomed, n_done < n_merges ? WORLD_BLOCKS : WORLD_BLOCKS / 2);
      if (n_done++ == n_merges)
        break;
    }

  g_autoptr (StmChange) change = stm_plan_abandon (world->model, plan, n_merges, NULL);
  world_apply (world, change);
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
