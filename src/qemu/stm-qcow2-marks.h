/* What a qcow2 image carries besides the guest's disk: internal snapshots and dirty bitmaps, by our
 * own reading.
 *
 * Reads by pread alone, with bounded memory and time. May be called on any thread that may wait for
 * the disk.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include "stm-qcow2-header.h"
#include "stm-survey.h"

/* Adds the tags and bitmaps of an image to its facts, whose path and is_written are set: of an
 * image that is open for writing no tag is proven to be present, and no bitmap known to be broken.
 * CHAIN_BROKEN: a table that is not in the file or against the format; TOO_LARGE: over a limit;
 * CANCELLED. */
gboolean stm_qcow2_marks_read (int fd, const StmQcow2Header *header, StmFacts *facts,
                               GCancellable *cancellable, GError **error);
