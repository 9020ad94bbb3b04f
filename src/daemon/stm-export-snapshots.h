/* StmExportSnapshots: org.stemma1.Snapshots on the bus, one beside each domain.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include "stemma-generated.h"
#include "stm-gate.h"
#include "stm-registry.h"

#define STM_TYPE_EXPORT_SNAPSHOTS stm_export_snapshots_get_type ()
G_DECLARE_FINAL_TYPE (StmExportSnapshots, stm_export_snapshots, STM, EXPORT_SNAPSHOTS,
                      StemmaSnapshotsSkeleton)

/* The domain is in the model. */
StmExportSnapshots *
stm_export_snapshots_new (StmRegistry *registry, StmGate *gate, const char *domain_id);

/* Sets the properties from the registry; the publisher flushes them in its order. */
void stm_export_snapshots_update (StmExportSnapshots *self);
