/* Counts by kind: a directory that is not mounted must not cost memory, nor a reply, by the number
 * of images that were in it.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "stm-finding-tally.h"

struct _StmFindingTally
{
  char *domain_id;
  GPtrArray *listed;   /* StmFinding */
  GHashTable *of_kind; /* kind → how many were listed */
  GHashTable *besides; /* kind → how many were not */
};

StmFindingTally *
stm_finding_tally_new (const char *domain_id)
{
  StmFindingTally *self = g_new0 (StmFindingTally, 1);

  self->domain_id = g_strdup (domain_id);
  self->listed = g_ptr_array_new_with_free_func ((GDestroyNotify) stm_finding_free);
  self->of_kind = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
  self->besides = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
  return self;
}

void
stm_finding_tally_free (StmFindingTally *self)
{
  g_hash_table_unref (self->besides);
  g_hash_table_unref (self->of_kind);
  g_ptr_array_unref (self->listed);
  g_free (self->domain_id);
  g_free (self);
}

/* How many of the kind there are, with this one. */
static guint
count (GHashTable *kinds, const char *kind)
{
  guint number = GPOINTER_TO_UINT (g_hash_table_lookup (kinds, kind)) + 1;

  g_hash_table_insert (kinds, g_strdup (kind), GUINT_TO_POINTER (number));
  return number;
}

void
stm_finding_tally_take (StmFindingTally *self, StmFinding *finding)
{
  if (finding == NULL)
    return;

  if (count (self->of_kind, finding->kind) <= STM_MAX_FINDINGS_OF_KIND)
    {
      g_ptr_array_add (self->listed, finding);
      return;
    }
  count (self->besides, finding->kind);
  stm_finding_free (finding);
}

static gint
compare_kinds (gconstpointer a, gconstpointer b)
{
  return strcmp (a, b);
}

void
stm_finding_tally_end (StmFindingTally *self, GPtrArray *found)
{
  g_autoptr (GList) kinds = g_list_sort (g_hash_table_get_keys (self->besides), compare_kinds);

  g_ptr_array_extend_and_steal (found, g_steal_pointer (&self->listed));
  self->listed = g_ptr_array_new_with_free_func ((GDestroyNotify) stm_finding_free);
  for (const GList *kind = kinds; kind != NULL; kind = kind->next)
    {
      guint number = GPOINTER_TO_UINT (g_hash_table_lookup (self->besides, kind->data));

      g_ptr_array_add (found, stm_finding_new_more (self->domain_id, kind->data, number));
    }
  g_hash_table_remove_all (self->of_kind);
  g_hash_table_remove_all (self->besides);
}
