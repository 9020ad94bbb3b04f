/* Owns the name and the main loop. Knows what ends the service; not what it does.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "stm-daemon.h"

#include "stm-absence.h"
#include "stm-gate.h"
#include "stm-names.h"
#include "stm-publisher.h"

#include <gio/gio.h>
#include <glib-unix.h>
#include <signal.h>

/* How long the end waits for calls that came before it: what is asked of the bus and of the
 * authority is answered sooner, and most operations begin sooner; what a person is asked may not
 * be, nor who waits for the end of a job. */
#define DRAIN_MILLISECONDS 1000

struct _StmDaemon
{
  GObject parent_instance;

  GDBusConnection *connection;
  StmGate *gate;
  StmPublisher *publisher;
  GMainLoop *loop;
  StmBusName *name; /* NULL: never had, or given back */
  guint on_term, on_int;
  gboolean is_asked_to_stop;
};

G_DEFINE_FINAL_TYPE (StmDaemon, stm_daemon, G_TYPE_OBJECT)

StmDaemon *
stm_daemon_new (GDBusConnection *connection, StmAuthority *authority)
{
  StmDaemon *self = g_object_new (STM_TYPE_DAEMON, NULL);

  self->connection = g_object_ref (connection);
  self->gate = stm_gate_new (authority);
  return self;
}

static void
on_name_lost (StmBusName *name, gpointer user_data)
{
  StmDaemon *self = STM_DAEMON (user_data);

  g_message ("%s goes to another owner: ends", STM_BUS_NAME);
  g_main_loop_quit (self->loop);
}

static gboolean
on_stop_signal (gpointer user_data)
{
  StmDaemon *self = STM_DAEMON (user_data);

  g_message ("asked to stop");
  /* Perhaps before the loop runs. */
  self->is_asked_to_stop = TRUE;
  g_main_loop_quit (self->loop);
  return G_SOURCE_CONTINUE;
}

/* Before the name: who sees that it is owned may ask for the end. */
static void
listen_for_end (StmDaemon *self)
{
  self->on_term = g_unix_signal_add (SIGTERM, on_stop_signal, self);
  self->on_int = g_unix_signal_add (SIGINT, on_stop_signal, self);
}

static void
stop_listening (StmDaemon *self)
{
  g_clear_handle_id (&self->on_term, g_source_remove);
  g_clear_handle_id (&self->on_int, g_source_remove);
}

gboolean
stm_daemon_own_name_sync (StmDaemon *self, StmNamePolicy policy, GError **error)
{
  listen_for_end (self);
  self->name = stm_bus_name_own_sync (self->connection, STM_BUS_NAME, policy, error);
  if (self->name == NULL)
    return FALSE;

  g_signal_connect_object (self->name, "lost", G_CALLBACK (on_name_lost), self, 0);
  g_message ("owns %s on the bus", STM_BUS_NAME);
  return TRUE;
}

void
stm_daemon_publish (StmDaemon *self, StmRegistry *registry, const char *hypervisor_version)
{
  self->publisher = stm_publisher_new (self->connection, registry, self->gate, hypervisor_version);
}

static void
on_bus_closed (GDBusConnection *connection, gboolean remote_peer_vanished, GError *error,
               gpointer user_data)
{
  StmDaemon *self = STM_DAEMON (user_data);

  g_warning ("the bus is gone: ends");
  g_main_loop_quit (self->loop);
}

static gboolean
on_drain_late (gpointer user_data)
{
  gboolean *is_late = user_data;

  *is_late = TRUE;
  return G_SOURCE_CONTINUE;
}

/* Calls that came while there was a service are answered by it. */
static void
drain (StmDaemon *self)
{
  gboolean is_late = FALSE;
  guint timer = g_timeout_add (DRAIN_MILLISECONDS, on_drain_late, &is_late);

  while (!is_late && (g_main_context_pending (NULL) || stm_gate_has_pending (self->gate)))
    g_main_context_iteration (NULL, TRUE);
  g_source_remove (timer);
}

void
stm_daemon_run (StmDaemon *self)
{
  gulong on_closed = g_signal_connect (self->connection, "closed", G_CALLBACK (on_bus_closed),
                                       self);

  if (!self->is_asked_to_stop && stm_bus_name_is_owned (self->name)
      && !g_dbus_connection_is_closed (self->connection))
    g_main_loop_run (self->loop);
  /* Who calls from now on must not hear that there is no such object. */
  stm_absence_begin (self->connection);
  drain (self);
  g_signal_handler_disconnect (self->connection, on_closed);
  stop_listening (self);
  g_clear_object (&self->publisher);
  g_clear_object (&self->name);
}

static void
stm_daemon_dispose (GObject *object)
{
  StmDaemon *self = STM_DAEMON (object);

  stop_listening (self);
  g_clear_object (&self->name);
  g_clear_object (&self->publisher);
  g_clear_object (&self->gate);
  g_clear_object (&self->connection);
  G_OBJECT_CLASS (stm_daemon_parent_class)->dispose (object);
}

static void
stm_daemon_finalize (GObject *object)
{
  StmDaemon *self = STM_DAEMON (object);

  g_main_loop_unref (self->loop);
  G_OBJECT_CLASS (stm_daemon_parent_class)->finalize (object);
}

static void
stm_daemon_class_init (StmDaemonClass *klass)
{
  G_OBJECT_CLASS (klass)->dispose = stm_daemon_dispose;
  G_OBJECT_CLASS (klass)->finalize = stm_daemon_finalize;
}

static void
stm_daemon_init (StmDaemon *self)
{
  self->loop = g_main_loop_new (NULL, FALSE);
}
