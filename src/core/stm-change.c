/* StmChange: collects what one step changes, and serializes it for the journal.
 *
 * Filled by one owner, then only read, on any thread. Does not know the model and does not judge
 * whether it fits: that is stm_model_check().
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "stm-change.h"

#include "stm-id.h"
#include "stm-sound.h"

#include <string.h>

#define DOMAIN_FORMAT "(sssssa(sumssbbu)as)"
#define MOMENT_FORMAT "(ussmssxuumsumsmsmsa(sumsmsmsmsms))"
#define IMAGE_FORMAT "(ssusmsut)"

#define DEFINITION_MAX (16 * 1024 * 1024) /* bytes; domain documents are capped below that */

typedef const char *(*KeyFunc) (gconstpointer value);

/* Values with the place of each by its key, so that filling a change of many moments is linear. The
 * keys are parts of the values. */
typedef struct
{
  GPtrArray *values;
  GHashTable *places;
  KeyFunc key_of;
} Keyed;

/* The public part stands first, so that a pointer to the one is a pointer to the other. */
typedef struct
{
  StmChange public;
  Keyed put_moments;
  Keyed removed_moments;
  Keyed put_images;
  Keyed removed_images;
} Change;

static const char *
key_of_moment (gconstpointer value)
{
  return ((const StmMoment *) value)->id;
}

static const char *
key_of_image (gconstpointer value)
{
  return ((const StmImage *) value)->path;
}

static const char *
key_of_text (gconstpointer value)
{
  return value;
}

static GPtrArray *
keyed_init (Keyed *keyed, GDestroyNotify free_value, KeyFunc key_of)
{
  keyed->values = g_ptr_array_new_with_free_func (free_value);
  keyed->places = g_hash_table_new (g_str_hash, g_str_equal);
  keyed->key_of = key_of;

  return keyed->values;
}

static void
keyed_clear (Keyed *keyed)
{
  g_hash_table_unref (keyed->places);
  g_ptr_array_unref (keyed->values);
}

/* The last value takes the place of the one that goes. */
static void
keyed_drop (Keyed *keyed, const char *key)
{
  gpointer place;

  if (!g_hash_table_lookup_extended (keyed->places, key, NULL, &place))
    return;

  guint i = GPOINTER_TO_UINT (place);
  gpointer last = g_ptr_array_index (keyed->values, keyed->values->len - 1);

  g_hash_table_remove (keyed->places, key);
  if (i < keyed->values->len - 1)
    g_hash_table_insert (keyed->places, (char *) keyed->key_of (last), place);
  g_ptr_array_remove_index_fast (keyed->values, i);
}

/* Takes the value. */
static void
keyed_put (Keyed *keyed, gpointer value)
{
  const char *key = keyed->key_of (value);
  gpointer place;

  if (!g_hash_table_lookup_extended (keyed->places, key, NULL, &place))
    {
      g_hash_table_insert (keyed->places, (char *) key, GUINT_TO_POINTER (keyed->values->len));
      g_ptr_array_add (keyed->values, value);
      return;
    }
  g_hash_table_replace (keyed->places, (char *) key, place);
  g_ptr_array_add (keyed->values, value);
  /* Moves the new value to the place of the old one, which it frees. */
  g_ptr_array_remove_index_fast (keyed->values, GPOINTER_TO_UINT (place));
}

StmChange *
stm_change_new (const char *domain_id)
{
  g_return_val_if_fail (domain_id != NULL, NULL);

  Change *change = g_atomic_rc_box_new0 (Change);
  StmChange *self = &change->public;

  self->domain_id = g_strdup (domain_id);
  self->texts = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, g_free);
  self->put_moments = keyed_init (&change->put_moments, (GDestroyNotify) stm_moment_unref,
                                  key_of_moment);
  self->removed_moments = keyed_init (&change->removed_moments, g_free, key_of_text);
  self->put_images = keyed_init (&change->put_images, (GDestroyNotify) stm_image_unref,
                                 key_of_image);
  self->removed_images = keyed_init (&change->removed_images, g_free, key_of_text);

  return self;
}

StmChange *
stm_change_ref (StmChange *self)
{
  g_return_val_if_fail (self != NULL, NULL);

  return g_atomic_rc_box_acquire (self);
}

static void
clear_change (gpointer data)
{
  Change *change = data;

  g_free (change->public.domain_id);
  g_clear_pointer (&change->public.domain, stm_domain_unref);
  g_free (change->public.definition_text);
  g_hash_table_unref (change->public.texts);
  g_free (change->public.current_id);
  keyed_clear (&change->put_moments);
  keyed_clear (&change->removed_moments);
  keyed_clear (&change->put_images);
  keyed_clear (&change->removed_images);
}

void
stm_change_unref (StmChange *self)
{
  if (self != NULL)
    g_atomic_rc_box_release_full (self, clear_change);
}

gboolean
stm_change_is_empty (const StmChange *self)
{
  return self->domain == NULL && !self->removes_domain && self->definition_text == NULL
         && g_hash_table_size (self->texts) == 0 && self->put_moments->len == 0
         && self->removed_moments->len == 0 && self->current_change == STM_CURRENT_KEEP
         && self->put_images->len == 0 && self->removed_images->len == 0;
}

void
stm_change_set_domain (StmChange *self, const StmDomain *domain)
{
  g_return_if_fail (domain != NULL);

  StmDomain *replaced = self->domain;

  self->domain = stm_domain_ref (domain);
  stm_domain_unref (replaced);
}

void
stm_change_add_text (StmChange *self, const char *hash, const char *text)
{
  g_return_if_fail (hash != NULL && text != NULL);

  if (!g_hash_table_contains (self->texts, hash))
    g_hash_table_insert (self->texts, g_strdup (hash), g_strdup (text));
}

void
stm_change_put_moment (StmChange *self, const StmMoment *moment)
{
  g_return_if_fail (moment != NULL);

  Change *change = (Change *) self;

  keyed_drop (&change->removed_moments, moment->id);
  keyed_put (&change->put_moments, stm_moment_ref (moment));
}

void
stm_change_remove_moment (StmChange *self, const char *id)
{
  g_return_if_fail (id != NULL);

  Change *change = (Change *) self;
  /* The id may be that of the very moment that is dropped. */
  char *removed = g_strdup (id);

  keyed_drop (&change->put_moments, removed);
  keyed_put (&change->removed_moments, removed);
}

void
stm_change_put_image (StmChange *self, const StmImage *image)
{
  g_return_if_fail (image != NULL);

  Change *change = (Change *) self;

  keyed_drop (&change->removed_images, image->path);
  keyed_put (&change->put_images, stm_image_ref (image));
}

void
stm_change_remove_image (StmChange *self, const char *path)
{
  g_return_if_fail (path != NULL);

  Change *change = (Change *) self;
  char *removed = g_strdup (path);

  keyed_drop (&change->put_images, removed);
  keyed_put (&change->removed_images, removed);
}

void
stm_change_set_current (StmChange *self, const char *id)
{
  char *current_id = g_strdup (id);

  g_free (self->current_id);
  self->current_id = current_id;
  self->current_change = STM_CURRENT_SET;
}

typedef GVariant *(*ToVariant) (gconstpointer value);

static GVariant *
array_to_variant (const GPtrArray *values, const char *type, ToVariant to_variant)
{
  g_auto (GVariantBuilder) builder = G_VARIANT_BUILDER_INIT (G_VARIANT_TYPE (type));

  for (guint i = 0; i < values->len; i++)
    g_variant_builder_add_value (&builder, to_variant (values->pdata[i]));

  return g_variant_builder_end (&builder);
}

static GVariant *
text_to_variant (gconstpointer value)
{
  return g_variant_new_string (value);
}

static GVariant *
texts_to_variant (GHashTable *texts)
{
  g_auto (GVariantBuilder) builder = G_VARIANT_BUILDER_INIT (G_VARIANT_TYPE ("a(ss)"));
  g_autoptr (GList) hashes = g_list_sort (g_hash_table_get_keys (texts), (GCompareFunc) strcmp);

  for (GList *hash = hashes; hash != NULL; hash = hash->next)
    g_variant_builder_add (&builder, "(ss)", hash->data, g_hash_table_lookup (texts, hash->data));

  return g_variant_builder_end (&builder);
}

GVariant *
stm_change_to_variant (const StmChange *self)
{
  GVariant *domain = self->domain != NULL ? stm_domain_to_variant (self->domain) : NULL;

  return g_variant_new (
      "(s@m" DOMAIN_FORMAT "bms@a(ss)@a" MOMENT_FORMAT "@asums@a" IMAGE_FORMAT "@as)",
      self->domain_id, g_variant_new_maybe (STM_DOMAIN_TYPE, domain), self->removes_domain,
      self->definition_text, texts_to_variant (self->texts),
      array_to_variant (self->put_moments, "a" MOMENT_FORMAT, (ToVariant) stm_moment_to_variant),
      array_to_variant (self->removed_moments, "as", text_to_variant),
      (guint32) self->current_change, self->current_id,
      array_to_variant (self->put_images, "a" IMAGE_FORMAT, (ToVariant) stm_image_to_variant),
      array_to_variant (self->removed_images, "as", text_to_variant));
}

/* Each reader says FALSE at the first element that is not sound, or that is there twice. */
static gboolean
read_put_moments (StmChange *self, GVariant *values)
{
  gsize n = g_variant_n_children (values);

  for (gsize i = 0; i < n; i++)
    {
      g_autoptr (GVariant) value = g_variant_get_child_value (values, i);
      g_autoptr (StmMoment) moment = stm_moment_from_variant (value);

      if (moment == NULL)
        return FALSE;
      stm_change_put_moment (self, moment);
    }

  return self->put_moments->len == n;
}

static gboolean
read_texts (StmChange *self, GVariant *texts)
{
  gsize n = g_variant_n_children (texts);

  for (gsize i = 0; i < n; i++)
    {
      const char *hash, *text;

      g_variant_get_child (texts, i, "(&s&s)", &hash, &text);
      if (!stm_sound_word ("hash of a text", hash, NULL)
          || strnlen (text, DEFINITION_MAX + 1) > DEFINITION_MAX)
        return FALSE;
      stm_change_add_text (self, hash, text);
    }

  return g_hash_table_size (self->texts) == n;
}

static gboolean
read_put_images (StmChange *self, GVariant *values)
{
  gsize n = g_variant_n_children (values);

  for (gsize i = 0; i < n; i++)
    {
      g_autoptr (GVariant) value = g_variant_get_child_value (values, i);
      g_autoptr (StmImage) image = stm_image_from_variant (value);

      if (image == NULL)
        return FALSE;
      stm_change_put_image (self, image);
    }

  return self->put_images->len == n;
}

/* Removals are read after the puts: one that names a put would drop it. */
static gboolean
read_removed_moments (StmChange *self, GVariant *ids)
{
  gsize n = g_variant_n_children (ids);
  guint n_put = self->put_moments->len;

  for (gsize i = 0; i < n; i++)
    {
      const char *id;

      g_variant_get_child (ids, i, "&s", &id);
      if (!stm_id_is_valid (id))
        return FALSE;
      stm_change_remove_moment (self, id);
    }

  return self->removed_moments->len == n && self->put_moments->len == n_put;
}

static gboolean
read_removed_images (StmChange *self, GVariant *paths)
{
  gsize n = g_variant_n_children (paths);
  guint n_put = self->put_images->len;

  for (gsize i = 0; i < n; i++)
    {
      const char *path;

      g_variant_get_child (paths, i, "&s", &path);
      if (!stm_sound_path ("removed image", path, NULL))
        return FALSE;
      stm_change_remove_image (self, path);
    }

  return self->removed_images->len == n && self->put_images->len == n_put;
}

static gboolean
read_domain (StmChange *self, GVariant *domain)
{
  if (domain == NULL)
    return TRUE;

  self->domain = stm_domain_from_variant (domain);

  return self->domain != NULL && g_str_equal (self->domain->id, self->domain_id);
}

static gboolean
read_current (StmChange *self, guint32 change, const char *id)
{
  if (change == STM_CURRENT_KEEP)
    return id == NULL;
  if (change != STM_CURRENT_SET || (id != NULL && !stm_id_is_valid (id)))
    return FALSE;

  stm_change_set_current (self, id);
  return TRUE;
}

StmChange *
stm_change_from_variant (GVariant *variant)
{
  g_autoptr (GVariant) domain = NULL;
  g_autoptr (GVariant) texts = NULL;
  g_autoptr (GVariant) put_moments = NULL;
  g_autoptr (GVariant) removed_moments = NULL;
  g_autoptr (GVariant) put_images = NULL;
  g_autoptr (GVariant) removed_images = NULL;
  const char *domain_id, *definition_text, *current_id;
  guint32 current_change;
  gboolean removes_domain;

  if (!stm_sound_variant (variant, STM_CHANGE_TYPE))
    return NULL;

  g_variant_get (variant,
                 "(&sm@" DOMAIN_FORMAT "bm&s@a(ss)@a" MOMENT_FORMAT "@asum&s@a" IMAGE_FORMAT "@as)",
                 &domain_id, &domain, &removes_domain, &definition_text, &texts, &put_moments,
                 &removed_moments, &current_change, &current_id, &put_images, &removed_images);
  if (!stm_id_is_valid (domain_id)
      || (definition_text != NULL
          && strnlen (definition_text, DEFINITION_MAX + 1) > DEFINITION_MAX))
    return NULL;

  g_autoptr (StmChange) self = stm_change_new (domain_id);

  self->removes_domain = removes_domain;
  self->definition_text = g_strdup (definition_text);
  if (!read_domain (self, domain) || !read_texts (self, texts)
      || !read_put_moments (self, put_moments) || !read_removed_moments (self, removed_moments)
      || !read_current (self, current_change, current_id) || !read_put_images (self, put_images)
      || !read_removed_images (self, removed_images))
    return NULL;

  return g_steal_pointer (&self);
}
