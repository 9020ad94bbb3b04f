/* The checks on text that values are made of.
 *
 * Called by the values of core/ and by the model, on any thread. Looks at its arguments only, never
 * at a file.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "stm-sound.h"

#include "stemma-error.h"
#include "stm-id.h"
#include "stm-path-policy.h"

#include <string.h>

static gboolean
refuse (const char *what, const char *why, GError **error)
{
  g_set_error (error, STEMMA_ERROR, STEMMA_ERROR_INVALID_ARGUMENT, "%s %s", what, why);
  return FALSE;
}

gboolean
stm_sound_word (const char *what, const char *word, GError **error)
{
  if (word == NULL || *word == '\0')
    return refuse (what, "is empty", error);
  if (strnlen (word, STM_WORD_MAX + 1) > STM_WORD_MAX)
    return refuse (what, "is longer than 255 bytes", error);
  if (!g_utf8_validate (word, -1, NULL))
    return refuse (what, "is not UTF-8", error);
  if (strchr (word, '/') != NULL)
    return refuse (what, "has a '/'", error);
  if (stm_text_has_control (word))
    return refuse (what, "has a control character", error);

  return TRUE;
}

gboolean
stm_sound_word_or_null (const char *what, const char *word, GError **error)
{
  return word == NULL || stm_sound_word (what, word, error);
}

gboolean
stm_sound_text (const char *what, const char *text, GError **error)
{
  if (text == NULL)
    return refuse (what, "is missing", error);
  if (strnlen (text, STM_TEXT_MAX + 1) > STM_TEXT_MAX)
    return refuse (what, "is longer than 1 MiB", error);
  if (!g_utf8_validate (text, -1, NULL))
    return refuse (what, "is not UTF-8", error);

  return TRUE;
}

gboolean
stm_sound_id (const char *what, const char *id, GError **error)
{
  return stm_id_is_valid (id) || refuse (what, "is not 32 lower-case hexadecimal digits", error);
}

gboolean
stm_sound_path (const char *what, const char *path, GError **error)
{
  if (path == NULL)
    return refuse (what, "is missing", error);

  return stm_path_is_plain (path, NULL)
         || refuse (what, "is not an absolute path in canonical form", error);
}

gboolean
stm_sound_path_or_null (const char *what, const char *path, GError **error)
{
  return path == NULL || stm_sound_path (what, path, error);
}

gboolean
stm_sound_image_format (const char *what, const char *format, GError **error)
{
  return g_strcmp0 (format, "qcow2") == 0 || g_strcmp0 (format, "raw") == 0
         || refuse (what, "is neither qcow2 nor raw", error);
}

gboolean
stm_sound_variant (GVariant *variant, const GVariantType *type)
{
  return variant != NULL && g_variant_is_of_type (variant, type)
         && g_variant_is_normal_form (variant);
}

gboolean
stm_word_find (const char *const *words, gsize n_words, const char *word, guint *out_index)
{
  for (guint i = 0; i < n_words; i++)
    if (g_strcmp0 (words[i], word) == 0)
      {
        *out_index = i;
        return TRUE;
      }

  return FALSE;
}

/* Most text is ASCII, and is looked at once for each value that is read at start. */
gboolean
stm_text_has_control (const char *text)
{
  while (*text != '\0')
    if ((guchar) *text < 0x80)
      {
        if (g_ascii_iscntrl (*text))
          return TRUE;
        text++;
      }
    else
      {
        if (g_unichar_iscntrl (g_utf8_get_char (text)))
          return TRUE;
        text = g_utf8_next_char (text);
      }

  return FALSE;
}
