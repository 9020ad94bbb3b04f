/* Reaches the directories of images under the path policy.
 *
 * Called on workers. The kernel resolves below a directory descriptor and refuses what leads out
 * (openat2), so there is no gap between checking a path and using it. Never opens an image.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "stm-image-place.h"

#include "stemma-error.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Names in one directory. */
#define MAX_NAMES 20000

void
stm_owned_fd_clear (StmOwnedFd *fd)
{
  int saved = errno;

  if (*fd >= 0)
    close (*fd);
  errno = saved;
}

static StemmaError
code_of_errno (int number)
{
  switch (number)
    {
    case ENOSPC:
    case EDQUOT:
      return STEMMA_ERROR_NO_SPACE;
    case EROFS:
      return STEMMA_ERROR_READ_ONLY;
    case ENOENT:
    case ENOTDIR:
    case ENXIO:
    case ENODEV:
      return STEMMA_ERROR_NOT_FOUND;
    case EEXIST:
      return STEMMA_ERROR_ALREADY_EXISTS;
    case EACCES:
    case EPERM:
    case ELOOP: /* a link where none may be */
    case EXDEV: /* a link that leads out of its root */
      return STEMMA_ERROR_NOT_ALLOWED;
    case EFBIG:
    case ENAMETOOLONG:
      return STEMMA_ERROR_TOO_LARGE;
    case EMFILE:
    case ENFILE:
      return STEMMA_ERROR_TOO_MANY;
    case EBUSY:
    case ETXTBSY:
    case EWOULDBLOCK: /* held by a lease */
      return STEMMA_ERROR_IN_USE;
    case ENOSYS:
      return STEMMA_ERROR_NOT_SUPPORTED;
    default:
      return STEMMA_ERROR_FAILED;
    }
}

void
stm_image_place_set_error (GError **error, int number, const char *format, ...)
{
  va_list arguments;
  g_autofree char *text = NULL;

  va_start (arguments, format);
  text = g_strdup_vprintf (format, arguments);
  va_end (arguments);

  const char *words = number == ELOOP || number == EXDEV
                          ? "a symbolic link is in the way; name the file directly"
                          : g_strerror (number);

  g_set_error (error, STEMMA_ERROR, code_of_errno (number), "%s: %s", text, words);
}

static int
open_beneath (int directory_fd, const char *path, guint64 flags, guint64 resolve)
{
  struct open_how how = { .flags = flags | O_CLOEXEC, .resolve = resolve | RESOLVE_NO_MAGICLINKS };
  long fd;

  do
    fd = syscall (SYS_openat2, directory_fd, path, &how, sizeof how);
  while (fd < 0 && (errno == EINTR || errno == EAGAIN)); /* EAGAIN: a rename was under way */

  return (int) fd;
}

/* Below a root, links that stay in it are fine; the root itself is the administrator's word. Above
 * an exact path nobody approved anything, so it has no link. */
static int
open_parent (const char *root, const char *directory)
{
  if (root == NULL)
    return open_beneath (AT_FDCWD, directory, O_PATH | O_DIRECTORY, RESOLVE_NO_SYMLINKS);

  g_auto (StmOwnedFd) root_fd = open (root, O_PATH | O_DIRECTORY | O_CLOEXEC);
  const char *relative = directory + strlen (root);

  if (root_fd < 0)
    return -1;
  relative += strspn (relative, "/");

  return open_beneath (root_fd, *relative != '\0' ? relative : ".", O_PATH | O_DIRECTORY,
                       RESOLVE_BENEATH);
}

/* The last component, for use with the directory's descriptor. */
const char *
stm_image_place_name (const char *path)
{
  const char *slash = strrchr (path, '/');

  return slash != NULL ? slash + 1 : path;
}

int
stm_image_place_open (const StmPathPolicy *policy, const char *path, GError **error)
{
  if (!stm_path_policy_check (policy, path, error))
    return -1;

  g_autofree char *directory = g_path_get_dirname (path);
  int fd = open_parent (stm_path_policy_root_of (policy, path), directory);

  if (fd < 0)
    stm_image_place_set_error (error, errno, "opening the directory of image %s", path);

  return fd;
}

/* Reopens a place for real; magic links of /proc name what the descriptor holds, whatever became of
 * its name. */
int
stm_image_place_reopen (int place_fd, int flags)
{
  char link[64];

  g_snprintf (link, sizeof link, "/proc/self/fd/%d", place_fd);
  return open (link, flags | O_CLOEXEC);
}

static int
compare_names (gconstpointer a, gconstpointer b)
{
  return strcmp (*(const char *const *) a, *(const char *const *) b);
}

static gboolean
collect_names (DIR *stream, const char *directory, GPtrArray *names, GError **error)
{
  for (;;)
    {
      errno = 0;

      const struct dirent *entry = readdir (stream);

      if (entry == NULL && errno == 0)
        return TRUE;
      if (entry == NULL)
        {
          stm_image_place_set_error (error, errno, "listing directory %s", directory);
          return FALSE;
        }
      if (strcmp (entry->d_name, ".") == 0 || strcmp (entry->d_name, "..") == 0)
        continue;
      if (names->len == MAX_NAMES)
        {
          g_set_error (error, STEMMA_ERROR, STEMMA_ERROR_TOO_MANY,
                       "directory %s holds more than %d files, too many to look for images that "
                       "stand on others; move what does not belong to the machine elsewhere",
                       directory, MAX_NAMES);
          return FALSE;
        }
      g_ptr_array_add (names, g_strdup (entry->d_name));
    }
}

GPtrArray *
stm_image_place_list_names (int directory_fd, const char *directory, GError **error)
{
  g_return_val_if_fail (directory_fd >= 0 && directory != NULL, NULL);

  g_autoptr (GPtrArray) names = g_ptr_array_new_with_free_func (g_free);
  /* A descriptor of its own: a duplicate would share the reading position. */
  g_auto (StmOwnedFd) fd = openat (directory_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  DIR *stream = fd >= 0 ? fdopendir (fd) : NULL;

  if (stream == NULL)
    {
      stm_image_place_set_error (error, errno, "listing directory %s", directory);
      return NULL;
    }
  fd = -1; /* the stream's now */

  gboolean is_complete = collect_names (stream, directory, names, error);

  closedir (stream);
  if (!is_complete)
    return NULL;
  g_ptr_array_sort (names, compare_names);

  return g_steal_pointer (&names);
}

gboolean
stm_image_place_sync (int place_fd, const char *path, GError **error)
{
  g_auto (StmOwnedFd) fd = stm_image_place_reopen (place_fd, O_RDONLY | O_DIRECTORY);

  if (fd >= 0 && fsync (fd) == 0)
    return TRUE;
  stm_image_place_set_error (error, errno, "writing the directory of %s to disk", path);
  return FALSE;
}

/* A device has as many nodes as one likes, each with an inode of its own. */
StmFileIdentity
stm_file_identity (const struct stat *found)
{
  if (S_ISBLK (found->st_mode))
    return (StmFileIdentity){ .device = G_MAXUINT64, .inode = found->st_rdev };

  return (StmFileIdentity){ .device = found->st_dev, .inode = found->st_ino };
}
