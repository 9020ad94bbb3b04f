/* Holds the text of the interfaces, as the D-Bus specification has them.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "stm-standard-interfaces.h"

static const char text[] = //
    "<node>"
    "<interface name='" STM_INTERFACE_OBJECT_MANAGER "'>"
    "<method name='GetManagedObjects'>"
    "<arg name='objects' type='a{oa{sa{sv}}}' direction='out'/>"
    "</method>"
    "<signal name='InterfacesAdded'>"
    "<arg name='path' type='o'/><arg name='interfaces' type='a{sa{sv}}'/>"
    "</signal>"
    "<signal name='InterfacesRemoved'>"
    "<arg name='path' type='o'/><arg name='interfaces' type='as'/>"
    "</signal>"
    "</interface>"
    "<interface name='" STM_INTERFACE_PROPERTIES "'>"
    "<method name='Get'>"
    "<arg name='interface' type='s' direction='in'/><arg name='name' type='s' direction='in'/>"
    "<arg name='value' type='v' direction='out'/>"
    "</method>"
    "<method name='GetAll'>"
    "<arg name='interface' type='s' direction='in'/>"
    "<arg name='values' type='a{sv}' direction='out'/>"
    "</method>"
    "<method name='Set'>"
    "<arg name='interface' type='s' direction='in'/><arg name='name' type='s' direction='in'/>"
    "<arg name='value' type='v' direction='in'/>"
    "</method>"
    "<signal name='PropertiesChanged'>"
    "<arg name='interface' type='s'/><arg name='changed' type='a{sv}'/>"
    "<arg name='invalidated' type='as'/>"
    "</signal>"
    "</interface>"
    "</node>";

GDBusNodeInfo *
stm_standard_interfaces_new (void)
{
  return g_dbus_node_info_new_for_xml (text, /* error= */ NULL);
}
