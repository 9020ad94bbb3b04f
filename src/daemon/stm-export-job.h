/* StmExportJob: org.stemma1.Job on the bus.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include "stemma-generated.h"
#include "stm-gate.h"
#include "stm-registry.h"

#define STM_TYPE_EXPORT_JOB stm_export_job_get_type ()
G_DECLARE_FINAL_TYPE (StmExportJob, stm_export_job, STM, EXPORT_JOB, StemmaJobSkeleton)

StmExportJob *stm_export_job_new (StmRegistry *registry, StmGate *gate, StmJob *job);

/* Sets the properties from the job; the publisher flushes them in its order. */
void stm_export_job_update (StmExportJob *self);
/* Tells the end; the properties that say so have been flushed. */
void stm_export_job_complete (StmExportJob *self);
