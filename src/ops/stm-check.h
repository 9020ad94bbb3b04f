/* Compares the records of all domains with their images.
 *
 * Main loop; the looking runs on a worker.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include "stm-driver.h"
#include "stm-model.h"
#include "stm-workers.h"

typedef struct
{
  char *domain_id;
  guint64 generation; /* of the domain when the check began */
  GPtrArray *images;  /* StmImage as recorded when the check began */
  StmPathPolicy *policy;
  StmSurvey *survey; /* NULL when it could not be made */
} StmCheckedDomain;

/* The result is a GPtrArray of StmCheckedDomain that owns its elements. */
void stm_check_async (const StmModel *model, StmDriver *driver, StmWorkers *workers,
                      const char *const *pools, GAsyncReadyCallback callback, gpointer user_data);
GPtrArray *stm_check_finish (GAsyncResult *result, GError **error);
