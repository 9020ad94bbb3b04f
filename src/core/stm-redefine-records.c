/* The images of redefined moments, settled: by the record where there is one, and else put on
 * record as the look has seen them.
 *
 * An image that the service did not make is recorded as backing: it is never written or removed. An
 * image that cannot be read is not recorded, for a record is the authority on what it stands on;
 * the moment keeps its path, and its health says that it cannot be relied on.
 *
 * Part of StmRedefinition, main loop, pure.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "stemma-error.h"
#include "stm-planner-shared.h"
#include "stm-redefine-private.h"

typedef struct
{
  StmRedefinition *redefinition;
  StmChange *change;
  StmDisk *disks;           /* of the domain, with their counters of images */
  GHashTable *other_counts; /* target of no disk of today -> the next index */
  GHashTable *recorded;     /* path -> target, of the images that the change puts on record */
  gboolean is_counted;      /* a counter of `disks` has moved */
} Recorder;

static guint
next_index (Recorder *self, const char *target)
{
  const StmDomain *domain = self->redefinition->domain;
  const StmDisk *disk = stm_domain_find_disk (domain, target);

  if (disk != NULL)
    {
      self->is_counted = TRUE;
      return self->disks[disk - domain->disks].next_index++;
    }

  guint next = GPOINTER_TO_UINT (g_hash_table_lookup (self->other_counts, target));
  if (next == 0)
    {
      g_autoptr (GPtrArray) images = stm_model_images (self->redefinition->model, domain->id);

      next = 1;
      for (guint i = 0; i < images->len; i++)
        {
          const StmImage *image = images->pdata[i];

          if (g_str_equal (image->target, target))
            next = MAX (next, image->index + 1);
        }
    }
  g_hash_table_insert (self->other_counts, (char *) target, GUINT_TO_POINTER (next + 1));

  return next;
}

/* What a machine writes to holds no state that stays, nor does what stands on it; the machine of
 * the snapshot is no exception: it went on in the overlay. */
static gboolean
check_writers (const Recorder *self, const StmRedefinedDisk *disk, const char *path, GError **error)
{
  g_autoptr (GError) problem = NULL;

  if (stm_planner_check_writers (self->redefinition->model, self->redefinition->domain->id,
                                 /* target= */ NULL, path, &problem))
    return TRUE;

  g_set_error (error, problem->domain, problem->code,
               "%s, such as %s%s, with DefineDomain, or give the document the <domain> of then, or "
               "leave it out",
               problem->message,
               disk->overlay != NULL ? "the overlay " : "the overlay that it went on in",
               disk->overlay != NULL ? disk->overlay : "");
  return FALSE;
}

/* The image and those below it as far as they are not on record, and what the lowest stands on. */
static gboolean
record_chain (Recorder *self, const StmRedefinedDisk *disk, const StmImage *image, GError **error)
{
  StmRedefinition *redefinition = self->redefinition;
  const gboolean is_new = stm_redefine_get_record (redefinition, image->path) == NULL;

  while (image != NULL && stm_redefine_get_record (redefinition, image->path) == NULL
         && !g_hash_table_contains (self->recorded, image->path))
    {
      StmLookedImage *below = image->backing != NULL
                                  ? g_hash_table_lookup (redefinition->looked, image->backing)
                                  : NULL;
      StmImage init = *image;

      if (!check_writers (self, disk, image->path, error))
        return FALSE;
      g_hash_table_insert (self->recorded, (char *) image->path, (char *) disk->target);
      init.target = disk->target;
      init.index = next_index (self, disk->target);
      init.origin = STM_IMAGE_BACKING;

      g_autoptr (StmImage) recorded = stm_image_new (&init);
      stm_change_put_image (self->change, recorded);
      image = below != NULL ? below->image : NULL;
    }

  return !is_new || image == NULL || check_writers (self, disk, image->path, error);
}

/* What the look says of the image that holds the state. */
static const StmImage *
find_frozen (const StmRedefinition *self, StmRedefinedDisk *disk)
{
  const StmLookedImage *looked = g_hash_table_lookup (self->looked, disk->unknown);

  disk->health = STM_HEALTH_UNKNOWN;
  if (looked == NULL || looked->image == NULL)
    {
      if (looked != NULL && g_error_matches (looked->error, STEMMA_ERROR, STEMMA_ERROR_NOT_FOUND))
        disk->health = STM_HEALTH_MISSING;
      return NULL;
    }
  if (disk->unknown != disk->overlay)
    return looked->image;
  if (looked->image->backing == NULL)
    return NULL;

  const StmImage *record = stm_redefine_get_record (self, looked->image->backing);
  const StmLookedImage *below = g_hash_table_lookup (self->looked, looked->image->backing);
  return record != NULL ? record : below != NULL ? below->image : NULL;
}

static gboolean
refuse_format (const StmRedefinedDisk *disk, const char *format, GError **error)
{
  g_set_error (error, STEMMA_ERROR, STEMMA_ERROR_CHAIN_BROKEN,
               "image %s of disk '%s' is %s by its record, and %s by the document: correct its "
               "<driver>",
               disk->frozen, disk->target, format, disk->format);
  return FALSE;
}

/* An image of another disk's history, named as this one's, would be counted twice. */
static gboolean
check_target (const StmRedefinedDisk *disk, const char *target, GError **error)
{
  if (target == NULL || g_str_equal (target, disk->target))
    return TRUE;

  g_set_error (error, STEMMA_ERROR, STEMMA_ERROR_IN_USE,
               "image %s of disk '%s' is part of the history of disk '%s'", disk->frozen,
               disk->target, target);
  return FALSE;
}

static gboolean
settle_looked (Recorder *self, StmRedefinedDisk *disk, GError **error)
{
  const StmImage *frozen = find_frozen (self->redefinition, disk);

  if (frozen == NULL)
    return TRUE;
  if (disk->frozen != NULL && !g_str_equal (disk->format, frozen->format))
    return refuse_format (disk, frozen->format, error);
  disk->frozen = frozen->path;
  disk->format = frozen->format;
  /* A header does not say what is internal to the image. */
  disk->health = disk->mode == STM_MODE_INTERNAL ? STM_HEALTH_UNKNOWN : STM_HEALTH_OK;

  return check_target (disk, g_hash_table_lookup (self->recorded, frozen->path), error)
         && record_chain (self, disk, frozen, error);
}

/* Of an image that is on record. The same state in the same place is known as well as it was
 * before; of another one the record is the word, but that it has none on what is internal to an
 * image. Who validates has the images looked at, and goes by that alone. */
static StmHealth
health_by_record (const StmRedefinition *self, const StmRedefined *redefined,
                  const StmRedefinedDisk *disk)
{
  const StmMoment *existing = redefined->existing;
  const StmMomentDisk *recorded = existing != NULL ? stm_moment_find_disk (existing, disk->target)
                                                   : NULL;
  const gboolean is_same = recorded != NULL && recorded->mode == disk->mode
                           && g_strcmp0 (recorded->frozen, disk->frozen) == 0
                           && g_strcmp0 (recorded->tag, disk->tag) == 0;

  /* One that has lost its place in the tree is given one here. */
  if (is_same && !self->validates && existing->health != STM_HEALTH_ORPHAN)
    return existing->health;

  return disk->mode == STM_MODE_INTERNAL ? STM_HEALTH_UNKNOWN : STM_HEALTH_OK;
}

static gboolean
settle_disk (Recorder *self, const StmRedefined *redefined, StmRedefinedDisk *disk, GError **error)
{
  const StmImage *record = NULL;

  if (disk->mode == STM_MODE_NONE || disk->mode == STM_MODE_BITMAP)
    return TRUE;
  if (disk->unknown == NULL && disk->frozen != NULL)
    disk->health = health_by_record (self->redefinition, redefined, disk);
  else if (disk->unknown != NULL && !settle_looked (self, disk, error))
    return FALSE;
  if (disk->mode == STM_MODE_EXTERNAL && disk->frozen != NULL
      && !check_writers (self, disk, disk->frozen, error))
    return FALSE;
  record = stm_redefine_get_record (self->redefinition, disk->frozen);
  if (record != NULL && !g_str_equal (record->format, disk->format))
    return refuse_format (disk, record->format, error);

  return record == NULL || check_target (disk, record->target, error);
}

static gboolean
settle_document (Recorder *self, const StmRedefined *redefined, GError **error)
{
  for (guint i = 0; i < redefined->disks->len; i++)
    if (!settle_disk (self, redefined, stm_redefined_nth_disk (redefined, i), error))
      return stm_redefined_prefix (self->redefinition, redefined, error);

  return TRUE;
}

gboolean
stm_redefine_settle_images (StmRedefinition *self, StmChange *change, GError **error)
{
  const StmDomain *domain = self->domain;
  g_autoptr (GHashTable) recorded = g_hash_table_new (g_str_hash, g_str_equal);
  g_autoptr (GHashTable) other_counts = g_hash_table_new (g_str_hash, g_str_equal);
  g_autofree StmDisk *disks = g_memdup2 (domain->disks, domain->n_disks * sizeof (StmDisk));
  Recorder recorder = {
    .redefinition = self,
    .change = change,
    .disks = disks,
    .other_counts = other_counts,
    .recorded = recorded,
  };

  for (guint i = 0; i < self->documents->len; i++)
    if (!settle_document (&recorder, self->documents->pdata[i], error))
      return FALSE;
  if (recorder.is_counted)
    {
      g_autoptr (StmDomain)
          counted = stm_planner_domain_with_disks (domain, disks, domain->definition);

      stm_change_set_domain (change, counted);
    }

  return TRUE;
}
