/* StmImage: makes, compares and serializes the record of one image file.
 *
 * Called by everybody, on any thread: the value never changes once made. Never looks at a file.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "stm-image.h"

#include "stemma-error.h"
#include "stm-sound.h"

#include <string.h>

/* Indexed by StmImageOrigin. */
static const char *const origin_words[] = { "backing", "disk", "made" };

G_STATIC_ASSERT (G_N_ELEMENTS (origin_words) == STM_IMAGE_MADE + 1);

static gsize
bytes_of (const char *text)
{
  return text != NULL ? strlen (text) + 1 : 0;
}

/* Copies a text to the free end of what is being filled. */
static const char *
pack (char **inout_end, const char *text)
{
  gsize n = bytes_of (text);

  if (n == 0)
    return NULL;

  char *copy = memcpy (*inout_end, text, n);

  *inout_end += n;
  return copy;
}

/* One allocation for all: there may be very many of them. */
StmImage *
stm_image_new (const StmImage *init)
{
  g_return_val_if_fail (init != NULL && init->path != NULL, NULL);

  StmImage *self = g_atomic_rc_box_alloc (sizeof *self + bytes_of (init->path)
                                          + bytes_of (init->target) + bytes_of (init->format)
                                          + bytes_of (init->backing));
  char *end = (char *) (self + 1);

  *self = *init;
  self->path = pack (&end, init->path);
  self->target = pack (&end, init->target);
  self->format = pack (&end, init->format);
  self->backing = pack (&end, init->backing);

  return self;
}

StmImage *
stm_image_ref (const StmImage *self)
{
  g_return_val_if_fail (self != NULL, NULL);

  return g_atomic_rc_box_acquire ((StmImage *) self);
}

void
stm_image_unref (StmImage *self)
{
  if (self != NULL)
    g_atomic_rc_box_release (self);
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
