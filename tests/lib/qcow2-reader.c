/* A second, independent reading of qcow2: recursion over the chain, cluster by cluster.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "qcow2-reader.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#define OFFSET_MASK G_GUINT64_CONSTANT (0x00fffffffffffe00)
#define FLAG_ZERO G_GUINT64_CONSTANT (1)

static guint64
read_be64 (int fd, guint64 offset)
{
  guint64 value = 0;

  g_assert_cmpint (pread (fd, &value, 8, (off_t) offset), ==, 8);
  return GUINT64_FROM_BE (value);
}

static guint32
read_be32 (int fd, guint64 offset)
{
  guint32 value = 0;

  g_assert_cmpint (pread (fd, &value, 4, (off_t) offset), ==, 4);
  return GUINT32_FROM_BE (value);
}

static char *
read_backing (int fd, const char *path)
{
  guint64 offset = read_be64 (fd, 8);
  guint32 size = read_be32 (fd, 16);
  g_autofree char *name = g_malloc0 (size + 1);
  g_autofree char *directory = g_path_get_dirname (path);

  if (offset == 0)
    return NULL;
  g_assert_cmpint (pread (fd, name, size, (off_t) offset), ==, size);
  return g_canonicalize_filename (name, directory);
}

static void
overlay_clusters (int fd, guint64 l1, guint8 *content, gsize length)
{
  gsize cluster = (gsize) 1 << read_be32 (fd, 20);
  gsize per_l2 = cluster / 8;

  for (gsize i = 0; i * cluster < length; i++)
    {
      gsize size = MIN (cluster, length - i * cluster);
      guint64 l2 = read_be64 (fd, l1 + i / per_l2 * 8) & OFFSET_MASK;
      guint64 entry = l2 != 0 ? read_be64 (fd, l2 + i % per_l2 * 8) : 0;

      if ((entry & FLAG_ZERO) != 0)
        memset (content + i * cluster, 0, size);
      else if ((entry & OFFSET_MASK) != 0)
        g_assert_cmpint (pread (fd, content + i * cluster, size, (off_t) (entry & OFFSET_MASK)), >=,
                         0);
    }
}

/* The L1 table of an internal snapshot, 0 when there is none of this name. */
static guint64
find_tag (int fd, const char *tag)
{
  guint32 n_tags = read_be32 (fd, 60);
  guint64 offset = read_be64 (fd, 64);

  for (guint32 i = 0; i < n_tags; i++)
    {
      guint32 sizes = read_be32 (fd, offset + 12);
      guint id_size = sizes >> 16;
      guint name_size = sizes & 0xffff;
      guint extra = read_be32 (fd, offset + 36);
      g_autofree char *name = g_malloc0 (name_size + 1);

      g_assert_cmpint (pread (fd, name, name_size, (off_t) (offset + 40 + extra + id_size)), ==,
                       name_size);
      if (strcmp (name, tag) == 0)
        return read_be64 (fd, offset);
      offset += (40 + extra + id_size + name_size + 7) / 8 * 8;
    }
  return 0;
}

static void
read_into (const char *path, const char *tag, guint8 *content, gsize length)
{
  int fd = open (path, O_RDONLY | O_CLOEXEC);
  g_autofree char *backing = NULL;

  if (fd < 0)
    g_error ("image %s: %s", path, g_strerror (errno));
  if (read_be32 (fd, 0) != 0x514649fb)
    {
      g_assert_cmpint (pread (fd, content, length, 0), >=, 0);
      close (fd);
      return;
    }
  backing = read_backing (fd, path);
  if (backing != NULL)
    read_into (backing, NULL, content, length);
  overlay_clusters (fd, tag != NULL ? find_tag (fd, tag) : read_be64 (fd, 40), content, length);
  close (fd);
}

GBytes *
test_read_image (const char *path, gsize length)
{
  guint8 *content = g_malloc0 (length);

  read_into (path, NULL, content, length);
  return g_bytes_new_take (content, length);
}

GBytes *
test_read_tag (const char *path, const char *tag, gsize length)
{
  int fd = open (path, O_RDONLY | O_CLOEXEC);
  gboolean is_there = fd >= 0 && find_tag (fd, tag) != 0;
  guint8 *content = NULL;

  if (fd >= 0)
    close (fd);
  if (!is_there)
    return NULL;
  content = g_malloc0 (length);
  read_into (path, tag, content, length);
  return g_bytes_new_take (content, length);
}
