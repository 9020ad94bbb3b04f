/* StmTrimmer: gives memory back to the system after great changes.
 *
 * Ten thousand signals take tens of megabytes until they are sent; what is freed afterwards would
 * stay with the process. Main loop only.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include <glib.h>

/* How many moments make a change a great one. */
#define STM_TRIM_FROM_MOMENTS 1000

typedef struct _StmTrimmer StmTrimmer;

StmTrimmer *stm_trimmer_new (void);
void stm_trimmer_free (StmTrimmer *self);

/* A change of so many moments was told. */
void stm_trimmer_note (StmTrimmer *self, guint n_moments);
