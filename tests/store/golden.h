/* What the golden databases hold: domain 1 with every field of every value, domain 2, which is that
 * of sample_define (2, 8), and a journal entry.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include "stm-store.h"

StmChange *golden_change (void);
StmJournalEntry *golden_entry (void);
