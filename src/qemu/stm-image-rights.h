/* Who may read and write a new image: those who may read and write the one that it covers.
 *
 * Any thread that may wait for the disk.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include <glib.h>

/* Gives a new, still private file the owner, group, mode, access list and label of another, as far
 * as we may, and never more rights than that one gives. `path` is for messages. */
gboolean stm_image_rights_inherit (int fd, int covered_fd, const char *path, GError **error);
