/* Tags and bitmaps of qcow2 images, sound and hostile.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "stm-qcow2-marks.h"
#include "stm-qcow2-tags.h"

#include "qcow2-writer.h"
#include "stemma-error.h"
#include "test-images.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

typedef struct
{
  char *directory;
  char *path;
} Fixture;

static void
set_up (Fixture *self, gconstpointer unused)
{
  self->directory = test_directory_new ();
  self->path = g_build_filename (self->directory, "image", NULL);
}

static void
tear_down (Fixture *self, gconstpointer unused)
{
  test_directory_remove (self->directory);
  g_free (self->directory);
  g_free (self->path);
}

static StmFacts *
read_marks (Fixture *self, gboolean is_written, GCancellable *cancellable, GError **error)
{
  int fd = open (self->path, O_RDONLY | O_CLOEXEC);
  g_autoptr (StmFacts) facts = stm_facts_new (self->path);
  g_autoptr (StmQcow2Header) header = NULL;
  g_autoptr (GError) refusal = NULL;

  g_assert_cmpint (fd, >=, 0);
  header = stm_qcow2_header_read (fd, self->path, &refusal);
  g_assert_no_error (refusal);
  facts->is_written = is_written;

  gboolean is_sound = stm_qcow2_marks_read (fd, header, facts, cancellable, error);

  close (fd);
  return is_sound ? g_steal_pointer (&facts) : NULL;
}

static StmFacts *
read_sound (Fixture *self, gboolean is_written)
{
  g_autoptr (GError) error = NULL;
  StmFacts *facts = read_marks (self, is_written, /* cancellable= */ NULL, &error);

  g_assert_no_error (error);
  return facts;
}

static void
test_tags (Fixture *self, gconstpointer unused)
{
  static const TestTag tags[] = {
    { .id = "1", .name = "Montag früh" },
    { .id = "2", .name = "with memory", .vm_state_bytes = G_GUINT64_CONSTANT (5) << 32 },
    { .id = "3", .name = "" },
    { .id = "17", .name = "17", .extra_length = 1024 },
  };

  test_qcow2_write (self->path, &(TestQcow2){ .version = 3 });
  test_qcow2_append_tags (self->path, tags, G_N_ELEMENTS (tags));

  g_autoptr (StmFacts) facts = read_sound (self, FALSE);

  g_assert_cmpuint (facts->tags->len, ==, G_N_ELEMENTS (tags));
  for (gsize i = 0; i < G_N_ELEMENTS (tags); i++)
    {
      const StmTagFacts *tag = facts->tags->pdata[i];

      g_assert_cmpstr (tag->id, ==, tags[i].id);
      g_assert_cmpstr (tag->name, ==, tags[i].name);
      g_assert_cmpuint (tag->vm_state_bytes, ==, tags[i].vm_state_bytes);
      g_assert_cmpint (tag->created, ==, 1700000000);
      g_assert_cmpuint (tag->capacity, ==, TEST_QCOW2_CAPACITY);
      g_assert_true (tag->is_present);
    }
}

/* As QEMU of long ago wrote it. */
static void
test_tag_without_extra (Fixture *self, gconstpointer unused)
{
  test_qcow2_write (self->path, &(TestQcow2){ .version = 2 });
  test_qcow2_append_tags (
      self->path, &(TestTag){ .id = "1", .name = "a", .vm_state_bytes = 9, .extra_length = 8 }, 1);

  g_autoptr (StmFacts) facts = read_sound (self, FALSE);
  const StmTagFacts *tag = stm_facts_find_tag (facts, "a");

  g_assert_cmpuint (tag->capacity, ==, TEST_QCOW2_CAPACITY);
  g_assert_cmpuint (tag->vm_state_bytes, ==, 9);
}

/* An image with data, and a table of the first level like the active one but for `bits`. */
static gboolean
is_present_but_for (Fixture *self, guint64 bits, const TestTag *init, gboolean is_written)
{
  const guint64 data = TEST_QCOW2_DATA_CLUSTER * TEST_QCOW2_CLUSTER;
  const guint64 active = TEST_QCOW2_L2_CLUSTER * TEST_QCOW2_CLUSTER | G_GUINT64_CONSTANT (1) << 63;
  TestTag tag = *init;

  test_qcow2_write (self->path, &(TestQcow2){ .entries = &data, .n_entries = 1, .n_data = 2 });
  test_file_patch64 (self->path, data + TEST_QCOW2_CLUSTER, active ^ bits);
  tag.id = "1";
  tag.name = "tag";
  tag.l1_offset = data + TEST_QCOW2_CLUSTER;
  test_qcow2_append_tags (self->path, &tag, 1);

  g_autoptr (StmFacts) facts = read_sound (self, is_written);

  return stm_facts_find_tag (facts, "tag")->is_present;
}

static void
test_presence (Fixture *self, gconstpointer unused)
{
  const TestTag plain = { .capacity = 0 };
  const TestTag longer = { .l1_entries = 2 };
  const TestTag smaller = { .capacity = TEST_QCOW2_CAPACITY - 512 };

  g_assert_true (is_present_but_for (self, 0, &plain, FALSE));
  g_assert_true (is_present_but_for (self, G_GUINT64_CONSTANT (1) << 63, &plain, FALSE));
  g_assert_true (is_present_but_for (self, 0, &longer, FALSE));
  g_assert_false (is_present_but_for (self, TEST_QCOW2_CLUSTER, &plain, FALSE));
  g_assert_false (
      is_present_but_for (self, TEST_QCOW2_CLUSTER * TEST_QCOW2_L2_CLUSTER, &plain, FALSE));
  g_assert_false (is_present_but_for (self, 0, &smaller, FALSE));
  g_assert_false (is_present_but_for (self, 0, &plain, TRUE));
}

/* Three tables of the first level, of three entries each: the active one, and those of the tags 1
 * and
 * 2. What their entries lead to does not matter. */
static gboolean
is_between (Fixture *self, const guint64 (*tables)[3], const char *other, guint64 capacity)
{
  const guint64 l1_entries = 3;
  const guint64 data = TEST_QCOW2_DATA_CLUSTER * TEST_QCOW2_CLUSTER;
  const guint64 offsets[] = { TEST_QCOW2_L1_CLUSTER * TEST_QCOW2_CLUSTER, data,
                              data + TEST_QCOW2_CLUSTER };
  const TestTag tags[] = {
    { .id = "1", .name = "a", .l1_offset = data, .l1_entries = 3, .capacity = 3u << 29 },
    { .id = "2",
      .name = "b",
      .l1_offset = data + TEST_QCOW2_CLUSTER,
      .l1_entries = 3,
      .capacity = capacity }
  };
  g_autoptr (GError) error = NULL;
  gboolean result = FALSE;

  test_qcow2_write (self->path, &(TestQcow2){ .capacity = 3u << 29, .n_data = 2 });
  for (guint i = 0; i < G_N_ELEMENTS (offsets); i++)
    for (guint k = 0; k < l1_entries; k++)
      test_file_patch64 (self->path, offsets[i] + k * 8, tables[i][k] * TEST_QCOW2_CLUSTER);
  test_qcow2_append_tags (self->path, tags, G_N_ELEMENTS (tags));

  int fd = open (self->path, O_RDONLY | O_CLOEXEC);
  g_autoptr (StmQcow2Header) header = stm_qcow2_header_read (fd, self->path, &error);

  g_assert_no_error (error);
  stm_qcow2_tags_is_between (fd, header, self->path, "1", other, &result, &error);
  g_assert_no_error (error);
  close (fd);

  return result;
}

static void
test_between (Fixture *self, gconstpointer unused)
{
  static const struct
  {
    const char *name;
    guint64 tables[3][3];
    const char *other;
    guint64 capacity; /* of the second tag */
    gboolean is_between;
  } rows[] = {
    { "the one", { { 10, 11, 0 }, { 10, 11, 0 }, { 20, 21, 22 } }, "2", 3u << 29, TRUE },
    { "the other", { { 20, 21, 22 }, { 10, 11, 0 }, { 20, 21, 22 } }, "2", 3u << 29, TRUE },
    { "written in part", { { 20, 21, 0 }, { 10, 11, 0 }, { 20, 21, 22 } }, "2", 3u << 29, TRUE },
    { "a guest wrote", { { 20, 21, 30 }, { 10, 11, 0 }, { 20, 21, 22 } }, "2", 3u << 29, FALSE },
    { "a guest wrote first",
      { { 30, 11, 0 }, { 10, 11, 0 }, { 20, 21, 22 } },
      "2",
      3u << 29,
      FALSE },
    { "no other", { { 10, 11, 0 }, { 10, 11, 0 }, { 20, 21, 22 } }, NULL, 3u << 29, TRUE },
    { "not the one", { { 20, 21, 22 }, { 10, 11, 0 }, { 20, 21, 22 } }, NULL, 3u << 29, FALSE },
    { "no such other", { { 20, 21, 22 }, { 10, 11, 0 }, { 20, 21, 22 } }, "3", 3u << 29, FALSE },
    { "another size", { { 20, 21, 22 }, { 10, 11, 0 }, { 20, 21, 22 } }, "2", 1u << 29, FALSE },
  };

  for (gsize i = 0; i < G_N_ELEMENTS (rows); i++)
    {
      g_test_message ("%s", rows[i].name);
      g_assert_cmpint (is_between (self, rows[i].tables, rows[i].other, rows[i].capacity), ==,
                       rows[i].is_between);
    }
}

static void
test_bitmaps (Fixture *self, gconstpointer unused)
{
  static const TestBitmap bitmaps[] = {
    { .name = "recording", .flags = 2 },
    { .name = "b", .flags = 0, .granularity_bits = 9 },
    { .name = "broken", .flags = 3, .granularity_bits = 31 },
  };

  test_qcow2_write (self->path, &(TestQcow2){ .n_bitmaps = G_N_ELEMENTS (bitmaps) });
  test_qcow2_append_bitmaps (self->path, bitmaps, G_N_ELEMENTS (bitmaps));

  for (guint is_written = 0; is_written <= 1; is_written++)
    {
      g_autoptr (StmFacts) facts = read_sound (self, is_written != 0);

      g_assert_cmpuint (facts->bitmaps->len, ==, G_N_ELEMENTS (bitmaps));
      g_assert_true (stm_facts_find_bitmap (facts, "recording")->is_recording);
      g_assert_false (stm_facts_find_bitmap (facts, "recording")->is_broken);
      g_assert_cmpuint (stm_facts_find_bitmap (facts, "recording")->granularity, ==, 65536);
      g_assert_false (stm_facts_find_bitmap (facts, "b")->is_recording);
      g_assert_cmpuint (stm_facts_find_bitmap (facts, "b")->granularity, ==, 512);
      g_assert_cmpuint (stm_facts_find_bitmap (facts, "broken")->granularity, ==, 1u << 31);
      g_assert_cmpint (stm_facts_find_bitmap (facts, "broken")->is_broken, ==, is_written == 0);
    }
}

/* One field of a sound table, overwritten. */
typedef struct
{
  const char *name;
  guint64 offset; /* in the table */
  guint width;    /* in bits; 0: the file is cut off there */
  guint64 value;
  StemmaError code;
} Vector;

static const Vector tag_vectors[] = {
  { "table beyond the file", 0, 64, TEST_QCOW2_CLUSTER * 100, STEMMA_ERROR_CHAIN_BROKEN },
  { "table wraps", 0, 64, -TEST_QCOW2_CLUSTER, STEMMA_ERROR_CHAIN_BROKEN },
  { "table not aligned", 0, 64, TEST_QCOW2_CLUSTER + 512, STEMMA_ERROR_CHAIN_BROKEN },
  { "table in the header", 0, 64, 0, STEMMA_ERROR_CHAIN_BROKEN },
  { "table of 32 GiB", 8, 32, 0xffffffff, STEMMA_ERROR_CHAIN_BROKEN },
  { "table longer than the file", 8, 32, 100000, STEMMA_ERROR_CHAIN_BROKEN },
  { "id of 65535 bytes", 12, 32, 0xffff0001, STEMMA_ERROR_CHAIN_BROKEN },
  { "name of 65535 bytes", 12, 32, 0x0001ffff, STEMMA_ERROR_CHAIN_BROKEN },
  { "name with a NUL", 12, 32, 0x00010009, STEMMA_ERROR_CHAIN_BROKEN },
  { "extra data of 1025 bytes", 36, 32, 1025, STEMMA_ERROR_CHAIN_BROKEN },
  { "extra data of 4 GiB", 36, 32, 0xffffffff, STEMMA_ERROR_CHAIN_BROKEN },
  { "disk of 2^64-1 bytes", 48, 64, G_MAXUINT64, STEMMA_ERROR_CHAIN_BROKEN },
  { "name that is no text", 64, 64, G_MAXUINT64, STEMMA_ERROR_CHAIN_BROKEN },
  { "cut off in the first entry", 20, 0, 0, STEMMA_ERROR_CHAIN_BROKEN },
  { "cut off in the second name", 140, 0, 0, STEMMA_ERROR_CHAIN_BROKEN },
};

static const Vector bitmap_vectors[] = {
  { "table beyond the file", 0, 64, TEST_QCOW2_CLUSTER * 100, STEMMA_ERROR_CHAIN_BROKEN },
  { "table not aligned", 0, 64, 512, STEMMA_ERROR_CHAIN_BROKEN },
  { "no table", 0, 64, 0, STEMMA_ERROR_CHAIN_BROKEN },
  { "table of no entries", 8, 32, 0, STEMMA_ERROR_CHAIN_BROKEN },
  { "table of 32 GiB", 8, 32, 0xffffffff, STEMMA_ERROR_CHAIN_BROKEN },
  { "unknown flag", 12, 32, 8, STEMMA_ERROR_CHAIN_BROKEN },
  { "unknown type", 16, 32, 0x02100001, STEMMA_ERROR_CHAIN_BROKEN },
  { "granularity of 256 bytes", 16, 32, 0x01080001, STEMMA_ERROR_CHAIN_BROKEN },
  { "granularity past a word", 16, 32, 0x01ff0001, STEMMA_ERROR_CHAIN_BROKEN },
  { "no name", 16, 32, 0x01100000, STEMMA_ERROR_CHAIN_BROKEN },
  { "name of 1024 bytes", 16, 32, 0x01100400, STEMMA_ERROR_CHAIN_BROKEN },
  { "name longer than the directory", 16, 32, 0x01100100, STEMMA_ERROR_CHAIN_BROKEN },
  { "extra data", 20, 32, 8, STEMMA_ERROR_CHAIN_BROKEN },
  { "extra data of 4 GiB", 20, 32, 0xffffffff, STEMMA_ERROR_CHAIN_BROKEN },
  { "name that is no text", 24, 32, 0xffffffff, STEMMA_ERROR_CHAIN_BROKEN },
  { "one name twice", 24, 32, 0x62000000, STEMMA_ERROR_CHAIN_BROKEN },
  { "cut off", 10, 0, 0, STEMMA_ERROR_CHAIN_BROKEN },
};

static void
assert_refused (Fixture *self, const Vector *vector, guint64 table)
{
  g_autoptr (GError) error = NULL;

  g_test_message ("%s", vector->name);
  if (vector->width == 0)
    test_file_truncate (self->path, table + vector->offset);
  else if (vector->width == 32)
    test_file_patch32 (self->path, table + vector->offset, (guint32) vector->value);
  else
    test_file_patch64 (self->path, table + vector->offset, vector->value);

  g_assert_null (read_marks (self, FALSE, /* cancellable= */ NULL, &error));
  g_assert_error (error, STEMMA_ERROR, (int) vector->code);
  g_assert_nonnull (strstr (error->message, self->path));
}

static void
test_hostile_tags (Fixture *self, gconstpointer unused)
{
  static const TestTag tags[] = { { .id = "1", .name = "first" },
                                  { .id = "2", .name = "the second name" } };

  for (gsize i = 0; i < G_N_ELEMENTS (tag_vectors); i++)
    {
      test_qcow2_write (self->path, &(TestQcow2){ .version = 3 });
      assert_refused (self, &tag_vectors[i], test_qcow2_append_tags (self->path, tags, 2));
    }
}

static void
test_hostile_bitmaps (Fixture *self, gconstpointer unused)
{
  static const TestBitmap bitmaps[] = { { .name = "a" }, { .name = "b" } };

  for (gsize i = 0; i < G_N_ELEMENTS (bitmap_vectors); i++)
    {
      test_qcow2_write (self->path, &(TestQcow2){ .n_bitmaps = 2 });
      assert_refused (self, &bitmap_vectors[i], test_qcow2_append_bitmaps (self->path, bitmaps, 2));
    }
}

static void
test_directory (Fixture *self, gconstpointer unused)
{
  static const struct
  {
    const char *name;
    guint64 offset;
    guint64 value;
    StemmaError code;
  } rows[] = {
    { "directory of 2^64-1 bytes", TEST_QCOW2_BITMAPS_LENGTH, G_MAXUINT64, STEMMA_ERROR_TOO_LARGE },
    { "directory of 16 MiB", TEST_QCOW2_BITMAPS_LENGTH, 16 << 20, STEMMA_ERROR_TOO_LARGE },
    { "longer than its entries", TEST_QCOW2_BITMAPS_LENGTH, 40, STEMMA_ERROR_CHAIN_BROKEN },
    { "shorter than its entries", TEST_QCOW2_BITMAPS_LENGTH, 24, STEMMA_ERROR_CHAIN_BROKEN },
    { "empty", TEST_QCOW2_BITMAPS_LENGTH, 0, STEMMA_ERROR_CHAIN_BROKEN },
    { "in the header", TEST_QCOW2_BITMAPS_OFFSET, 0, STEMMA_ERROR_CHAIN_BROKEN },
    { "beyond the file", TEST_QCOW2_BITMAPS_OFFSET, TEST_QCOW2_CLUSTER * 99,
      STEMMA_ERROR_CHAIN_BROKEN },
    { "not aligned", TEST_QCOW2_BITMAPS_OFFSET, 8, STEMMA_ERROR_CHAIN_BROKEN },
  };

  for (gsize i = 0; i < G_N_ELEMENTS (rows); i++)
    {
      g_autoptr (GError) error = NULL;

      g_test_message ("%s", rows[i].name);
      test_qcow2_write (self->path, &(TestQcow2){ .n_bitmaps = 1 });
      test_qcow2_append_bitmaps (self->path, &(TestBitmap){ .name = "a" }, 1);
      test_file_patch64 (self->path, rows[i].offset, rows[i].value);

      g_assert_null (read_marks (self, FALSE, /* cancellable= */ NULL, &error));
      g_assert_error (error, STEMMA_ERROR, (int) rows[i].code);
    }
}

/* A header that promises as many as may be, over a file of holes: each entry is empty and sound. */
static void
test_promises (Fixture *self, gconstpointer unused)
{
  test_qcow2_write (self->path, &(TestQcow2){ .version = 3 });
  test_qcow2_append_tags (self->path, &(TestTag){ .id = "1", .name = "a" }, 1);
  test_file_patch32 (self->path, TEST_QCOW2_SNAPSHOTS, 65536);
  test_file_truncate (self->path, G_GUINT64_CONSTANT (1) << 30);

  g_autoptr (StmFacts) facts = read_sound (self, FALSE);

  g_assert_cmpuint (facts->tags->len, ==, 65536);
}

static void
test_large_table (Fixture *self, gconstpointer unused)
{
  g_autofree TestTag *tags = g_new0 (TestTag, 9000);
  g_autoptr (GError) error = NULL;

  for (guint i = 0; i < 9000; i++)
    tags[i] = (TestTag){ .id = "1", .name = "a", .extra_length = 1024 };
  test_qcow2_write (self->path, &(TestQcow2){ .version = 3 });
  test_qcow2_append_tags (self->path, tags, 9000);

  g_assert_null (read_marks (self, FALSE, /* cancellable= */ NULL, &error));
  g_assert_error (error, STEMMA_ERROR, STEMMA_ERROR_TOO_LARGE);
}

static void
test_cancelled (Fixture *self, gconstpointer unused)
{
  g_autoptr (GCancellable) cancellable = g_cancellable_new ();
  g_autoptr (GError) error = NULL;

  test_qcow2_write (self->path, &(TestQcow2){ .version = 3 });
  test_qcow2_append_tags (self->path, &(TestTag){ .id = "1", .name = "a" }, 1);
  g_cancellable_cancel (cancellable);

  g_assert_null (read_marks (self, FALSE, cancellable, &error));
  g_assert_error (error, STEMMA_ERROR, STEMMA_ERROR_CANCELLED);
}

int
main (int argc, char **argv)
{
  static const struct
  {
    const char *path;
    void (*test) (Fixture *, gconstpointer);
  } tests[] = {
    { "/qemu/marks/tags-are-read-whole", test_tags },
    { "/qemu/marks/a-tag-of-an-old-image-has-the-size-of-the-disk", test_tag_without_extra },
    { "/qemu/marks/a-tag-is-present-when-both-tables-lead-to-the-same", test_presence },
    { "/qemu/marks/content-lies-between-tags-when-each-part-is-from-one", test_between },
    { "/qemu/marks/bitmaps-are-read-whole", test_bitmaps },
    { "/qemu/marks/hostile-tags-are-refused-with-a-type", test_hostile_tags },
    { "/qemu/marks/hostile-bitmaps-are-refused-with-a-type", test_hostile_bitmaps },
    { "/qemu/marks/hostile-directories-are-refused-with-a-type", test_directory },
    { "/qemu/marks/empty-promises-cost-no-time", test_promises },
    { "/qemu/marks/a-table-over-the-limit-is-refused", test_large_table },
    { "/qemu/marks/reading-can-be-cancelled", test_cancelled },
  };

  g_test_init (&argc, &argv, NULL);
  for (gsize i = 0; i < G_N_ELEMENTS (tests); i++)
    g_test_add (tests[i].path, Fixture, NULL, set_up, tests[i].test, tear_down);

  return g_test_run ();
}
