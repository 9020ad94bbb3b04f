/* StmExportCheckpoint: org.stemma1.Checkpoint, made for one call.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include "stemma-generated.h"
#include "stm-gate.h"
#include "stm-registry.h"

#define STM_TYPE_EXPORT_CHECKPOINT stm_export_checkpoint_get_type ()
G_DECLARE_FINAL_TYPE (StmExportCheckpoint, stm_export_checkpoint, STM, EXPORT_CHECKPOINT,
                      StemmaCheckpointSkeleton)

StmExportCheckpoint *stm_export_checkpoint_new (StmRegistry *registry, StmGate *gate,
                                                const char *domain_id, const char *moment_id);
