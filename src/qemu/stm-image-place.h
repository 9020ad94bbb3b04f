/* Places of images: their directories, reached under the path policy, and the errors of the file
 * system as ours.
 *
 * For the files of this folder that read and write images themselves. Worker threads only.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include "stm-path-policy.h"

#include <sys/stat.h>

/* A descriptor that is closed at the end of its scope; errno survives. */
typedef int StmOwnedFd;
void stm_owned_fd_clear (StmOwnedFd *fd);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (StmOwnedFd, stm_owned_fd_clear)

/* Sets the STEMMA_ERROR of an errno: NO_SPACE, READ_ONLY, NOT_FOUND, NOT_ALLOWED … with the text
 * and the system's words. */
void stm_image_place_set_error (GError **error, int number, const char *format, ...)
    G_GNUC_PRINTF (3, 4);

/* A descriptor (O_PATH) of the directory that holds `path`, when the policy allows the path. */
int stm_image_place_open (const StmPathPolicy *policy, const char *path, GError **error);

/* The last component of a path, for use with that descriptor. */
const char *stm_image_place_name (const char *path);

/* Opens for real what a descriptor of O_PATH stands for, whatever became of its name; -1 with
 * errno. */
int stm_image_place_reopen (int place_fd, int flags);

/* The names in a directory, sorted, without "." and ".."; TOO_MANY over a limit. `directory` is for
 * messages. */
GPtrArray *stm_image_place_list_names (int directory_fd, const char *directory, GError **error);

/* Makes the names in the directory durable; `path` is that of one of them, for messages. */
gboolean stm_image_place_sync (int directory_fd, const char *path, GError **error);

/* What makes two names one file, or one block device. */
typedef struct
{
  guint64 device, inode;
} StmFileIdentity;

StmFileIdentity stm_file_identity (const struct stat *found);
