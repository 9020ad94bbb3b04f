/* A client for tests. Calls are asynchronous underneath, so that what is called may live in the
 * test's own process.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "bus-client.h"

#define WAIT_SECONDS 180
#define MOCK_NAME "org.stemma1.test.Polkit"
#define MOCK_PATH "/org/freedesktop/PolicyKit1/Authority"

struct _BusCall
{
  GDBusConnection *connection;
  GAsyncResult *result;
};

GDBusConnection *
bus_client_new (void)
{
  g_autoptr (GError) error = NULL;
  g_autofree char *address = g_dbus_address_get_for_bus_sync (G_BUS_TYPE_SYSTEM, NULL, &error);
  GDBusConnection *connection = NULL;

  g_assert_no_error (error);
  connection = g_dbus_connection_new_for_address_sync (
      address,
      G_DBUS_CONNECTION_FLAGS_AUTHENTICATION_CLIENT
          | G_DBUS_CONNECTION_FLAGS_MESSAGE_BUS_CONNECTION,
      /* observer= */ NULL, /* cancellable= */ NULL, &error);
  g_assert_no_error (error);
  return connection;
}

void
bus_client_leave (GDBusConnection *connection)
{
  g_autoptr (GError) error = NULL;

  g_dbus_connection_close_sync (connection, NULL, &error);
  g_assert_no_error (error);
  g_object_unref (connection);
}

static gboolean
on_late (gpointer user_data)
{
  g_error ("waited %d s in vain for %s", WAIT_SECONDS, (const char *) user_data);
  return G_SOURCE_REMOVE;
}

static gboolean
on_tick (gpointer user_data)
{
  return G_SOURCE_CONTINUE;
}

void
bus_wait_until (BusCondition condition, gpointer user_data, const char *what)
{
  guint late = g_timeout_add_seconds (WAIT_SECONDS, on_late, (gpointer) what);
  /* For conditions that nothing in this main context tells of. */
  guint tick = g_timeout_add (20, on_tick, NULL);

  while (!condition (user_data))
    g_main_context_iteration (NULL, TRUE);
  g_source_remove (tick);
  g_source_remove (late);
}

static void
on_reply (GObject *source, GAsyncResult *result, gpointer user_data)
{
  BusCall *call = user_data;

  call->result = g_object_ref (result);
}

BusCall *
bus_call_begin (GDBusConnection *connection, const char *name, const char *path,
                const char *interface, const char *method, GVariant *arguments,
                GDBusCallFlags flags)
{
  BusCall *call = g_new0 (BusCall, 1);

  call->connection = g_object_ref (connection);
  g_dbus_connection_call (connection, name, path, interface, method, arguments,
                          /* reply_type= */ NULL, flags, G_MAXINT, /* cancellable= */ NULL,
                          on_reply, call);
  return call;
}

gboolean
bus_call_is_done (BusCall *call)
{
  return call->result != NULL;
}

static gboolean
is_done (gpointer call)
{
  return bus_call_is_done (call);
}

GVariant *
bus_call_end (BusCall *call, GError **error)
{
  GVariant *reply = NULL;

  bus_wait_until (is_done, call, "the reply of a call");
  reply = g_dbus_connection_call_finish (call->connection, call->result, error);
  g_object_unref (call->connection);
  g_object_unref (call->result);
  g_free (call);
  return reply;
}

GVariant *
bus_call_name (GDBusConnection *connection, const char *name, const char *path,
               const char *interface, const char *method, GVariant *arguments, GDBusCallFlags flags,
               GError **error)
{
  return bus_call_end (bus_call_begin (connection, name, path, interface, method, arguments, flags),
                       error);
}

static GVariant *
call_mock (const char *interface, const char *method, GVariant *arguments)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GDBusConnection) connection = g_bus_get_sync (G_BUS_TYPE_SYSTEM, NULL, &error);
  GVariant *reply = NULL;

  g_assert_no_error (error);
  reply = bus_call_name (connection, MOCK_NAME, MOCK_PATH, interface, method, arguments,
                         G_DBUS_CALL_FLAGS_NONE, &error);
  g_assert_no_error (error);
  return reply;
}

static void
tell_mock (const char *method, GVariant *arguments)
{
  g_variant_unref (call_mock (MOCK_NAME, method, arguments));
}

void
mock_polkit_reset (void)
{
  tell_mock ("Reset", NULL);
}

void
mock_polkit_answer (const char *action, const char *answer)
{
  tell_mock ("Answer", g_variant_new ("(ss)", action, answer));
}

void
mock_polkit_release (const char *answer)
{
  tell_mock ("Release", g_variant_new ("(s)", answer));
}

void
mock_polkit_show (gboolean is_shown)
{
  tell_mock ("Show", g_variant_new ("(b)", is_shown));
}

static guint
read_count (const char *property)
{
  g_autoptr (GVariant) reply = call_mock ("org.freedesktop.DBus.Properties", "Get",
                                          g_variant_new ("(ss)", MOCK_NAME, property));
  g_autoptr (GVariant) value = NULL;

  g_variant_get (reply, "(v)", &value);
  return g_variant_get_uint32 (value);
}

static void
wait_count (const char *property, guint count)
{
  gint64 deadline = g_get_monotonic_time () + WAIT_SECONDS * G_USEC_PER_SEC;

  /* Each round is a call to another process and back. */
  while (read_count (property) != count)
    g_assert_cmpint (g_get_monotonic_time (), <, deadline);
}

void
mock_polkit_wait_held (guint n_held)
{
  wait_count ("Held", n_held);
}

void
mock_polkit_wait_cancelled (guint n_cancelled)
{
  wait_count ("Cancelled", n_cancelled);
}

GVariant *
mock_polkit_questions (void)
{
  g_autoptr (GVariant) reply = call_mock (MOCK_NAME, "Questions", NULL);

  return g_variant_get_child_value (reply, 0);
}
