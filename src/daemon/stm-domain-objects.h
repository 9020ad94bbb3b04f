/* StmDomainObjects: the objects of one domain on the bus, kept as the model has them.
 *
 * Main loop only. Each function sends its signals before it returns.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include "stm-bus-context.h"

typedef struct _StmDomainObjects StmDomainObjects;

/* The domain is in the model. */
StmDomainObjects *
stm_domain_objects_new (const StmBusContext *context, const char *domain_id, StmAnnounce announce);
/* Takes the objects off the bus. */
void stm_domain_objects_free (StmDomainObjects *self);

/* After a change of this domain was applied to the model: everything but the Generation. */
void stm_domain_objects_apply (StmDomainObjects *self, const StmChange *change);
void stm_domain_objects_update_generation (StmDomainObjects *self);
void stm_domain_objects_update_health (StmDomainObjects *self);
void stm_domain_objects_update_job (StmDomainObjects *self);

/* The images whose users a change of this domain may alter, as shown now: adds copies to the set.
 * Called before and after the change is shown. `change` NULL: all, as when the domain goes. */
void stm_domain_objects_collect_images (StmDomainObjects *self, const StmChange *change,
                                        GHashTable *paths);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (StmDomainObjects, stm_domain_objects_free)
