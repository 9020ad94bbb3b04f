/* Lays out small qcow2 images.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "qcow2-writer.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#define EXTENSION_BACKING_FORMAT 0xe2792acau
#define EXTENSION_BITMAPS 0x23852875u

static void
write_at (int fd, const void *bytes, gsize length, guint64 offset)
{
  g_assert_cmpint (pwrite (fd, bytes, length, (off_t) offset), ==, (gssize) length);
}

static void
write32 (int fd, guint64 offset, guint32 value)
{
  guint32 raw = GUINT32_TO_BE (value);

  write_at (fd, &raw, sizeof raw, offset);
}

static void
write64 (int fd, guint64 offset, guint64 value)
{
  guint64 raw = GUINT64_TO_BE (value);

  write_at (fd, &raw, sizeof raw, offset);
}

static guint64
write_extension (int fd, guint64 offset, guint32 kind, const void *bytes, guint32 length)
{
  write32 (fd, offset, kind);
  write32 (fd, offset + 4, length);
  write_at (fd, bytes, length, offset + 8);

  return offset + 8 + ((length + 7) & ~7u);
}

static void
write_fields (int fd, const TestQcow2 *init, guint version)
{
  guint64 capacity = init->capacity != 0 ? init->capacity : TEST_QCOW2_CAPACITY;
  guint64 covered = TEST_QCOW2_CLUSTER * (TEST_QCOW2_CLUSTER / 8);

  write_at (fd, "QFI\xfb", 4, 0);
  write32 (fd, TEST_QCOW2_VERSION, version);
  write32 (fd, TEST_QCOW2_BITS, TEST_QCOW2_CLUSTER_BITS);
  write64 (fd, TEST_QCOW2_SIZE, capacity);
  write32 (fd, TEST_QCOW2_L1_ENTRIES, (guint32) ((capacity + covered - 1) / covered));
  write64 (fd, TEST_QCOW2_L1_OFFSET, TEST_QCOW2_L1_CLUSTER * TEST_QCOW2_CLUSTER);
  write64 (fd, TEST_QCOW2_REFCOUNT_OFFSET, TEST_QCOW2_CLUSTER);
  write32 (fd, 56, 1);
  if (version == 3)
    {
      write64 (fd, TEST_QCOW2_INCOMPATIBLE, init->incompatible);
      write64 (fd, TEST_QCOW2_AUTOCLEAR, init->n_bitmaps > 0 ? 1 : 0);
      write32 (fd, TEST_QCOW2_REFCOUNT_ORDER, 4);
      write32 (fd, TEST_QCOW2_LENGTH, 104);
    }
}

static void
write_names (int fd, const TestQcow2 *init, guint version)
{
  guint64 offset = version == 2 ? 72 : 104;

  if (init->backing_format != NULL)
    offset = write_extension (fd, offset, EXTENSION_BACKING_FORMAT, init->backing_format,
                              (guint32) strlen (init->backing_format));
  if (init->n_bitmaps > 0)
    {
      guint32 raw[6] = { GUINT32_TO_BE (init->n_bitmaps) };

      offset = write_extension (fd, offset, EXTENSION_BITMAPS, raw, sizeof raw);
    }
  offset += 8; /* the end of the extensions */
  if (init->backing != NULL)
    {
      write64 (fd, TEST_QCOW2_BACKING_OFFSET, offset);
      write32 (fd, TEST_QCOW2_BACKING_LENGTH, (guint32) strlen (init->backing));
      write_at (fd, init->backing, strlen (init->backing), offset);
    }
}

void
test_qcow2_write (const char *path, const TestQcow2 *init)
{
  int fd = open (path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  guint version = init->version != 0 ? init->version : 3;

  g_assert_cmpint (fd, >=, 0);
  g_assert_cmpint (
      ftruncate (fd, (off_t) ((TEST_QCOW2_DATA_CLUSTER + init->n_data) * TEST_QCOW2_CLUSTER)), ==,
      0);
  write_fields (fd, init, version);
  write_names (fd, init, version);
  if (init->n_entries > 0)
    write64 (fd, TEST_QCOW2_L1_CLUSTER * TEST_QCOW2_CLUSTER,
             TEST_QCOW2_L2_CLUSTER * TEST_QCOW2_CLUSTER | (G_GUINT64_CONSTANT (1) << 63));
  for (gsize i = 0; i < init->n_entries; i++)
    write64 (fd, TEST_QCOW2_L2_CLUSTER * TEST_QCOW2_CLUSTER + i * 8, init->entries[i]);
  close (fd);
}

static int
open_for_patch (const char *path)
{
  int fd = open (path, O_RDWR | O_CLOEXEC);

  g_assert_cmpint (fd, >=, 0);
  return fd;
}

void
test_file_patch32 (const char *path, guint64 offset, guint32 value)
{
  int fd = open_for_patch (path);

  write32 (fd, offset, value);
  close (fd);
}

void
test_file_patch64 (const char *path, guint64 offset, guint64 value)
{
  int fd = open_for_patch (path);

  write64 (fd, offset, value);
  close (fd);
}

void
test_file_truncate (const char *path, guint64 length)
{
  g_assert_cmpint (truncate (path, (off_t) length), ==, 0);
}
