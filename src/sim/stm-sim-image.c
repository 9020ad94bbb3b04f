/* StmSimImage: blocks, tags and bitmaps of one simulated image, and their form on disk.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "stm-sim-image.h"

/* Keys and values are allocated numbers: a guint64 does not fit a pointer everywhere. */
static guint64 *
number_new (guint64 number)
{
  return g_memdup2 (&number, sizeof number);
}

static StmSimBlocks *
blocks_new (void)
{
  return g_hash_table_new_full (g_int64_hash, g_int64_equal, g_free, g_free);
}

static void
tag_free (gpointer data)
{
  StmSimTag *tag = data;

  g_free (tag->id);
  g_free (tag->name);
  g_hash_table_unref (tag->blocks);
  g_free (tag);
}

static void
bitmap_free (gpointer data)
{
  StmSimBitmap *bitmap = data;

  g_free (bitmap->name);
  g_hash_table_unref (bitmap->dirty);
  g_free (bitmap);
}

StmSimImage *
stm_sim_image_new (const char *path, const char *format, guint64 capacity)
{
  StmSimImage *self = g_new0 (StmSimImage, 1);

  self->path = g_strdup (path);
  self->format = g_strdup (format);
  self->capacity = capacity;
  self->blocks = blocks_new ();
  self->tags = g_ptr_array_new_with_free_func (tag_free);
  self->bitmaps = g_ptr_array_new_with_free_func (bitmap_free);

  return self;
}

void
stm_sim_image_free (StmSimImage *self)
{
  g_free (self->path);
  g_free (self->format);
  g_free (self->backing);
  g_free (self->backing_format);
  g_free (self->maker);
  g_hash_table_unref (self->blocks);
  g_ptr_array_unref (self->tags);
  g_ptr_array_unref (self->bitmaps);
  g_free (self);
}

void
stm_sim_image_write (StmSimImage *self, guint64 block, guint64 value)
{
  g_hash_table_replace (self->blocks, number_new (block), number_new (value));
  for (guint i = 0; i < self->bitmaps->len; i++)
    {
      StmSimBitmap *bitmap = self->bitmaps->pdata[i];

      if (!bitmap->is_broken)
        g_hash_table_add (bitmap->dirty, number_new (block));
    }
}

StmSimBlocks *
stm_sim_blocks_copy (StmSimBlocks *blocks)
{
  StmSimBlocks *copy = blocks_new ();
  GHashTableIter iter;
  gpointer block, value;

  g_hash_table_iter_init (&iter, blocks);
  while (g_hash_table_iter_next (&iter, &block, &value))
    g_hash_table_insert (copy, number_new (*(guint64 *) block), number_new (*(guint64 *) value));

  return copy;
}

gboolean
stm_sim_blocks_equal (StmSimBlocks *a, StmSimBlocks *b)
{
  GHashTableIter iter;
  gpointer block, value;

  if (g_hash_table_size (a) != g_hash_table_size (b))
    return FALSE;
  g_hash_table_iter_init (&iter, a);
  while (g_hash_table_iter_next (&iter, &block, &value))
    {
      const guint64 *other = g_hash_table_lookup (b, block);

      if (other == NULL || *other != *(guint64 *) value)
        return FALSE;
    }

  return TRUE;
}

StmSimTag *
stm_sim_image_find_tag (const StmSimImage *self, const char *name)
{
  for (guint i = 0; i < self->tags->len; i++)
    {
      StmSimTag *tag = self->tags->pdata[i];

      if (g_str_equal (tag->name, name))
        return tag;
    }

  return NULL;
}

/* Ids are numbers from 1, as QEMU gives them. */
static guint64
next_tag_id (const StmSimImage *self)
{
  guint64 last = 0;

  for (guint i = 0; i < self->tags->len; i++)
    {
      const StmSimTag *tag = self->tags->pdata[i];

      last = MAX (last, g_ascii_strtoull (tag->id, NULL, 10));
    }

  return last + 1;
}

static void
take_tag (StmSimImage *self, char *id, const char *name, gint64 created, guint64 capacity,
          StmSimBlocks *blocks)
{
  StmSimTag *tag = g_new0 (StmSimTag, 1);

  tag->id = id;
  tag->name = g_strdup (name);
  tag->created = created;
  tag->capacity = capacity;
  tag->blocks = blocks;
  g_ptr_array_add (self->tags, tag);
}

void
stm_sim_image_add_tag (StmSimImage *self, const char *name, gint64 now)
{
  take_tag (self, g_strdup_printf ("%" G_GUINT64_FORMAT, next_tag_id (self)), name, now,
            self->capacity, stm_sim_blocks_copy (self->blocks));
}

void
stm_sim_image_remove_tag (StmSimImage *self, const char *name)
{
  StmSimTag *tag = stm_sim_image_find_tag (self, name);

  if (tag != NULL)
    g_ptr_array_remove (self->tags, tag);
}

StmSimBitmap *
stm_sim_image_find_bitmap (const StmSimImage *self, const char *name)
{
  for (guint i = 0; i < self->bitmaps->len; i++)
    {
      StmSimBitmap *bitmap = self->bitmaps->pdata[i];

      if (g_str_equal (bitmap->name, name))
        return bitmap;
    }

  return NULL;
}

StmSimBitmap *
stm_sim_image_add_bitmap (StmSimImage *self, const char *name)
{
  StmSimBitmap *bitmap = g_new0 (StmSimBitmap, 1);

  bitmap->name = g_strdup (name);
  bitmap->dirty = g_hash_table_new_full (g_int64_hash, g_int64_equal, g_free, NULL);
  g_ptr_array_add (self->bitmaps, bitmap);

  return bitmap;
}

void
stm_sim_image_remove_bitmap (StmSimImage *self, const char *name)
{
  StmSimBitmap *bitmap = stm_sim_image_find_bitmap (self, name);

  if (bitmap != NULL)
    g_ptr_array_remove (self->bitmaps, bitmap);
}

void
stm_sim_bitmap_merge (StmSimBitmap *self, const StmSimBitmap *other)
{
  GHashTableIter iter;
  gpointer block;

  g_hash_table_iter_init (&iter, other->dirty);
  while (g_hash_table_iter_next (&iter, &block, NULL))
    g_hash_table_add (self->dirty, number_new (*(guint64 *) block));
}

static GVariant *
blocks_to_variant (StmSimBlocks *blocks)
{
  g_auto (GVariantBuilder) builder = G_VARIANT_BUILDER_INIT (G_VARIANT_TYPE ("a(tt)"));
  GHashTableIter iter;
  gpointer block, value;

  g_hash_table_iter_init (&iter, blocks);
  while (g_hash_table_iter_next (&iter, &block, &value))
    g_variant_builder_add (&builder, "(tt)", *(guint64 *) block, *(guint64 *) value);

  return g_variant_builder_end (&builder);
}

static StmSimBlocks *
blocks_from_variant (GVariant *variant)
{
  StmSimBlocks *blocks = blocks_new ();
  GVariantIter iter;
  guint64 block, value;

  g_variant_iter_init (&iter, variant);
  while (g_variant_iter_next (&iter, "(tt)", &block, &value))
    g_hash_table_replace (blocks, number_new (block), number_new (value));

  return blocks;
}

static GVariant *
tags_to_variant (const StmSimImage *self)
{
  g_auto (GVariantBuilder) builder = G_VARIANT_BUILDER_INIT (G_VARIANT_TYPE ("a(ssxta(tt))"));

  for (guint i = 0; i < self->tags->len; i++)
    {
      const StmSimTag *tag = self->tags->pdata[i];

      g_variant_builder_add (&builder, "(ssxt@a(tt))", tag->id, tag->name, tag->created,
                             tag->capacity, blocks_to_variant (tag->blocks));
    }

  return g_variant_builder_end (&builder);
}

static GVariant *
dirty_to_variant (GHashTable *dirty)
{
  g_auto (GVariantBuilder) builder = G_VARIANT_BUILDER_INIT (G_VARIANT_TYPE ("at"));
  GHashTableIter iter;
  gpointer block;

  g_hash_table_iter_init (&iter, dirty);
  while (g_hash_table_iter_next (&iter, &block, NULL))
    g_variant_builder_add (&builder, "t", *(guint64 *) block);

  return g_variant_builder_end (&builder);
}

static GVariant *
bitmaps_to_variant (const StmSimImage *self)
{
  g_auto (GVariantBuilder) builder = G_VARIANT_BUILDER_INIT (G_VARIANT_TYPE ("a(sbat)"));

  for (guint i = 0; i < self->bitmaps->len; i++)
    {
      const StmSimBitmap *bitmap = self->bitmaps->pdata[i];

      g_variant_builder_add (&builder, "(sb@at)", bitmap->name, bitmap->is_broken,
                             dirty_to_variant (bitmap->dirty));
    }

  return g_variant_builder_end (&builder);
}

GVariant *
stm_sim_image_to_variant (const StmSimImage *self)
{
  return g_variant_new ("(ssmsmsmst@a(tt)@a(ssxta(tt))@a(sbat))", self->path, self->format,
                        self->backing, self->backing_format, self->maker, self->capacity,
                        blocks_to_variant (self->blocks), tags_to_variant (self),
                        bitmaps_to_variant (self));
}

static void
read_tags (StmSimImage *self, GVariant *variant)
{
  gsize n = g_variant_n_children (variant);

  for (gsize i = 0; i < n; i++)
    {
      g_autoptr (GVariant) blocks = NULL;
      const char *id, *name;
      gint64 created;
      guint64 capacity;

      g_variant_get_child (variant, i, "(&s&sxt@a(tt))", &id, &name, &created, &capacity, &blocks);
      take_tag (self, g_strdup (id), name, created, capacity, blocks_from_variant (blocks));
    }
}

static void
read_bitmaps (StmSimImage *self, GVariant *variant)
{
  gsize n = g_variant_n_children (variant);

  for (gsize i = 0; i < n; i++)
    {
      g_autoptr (GVariant) dirty = NULL;
      const char *name;
      gboolean is_broken;
      guint64 block;
      GVariantIter iter;

      g_variant_get_child (variant, i, "(&sb@at)", &name, &is_broken, &dirty);
      StmSimBitmap *bitmap = stm_sim_image_add_bitmap (self, name);
      bitmap->is_broken = is_broken;
      g_variant_iter_init (&iter, dirty);
      while (g_variant_iter_next (&iter, "t", &block))
        g_hash_table_add (bitmap->dirty, number_new (block));
    }
}

StmSimImage *
stm_sim_image_from_variant (GVariant *variant)
{
  g_autoptr (GVariant) blocks = NULL;
  g_autoptr (GVariant) tags = NULL;
  g_autoptr (GVariant) bitmaps = NULL;
  const char *path, *format;
  g_autofree char *backing = NULL;
  g_autofree char *backing_format = NULL;
  g_autofree char *maker = NULL;
  guint64 capacity;

  g_variant_get (variant, "(&s&smsmsmst@a(tt)@a(ssxta(tt))@a(sbat))", &path, &format, &backing,
                 &backing_format, &maker, &capacity, &blocks, &tags, &bitmaps);
  StmSimImage *self = stm_sim_image_new (path, format, capacity);
  self->backing = g_steal_pointer (&backing);
  self->backing_format = g_steal_pointer (&backing_format);
  self->maker = g_steal_pointer (&maker);
  g_hash_table_unref (self->blocks);
  self->blocks = blocks_from_variant (blocks);
  read_tags (self, tags);
  read_bitmaps (self, bitmaps);

  return self;
}
