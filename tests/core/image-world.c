/* The files and steps of image-world.h.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "image-world.h"

#include "stemma-error.h"

static void
file_free (gpointer data)
{
  WorldFile *file = data;

  g_free (file->path);
  g_free (file->format);
  g_free (file->backing);
  g_free (file);
}

World *
world_new (void)
{
  World *world = g_new0 (World, 1);

  world->model = stm_model_new ();
  world->files = g_hash_table_new_full (g_str_hash, g_str_equal, NULL, file_free);
  world->free_bytes = G_GUINT64_CONSTANT (1) << 40;
  world->now = 1700000000;

  return world;
}

void
world_free (World *world)
{
  stm_model_free (world->model);
  g_hash_table_unref (world->files);
  g_free (world);
}

/* --- files --- */

WorldFile *
world_add_file (World *world, const char *path, const char *format, const char *backing)
{
  WorldFile *file = g_new0 (WorldFile, 1);

  g_assert_null (g_hash_table_lookup (world->files, path));
  file->path = g_strdup (path);
  file->format = g_strdup (format);
  file->backing = g_strdup (backing);
  file->capacity = WORLD_CAPACITY;
  file->file_system = 1;
  file->inode = ++world->n_inodes;
  file->problem = -1;
  for (guint i = 0; i < WORLD_BLOCKS; i++)
    file->blocks[i] = WORLD_HOLE;
  g_hash_table_insert (world->files, file->path, file);

  return file;
}

WorldFile *
world_get_file (const World *world, const char *path)
{
  return g_hash_table_lookup (world->files, path);
}

void
world_remove_file (World *world, const char *path)
{
  g_assert_true (g_hash_table_remove (world->files, path));
}

void
world_read (const World *world, const char *path, int *out_blocks)
{
  for (guint i = 0; i < WORLD_BLOCKS; i++)
    {
      const WorldFile *file = world_get_file (world, path);
      guint n = 0;

      g_assert_nonnull (file);
      while (file != NULL && file->blocks[i] == WORLD_HOLE)
        {
          const WorldFile *below = file->backing == NULL ? NULL
                                                         : world_get_file (world, file->backing);

          g_assert_true (file->backing == NULL || below != NULL);
          g_assert_cmpuint (n++, <, 1000);
          file = below;
        }
      out_blocks[i] = file == NULL ? 0 : file->blocks[i];
    }
}

static guint64
count_data (const WorldFile *file)
{
  guint64 bytes = 0;

  for (guint i = 0; i < WORLD_BLOCKS; i++)
    bytes += file->blocks[i] == WORLD_HOLE ? 0 : WORLD_BLOCK_SIZE;

  return bytes;
}

static GStrv
list_children (const World *world, const char *path)
{
  g_autoptr (GPtrArray) children = g_ptr_array_new ();
  GHashTableIter iter;
  gpointer value;

  g_hash_table_iter_init (&iter, world->files);
  while (g_hash_table_iter_next (&iter, NULL, &value))
    {
      const WorldFile *file = value;

      if (g_strcmp0 (file->backing, path) == 0)
        g_ptr_array_add (children, g_strdup (file->path));
    }
  g_ptr_array_add (children, NULL);

  return (GStrv) g_ptr_array_free (g_steal_pointer (&children), FALSE);
}

static StmFacts *
look_at (const World *world, const char *path)
{
  StmFacts *facts = stm_facts_new (path);
  const WorldFile *file = world_get_file (world, path);

  if (file == NULL || file->problem >= 0)
    {
      facts->problem = g_error_new (STEMMA_ERROR,
                                    file == NULL ? STEMMA_ERROR_NOT_FOUND : file->problem,
                                    "%s cannot be read", path);
      return facts;
    }
  g_strfreev (facts->children);
  facts->children = list_children (world, path);
  facts->format = g_strdup (file->format);
  facts->backing = g_strdup (file->backing);
  facts->capacity = file->capacity;
  facts->allocation = count_data (file);
  facts->data_bytes = g_str_equal (file->format, "raw") ? STM_BYTES_UNKNOWN : count_data (file);
  facts->n_tags = file->n_tags;
  facts->n_bitmaps = file->n_bitmaps;
  facts->free_bytes = world->free_bytes;
  facts->file_system = file->file_system;
  facts->device = 1;
  facts->inode = file->inode;

  return facts;
}

StmSurvey *
world_survey (const World *world, const GPtrArray *images)
{
  StmSurvey *survey = stm_survey_new ();
  GHashTableIter iter;
  gpointer path;

  for (guint i = 0; i < images->len; i++)
    stm_survey_take_facts (survey, look_at (world, ((StmImage *) images->pdata[i])->path));
  g_hash_table_iter_init (&iter, world->files);
  while (g_hash_table_iter_next (&iter, &path, NULL))
    stm_survey_add_name (survey, path);

  return survey;
}

/* --- domains --- */

void
world_apply (World *world, const StmChange *change)
{
  g_autoptr (GError) error = NULL;

  if (stm_change_is_empty (change))
    return;
  stm_model_check (world->model, change, &error);
  g_assert_no_error (error);
  stm_model_apply (world->model, change);
}

static char *
new_id (World *world)
{
  return g_strdup_printf ("%032x", ++world->n_ids);
}

void
world_define (World *world, const char *name, const char *const *targets)
{
  g_autofree char *id = new_id (world);
  g_autoptr (StmChange) change = stm_change_new (id);
  g_autoptr (GArray) disks = g_array_new (FALSE, FALSE, sizeof (StmDisk));
  g_autoptr (GPtrArray) paths = g_ptr_array_new_with_free_func (g_free);
  const char *const roots[] = { "/i", NULL };

  for (guint i = 0; targets[i] != NULL; i++)
    {
      char *path = g_strdup_printf ("/i/%s-%s.qcow2", name, targets[i]);
      StmDisk disk = { .target = targets[i],
                       .kind = STM_SOURCE_FILE,
                       .source = path,
                       .format = "qcow2",
                       .next_index = 2 };
      g_autoptr (StmImage) image = stm_image_new (&(StmImage){ .path = path,
                                                               .target = targets[i],
                                                               .index = 1,
                                                               .format = "qcow2",
                                                               .origin = STM_IMAGE_DISK,
                                                               .capacity = WORLD_CAPACITY });

      world_add_file (world, path, "qcow2", NULL);
      stm_change_put_image (change, image);
      g_array_append_val (disks, disk);
      g_ptr_array_add (paths, path);
    }
  g_autoptr (StmDomain) domain = stm_domain_new (&(StmDomain){ .id = id,
                                                               .name = name,
                                                               .title = "",
                                                               .description = "",
                                                               .definition = "d1",
                                                               .disks = (StmDisk *) disks->data,
                                                               .n_disks = disks->len,
                                                               .roots = roots });
  change->definition_text = g_strdup ("<domain/>");
  stm_change_set_domain (change, domain);
  world_apply (world, change);
}

const StmDomain *
world_domain (const World *world, const char *name)
{
  const StmDomain *domain = stm_model_find_domain (world->model, name);

  g_assert_nonnull (domain);
  return domain;
}

const StmDisk *
world_disk (const World *world, const char *name, const char *target)
{
  const StmDisk *disk = stm_domain_find_disk (world_domain (world, name), target);

  g_assert_nonnull (disk);
  return disk;
}

void
world_set_disk (World *world, const char *name, const StmDisk *disk)
{
  const StmDomain *domain = world_domain (world, name);
  g_autoptr (StmChange) change = stm_change_new (domain->id);
  g_autofree StmDisk *disks = g_memdup2 (domain->disks, domain->n_disks * sizeof (StmDisk));
  StmDomain init = *domain;

  for (gsize i = 0; i < domain->n_disks; i++)
    if (g_str_equal (disks[i].target, disk->target))
      disks[i] = *disk;
  init.disks = disks;
  g_autoptr (StmDomain) changed = stm_domain_new (&init);
  stm_change_set_domain (change, changed);
  world_apply (world, change);
}

const StmImage *
world_image (const World *world, const char *domain, const char *path)
{
  return stm_model_get_image (world->model, world_domain (world, domain)->id, path);
}

void
world_put_image (World *world, const char *name, const StmImage *image)
{
  g_autoptr (StmChange) change = stm_change_new (world_domain (world, name)->id);
  g_autoptr (StmImage) copy = stm_image_new (image);

  stm_change_put_image (change, copy);
  world_apply (world, change);
}

void
world_write (World *world, const char *name, const char *target, int block, int value)
{
  world_get_file (world, world_disk (world, name, target)->source)->blocks[block] = value;
}

const StmTree *
world_tree (const World *world, const char *domain)
{
  return stm_model_tree (world->model, world_domain (world, domain)->id, STM_MOMENT_SNAPSHOT);
}

const StmMoment *
world_moment (const World *world, const char *domain, const char *name)
{
  const StmMoment *moment = stm_tree_find (world_tree (world, domain), name);

  g_assert_nonnull (moment);
  return moment;
}

void
world_put_moment (World *world, const char *domain, const StmMoment *moment)
{
  g_autoptr (StmChange) change = stm_change_new (world_domain (world, domain)->id);

  stm_change_put_moment (change, moment);
  world_apply (world, change);
}

/* --- plans --- */

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
  Ids ids = { .plan_id = new_id (world), .moment_id = new_id (world) };

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

/* --- steps --- */

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
assert_header (const WorldFile *file, const StmImage *image)
{
  g_assert_nonnull (file);
  g_assert_cmpstr (file->format, ==, image->format);
  g_assert_cmpstr (file->backing, ==, image->backing);
}

static void
assert_chain (const World *world, const GPtrArray *chain)
{
  for (guint i = 0; i < chain->len; i++)
    {
      const StmImage *image = chain->pdata[i];

      assert_header (world_get_file (world, image->path), image);
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
  g_auto (GStrv) children = list_children (world, path);

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

      assert_header (child, image);
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
  g_auto (GStrv) children = list_children (world, step->image->path);

  g_assert_cmpuint (users->len, ==, 0);
  g_assert_null (children[0]);
  g_assert_cmpint (step->image->origin, ==, STM_IMAGE_MADE);
  if (file == NULL)
    return;
  assert_header (file, step->image);
  g_assert_cmpuint (file->n_tags, ==, 0);
  world_remove_file (world, step->image->path);
}

static void
do_step (World *world, const StmStep *step, GHashTable *doomed, guint n_blocks)
{
  switch (step->kind)
    {
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
  g_autoptr (StmPlan) plan = through_variant (original);
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

/* --- checks --- */

static void
check_images (const World *world, const char *id)
{
  g_autoptr (GPtrArray) images = stm_model_images (world->model, id);

  for (guint i = 0; i < images->len; i++)
    {
      const StmImage *image = images->pdata[i];
      const WorldFile *file = world_get_file (world, image->path);

      assert_header (file, image);
      g_assert_cmpuint (file->capacity, ==, image->capacity);
    }
}

static void
check_moments (const World *world, const char *id)
{
  const StmTree *tree = stm_model_tree (world->model, id, STM_MOMENT_SNAPSHOT);
  g_autoptr (GPtrArray) moments = stm_tree_subtree (tree, NULL);

  for (guint i = 0; i < moments->len; i++)
    {
      const StmMoment *moment = moments->pdata[i];

      for (gsize j = 0; j < moment->n_disks; j++)
        {
          const StmMomentDisk *disk = &moment->disks[j];
          const StmImage *frozen = disk->frozen == NULL
                                       ? NULL
                                       : stm_model_get_image (world->model, id, disk->frozen);
          const StmImage *overlay = disk->overlay == NULL
                                        ? NULL
                                        : stm_model_get_image (world->model, id, disk->overlay);

          g_assert_true (disk->frozen == NULL || frozen != NULL);
          g_assert_true (frozen == NULL || g_strcmp0 (frozen->format, disk->format) == 0);
          g_assert_true (disk->overlay == NULL || overlay != NULL);
          g_assert_true (overlay == NULL || g_strcmp0 (overlay->backing, disk->frozen) == 0);
        }
    }
}

void
world_check (const World *world)
{
  g_autoptr (GPtrArray) ids = stm_model_domain_ids (world->model);

  for (guint i = 0; i < ids->len; i++)
    {
      const StmDomain *domain = stm_model_get_domain (world->model, ids->pdata[i]);

      check_images (world, domain->id);
      check_moments (world, domain->id);
      for (gsize j = 0; j < domain->n_disks; j++)
        {
          const StmDisk *disk = &domain->disks[j];

          if (disk->source != NULL)
            g_assert_cmpstr (world_get_file (world, disk->source)->format, ==, disk->format);
        }
    }
}
