/* Writes qcow2 images field by field, sound ones and such as no program would write.
 *
 * Apart from src/ and QEMU. Fails the test when a file cannot be written.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include <glib.h>

/* Where things lie, in clusters: header, reference counts (table, block), tables of both levels,
 * data. */
#define TEST_QCOW2_L1_CLUSTER 3
#define TEST_QCOW2_L2_CLUSTER 4
#define TEST_QCOW2_DATA_CLUSTER 5
#define TEST_QCOW2_CLUSTER_BITS 16
#define TEST_QCOW2_CLUSTER (G_GUINT64_CONSTANT (1) << TEST_QCOW2_CLUSTER_BITS)
#define TEST_QCOW2_CAPACITY (G_GUINT64_CONSTANT (64) << 20)

/* Offsets of fields in the header. */
#define TEST_QCOW2_VERSION 4
#define TEST_QCOW2_BACKING_OFFSET 8
#define TEST_QCOW2_BACKING_LENGTH 16
#define TEST_QCOW2_BITS 20
#define TEST_QCOW2_SIZE 24
#define TEST_QCOW2_CRYPT 32
#define TEST_QCOW2_L1_ENTRIES 36
#define TEST_QCOW2_L1_OFFSET 40
#define TEST_QCOW2_REFCOUNT_OFFSET 48
#define TEST_QCOW2_SNAPSHOTS 60
#define TEST_QCOW2_SNAPSHOTS_OFFSET 64
#define TEST_QCOW2_INCOMPATIBLE 72
#define TEST_QCOW2_COMPATIBLE 80
#define TEST_QCOW2_AUTOCLEAR 88
#define TEST_QCOW2_REFCOUNT_ORDER 96
#define TEST_QCOW2_LENGTH 100
/* In the extension for bitmaps, of an image without a backing format. */
#define TEST_QCOW2_BITMAPS_LENGTH 120
#define TEST_QCOW2_BITMAPS_OFFSET 128

typedef struct
{
  guint version;    /* 3 when 0 */
  guint64 capacity; /* TEST_QCOW2_CAPACITY when 0 */
  const char *backing;
  const char *backing_format;
  guint64 incompatible;
  guint n_bitmaps;
  const guint64 *entries; /* of the table of the second level, from the first cluster on */
  gsize n_entries;
  gsize n_data; /* clusters after the tables */
} TestQcow2;

void test_qcow2_write (const char *path, const TestQcow2 *init);

/* An internal snapshot; fields that are 0 or NULL get what QEMU would write for one that was just
 * taken. */
typedef struct
{
  const char *id;
  const char *name;
  guint64 l1_offset;    /* 0: that of the active table */
  guint32 l1_entries;   /* 0: as many */
  guint32 extra_length; /* 0: 24 */
  guint64 capacity;     /* 0: that of the image */
  guint64 vm_state_bytes;
} TestTag;

typedef struct
{
  const char *name;
  guint32 flags;
  guint8 type;             /* 0: 1 */
  guint8 granularity_bits; /* 0: 16 */
  guint32 extra_length;
  guint64 table_offset;  /* 0: a cluster of the file */
  guint32 table_entries; /* 0: 1 */
} TestBitmap;

/* Put a table at the end of an image and name it in the header. The image of the second was written
 * with as many bitmaps. The offset of the table. */
guint64 test_qcow2_append_tags (const char *path, const TestTag *tags, gsize n_tags);
guint64 test_qcow2_append_bitmaps (const char *path, const TestBitmap *bitmaps, gsize n_bitmaps);

void test_file_patch32 (const char *path, guint64 offset, guint32 value);
void test_file_patch64 (const char *path, guint64 offset, guint64 value);
void test_file_truncate (const char *path, guint64 length);
