/* What the golden databases hold: domain 1 with every field of every value, domain 2, which is that
 * of sample_define (2, 8), and a journal entry, and from version 3 on the last number of a job.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include "stm-store.h"

/* The present version of the tables; each one that was released has its content. */
#define GOLDEN_VERSION 3
#define GOLDEN_LAST_JOB 4000000001U /* from version 3 on */

StmChange *golden_change (guint version);
StmJournalEntry *golden_entry (guint version);
