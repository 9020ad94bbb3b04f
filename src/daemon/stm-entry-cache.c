/* A table from the addresses of key and word to the entry. Knows no property.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "stm-entry-cache.h"

typedef struct
{
  const char *key;
  const char *word;  /* or the address that stands for the value */
  GVariant *variant; /* the entry, or the key alone */
} Entry;

struct _StmEntryCache
{
  GHashTable *entries; /* set of Entry */
};

static guint
entry_hash (gconstpointer item)
{
  const Entry *entry = item;

  return g_direct_hash (entry->key) * 31 + g_direct_hash (entry->word);
}

static gboolean
entry_equal (gconstpointer a, gconstpointer b)
{
  const Entry *first = a;
  const Entry *second = b;

  return first->key == second->key && first->word == second->word;
}

static void
entry_free (gpointer item)
{
  Entry *entry = item;

  g_variant_unref (entry->variant);
  g_free (entry);
}

StmEntryCache *
stm_entry_cache_new (void)
{
  StmEntryCache *self = g_new0 (StmEntryCache, 1);

  self->entries = g_hash_table_new_full (entry_hash, entry_equal, entry_free, NULL);
  return self;
}

void
stm_entry_cache_free (StmEntryCache *self)
{
  if (self == NULL)
    return;

  g_hash_table_unref (self->entries);
  g_free (self);
}

static GVariant *
find (StmEntryCache *self, const char *key, const char *word)
{
  const Entry *entry = g_hash_table_lookup (self->entries, &(Entry){ .key = key, .word = word });

  return entry == NULL ? NULL : entry->variant;
}

static GVariant *
keep (StmEntryCache *self, const char *key, const char *word, GVariant *variant)
{
  Entry *entry = g_new (Entry, 1);

  entry->key = key;
  entry->word = word;
  entry->variant = g_variant_ref_sink (variant);
  g_hash_table_add (self->entries, entry);
  return entry->variant;
}

GVariant *
stm_entry_cache_value (StmEntryCache *self, const char *key, GVariant *value)
{
  GVariant *text = find (self, key, /* word= */ NULL);

  if (text == NULL)
    text = keep (self, key, /* word= */ NULL, g_variant_new_string (key));
  return g_variant_new_dict_entry (text, g_variant_new_variant (value));
}

GVariant *
stm_entry_cache_word (StmEntryCache *self, const char *key, const char *word)
{
  GVariant *known = find (self, key, word);

  if (known != NULL)
    return known;
  return keep (self, key, word, stm_entry_cache_value (self, key, g_variant_new_string (word)));
}

GVariant *
stm_entry_cache_path (StmEntryCache *self, const char *key, const char *path)
{
  GVariant *known = find (self, key, path);

  if (known != NULL)
    return known;
  return keep (self, key, path,
               stm_entry_cache_value (self, key, g_variant_new_object_path (path)));
}

GVariant *
stm_entry_cache_boolean (StmEntryCache *self, const char *key, gboolean value)
{
  static const char truths[] = { 'f', 't' };
  const char *address = &truths[value ? 1 : 0];
  GVariant *known = find (self, key, address);

  if (known != NULL)
    return known;
  return keep (self, key, address,
               stm_entry_cache_value (self, key, g_variant_new_boolean (value)));
}
