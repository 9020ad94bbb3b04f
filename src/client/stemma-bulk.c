/* One GetAll for each object, many on their way at a time: the time is that of the bus, not that of
 * so many round trips.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "stemma-bulk.h"

/* A bus limits the replies that one client may wait for. */
#define MAX_PENDING 100

typedef struct
{
  GDBusConnection *connection;
  const char *const *next;
  const char *interface; /* in full */
  GCancellable *cancellable;
  GHashTable *found;
  GError *error; /* the first that was not "no such object" */
  guint n_pending;
} Bulk;

typedef struct
{
  Bulk *bulk;
  const char *path;
} Question;

static gboolean
is_gone (const GError *error)
{
  return g_error_matches (error, G_DBUS_ERROR, G_DBUS_ERROR_UNKNOWN_OBJECT)
         || g_error_matches (error, G_DBUS_ERROR, G_DBUS_ERROR_UNKNOWN_INTERFACE)
         || g_error_matches (error, G_DBUS_ERROR, G_DBUS_ERROR_UNKNOWN_METHOD)
         || g_error_matches (error, G_DBUS_ERROR, G_DBUS_ERROR_INVALID_ARGS);
}

static void
on_answer (GObject *source, GAsyncResult *result, gpointer user_data)
{
  g_autofree Question *question = user_data;
  Bulk *bulk = question->bulk;
  g_autoptr (GError) error = NULL;
  g_autoptr (GVariant)
      reply = g_dbus_connection_call_finish (G_DBUS_CONNECTION (source), result, &error);

  bulk->n_pending--;
  if (reply != NULL)
    g_hash_table_insert (bulk->found, g_strdup (question->path),
                         g_variant_get_child_value (reply, 0));
  else if (bulk->error == NULL && !is_gone (error))
    bulk->error = g_steal_pointer (&error);
}

static void
ask (Bulk *bulk, const char *path)
{
  Question *question = g_new0 (Question, 1);

  question->bulk = bulk;
  question->path = path;
  bulk->n_pending++;
  g_dbus_connection_call (bulk->connection, STEMMA_BUS_NAME, path,
                          "org.freedesktop.DBus.Properties", "GetAll",
                          g_variant_new ("(s)", bulk->interface), G_VARIANT_TYPE ("(a{sv})"),
                          G_DBUS_CALL_FLAGS_NONE, G_MAXINT, bulk->cancellable, on_answer, question);
}

GHashTable *
stemma_bulk_read_sync (StemmaClient *client, const char *const *paths, const char *interface,
                       GCancellable *cancellable, GError **error)
{
  g_autoptr (GMainContext) context = g_main_context_new ();
  g_autofree char *full = g_strconcat (STEMMA_BUS_NAME ".", interface, NULL);
  Bulk bulk = {
    .connection = stemma_client_get_connection (client),
    .next = paths,
    .interface = full,
    .cancellable = cancellable,
    .found = g_hash_table_new_full (g_str_hash, g_str_equal, g_free,
                                    (GDestroyNotify) g_variant_unref),
  };

  g_main_context_push_thread_default (context);
  while (bulk.n_pending > 0 || (*bulk.next != NULL && bulk.error == NULL))
    {
      while (bulk.n_pending < MAX_PENDING && *bulk.next != NULL && bulk.error == NULL)
        ask (&bulk, *bulk.next++);
      g_main_context_iteration (context, TRUE);
    }
  g_main_context_pop_thread_default (context);

  if (bulk.error == NULL)
    return bulk.found;

  g_hash_table_unref (bulk.found);
  g_propagate_error (error, bulk.error);
  return NULL;
}
