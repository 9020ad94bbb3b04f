/* Runs qemu-img on one image, for what QEMU does in no other way.
 *
 * Worker threads only.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include "stm-qemu-process.h"

typedef struct
{
  const StmQemuSetup *setup;
  const char *path; /* of the image, for messages */
  const char *const
      *command;        /* what qemu-img shall do, but for the image, which is put behind it */
  const char *attempt; /* for messages */
} StmImageTool;

/* Whether it ended well, and so did the endpoint through which it had the image: what it wrote is
 * in the file, but not yet durable. The descriptor, open for writing, is closed here in any case;
 * the image is qcow2, what it stands on is not there. Ended by the cancellable, or failed: it may
 * have been done in part. NO_SPACE, HYPERVISOR, CANCELLED, TIMED_OUT … */
gboolean stm_image_tool_run_sync (const StmImageTool *tool, int fd, GCancellable *cancellable,
                                  GError **error);
