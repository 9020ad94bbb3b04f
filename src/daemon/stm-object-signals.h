/* The signals of org.freedesktop.DBus.ObjectManager and Properties for objects that have no
 * skeleton of their own. Each is sent before the function returns. Main loop only.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include <gio/gio.h>

/* `properties` is a{sv}; floating ones are taken. */
void stm_object_signal_added (GDBusConnection *connection, const char *manager, const char *path,
                              const char *interface, GVariant *properties);
void stm_object_signal_removed (GDBusConnection *connection, const char *manager, const char *path,
                                const char *interface);
void stm_object_signal_changed (GDBusConnection *connection, const char *path,
                                const char *interface, GVariant *properties);
