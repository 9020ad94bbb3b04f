/* What each fuzz target defines: libFuzzer calls it with made-up bytes, replay.c with the corpus.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

/* Returns 0. Aborts when what it calls breaks its word. */
int LLVMFuzzerTestOneInput (const uint8_t *data, size_t size);
