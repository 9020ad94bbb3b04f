/* StmEntryCache: entries of an a{sv} that repeat, made once and shared.
 *
 * Ten thousand objects that come at once have the same words in most of their properties; the cache
 * makes telling of them half as dear. Keys and words are known by their addresses: literals, or
 * strings that outlive the cache. Main loop only.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include <glib.h>

typedef struct _StmEntryCache StmEntryCache;

StmEntryCache *stm_entry_cache_new (void);
void stm_entry_cache_free (StmEntryCache *self);

/* {sv} with a value that repeats; borrowed from the cache. */
GVariant *stm_entry_cache_word (StmEntryCache *self, const char *key, const char *word);
GVariant *stm_entry_cache_path (StmEntryCache *self, const char *key, const char *path);
GVariant *stm_entry_cache_boolean (StmEntryCache *self, const char *key, gboolean value);
/* {sv} with any value, which is taken when it is floating; floating itself. */
GVariant *stm_entry_cache_value (StmEntryCache *self, const char *key, GVariant *value);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (StmEntryCache, stm_entry_cache_free)
