/* The internal snapshots of a qcow2 image, by our own reading.
 *
 * Reads by pread alone, with bounded memory and time. May be called on any thread that may wait for
 * the disk.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include "stm-qcow2-header.h"
#include "stm-survey.h"

/* The part of stm_qcow2_marks_read() that is about tags. */
gboolean stm_qcow2_tags_read (int fd, const StmQcow2Header *header, StmFacts *facts,
                              GCancellable *cancellable, GError **error);

/* Whether each part of the image's present content is proven to be that of one of two tags (ids;
 * `other` nullable): what is seen while it is brought from the one to the other, and after; a guest
 * that wrote since makes it FALSE. */
gboolean
stm_qcow2_tags_is_between (int fd, const StmQcow2Header *header, const char *path, const char *one,
                           const char *other, gboolean *out_is_between, GError **error);
