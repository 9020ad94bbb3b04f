/* Reads the content of a qcow2 or raw image through its backing chain, apart from src/ and QEMU.
 *
 * For images that tests make: no compression, no encryption, 64-bit L2 entries.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include <glib.h>

/* The flattened content, `length` bytes, of an image whose header says qcow2 or that is raw. Aborts
 * the test on an image that cannot be read. */
GBytes *test_read_image (const char *path, gsize length);
/* The same at one of its internal snapshots; NULL when it has none of this name. */
GBytes *test_read_tag (const char *path, const char *tag, gsize length);
