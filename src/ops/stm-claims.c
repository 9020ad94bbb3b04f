/* Holds one claim for each running plan: the files that it writes, makes or removes, and those that
 * it only relies on. Main loop; looks at no file.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "stm-claims.h"

#include "stemma-error.h"

typedef struct
{
  char *plan_id;
  char *domain_id;
  StmOperation operation;
  GHashTable *written; /* set of paths */
  GHashTable *read;    /* set of paths */
} Claim;

struct _StmClaims
{
  GHashTable *by_plan; /* plan id → Claim */
};

static void
claim_free (Claim *claim)
{
  g_free (claim->plan_id);
  g_free (claim->domain_id);
  g_hash_table_unref (claim->written);
  g_hash_table_unref (claim->read);
  g_free (claim);
}

static void
add_images (GHashTable *set, GPtrArray *images)
{
  for (guint i = 0; images != NULL && i < images->len; i++)
    {
      const StmImage *image = g_ptr_array_index (images, i);

      g_hash_table_add (set, g_strdup (image->path));
    }
}

static void
add_step (Claim *claim, const StmStep *step)
{
  add_images (claim->read, step->chain);
  add_images (claim->written, step->children);
  if (step->image != NULL)
    g_hash_table_add (claim->written, g_strdup (step->image->path));
  if (step->kind != STM_STEP_COMMIT && step->kind != STM_STEP_STREAM)
    return;
  for (guint i = 0; i < 2 && i < step->chain->len; i++)
    {
      const StmImage *image = g_ptr_array_index (step->chain, i);

      g_hash_table_add (claim->written, g_strdup (image->path));
    }
}

static Claim *
claim_new (const StmPlan *plan)
{
  Claim *claim = g_new0 (Claim, 1);

  claim->plan_id = g_strdup (plan->id);
  claim->domain_id = g_strdup (plan->domain_id);
  claim->operation = plan->operation;
  claim->written = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
  claim->read = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
  for (guint i = 0; i < plan->steps->len; i++)
    add_step (claim, g_ptr_array_index (plan->steps, i));
  if (plan->finish != NULL)
    add_images (claim->read, plan->finish->put_images);
  return claim;
}

static const char *
first_common (GHashTable *a, GHashTable *b)
{
  GHashTableIter iter;
  gpointer path;

  g_hash_table_iter_init (&iter, a);
  while (g_hash_table_iter_next (&iter, &path, NULL))
    {
      if (g_hash_table_contains (b, path))
        return path;
    }
  return NULL;
}

static const char *
find_conflict (const Claim *a, const Claim *b)
{
  const char *path = first_common (a->written, b->written);

  if (path == NULL)
    path = first_common (a->written, b->read);
  if (path == NULL)
    path = first_common (a->read, b->written);
  return path;
}

gboolean
stm_claims_take (StmClaims *self, const StmPlan *plan, GError **error)
{
  Claim *claim = claim_new (plan);
  GHashTableIter iter;
  gpointer value;

  g_hash_table_iter_init (&iter, self->by_plan);
  while (g_hash_table_iter_next (&iter, NULL, &value))
    {
      const Claim *other = value;
      const char *path = NULL;

      if (!g_str_equal (other->domain_id, plan->domain_id))
        path = find_conflict (claim, other);
      if (path == NULL)
        continue;
      g_set_error (error, STEMMA_ERROR, STEMMA_ERROR_BUSY,
                   "image '%s' is being worked on by the operation '%s' of domain %s: wait until "
                   "it has ended",
                   path, stm_operation_to_word (other->operation), other->domain_id);
      claim_free (claim);
      return FALSE;
    }
  g_hash_table_replace (self->by_plan, claim->plan_id, claim);
  return TRUE;
}

void
stm_claims_release (StmClaims *self, const char *plan_id)
{
  g_hash_table_remove (self->by_plan, plan_id);
}

StmClaims *
stm_claims_new (void)
{
  StmClaims *self = g_new0 (StmClaims, 1);

  self->by_plan = g_hash_table_new_full (g_str_hash, g_str_equal, NULL,
                                         (GDestroyNotify) claim_free);
  return self;
}

void
stm_claims_free (StmClaims *self)
{
  g_hash_table_unref (self->by_plan);
  g_free (self);
}
