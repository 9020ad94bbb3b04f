/* A flat table from "path interface property" to the printed value.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "bus-picture.h"

#include "bus-client.h"

#define SERVICE_NAME "org.stemma1"
#define DOMAIN_INTERFACE "org.stemma1.Domain"

struct _BusPicture
{
  GHashTable *values;
};

void
bus_picture_free (BusPicture *self)
{
  g_hash_table_unref (self->values);
  g_free (self);
}

static char *
key_of (const char *path, const char *interface, const char *property)
{
  return g_strdup_printf ("%s %s %s", path, interface, property);
}

static void
set_property (BusPicture *self, const char *path, const char *interface, const char *property,
              GVariant *value)
{
  g_hash_table_replace (self->values, key_of (path, interface, property),
                        g_variant_print (value, TRUE));
}

/* `interfaces` is a{sa{sv}}. */
static void
add_object (BusPicture *self, const char *path, GVariant *interfaces)
{
  GVariantIter iter;
  const char *interface = NULL;
  GVariant *properties = NULL;

  g_variant_iter_init (&iter, interfaces);
  while (g_variant_iter_loop (&iter, "{&s@a{sv}}", &interface, &properties))
    {
      GVariantIter inner;
      const char *property = NULL;
      GVariant *value = NULL;

      g_hash_table_replace (self->values, key_of (path, interface, ""), g_strdup (""));
      g_variant_iter_init (&inner, properties);
      while (g_variant_iter_loop (&inner, "{&sv}", &property, &value))
        set_property (self, path, interface, property, value);
    }
}

static gboolean
has_prefix (gpointer key, gpointer value, gpointer prefix)
{
  return g_str_has_prefix (key, prefix);
}

static void
remove_object (BusPicture *self, const char *path, GVariant *interfaces)
{
  GVariantIter iter;
  const char *interface = NULL;

  g_variant_iter_init (&iter, interfaces);
  while (g_variant_iter_loop (&iter, "&s", &interface))
    {
      g_autofree char *prefix = g_strdup_printf ("%s %s ", path, interface);

      g_assert_cmpuint (g_hash_table_foreach_remove (self->values, has_prefix, prefix), >, 0);
    }
}

static void
change_properties (BusPicture *self, const BusEvent *event)
{
  GVariantIter iter;
  const char *property = NULL;
  GVariant *value = NULL;

  g_variant_iter_init (&iter, event->body);
  while (g_variant_iter_loop (&iter, "{&sv}", &property, &value))
    {
      g_autofree char *key = key_of (event->path, event->interface, property);
      g_autofree char *text = g_variant_print (value, TRUE);
      const char *old = g_hash_table_lookup (self->values, key);

      if (g_strcmp0 (old, text) == 0)
        g_error ("%s is told again: %s", key, text);
      if (old == NULL)
        g_error ("%s changes, but nothing has told of the object", key);
      set_property (self, event->path, event->interface, property, value);
    }
}

void
bus_picture_apply (BusPicture *self, GPtrArray *events)
{
  for (guint i = 0; i < events->len; i++)
    {
      const BusEvent *event = g_ptr_array_index (events, i);

      if (event->kind == BUS_EVENT_ADDED)
        add_object (self, event->path, event->body);
      else if (event->kind == BUS_EVENT_REMOVED)
        remove_object (self, event->path, event->body);
      else if (event->kind == BUS_EVENT_CHANGED)
        change_properties (self, event);
    }
}

static void
read_manager (BusPicture *self, GDBusConnection *connection, const char *manager)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GVariant) reply = bus_call_name (
      connection, SERVICE_NAME, manager, "org.freedesktop.DBus.ObjectManager", "GetManagedObjects",
      /* arguments= */ NULL, G_DBUS_CALL_FLAGS_NONE, &error);
  g_autoptr (GVariant) objects = NULL;
  GVariantIter iter;
  const char *path = NULL;
  GVariant *interfaces = NULL;

  g_assert_no_error (error);
  objects = g_variant_get_child_value (reply, 0);
  g_variant_iter_init (&iter, objects);
  while (g_variant_iter_loop (&iter, "{&o@a{sa{sv}}}", &path, &interfaces))
    {
      g_autoptr (GVariant) domain = g_variant_lookup_value (interfaces, DOMAIN_INTERFACE, NULL);

      add_object (self, path, interfaces);
      if (domain != NULL)
        read_manager (self, connection, path);
    }
}

BusPicture *
bus_picture_read (GDBusConnection *connection)
{
  BusPicture *self = g_new0 (BusPicture, 1);

  self->values = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, g_free);
  read_manager (self, connection, "/org/stemma1");
  return self;
}

char *
bus_picture_to_text (BusPicture *self)
{
  g_autoptr (GList)
      keys = g_list_sort (g_hash_table_get_keys (self->values), (GCompareFunc) g_strcmp0);
  GString *text = g_string_new (NULL);

  for (GList *at = keys; at != NULL; at = at->next)
    g_string_append_printf (text, "%s = %s\n", (const char *) at->data,
                            (const char *) g_hash_table_lookup (self->values, at->data));
  return g_string_free (text, FALSE);
}
