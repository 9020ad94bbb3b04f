/* StmSurvey: holds what a driver saw of image files, and which file names are taken.
 *
 * Filled by one worker, then handed over and only read. Looks at no file itself.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "stm-survey.h"

struct _StmSurvey
{
  GHashTable *facts; /* by path, which is that of the facts */
  GHashTable *names; /* set of paths */
};

StmSurvey *
stm_survey_new (void)
{
  StmSurvey *self = g_atomic_rc_box_new0 (StmSurvey);

  self->facts = g_hash_table_new_full (g_str_hash, g_str_equal, NULL,
                                       (GDestroyNotify) stm_facts_free);
  self->names = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);

  return self;
}

StmSurvey *
stm_survey_ref (StmSurvey *self)
{
  g_return_val_if_fail (self != NULL, NULL);

  return g_atomic_rc_box_acquire (self);
}

static void
clear_survey (gpointer data)
{
  StmSurvey *self = data;

  g_hash_table_unref (self->facts);
  g_hash_table_unref (self->names);
}

void
stm_survey_unref (StmSurvey *self)
{
  if (self != NULL)
    g_atomic_rc_box_release_full (self, clear_survey);
}

static void
tag_free (gpointer data)
{
  StmTagFacts *tag = data;

  g_free ((char *) tag->id);
  g_free ((char *) tag->name);
  g_free (tag);
}

static void
bitmap_free (gpointer data)
{
  StmBitmapFacts *bitmap = data;

  g_free ((char *) bitmap->name);
  g_free (bitmap);
}

StmFacts *
stm_facts_new (const char *path)
{
  g_return_val_if_fail (path != NULL, NULL);

  StmFacts *facts = g_new0 (StmFacts, 1);

  facts->path = g_strdup (path);
  facts->data_bytes = STM_BYTES_UNKNOWN;
  facts->children = g_new0 (char *, 1);
  facts->tags = g_ptr_array_new_with_free_func (tag_free);
  facts->bitmaps = g_ptr_array_new_with_free_func (bitmap_free);

  return facts;
}

void
stm_facts_free (StmFacts *facts)
{
  if (facts == NULL)
    return;

  g_clear_error (&facts->problem);
  g_free (facts->path);
  g_free (facts->format);
  g_free (facts->backing);
  g_free (facts->backing_format);
  g_strfreev (facts->children);
  g_ptr_array_unref (facts->tags);
  g_ptr_array_unref (facts->bitmaps);
  g_free (facts);
}

void
stm_facts_add_tag (StmFacts *facts, const StmTagFacts *init)
{
  StmTagFacts *tag = g_memdup2 (init, sizeof *init);

  tag->id = g_strdup (init->id);
  tag->name = g_strdup (init->name);
  g_ptr_array_add (facts->tags, tag);
}

void
stm_facts_add_bitmap (StmFacts *facts, const StmBitmapFacts *init)
{
  StmBitmapFacts *bitmap = g_memdup2 (init, sizeof *init);

  bitmap->name = g_strdup (init->name);
  g_ptr_array_add (facts->bitmaps, bitmap);
}

const StmTagFacts *
stm_facts_find_tag (const StmFacts *facts, const char *name)
{
  for (guint i = 0; i < facts->tags->len; i++)
    {
      const StmTagFacts *tag = facts->tags->pdata[i];

      if (g_strcmp0 (tag->name, name) == 0)
        return tag;
    }

  return NULL;
}

const StmBitmapFacts *
stm_facts_find_bitmap (const StmFacts *facts, const char *name)
{
  for (guint i = 0; i < facts->bitmaps->len; i++)
    {
      const StmBitmapFacts *bitmap = facts->bitmaps->pdata[i];

      if (g_strcmp0 (bitmap->name, name) == 0)
        return bitmap;
    }

  return NULL;
}

gboolean
stm_bitmap_name_is_drivers (const char *name)
{
  return g_str_has_prefix (name, STM_DRIVER_BITMAP_PREFIX);
}

/* Here, where what a driver reads becomes what planners see: none of them is to count such a one,
 * carry it into an overlay, or show it. */
static void
drop_drivers_bitmaps (StmFacts *facts)
{
  for (guint i = facts->bitmaps->len; i > 0; i--)
    {
      const StmBitmapFacts *bitmap = facts->bitmaps->pdata[i - 1];

      if (stm_bitmap_name_is_drivers (bitmap->name))
        g_ptr_array_remove_index (facts->bitmaps, i - 1);
    }
}

void
stm_survey_take_facts (StmSurvey *self, StmFacts *facts)
{
  g_return_if_fail (self != NULL && facts != NULL);

  drop_drivers_bitmaps (facts);
  /* Replace, not insert: the key lives in the value. */
  g_hash_table_replace (self->facts, facts->path, facts);
}

void
stm_survey_add_name (StmSurvey *self, const char *path)
{
  g_return_if_fail (self != NULL && path != NULL);

  g_hash_table_add (self->names, g_strdup (path));
}

const StmFacts *
stm_survey_get (const StmSurvey *self, const char *path)
{
  return path != NULL ? g_hash_table_lookup (self->facts, path) : NULL;
}

GPtrArray *
stm_survey_list (const StmSurvey *self)
{
  GPtrArray *list = g_ptr_array_new ();
  GHashTableIter iter;
  gpointer facts;

  g_hash_table_iter_init (&iter, self->facts);
  while (g_hash_table_iter_next (&iter, NULL, &facts))
    g_ptr_array_add (list, facts);
  return list;
}

gboolean
stm_survey_has_name (const StmSurvey *self, const char *path)
{
  return path != NULL && g_hash_table_contains (self->names, path);
}
