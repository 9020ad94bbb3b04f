/* StmExportSnapshot: org.stemma1.Snapshot, made for one call.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include "stemma-generated.h"
#include "stm-gate.h"
#include "stm-registry.h"

#define STM_TYPE_EXPORT_SNAPSHOT stm_export_snapshot_get_type ()
G_DECLARE_FINAL_TYPE (StmExportSnapshot, stm_export_snapshot, STM, EXPORT_SNAPSHOT,
                      StemmaSnapshotSkeleton)

StmExportSnapshot *stm_export_snapshot_new (StmRegistry *registry, StmGate *gate,
                                            const char *domain_id, const char *moment_id);
