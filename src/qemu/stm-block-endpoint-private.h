/* The parts of an endpoint, for its own files only.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include "stm-block-endpoint.h"
#include "stm-qmp.h"

struct _StmBlockEndpoint
{
  const StmQemuSetup *setup;
  gboolean is_spare; /* the process is the keeper's, and was not heard of yet */
  StmQemuProcess *process;
  int qmp_fd; /* until it is connected */
  StmQmp *qmp;
  GPtrArray *paths; /* of image N at N - 1 */
};

/* stm-block-endpoint.c */
/* Connects when that was not done yet. Errors have the paths of the images. */
JsonNode *stm_block_endpoint_call_sync (StmBlockEndpoint *self, const StmQmpCall *qmp_call,
                                        GCancellable *cancellable, GError **error);
/* As stm_block_endpoint_execute_sync(), where there is nothing in the reply. */
gboolean
stm_block_endpoint_tell_sync (StmBlockEndpoint *self, const char *command, JsonObject *arguments,
                              const char *attempt, GCancellable *cancellable, GError **error);
