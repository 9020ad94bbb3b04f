/* Looks at the headers of all images in a directory, to find those that stand on given images.
 *
 * A child that nothing knows of is what makes a commit into its base a silent loss of data, so a
 * doubt counts as a child. Worker threads only.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include "stm-path-policy.h"

/* An image whose children are looked for. */
typedef struct
{
  const char *path;
  guint64 device, inode; /* identity of the file; 0, 0 when it is not there */
  GPtrArray *children;   /* paths as strings are added, each once */
} StmScanTarget;

/* Scans the directory that holds `path` once for all targets. Whatever is not a regular file is
 * passed over; an image that cannot be read counts as a child of every target in the directory, and
 * one whose reference cannot be resolved as a child of each target whose name it mentions.
 * `out_names` (nullable) gets the path of everything in the directory. TOO_MANY over a limit;
 * CANCELLED. */
gboolean stm_image_scan_directory (const StmPathPolicy *policy, const char *path,
                                   const StmScanTarget *targets, gsize n_targets,
                                   GPtrArray *out_names, GCancellable *cancellable, GError **error);
