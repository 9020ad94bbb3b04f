/* What is sound as text in a value: names, words, ids, free text, paths.
 *
 * One rule for what clients bring in and for what is read back from the store, so that nothing gets
 * into the model that could not be read again. Pure. Each check sets INVALID_ARGUMENT and names
 * `what` it looked at.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include <gio/gio.h>

#define STM_WORD_MAX 255           /* bytes of a name, a target, a format, a hash */
#define STM_TEXT_MAX (1024 * 1024) /* bytes of a title or a description */
#define STM_DISKS_MAX 1024         /* disks of a domain or of a moment */
#define STM_ROOTS_MAX 1024         /* approved directories of a domain */

/* Not empty, at most STM_WORD_MAX bytes of UTF-8, no '/', no control character. */
gboolean stm_sound_word (const char *what, const char *word, GError **error);
gboolean stm_sound_word_or_null (const char *what, const char *word, GError **error);
gboolean stm_sound_text (const char *what, const char *text, GError **error);
gboolean stm_sound_id (const char *what, const char *id, GError **error);
gboolean stm_sound_path (const char *what, const char *path, GError **error);
gboolean stm_sound_path_or_null (const char *what, const char *path, GError **error);

/* "qcow2" or "raw". */
gboolean stm_sound_image_format (const char *what, const char *format, GError **error);

/* Whether the variant is of the type and in normal form, as bytes from a disk need not be. */
gboolean stm_sound_variant (GVariant *variant, const GVariantType *type);

/* The place of a word in a table of words. */
gboolean
stm_word_find (const char *const *words, gsize n_words, const char *word, guint *out_index);

/* Whether a text in UTF-8 has a control character, of ASCII or not. */
gboolean stm_text_has_control (const char *text);
