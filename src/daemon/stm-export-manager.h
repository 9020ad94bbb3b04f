/* StmExportManager: org.stemma1.Manager on the bus.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include "stemma-generated.h"
#include "stm-gate.h"
#include "stm-registry.h"

#define STM_TYPE_EXPORT_MANAGER stm_export_manager_get_type ()
G_DECLARE_FINAL_TYPE (StmExportManager, stm_export_manager, STM, EXPORT_MANAGER,
                      StemmaManagerSkeleton)

StmExportManager *
stm_export_manager_new (StmRegistry *registry, StmGate *gate, const char *hypervisor_version);

/* Each sets properties from the registry; the publisher flushes them in its order. */
void stm_export_manager_update_health (StmExportManager *self);
void stm_export_manager_update_generation (StmExportManager *self);
