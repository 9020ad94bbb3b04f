/* Removes the file of an image when its header proves that it is the recorded one.
 *
 * Implements the verb remove_image of StmDriver. Worker threads only.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include "stm-image.h"
#include "stm-path-policy.h"

/* Removes a qcow2 file whose backing and capacity are those of the record. One that is not there is
 * fine; CHAIN_BROKEN when the proof fails: the file stays. */
gboolean stm_image_remove (const StmImage *image, const StmPathPolicy *policy, GError **error);
