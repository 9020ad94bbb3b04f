/* Looks after the files of the store: private to us, made whole or not at all, copied when they
 * must not be touched.
 *
 * By the thread that opens the store. Never opens the database file itself where it lies while
 * SQLite may have it: closing any descriptor of a file drops all locks of the process on it.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "stm-state-directory.h"

#include "stemma-error.h"

#include <gio/gio.h>
#include <glib/gstdio.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define DIRECTORY_MODE 0700
#define FILE_MODE 0600

struct _StmStateDirectory
{
  char *path;
  int fd;
};

/* What SQLite may leave beside a database. */
static const char *const side_suffixes[] = { "-wal", "-shm", "-journal" };

static gboolean
fail (GError **error, const char *what, const char *path, int number)
{
  StemmaError code = STEMMA_ERROR_FAILED;

  if (number == ENOSPC || number == EDQUOT)
    code = STEMMA_ERROR_NO_SPACE;
  else if (number == EROFS || number == EACCES || number == EPERM)
    code = STEMMA_ERROR_READ_ONLY;
  g_set_error (error, STEMMA_ERROR, code, "cannot %s %s for the store: %s", what, path,
               g_strerror (number));
  return FALSE;
}

StmStateDirectory *
stm_state_directory_open (const char *path, GError **error)
{
  g_autoptr (StmStateDirectory) self = g_new0 (StmStateDirectory, 1);

  self->fd = -1;
  if (g_mkdir_with_parents (path, DIRECTORY_MODE) != 0)
    {
      fail (error, "make directory", path, errno);
      return NULL;
    }

  /* From malloc() as GLib has it. */
  self->path = realpath (path, /* resolved= */ NULL);
  if (self->path != NULL)
    self->fd = open (self->path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  if (self->fd < 0)
    {
      fail (error, "open directory", path, errno);
      return NULL;
    }
  if (flock (self->fd, LOCK_EX | LOCK_NB) == 0)
    return g_steal_pointer (&self);

  if (errno == EWOULDBLOCK)
    g_set_error (error, STEMMA_ERROR, STEMMA_ERROR_BUSY,
                 "cannot open the store in %s: another process is opening it, end that one first",
                 path);
  else
    fail (error, "lock directory", path, errno);
  return NULL;
}

void
stm_state_directory_free (StmStateDirectory *self)
{
  if (self == NULL)
    return;

  if (self->fd >= 0)
    close (self->fd);
  free (self->path);
  g_free (self);
}

const char *
stm_state_directory_get_path (const StmStateDirectory *self)
{
  return self->path;
}

static gboolean
exists (const StmStateDirectory *self, const char *name, const char *suffix)
{
  g_autofree char *full = g_strconcat (name, suffix, NULL);
  struct stat status;

  return fstatat (self->fd, full, &status, AT_SYMLINK_NOFOLLOW) == 0;
}

StmFileState
stm_state_directory_look (const StmStateDirectory *self, const char *name)
{
  struct stat status;

  /* SQLite would roll a journal back into the file, and it removes or replays the log of a database
   * that is empty or new. */
  if (exists (self, name, "-journal"))
    return STM_FILE_REMAINS;
  if (fstatat (self->fd, name, &status, AT_SYMLINK_NOFOLLOW) != 0)
    return errno == ENOENT && !exists (self, name, "-wal") ? STM_FILE_ABSENT : STM_FILE_REMAINS;
  if (!S_ISREG (status.st_mode))
    return STM_FILE_STRANGE;

  return status.st_size == 0 ? STM_FILE_EMPTY : STM_FILE_PRESENT;
}

/* Takes the rights of others away; errno says why it cannot. The umask may have widened nothing,
 * but a copy from a backup has whatever mode it was given. */
static gboolean
narrow (const StmStateDirectory *self, const char *name, mode_t mode)
{
  struct stat status;

  if (fstatat (self->fd, name, &status, AT_SYMLINK_NOFOLLOW) != 0)
    return errno == ENOENT;
  if ((status.st_mode & 07777 & ~mode) == 0 || S_ISLNK (status.st_mode))
    return TRUE;

  return fchmodat (self->fd, name, mode, /* flags= */ 0) == 0;
}

static gboolean
narrow_sides (const StmStateDirectory *self, const char *name)
{
  for (gsize i = 0; i < G_N_ELEMENTS (side_suffixes); i++)
    {
      g_autofree char *side = g_strconcat (name, side_suffixes[i], NULL);

      if (!narrow (self, side, FILE_MODE))
        return FALSE;
    }

  return TRUE;
}

char *
stm_state_directory_find_obstacle (const StmStateDirectory *self, const char *name)
{
  if (faccessat (self->fd, ".", W_OK | X_OK, AT_EACCESS) != 0)
    return g_strdup_printf ("%s cannot be written (%s)", self->path, g_strerror (errno));
  if (faccessat (self->fd, name, R_OK | W_OK, AT_EACCESS) != 0 && errno != ENOENT)
    return g_strdup_printf ("%s/%s cannot be written (%s)", self->path, name, g_strerror (errno));
  if (!narrow (self, ".", DIRECTORY_MODE))
    return g_strdup_printf ("%s is open to others and cannot be closed to them (%s)", self->path,
                            g_strerror (errno));
  if (!narrow (self, name, FILE_MODE) || !narrow_sides (self, name))
    return g_strdup_printf ("%s/%s is open to others and cannot be closed to them (%s)", self->path,
                            name, g_strerror (errno));

  return NULL;
}

gboolean
stm_state_directory_make_file (const StmStateDirectory *self, const char *name, GError **error)
{
  g_autofree char *path = g_build_filename (self->path, name, NULL);
  int fd;

  for (gsize i = 0; i < G_N_ELEMENTS (side_suffixes); i++)
    {
      g_autofree char *side = g_strconcat (name, side_suffixes[i], NULL);

      unlinkat (self->fd, side, /* flags= */ 0);
    }
  unlinkat (self->fd, name, /* flags= */ 0);

  fd = openat (self->fd, name, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, FILE_MODE);
  if (fd < 0)
    return fail (error, "make file", path, errno);

  /* A umask takes away more than it should. */
  int result = fchmod (fd, FILE_MODE);
  int number = errno;

  close (fd);
  return result == 0 || fail (error, "set the mode of file", path, number);
}

gboolean
stm_state_directory_rename (const StmStateDirectory *self, const char *from, const char *to,
                            GError **error)
{
  g_autofree char *path = g_build_filename (self->path, to, NULL);

  if (renameat2 (self->fd, from, self->fd, to, RENAME_NOREPLACE) != 0)
    return fail (error, "put in place file", path, errno);

  return fsync (self->fd) == 0 || fail (error, "make durable file", path, errno);
}

/* A file that is not there needs no copy. */
static gboolean
copy_file (const StmStateDirectory *self, const char *name, const char *to, GError **error)
{
  g_autofree char *source_path = g_build_filename (self->path, name, NULL);
  g_autofree char *target_path = g_build_filename (to, name, NULL);
  g_autoptr (GFile) source = g_file_new_for_path (source_path);
  g_autoptr (GFile) target = g_file_new_for_path (target_path);
  g_autoptr (GError) local_error = NULL;

  if (g_file_copy (source, target, G_FILE_COPY_NOFOLLOW_SYMLINKS, /* cancellable= */ NULL,
                   /* progress= */ NULL, NULL, &local_error))
    {
      /* The copy has the mode of its source. */
      if (g_chmod (target_path, FILE_MODE) == 0)
        return TRUE;
      return fail (error, "set the mode of file", target_path, errno);
    }
  if (g_error_matches (local_error, G_IO_ERROR, G_IO_ERROR_NOT_FOUND))
    return TRUE;

  g_set_error (error, STEMMA_ERROR,
               g_error_matches (local_error, G_IO_ERROR, G_IO_ERROR_NO_SPACE)
                   ? STEMMA_ERROR_NO_SPACE
                   : STEMMA_ERROR_FAILED,
               "cannot copy %s for reading: %s", source_path, local_error->message);
  return FALSE;
}

char *
stm_state_directory_copy_out (const StmStateDirectory *self, const char *name, GError **error)
{
  g_autofree char *log = g_strconcat (name, "-wal", NULL);
  g_autofree char *directory = g_dir_make_tmp ("stemma-XXXXXX", /* error= */ NULL);

  if (directory == NULL)
    {
      fail (error, "make a temporary directory in", g_get_tmp_dir (), errno);
      return NULL;
    }
  if (copy_file (self, name, directory, error) && copy_file (self, log, directory, error))
    return g_steal_pointer (&directory);

  stm_state_directory_remove_copy (directory, name);
  return NULL;
}

void
stm_state_directory_remove_copy (const char *directory, const char *name)
{
  g_autofree char *file = g_build_filename (directory, name, NULL);

  for (gsize i = 0; i < G_N_ELEMENTS (side_suffixes); i++)
    {
      g_autofree char *side = g_strconcat (file, side_suffixes[i], NULL);

      g_unlink (side);
    }
  g_unlink (file);
  g_rmdir (directory);
}
