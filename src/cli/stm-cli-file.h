/* Documents from files and stdin.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include <glib.h>

/* The text of a file, of stdin for "-". INVALID_XML when it is not text, TOO_LARGE, or FAILED. */
char *stm_cli_file_read_text (const char *path, GError **error);

/* Documents, char *, from files, directories (their *.xml files by name) and "-" (one, or many each
 * ended by a NUL byte). Not empty. `out_size` is that of all with a byte after each. */
GPtrArray *
stm_cli_file_read_documents (char **paths, guint n_paths, guint64 *out_size, GError **error);

/* Says of a refusal of the service which file it is about, when it is for what stands in it. */
void stm_cli_file_blame (const char *path, GError **error);
