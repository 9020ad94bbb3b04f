/* Walks qcow2 tables of both levels.
 *
 * Any thread that may wait for the disk. The tables are hostile: each offset is checked to lie in
 * the file, and no more tables are read than it has clusters, so that tables which name each other
 * a million times cost no more than a sound image of that size. Never writes.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "stm-qcow2-tables.h"

#include "stm-image-file.h"

#include "stemma-error.h"
#include "stm-survey.h"

#include <string.h>

/* Tables of more bytes than this are not read, so what the image holds is unknown: with clusters of
 * 64 KiB it is what 16 TiB of data have. */
#define MAX_TABLE_BYTES (G_GUINT64_CONSTANT (2) << 30)
/* Entries of the first level that are read at a time. */
#define L1_CHUNK 4096

#define ENTRY_OFFSET G_GUINT64_CONSTANT (0x00fffffffffffe00)
#define ENTRY_COMPRESSED (G_GUINT64_CONSTANT (1) << 62)
#define ENTRY_ZERO (G_GUINT64_CONSTANT (1) << 0)

typedef struct
{
  int fd;
  const char *path;
  const StmQcow2Header *header;
  GCancellable *cancellable;
  guint64 file_size;
  guint64 cluster_size;
  guint64 n_clusters;   /* of the guest's disk */
  guint entry_words;    /* of 64 bits in an entry of the second level */
  guint64 tables_left;  /* to be read before it is too much */
  guint64 *table;       /* one cluster */
  guint64 n_data;       /* clusters found */
  gboolean is_too_much; /* nothing is known then */
} Walk;

static gboolean
fail (const Walk *walk, const char *what, GError **error)
{
  g_set_error (error, STEMMA_ERROR, STEMMA_ERROR_CHAIN_BROKEN,
               "image %s: %s; look at it with qemu-img check, or restore it from a copy",
               walk->path, what);
  return FALSE;
}

/* A program that writes to the image makes it grow while it is read. */
static gboolean
begins_in_file (Walk *walk, guint64 offset)
{
  if (offset >= walk->file_size)
    (void) stm_image_file_get_length (walk->fd, walk->path, &walk->file_size, NULL);

  return offset < walk->file_size;
}

/* The host offset of a compressed cluster has fewer bits, the larger clusters are: above it stands
 * the length. */
static guint64
compressed_offset (const Walk *walk, guint64 entry)
{
  guint bits = 62 - (walk->header->cluster_bits - 8);

  return entry & ((G_GUINT64_CONSTANT (1) << bits) - 1);
}

static gboolean
check_entry (Walk *walk, guint64 entry, GError **error)
{
  gboolean is_compressed = (entry & ENTRY_COMPRESSED) != 0;
  guint64 offset = is_compressed ? compressed_offset (walk, entry) : entry & ENTRY_OFFSET;

  if (offset == 0 && !is_compressed)
    return TRUE;
  if (!is_compressed && offset % walk->cluster_size != 0)
    return fail (walk, "a data cluster is not aligned", error);
  /* The data of an external file has offsets of its own. */
  if (!walk->header->has_data_file && !begins_in_file (walk, offset))
    return fail (walk, "data lies beyond the end of the file, which is cut off", error);

  return TRUE;
}

/* With subclusters the second word says which of them are there or read as zeros; one counts for
 * the whole cluster. */
static gboolean
has_content (const Walk *walk, const guint64 *entry)
{
  guint64 word = GUINT64_FROM_BE (entry[0]);

  return (word & (ENTRY_OFFSET | ENTRY_COMPRESSED | ENTRY_ZERO)) != 0
         || (walk->entry_words == 2 && entry[1] != 0);
}

static gboolean
count_table (Walk *walk, guint64 first_cluster, GError **error)
{
  gsize n_entries = walk->cluster_size / (8 * walk->entry_words);
  guint64 n_left = walk->n_clusters - first_cluster;

  for (gsize i = 0; i < n_entries && i < n_left; i++)
    {
      const guint64 *entry = walk->table + i * walk->entry_words;

      if (!has_content (walk, entry))
        continue;
      if (!check_entry (walk, GUINT64_FROM_BE (entry[0]), error))
        return FALSE;
      walk->n_data++;
    }

  return TRUE;
}

/* A table may be the last cluster of the file and not written to its end: the rest is zeros. */
static gboolean
read_table (Walk *walk, guint64 offset, GError **error)
{
  guint64 length = MIN (walk->cluster_size, walk->file_size - offset);

  memset (walk->table, 0, walk->cluster_size);
  return stm_image_file_read_at (walk->fd, walk->path, walk->table, length, offset, error);
}

static gboolean
walk_entry (Walk *walk, guint64 entry, guint64 first_cluster, GError **error)
{
  guint64 offset = entry & ENTRY_OFFSET;

  if (offset == 0)
    return TRUE;
  if (offset % walk->cluster_size != 0)
    return fail (walk, "a table is not aligned", error);
  if (!begins_in_file (walk, offset))
    return fail (walk, "a table lies beyond the end of the file, which is cut off", error);
  if (walk->tables_left == 0)
    {
      walk->is_too_much = TRUE;
      return TRUE;
    }
  walk->tables_left--;

  return read_table (walk, offset, error) && count_table (walk, first_cluster, error);
}

static gboolean
check_cancelled (const Walk *walk, GError **error)
{
  if (!g_cancellable_is_cancelled (walk->cancellable))
    return TRUE;
  g_set_error (error, STEMMA_ERROR, STEMMA_ERROR_CANCELLED,
               "counting the data of image %s: the operation was cancelled", walk->path);
  return FALSE;
}

static gboolean
walk_all (Walk *walk, GError **error)
{
  guint64 per_table = walk->cluster_size / (8 * walk->entry_words);
  guint64 n_needed = walk->n_clusters / per_table + (walk->n_clusters % per_table != 0 ? 1 : 0);
  guint64 n_entries = MIN (n_needed, walk->header->l1_entries);
  g_autofree guint64 *chunk = g_new (guint64, L1_CHUNK);

  for (guint64 i = 0; i < n_entries && !walk->is_too_much; i++)
    {
      if (i % L1_CHUNK == 0
          && !stm_image_file_read_at (walk->fd, walk->path, chunk,
                                      MIN (L1_CHUNK, n_entries - i) * sizeof *chunk,
                                      walk->header->l1_offset + i * sizeof *chunk, error))
        return FALSE;
      if (!check_cancelled (walk, error)
          || !walk_entry (walk, GUINT64_FROM_BE (chunk[i % L1_CHUNK]), i * per_table, error))
        return FALSE;
    }

  return TRUE;
}

gboolean
stm_qcow2_tables_count (int fd, const StmQcow2Header *header, const char *path,
                        GCancellable *cancellable, guint64 *out_bytes, GError **error)
{
  g_return_val_if_fail (fd >= 0 && header != NULL && path != NULL && out_bytes != NULL, FALSE);

  guint64 cluster_size = G_GUINT64_CONSTANT (1) << header->cluster_bits;
  g_autofree guint64 *table = g_malloc (cluster_size);
  Walk walk = {
    .fd = fd,
    .path = path,
    .header = header,
    .cancellable = cancellable,
    .file_size = header->file_size,
    .cluster_size = cluster_size,
    .n_clusters = header->capacity / cluster_size + (header->capacity % cluster_size != 0 ? 1 : 0),
    .entry_words = header->has_extended_l2 ? 2 : 1,
    .tables_left = MIN (header->file_size, MAX_TABLE_BYTES) / cluster_size + 1,
    .table = table,
  };

  /* What a dirty image holds is in doubt until it is repaired. */
  if (header->is_dirty)
    {
      *out_bytes = STM_BYTES_UNKNOWN;
      return TRUE;
    }
  if (!walk_all (&walk, error))
    return FALSE;
  *out_bytes = walk.is_too_much ? STM_BYTES_UNKNOWN : walk.n_data * cluster_size;

  return TRUE;
}
