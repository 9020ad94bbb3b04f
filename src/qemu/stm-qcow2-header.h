/* Our own reading of qcow2 headers and tables, from a descriptor, by pread alone.
 *
 * Never follows a reference, never writes. What a header says is hostile until it is checked here:
 * each offset lies in the file, each count is under a named limit. May be called on any thread
 * that may wait for the disk.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include <gio/gio.h>

/* Larger virtual disks are refused: TOO_LARGE. */
#define STM_MAX_CAPACITY (G_GUINT64_CONSTANT (1) << 50)
/* As the format has it. */
#define STM_QCOW2_MAX_BACKING_LENGTH 1023

typedef struct _StmQcow2Header
{
  guint version; /* 2 or 3 */
  guint cluster_bits;
  guint64 capacity;     /* virtual size in bytes */
  char *backing;        /* as written, unresolved; NULL without */
  char *backing_format; /* as written; NULL without */
  guint n_snapshots;    /* internal snapshots */
  guint64 snapshots_offset;
  guint n_bitmaps;           /* persistent bitmaps that are in force */
  gboolean has_void_bitmaps; /* bitmaps that are not: a writer that does not know them wrote, or one
                              * that does was killed while it rewrote their directory */
  guint64 bitmaps_offset;
  guint64 bitmaps_length; /* of their directory, neither checked here */
  gboolean is_dirty;      /* reference counts were not written: a writer ended badly */
  gboolean is_corrupt;    /* a writer found metadata broken and said so */
  gboolean is_encrypted;
  gboolean has_data_file;   /* guest data lies in another file: callers refuse it, NOT_ALLOWED */
  gboolean has_extended_l2; /* subclusters */
  gboolean has_lazy_refcounts;
  guint64 l1_offset;
  guint32 l1_entries;
  guint64 file_size; /* of the file that the header stands in */
} StmQcow2Header;

/* Whether the content begins as a qcow2 image does. Whose word that is, and whether it may be
 * believed, is the caller's to know: a guest can write it into a raw disk. */
gboolean stm_qcow2_has_magic (int fd, const char *path, gboolean *out_has_magic, GError **error);

/* CHAIN_BROKEN: not qcow2, cut off, or against the format; NOT_SUPPORTED: an unknown feature;
 * TOO_LARGE, TOO_MANY: over a limit. `path` is for messages. */
StmQcow2Header *stm_qcow2_header_read (int fd, const char *path, GError **error);
void stm_qcow2_header_free (StmQcow2Header *self);

/* How many entries of the table of the first level cover the guest's disk. */
guint64 stm_qcow2_header_count_l1 (const StmQcow2Header *self);

/* Whether an image with this header may take part in a chain: NOT_ALLOWED for an external data
 * file, NOT_SUPPORTED for encryption, CHAIN_BROKEN for the dirty and the corrupt bit, each with the
 * way out. */
gboolean
stm_qcow2_header_check_usable (const StmQcow2Header *self, const char *path, GError **error);

/* Bytes of the guest's disk that this layer itself answers for: data, compressed and zero clusters,
 * for a zero cluster hides what lies below it. STM_BYTES_UNKNOWN when the tables are not sound, the
 * image is dirty, or the cancellable was used. Whole clusters, so never too few. */
guint64 stm_qcow2_count_data (int fd, const StmQcow2Header *header, GCancellable *cancellable);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (StmQcow2Header, stm_qcow2_header_free)
