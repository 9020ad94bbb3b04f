/* StmMomentObjects: the snapshots, or the checkpoints, of one domain on the bus.
 *
 * They are projections: there is no object in memory for each. Kept is only the value that each
 * moment showed last, which the signals are compared with.
 *
 * Main loop only. Signals are sent before a function returns.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include "stm-bus-context.h"
#include "stm-moment-view.h"

typedef struct _StmMomentObjects StmMomentObjects;

/* The domain is in the model; its moments are shown without a word. */
StmMomentObjects *
stm_moment_objects_new (const StmBusContext *context, const char *domain_id, StmMomentKind kind);
void stm_moment_objects_free (StmMomentObjects *self);

/* Tells of each: when the domain comes, and when it goes. */
void stm_moment_objects_announce (StmMomentObjects *self);
void stm_moment_objects_withdraw (StmMomentObjects *self);

/* After a change was applied to the model, in this order: what is new, parents first; what differs;
 * what is gone, children first. */
void stm_moment_objects_add (StmMomentObjects *self, const StmChange *change);
void stm_moment_objects_update (StmMomentObjects *self, const StmChange *change);
void stm_moment_objects_remove (StmMomentObjects *self, const StmChange *change);

/* What a moment showed last; NULL when it was not shown. */
const StmMoment *stm_moment_objects_get_shown (StmMomentObjects *self, const char *moment_id);

/* For each moment that is shown. */
typedef void (*StmMomentVisit) (const StmMoment *moment, gpointer user_data);
void stm_moment_objects_foreach (StmMomentObjects *self, StmMomentVisit visit, gpointer user_data);

/* Adds {oa{sa{sv}}} for each to a builder. FALSE when the array would end behind `limit`: `*end` is
 * where it ends on the wire. */
gboolean
stm_moment_objects_read (StmMomentObjects *self, GVariantBuilder *objects, gsize *end, gsize limit);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (StmMomentObjects, stm_moment_objects_free)
