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
  guint64 device, inode;   /* of the file; 0, 0 when it is not there */
  GPtrArray *out_children; /* paths as strings are added; one path at most once */
} StmScanTarget;

/* Scans the directory that holds `path` once for all targets. Regular files only; what cannot be
 * opened or read counts as a child of every target in the directory. `out_names` (nullable) gets
 * the full path of everything in it. TOO_MANY over a limit. */
gboolean stm_image_scan_directory (const StmPathPolicy *policy, const char *path,
                                   StmScanTarget *targets, gsize n_targets, GPtrArray *out_names,
                                   GCancellable *cancellable, GError **error);
