/* Looks at QEMU's locks on image files.
 *
 * Any thread; never waits, never locks. QEMU's scheme, the same since 2.10: a process that has a
 * permission locks the byte BASE_USED + permission for reading, one that forbids it to others the
 * byte BASE_FORBIDDEN + permission.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "stm-image-lock.h"

#include "stemma-error.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#define BASE_USED 100
#define BASE_FORBIDDEN 200
#define PERMISSION_WRITE 1
#define PERMISSION_RESIZE 3

static gboolean
is_locked (int fd, off_t byte)
{
  struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = byte, .l_len = 1 };

  /* A file system without locks has none; QEMU goes without them there, too. */
  return fcntl (fd, F_OFD_GETLK, &lock) == 0 && lock.l_type != F_UNLCK;
}

gboolean
stm_image_lock_check (int fd, const char *path, StmImageAccess access, GError **error)
{
  g_return_val_if_fail (fd >= 0 && path != NULL, FALSE);

  if (is_locked (fd, BASE_USED + PERMISSION_WRITE) || is_locked (fd, BASE_USED + PERMISSION_RESIZE))
    {
      g_set_error (error, STEMMA_ERROR, STEMMA_ERROR_IN_USE,
                   "image %s is open for writing in another process; end the machine or program "
                   "that uses it",
                   path);
      return FALSE;
    }
  if (access == STM_IMAGE_WRITE
      && (is_locked (fd, BASE_FORBIDDEN + PERMISSION_WRITE)
          || is_locked (fd, BASE_FORBIDDEN + PERMISSION_RESIZE)))
    {
      g_set_error (error, STEMMA_ERROR, STEMMA_ERROR_IN_USE,
                   "image %s is open in another process, which relies on it not to change; end the "
                   "machine or program that uses it",
                   path);
      return FALSE;
    }

  return TRUE;
}
