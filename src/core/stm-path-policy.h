/* StmPathPolicy: the one rule on every path in every document, option and image header.
 *
 * Pure: looks at text only. The file side (opening below a directory without following links out
 * of it) is in qemu/, which takes this value. Immutable, reference counted.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include <gio/gio.h>

typedef struct _StmPathPolicy
{
  const char *const *roots; /* directories; everything below them is allowed */
  const char *const *exact; /* images named in full */
} StmPathPolicy;

StmPathPolicy *stm_path_policy_new (const char *const *roots, const char *const *exact);
StmPathPolicy *stm_path_policy_ref (const StmPathPolicy *self);
void stm_path_policy_unref (StmPathPolicy *self);

/* Whether a text is an absolute path in canonical form: no empty, "." or ".." component, no control
 * character, at most PATH_MAX. NOT_ALLOWED else. Anything that QEMU would read as a protocol
 * ("json:", "nbd:", "fat:" …) is not absolute and so refused. */
gboolean stm_path_is_plain (const char *path, GError **error);

/* The canonical form of a reference found in the header of `image`: absolute as it is, relative
 * against the directory of the image, "." and ".." resolved as text. NULL with NOT_ALLOWED for a
 * protocol, a json: string or control characters. */
char *stm_path_resolve (const char *image, const char *reference, GError **error);

/* Whether the policy allows a plain path. NOT_ALLOWED with the way out when not. */
gboolean stm_path_policy_check (const StmPathPolicy *self, const char *path, GError **error);

/* The root below which the path lies, or NULL when only an exact entry allows it. */
const char *stm_path_policy_root_of (const StmPathPolicy *self, const char *path);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (StmPathPolicy, stm_path_policy_unref)
