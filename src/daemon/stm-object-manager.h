/* StmObjectManager: org.freedesktop.DBus.ObjectManager of one domain.
 *
 * Answers GetManagedObjects from what its owner reads at that moment; the signals are sent by who
 * changes something. Main loop only.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include "stm-bus-context.h"

/* A reply must fit the 32 MiB of a message on the system bus: a sender of more is disconnected. */
#define STM_MAX_MANAGED_BYTES ((gsize) 30 * 1024 * 1024)

/* Adds {oa{sa{sv}}} for each object. `*end` is where the array ends on the wire; FALSE as soon as
 * that is behind `limit`. */
typedef gboolean (*StmReadObjects) (gpointer user_data, GVariantBuilder *objects, gsize *end,
                                    gsize limit);

typedef struct _StmObjectManager StmObjectManager;

StmObjectManager *stm_object_manager_new (const StmBusContext *context, const char *path,
                                          StmReadObjects read_objects, gpointer user_data);
void stm_object_manager_free (StmObjectManager *self);
