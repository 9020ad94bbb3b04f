/* StmOptions: the strict reading of a method's `options` a{sv}.
 *
 * Take each key that the method knows, with its type and default; then end, which refuses what is
 * left. The first problem is kept and told by end, so that a handler checks once. What was taken is
 * valid as long as the options are.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include <gio/gio.h>

#define STM_OPTIONS_MAX 32
#define STM_MAX_NAME_BYTES 255
#define STM_MAX_DESCRIPTION_BYTES (16 * 1024)

typedef struct _StmOptions StmOptions;

StmOptions *stm_options_new (GVariant *options);
void stm_options_free (StmOptions *self);

gboolean stm_options_take_boolean (StmOptions *self, const char *key);
guint stm_options_take_uint32 (StmOptions *self, const char *key);
/* NULL when absent. */
const char *stm_options_take_object_path (StmOptions *self, const char *key);
/* NULL when absent; INVALID_ARGUMENT when longer than `max_bytes`. */
const char *stm_options_take_string (StmOptions *self, const char *key, gsize max_bytes);
/* The index of one of `words`, a NULL-terminated list; the first is the default. */
guint stm_options_take_word (StmOptions *self, const char *key, const char *const *words);
/* NULL when absent; at most `max_items` strings, each at most STM_MAX_NAME_BYTES long. */
const char *const *stm_options_take_strings (StmOptions *self, const char *key, gsize max_items);
/* NOT_SUPPORTED when it is there and true, with the way out. */
void stm_options_refuse_boolean (StmOptions *self, const char *key, const char *way_out);

/* INVALID_ARGUMENT, or another code of one of the above, naming the key. */
gboolean stm_options_end (StmOptions *self, GError **error);
/* For methods that know no key. */
gboolean stm_options_expect_none (GVariant *options, GError **error);

/* A text that stands in an argument: TOO_LARGE, or INVALID_ARGUMENT for control characters other
 * than tab and newline. `what` names the argument. */
gboolean stm_text_check (const char *what, const char *text, gsize max_bytes, GError **error);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (StmOptions, stm_options_free)
