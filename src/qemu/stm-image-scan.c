/* Finds the images of a directory that stand on given ones.
 *
 * Called on workers. A reference is compared as text and by what it leads to, since one file has
 * many spellings: links, hard links, relative paths. In doubt an image is a child, for the price of
 * a false one is a layer that stays and that of a missed one is somebody's data. Opens regular
 * files only, to read; changes nothing.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "stm-image-scan.h"

#include "stm-image-file.h"
#include "stm-image-place.h"
#include "stm-qcow2-header.h"

#include "stemma-error.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

/* How much of an image that is not understood is searched for names: where headers keep them. */
#define SEARCHED_BYTES 65536

#define MAGIC_LENGTH 4

typedef struct
{
  const char *directory; /* "" for the root directory */
  int directory_fd;
  const StmScanTarget *targets;
  gsize n_targets;
} Scan;

static const char *
base_name (const char *path)
{
  return stm_image_place_name (path);
}

static void
add_child (const StmScanTarget *target, const char *child)
{
  if (!g_ptr_array_find_with_equal_func (target->children, child, g_str_equal, NULL))
    g_ptr_array_add (target->children, g_strdup (child));
}

static gboolean
lies_here (const Scan *scan, const char *path)
{
  gsize length = strlen (scan->directory);

  return strncmp (path, scan->directory, length) == 0 && path + length + 1 == base_name (path);
}

static void
add_to_all_here (const Scan *scan, const char *child)
{
  for (gsize i = 0; i < scan->n_targets; i++)
    if (lies_here (scan, scan->targets[i].path) && strcmp (scan->targets[i].path, child) != 0)
      add_child (&scan->targets[i], child);
}

static void
add_to_mentioned (const Scan *scan, const char *child, const char *text, gsize length)
{
  for (gsize i = 0; i < scan->n_targets; i++)
    {
      const char *name = base_name (scan->targets[i].path);

      if (strcmp (scan->targets[i].path, child) != 0
          && memmem (text, length, name, strlen (name)) != NULL)
        add_child (&scan->targets[i], child);
    }
}

/* A protocol or json: string that only QEMU could take apart. Escaped, it can mention anything. */
static void
judge_opaque (const Scan *scan, const char *child, const char *reference)
{
  if (strpbrk (reference, "\\%") != NULL)
    add_to_all_here (scan, child);
  add_to_mentioned (scan, child, reference, strlen (reference));
}

static gboolean
is_target (const StmScanTarget *target, const char *path, const StmFileIdentity *identity)
{
  if (strcmp (target->path, path) == 0)
    return TRUE;

  return identity != NULL && target->inode != 0 && identity->device == target->device
         && identity->inode == target->inode;
}

static void
judge_reference (const Scan *scan, const char *child, const char *reference)
{
  g_autofree char *path = stm_path_resolve (child, reference, NULL);
  g_autofree char *as_opened = NULL;
  struct stat found;

  if (path == NULL)
    {
      judge_opaque (scan, child, reference);
      return;
    }

  /* The kernel's way to the file, and not the text's: ".." after a link to a directory differs. */
  as_opened = *reference == '/' ? g_strdup (reference)
                                : g_strconcat (scan->directory, "/", reference, NULL);

  gboolean exists = stat (as_opened, &found) == 0;

  /* Where we may not look, the name decides. */
  if (!exists && errno != ENOENT && errno != ENOTDIR)
    add_to_mentioned (scan, child, reference, strlen (reference));

  StmFileIdentity identity = exists ? stm_file_identity (&found) : (StmFileIdentity){ 0 };

  for (gsize i = 0; i < scan->n_targets; i++)
    if (is_target (&scan->targets[i], path, exists ? &identity : NULL))
      add_child (&scan->targets[i], child);
}

/* Of an image that our parser refuses, or of another format that has backing images. */
static void
judge_head (const Scan *scan, const char *child, int fd)
{
  g_autofree char *head = g_malloc (SEARCHED_BYTES);
  ssize_t length = pread (fd, head, SEARCHED_BYTES, 0);

  if (length < 0)
    add_to_all_here (scan, child);
  else
    add_to_mentioned (scan, child, head, (gsize) length);
}

static void
judge_qcow2 (const Scan *scan, const char *child, int fd)
{
  g_autoptr (StmQcow2Header) header = stm_qcow2_header_read (fd, child, NULL);

  /* The file that holds its data is named in an extension, and is written as a disk is. */
  if (header == NULL || header->has_data_file)
    judge_head (scan, child, fd);
  if (header != NULL && header->backing != NULL)
    judge_reference (scan, child, header->backing);
}

static void
judge_content (const Scan *scan, const char *child, int fd)
{
  char magic[MAGIC_LENGTH] = { 0 };

  if (pread (fd, magic, sizeof magic, 0) < 0)
    add_to_all_here (scan, child);
  else if (memcmp (magic, "QFI\xfb", sizeof magic) == 0)
    judge_qcow2 (scan, child, fd);
  else if (memcmp (magic, "QED\0", sizeof magic) == 0)
    judge_head (scan, child, fd);
}

static void
judge_name (const Scan *scan, const char *name)
{
  g_autofree char *child = g_strconcat (scan->directory, "/", name, NULL);
  struct stat found;

  if (fstatat (scan->directory_fd, name, &found, AT_SYMLINK_NOFOLLOW) != 0
      || !S_ISREG (found.st_mode))
    return;

  /* Not to hang where a FIFO took the name meanwhile, or somebody holds a lease. */
  g_auto (StmOwnedFd)
      fd = openat (scan->directory_fd, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);

  if (fd >= 0)
    judge_content (scan, child, fd);
  else if (errno != ENOENT)
    add_to_all_here (scan, child);
}

static gboolean
judge_all (const Scan *scan, GPtrArray *names, GPtrArray *out_names, GCancellable *cancellable,
           GError **error)
{
  for (guint i = 0; i < names->len; i++)
    {
      const char *name = g_ptr_array_index (names, i);

      if (g_cancellable_is_cancelled (cancellable))
        {
          g_set_error (error, STEMMA_ERROR, STEMMA_ERROR_CANCELLED,
                       "scanning directory %s: the operation was cancelled", scan->directory);
          return FALSE;
        }
      judge_name (scan, name);
      if (out_names != NULL)
        g_ptr_array_add (out_names, g_strconcat (scan->directory, "/", name, NULL));
    }

  return TRUE;
}

gboolean
stm_image_scan_directory (const StmPathPolicy *policy, const char *path,
                          const StmScanTarget *targets, gsize n_targets, GPtrArray *out_names,
                          GCancellable *cancellable, GError **error)
{
  g_return_val_if_fail (policy != NULL && path != NULL, FALSE);
  g_return_val_if_fail (targets != NULL || n_targets == 0, FALSE);

  g_auto (StmOwnedFd) directory_fd = stm_image_place_open (policy, path, error);

  if (directory_fd < 0)
    return FALSE;

  g_autofree char *directory = g_strndup (path, (gsize) (base_name (path) - path - 1));
  g_autoptr (GPtrArray) names = stm_image_place_list_names (directory_fd, directory, error);
  const Scan scan = {
    .directory = directory, .directory_fd = directory_fd, .targets = targets, .n_targets = n_targets
  };

  return names != NULL && judge_all (&scan, names, out_names, cancellable, error);
}
