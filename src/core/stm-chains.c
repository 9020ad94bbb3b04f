/* StmChains: whether checkpoints are in order over the chains of a domain's disks.
 *
 * Made and used by one planner on the main loop, pure. A checkpoint is the union of what its bitmap
 * recorded in each image from the active one down to that in which it was begun: one link that is
 * missing or broken, and nobody knows what changed.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "stm-checkpoints.h"

typedef struct
{
  GPtrArray *images;
  GHashTable *positions; /* path, borrowed -> place in the chain + 1 */
  guint n_new;
} Chain;

struct _StmChains
{
  const StmModel *model;
  char *domain_id;
  const StmSurvey *survey;
  GHashTable *chains;  /* target -> Chain */
  GHashTable *bitmaps; /* path -> table of name -> StmBitmapFacts, both borrowed */
};

static void
chain_free (gpointer data)
{
  Chain *chain = data;

  g_hash_table_unref (chain->positions);
  g_ptr_array_unref (chain->images);
  g_free (chain);
}

StmChains *
stm_chains_new (const StmModel *model, const char *domain_id, const StmSurvey *survey)
{
  StmChains *self = g_new0 (StmChains, 1);

  self->model = model;
  self->domain_id = g_strdup (domain_id);
  self->survey = survey;
  self->chains = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, chain_free);
  self->bitmaps = g_hash_table_new_full (g_str_hash, g_str_equal, g_free,
                                         (GDestroyNotify) g_hash_table_unref);

  return self;
}

void
stm_chains_free (StmChains *self)
{
  if (self == NULL)
    return;
  g_hash_table_unref (self->bitmaps);
  g_hash_table_unref (self->chains);
  g_free (self->domain_id);
  g_free (self);
}

void
stm_chains_set (StmChains *self, const char *target, GPtrArray *images, guint n_new)
{
  Chain *chain = g_new0 (Chain, 1);

  chain->images = g_ptr_array_ref (images);
  chain->n_new = n_new;
  chain->positions = g_hash_table_new (g_str_hash, g_str_equal);
  for (guint i = 0; i < images->len; i++)
    g_hash_table_insert (chain->positions, (char *) ((StmImage *) images->pdata[i])->path,
                         GUINT_TO_POINTER (i + 1));
  g_hash_table_replace (self->chains, g_strdup (target), chain);
}

static const Chain *
get_chain (StmChains *self, const char *target)
{
  const Chain *chain = g_hash_table_lookup (self->chains, target);

  if (chain != NULL)
    return chain;
  g_autoptr (GPtrArray) images = stm_model_chain (self->model, self->domain_id, target);
  stm_chains_set (self, target, images, /* n_new= */ 0);

  return g_hash_table_lookup (self->chains, target);
}

static GHashTable *
get_bitmaps (StmChains *self, const StmFacts *facts)
{
  GHashTable *table = g_hash_table_lookup (self->bitmaps, facts->path);

  if (table != NULL)
    return table;
  table = g_hash_table_new (g_str_hash, g_str_equal);
  for (guint i = 0; i < facts->bitmaps->len; i++)
    {
      StmBitmapFacts *bitmap = facts->bitmaps->pdata[i];

      g_hash_table_insert (table, (char *) bitmap->name, bitmap);
    }
  g_hash_table_insert (self->bitmaps, g_strdup (facts->path), table);

  return table;
}

/* The links that were seen in one pass over a checkpoint's disks. */
typedef struct
{
  gboolean is_broken;
  gboolean is_missing;
  gboolean is_unseen;
} Links;

static void
look_at_link (StmChains *self, const StmImage *image, const char *name, Links *links)
{
  const StmFacts *facts = self->survey != NULL ? stm_survey_get (self->survey, image->path) : NULL;

  /* What another process has open for writing is not known to us, good or bad. */
  if (facts == NULL || facts->problem != NULL || facts->is_written)
    {
      links->is_unseen = TRUE;
      return;
    }

  const StmBitmapFacts *bitmap = g_hash_table_lookup (get_bitmaps (self, facts), name);
  if (bitmap == NULL)
    links->is_missing = TRUE;
  else if (!stm_bitmap_is_in_order (bitmap))
    links->is_broken = TRUE;
}

StmHealth
stm_chains_judge (StmChains *self, const StmMoment *checkpoint, StmHealth otherwise)
{
  Links links = { 0 };
  gboolean is_off = FALSE;

  for (gsize i = 0; i < checkpoint->n_disks; i++)
    {
      const StmMomentDisk *disk = &checkpoint->disks[i];

      if (disk->mode != STM_MODE_BITMAP)
        continue;
      if (disk->frozen == NULL)
        return STM_HEALTH_MISSING;

      const Chain *chain = get_chain (self, disk->target);
      guint end = GPOINTER_TO_UINT (g_hash_table_lookup (chain->positions, disk->frozen));
      is_off |= end == 0;
      for (guint j = chain->n_new; j < end; j++)
        look_at_link (self, chain->images->pdata[j], disk->bitmap, &links);
    }
  if (is_off)
    return STM_HEALTH_UNREACHABLE;
  if (links.is_broken)
    return STM_HEALTH_INCONSISTENT;
  if (links.is_missing)
    return STM_HEALTH_MISSING;

  return links.is_unseen ? otherwise : STM_HEALTH_OK;
}

const char *
stm_chains_find_begin (StmChains *self, const char *target, const char *home, const char *bitmap)
{
  const Chain *chain = get_chain (self, target);
  guint next = GPOINTER_TO_UINT (g_hash_table_lookup (chain->positions, home));

  for (; next > 0 && next < chain->images->len; next++)
    {
      const StmImage *image = chain->images->pdata[next];
      const StmFacts *facts = stm_survey_get (self->survey, image->path);

      if (facts == NULL || facts->problem != NULL)
        return NULL;
      if (g_hash_table_lookup (get_bitmaps (self, facts), bitmap) == NULL)
        break;
      home = image->path;
    }

  return home;
}
