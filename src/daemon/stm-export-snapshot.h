/* StmExportSnapshot: org.stemma1.Snapshot on the bus.
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

/* The moment is in the model. */
StmExportSnapshot *stm_export_snapshot_new (StmRegistry *registry, StmGate *gate,
                                            const char *domain_id, const char *moment_id);

/* Sets the properties from the registry; the publisher flushes them in its order. The moment is in
 * the model. */
void stm_export_snapshot_update (StmExportSnapshot *self);

/* What was shown at the last update; kept by reference, so that what the model has dropped can
 * still be asked for. */
const StmMoment *stm_export_snapshot_get_shown (StmExportSnapshot *self);
