/* StmBusName: a name on the bus, from when it is had until it is lost or given back.
 *
 * In the place of g_bus_own_name(), which gives a name back also when another has it already, and
 * warns that it could not. Main loop only. Signal: "lost" (), once, when another has taken the
 * name; the loss of the bus is for others to notice.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include <gio/gio.h>

typedef enum
{
  STM_NAME_KEEP,    /* fail when the name is owned */
  STM_NAME_REPLACE, /* take it from the owner */
} StmNamePolicy;

#define STM_TYPE_BUS_NAME stm_bus_name_get_type ()
G_DECLARE_FINAL_TYPE (StmBusName, stm_bus_name, STM, BUS_NAME, GObject)

/* Whoever comes later may take the name in turn. Runs the default main context until the bus has
 * answered, so that signals of the process are heard meanwhile. BUSY when the name is not to be
 * had. */
StmBusName *stm_bus_name_own_sync (GDBusConnection *connection, const char *name,
                                   StmNamePolicy policy, GError **error);

gboolean stm_bus_name_is_owned (StmBusName *self);

/* Gives the name back, if it is owned still. Blocking for one call to the bus. */
void stm_bus_name_release_sync (StmBusName *self);
