/* Copies rights from image to image.
 *
 * Called with descriptors alone, so no name can be exchanged underneath. Never gives a right that
 * the covered image does not give, also where the owner cannot be copied (a service that is not
 * root) or the file system knows no access lists.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "stm-image-rights.h"

#include "stm-image-place.h"

#include <errno.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#define ACCESS_LIST "system.posix_acl_access"
#define LABEL "security.selinux"
#define MAX_ATTRIBUTE_BYTES 65536 /* XATTR_SIZE_MAX of the kernel */

#define READ_WRITE (S_IRUSR | S_IWUSR | S_IRGRP | S_IWGRP | S_IROTH | S_IWOTH)

typedef enum
{
  COPY_DONE,
  COPY_NONE,   /* the covered image has none */
  COPY_FAILED, /* it has one, and ours could not be set */
} CopyResult;

static CopyResult
copy_attribute (int fd, int covered_fd, const char *name)
{
  g_autofree char *value = g_malloc (MAX_ATTRIBUTE_BYTES);
  ssize_t length = fgetxattr (covered_fd, name, value, MAX_ATTRIBUTE_BYTES);

  if (length < 0)
    return errno == ENODATA || errno == ENOTSUP ? COPY_NONE : COPY_FAILED;

  return fsetxattr (fd, name, value, (size_t) length, 0) == 0 ? COPY_DONE : COPY_FAILED;
}

/* Owner and group, and the mode that goes with those that could be set. Where the group stays ours,
 * it gets nothing, and the covered image's own group is now one of the others: they get no more
 * than it had. */
static gboolean
copy_owner (int fd, const struct stat *covered, const char *path, mode_t *out_mode, GError **error)
{
  mode_t mode = covered->st_mode & READ_WRITE;
  struct stat ours;

  if (fchown (fd, covered->st_uid, covered->st_gid) != 0
      && fchown (fd, (uid_t) -1, covered->st_gid) != 0 && errno != EPERM && errno != EINVAL)
    {
      stm_image_place_set_error (error, errno, "giving image %s its owner", path);
      return FALSE;
    }
  if (fstat (fd, &ours) != 0)
    {
      stm_image_place_set_error (error, errno, "reading the owner of image %s", path);
      return FALSE;
    }
  if (ours.st_gid != covered->st_gid)
    mode = (mode & (S_IRUSR | S_IWUSR)) | (mode & (mode >> 3) & (S_IROTH | S_IWOTH));
  /* Whoever owns it must be able to work with it; its maker holds it open anyway. */
  *out_mode = mode | S_IRUSR | S_IWUSR;

  return TRUE;
}

gboolean
stm_image_rights_inherit (int fd, int covered_fd, const char *path, GError **error)
{
  g_return_val_if_fail (fd >= 0 && covered_fd >= 0 && path != NULL, FALSE);

  struct stat covered;
  mode_t mode = 0;

  if (fstat (covered_fd, &covered) != 0)
    {
      stm_image_place_set_error (error, errno, "reading the rights of the image under %s", path);
      return FALSE;
    }
  if (!copy_owner (fd, &covered, path, &mode, error))
    return FALSE;

  /* A list that the directory gives to new files names people whom the covered image may not. */
  if (fremovexattr (fd, ACCESS_LIST) != 0 && errno != ENODATA && errno != ENOTSUP)
    {
      stm_image_place_set_error (error, errno, "clearing the access list of image %s", path);
      return FALSE;
    }
  /* With a list, the group bits of the mode are its mask and not the group's rights. */
  if (copy_attribute (fd, covered_fd, ACCESS_LIST) == COPY_FAILED)
    mode &= ~(mode_t) (S_IRGRP | S_IWGRP);
  /* Without the right to set labels the policy's own label for this directory holds. */
  (void) copy_attribute (fd, covered_fd, LABEL);
  if (fchmod (fd, mode) != 0)
    {
      stm_image_place_set_error (error, errno, "giving image %s its mode", path);
      return FALSE;
    }

  return TRUE;
}
