/* The files, domains and checks of image-world.h.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "image-world.h"

#include "stemma-error.h"

#include <string.h>

static void
tag_free (gpointer data)
{
  WorldTag *tag = data;

  g_free (tag->id);
  g_free (tag->name);
  g_free (tag);
}

static void
bitmap_free (gpointer data)
{
  WorldBitmap *bitmap = data;

  g_free (bitmap->name);
  g_free (bitmap);
}

static void
file_free (gpointer data)
{
  WorldFile *file = data;

  g_ptr_array_unref (file->tags);
  g_ptr_array_unref (file->bitmaps);
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
  file->tags = g_ptr_array_new_with_free_func (tag_free);
  file->bitmaps = g_ptr_array_new_with_free_func (bitmap_free);
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
world_add_tag (WorldFile *file, const char *name)
{
  WorldTag *tag = g_new0 (WorldTag, 1);

  g_assert_null (world_find_tag (file, name));
  tag->id = g_strdup_printf ("%u", ++file->n_tags_made);
  tag->name = g_strdup (name);
  tag->capacity = file->capacity;
  memcpy (tag->blocks, file->blocks, sizeof tag->blocks);
  g_ptr_array_add (file->tags, tag);
}

WorldTag *
world_find_tag (const WorldFile *file, const char *name)
{
  for (guint i = 0; i < file->tags->len; i++)
    {
      WorldTag *tag = file->tags->pdata[i];

      if (g_str_equal (tag->name, name))
        return tag;
    }

  return NULL;
}

void
world_read_tag (const World *world, const char *path, const char *name, int *out_blocks)
{
  const WorldFile *file = world_get_file (world, path);
  const WorldTag *tag = file == NULL ? NULL : world_find_tag (file, name);
  int below[WORLD_BLOCKS] = { 0 };

  g_assert_nonnull (tag);
  if (file->backing != NULL)
    world_read (world, file->backing, below);
  for (guint i = 0; i < WORLD_BLOCKS; i++)
    out_blocks[i] = tag->blocks[i] == WORLD_HOLE ? below[i] : tag->blocks[i];
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

GStrv
world_list_children (const World *world, const char *path)
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
  facts->children = world_list_children (world, path);
  facts->format = g_strdup (file->format);
  facts->backing = g_strdup (file->backing);
  facts->capacity = file->capacity;
  facts->allocation = count_data (file);
  facts->data_bytes = g_str_equal (file->format, "raw") ? STM_BYTES_UNKNOWN : count_data (file);
  facts->is_written = file->is_written;
  for (guint i = 0; i < file->tags->len; i++)
    {
      const WorldTag *tag = file->tags->pdata[i];
      gboolean is_present = tag->capacity == file->capacity
                            && memcmp (tag->blocks, file->blocks, sizeof tag->blocks) == 0;

      stm_facts_add_tag (facts, &(StmTagFacts){ .id = tag->id,
                                                .name = tag->name,
                                                .capacity = tag->capacity,
                                                .is_present = is_present });
    }
  for (guint i = 0; i < file->bitmaps->len; i++)
    {
      const WorldBitmap *bitmap = file->bitmaps->pdata[i];

      stm_facts_add_bitmap (facts, &(StmBitmapFacts){ .name = bitmap->name,
                                                      .granularity = WORLD_BLOCK_SIZE,
                                                      .is_recording = bitmap->is_recording,
                                                      .is_broken = bitmap->is_broken });
    }
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

char *
world_new_id (World *world)
{
  return g_strdup_printf ("%032x", ++world->n_ids);
}

void
world_define (World *world, const char *name, const char *const *targets)
{
  g_autofree char *id = world_new_id (world);
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
                                                               .disks = (gconstpointer) disks->data,
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
  WorldFile *file = world_get_file (world, world_disk (world, name, target)->source);

  file->blocks[block] = value;
  world_note_write (file, block);
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

void
world_assert_header (const WorldFile *file, const StmImage *image)
{
  g_assert_nonnull (file);
  g_assert_cmpstr (file->format, ==, image->format);
  g_assert_cmpstr (file->backing, ==, image->backing);
}

static void
check_images (const World *world, const char *id)
{
  g_autoptr (GPtrArray) images = stm_model_images (world->model, id);

  for (guint i = 0; i < images->len; i++)
    {
      const StmImage *image = images->pdata[i];
      const WorldFile *file = world_get_file (world, image->path);

      world_assert_header (file, image);
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
          if (disk->mode == STM_MODE_INTERNAL && moment->state == STM_STATE_SHUTOFF)
            g_assert_nonnull (world_find_tag (world_get_file (world, disk->frozen), disk->tag));
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
