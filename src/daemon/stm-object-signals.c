/* Puts the standard signals together and hands them to the connection, which keeps their order. A
 * connection that is closed takes nothing: the service is about to end then.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "stm-object-signals.h"

#define OBJECT_MANAGER "org.freedesktop.DBus.ObjectManager"
#define PROPERTIES "org.freedesktop.DBus.Properties"

static void
emit (GDBusConnection *connection, const char *path, const char *interface, const char *signal,
      GVariant *body)
{
  g_autoptr (GError) error = NULL;

  if (!g_dbus_connection_emit_signal (connection, /* destination_bus_name= */ NULL, path, interface,
                                      signal, body, &error)
      && !g_error_matches (error, G_IO_ERROR, G_IO_ERROR_CLOSED))
    g_warning ("%s of %s cannot be sent: %s", signal, path, error->message);
}

void
stm_object_signal_added (GDBusConnection *connection, const char *manager, const char *path,
                         const char *interface, GVariant *properties)
{
  GVariant *entry = g_variant_new_dict_entry (g_variant_new_string (interface), properties);
  GVariant *body[] = { g_variant_new_object_path (path), g_variant_new_array (NULL, &entry, 1) };

  emit (connection, manager, OBJECT_MANAGER, "InterfacesAdded",
        g_variant_new_tuple (body, G_N_ELEMENTS (body)));
}

void
stm_object_signal_removed (GDBusConnection *connection, const char *manager, const char *path,
                           const char *interface)
{
  emit (connection, manager, OBJECT_MANAGER, "InterfacesRemoved",
        g_variant_new ("(o@as)", path, g_variant_new_strv (&interface, 1)));
}

void
stm_object_signal_changed (GDBusConnection *connection, const char *path, const char *interface,
                           GVariant *properties)
{
  emit (connection, path, PROPERTIES, "PropertiesChanged",
        g_variant_new ("(s@a{sv}@as)", interface, properties, g_variant_new_strv (NULL, 0)));
}
