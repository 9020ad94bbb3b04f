/* Stands in front of GLib for the objects of the test program. Single-threaded tests only.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "count-work.h"

#include <dlfcn.h>

#undef g_atomic_rc_box_acquire

static guint64 n_calls;

guint64
work_done (void)
{
  return n_calls;
}

/* The symbol after this program's own. */
static gpointer
next_symbol (const char *name)
{
  gpointer symbol = dlsym (RTLD_NEXT, name);

  g_assert_nonnull (symbol);
  return symbol;
}

/* Defines a function of GLib that is looked up on its first call. */
#define COUNT(Result, name, parameters, arguments)                                                 \
  Result name parameters                                                                           \
  {                                                                                                \
    static Result (*next) parameters;                                                              \
                                                                                                   \
    if (next == NULL)                                                                              \
      *(gpointer *) &next = next_symbol (#name);                                                   \
    n_calls++;                                                                                     \
    return next arguments;                                                                         \
  }

COUNT (gpointer, g_hash_table_lookup, (GHashTable * table, gconstpointer key), (table, key))
COUNT (gboolean, g_hash_table_contains, (GHashTable * table, gconstpointer key), (table, key))
COUNT (gboolean, g_hash_table_lookup_extended,
       (GHashTable * table, gconstpointer key, gpointer *original, gpointer *value),
       (table, key, original, value))
COUNT (gboolean, g_hash_table_insert, (GHashTable * table, gpointer key, gpointer value),
       (table, key, value))
COUNT (gboolean, g_hash_table_replace, (GHashTable * table, gpointer key, gpointer value),
       (table, key, value))
COUNT (gboolean, g_hash_table_add, (GHashTable * table, gpointer key), (table, key))
COUNT (gboolean, g_hash_table_remove, (GHashTable * table, gconstpointer key), (table, key))
COUNT (gboolean, g_hash_table_iter_next, (GHashTableIter * iter, gpointer *key, gpointer *value),
       (iter, key, value))
COUNT (void, g_ptr_array_add, (GPtrArray * array, gpointer member), (array, member))
COUNT (gpointer, g_atomic_rc_box_acquire, (gpointer box), (box))
