/* StmExportDisk: org.stemma1.Disk on the bus.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include "stemma-generated.h"
#include "stm-gate.h"
#include "stm-registry.h"

#define STM_TYPE_EXPORT_DISK stm_export_disk_get_type ()
G_DECLARE_FINAL_TYPE (StmExportDisk, stm_export_disk, STM, EXPORT_DISK, StemmaDiskSkeleton)

/* The domain is in the model and has the disk. */
StmExportDisk *stm_export_disk_new (StmRegistry *registry, StmGate *gate, const char *domain_id,
                                    const char *target);

/* Each sets properties from the registry; the publisher flushes them in its order. The domain is in
 * the model and has the disk. The first is FALSE when it was seen that nothing could differ. */
gboolean stm_export_disk_update (StmExportDisk *self);
void stm_export_disk_update_job (StmExportDisk *self);

/* The paths of the images that Chain shows: char *, borrowed. */
GPtrArray *stm_export_disk_get_shown (StmExportDisk *self);
