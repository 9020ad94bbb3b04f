/* StmExportDomain: org.stemma1.Domain on the bus.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include "stemma-generated.h"
#include "stm-gate.h"
#include "stm-registry.h"

#define STM_TYPE_EXPORT_DOMAIN stm_export_domain_get_type ()
G_DECLARE_FINAL_TYPE (StmExportDomain, stm_export_domain, STM, EXPORT_DOMAIN, StemmaDomainSkeleton)

/* The domain is in the model. */
StmExportDomain *
stm_export_domain_new (StmRegistry *registry, StmGate *gate, const char *domain_id);

/* Each sets properties from the registry; the publisher flushes them in its order. */
void stm_export_domain_update (StmExportDomain *self);
void stm_export_domain_update_generation (StmExportDomain *self);
