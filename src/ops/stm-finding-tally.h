/* StmFindingTally: the findings of one domain as a check comes upon them, not more of a kind than
 * somebody would read.
 *
 * Main loop only. Lives for one check.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include "stm-findings.h"

/* As many findings of one kind are listed for a domain; one more says how many there are besides.
 */
#define STM_MAX_FINDINGS_OF_KIND 1000

typedef struct _StmFindingTally StmFindingTally;

StmFindingTally *stm_finding_tally_new (const char *domain_id);
void stm_finding_tally_free (StmFindingTally *self);

/* Takes the finding; NULL is none. */
void stm_finding_tally_take (StmFindingTally *self, StmFinding *finding);
/* Moves the findings to the end of `found`, an array of StmFinding that owns them. */
void stm_finding_tally_end (StmFindingTally *self, GPtrArray *found);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (StmFindingTally, stm_finding_tally_free)
