/* A filter on the connection, which GDBus runs on its own thread in the order of the messages: a
 * call that comes after the loss of the name is refused, one that came before goes on to the
 * service, which at its end waits a little for those that it has not answered.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "stm-absence.h"

#define BUS_NAME "org.freedesktop.DBus"
#define ERROR_NAME "org.freedesktop.DBus.Error.ServiceUnknown"
#define ERROR_TEXT                                                                                 \
  "the service is just being replaced by another, and nothing was done: call again in a moment"

/* Of the thread of GDBus alone, once the filter is in place. */
typedef struct
{
  char *name; /* NULL: absent from the beginning */
  gboolean is_absent;
} Absence;

static void
absence_free (gpointer data)
{
  Absence *self = data;

  g_free (self->name);
  g_free (self);
}

static gboolean
is_loss (const Absence *self, GDBusMessage *message)
{
  return g_dbus_message_get_message_type (message) == G_DBUS_MESSAGE_TYPE_SIGNAL
         && g_strcmp0 (g_dbus_message_get_sender (message), BUS_NAME) == 0
         && g_strcmp0 (g_dbus_message_get_member (message), "NameLost") == 0
         && g_strcmp0 (g_dbus_message_get_arg0 (message), self->name) == 0;
}

static void
refuse (GDBusConnection *connection, GDBusMessage *call)
{
  g_autoptr (GDBusMessage) reply = NULL;

  if ((g_dbus_message_get_flags (call) & G_DBUS_MESSAGE_FLAGS_NO_REPLY_EXPECTED) != 0)
    return;

  reply = g_dbus_message_new_method_error_literal (call, ERROR_NAME, ERROR_TEXT);
  /* Who cannot be told will learn from the bus that we have gone. */
  g_dbus_connection_send_message (connection, reply, G_DBUS_SEND_MESSAGE_FLAGS_NONE,
                                  /* out_serial= */ NULL, /* error= */ NULL);
}

static GDBusMessage *
filter (GDBusConnection *connection, GDBusMessage *message, gboolean is_incoming,
        gpointer user_data)
{
  Absence *self = user_data;

  if (!is_incoming)
    return message;
  if (!self->is_absent && is_loss (self, message))
    self->is_absent = TRUE;
  if (!self->is_absent
      || g_dbus_message_get_message_type (message) != G_DBUS_MESSAGE_TYPE_METHOD_CALL)
    return message;

  refuse (connection, message);
  g_object_unref (message);
  return NULL;
}

static void
begin (GDBusConnection *connection, const char *name)
{
  Absence *self = g_new0 (Absence, 1);

  self->name = g_strdup (name);
  self->is_absent = name == NULL;
  g_dbus_connection_add_filter (connection, filter, self, absence_free);
}

void
stm_absence_begin (GDBusConnection *connection)
{
  begin (connection, /* name= */ NULL);
}

void
stm_absence_begin_without_name (GDBusConnection *connection, const char *name)
{
  g_return_if_fail (name != NULL);

  begin (connection, name);
}
