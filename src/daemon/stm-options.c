/* Reads options of clients, which are hostile: how many, which keys, which types, how long. Never
 * knows what a key means.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "stm-options.h"

#include "stemma-error.h"

#include <string.h>

/* How much of a client's own text stands in an error message. */
#define MAX_QUOTED_BYTES 64

struct _StmOptions
{
  GHashTable *values; /* char * to GVariant: not taken yet */
  GPtrArray *taken;   /* what taken values live in */
  GError *error;      /* the first problem */
};

/* A client's key may be long and may hold anything. */
static char *
quote (const char *text)
{
  g_autofree char *cut = g_utf8_substring (text, 0,
                                           MIN (g_utf8_strlen (text, -1), MAX_QUOTED_BYTES));

  return g_strescape (cut, NULL);
}

static void
fill (StmOptions *self, GVariant *options)
{
  GVariantIter iter;
  const char *key = NULL;
  GVariant *value = NULL;

  g_variant_iter_init (&iter, options);
  while (g_variant_iter_next (&iter, "{&sv}", &key, &value))
    {
      if (g_hash_table_contains (self->values, key) && self->error == NULL)
        {
          g_autofree char *quoted = quote (key);

          g_set_error (&self->error, STEMMA_ERROR, STEMMA_ERROR_INVALID_ARGUMENT,
                       "option '%s' is given twice", quoted);
        }
      g_hash_table_replace (self->values, g_strdup (key), value);
    }
}

StmOptions *
stm_options_new (GVariant *options)
{
  StmOptions *self = g_new0 (StmOptions, 1);

  self->values = g_hash_table_new_full (g_str_hash, g_str_equal, g_free,
                                        (GDestroyNotify) g_variant_unref);
  self->taken = g_ptr_array_new_with_free_func (g_free);
  if (g_variant_n_children (options) > STM_OPTIONS_MAX)
    g_set_error (&self->error, STEMMA_ERROR, STEMMA_ERROR_INVALID_ARGUMENT,
                 "%" G_GSIZE_FORMAT " options are more than any method knows (at most %u)",
                 g_variant_n_children (options), STM_OPTIONS_MAX);
  else
    fill (self, options);
  return self;
}

void
stm_options_free (StmOptions *self)
{
  if (self == NULL)
    return;

  g_hash_table_unref (self->values);
  g_ptr_array_unref (self->taken);
  g_clear_error (&self->error);
  g_free (self);
}

/* The value of a key when it is there and of the type; the caller owns it. */
static GVariant *
take (StmOptions *self, const char *key, const GVariantType *type)
{
  g_autoptr (GVariant) value = NULL;
  g_autofree char *stolen_key = NULL;

  if (!g_hash_table_steal_extended (self->values, key, (gpointer *) &stolen_key,
                                    (gpointer *) &value))
    return NULL;
  if (g_variant_is_of_type (value, type))
    return g_steal_pointer (&value);

  if (self->error == NULL)
    g_set_error (&self->error, STEMMA_ERROR, STEMMA_ERROR_INVALID_ARGUMENT,
                 "option '%s' must be of type '%.*s', not '%.16s'", key,
                 (int) g_variant_type_get_string_length (type), g_variant_type_peek_string (type),
                 g_variant_get_type_string (value));
  return NULL;
}

static const char *
keep (StmOptions *self, char *text)
{
  g_ptr_array_add (self->taken, text);
  return text;
}

gboolean
stm_options_take_boolean (StmOptions *self, const char *key)
{
  g_autoptr (GVariant) value = take (self, key, G_VARIANT_TYPE_BOOLEAN);

  return value != NULL && g_variant_get_boolean (value);
}

guint
stm_options_take_uint32 (StmOptions *self, const char *key)
{
  g_autoptr (GVariant) value = take (self, key, G_VARIANT_TYPE_UINT32);

  return value == NULL ? 0 : g_variant_get_uint32 (value);
}

const char *
stm_options_take_object_path (StmOptions *self, const char *key)
{
  g_autoptr (GVariant) value = take (self, key, G_VARIANT_TYPE_OBJECT_PATH);

  return value == NULL ? NULL : keep (self, g_variant_dup_string (value, NULL));
}

const char *
stm_options_take_string (StmOptions *self, const char *key, gsize max_bytes)
{
  g_autoptr (GVariant) value = take (self, key, G_VARIANT_TYPE_STRING);

  if (value == NULL)
    return NULL;
  if (self->error == NULL)
    stm_text_check (key, g_variant_get_string (value, NULL), max_bytes, &self->error);
  return keep (self, g_variant_dup_string (value, NULL));
}

guint
stm_options_take_word (StmOptions *self, const char *key, const char *const *words)
{
  g_autoptr (GVariant) value = take (self, key, G_VARIANT_TYPE_STRING);
  g_autofree char *list = NULL;

  if (value == NULL)
    return 0;
  for (guint i = 0; words[i] != NULL; i++)
    {
      if (g_str_equal (words[i], g_variant_get_string (value, NULL)))
        return i;
    }

  list = g_strjoinv (", ", (char **) words);
  if (self->error == NULL)
    g_set_error (&self->error, STEMMA_ERROR, STEMMA_ERROR_INVALID_ARGUMENT,
                 "option '%s' must be one of: %s", key, list);
  return 0;
}

const char *const *
stm_options_take_strings (StmOptions *self, const char *key, gsize max_items)
{
  g_autoptr (GVariant) value = take (self, key, G_VARIANT_TYPE_STRING_ARRAY);
  const char **strings = NULL;
  gsize n_strings = 0;

  if (value == NULL)
    return NULL;
  n_strings = g_variant_n_children (value);
  if (n_strings > max_items && self->error == NULL)
    g_set_error (&self->error, STEMMA_ERROR, STEMMA_ERROR_INVALID_ARGUMENT,
                 "option '%s' has %" G_GSIZE_FORMAT " items, at most %" G_GSIZE_FORMAT
                 " are possible",
                 key, n_strings, max_items);

  strings = g_new0 (const char *, n_strings + 1);
  g_ptr_array_add (self->taken, strings);
  for (gsize i = 0; i < n_strings; i++)
    {
      g_autoptr (GVariant) item = g_variant_get_child_value (value, i);

      strings[i] = keep (self, g_variant_dup_string (item, NULL));
      if (self->error == NULL)
        stm_text_check (key, strings[i], STM_MAX_NAME_BYTES, &self->error);
    }
  return strings;
}

void
stm_options_refuse_boolean (StmOptions *self, const char *key, const char *way_out)
{
  if (stm_options_take_boolean (self, key) && self->error == NULL)
    g_set_error (&self->error, STEMMA_ERROR, STEMMA_ERROR_NOT_SUPPORTED,
                 "option '%s' is not supported by this version: %s", key, way_out);
}

gboolean
stm_options_end (StmOptions *self, GError **error)
{
  GHashTableIter iter;
  gpointer key = NULL;

  g_hash_table_iter_init (&iter, self->values);
  if (self->error == NULL && g_hash_table_iter_next (&iter, &key, NULL))
    {
      g_autofree char *quoted = quote (key);

      g_set_error (&self->error, STEMMA_ERROR, STEMMA_ERROR_INVALID_ARGUMENT,
                   "option '%s' is not known to this method", quoted);
    }
  if (self->error == NULL)
    return TRUE;

  g_propagate_error (error, g_steal_pointer (&self->error));
  return FALSE;
}

gboolean
stm_options_expect_none (GVariant *options, GError **error)
{
  g_autoptr (StmOptions) known = stm_options_new (options);

  return stm_options_end (known, error);
}

gboolean
stm_text_check (const char *what, const char *text, gsize max_bytes, GError **error)
{
  if (strlen (text) > max_bytes)
    {
      g_set_error (error, STEMMA_ERROR, STEMMA_ERROR_TOO_LARGE,
                   "'%s' has %" G_GSIZE_FORMAT " bytes, at most %" G_GSIZE_FORMAT " are possible",
                   what, strlen (text), max_bytes);
      return FALSE;
    }

  for (const char *at = text; *at != '\0'; at = g_utf8_next_char (at))
    {
      if (g_unichar_iscntrl (g_utf8_get_char (at)) && *at != '\t' && *at != '\n')
        {
          g_set_error (error, STEMMA_ERROR, STEMMA_ERROR_INVALID_ARGUMENT,
                       "'%s' has a control character at byte %" G_GSIZE_FORMAT, what,
                       (gsize) (at - text));
          return FALSE;
        }
    }
  return TRUE;
}
