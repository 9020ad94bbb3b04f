/* Whether an open image is what its record says, looked at right before it is used.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include "stm-image.h"

/* What a file said of itself. */
typedef struct
{
  guint64 capacity;
  guint n_tags;
  char *backing; /* resolved; NULL without */
} StmImageReading;

void stm_image_reading_clear (StmImageReading *self);

/* Reads the header of an image that is recorded as qcow2, or takes the size of one that is recorded
 * as raw, whatever its content pretends to be. CHAIN_BROKEN, NOT_ALLOWED, NOT_SUPPORTED as
 * stm_qcow2_header_check_usable(). `backing_format` (nullable: any): what the header must call the
 * format of its backing, if it says it. */
gboolean stm_image_read (int fd, const StmImage *image, const char *backing_format,
                         StmImageReading *out_reading, GError **error);

/* The same, and CHAIN_BROKEN when it does not stand on its recorded backing. */
gboolean stm_image_verify (int fd, const StmImage *image, const char *backing_format,
                           StmImageReading *out_reading, GError **error);

/* CHAIN_BROKEN unless the header names exactly this backing (NULL: none) and its format, as the
 * endpoint should have written it. */
gboolean stm_image_verify_backing (int fd, const char *path, const char *backing,
                                   const char *backing_format, GError **error);
/* The same with the size. */
gboolean stm_image_verify_written (int fd, const char *path, guint64 capacity, const char *backing,
                                   const char *backing_format, GError **error);

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (StmImageReading, stm_image_reading_clear)
