/* The images that redefined moments name: which of them only a header can tell of, and what the
 * headers say.
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
/* Images out of the allowed directories that the documents of one call declare. Each walk of a
 * chain goes by all of them. */
#define MAX_APPROVED 10000

/* The look of one call. */
typedef struct
{
  StmRedefinition *redefinition;
  StmDriver *driver;
  const StmPathPolicy *given;  /* by the directories and the record */
  GHashTable *approved;        /* paths that the documents declare besides */
  const StmPathPolicy *policy; /* both: for what headers name */
  GCancellable *cancellable;
} Look;

/* --- what the documents name --- */

/* A disk goes by its target, or by the path of its image. */
static void
list_written (StmRedefinition *self, const StmModel *model, const char *domain_id,
              const StmMomentDocument *document)
{
  for (guint i = 0; document->disks != NULL && i < document->disks->len; i++)
    {
      const StmDocumentDisk *disk = document->disks->pdata[i];

      stm_spellings_add (self->spellings, model, domain_id, disk->file);
      if (*disk->name == '/')
        stm_spellings_add (self->spellings, model, domain_id, disk->name);
    }
}

/* A read-only disk holds no state of a snapshot: nobody waits for where its medium is, such as a
 * server that does not answer. */
static void
list_defined (StmRedefinition *self, const StmModel *model, const char *domain_id,
              const StmDomainXml *view)
{
  for (guint i = 0; i < view->disks->len; i++)
    {
      const StmXmlDisk *disk = view->disks->pdata[i];

      for (guint j = 0; !disk->is_read_only && j < disk->declared->len; j++)
        stm_spellings_add (self->spellings, model, domain_id,
                           ((StmXmlImage *) disk->declared->pdata[j])->path);
    }
}

StmSpellings *
stm_redefinition_list_paths (StmRedefinition *self, const StmModel *model, const char *domain_id)
{
  g_autoptr (GHashTable) seen = g_hash_table_new (NULL, NULL);

  for (guint i = 0; i < self->documents->len; i++)
    {
      const StmRedefined *redefined = self->documents->pdata[i];
      const StmNestedDomain *nested = redefined->document->domain;

      list_written (self, model, domain_id, redefined->document);
      /* Documents share their definitions. */
      if (nested != NULL && nested->view != NULL
          && g_hash_table_add (seen, (gpointer) nested->view))
        list_defined (self, model, domain_id, nested->view);
    }

  return self->spellings;
}

/* --- what must be looked at --- */

/* An overlay on record tells what it stands on. */
static void
ask_overlay (const StmRedefinition *self, StmRedefinedDisk *disk)
{
  const StmImage *overlay = stm_redefine_get_record (self, disk->overlay);
  const StmImage *below = overlay != NULL ? stm_redefine_get_record (self, overlay->backing) : NULL;

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
  else if (stm_redefine_get_record (self, disk->frozen) == NULL)
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
          StmRedefinedDisk *disk = stm_redefined_nth_disk (redefined, j);

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
          const StmRedefinedDisk *disk = stm_redefined_nth_disk (redefined, j);
          gboolean is_bitmap = disk->mode == STM_MODE_BITMAP;

          if (!is_bitmap
              && (stm_redefine_get_record (self, disk->frozen) == NULL
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

/* --- what the documents approve --- */

/* The definition of the document is the word on what its disk stands on; that the disk itself may
 * be read is not for it to say. */
static gboolean
is_declared (const StmRedefinedDisk *disk)
{
  return disk->declared != NULL && disk->unknown == disk->frozen;
}

static gboolean
approve (Look *self, const char *path, GError **error)
{
  if (g_hash_table_contains (self->approved, path)
      || stm_path_policy_check (self->given, path, NULL))
    return TRUE;
  g_hash_table_add (self->approved, g_strdup (path));
  if (g_hash_table_size (self->approved) <= MAX_APPROVED)
    return TRUE;

  g_set_error (error, STEMMA_ERROR, STEMMA_ERROR_TOO_MANY,
               "the documents declare more than %d images outside the directories of the approved "
               "disks: redefine them in several calls, parents first",
               MAX_APPROVED);
  return FALSE;
}

static gboolean
approve_declared (Look *self, const StmRedefinedDisk *disk, GError **error)
{
  const GPtrArray *images = disk->declared->declared;

  for (guint i = 1; i < images->len; i++)
    {
      const char *path = ((StmXmlImage *) images->pdata[i])->path;

      /* The word holds for the file, by whichever link it was given. */
      if (!approve (self, path, error)
          || !approve (self, stm_spellings_get_real (self->redefinition->spellings, path), error))
        return FALSE;
    }

  return TRUE;
}

/* Who asks has the same word over all documents of a call: what one declares, the headers of others
 * may name, as when each came in a call of its own and found the images of the former on record. */
static gboolean
approve_all (Look *self, GError **error)
{
  const GPtrArray *documents = self->redefinition->documents;
  g_autoptr (GHashTable) seen = g_hash_table_new (NULL, NULL);

  for (guint i = 0; i < documents->len; i++)
    {
      const StmRedefined *redefined = documents->pdata[i];

      for (guint j = 0; j < redefined->disks->len; j++)
        {
          const StmRedefinedDisk *disk = stm_redefined_nth_disk (redefined, j);

          /* Documents share their definitions. */
          if (disk->unknown != NULL && is_declared (disk)
              && g_hash_table_add (seen, (gpointer) disk->declared)
              && !approve_declared (self, disk, error))
            return FALSE;
        }
    }

  return TRUE;
}

static StmPathPolicy *
make_policy (const Look *self)
{
  g_autoptr (GPtrArray) exact = g_ptr_array_new ();
  GHashTableIter iter;
  gpointer path;

  for (const char *const *given = self->given->exact; *given != NULL; given++)
    g_ptr_array_add (exact, (char *) *given);
  g_hash_table_iter_init (&iter, self->approved);
  while (g_hash_table_iter_next (&iter, &path, NULL))
    g_ptr_array_add (exact, path);
  g_ptr_array_add (exact, NULL);

  return stm_path_policy_new (self->given->roots, (const char *const *) exact->pdata);
}

/* --- the walks --- */

/* The chain as the document declares it, if it does. */
static GArray *
declare (const StmRedefinedDisk *disk)
{
  GArray *declared = g_array_new (FALSE, TRUE, sizeof (StmDeclaredImage));
  StmDeclaredImage top = { .path = disk->unknown, .format = disk->unknown_format };

  g_array_append_val (declared, top);
  for (guint i = 1; is_declared (disk) && i < disk->declared->declared->len; i++)
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
check_paths (const Look *self, const GPtrArray *chain, gsize n_declared, GError **error)
{
  for (guint i = 0; i < chain->len; i++)
    if ((i == 0 || i >= n_declared)
        && !stm_path_policy_check (i == 0 ? self->given : self->policy,
                                   ((StmImage *) chain->pdata[i])->path, error))
      return FALSE;

  return TRUE;
}

/* No file is opened before its path is allowed, the given one and the one that its links lead to;
 * of that nothing is told. */
static gboolean
check_unknown (const Look *self, const StmRedefinedDisk *disk, GError **error)
{
  const char *real = stm_spellings_get_real (self->redefinition->spellings, disk->unknown);

  if (!stm_path_policy_check (self->given, disk->unknown, error))
    return FALSE;
  if (stm_path_policy_check (self->given, real, NULL))
    return TRUE;

  g_set_error (error, STEMMA_ERROR, STEMMA_ERROR_NOT_ALLOWED,
               "its path is not allowed: a symbolic link leads out of the directories of the "
               "approved disks; move the image there, or make its directory a pool in stemma.conf");
  return FALSE;
}

static GPtrArray *
walk (const Look *self, const StmRedefinedDisk *disk, GError **error)
{
  g_autoptr (GArray) declared = declare (disk);
  const StmChainRequest request = {
    .target = disk->target,
    .declared = (gconstpointer) declared->data,
    .n_declared = declared->len,
    .is_complete = is_declared (disk) && disk->declared->is_complete,
    .is_block = is_declared (disk) && disk->declared->kind == STM_SOURCE_BLOCK,
    .is_read_only = TRUE,
    .policy = self->policy,
  };

  if (!check_unknown (self, disk, error))
    return NULL;

  g_autoptr (GPtrArray)
      chain = stm_driver_walk_chain (self->driver, &request, self->cancellable, error);
  if (chain == NULL || !check_paths (self, chain, declared->len, error))
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

/* By whichever link it is named. */
static gboolean
is_looked_at (StmRedefinition *self, const char *path)
{
  const char *real = stm_spellings_get_real (self->spellings, path);
  const StmLookedImage *looked = g_hash_table_lookup (self->looked, real);

  if (looked != NULL && looked->image != NULL && real != path)
    keep_looked (self, path, looked->image, NULL);

  return g_hash_table_contains (self->looked, path);
}

/* FALSE only when the call has to end. */
static gboolean
look_at (const Look *self, const StmRedefinedDisk *disk, GError **error)
{
  StmRedefinition *redefinition = self->redefinition;
  g_autoptr (GError) problem = NULL;
  g_autoptr (GPtrArray) chain = NULL;

  /* An image above it was looked at. */
  if (is_looked_at (redefinition, disk->unknown))
    return TRUE;
  chain = walk (self, disk, &problem);
  if (chain == NULL)
    {
      if (redefinition->validates || ends_call (problem))
        {
          g_propagate_prefixed_error (error, g_steal_pointer (&problem),
                                      "image %s: ", disk->unknown);
          return FALSE;
        }
      keep_looked (redefinition, disk->unknown, NULL, problem);
      return TRUE;
    }
  for (guint i = 0; i < chain->len; i++)
    keep_looked (redefinition, ((StmImage *) chain->pdata[i])->path, chain->pdata[i], NULL);
  /* It may be named by a link. */
  keep_looked (redefinition, disk->unknown, chain->pdata[0], NULL);

  return TRUE;
}

/* An image that is not allowed by itself can be one that another was seen to stand on. */
static gboolean
look_at_all (const Look *self, GError **error)
{
  g_autoptr (GPtrArray) last = g_ptr_array_new ();
  GHashTableIter iter;
  gpointer disk;

  g_hash_table_iter_init (&iter, self->redefinition->unknown);
  while (g_hash_table_iter_next (&iter, NULL, &disk))
    if (!stm_path_policy_check (self->given, ((StmRedefinedDisk *) disk)->unknown, NULL))
      g_ptr_array_add (last, disk);
    else if (!look_at (self, disk, error))
      return FALSE;
  for (guint i = 0; i < last->len; i++)
    if (!look_at (self, last->pdata[i], error))
      return FALSE;

  return TRUE;
}

/* What holds internal snapshots must be seen to hold them. */
static gboolean
survey_looked (const Look *self, GError **error)
{
  StmRedefinition *redefinition = self->redefinition;
  g_autoptr (GPtrArray) images = g_ptr_array_new ();
  GHashTableIter iter;
  gpointer value;

  g_hash_table_iter_init (&iter, redefinition->unknown);
  while (g_hash_table_iter_next (&iter, NULL, &value))
    {
      const StmRedefinedDisk *disk = value;
      const StmLookedImage *looked = g_hash_table_lookup (redefinition->looked, disk->unknown);

      if (looked != NULL && looked->image != NULL)
        g_ptr_array_add (images, looked->image);
    }

  const StmSurveyRequest request = { .images = (const StmImage *const *) images->pdata,
                                     .n_images = images->len,
                                     .policy = self->policy };
  g_clear_pointer (&redefinition->looked_survey, stm_survey_unref);
  redefinition->looked_survey = stm_driver_survey (self->driver, &request, self->cancellable,
                                                   error);

  return redefinition->looked_survey != NULL;
}

gboolean
stm_redefinition_look (StmRedefinition *self, StmDriver *driver, const StmPathPolicy *policy,
                       GCancellable *cancellable, GError **error)
{
  g_autoptr (GHashTable) approved = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
  Look look = { .redefinition = self,
                .driver = driver,
                .given = policy,
                .approved = approved,
                .cancellable = cancellable };

  if (g_hash_table_size (self->unknown) > MAX_LOOKS)
    {
      g_set_error (error, STEMMA_ERROR, STEMMA_ERROR_TOO_MANY,
                   "the documents name %u images that are not on record, over the limit of %d: "
                   "redefine them in several calls, parents first",
                   g_hash_table_size (self->unknown), MAX_LOOKS);
      return FALSE;
    }
  g_hash_table_remove_all (self->looked);
  if (!approve_all (&look, error))
    return FALSE;

  g_autoptr (StmPathPolicy) whole = make_policy (&look);
  look.policy = whole;

  return look_at_all (&look, error) && (!self->validates || survey_looked (&look, error));
}
