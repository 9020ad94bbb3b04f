/* Headers and tables of qcow2 images, sound and hostile.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "stm-qcow2-header.h"
#include "stm-qcow2-tables.h"

#include "qcow2-writer.h"
#include "stemma-error.h"
#include "stm-survey.h"
#include "test-images.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#define COPIED (G_GUINT64_CONSTANT (1) << 63)
#define COMPRESSED (G_GUINT64_CONSTANT (1) << 62)
#define DATA(n) (COPIED | ((TEST_QCOW2_DATA_CLUSTER + (n)) * TEST_QCOW2_CLUSTER))

typedef struct
{
  char *directory;
  char *path;
  int fd;
} Fixture;

static void
set_up (Fixture *self, gconstpointer unused)
{
  self->directory = test_directory_new ();
  self->path = g_build_filename (self->directory, "image", NULL);
  self->fd = -1;
}

static void
tear_down (Fixture *self, gconstpointer unused)
{
  if (self->fd >= 0)
    close (self->fd);
  test_directory_remove (self->directory);
  g_free (self->directory);
  g_free (self->path);
}

static StmQcow2Header *
read_header (Fixture *self, GError **error)
{
  if (self->fd >= 0)
    close (self->fd);
  self->fd = open (self->path, O_RDONLY | O_CLOEXEC);
  g_assert_cmpint (self->fd, >=, 0);

  return stm_qcow2_header_read (self->fd, self->path, error);
}

static void
test_sound (Fixture *self, gconstpointer unused)
{
  for (guint version = 2; version <= 3; version++)
    {
      g_autoptr (GError) error = NULL;

      test_qcow2_write (self->path, &(TestQcow2){ .version = version,
                                                  .backing = "base.img",
                                                  .backing_format = "raw",
                                                  .n_bitmaps = version == 3 ? 2 : 0 });
      test_file_patch32 (self->path, TEST_QCOW2_SNAPSHOTS, 5);
      test_file_patch64 (self->path, TEST_QCOW2_SNAPSHOTS_OFFSET, TEST_QCOW2_CLUSTER * 4);

      g_autoptr (StmQcow2Header) header = read_header (self, &error);

      g_assert_no_error (error);
      g_assert_cmpuint (header->version, ==, version);
      g_assert_cmpuint (header->capacity, ==, TEST_QCOW2_CAPACITY);
      g_assert_cmpstr (header->backing, ==, "base.img");
      g_assert_cmpstr (header->backing_format, ==, "raw");
      g_assert_cmpuint (header->n_bitmaps, ==, version == 3 ? 2 : 0);
      g_assert_cmpuint (header->n_snapshots, ==, 5);
      g_assert_true (stm_qcow2_header_check_usable (header, self->path, &error));
    }
}

static void
test_void_bitmaps (Fixture *self, gconstpointer unused)
{
  g_autoptr (GError) error = NULL;

  test_qcow2_write (self->path, &(TestQcow2){ .n_bitmaps = 2 });
  test_file_patch64 (self->path, TEST_QCOW2_AUTOCLEAR, 0);

  g_autoptr (StmQcow2Header) header = read_header (self, &error);

  g_assert_no_error (error);
  g_assert_cmpuint (header->n_bitmaps, ==, 0);
}

/* One field of a sound image, overwritten. */
typedef struct
{
  const char *name;
  guint64 offset;
  guint width; /* in bits; 0: the file is cut off at `offset` */
  guint64 value;
  StemmaError code;
} Vector;

static const Vector vectors[] = {
  { "no magic", 0, 32, 0x51464900, STEMMA_ERROR_CHAIN_BROKEN },
  { "version 1", TEST_QCOW2_VERSION, 32, 1, STEMMA_ERROR_NOT_SUPPORTED },
  { "version 4", TEST_QCOW2_VERSION, 32, 4, STEMMA_ERROR_NOT_SUPPORTED },
  { "empty", 0, 0, 0, STEMMA_ERROR_CHAIN_BROKEN },
  { "cut off in the header", 40, 0, 0, STEMMA_ERROR_CHAIN_BROKEN },
  { "cut off before version 3's part", 90, 0, 0, STEMMA_ERROR_CHAIN_BROKEN },
  { "cut off before the table", 2 * TEST_QCOW2_CLUSTER, 0, 0, STEMMA_ERROR_CHAIN_BROKEN },
  { "cut off in the table", 3 * TEST_QCOW2_CLUSTER + 4, 0, 0, STEMMA_ERROR_CHAIN_BROKEN },
  { "clusters of 256 bytes", TEST_QCOW2_BITS, 32, 8, STEMMA_ERROR_CHAIN_BROKEN },
  { "clusters of 4 MiB", TEST_QCOW2_BITS, 32, 22, STEMMA_ERROR_CHAIN_BROKEN },
  { "cluster bits past a word", TEST_QCOW2_BITS, 32, 0xffffffff, STEMMA_ERROR_CHAIN_BROKEN },
  { "60 PiB", TEST_QCOW2_SIZE, 64, G_GUINT64_CONSTANT (60) << 50, STEMMA_ERROR_TOO_LARGE },
  { "2^64-1 bytes", TEST_QCOW2_SIZE, 64, G_MAXUINT64, STEMMA_ERROR_TOO_LARGE },
  { "larger than its table", TEST_QCOW2_SIZE, 64, G_GUINT64_CONSTANT (1) << 40,
    STEMMA_ERROR_CHAIN_BROKEN },
  { "huge table", TEST_QCOW2_L1_ENTRIES, 32, 0xffffffff, STEMMA_ERROR_TOO_LARGE },
  { "table longer than the file", TEST_QCOW2_L1_ENTRIES, 32, 100000, STEMMA_ERROR_CHAIN_BROKEN },
  { "table beyond the file", TEST_QCOW2_L1_OFFSET, 64, TEST_QCOW2_CLUSTER * 100,
    STEMMA_ERROR_CHAIN_BROKEN },
  { "table wraps", TEST_QCOW2_L1_OFFSET, 64, G_MAXUINT64 - TEST_QCOW2_CLUSTER + 1,
    STEMMA_ERROR_CHAIN_BROKEN },
  { "table not aligned", TEST_QCOW2_L1_OFFSET, 64, TEST_QCOW2_CLUSTER + 512,
    STEMMA_ERROR_CHAIN_BROKEN },
  { "table in the header", TEST_QCOW2_L1_OFFSET, 64, 0, STEMMA_ERROR_CHAIN_BROKEN },
  { "reference counts beyond the file", TEST_QCOW2_REFCOUNT_OFFSET, 64, TEST_QCOW2_CLUSTER * 99,
    STEMMA_ERROR_CHAIN_BROKEN },
  { "no reference counts", TEST_QCOW2_REFCOUNT_OFFSET, 64, 0, STEMMA_ERROR_CHAIN_BROKEN },
  { "too many snapshots", TEST_QCOW2_SNAPSHOTS, 32, 70000, STEMMA_ERROR_TOO_MANY },
  { "unknown feature", TEST_QCOW2_INCOMPATIBLE, 64, 1 << 5, STEMMA_ERROR_NOT_SUPPORTED },
  { "unknown feature in the top bit", TEST_QCOW2_INCOMPATIBLE, 64, COPIED,
    STEMMA_ERROR_NOT_SUPPORTED },
  { "wide reference counts", TEST_QCOW2_REFCOUNT_ORDER, 32, 7, STEMMA_ERROR_CHAIN_BROKEN },
  { "short header", TEST_QCOW2_LENGTH, 32, 72, STEMMA_ERROR_CHAIN_BROKEN },
  { "long header", TEST_QCOW2_LENGTH, 32, 0xfffffff0, STEMMA_ERROR_CHAIN_BROKEN },
  { "backing in the header", TEST_QCOW2_BACKING_OFFSET, 64, 8, STEMMA_ERROR_CHAIN_BROKEN },
  { "backing beyond the cluster", TEST_QCOW2_BACKING_OFFSET, 64, TEST_QCOW2_CLUSTER - 2,
    STEMMA_ERROR_CHAIN_BROKEN },
  { "backing wraps", TEST_QCOW2_BACKING_OFFSET, 64, G_MAXUINT64, STEMMA_ERROR_CHAIN_BROKEN },
  { "backing of 1024 bytes", TEST_QCOW2_BACKING_LENGTH, 32, 1024, STEMMA_ERROR_CHAIN_BROKEN },
  { "backing of 4 GiB", TEST_QCOW2_BACKING_LENGTH, 32, 0xffffffff, STEMMA_ERROR_CHAIN_BROKEN },
  { "backing with a NUL", TEST_QCOW2_BACKING_LENGTH, 32, 9, STEMMA_ERROR_CHAIN_BROKEN },
  { "extension past the header", 108, 32, 0xffffffff, STEMMA_ERROR_CHAIN_BROKEN },
  { "format of 16 bytes", 108, 32, 16, STEMMA_ERROR_CHAIN_BROKEN },
  { "bitmaps of a wrong length", 104, 32, 0x23852875, STEMMA_ERROR_CHAIN_BROKEN },
};

static void
test_hostile (Fixture *self, gconstpointer unused)
{
  for (gsize i = 0; i < G_N_ELEMENTS (vectors); i++)
    {
      const Vector *vector = &vectors[i];
      g_autoptr (GError) error = NULL;

      g_test_message ("%s", vector->name);
      test_qcow2_write (self->path,
                        &(TestQcow2){ .backing = "base.img", .backing_format = "qcow2" });
      if (vector->width == 0)
        test_file_truncate (self->path, vector->offset);
      else if (vector->width == 32)
        test_file_patch32 (self->path, vector->offset, (guint32) vector->value);
      else
        test_file_patch64 (self->path, vector->offset, vector->value);

      g_autoptr (StmQcow2Header) header = read_header (self, &error);

      g_assert_null (header);
      g_assert_error (error, STEMMA_ERROR, (int) vector->code);
      g_assert_nonnull (strstr (error->message, self->path));
    }
}

static void
test_many_extensions (Fixture *self, gconstpointer unused)
{
  g_autoptr (GError) error = NULL;

  test_qcow2_write (self->path, &(TestQcow2){ .version = 3 });
  for (guint i = 0; i < 1000; i++)
    test_file_patch64 (self->path, 104 + i * 8, G_GUINT64_CONSTANT (0x1234567800000000));

  g_assert_null (read_header (self, &error));
  g_assert_error (error, STEMMA_ERROR, STEMMA_ERROR_CHAIN_BROKEN);
}

static void
test_unusable (Fixture *self, gconstpointer unused)
{
  static const struct
  {
    guint64 offset;
    guint64 value;
    StemmaError code;
  } rows[] = {
    { TEST_QCOW2_INCOMPATIBLE, 1, STEMMA_ERROR_CHAIN_BROKEN },
    { TEST_QCOW2_INCOMPATIBLE, 2, STEMMA_ERROR_CHAIN_BROKEN },
    { TEST_QCOW2_INCOMPATIBLE, 4, STEMMA_ERROR_NOT_ALLOWED },
    /* The encryption method stands in the upper half. */
    { TEST_QCOW2_CRYPT, G_GUINT64_CONSTANT (0x200000001), STEMMA_ERROR_NOT_SUPPORTED },
  };

  for (gsize i = 0; i < G_N_ELEMENTS (rows); i++)
    {
      g_autoptr (GError) error = NULL;

      test_qcow2_write (self->path, &(TestQcow2){ .version = 3 });
      test_file_patch64 (self->path, rows[i].offset, rows[i].value);

      g_autoptr (StmQcow2Header) header = read_header (self, &error);

      g_assert_no_error (error);
      g_assert_false (stm_qcow2_header_check_usable (header, self->path, &error));
      g_assert_error (error, STEMMA_ERROR, (int) rows[i].code);
    }
}

/* What an image with these entries holds, in clusters; -1: unknown. */
typedef struct
{
  const char *name;
  guint64 entries[4];
  guint64 incompatible;
  int expected;
} CountVector;

static const CountVector counts[] = {
  { "nothing", { 0 }, 0, 0 },
  { "data", { DATA (0), 0, DATA (1) }, 0, 2 },
  { "zeros hide what is below", { 1, 1, 0 }, 0, 2 },
  { "zeros with a cluster", { DATA (0) | 1 }, 0, 1 },
  { "compressed", { COMPRESSED | (TEST_QCOW2_DATA_CLUSTER * TEST_QCOW2_CLUSTER + 17) }, 0, 1 },
  { "subclusters that read as zeros", { 0, 1, 0, 0 }, 1 << 4, 1 },
  { "subclusters that are there", { DATA (0), 0xf, DATA (1), 0xf }, 1 << 4, 2 },
  { "dirty", { DATA (0) }, 1, -1 },
  { "data beyond the end", { DATA (50) }, 0, -1 },
  { "compressed data beyond the end", { COMPRESSED | DATA (50) }, 0, -1 },
  { "data not aligned", { DATA (0) + 512 }, 0, -1 },
  { "offset of all bits", { G_GUINT64_CONSTANT (0x00fffffffffffe00) }, 0, -1 },
};

static void
test_counts (Fixture *self, gconstpointer unused)
{
  for (gsize i = 0; i < G_N_ELEMENTS (counts); i++)
    {
      const CountVector *vector = &counts[i];
      guint64 expected = vector->expected < 0 ? STM_BYTES_UNKNOWN
                                              : (guint) vector->expected * TEST_QCOW2_CLUSTER;
      g_autoptr (GError) error = NULL;

      g_test_message ("%s", vector->name);
      test_qcow2_write (self->path, &(TestQcow2){ .incompatible = vector->incompatible,
                                                  .entries = vector->entries,
                                                  .n_entries = G_N_ELEMENTS (vector->entries),
                                                  .n_data = 2 });

      g_autoptr (StmQcow2Header) header = read_header (self, &error);

      g_assert_no_error (error);
      g_assert_cmpuint (stm_qcow2_count_data (self->fd, header, NULL), ==, expected);
    }
}

/* What lies after the end of the disk is no guest's. */
static void
test_count_ends_with_the_disk (Fixture *self, gconstpointer unused)
{
  const guint64 entries[] = { DATA (0), DATA (1), DATA (2) };
  g_autoptr (GError) error = NULL;

  test_qcow2_write (self->path, &(TestQcow2){ .capacity = TEST_QCOW2_CLUSTER + 512,
                                              .entries = entries,
                                              .n_entries = 3,
                                              .n_data = 3 });

  g_autoptr (StmQcow2Header) header = read_header (self, &error);

  g_assert_no_error (error);
  g_assert_cmpuint (stm_qcow2_count_data (self->fd, header, NULL), ==, 2 * TEST_QCOW2_CLUSTER);
}

/* Eight thousand entries that all lead to one table: no more is read than the file could hold. */
static void
test_one_table_for_all (Fixture *self, gconstpointer unused)
{
  const guint64 entries[] = { DATA (0) };
  g_autoptr (GError) error = NULL;

  test_qcow2_write (self->path, &(TestQcow2){ .capacity = G_GUINT64_CONSTANT (1) << 42,
                                              .entries = entries,
                                              .n_entries = 1,
                                              .n_data = 1 });
  for (guint i = 0; i < 8192; i++)
    test_file_patch64 (self->path, TEST_QCOW2_L1_CLUSTER * TEST_QCOW2_CLUSTER + i * 8,
                       TEST_QCOW2_L2_CLUSTER * TEST_QCOW2_CLUSTER);

  g_autoptr (StmQcow2Header) header = read_header (self, &error);

  g_assert_no_error (error);
  g_assert_cmpuint (stm_qcow2_count_data (self->fd, header, NULL), ==, STM_BYTES_UNKNOWN);
}

static void
test_cut_off_is_named (Fixture *self, gconstpointer unused)
{
  const guint64 entries[] = { DATA (0), DATA (1) };
  g_autoptr (GError) error = NULL;
  guint64 bytes = 7;

  test_qcow2_write (self->path, &(TestQcow2){ .entries = entries, .n_entries = 2, .n_data = 2 });
  test_file_truncate (self->path, (TEST_QCOW2_DATA_CLUSTER + 1) * TEST_QCOW2_CLUSTER);

  g_autoptr (StmQcow2Header) header = read_header (self, &error);

  g_assert_no_error (error);
  g_assert_false (stm_qcow2_tables_count (self->fd, header, self->path, NULL, &bytes, &error));
  g_assert_error (error, STEMMA_ERROR, STEMMA_ERROR_CHAIN_BROKEN);
  g_assert_cmpuint (bytes, ==, 7);
}

int
main (int argc, char **argv)
{
  static const struct
  {
    const char *path;
    void (*test) (Fixture *, gconstpointer);
  } tests[] = {
    { "/qemu/qcow2/sound-headers-are-read-whole", test_sound },
    { "/qemu/qcow2/bitmaps-of-a-stale-extension-do-not-count", test_void_bitmaps },
    { "/qemu/qcow2/hostile-headers-are-refused-with-a-type", test_hostile },
    { "/qemu/qcow2/endless-extensions-are-refused", test_many_extensions },
    { "/qemu/qcow2/unusable-images-are-refused-with-a-type", test_unusable },
    { "/qemu/qcow2/data-is-counted-in-clusters", test_counts },
    { "/qemu/qcow2/data-beyond-the-disk-does-not-count", test_count_ends_with_the_disk },
    { "/qemu/qcow2/tables-that-are-one-table-cost-no-time", test_one_table_for_all },
    { "/qemu/qcow2/a-file-that-is-cut-off-in-its-data-is-named", test_cut_off_is_named },
  };

  g_test_init (&argc, &argv, NULL);
  for (gsize i = 0; i < G_N_ELEMENTS (tests); i++)
    g_test_add (tests[i].path, Fixture, NULL, set_up, tests[i].test, tear_down);

  return g_test_run ();
}
