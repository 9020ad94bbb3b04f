/* Counts, and the client's uid, which the bus says once. Its leaving cancels its pending calls.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "stm-gate-clients.h"

#include "stemma-error.h"
#include "stm-gate.h"

/* How many clients without pending calls are remembered, so that the next call of each need not ask
 * the bus again who it is. A unique name is given once in the life of a bus. */
#define MAX_REMEMBERED 256

struct _StmGateClients
{
  GHashTable *by_name; /* name, of the value, to StmGateClient */
  guint n_pending;
};

struct _StmGateClient
{
  StmGateClients *all; /* borrowed: it ends its clients */
  GDBusConnection *connection;
  char *name;
  guint uid; /* STM_UID_UNKNOWN until the bus has said it */
  guint n_pending;
  guint n_jobs;
  guint watch;
  GCancellable *cancellable;
  GQueue unasked; /* Waiting: those that came while the bus is asked, in order */
};

typedef struct
{
  StmGateUidKnown when_known;
  gpointer user_data;
} Waiting;

static void
client_free (gpointer data)
{
  StmGateClient *self = data;

  g_bus_unwatch_name (self->watch);
  g_object_unref (self->cancellable);
  g_object_unref (self->connection);
  g_free (self->name);
  g_free (self);
}

StmGateClients *
stm_gate_clients_new (void)
{
  StmGateClients *self = g_new0 (StmGateClients, 1);

  self->by_name = g_hash_table_new_full (g_str_hash, g_str_equal, /* key_destroy= */ NULL,
                                         client_free);
  return self;
}

void
stm_gate_clients_free (StmGateClients *self)
{
  g_hash_table_unref (self->by_name);
  g_free (self);
}

/* Who has nothing under way is remembered, unless he left or there are too many of them. */
static void
drop_if_idle (StmGateClient *self)
{
  if (self->n_pending > 0 || self->n_jobs > 0)
    return;
  if (g_cancellable_is_cancelled (self->cancellable)
      || g_hash_table_size (self->all->by_name) > MAX_REMEMBERED)
    g_hash_table_remove (self->all->by_name, self->name);
}

static void
on_vanished (GDBusConnection *connection, const char *name, gpointer user_data)
{
  StmGateClient *self = user_data;

  g_cancellable_cancel (self->cancellable);
  drop_if_idle (self);
}

static StmGateClient *
client_new (StmGateClients *all, GDBusConnection *connection, const char *name)
{
  StmGateClient *self = g_new0 (StmGateClient, 1);

  self->all = all;
  self->connection = g_object_ref (connection);
  self->name = g_strdup (name);
  self->uid = STM_UID_UNKNOWN;
  self->cancellable = g_cancellable_new ();
  g_queue_init (&self->unasked);
  self->watch = g_bus_watch_name_on_connection (connection, name, G_BUS_NAME_WATCHER_FLAGS_NONE,
                                                /* name_appeared= */ NULL, on_vanished, self,
                                                /* user_data_free_func= */ NULL);
  return self;
}

static StmGateClient *
find (StmGateClients *self, GDBusMethodInvocation *call)
{
  return g_hash_table_lookup (self->by_name, g_dbus_method_invocation_get_sender (call));
}

static StmGateClient *
ensure (StmGateClients *self, GDBusMethodInvocation *call)
{
  StmGateClient *client = find (self, call);

  if (client == NULL)
    {
      client = client_new (self, g_dbus_method_invocation_get_connection (call),
                           g_dbus_method_invocation_get_sender (call));
      g_hash_table_insert (self->by_name, client->name, client);
    }
  return client;
}

static gboolean
is_full (StmGateClients *self, const StmGateClient *client, GError **error)
{
  if (self->n_pending < STM_GATE_MAX_PENDING
      && (client == NULL || client->n_pending < STM_GATE_MAX_PENDING_PER_SENDER))
    return FALSE;

  g_set_error (error, STEMMA_ERROR, STEMMA_ERROR_TOO_MANY,
               "too many calls wait for authorization already (at most %u of one client, %u of "
               "all); answer the prompts first",
               STM_GATE_MAX_PENDING_PER_SENDER, STM_GATE_MAX_PENDING);
  return TRUE;
}

StmGateClient *
stm_gate_clients_begin_call (StmGateClients *self, GDBusMethodInvocation *call, GError **error)
{
  StmGateClient *client = NULL;

  if (is_full (self, find (self, call), error))
    return NULL;

  client = ensure (self, call);
  client->n_pending++;
  self->n_pending++;
  return client;
}

void
stm_gate_client_end_call (StmGateClient *self)
{
  self->all->n_pending--;
  self->n_pending--;
  drop_if_idle (self);
}

gboolean
stm_gate_clients_has_pending (const StmGateClients *self)
{
  return self->n_pending > 0;
}

GCancellable *
stm_gate_client_get_cancellable (StmGateClient *self)
{
  return self->cancellable;
}

/* Pending calls keep the client until the last of them is told. */
static void
on_uid_known (GObject *source, GAsyncResult *result, gpointer user_data)
{
  StmGateClient *self = user_data;
  GQueue waiting = self->unasked;
  Waiting *next = NULL;
  guint uid = STM_UID_UNKNOWN;
  g_autoptr (GError) problem = NULL;
  g_autoptr (GVariant)
      reply = g_dbus_connection_call_finish (G_DBUS_CONNECTION (source), result, &problem);

  if (reply != NULL)
    g_variant_get (reply, "(u)", &uid);
  self->uid = uid;
  g_queue_init (&self->unasked);
  /* Each may be the last of the client, which then goes. */
  while ((next = g_queue_pop_head (&waiting)) != NULL)
    {
      next->when_known (uid, problem, next->user_data);
      g_free (next);
    }
}

void
stm_gate_client_ask_uid (StmGateClient *self, StmGateUidKnown when_known, gpointer user_data)
{
  Waiting *waiting = NULL;

  if (self->uid != STM_UID_UNKNOWN)
    {
      when_known (self->uid, /* problem= */ NULL, user_data);
      return;
    }

  waiting = g_new0 (Waiting, 1);
  waiting->when_known = when_known;
  waiting->user_data = user_data;
  g_queue_push_tail (&self->unasked, waiting);
  if (g_queue_get_length (&self->unasked) > 1)
    return;
  g_dbus_connection_call (
      self->connection, "org.freedesktop.DBus", "/org/freedesktop/DBus", "org.freedesktop.DBus",
      "GetConnectionUnixUser", g_variant_new ("(s)", self->name), G_VARIANT_TYPE ("(u)"),
      G_DBUS_CALL_FLAGS_NONE, /* timeout_msec= */ -1, self->cancellable, on_uid_known, self);
}

StmGateClient *
stm_gate_clients_begin_job (StmGateClients *self, GDBusMethodInvocation *call, GError **error)
{
  StmGateClient *client = ensure (self, call);

  if (client->n_jobs >= STM_GATE_MAX_JOBS_PER_SENDER)
    {
      g_set_error (error, STEMMA_ERROR, STEMMA_ERROR_TOO_MANY,
                   "%u jobs of this client are unfinished, more are not taken on; wait for some of "
                   "them to end, or cancel them",
                   client->n_jobs);
      return NULL;
    }

  client->n_jobs++;
  return client;
}

void
stm_gate_client_end_job (StmGateClient *self)
{
  self->n_jobs--;
  drop_if_idle (self);
}
