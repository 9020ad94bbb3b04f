/* How a column spells what is neither a text nor a number: enums that only the database spells out
 * (the words of the bus contract are in core/), and plans.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include "stm-journal-entry.h"

const char *stm_source_kind_to_word (StmSourceKind kind);
gboolean stm_source_kind_from_word (const char *word, StmSourceKind *out_kind);

const char *stm_moment_kind_to_word (StmMomentKind kind);
gboolean stm_moment_kind_from_word (const char *word, StmMomentKind *out_kind);

const char *stm_journal_phase_to_word (StmJournalPhase phase);
gboolean stm_journal_phase_from_word (const char *word, StmJournalPhase *out_phase);

/* The serialized plan, the same on every machine. */
GBytes *stm_plan_to_bytes (const StmPlan *plan);
StmPlan *stm_plan_from_bytes (GBytes *bytes); /* NULL when the content is not sound */
