/* Compares the record of an image with what the survey saw, for all planners alike.
 *
 * The record is the authority: a header that disagrees is never followed, the operation that needs
 * the image is refused. Looks at no file itself.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "stm-image-check.h"

#include "stemma-error.h"

#define WAY_OUT "Manager.Check tells what differs and what can be done"

static gboolean
check_problem (const StmImage *image, const StmFacts *facts, GError **error)
{
  if (facts->problem == NULL)
    return TRUE;

  if (g_error_matches (facts->problem, STEMMA_ERROR, STEMMA_ERROR_NOT_FOUND))
    {
      g_set_error (error, STEMMA_ERROR, STEMMA_ERROR_CHAIN_BROKEN,
                   "image %s of disk '%s' is missing: put the file back; " WAY_OUT, image->path,
                   image->target);
      return FALSE;
    }
  g_propagate_prefixed_error (error, g_error_copy (facts->problem),
                              "image %s of disk '%s' cannot be relied on: ", image->path,
                              image->target);

  return FALSE;
}

/* The content of a raw image is the guest's, who may make it look like anything. */
static gboolean
check_format (const StmImage *image, const StmFacts *facts, GError **error)
{
  if (g_str_equal (image->format, "raw") || g_strcmp0 (facts->format, image->format) == 0)
    return TRUE;

  g_set_error (error, STEMMA_ERROR, STEMMA_ERROR_CHAIN_BROKEN,
               "image %s of disk '%s' is recorded as %s and looks like %s; " WAY_OUT, image->path,
               image->target, image->format,
               facts->format != NULL ? facts->format : "nothing known");

  return FALSE;
}

static gboolean
check_backing (const StmImage *image, const StmFacts *facts, GError **error)
{
  const char *seen = g_str_equal (image->format, "raw") ? NULL : facts->backing;

  if (g_strcmp0 (image->backing, seen) == 0)
    return TRUE;

  g_set_error (
      error, STEMMA_ERROR, STEMMA_ERROR_CHAIN_BROKEN,
      "image %s of disk '%s' is recorded as standing on %s, but its header names %s; " WAY_OUT,
      image->path, image->target, image->backing != NULL ? image->backing : "nothing",
      seen != NULL ? seen : "nothing");

  return FALSE;
}

static gboolean
check_size (const StmImage *image, const StmFacts *facts, GError **error)
{
  if (image->capacity == facts->capacity)
    return TRUE;

  g_set_error (error, STEMMA_ERROR, STEMMA_ERROR_CHAIN_BROKEN,
               "image %s of disk '%s' must not change and is recorded with %" G_GUINT64_FORMAT
               " bytes, but has %" G_GUINT64_FORMAT " now; " WAY_OUT,
               image->path, image->target, image->capacity, facts->capacity);

  return FALSE;
}

gboolean
stm_image_check_unused (const StmImage *image, const StmSurvey *survey, GError **error)
{
  const StmFacts *facts = stm_survey_get (survey, image->path);

  if (facts == NULL || !facts->is_written)
    return TRUE;

  g_set_error (error, STEMMA_ERROR, STEMMA_ERROR_IN_USE,
               "image %s of disk '%s' is open for writing in another process; end the machine or "
               "program that uses it",
               image->path, image->target);

  return FALSE;
}

gboolean
stm_image_check (const StmImage *image, const StmSurvey *survey, StmImageCheck check,
                 GError **error)
{
  const StmFacts *facts = stm_survey_get (survey, image->path);

  if (facts == NULL)
    {
      g_set_error (error, STEMMA_ERROR, STEMMA_ERROR_FAILED,
                   "image %s of disk '%s' was not looked at: try again", image->path,
                   image->target);
      return FALSE;
    }
  if (!check_problem (image, facts, error) || !stm_image_check_unused (image, survey, error)
      || !check_format (image, facts, error) || !check_backing (image, facts, error))
    return FALSE;

  return check == STM_CHECK_MEMBER || check_size (image, facts, error);
}

/* One file under two names in a chain: what is written to one changes the other. */
static gboolean
check_distinct (const GPtrArray *chain, const StmSurvey *survey, GError **error)
{
  g_autoptr (GHashTable) seen = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);

  for (guint i = 0; i < chain->len; i++)
    {
      const StmImage *image = chain->pdata[i];
      const StmFacts *facts = stm_survey_get (survey, image->path);

      if (facts->inode == 0)
        continue;
      g_autofree char *identity = g_strdup_printf ("%" G_GUINT64_FORMAT ":%" G_GUINT64_FORMAT,
                                                   facts->device, facts->inode);
      const StmImage *other = g_hash_table_lookup (seen, identity);
      if (other != NULL)
        {
          g_set_error (error, STEMMA_ERROR, STEMMA_ERROR_CHAIN_BROKEN,
                       "images %s and %s of disk '%s' are one and the same file; " WAY_OUT,
                       other->path, image->path, image->target);
          return FALSE;
        }
      g_hash_table_insert (seen, g_steal_pointer (&identity), (gpointer) image);
    }

  return TRUE;
}

gboolean
stm_image_check_chain (const GPtrArray *chain, const StmSurvey *survey, StmImageCheck top_check,
                       GError **error)
{
  g_return_val_if_fail (chain->len > 0, FALSE);

  for (guint i = 0; i < chain->len; i++)
    {
      const StmImage *image = chain->pdata[i];
      gboolean is_foreign = image->origin == STM_IMAGE_BACKING;
      StmImageCheck check = i == 0       ? top_check
                            : is_foreign ? STM_CHECK_MEMBER
                                         : STM_CHECK_UNCHANGED;

      if (!stm_image_check (image, survey, check, error))
        return FALSE;
    }

  const StmImage *last = chain->pdata[chain->len - 1];
  if (last->backing != NULL)
    {
      g_set_error (error, STEMMA_ERROR, STEMMA_ERROR_CHAIN_BROKEN,
                   "image %s of disk '%s' stands on %s, of which there is no record; " WAY_OUT,
                   last->path, last->target, last->backing);
      return FALSE;
    }

  return check_distinct (chain, survey, error);
}

gboolean
stm_image_is_missing (const StmImage *image, const StmSurvey *survey)
{
  const StmFacts *facts = stm_survey_get (survey, image->path);

  return facts != NULL && g_error_matches (facts->problem, STEMMA_ERROR, STEMMA_ERROR_NOT_FOUND);
}
