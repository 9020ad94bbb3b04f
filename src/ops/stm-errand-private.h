/* The parts of an errand, for its own files only.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include "stm-errand.h"

#include "stm-job-control.h"
#include "stm-run.h"

/* What is done next. */
typedef void (*StmErrandNext) (StmErrand *self);

struct _StmErrand
{
  const StmErrandTools *tools;
  const StmErrandEvents *events;
  gpointer user_data;
  StmJob *job;
  StmOp *op; /* NULL when settling */
  GTask *task;
  gboolean is_settling;
  StmSettleChoice choice;
  StmChange *abandonment;
  guint n_looks;
  guint64 seen_generation;

  GPtrArray *wanted_texts; /* hashes, still to be fetched */
  StmSpellings *spellings; /* of the operation, while they are being resolved */
  GPtrArray *images;
  StmPathPolicy *policy;
  StmSurvey *survey;
  StmPlan *plan;
  StmJournalEntry *entry;
  StmRun *run;
  GError *error;   /* of the act that just ended */
  GError *failure; /* why the operation is being taken back */
  gboolean can_take_back;
  StmErrandNext next; /* after what is under way: reading, resolving paths, fetching texts, the
                       * record of what was seen */
};

/* stm-errand.c */
const StmModel *stm_errand_get_model (const StmErrand *self);
/* The last act of all; frees the errand. `left`: why the journal still has it. */
void stm_errand_end (StmErrand *self, const GError *refusal, const char *left);
/* Refuses with the error of the act that just ended. */
void stm_errand_end_refused (StmErrand *self);
/* The operation is over and the journal still has it: it failed where it cannot go back, or could
 * not be taken back. */
void stm_errand_leave_unsettled (StmErrand *self, const GError *why);
/* Records what the last survey shows of the moments' health, and goes on. */
void stm_errand_note_health (StmErrand *self, StmErrandNext next);

/* The policy names all images of the domain: it is made only for those who look at files. */
void stm_errand_make_policy (StmErrand *self);

/* stm-errand-intake.c */
/* Takes in what the client sent, and goes on. */
void stm_errand_take_in (StmErrand *self, StmErrandNext next);
/* Has the paths resolved that the client gave, and goes on. */
void stm_errand_spell_paths (StmErrand *self, StmErrandNext next);
/* Fetches the texts of the store that the operation needs, and goes on. */
void stm_errand_fetch_texts (StmErrand *self, StmErrandNext next);

/* stm-errand-acts.c */
void stm_errand_prepare_run (StmErrand *self);
void stm_errand_run (StmErrand *self);
void stm_errand_take_back (StmErrand *self);
void stm_errand_clean_up (StmErrand *self);
/* Takes the entry from the journal together with `change`, and ends. */
void stm_errand_close (StmErrand *self, StmChange *change);

/* stm-errand-settle.c */
void stm_errand_start_settling (StmErrand *self);
