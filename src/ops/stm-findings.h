/* StmFindings: what is not as recorded, or could not be settled, each with a stable id.
 *
 * Main loop only. Values; decides nothing.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include "stm-journal-entry.h"
#include "stm-registry.h"
#include "stm-survey.h"

/* An operation that the journal still holds. Its id is from the plan's. */
StmFinding *stm_finding_new_unsettled (const StmJournalEntry *entry);
/* An image that is missing or that differs from its record; NULL when it is as recorded. */
StmFinding *
stm_finding_new_image (const char *domain_id, const StmImage *image, const StmFacts *facts);
/* A moment that its images do not bear out: a bitmap or an internal snapshot that is gone or
 * broken; NULL when there is none. */
StmFinding *
stm_finding_new_moment (const char *domain_id, const StmMoment *moment, const StmSurvey *survey);
/* That there are `number` more of a kind than are listed. */
StmFinding *stm_finding_new_more (const char *domain_id, const char *kind, guint number);
StmFinding *stm_finding_copy (const StmFinding *self);
void stm_finding_free (StmFinding *self);

/* The worst that findings say of a domain. */
StmHealth stm_findings_health_of (GPtrArray *findings, const char *domain_id);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (StmFinding, stm_finding_free)
