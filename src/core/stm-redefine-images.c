/* The images that redefined moments name: those on record, and those of which only a header can
 * tell what they stand on.
 *
 * An image that the service did not make is recorded as backing: it is never written or removed. An
 * image that cannot be read is not recorded, for a record is the authority on what it stands on;
 * the moment keeps its path, and its health says that it cannot be relied on.
 *
 * Part of StmRedefinition. The look runs on a worker and sees nothing of the model; the rest on the
 * main loop, pure.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "stemma-error.h"
#include "stm-planner-shared.h"
#include "stm-redefine-private.h"

/* Images of one call whose headers are read. */
#define MAX_LOOKS 100000

static StmRedefinedDisk *
nth_disk (const StmRedefined *redefined, guint i)
{
  return &g_array_index (redefined->disks, StmRedefinedDisk, i);
}

static const StmImage *
get_record (const StmRedefinition *self, const char *path)
{
  return path != NULL ? stm_model_get_image (self->model, self->domain->id, path) : NULL;
}

/* --- what must be looked at --- */

/* An overlay on record tells what it stands on. */
static void
ask_overlay (const StmRedefinition *self, StmRedefinedDisk *disk)
{
  const StmImage *overlay = get_record (self, disk->overlay);
  const StmImage *below = overlay != NULL ? get_record (self, overlay->backing) : NULL;

  if (below != NULL)
    {
      disk->frozen = below->path;
      disk->format = below->format;
    }
  else if (overlay == NULL && disk->overlay != NULL)
    {
      disk->unknown = disk->overlay;
      disk->unknown_format = "qcow2";
    }
  else
    disk->health = STM_HEALTH_UNKNOWN;
}

static void
find_unknown (const StmRedefinition *self, StmRedefinedDisk *disk)
{
  if (disk->mode != STM_MODE_EXTERNAL && disk->mode != STM_MODE_INTERNAL)
    return;
  if (disk->frozen == NULL)
    ask_overlay (self, disk);
  else if (get_record (self, disk->frozen) == NULL)
    {
      disk->unknown = disk->frozen;
      disk->unknown_format = disk->format;
    }
}

void
stm_redefine_find_unknown (StmRedefinition *self)
{
  for (guint i = 0; i < self->documents->len; i++)
    {
      const StmRedefined *redefined = self->documents->pdata[i];

      for (guint j = 0; j < redefined->disks->len; j++)
        {
          StmRedefinedDisk *disk = nth_disk (redefined, j);

          find_unknown (self, disk);
          if (disk->unknown != NULL && !g_hash_table_contains (self->unknown, disk->unknown))
            g_hash_table_insert (self->unknown, (char *) disk->unknown, disk);
        }
    }
}

GPtrArray *
stm_redefine_list_images (const StmRedefinition *self)
{
  g_autoptr (GPtrArray) images = g_ptr_array_new_with_free_func ((GDestroyNotify) stm_image_unref);
  g_autoptr (GHashTable) seen = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);

  for (guint i = 0; i < self->documents->len; i++)
    {
      const StmRedefined *redefined = self->documents->pdata[i];

      for (guint j = 0; j < redefined->disks->len; j++)
        {
          const StmRedefinedDisk *disk = nth_disk (redefined, j);
          gboolean is_bitmap = disk->mode == STM_MODE_BITMAP;

          if (!is_bitmap
              && (get_record (self, disk->frozen) == NULL
                  || g_hash_table_contains (seen, disk->frozen)))
            continue;
          g_autoptr (GPtrArray)
              chain = is_bitmap
                          ? stm_model_chain (self->model, self->domain->id, disk->target)
                          : stm_model_chain_from (self->model, self->domain->id, disk->frozen);

          stm_planner_add_images (images, seen, chain);
        }
    }

  return images->len > 0 ? g_steal_pointer (&images) : NULL;
}

/* --- the look --- */

gboolean
stm_redefinition_needs_look (const StmRedefinition *self)
{
  return g_hash_table_size (self->unknown) > 0;
}

static void
keep_looked (StmRedefinition *self, const char *path, const StmImage *image, const GError *problem)
{
  StmLookedImage *looked = g_new0 (StmLookedImage, 1);

  looked->image = image != NULL ? stm_image_ref (image) : NULL;
  looked->error = problem != NULL ? g_error_copy (problem) : NULL;
  g_hash_table_replace (self->looked, g_strdup (path), looked);
}

/* The chain as the document declares it, if it does. */
static GArray *
declare (const StmRedefinedDisk *disk)
{
  GArray *declared = g_array_new (FALSE, TRUE, sizeof (StmDeclaredImage));
  StmDeclaredImage top = { .path = disk->unknown, .format = disk->unknown_format };
  gboolean is_declared = disk->declared != NULL && disk->unknown == disk->frozen;

  g_array_append_val (declared, top);
  for (guint i = 1; is_declared && i < disk->declared->declared->len; i++)
    {
      const StmXmlImage *image = disk->declared->declared->pdata[i];
      StmDeclaredImage item = { .path = image->path, .format = image->format };

      g_array_append_val (declared, item);
    }

  return declared;
}

/* The driver takes the word of who declares an image, wherever a link leads, and lets what it
 * stands on lie beside it; here the rule for all paths holds. */
static gboolean
check_paths (const GPtrArray *chain, gsize n_declared, const StmPathPolicy *policy, GError **error)
{
  for (guint i = 0; i < chain->len; i++)
    if ((i == 0 || i >= n_declared)
        && !stm_path_policy_check (policy, ((StmImage *) chain->pdata[i])->path, error))
      return FALSE;

  return TRUE;
}

static GPtrArray *
walk (const StmRedefinedDisk *disk, StmDriver *driver, const StmPathPolicy *policy,
      GCancellable *cancellable, GError **error)
{
  g_autoptr (GArray) declared = declare (disk);
  gboolean is_declared = disk->declared != NULL && disk->unknown == disk->frozen;
  const StmChainRequest request = {
    .target = disk->target,
    .declared = (gconstpointer) declared->data,
    .n_declared = declared->len,
    .is_complete = is_declared && disk->declared->is_complete,
    .is_block = is_declared && disk->declared->kind == STM_SOURCE_BLOCK,
    .is_read_only = TRUE,
    .policy = policy,
  };

  /* No file is opened before its path is allowed. */
  if (!stm_path_policy_check (policy, disk->unknown, error))
    return NULL;

  g_autoptr (GPtrArray) chain = stm_driver_walk_chain (driver, &request, cancellable, error);
  if (chain == NULL || !check_paths (chain, declared->len, policy, error))
    return NULL;

  return g_steal_pointer (&chain);
}

/* Files may be missing, or not to be read today; no record is made of what DefineDomain would not
 * take in either: an image out of the allowed directories, or a header that leads out of them. */
static gboolean
ends_call (const GError *problem)
{
  return g_error_matches (problem, STEMMA_ERROR, STEMMA_ERROR_CANCELLED)
         || g_error_matches (problem, STEMMA_ERROR, STEMMA_ERROR_NOT_ALLOWED);
}

/* FALSE only when the call has to end. */
static gboolean
look_at (StmRedefinition *self, const StmRedefinedDisk *disk, StmDriver *driver,
         const StmPathPolicy *policy, GCancellable *cancellable, GError **error)
{
  g_autoptr (GError) problem = NULL;
  g_autoptr (GPtrArray) chain = NULL;

  /* An image above it was looked at. */
  if (g_hash_table_contains (self->looked, disk->unknown))
    return TRUE;
  chain = walk (disk, driver, policy, cancellable, &problem);
  if (chain == NULL)
    {
      if (self->validates || ends_call (problem))
        {
          g_propagate_prefixed_error (error, g_steal_pointer (&problem),
                                      "image %s: ", disk->unknown);
          return FALSE;
        }
      keep_looked (self, disk->unknown, NULL, problem);
      return TRUE;
    }
  for (guint i = 0; i < chain->len; i++)
    keep_looked (self, ((StmImage *) chain->pdata[i])->path, chain->pdata[i], NULL);
  /* It may be named by a link. */
  keep_looked (self, disk->unknown, chain->pdata[0], NULL);

  return TRUE;
}

/* What holds internal snapshots must be seen to hold them. */
static gboolean
survey_looked (StmRedefinition *self, StmDriver *driver, const StmPathPolicy *policy,
               GCancellable *cancellable, GError **error)
{
  g_autoptr (GPtrArray) images = g_ptr_array_new ();
  GHashTableIter iter;
  gpointer value;

  g_hash_table_iter_init (&iter, self->unknown);
  while (g_hash_table_iter_next (&iter, NULL, &value))
    {
      const StmRedefinedDisk *disk = value;
      const StmLookedImage *looked = g_hash_table_lookup (self->looked, disk->unknown);

      if (looked != NULL && looked->image != NULL)
        g_ptr_array_add (images, looked->image);
    }

  const StmSurveyRequest request = { .images = (const StmImage *const *) images->pdata,
                                     .n_images = images->len,
                                     .policy = policy };
  g_clear_pointer (&self->looked_survey, stm_survey_unref);
  self->looked_survey = stm_driver_survey (driver, &request, cancellable, error);

  return self->looked_survey != NULL;
}

gboolean
stm_redefinition_look (StmRedefinition *self, StmDriver *driver, const StmPathPolicy *policy,
                       GCancellable *cancellable, GError **error)
{
  GHashTableIter iter;
  gpointer disk;

  if (g_hash_table_size (self->unknown) > MAX_LOOKS)
    {
      g_set_error (error, STEMMA_ERROR, STEMMA_ERROR_TOO_MANY,
                   "the documents name %u images that are not on record, over the limit of %d: "
                   "redefine them in several calls, parents first",
                   g_hash_table_size (self->unknown), MAX_LOOKS);
      return FALSE;
    }
  g_hash_table_remove_all (self->looked);
  g_hash_table_iter_init (&iter, self->unknown);
  while (g_hash_table_iter_next (&iter, NULL, &disk))
    if (!look_at (self, disk, driver, policy, cancellable, error))
      return FALSE;

  return !self->validates || survey_looked (self, driver, policy, cancellable, error);
}

/* --- the record --- */

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
  const gboolean is_new = get_record (redefinition, image->path) == NULL;

  while (image != NULL && get_record (redefinition, image->path) == NULL
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

  const StmImage *record = get_record (self, looked->image->backing);
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
  disk->health = STM_HEALTH_OK;

  return check_target (disk, g_hash_table_lookup (self->recorded, frozen->path), error)
         && record_chain (self, disk, frozen, error);
}

static gboolean
settle_disk (Recorder *self, StmRedefinedDisk *disk, GError **error)
{
  const StmImage *record = NULL;

  if (disk->mode == STM_MODE_NONE || disk->mode == STM_MODE_BITMAP)
    return TRUE;
  if (disk->unknown != NULL && !settle_looked (self, disk, error))
    return FALSE;
  if (disk->mode == STM_MODE_EXTERNAL && disk->frozen != NULL
      && !check_writers (self, disk, disk->frozen, error))
    return FALSE;
  record = get_record (self->redefinition, disk->frozen);
  if (record != NULL && !g_str_equal (record->format, disk->format))
    return refuse_format (disk, record->format, error);

  return record == NULL || check_target (disk, record->target, error);
}

static gboolean
settle_document (Recorder *self, const StmRedefined *redefined, GError **error)
{
  for (guint i = 0; i < redefined->disks->len; i++)
    if (!settle_disk (self, nth_disk (redefined, i), error))
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
