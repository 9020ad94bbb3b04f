/* Puts right what an operation that was cut off left in an image: clusters that are counted and not
 * used.
 *
 * Worker threads only.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include "stm-image.h"
#include "stm-path-policy.h"
#include "stm-qemu-process.h"

/* Frees unused clusters of a qcow2 image that nobody else has open, durably. No byte of what it or
 * one of its tags shows is changed, and nothing else that may be wrong with it. One with bitmaps is
 * left as it is: a crash here would break them, which is worse. */
gboolean stm_image_repair_leaks (const StmQemuSetup *setup, const StmImage *image,
                                 const StmPathPolicy *policy, GError **error);
