/* Opens, makes, names and removes image files under the path policy.
 *
 * Called on workers. A file is first opened as a mere place (O_PATH), looked at, and only then
 * opened for real: opening a FIFO would hang, opening some devices does things. Never replaces a
 * file, never follows a link out of a root.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "stm-image-file.h"

#include "stm-image-place.h"
#include "stm-image-rights.h"

#include "stemma-error.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define SECTOR_SIZE G_GUINT64_CONSTANT (512)

/* Where names are made by the system alone; memory files are anybody's. */
#define DEVICE_DIRECTORY "/dev/"
#define MEMORY_DIRECTORY "/dev/shm/"

/* --- opening ---------------------------------------------------------------------------------- */

static gboolean
check_kind (const struct stat *found, const char *path, GError **error)
{
  if (S_ISREG (found->st_mode) || S_ISBLK (found->st_mode))
    return TRUE;
  if (S_ISLNK (found->st_mode))
    stm_image_place_set_error (error, ELOOP, "opening image %s", path);
  else
    g_set_error (error, STEMMA_ERROR, STEMMA_ERROR_NOT_ALLOWED,
                 "opening image %s: it is neither a regular file nor a block device", path);

  return FALSE;
}

static gboolean
look_at (int place_fd, const char *path, GError **error)
{
  struct stat found;

  if (fstat (place_fd, &found) != 0)
    {
      stm_image_place_set_error (error, errno, "looking at image %s", path);
      return FALSE;
    }

  return check_kind (&found, path, error);
}

/* Not to wait for the holder of a lease: O_NONBLOCK, which then goes again, for those who get the
 * descriptor. */
static int
open_for_access (int place_fd, const char *path, StmImageAccess access, GError **error)
{
  int flags = access == STM_IMAGE_WRITE ? O_RDWR : O_RDONLY;
  g_auto (StmOwnedFd) fd = stm_image_place_reopen (place_fd, flags | O_NONBLOCK);

  if (fd < 0 || fcntl (fd, F_SETFL, flags) != 0)
    {
      stm_image_place_set_error (error, errno, "opening image %s", path);
      return -1;
    }

  return g_steal_fd (&fd);
}

/* The stable names of volumes (/dev/vg/lv, /dev/disk/by-id/…) are links made by the system, to
 * nodes whose numbers change. */
static gboolean
is_device_path (const char *path)
{
  return g_str_has_prefix (path, DEVICE_DIRECTORY) && !g_str_has_prefix (path, MEMORY_DIRECTORY);
}

static gboolean
is_named_device (const StmPathPolicy *policy, const char *path)
{
  return is_device_path (path) && g_strv_contains (policy->exact, path);
}

static int
open_named_device (const char *path, GError **error)
{
  g_auto (StmOwnedFd) place_fd = open (path, O_PATH | O_CLOEXEC);
  struct stat found;

  if (place_fd < 0 || fstat (place_fd, &found) != 0)
    {
      stm_image_place_set_error (error, errno, "opening block device %s", path);
      return -1;
    }
  if (!S_ISBLK (found.st_mode))
    {
      g_set_error (error, STEMMA_ERROR, STEMMA_ERROR_NOT_ALLOWED,
                   "opening %s: below /dev only block devices are images", path);
      return -1;
    }

  return g_steal_fd (&place_fd);
}

static int
open_image_place (const StmPathPolicy *policy, const char *path, GError **error)
{
  if (is_named_device (policy, path))
    return open_named_device (path, error);

  g_auto (StmOwnedFd) directory_fd = stm_image_place_open (policy, path, error);

  if (directory_fd < 0)
    return -1;

  g_auto (StmOwnedFd)
      fd = openat (directory_fd, stm_image_place_name (path), O_PATH | O_NOFOLLOW | O_CLOEXEC);

  if (fd < 0)
    {
      stm_image_place_set_error (error, errno, "opening image %s", path);
      return -1;
    }

  return look_at (fd, path, error) ? g_steal_fd (&fd) : -1;
}

int
stm_image_file_open (const StmPathPolicy *policy, const char *path, StmImageAccess access,
                     GError **error)
{
  g_return_val_if_fail (policy != NULL && path != NULL, -1);

  g_auto (StmOwnedFd) place_fd = open_image_place (policy, path, error);

  return place_fd >= 0 ? open_for_access (place_fd, path, access, error) : -1;
}

gboolean
stm_image_file_exists (const StmPathPolicy *policy, const char *path, gboolean *out_exists,
                       GError **error)
{
  g_return_val_if_fail (policy != NULL && path != NULL && out_exists != NULL, FALSE);

  g_auto (StmOwnedFd) directory_fd = stm_image_place_open (policy, path, error);
  struct stat found;

  if (directory_fd < 0)
    return FALSE;

  gboolean exists = fstatat (directory_fd, stm_image_place_name (path), &found, AT_SYMLINK_NOFOLLOW)
                    == 0;

  if (!exists && errno != ENOENT)
    {
      stm_image_place_set_error (error, errno, "looking for %s", path);
      return FALSE;
    }
  *out_exists = exists;

  return TRUE;
}

/* --- making and naming ------------------------------------------------------------------------ */

int
stm_image_file_create (const StmPathPolicy *policy, const char *path, int covered_fd,
                       GError **error)
{
  g_return_val_if_fail (policy != NULL && path != NULL && covered_fd >= 0, -1);

  g_auto (StmOwnedFd) directory_fd = stm_image_place_open (policy, path, error);

  if (directory_fd < 0)
    return -1;

  /* Private until it has the rights that it shall have. */
  g_auto (StmOwnedFd) fd = openat (directory_fd, stm_image_place_name (path),
                                   O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);

  if (fd < 0)
    {
      stm_image_place_set_error (error, errno, "making image %s", path);
      return -1;
    }
  if (!stm_image_rights_inherit (fd, covered_fd, path, error))
    {
      (void) unlinkat (directory_fd, stm_image_place_name (path), 0);
      return -1;
    }

  return g_steal_fd (&fd);
}

gboolean
stm_image_file_sync (int fd, const char *path, GError **error)
{
  g_return_val_if_fail (fd >= 0 && path != NULL, FALSE);

  if (fsync (fd) == 0)
    return TRUE;
  stm_image_place_set_error (error, errno, "writing image %s to disk", path);
  return FALSE;
}

gboolean
stm_image_file_sync_directory (const StmPathPolicy *policy, const char *path, GError **error)
{
  g_return_val_if_fail (policy != NULL && path != NULL, FALSE);

  g_auto (StmOwnedFd) place_fd = stm_image_place_open (policy, path, error);

  return place_fd >= 0 && stm_image_place_sync (place_fd, path, error);
}

/* Some network file systems cannot rename without replacing; a second name cannot replace either.
 * A crash between the two leaves both names, each of which recovery knows. */
static gboolean
rename_without_replacing (int directory_fd, const char *from, const char *to)
{
  if (renameat2 (directory_fd, from, directory_fd, to, RENAME_NOREPLACE) == 0)
    return TRUE;
  if (errno != EINVAL && errno != ENOSYS)
    return FALSE;

  return linkat (directory_fd, from, directory_fd, to, 0) == 0
         && unlinkat (directory_fd, from, 0) == 0;
}

gboolean
stm_image_file_publish (const StmPathPolicy *policy, const char *temporary, const char *path,
                        GError **error)
{
  g_return_val_if_fail (policy != NULL && temporary != NULL && path != NULL, FALSE);

  g_auto (StmOwnedFd) place_fd = -1;
  gsize directory_length = (gsize) (stm_image_place_name (path) - path);

  g_return_val_if_fail (strncmp (temporary, path, directory_length) == 0
                            && strchr (temporary + directory_length, '/') == NULL,
                        FALSE);

  if (!stm_path_policy_check (policy, temporary, error))
    return FALSE;
  place_fd = stm_image_place_open (policy, path, error);
  if (place_fd < 0)
    return FALSE;
  if (!rename_without_replacing (place_fd, stm_image_place_name (temporary),
                                 stm_image_place_name (path)))
    {
      stm_image_place_set_error (error, errno, "giving image %s its name", path);
      return FALSE;
    }

  return TRUE;
}

/* --- removing --------------------------------------------------------------------------------- */

/* Between the proof and the removal the name could be given to another file; the kernel cannot
 * remove by descriptor, so this looks once more, as late as it can be done. */
static gboolean
is_still (int directory_fd, const char *name, int fd)
{
  struct stat opened, named;

  return fstat (fd, &opened) == 0 && fstatat (directory_fd, name, &named, AT_SYMLINK_NOFOLLOW) == 0
         && opened.st_dev == named.st_dev && opened.st_ino == named.st_ino;
}

static gboolean
prove (int place_fd, const char *path, StmImageProof proof, gpointer user_data, GError **error)
{
  struct stat found;

  if (fstat (place_fd, &found) != 0 || !S_ISREG (found.st_mode))
    {
      g_set_error (error, STEMMA_ERROR, STEMMA_ERROR_CHAIN_BROKEN,
                   "removing image %s: there is no regular file of this name but something else; "
                   "it stays",
                   path);
      return FALSE;
    }
  if (proof == NULL)
    return TRUE;

  g_auto (StmOwnedFd) fd = open_for_access (place_fd, path, STM_IMAGE_READ, error);

  return fd >= 0 && proof (fd, path, user_data, error);
}

static gboolean
unlink_proven (int directory_fd, const char *path, StmImageProof proof, gpointer user_data,
               GError **error)
{
  const char *name = stm_image_place_name (path);
  g_auto (StmOwnedFd) place_fd = openat (directory_fd, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);

  if (place_fd < 0 && errno == ENOENT)
    return TRUE;
  if (place_fd < 0)
    {
      stm_image_place_set_error (error, errno, "removing image %s", path);
      return FALSE;
    }
  if (!prove (place_fd, path, proof, user_data, error))
    return FALSE;
  if (!is_still (directory_fd, name, place_fd))
    {
      g_set_error (error, STEMMA_ERROR, STEMMA_ERROR_CHAIN_BROKEN,
                   "removing image %s: another file took its name meanwhile; it stays", path);
      return FALSE;
    }
  if (unlinkat (directory_fd, name, 0) != 0 && errno != ENOENT)
    {
      stm_image_place_set_error (error, errno, "removing image %s", path);
      return FALSE;
    }

  return TRUE;
}

gboolean
stm_image_file_unlink (const StmPathPolicy *policy, const char *path, StmImageProof proof,
                       gpointer user_data, GError **error)
{
  g_return_val_if_fail (policy != NULL && path != NULL, FALSE);

  g_auto (StmOwnedFd) directory_fd = stm_image_place_open (policy, path, error);

  /* Synced also when it is gone already: the removal may have been a crash ago. */
  return directory_fd >= 0 && unlink_proven (directory_fd, path, proof, user_data, error)
         && stm_image_place_sync (directory_fd, path, error);
}

/* --- paths that an administrator names -------------------------------------------------------- */

static char *
read_real_path (int place_fd, const char *path, GError **error)
{
  char link[64];
  g_autoptr (GError) local = NULL;

  g_snprintf (link, sizeof link, "/proc/self/fd/%d", place_fd);

  g_autofree char *real = g_file_read_link (link, &local);

  if (real == NULL)
    {
      g_set_error (error, STEMMA_ERROR, STEMMA_ERROR_FAILED, "finding the real path of %s: %s",
                   path, local->message);
      return NULL;
    }

  return stm_path_is_plain (real, error) ? g_steal_pointer (&real) : NULL;
}

/* Opens as a place only, so that nothing happens to what is there. */
static char *
find_real_path (const char *as_opened, const char *path, GError **error)
{
  g_auto (StmOwnedFd) place_fd = open (as_opened, O_PATH | O_CLOEXEC);

  if (place_fd < 0)
    {
      stm_image_place_set_error (error, errno, "opening image %s", path);
      return NULL;
    }
  if (!look_at (place_fd, path, error))
    return NULL;
  if (is_device_path (path))
    return g_strdup (path);

  return read_real_path (place_fd, path, error);
}

/* The name in the real path of its directory; NULL when that is not there. */
static char *
find_real_place (const char *path)
{
  g_autofree char *directory = g_path_get_dirname (path);
  g_auto (StmOwnedFd) place_fd = open (directory, O_PATH | O_DIRECTORY | O_CLOEXEC);
  g_autofree char *real = place_fd >= 0 ? read_real_path (place_fd, directory, NULL) : NULL;

  return real != NULL ? g_build_filename (real, stm_image_place_name (path), NULL) : NULL;
}

char *
stm_image_file_spell (const char *path)
{
  g_return_val_if_fail (path != NULL, NULL);

  if (is_device_path (path) || !stm_path_is_plain (path, NULL))
    return g_strdup (path);

  /* Whatever it is: that it can be no image is for those to say who open what is allowed. */
  g_auto (StmOwnedFd) place_fd = open (path, O_PATH | O_CLOEXEC);
  char *real = place_fd >= 0 ? read_real_path (place_fd, path, NULL) : NULL;

  if (real == NULL)
    real = find_real_place (path);

  return real != NULL ? real : g_strdup (path);
}

char *
stm_image_file_canonicalise (const char *path, GError **error)
{
  g_return_val_if_fail (path != NULL, NULL);

  return stm_path_is_plain (path, error) ? find_real_path (path, path, error) : NULL;
}

char *
stm_image_file_resolve (const char *image, const char *reference, GError **error)
{
  g_return_val_if_fail (image != NULL && reference != NULL, NULL);

  g_autofree char *path = stm_path_resolve (image, reference, error);

  if (path == NULL)
    return NULL;

  /* As every other program opens it: to the kernel ".." after a link leads to another place than
   * to the text. */
  g_autofree char *directory = g_path_get_dirname (image);
  g_autofree char *as_opened = *reference == '/' ? g_strdup (reference)
                                                 : g_strconcat (directory, "/", reference, NULL);
  char *real = find_real_path (as_opened, path, NULL);

  return real != NULL ? real : g_steal_pointer (&path);
}

gboolean
stm_image_file_get_length (int fd, const char *path, guint64 *out_length, GError **error)
{
  g_return_val_if_fail (fd >= 0 && path != NULL && out_length != NULL, FALSE);

  struct stat found;
  guint64 length = 0;

  if (fstat (fd, &found) != 0
      || (S_ISBLK (found.st_mode) && ioctl (fd, BLKGETSIZE64, &length) != 0))
    {
      stm_image_place_set_error (error, errno, "reading the length of image %s", path);
      return FALSE;
    }
  *out_length = S_ISBLK (found.st_mode) ? length : (guint64) found.st_size;

  return TRUE;
}

gboolean
stm_image_file_get_size (int fd, const char *path, guint64 *out_size, GError **error)
{
  guint64 length = 0;

  if (!stm_image_file_get_length (fd, path, &length, error))
    return FALSE;
  /* What is missing of the last sector reads as zeros. */
  *out_size = (length + SECTOR_SIZE - 1) / SECTOR_SIZE * SECTOR_SIZE;

  return TRUE;
}

gboolean
stm_image_file_read_at (int fd, const char *path, gpointer buffer, gsize length, guint64 offset,
                        GError **error)
{
  g_return_val_if_fail (fd >= 0 && path != NULL && buffer != NULL, FALSE);

  gsize done = 0;

  while (done < length && offset + done <= G_MAXINT64)
    {
      ssize_t n = pread (fd, (char *) buffer + done, length - done, (off_t) (offset + done));

      if (n < 0 && errno == EINTR)
        continue;
      if (n < 0)
        {
          stm_image_place_set_error (error, errno, "reading image %s", path);
          return FALSE;
        }
      if (n == 0)
        break;
      done += (gsize) n;
    }
  if (done == length)
    return TRUE;

  g_set_error (error, STEMMA_ERROR, STEMMA_ERROR_CHAIN_BROKEN,
               "reading image %s: the file is cut off; restore it from a copy", path);
  return FALSE;
}
