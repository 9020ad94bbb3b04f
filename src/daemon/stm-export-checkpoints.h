/* StmExportCheckpoints: org.stemma1.Checkpoints on the bus, one beside each domain.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include "stemma-generated.h"
#include "stm-gate.h"
#include "stm-registry.h"

#define STM_TYPE_EXPORT_CHECKPOINTS stm_export_checkpoints_get_type ()
G_DECLARE_FINAL_TYPE (StmExportCheckpoints, stm_export_checkpoints, STM, EXPORT_CHECKPOINTS,
                      StemmaCheckpointsSkeleton)

/* The domain is in the model. */
StmExportCheckpoints *
stm_export_checkpoints_new (StmRegistry *registry, StmGate *gate, const char *domain_id);

/* Sets the properties from the registry; the publisher flushes them in its order. */
void stm_export_checkpoints_update (StmExportCheckpoints *self);
