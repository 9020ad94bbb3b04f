/* What a snapshot or checkpoint is called: its name and its description. Pure, main loop; touches
 * no image, as tags, bitmaps and files are recorded apart from the name.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include "stm-planner.h"

typedef struct
{
  StmMomentKind kind;
  const char *moment_id;
  const char *name;        /* NULL: stays. Of snapshots only */
  const char *description; /* NULL: stays */
} StmMomentEdit;

/* A plan without steps, empty when all is so already. NOT_FOUND, INVALID_ARGUMENT, ALREADY_EXISTS,
 * TOO_LARGE; NOT_SUPPORTED for the name of a checkpoint. */
StmPlan *
stm_plan_moment_edit (const StmModel *model, const char *domain_id, const StmMomentEdit *edit,
                      const StmPlanContext *context, GError **error);

/* "snapshot" or "checkpoint", for messages. */
const char *stm_moment_kind_to_text (StmMomentKind kind);
