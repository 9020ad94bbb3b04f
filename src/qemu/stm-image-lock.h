/* Whether another process has an image open in a way that forbids ours, by the locks QEMU sets.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include "stm-image-file.h"

/* IN_USE when another process writes it, or, for STM_IMAGE_WRITE, forbids that it is written.
 * Takes no lock, so it settles no race: QEMU's own locks do that, but QEMU sets none on a raw image
 * that no device uses, and says it late for one that is first written by a job. */
gboolean stm_image_lock_check (int fd, const char *path, StmImageAccess access, GError **error);
