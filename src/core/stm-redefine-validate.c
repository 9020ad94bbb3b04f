/* Whether the images bear a document out: asked for with `validate`, on what the survey and the
 * look have seen.
 *
 * Part of StmRedefinition, main loop, pure.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "stemma-error.h"
#include "stm-image-check.h"
#include "stm-redefine-private.h"

typedef struct
{
  const StmRedefinition *redefinition;
  const StmSurvey *survey; /* of what is on record; may be NULL */
} Validation;

static gboolean G_GNUC_PRINTF (4, 5)
    refuse (const StmRedefinedDisk *disk, StemmaError code, GError **error, const char *format, ...)
{
  g_autofree char *why = NULL;
  va_list arguments;

  va_start (arguments, format);
  why = g_strdup_vprintf (format, arguments);
  va_end (arguments);
  g_set_error (error, STEMMA_ERROR, (int) code, "disk '%s': %s", disk->target, why);

  return FALSE;
}

static gboolean
is_on_record (const Validation *self, const char *path)
{
  return stm_model_get_image (self->redefinition->model, self->redefinition->domain->id, path)
         != NULL;
}

/* --- snapshots --- */

static gboolean
check_overlay (const Validation *self, const StmRedefinedDisk *disk, GError **error)
{
  const StmRedefinition *redefinition = self->redefinition;
  const StmImage *overlay = disk->overlay != NULL ? stm_model_get_image (
                                redefinition->model, redefinition->domain->id, disk->overlay)
                                                  : NULL;

  if (overlay == NULL || g_strcmp0 (overlay->backing, disk->frozen) == 0)
    return TRUE;

  return refuse (disk, STEMMA_ERROR_CHAIN_BROKEN, error,
                 "its overlay %s stands on %s, not on %s: name another overlay, or none",
                 overlay->path, overlay->backing != NULL ? overlay->backing : "nothing",
                 disk->frozen);
}

static gboolean
check_tag (const Validation *self, const StmRedefinedDisk *disk, GError **error)
{
  const StmSurvey *survey = is_on_record (self, disk->frozen) ? self->survey
                                                              : self->redefinition->looked_survey;
  const StmFacts *facts = survey != NULL ? stm_survey_get (survey, disk->frozen) : NULL;

  if (facts == NULL)
    return refuse (disk, STEMMA_ERROR_CHAIN_BROKEN, error, "image %s was not looked at: try again",
                   disk->frozen);
  if (facts->problem != NULL)
    {
      g_propagate_prefixed_error (error, g_error_copy (facts->problem),
                                  "disk '%s': ", disk->target);
      return FALSE;
    }
  if (stm_facts_find_tag (facts, disk->tag) != NULL)
    return TRUE;

  return refuse (disk, STEMMA_ERROR_CHAIN_BROKEN, error,
                 "image %s has no internal snapshot named '%s'", disk->frozen, disk->tag);
}

static gboolean
validate_snapshot_disk (const Validation *self, StmRedefinedDisk *disk, GError **error)
{
  const StmRedefinition *redefinition = self->redefinition;

  if (disk->mode == STM_MODE_NONE)
    return TRUE;
  /* Of an internal one the tag tells. */
  if (disk->frozen == NULL || (disk->mode == STM_MODE_EXTERNAL && disk->health != STM_HEALTH_OK))
    return refuse (disk, STEMMA_ERROR_CHAIN_BROKEN, error,
                   "which image holds its state is not known: give the <domain> of then, or an "
                   "overlay that is there");
  if (is_on_record (self, disk->frozen))
    {
      g_autoptr (GPtrArray) chain = stm_model_chain_from (redefinition->model,
                                                          redefinition->domain->id, disk->frozen);

      if (!stm_image_check_chain (chain, self->survey, STM_CHECK_UNCHANGED, error))
        return FALSE;
    }

  if (!(disk->mode == STM_MODE_INTERNAL ? check_tag (self, disk, error)
                                        : check_overlay (self, disk, error)))
    return FALSE;

  disk->health = STM_HEALTH_OK;
  return TRUE;
}

/* --- checkpoints --- */

/* The lowest image down to which all from the active one have the bitmap in order: there it was
 * begun. */
static gboolean
find_home (const Validation *self, StmRedefinedDisk *disk, GError **error)
{
  const StmRedefinition *redefinition = self->redefinition;
  g_autoptr (GPtrArray)
      chain = stm_model_chain (redefinition->model, redefinition->domain->id, disk->target);
  const StmImage *home = NULL;

  for (guint i = 0; i < chain->len; i++)
    {
      const StmImage *image = chain->pdata[i];

      if (!stm_image_check (image, self->survey, STM_CHECK_MEMBER, error))
        return FALSE;

      const StmBitmapFacts *bitmap = stm_facts_find_bitmap (
          stm_survey_get (self->survey, image->path), disk->bitmap);
      if (bitmap == NULL)
        break;
      if (bitmap->is_broken || !bitmap->is_recording)
        return refuse (disk, STEMMA_ERROR_BITMAP_INCONSISTENT, error,
                       "bitmap '%s' in image %s is broken, or does not record: it can only be "
                       "deleted",
                       disk->bitmap, image->path);
      home = image;
    }
  /* The source of a disk is on record, so the chain is not empty. */
  if (home == NULL)
    return refuse (disk, STEMMA_ERROR_BITMAP_MISSING, error, "its image %s has no bitmap '%s'",
                   ((StmImage *) chain->pdata[0])->path, disk->bitmap);

  disk->frozen = home->path;
  disk->format = home->format;
  disk->health = STM_HEALTH_OK;
  return TRUE;
}

/* As in libvirt, a disk that is not there any more is passed over. */
static gboolean
validate_checkpoint_disk (const Validation *self, StmRedefinedDisk *disk, GError **error)
{
  const StmDisk *present = stm_domain_find_disk (self->redefinition->domain, disk->target);

  if (disk->mode == STM_MODE_NONE || present == NULL || present->source == NULL)
    return TRUE;

  return find_home (self, disk, error);
}

gboolean
stm_redefine_validate (const StmRedefinition *self, StmRedefined *redefined,
                       const StmSurvey *survey, GError **error)
{
  const Validation validation = { .redefinition = self, .survey = survey };

  for (guint i = 0; i < redefined->disks->len; i++)
    {
      StmRedefinedDisk *disk = &g_array_index (redefined->disks, StmRedefinedDisk, i);

      if (!(self->kind == STM_MOMENT_SNAPSHOT
                ? validate_snapshot_disk (&validation, disk, error)
                : validate_checkpoint_disk (&validation, disk, error)))
        return FALSE;
    }

  return TRUE;
}
