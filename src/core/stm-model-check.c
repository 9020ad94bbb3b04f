/* stm_model_check(): whether a change fits the model, as the model would be after it.
 *
 * Main loop only; changes nothing. Costs by the size of the change, and by the depth of the chain
 * of images when one of them is led elsewhere.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "stm-model-check-private.h"

#include "stemma-error.h"

#include <string.h>

#define DEFINITION_MAX (16 * 1024 * 1024) /* bytes of a document to be stored */

static gboolean
has_moved_value (const StmModelView *view, const StmRingWalk *walk, const GPtrArray *values)
{
  for (guint i = 0; i < values->len; i++)
    if (walk->is_moved (view, values->pdata[i]))
      return TRUE;

  return FALSE;
}

/* `passed` has the number of the walk that came by; meeting one's own number closes a ring. */
static gboolean
walk_closes_ring (const StmModelView *view, const StmRingWalk *walk, gconstpointer value,
                  gpointer number, GHashTable *passed, gboolean stops_at_known)
{
  for (; value != NULL; value = walk->next_of (view, value))
    {
      const char *key = walk->key_of (value);
      gpointer by = g_hash_table_lookup (passed, key);

      if (by != NULL)
        return by == number;
      if (stops_at_known && !g_hash_table_contains (walk->changed, key))
        return FALSE;
      g_hash_table_insert (passed, (char *) key, number);
    }

  return FALSE;
}

gconstpointer
stm_model_find_ring (const StmModelView *view, const StmRingWalk *walk, const GPtrArray *values)
{
  g_autoptr (GHashTable) passed = g_hash_table_new (g_str_hash, g_str_equal);
  gboolean stops_at_known = !has_moved_value (view, walk, values);

  for (guint i = 0; i < values->len; i++)
    if (walk_closes_ring (view, walk, values->pdata[i], GUINT_TO_POINTER (i + 1), passed,
                          stops_at_known))
      return values->pdata[i];

  return NULL;
}

static gboolean
check_removal (const StmModel *self, const StmChange *change, GError **error)
{
  if (stm_model_get_entry (self, change->domain_id) != NULL)
    return TRUE;

  g_set_error (error, STEMMA_ERROR, STEMMA_ERROR_NOT_FOUND,
               "cannot remove domain %s: no domain has this id", change->domain_id);
  return FALSE;
}

static gboolean
check_definition (const StmChange *change, GError **error)
{
  const char *text = change->definition_text;

  if (text == NULL)
    return TRUE;
  if (change->domain == NULL)
    {
      g_set_error (error, STEMMA_ERROR, STEMMA_ERROR_INVALID_ARGUMENT,
                   "a definition of domain %s cannot be stored without its record",
                   change->domain_id);
      return FALSE;
    }
  if (strnlen (text, DEFINITION_MAX + 1) > DEFINITION_MAX || !g_utf8_validate (text, -1, NULL))
    {
      g_set_error (error, STEMMA_ERROR, STEMMA_ERROR_TOO_LARGE,
                   "definition of domain %s is over 16 MiB or not UTF-8", change->domain->name);
      return FALSE;
    }

  return TRUE;
}

static gboolean
check_record (const StmModel *self, const StmChange *change, GError **error)
{
  const StmDomain *domain = change->domain;

  if (domain == NULL)
    return TRUE;
  if (!stm_domain_is_sound (domain, error))
    return FALSE;
  if (g_strcmp0 (domain->id, change->domain_id) != 0)
    {
      g_set_error (error, STEMMA_ERROR, STEMMA_ERROR_INVALID_ARGUMENT,
                   "a change of domain %s cannot bring the record of domain %s", change->domain_id,
                   domain->id);
      return FALSE;
    }

  const StmDomainEntry *holder = g_hash_table_lookup (self->by_name, domain->name);

  if (holder != NULL && g_strcmp0 (holder->id, domain->id) != 0)
    {
      g_set_error (error, STEMMA_ERROR, STEMMA_ERROR_ALREADY_EXISTS,
                   "domain %s cannot be named \"%s\": domain %s has this name; choose another one",
                   domain->id, domain->name, holder->id);
      return FALSE;
    }

  return TRUE;
}

gboolean
stm_model_check (const StmModel *self, const StmChange *change, GError **error)
{
  g_auto (StmModelView) view = { 0 };

  g_return_val_if_fail (self != NULL && change != NULL, FALSE);

  if (change->removes_domain)
    return check_removal (self, change, error);

  return check_record (self, change, error) && check_definition (change, error)
         && stm_model_view_init (&view, self, change, error)
         && stm_model_check_moments (&view, error) && stm_model_check_images (&view, error);
}
