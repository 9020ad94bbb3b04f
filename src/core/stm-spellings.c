/* StmSpellings: has the driver follow links, and keeps what the policy allows of that.
 *
 * Where a link leads out of the allowed directories the path stays as it was given: it is refused
 * as such, and the message does not tell what is behind the link, or whether anything is.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "stm-spellings.h"

#include "stemma-error.h"

typedef struct
{
  char *path; /* with links followed; NULL while it is not resolved */
  gboolean is_allowed;
} Real;

struct _StmSpellings
{
  GHashTable *by_path; /* as given -> Real */
  gboolean is_due;
};

static void
free_real (gpointer data)
{
  Real *real = data;

  g_free (real->path);
  g_free (real);
}

StmSpellings *
stm_spellings_new (void)
{
  StmSpellings *self = g_new0 (StmSpellings, 1);

  self->by_path = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, free_real);

  return self;
}

void
stm_spellings_free (StmSpellings *self)
{
  if (self == NULL)
    return;

  g_hash_table_unref (self->by_path);
  g_free (self);
}

void
stm_spellings_add (StmSpellings *self, const StmModel *model, const char *domain_id,
                   const char *path)
{
  if (path == NULL || g_hash_table_contains (self->by_path, path)
      || stm_model_get_image (model, domain_id, path) != NULL || !stm_path_is_plain (path, NULL))
    return;

  g_hash_table_insert (self->by_path, g_strdup (path), g_new0 (Real, 1));
  self->is_due = TRUE;
}

gboolean
stm_spellings_is_due (const StmSpellings *self)
{
  return self->is_due;
}

gboolean
stm_spellings_resolve (StmSpellings *self, StmDriver *driver, const StmPathPolicy *policy,
                       GCancellable *cancellable, GError **error)
{
  GHashTableIter iter;
  gpointer path, value;

  g_hash_table_iter_init (&iter, self->by_path);
  while (g_hash_table_iter_next (&iter, &path, &value))
    {
      Real *real = value;

      if (g_cancellable_is_cancelled (cancellable))
        {
          g_set_error (error, STEMMA_ERROR, STEMMA_ERROR_CANCELLED, "the operation was cancelled");
          return FALSE;
        }
      if (real->path != NULL)
        continue;
      real->path = stm_driver_find_real_path (driver, path);
      real->is_allowed = stm_path_policy_check (policy, real->path, NULL);
    }
  self->is_due = FALSE;

  return TRUE;
}

static const Real *
find (const StmSpellings *self, const char *path)
{
  const Real *real = path != NULL ? g_hash_table_lookup (self->by_path, path) : NULL;

  return real != NULL && real->path != NULL ? real : NULL;
}

const char *
stm_spellings_get (const StmSpellings *self, const char *path)
{
  const Real *real = find (self, path);

  return real != NULL && real->is_allowed ? real->path : path;
}

const char *
stm_spellings_get_real (const StmSpellings *self, const char *path)
{
  const Real *real = find (self, path);

  return real != NULL ? real->path : path;
}
