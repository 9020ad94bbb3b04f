/* A table from "path interface" to those from property to printed value.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "bus-picture.h"

#include "bus-client.h"

#include <string.h>

#define SERVICE_NAME "org.stemma1"
#define DOMAIN_INTERFACE "org.stemma1.Domain"

struct _BusPicture
{
  GHashTable *interfaces;
};

void
bus_picture_free (BusPicture *self)
{
  g_hash_table_unref (self->interfaces);
  g_free (self);
}

static char *
key_of (const char *path, const char *interface)
{
  return g_strconcat (path, " ", interface, NULL);
}

static void
set_property (GHashTable *values, const char *property, GVariant *value)
{
  g_hash_table_replace (values, g_strdup (property), g_variant_print (value, TRUE));
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
      GHashTable *values = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, g_free);
      GVariantIter inner;
      const char *property = NULL;
      GVariant *value = NULL;

      g_hash_table_replace (self->interfaces, key_of (path, interface), values);
      g_variant_iter_init (&inner, properties);
      while (g_variant_iter_loop (&inner, "{&sv}", &property, &value))
        set_property (values, property, value);
    }
}

static void
remove_object (BusPicture *self, const char *path, GVariant *interfaces)
{
  GVariantIter iter;
  const char *interface = NULL;

  g_variant_iter_init (&iter, interfaces);
  while (g_variant_iter_loop (&iter, "&s", &interface))
    {
      g_autofree char *key = key_of (path, interface);

      g_assert_true (g_hash_table_remove (self->interfaces, key));
    }
}

static void
change_properties (BusPicture *self, const BusEvent *event)
{
  g_autofree char *key = key_of (event->path, event->interface);
  GHashTable *values = g_hash_table_lookup (self->interfaces, key);
  GVariantIter iter;
  const char *property = NULL;
  GVariant *value = NULL;

  if (values == NULL)
    g_error ("%s changes, but nothing has told of it", key);
  g_variant_iter_init (&iter, event->body);
  while (g_variant_iter_loop (&iter, "{&sv}", &property, &value))
    {
      g_autofree char *text = g_variant_print (value, TRUE);
      const char *old = g_hash_table_lookup (values, property);

      if (g_strcmp0 (old, text) == 0)
        g_error ("%s %s is told again: %s", key, property, text);
      if (old == NULL)
        g_error ("%s %s changes, but nothing has told of it", key, property);
      set_property (values, property, value);
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

  self->interfaces = g_hash_table_new_full (g_str_hash, g_str_equal, g_free,
                                            (GDestroyNotify) g_hash_table_unref);
  read_manager (self, connection, "/org/stemma1");
  return self;
}

static int
compare_lines (gconstpointer a, gconstpointer b)
{
  return strcmp (*(const char *const *) a, *(const char *const *) b);
}

static void
add_lines (const char *key, GHashTable *values, GPtrArray *lines)
{
  GHashTableIter iter;
  gpointer property = NULL;
  gpointer value = NULL;

  g_ptr_array_add (lines, g_strdup (key));
  g_hash_table_iter_init (&iter, values);
  while (g_hash_table_iter_next (&iter, &property, &value))
    g_ptr_array_add (
        lines, g_strdup_printf ("%s %s = %s", key, (const char *) property, (const char *) value));
}

char *
bus_picture_to_text (BusPicture *self)
{
  g_autoptr (GPtrArray) lines = g_ptr_array_new_with_free_func (g_free);
  GHashTableIter iter;
  gpointer key = NULL;
  gpointer values = NULL;

  g_hash_table_iter_init (&iter, self->interfaces);
  while (g_hash_table_iter_next (&iter, &key, &values))
    add_lines (key, values, lines);
  g_ptr_array_sort (lines, compare_lines);
  /* Each line has its end. */
  g_ptr_array_add (lines, g_strdup (""));
  g_ptr_array_add (lines, NULL);
  return g_strjoinv ("\n", (char **) lines->pdata);
}
