/* The refusals of DefineDomain that come of images which others have, or which this domain has in
 * another place.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "stm-chain-check.h"

#include "stemma-error.h"

static gboolean
is_read_only_user (const StmModel *model, const StmImageUser *user)
{
  const StmDomain *domain = stm_model_get_domain (model, user->domain_id);
  const StmDisk *disk = domain != NULL ? stm_domain_find_disk (domain, user->target) : NULL;

  return user->moment_id == NULL && disk != NULL && disk->is_read_only;
}

/* An image that this disk would write must be nobody else's; one below it must not be written by
 * anybody else. */
static gboolean
check_users (const StmChainCheck *self, const StmImage *image, gboolean is_written, GError **error)
{
  g_autoptr (GArray) users = stm_model_image_users (self->model, image->path);

  for (guint i = 0; i < users->len; i++)
    {
      const StmImageUser *user = &g_array_index (users, StmImageUser, i);
      const StmDomain *holder = stm_model_get_domain (self->model, user->domain_id);

      if (g_str_equal (user->domain_id, self->domain_id))
        continue;
      if (!is_written && (user->moment_id != NULL || is_read_only_user (self->model, user)))
        continue;
      g_set_error (error, STEMMA_ERROR, STEMMA_ERROR_IN_USE,
                   "image '%s' belongs to disk '%s' of domain '%s'%s: give this disk an image of "
                   "its own, or an overlay over a snapshot of that domain",
                   image->path, user->target, holder->name,
                   user->moment_id != NULL ? ", frozen by a snapshot" : "");
      return FALSE;
    }
  return TRUE;
}

static gboolean
check_children (const StmChainCheck *self, const StmImage *image, GError **error)
{
  g_autoptr (GPtrArray) children = stm_model_image_children (self->model, image->path);

  for (guint i = 0; i < children->len; i++)
    {
      const char *child = g_ptr_array_index (children, i);

      if (stm_model_get_image (self->model, self->domain_id, child) != NULL)
        continue;
      g_set_error (error, STEMMA_ERROR, STEMMA_ERROR_IN_USE,
                   "image '%s' is the backing image of '%s' of another domain: writing to it would "
                   "change that one; use an overlay over it",
                   image->path, child);
      return FALSE;
    }
  return TRUE;
}

/* What the guest would write must not be part of this domain's own history: not an image on record
 * that snapshots may need, nor one that another of its disks stands on. */
static gboolean
check_own (const StmChainCheck *self, const StmXmlDisk *disk, const StmImage *active,
           GError **error)
{
  const StmDisk *present = self->present != NULL
                               ? stm_domain_find_disk (self->present, disk->target)
                               : NULL;
  gboolean is_its_own = present != NULL && g_strcmp0 (present->source, active->path) == 0;
  const char *other = NULL;

  if (!is_its_own && self->has_moments
      && stm_model_get_image (self->model, self->domain_id, active->path) != NULL)
    other = stm_model_get_image (self->model, self->domain_id, active->path)->target;
  for (guint i = 0; other == NULL && i < self->chains->len; i++)
    {
      const GPtrArray *chain = g_ptr_array_index (self->chains, i);

      for (guint j = 1; other == NULL && chain != NULL && j < chain->len; j++)
        {
          const StmImage *image = g_ptr_array_index (chain, j);

          if (g_str_equal (image->path, active->path))
            other = image->target;
        }
    }
  if (other == NULL)
    return TRUE;
  g_set_error (error, STEMMA_ERROR, STEMMA_ERROR_IN_USE,
               "image '%s' is part of the history of disk '%s', which writing to it would change: "
               "give disk '%s' an image of its own, or an overlay over it",
               active->path, other, disk->target);
  return FALSE;
}

/* Two disks of the document itself. */
static gboolean
check_twins (const StmChainCheck *self, const StmXmlDisk *disk, const StmImage *active,
             GError **error)
{
  for (guint i = 0; i < self->disks->len; i++)
    {
      const StmDisk *other = &g_array_index (self->disks, StmDisk, i);

      if (g_strcmp0 (other->source, active->path) != 0
          || (other->is_read_only && disk->is_read_only))
        continue;
      g_set_error (error, STEMMA_ERROR, STEMMA_ERROR_IN_USE,
                   "disks '%s' and '%s' have the same image '%s'", other->target, disk->target,
                   active->path);
      return FALSE;
    }
  return TRUE;
}

gboolean
stm_chain_check (const StmChainCheck *self, const StmXmlDisk *disk, const GPtrArray *chain,
                 GError **error)
{
  for (guint i = 0; i < chain->len; i++)
    {
      const StmImage *image = g_ptr_array_index (chain, i);
      gboolean is_written = i == 0 && !disk->is_read_only;

      if (!check_users (self, image, is_written, error))
        return FALSE;
      if (is_written
          && (!check_children (self, image, error) || !check_own (self, disk, image, error)))
        return FALSE;
    }
  return check_twins (self, disk, g_ptr_array_index (chain, 0), error);
}
