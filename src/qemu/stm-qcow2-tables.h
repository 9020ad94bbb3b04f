/* Walks the tables of a qcow2 image, to count what the image itself holds.
 *
 * Reads by pread alone, with bounded memory, and never more tables than the file can hold. May be
 * called on any thread that may wait for the disk.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include "stm-qcow2-header.h"

/* Bytes of the guest's disk that this layer itself answers for, in whole clusters: data, compressed
 * and zero clusters. STM_BYTES_UNKNOWN when the image is dirty or has more tables than we care to
 * read. CHAIN_BROKEN when a table leads out of the file or is not aligned; CANCELLED. */
gboolean stm_qcow2_tables_count (int fd, const StmQcow2Header *header, const char *path,
                                 GCancellable *cancellable, guint64 *out_bytes, GError **error);
