/* Holds the name while the service that had it ends, and the one that is to have it begins. Knows
 * nothing of either; the store's lock is behind the attempt.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "stm-takeover.h"

#include "stemma-error.h"
#include "stm-absence.h"
#include "stm-names.h"

#include <glib-unix.h>
#include <signal.h>

/* The service that goes may have a merge to bring to a safe end. */
#define WAIT_SECONDS 100
#define RETRY_MILLISECONDS 50

#define BUS_NAME "org.freedesktop.DBus"
#define BUS_PATH "/org/freedesktop/DBus"
/* Of RequestName: DBUS_NAME_FLAG_ALLOW_REPLACEMENT, _REPLACE_EXISTING, _DO_NOT_QUEUE. */
#define REQUEST_FLAGS (1U | 2U | 4U)
#define REQUEST_IS_OWNER 1U

typedef enum
{
  PLACE_HELD,
  PLACE_LOST,
  PLACE_STOPPED,
} Place;

struct _StmTakeover
{
  GObject parent_instance;

  GDBusConnection *connection;
  GMainLoop *loop;
  Place place;
  guint on_lost;
  guint on_term;
  guint on_int;
};

G_DEFINE_FINAL_TYPE (StmTakeover, stm_takeover, G_TYPE_OBJECT)

/* On the stack of run(). */
typedef struct
{
  StmTakeover *takeover;
  StmTakeoverAttempt attempt;
  gpointer user_data;
  gint64 deadline;
  gpointer result;
  GError *problem; /* of the last attempt */
} Wait;

static void
leave (StmTakeover *self, Place place)
{
  if (self->place != PLACE_STOPPED)
    self->place = place;
  g_main_loop_quit (self->loop);
}

/* Also when our own service takes it, which nobody waits for any more. */
static void
on_name_lost (GDBusConnection *connection, const char *sender, const char *path,
              const char *interface, const char *signal, GVariant *parameters, gpointer user_data)
{
  leave (user_data, PLACE_LOST);
}

static void
on_bus_closed (GDBusConnection *connection, gboolean remote_peer_vanished, GError *error,
               gpointer user_data)
{
  leave (user_data, PLACE_LOST);
}

static gboolean
on_stop_signal (gpointer user_data)
{
  g_message ("asked to stop");
  leave (user_data, PLACE_STOPPED);
  return G_SOURCE_CONTINUE;
}

static void
listen (StmTakeover *self)
{
  stm_absence_begin (self->connection);
  self->on_lost = g_dbus_connection_signal_subscribe (
      self->connection, BUS_NAME, BUS_NAME, "NameLost", BUS_PATH, STM_BUS_NAME,
      G_DBUS_SIGNAL_FLAGS_NONE, on_name_lost, self, /* user_data_free_func= */ NULL);
  g_signal_connect_object (self->connection, "closed", G_CALLBACK (on_bus_closed), self, 0);
  self->on_term = g_unix_signal_add (SIGTERM, on_stop_signal, self);
  self->on_int = g_unix_signal_add (SIGINT, on_stop_signal, self);
}

static gboolean
take_name (StmTakeover *self, GError **error)
{
  g_autoptr (GError) problem = NULL;
  g_autoptr (GVariant) reply = g_dbus_connection_call_sync (
      self->connection, BUS_NAME, BUS_PATH, BUS_NAME, "RequestName",
      g_variant_new ("(su)", STM_BUS_NAME, REQUEST_FLAGS), G_VARIANT_TYPE ("(u)"),
      G_DBUS_CALL_FLAGS_NONE, /* timeout_msec= */ -1, /* cancellable= */ NULL, &problem);
  guint answer = 0;

  if (reply != NULL)
    g_variant_get (reply, "(u)", &answer);
  if (answer == REQUEST_IS_OWNER)
    return TRUE;

  g_set_error (error, STEMMA_ERROR, STEMMA_ERROR_BUSY,
               "%s cannot be taken from the service that has it on this bus: %s; end that service "
               "and start without --replace",
               STM_BUS_NAME, problem != NULL ? problem->message : "it does not allow that");
  return FALSE;
}

StmTakeover *
stm_takeover_begin_sync (GBusType bus, GError **error)
{
  g_autoptr (StmTakeover) self = g_object_new (STM_TYPE_TAKEOVER, NULL);
  g_autofree char *address = g_dbus_address_get_for_bus_sync (bus, /* cancellable= */ NULL, error);

  if (address == NULL)
    return NULL;
  self->connection = g_dbus_connection_new_for_address_sync (
      address,
      G_DBUS_CONNECTION_FLAGS_AUTHENTICATION_CLIENT
          | G_DBUS_CONNECTION_FLAGS_MESSAGE_BUS_CONNECTION,
      /* observer= */ NULL, /* cancellable= */ NULL, error);
  if (self->connection == NULL)
    return NULL;
  listen (self);
  return take_name (self, error) ? g_steal_pointer (&self) : NULL;
}

static gboolean
on_retry (gpointer user_data)
{
  Wait *wait = user_data;

  g_clear_error (&wait->problem);
  wait->result = wait->attempt (wait->user_data, &wait->problem);
  if (wait->result != NULL || !g_error_matches (wait->problem, STEMMA_ERROR, STEMMA_ERROR_BUSY))
    g_main_loop_quit (wait->takeover->loop);
  else if (g_get_monotonic_time () > wait->deadline)
    {
      g_prefix_error (&wait->problem,
                      "the service to be replaced has not ended in %d seconds: ", WAIT_SECONDS);
      g_main_loop_quit (wait->takeover->loop);
    }
  return G_SOURCE_CONTINUE;
}

gpointer
stm_takeover_run (StmTakeover *self, StmTakeoverAttempt attempt, gpointer user_data, GError **error)
{
  Wait wait = { .takeover = self,
                .attempt = attempt,
                .user_data = user_data,
                .deadline = g_get_monotonic_time () + WAIT_SECONDS * G_USEC_PER_SEC };
  g_autoptr (GError) problem = NULL;
  guint on_tick = g_timeout_add (RETRY_MILLISECONDS, on_retry, &wait);

  if (self->place == PLACE_HELD)
    g_main_loop_run (self->loop);
  g_source_remove (on_tick);
  problem = g_steal_pointer (&wait.problem);
  if (wait.result != NULL)
    return wait.result;

  if (self->place == PLACE_HELD)
    g_propagate_error (error, g_steal_pointer (&problem));
  else
    g_set_error (error, G_IO_ERROR, G_IO_ERROR_CANCELLED, "%s while the service was starting",
                 self->place == PLACE_STOPPED ? "asked to stop" : "the name or the bus was lost");
  return NULL;
}

gboolean
stm_takeover_is_stopped (StmTakeover *self)
{
  return self->place == PLACE_STOPPED;
}

/* Refusals that are on their way still go; who called after them hears from the bus. */
static void
stm_takeover_dispose (GObject *object)
{
  StmTakeover *self = STM_TAKEOVER (object);

  g_clear_handle_id (&self->on_term, g_source_remove);
  g_clear_handle_id (&self->on_int, g_source_remove);
  if (self->connection != NULL)
    {
      if (self->on_lost != 0)
        g_dbus_connection_signal_unsubscribe (self->connection, self->on_lost);
      self->on_lost = 0;
      g_dbus_connection_flush_sync (self->connection, /* cancellable= */ NULL, /* error= */ NULL);
      g_dbus_connection_close_sync (self->connection, /* cancellable= */ NULL, /* error= */ NULL);
    }
  g_clear_object (&self->connection);
  G_OBJECT_CLASS (stm_takeover_parent_class)->dispose (object);
}

static void
stm_takeover_finalize (GObject *object)
{
  StmTakeover *self = STM_TAKEOVER (object);

  g_main_loop_unref (self->loop);
  G_OBJECT_CLASS (stm_takeover_parent_class)->finalize (object);
}

static void
stm_takeover_class_init (StmTakeoverClass *klass)
{
  G_OBJECT_CLASS (klass)->dispose = stm_takeover_dispose;
  G_OBJECT_CLASS (klass)->finalize = stm_takeover_finalize;
}

static void
stm_takeover_init (StmTakeover *self)
{
  self->loop = g_main_loop_new (NULL, FALSE);
}
