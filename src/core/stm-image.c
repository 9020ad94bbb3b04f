/* StmImage: makes, compares and serializes the record of one image file.
 *
 * Called by everybody, on any thread: the value never changes once made. Never looks at a file.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "stm-image.h"

#include "stemma-error.h"
#include "stm-sound.h"

/* Indexed by StmImageOrigin. */
static const char *const origin_words[] = { "backing", "disk", "made" };

G_STATIC_ASSERT (G_N_ELEMENTS (origin_words) == STM_IMAGE_MADE + 1);

StmImage *
stm_image_new (const StmImage *init)
{
  g_return_val_if_fail (init != NULL && init->path != NULL, NULL);

  StmImage *self = g_atomic_rc_box_new (StmImage);

  *self = *init;
  self->path = g_strdup (init->path);
  self->target = g_strdup (init->target);
  self->format = g_strdup (init->format);
  self->backing = g_strdup (init->backing);

  return self;
}

StmImage *
stm_image_ref (const StmImage *self)
{
  g_return_val_if_fail (self != NULL, NULL);

  return g_atomic_rc_box_acquire ((StmImage *) self);
}

static void
clear_image (gpointer data)
{
  StmImage *self = data;

  g_free ((char *) self->path);
  g_free ((char *) self->target);
  g_free ((char *) self->format);
  g_free ((char *) self->backing);
}

void
stm_image_unref (StmImage *self)
{
  if (self != NULL)
    g_atomic_rc_box_release_full (self, clear_image);
}

gboolean
stm_image_equal (const StmImage *a, const StmImage *b)
{
  if (a == NULL || b == NULL)
    return a == b;

  return g_strcmp0 (a->path, b->path) == 0 && g_strcmp0 (a->target, b->target) == 0
         && a->index == b->index && g_strcmp0 (a->format, b->format) == 0
         && g_strcmp0 (a->backing, b->backing) == 0 && a->origin == b->origin
         && a->capacity == b->capacity;
}

gboolean
stm_image_is_sound (const StmImage *self, GError **error)
{
  if (!stm_sound_path ("path of an image", self->path, error)
      || !stm_sound_word ("target of an image", self->target, error)
      || !stm_sound_image_format ("format of an image", self->format, error)
      || !stm_sound_path_or_null ("backing path of an image", self->backing, error))
    return FALSE;
  if (self->index == 0 || (guint) self->origin > STM_IMAGE_MADE)
    {
      g_set_error (error, STEMMA_ERROR, STEMMA_ERROR_INVALID_ARGUMENT,
                   "index or origin of image %s is out of range", self->path);
      return FALSE;
    }

  return TRUE;
}

StmImage *
stm_image_with_backing (const StmImage *self, const char *backing)
{
  StmImage init = *self;

  init.backing = backing;
  return stm_image_new (&init);
}

GVariant *
stm_image_to_variant (const StmImage *self)
{
  return g_variant_new ("(ssusmsut)", self->path, self->target, self->index, self->format,
                        self->backing, (guint32) self->origin, self->capacity);
}

StmImage *
stm_image_from_variant (GVariant *variant)
{
  StmImage init = { 0 };
  guint32 origin;

  if (!stm_sound_variant (variant, STM_IMAGE_TYPE))
    return NULL;

  g_variant_get (variant, "(&s&su&sm&sut)", &init.path, &init.target, &init.index, &init.format,
                 &init.backing, &origin, &init.capacity);
  init.origin = origin;

  return stm_image_is_sound (&init, NULL) ? stm_image_new (&init) : NULL;
}

const char *
stm_image_origin_to_word (StmImageOrigin origin)
{
  g_return_val_if_fail ((guint) origin < G_N_ELEMENTS (origin_words), NULL);

  return origin_words[origin];
}

gboolean
stm_image_origin_from_word (const char *word, StmImageOrigin *out_origin)
{
  guint i;

  if (!stm_word_find (origin_words, G_N_ELEMENTS (origin_words), word, &i))
    return FALSE;
  if (out_origin != NULL)
    *out_origin = i;

  return TRUE;
}
