/* Sits in the connection's message filter, which sees messages in their order; the events wait
 * under a lock until the test takes them.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "bus-recorder.h"

#define OBJECT_MANAGER "org.freedesktop.DBus.ObjectManager"
#define PROPERTIES "org.freedesktop.DBus.Properties"

struct _BusRecorder
{
  GDBusConnection *connection;
  GMutex mutex;
  GPtrArray *events;
  guint filter;
  guint subscription;
};

static void
bus_event_free (gpointer data)
{
  BusEvent *event = data;

  g_free (event->path);
  g_free (event->interface);
  g_clear_pointer (&event->body, g_variant_unref);
  g_free (event);
}

static BusEvent *
event_of_signal (GDBusMessage *message)
{
  BusEvent *event = g_new0 (BusEvent, 1);
  const char *member = g_dbus_message_get_member (message);
  const char *interface = g_dbus_message_get_interface (message);
  GVariant *body = g_dbus_message_get_body (message);

  if (g_strcmp0 (interface, OBJECT_MANAGER) == 0)
    {
      event->kind = g_str_equal (member, "InterfacesAdded") ? BUS_EVENT_ADDED : BUS_EVENT_REMOVED;
      g_variant_get_child (body, 0, "o", &event->path);
      event->body = g_variant_get_child_value (body, 1);
    }
  else if (g_strcmp0 (interface, PROPERTIES) == 0)
    {
      event->kind = BUS_EVENT_CHANGED;
      event->path = g_strdup (g_dbus_message_get_path (message));
      g_variant_get_child (body, 0, "s", &event->interface);
      event->body = g_variant_get_child_value (body, 1);
    }
  else
    {
      event->kind = BUS_EVENT_COMPLETED;
      event->path = g_strdup (g_dbus_message_get_path (message));
      event->body = g_variant_ref (body);
    }
  return event;
}

static gboolean
is_from_bus (GDBusMessage *message)
{
  return g_strcmp0 (g_dbus_message_get_sender (message), "org.freedesktop.DBus") == 0;
}

static GDBusMessage *
on_message (GDBusConnection *connection, GDBusMessage *message, gboolean incoming,
            gpointer user_data)
{
  BusRecorder *self = user_data;
  GDBusMessageType type = g_dbus_message_get_message_type (message);
  BusEvent *event = NULL;

  if (!incoming || is_from_bus (message))
    return message;
  if (type == G_DBUS_MESSAGE_TYPE_SIGNAL)
    event = event_of_signal (message);
  else if (type != G_DBUS_MESSAGE_TYPE_METHOD_CALL)
    {
      event = g_new0 (BusEvent, 1);
      event->kind = BUS_EVENT_REPLY;
    }
  if (event != NULL)
    {
      g_mutex_lock (&self->mutex);
      g_ptr_array_add (self->events, event);
      g_mutex_unlock (&self->mutex);
    }
  return message;
}

static void
ignore (GDBusConnection *connection, const char *sender, const char *path, const char *interface,
        const char *signal, GVariant *parameters, gpointer user_data)
{
}

BusRecorder *
bus_recorder_new (GDBusConnection *connection)
{
  BusRecorder *self = g_new0 (BusRecorder, 1);

  self->connection = g_object_ref (connection);
  g_mutex_init (&self->mutex);
  self->events = g_ptr_array_new_with_free_func (bus_event_free);
  self->filter = g_dbus_connection_add_filter (connection, on_message, self, NULL);
  /* For its match rule: all signals of the service. */
  self->subscription = g_dbus_connection_signal_subscribe (
      connection, "org.stemma1", /* interface_name= */ NULL, /* member= */ NULL,
      /* object_path= */ NULL, /* arg0= */ NULL, G_DBUS_SIGNAL_FLAGS_NONE, ignore, NULL, NULL);
  return self;
}

void
bus_recorder_free (BusRecorder *self)
{
  g_dbus_connection_signal_unsubscribe (self->connection, self->subscription);
  g_dbus_connection_remove_filter (self->connection, self->filter);
  g_ptr_array_unref (self->events);
  g_mutex_clear (&self->mutex);
  g_object_unref (self->connection);
  g_free (self);
}

GPtrArray *
bus_recorder_take (BusRecorder *self)
{
  GPtrArray *events = NULL;

  g_mutex_lock (&self->mutex);
  events = g_steal_pointer (&self->events);
  self->events = g_ptr_array_new_with_free_func (bus_event_free);
  g_mutex_unlock (&self->mutex);
  return events;
}

gboolean
bus_event_has_property (const BusEvent *event, const char *property)
{
  g_autoptr (GVariant) value = NULL;

  if (event->kind != BUS_EVENT_CHANGED)
    return FALSE;
  value = g_variant_lookup_value (event->body, property, NULL);
  return value != NULL;
}

char *
bus_event_to_text (const BusEvent *event)
{
  const char *const kinds[] = { "added", "removed", "changed", "completed", "reply" };
  g_autofree char *body = event->body == NULL ? g_strdup ("")
                                              : g_variant_print (event->body, FALSE);

  return g_strdup_printf ("%s %s %s %s", kinds[event->kind], event->path != NULL ? event->path : "",
                          event->interface != NULL ? event->interface : "", body);
}

guint
bus_events_find (GPtrArray *events, guint start, BusEventKind kind, const char *path_end,
                 const char *property)
{
  for (guint i = start; i < events->len; i++)
    {
      const BusEvent *event = g_ptr_array_index (events, i);

      if (event->kind == kind && (path_end == NULL || g_str_has_suffix (event->path, path_end))
          && (property == NULL || bus_event_has_property (event, property)))
        return i;
    }

  for (guint i = 0; i < events->len; i++)
    {
      g_autofree char *text = bus_event_to_text (g_ptr_array_index (events, i));

      g_test_message ("%u: %s", i, text);
    }
  g_error ("no event of kind %d on …%s with %s from %u on", kind, path_end != NULL ? path_end : "",
           property != NULL ? property : "nothing", start);
}
