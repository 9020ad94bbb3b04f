/* Surveys image files: what their headers and the file system say.
 *
 * Called on workers. Each image is opened and read on its own, so that what is wrong with one is in
 * its facts and spoils nothing of the others; each directory is scanned once for all of them.
 * Changes nothing.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "stm-image-survey.h"

#include "stm-image-file.h"
#include "stm-image-lock.h"
#include "stm-image-place.h"
#include "stm-image-scan.h"
#include "stm-qcow2-marks.h"
#include "stm-qcow2-tables.h"

#include "stemma-error.h"

#include <errno.h>
#include <string.h>
#include <sys/statvfs.h>

/* As st_blocks counts, whatever the file system's own blocks are. */
#define BLOCK_SIZE 512

/* --- one image -------------------------------------------------------------------------------- */

static gboolean
read_file (StmFacts *facts, int fd, GError **error)
{
  struct stat found;
  struct statvfs system;

  if (fstat (fd, &found) != 0 || fstatvfs (fd, &system) != 0)
    {
      stm_image_place_set_error (error, errno, "looking at image %s", facts->path);
      return FALSE;
    }

  StmFileIdentity identity = stm_file_identity (&found);

  facts->device = identity.device;
  facts->inode = identity.inode;
  facts->file_system = identity.device;
  if (S_ISREG (found.st_mode))
    {
      facts->allocation = (guint64) found.st_blocks * BLOCK_SIZE;
      facts->free_bytes = (guint64) system.f_bavail * system.f_frsize;
      return TRUE;
    }

  /* A device takes all that it has, and what is free beside its node says nothing. */
  return stm_image_file_get_length (fd, facts->path, &facts->allocation, error);
}

static gboolean
read_qcow2 (StmFacts *facts, int fd, GCancellable *cancellable, GError **error)
{
  g_autoptr (StmQcow2Header) header = stm_qcow2_header_read (fd, facts->path, error);

  if (header == NULL)
    return FALSE;
  facts->capacity = header->capacity;
  facts->backing_format = g_strdup (header->backing_format);
  if (header->backing != NULL)
    {
      facts->backing = stm_image_file_resolve (facts->path, header->backing, error);
      if (facts->backing == NULL)
        {
          g_prefix_error (error,
                          "image %s names a backing image that cannot be used: ", facts->path);
          return FALSE;
        }
    }

  return stm_qcow2_header_check_usable (header, facts->path, error)
         && stm_qcow2_marks_read (fd, header, facts, cancellable, error)
         && stm_qcow2_tables_count (fd, header, facts->path, cancellable, &facts->data_bytes,
                                    error);
}

static gboolean
read_content (StmFacts *facts, const StmImage *image, int fd, GCancellable *cancellable,
              GError **error)
{
  gboolean has_magic = FALSE;

  if (!stm_qcow2_has_magic (fd, facts->path, &has_magic, error))
    return FALSE;
  facts->format = g_strdup (has_magic ? "qcow2" : "raw");
  /* What a raw image holds is the guest's, who can make it look like anything. */
  if (has_magic && strcmp (image->format, "raw") != 0)
    return read_qcow2 (facts, fd, cancellable, error);

  return stm_image_file_get_size (fd, facts->path, &facts->capacity, error);
}

static StmFacts *
read_facts (const StmImage *image, const StmPathPolicy *policy, GCancellable *cancellable)
{
  g_autoptr (StmFacts) facts = stm_facts_new (image->path);
  g_auto (StmOwnedFd)
      fd = stm_image_file_open (policy, image->path, STM_IMAGE_READ, &facts->problem);

  /* Looked for first: a writer that ends meanwhile has flushed by the time that this reads on. */
  facts->is_written = fd >= 0 && !stm_image_lock_check (fd, image->path, STM_IMAGE_READ, NULL);
  if (fd >= 0 && read_file (facts, fd, &facts->problem))
    (void) read_content (facts, image, fd, cancellable, &facts->problem);

  return g_steal_pointer (&facts);
}

/* --- directories ------------------------------------------------------------------------------ */

typedef struct
{
  StmSurvey *survey;
  const StmSurveyRequest *request;
  GCancellable *cancellable;
  GPtrArray *facts;       /* StmFacts, the survey's; each path once */
  StmScanTarget *targets; /* one for each of the facts */
  GPtrArray *arrays;      /* the children of each */
} Work;

static void
work_clear (Work *work)
{
  g_clear_pointer (&work->facts, g_ptr_array_unref);
  g_clear_pointer (&work->targets, g_free);
  g_clear_pointer (&work->arrays, g_ptr_array_unref);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Work, work_clear)

static gboolean
look_at_images (Work *work, GError **error)
{
  for (gsize i = 0; i < work->request->n_images; i++)
    {
      const StmImage *image = work->request->images[i];

      if (stm_survey_get (work->survey, image->path) != NULL)
        continue;

      StmFacts *facts = read_facts (image, work->request->policy, work->cancellable);

      g_ptr_array_add (work->facts, facts);
      stm_survey_take_facts (work->survey, facts);
      if (g_cancellable_is_cancelled (work->cancellable))
        {
          g_set_error_literal (error, STEMMA_ERROR, STEMMA_ERROR_CANCELLED,
                               "looking at images: the operation was cancelled");
          return FALSE;
        }
    }

  return TRUE;
}

static void
make_targets (Work *work)
{
  work->targets = g_new0 (StmScanTarget, work->facts->len);
  for (guint i = 0; i < work->facts->len; i++)
    {
      const StmFacts *facts = g_ptr_array_index (work->facts, i);
      StmScanTarget target = { .path = facts->path,
                               .device = facts->device,
                               .inode = facts->inode,
                               .children = g_ptr_array_new_with_free_func (g_free) };

      g_ptr_array_add (work->arrays, target.children);
      work->targets[i] = target;
    }
}

static gboolean
is_in_directory (const char *path, const char *directory)
{
  g_autofree char *own = g_path_get_dirname (path);

  return strcmp (own, directory) == 0;
}

/* Who stands on the images of a directory that cannot be scanned is unknown: they are not to be
 * relied on. */
static void
blame_directory (Work *work, const char *directory, const GError *problem)
{
  for (guint i = 0; i < work->facts->len; i++)
    {
      StmFacts *facts = g_ptr_array_index (work->facts, i);

      if (facts->problem == NULL && is_in_directory (facts->path, directory))
        facts->problem = g_error_copy (problem);
    }
}

static gboolean
scan_directory (Work *work, const char *directory, const char *path, GError **error)
{
  g_autoptr (GPtrArray) names = g_ptr_array_new_with_free_func (g_free);
  g_autoptr (GError) problem = NULL;

  if (stm_image_scan_directory (work->request->policy, path, work->targets, work->facts->len, names,
                                work->cancellable, &problem))
    {
      for (guint i = 0; i < names->len; i++)
        stm_survey_add_name (work->survey, g_ptr_array_index (names, i));
      return TRUE;
    }
  if (g_error_matches (problem, STEMMA_ERROR, STEMMA_ERROR_CANCELLED))
    {
      g_propagate_error (error, g_steal_pointer (&problem));
      return FALSE;
    }
  blame_directory (work, directory, problem);

  return TRUE;
}

static gboolean
scan_directories (Work *work, GError **error)
{
  g_autoptr (GHashTable) seen = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);

  for (guint i = 0; i < work->facts->len; i++)
    {
      const StmFacts *facts = g_ptr_array_index (work->facts, i);
      char *directory = g_path_get_dirname (facts->path);

      if (g_hash_table_add (seen, directory)
          && !scan_directory (work, directory, facts->path, error))
        return FALSE;
    }

  return TRUE;
}

static void
hand_over_children (Work *work)
{
  for (guint i = 0; i < work->facts->len; i++)
    {
      StmFacts *facts = g_ptr_array_index (work->facts, i);
      GPtrArray *children = g_ptr_array_index (work->arrays, i);
      g_autoptr (GStrvBuilder) builder = g_strv_builder_new ();

      for (guint k = 0; k < children->len; k++)
        g_strv_builder_add (builder, g_ptr_array_index (children, k));
      g_strfreev (facts->children);
      facts->children = g_strv_builder_end (builder);
    }
}

StmSurvey *
stm_image_survey (const StmSurveyRequest *request, GCancellable *cancellable, GError **error)
{
  g_return_val_if_fail (request != NULL && request->policy != NULL, NULL);

  g_autoptr (StmSurvey) survey = stm_survey_new ();
  g_auto (Work)
      work = { .survey = survey,
               .request = request,
               .cancellable = cancellable,
               .facts = g_ptr_array_new (),
               .arrays = g_ptr_array_new_with_free_func ((GDestroyNotify) g_ptr_array_unref) };

  if (!look_at_images (&work, error))
    return NULL;
  if (request->scans_directories)
    {
      make_targets (&work);
      if (!scan_directories (&work, error))
        return NULL;
      hand_over_children (&work);
    }

  return g_steal_pointer (&survey);
}
