/* The file side of the path policy: the one place that opens, makes, renames and removes images.
 *
 * Every function checks its paths against the policy first. A path below a root is resolved by the
 * root's directory descriptor and never leads out of it; a path that only an exact entry allows has
 * no link in it at all; the last component is never a link. (Below /dev it may be one, when the
 * policy names it in full and a block device stands behind it: the stable names of volumes are
 * links.) Worker threads only: these calls wait for the disk.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include "stm-path-policy.h"

#include <sys/stat.h>

/* Names begin with this while the service fills them: `.stemma-<plan id>-<target>`. */
#define STM_TEMPORARY_PREFIX ".stemma-"

typedef enum
{
  STM_IMAGE_READ,
  STM_IMAGE_WRITE, /* reading too */
} StmImageAccess;

/* A descriptor of a regular file or a block device, close-on-exec; -1 with NOT_FOUND, NOT_ALLOWED
 * (policy, a link, another kind of file, permission), READ_ONLY … Never hangs on a FIFO. */
int stm_image_file_open (const StmPathPolicy *policy, const char *path, StmImageAccess access,
                         GError **error);

/* Makes an empty file that did not exist, open for reading and writing, with owner, group, mode,
 * access list and label of the image behind `covered_fd` and never wider than it. ALREADY_EXISTS …
 */
int stm_image_file_create (const StmPathPolicy *policy, const char *path, int covered_fd,
                           GError **error);

/* Gives a finished file its final name in the same directory, never replacing: ALREADY_EXISTS. The
 * file was synced by the caller; the name is durable after stm_image_file_sync_directory(). */
gboolean stm_image_file_publish (const StmPathPolicy *policy, const char *temporary,
                                 const char *path, GError **error);

/* Whether the file may go, from its content: FALSE with CHAIN_BROKEN when not. */
typedef gboolean (*StmImageProof) (int fd, const char *path, gpointer user_data, GError **error);

/* Removes a regular file when the proof (NULL: its name alone proves it) says so. A file that is
 * not there is fine. The directory is synced in both cases. */
gboolean stm_image_file_unlink (const StmPathPolicy *policy, const char *path, StmImageProof proof,
                                gpointer user_data, GError **error);

/* Whether anything, of whatever kind, has this name. */
gboolean stm_image_file_exists (const StmPathPolicy *policy, const char *path, gboolean *out_exists,
                                GError **error);

/* Makes the content durable. */
gboolean stm_image_file_sync (int fd, const char *path, GError **error);
/* Makes the names in the directory that holds `path` durable. */
gboolean
stm_image_file_sync_directory (const StmPathPolicy *policy, const char *path, GError **error);

/* The canonical form of a path that an administrator named: links are followed, by his authority.
 * Regular files and block devices only; a path below /dev stays as it is, for what its links lead
 * to changes from boot to boot. NOT_FOUND, NOT_ALLOWED … */
char *stm_image_file_canonicalise (const char *path, GError **error);

/* The canonical form of a reference that the header of `image` makes: as stm_path_resolve(), and
 * where a file is there, by its real path, so that one file has one spelling. Opens nothing, allows
 * nothing: the result is for stm_image_file_open(), and for comparing with a record. NOT_ALLOWED as
 * stm_path_resolve(). */
char *stm_image_file_resolve (const char *image, const char *reference, GError **error);

/* The canonical form of a path that need not be one of an image that is there: its real path where
 * something is, else its name in the real path of its directory, else the path as it is. Opens
 * nothing, allows nothing. */
char *stm_image_file_spell (const char *path);

/* Virtual size of a raw image: of the file, in whole sectors as QEMU has it, or of the block
 * device. */
gboolean stm_image_file_get_size (int fd, const char *path, guint64 *out_size, GError **error);
/* Length of the file or block device, to the byte. */
gboolean stm_image_file_get_length (int fd, const char *path, guint64 *out_length, GError **error);

/* Reads exactly `length` bytes; CHAIN_BROKEN when the file ends before. */
gboolean stm_image_file_read_at (int fd, const char *path, gpointer buffer, gsize length,
                                 guint64 offset, GError **error);
