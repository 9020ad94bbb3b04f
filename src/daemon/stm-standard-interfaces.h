/* The interfaces of the D-Bus specification that the service implements itself, where GDBus would
 * need an object for each path.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include <gio/gio.h>

#define STM_INTERFACE_OBJECT_MANAGER "org.freedesktop.DBus.ObjectManager"
#define STM_INTERFACE_PROPERTIES "org.freedesktop.DBus.Properties"

/* Both of them. */
GDBusNodeInfo *stm_standard_interfaces_new (void);
