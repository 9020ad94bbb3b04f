/* StmModelView: looks through a change at the model below it.
 *
 * Called by the check of a change, on the main loop. Costs by the size of the change.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "stm-model-view.h"

#include "stemma-error.h"

static const char *
key_of_moment (gconstpointer value)
{
  return ((const StmMoment *) value)->id;
}

static const char *
key_of_image (gconstpointer value)
{
  return ((const StmImage *) value)->path;
}

static const char *
key_of_text (gconstpointer value)
{
  return value;
}

/* Fills `table`; FALSE when a key is in it or in `other` already. */
static gboolean
index_values (GHashTable *table, GHashTable *other, const GPtrArray *values,
              const char *(*key_of) (gconstpointer), GError **error)
{
  for (guint i = 0; i < values->len; i++)
    {
      const char *key = key_of (values->pdata[i]);

      if ((other == NULL || !g_hash_table_contains (other, key))
          && g_hash_table_insert (table, (char *) key, values->pdata[i]))
        continue;
      g_set_error (error, STEMMA_ERROR, STEMMA_ERROR_INVALID_ARGUMENT,
                   "a change that names %s twice cannot be made", key);
      return FALSE;
    }

  return TRUE;
}

gboolean
stm_model_view_init (StmModelView *self, const StmModel *model, const StmChange *change,
                     GError **error)
{
  const StmDomainEntry *entry = stm_model_get_entry (model, change->domain_id);

  if (entry == NULL && change->domain == NULL)
    {
      g_set_error (error, STEMMA_ERROR, STEMMA_ERROR_NOT_FOUND, "no domain has the id %s",
                   change->domain_id);
      return FALSE;
    }

  *self = (StmModelView){
    .entry = entry,
    .change = change,
    .domain = change->domain != NULL ? change->domain : entry->record,
    .put_moments = g_hash_table_new (g_str_hash, g_str_equal),
    .removed_moments = g_hash_table_new (g_str_hash, g_str_equal),
    .put_images = g_hash_table_new (g_str_hash, g_str_equal),
    .removed_images = g_hash_table_new (g_str_hash, g_str_equal),
  };

  return index_values (self->put_moments, NULL, change->put_moments, key_of_moment, error)
         && index_values (self->removed_moments, self->put_moments, change->removed_moments,
                          key_of_text, error)
         && index_values (self->put_images, NULL, change->put_images, key_of_image, error)
         && index_values (self->removed_images, self->put_images, change->removed_images,
                          key_of_text, error);
}

void
stm_model_view_clear (StmModelView *self)
{
  g_clear_pointer (&self->put_moments, g_hash_table_unref);
  g_clear_pointer (&self->removed_moments, g_hash_table_unref);
  g_clear_pointer (&self->put_images, g_hash_table_unref);
  g_clear_pointer (&self->removed_images, g_hash_table_unref);
}

const StmMoment *
stm_model_view_old_moment (const StmModelView *self, const char *id)
{
  return stm_domain_entry_get_moment (self->entry, id);
}

const StmMoment *
stm_model_view_moment (const StmModelView *self, StmMomentKind kind, const char *id)
{
  const StmMoment *moment = g_hash_table_lookup (self->put_moments, id);

  if (moment == NULL && self->entry != NULL && !g_hash_table_contains (self->removed_moments, id))
    moment = stm_tree_get (self->entry->trees[kind], id);

  return moment != NULL && moment->kind == kind ? moment : NULL;
}

const StmImage *
stm_model_view_old_image (const StmModelView *self, const char *path)
{
  return self->entry != NULL ? stm_image_index_get (self->entry->images, path) : NULL;
}

const StmImage *
stm_model_view_image (const StmModelView *self, const char *path)
{
  const StmImage *image = g_hash_table_lookup (self->put_images, path);

  if (image != NULL)
    return image;

  return g_hash_table_contains (self->removed_images, path) ? NULL
                                                            : stm_model_view_old_image (self, path);
}
