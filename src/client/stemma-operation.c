/* Begins jobs and follows them by their signals.
 *
 * A job is watched for before the call is sent, so that it is known even when the reply is lost.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "stemma-operation.h"

#include "stemma-error.h"

#include <gio/gio.h>
#include <unistd.h>

#define OBJECT_MANAGER "org.freedesktop.DBus.ObjectManager"
/* What came with the lost reply is dispatched before one looks whether it is there. */
#define SETTLE_MILLISECONDS 500

typedef struct
{
  const char *path; /* of the object that the call is about */
  char *job;        /* the first one that fits; NULL until then */
} Lookout;

typedef struct
{
  StemmaJob *job;
  StemmaJobFunc on_change;
  gpointer user_data;
  gboolean is_gone; /* the service that had the job */
  gboolean is_over;
} Follow;

static gboolean
is_about (const char *const *objects, const char *path)
{
  for (guint i = 0; objects[i] != NULL; i++)
    {
      if (g_str_has_prefix (objects[i], path) || g_str_has_prefix (path, objects[i]))
        return TRUE;
    }
  return FALSE;
}

static void
on_added (GDBusConnection *connection, const char *sender, const char *path, const char *interface,
          const char *signal, GVariant *parameters, gpointer user_data)
{
  Lookout *lookout = user_data;
  const char *added = NULL;
  g_autoptr (GVariant) interfaces = NULL;
  g_autoptr (GVariant) properties = NULL;
  g_autofree const char **objects = NULL;
  guint uid = 0;

  if (lookout->job != NULL || !g_variant_is_of_type (parameters, G_VARIANT_TYPE ("(oa{sa{sv}})")))
    return;
  g_variant_get (parameters, "(&o@a{sa{sv}})", &added, &interfaces);
  properties = g_variant_lookup_value (interfaces, STEMMA_BUS_NAME ".Job", G_VARIANT_TYPE_VARDICT);
  if (properties == NULL || !g_variant_lookup (properties, "StartedByUid", "u", &uid)
      || !g_variant_lookup (properties, "Objects", "^a&o", &objects))
    return;
  if (uid == getuid () && is_about (objects, lookout->path))
    lookout->job = g_strdup (added);
}

static gboolean
on_settled (gpointer user_data)
{
  gboolean *is_settled = user_data;

  *is_settled = TRUE;
  return G_SOURCE_REMOVE;
}

/* The job that was begun although its reply did not come; NULL when none was. */
static char *
find_lost_job (Lookout *lookout)
{
  gboolean is_settled = FALSE;
  guint timer = g_timeout_add (SETTLE_MILLISECONDS, on_settled, &is_settled);

  while (lookout->job == NULL && !is_settled)
    g_main_context_iteration (NULL, TRUE);
  if (!is_settled)
    g_source_remove (timer);
  return g_steal_pointer (&lookout->job);
}

static gboolean
is_lost_reply (const GError *error)
{
  return g_error_matches (error, G_DBUS_ERROR, G_DBUS_ERROR_NO_REPLY)
         || g_error_matches (error, G_DBUS_ERROR, G_DBUS_ERROR_TIMEOUT)
         || g_error_matches (error, G_DBUS_ERROR, G_DBUS_ERROR_TIMED_OUT)
         || g_error_matches (error, G_IO_ERROR, G_IO_ERROR_TIMED_OUT);
}

static char *
job_of_reply (GVariant *reply)
{
  g_autoptr (GVariant) last = g_variant_get_child_value (reply, g_variant_n_children (reply) - 1);

  return g_variant_dup_string (last, NULL);
}

char *
stemma_operation_start_sync (StemmaClient *client, const StemmaOperation *operation,
                             GVariant **out_reply, GCancellable *cancellable, GError **error)
{
  GDBusConnection *connection = stemma_client_get_connection (client);
  Lookout lookout = { .path = operation->path };
  guint watch = g_dbus_connection_signal_subscribe (
      connection, STEMMA_BUS_NAME, OBJECT_MANAGER, "InterfacesAdded", STEMMA_PATH_ROOT,
      /* arg0= */ NULL, G_DBUS_SIGNAL_FLAGS_NONE, on_added, &lookout, /* free= */ NULL);
  GError *problem = NULL;
  g_autoptr (GVariant) reply = stemma_client_call_sync (
      client, operation->path, operation->interface, operation->method, operation->arguments,
      operation->reply_type, cancellable, &problem);
  char *job = reply != NULL             ? job_of_reply (reply)
              : is_lost_reply (problem) ? find_lost_job (&lookout)
                                        : NULL;

  g_dbus_connection_signal_unsubscribe (connection, watch);
  g_free (lookout.job);
  if (job == NULL)
    {
      g_propagate_error (error, problem);
      return NULL;
    }

  g_clear_error (&problem);
  if (out_reply != NULL)
    *out_reply = g_steal_pointer (&reply);
  return job;
}

static gboolean
has_ended (StemmaJob *job)
{
  const char *state = stemma_job_get_state (job);

  return g_strcmp0 (state, "succeeded") == 0 || g_strcmp0 (state, "failed") == 0
         || g_strcmp0 (state, "cancelled") == 0;
}

static void
tell (Follow *follow)
{
  if (follow->on_change != NULL)
    follow->on_change (follow->job, follow->user_data);
}

static void
on_changed (GDBusProxy *proxy, GVariant *changed, const char *const *invalidated,
            gpointer user_data)
{
  tell (user_data);
}

static void
on_completed (StemmaJob *job, gboolean success, const char *error_name, const char *error_message,
              GVariant *result, gpointer user_data)
{
  Follow *follow = user_data;

  follow->is_over = TRUE;
}

/* Of another owner the path means no job, or that of a store that was put in the place of the
 * first: it is not looked at. */
static void
on_owner (GDBusProxy *proxy, GParamSpec *property, gpointer user_data)
{
  Follow *follow = user_data;

  follow->is_gone = TRUE;
  follow->is_over = TRUE;
}

static void
on_cancelled (GCancellable *cancellable, gpointer user_data)
{
  Follow *follow = user_data;

  follow->is_over = TRUE;
  g_main_context_wakeup (NULL);
}

static void
wait_for_end (Follow *follow, GCancellable *cancellable)
{
  gulong on_cancel = cancellable == NULL
                         ? 0
                         : g_cancellable_connect (cancellable, G_CALLBACK (on_cancelled), follow,
                                                  /* destroy= */ NULL);

  tell (follow);
  while (!follow->is_over && !has_ended (follow->job))
    g_main_context_iteration (NULL, TRUE);
  if (on_cancel != 0)
    g_cancellable_disconnect (cancellable, on_cancel);
}

static void
end_of_service (const char *path, GError **error)
{
  g_set_error (error, G_DBUS_ERROR, G_DBUS_ERROR_NAME_HAS_NO_OWNER,
               "the service went away while job %s was at work; it settles the operation when it "
               "starts again",
               strrchr (path, '/') + 1);
}

static GVariant *
end_of_job (StemmaJob *job, const char *path, GError **error)
{
  const char *name = stemma_job_get_error_name (job);
  GError *problem = NULL;

  if (g_strcmp0 (stemma_job_get_state (job), "succeeded") == 0)
    return g_variant_ref (stemma_job_get_result (job));

  if (name == NULL || *name == '\0')
    {
      g_set_error (error, STEMMA_ERROR, STEMMA_ERROR_CANCELLED, "job %s was cancelled",
                   strrchr (path, '/') + 1);
      return NULL;
    }
  problem = g_dbus_error_new_for_dbus_error (name, stemma_job_get_error_message (job));
  g_dbus_error_strip_remote_error (problem);
  g_propagate_error (error, problem);
  return NULL;
}

/* The proxy of a job that was there a moment ago. A proxy of one that is not has no properties:
 * then the service that had it has gone, and perhaps another has come, which never has a job of its
 * number. */
static StemmaJob *
open_job (StemmaClient *client, const char *path, GCancellable *cancellable, GError **error)
{
  g_autoptr (StemmaJob) job = stemma_job_proxy_new_sync (stemma_client_get_connection (client),
                                                         G_DBUS_PROXY_FLAGS_DO_NOT_AUTO_START,
                                                         STEMMA_BUS_NAME, path, cancellable, error);

  if (job == NULL)
    return NULL;
  if (stemma_job_get_state (job) == NULL)
    {
      end_of_service (path, error);
      return NULL;
    }
  return g_steal_pointer (&job);
}

GVariant *
stemma_operation_follow_sync (StemmaClient *client, const char *job, StemmaJobFunc on_change,
                              gpointer user_data, GCancellable *cancellable, GError **error)
{
  g_autoptr (StemmaJob) proxy = open_job (client, job, cancellable, error);
  Follow follow = { .job = proxy, .on_change = on_change, .user_data = user_data };

  if (proxy == NULL)
    return NULL;

  g_signal_connect (proxy, "g-properties-changed", G_CALLBACK (on_changed), &follow);
  g_signal_connect (proxy, "completed", G_CALLBACK (on_completed), &follow);
  g_signal_connect (proxy, "notify::g-name-owner", G_CALLBACK (on_owner), &follow);
  wait_for_end (&follow, cancellable);
  g_signal_handlers_disconnect_by_data (proxy, &follow);
  if (cancellable != NULL && g_cancellable_set_error_if_cancelled (cancellable, error))
    return NULL;
  if (!follow.is_gone && has_ended (proxy))
    return end_of_job (proxy, job, error);

  end_of_service (job, error);
  return NULL;
}
