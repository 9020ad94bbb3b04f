/* StmErrand: one operation on its way through the acts, or the settling of one that was cut off.
 *
 * Main loop only; hands its blocking parts to StmWorkers. Made and queued by StmJobRunner.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include "stm-claims.h"
#include "stm-job.h"
#include "stm-ledger.h"
#include "stm-moment-xml.h"
#include "stm-op.h"
#include "stm-workers.h"

typedef struct _StmErrand StmErrand;

/* What errands share; owned by the runner, which outlives them. */
typedef struct
{
  StmLedger *ledger;
  StmDriver *driver;
  StmClaims *claims;
  StmWorkers *workers;
  StmMomentReader *reader; /* of the main loop */
  const char *const *pools;
} StmErrandTools;

typedef struct
{
  /* The intent is durable (or nothing had to be done): the job can be shown and the call answered.
   */
  void (*accepted) (StmErrand *errand, gpointer user_data);
  /* Facts on images that were just looked at. */
  void (*looked) (StmErrand *errand, const StmSurvey *survey, gpointer user_data);
  /* Over, for good or ill; the errand is freed after this returns. `refusal` when it was never
   * accepted. `left` when the journal still holds it: why. */
  void (*ended) (StmErrand *errand, const GError *refusal, const StmJournalEntry *entry,
                 const char *left, gpointer user_data);
} StmErrandEvents;

StmErrand *stm_errand_new (const StmErrandTools *tools, const StmErrandEvents *events,
                           gpointer user_data, StmJob *job, StmOp *op);
/* What is done with a journalled operation. */
typedef enum
{
  STM_SETTLE_FINISH,  /* finish it, or take it back */
  STM_SETTLE_ABANDON, /* leave the images as they are and close it; files stay */
} StmSettleChoice;

StmErrand *stm_errand_new_settle (const StmErrandTools *tools, const StmErrandEvents *events,
                                  gpointer user_data, StmJob *job, const StmJournalEntry *entry,
                                  StmSettleChoice choice);
void stm_errand_free (StmErrand *self);

void stm_errand_start (StmErrand *self);
/* Instead of starting it. */
void stm_errand_refuse (StmErrand *self, const GError *why);
gboolean stm_errand_is_settling (const StmErrand *self);
StmJob *stm_errand_get_job (StmErrand *self);
const StmPlan *stm_errand_get_plan (StmErrand *self); /* NULL before it is made */
void stm_errand_set_task (StmErrand *self, GTask *task);
GTask *stm_errand_steal_task (StmErrand *self);
