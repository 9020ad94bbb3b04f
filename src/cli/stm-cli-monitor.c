/* stemmactl monitor: what the service tells, one line each, until Ctrl-C.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "stm-cli-call.h"
#include "stm-cli-json.h"
#include "stm-cli-names.h"
#include "stm-cli-nouns.h"
#include "stm-cli-output.h"

#include <glib-unix.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#define OBJECT_MANAGER "org.freedesktop.DBus.ObjectManager"
#define PROPERTIES "org.freedesktop.DBus.Properties"
#define NAME_PREFIX STEMMA_BUS_NAME "."

typedef struct
{
  const StmCliCall *call;
  StmCliNames *names;
  char *domain; /* NULL: all */
  GMainLoop *loop;
  gboolean is_there; /* the service */
} Monitor;

static gboolean
concerns (Monitor *self, const char *path)
{
  gsize length = self->domain != NULL ? strlen (self->domain) : 0;

  if (self->domain == NULL)
    return TRUE;
  if (strncmp (path, self->domain, length) == 0 && (path[length] == '\0' || path[length] == '/'))
    return TRUE;
  return stm_cli_names_job_concerns (self->names, path, self->domain);
}

static void
print_json (const char *event, const char *path, const char *interface, GVariant *properties)
{
  g_autoptr (JsonBuilder) builder = json_builder_new ();

  json_builder_begin_object (builder);
  stm_cli_json_add_string (builder, "event", event);
  stm_cli_json_add_number (builder, "time", (guint64) g_get_real_time ());
  stm_cli_json_add_string (builder, "path", path);
  stm_cli_json_add_string (builder, "interface", interface);
  if (properties != NULL)
    {
      json_builder_set_member_name (builder, "properties");
      stm_cli_json_add_value (builder, properties);
    }
  json_builder_end_object (builder);
  stm_cli_json_print_line (builder);
  fflush (stdout);
}

static void
print_words (Monitor *self, const char *path, const char *words)
{
  g_autoptr (GDateTime) now = g_date_time_new_now_local ();
  g_autofree char *time = g_date_time_format (now, "%H:%M:%S");
  g_autofree char *title = stm_cli_names_title (self->names, path);
  g_autofree char *shown = stm_cli_escape (title);
  g_autofree char *said = stm_cli_escape (words);

  stm_cli_print_line ("%s %s %s", time, shown, said);
  fflush (stdout);
}

/* "State 'shutoff', Health 'ok'": what fits a line; lists are only named. */
static char *
changes_text (GVariant *properties)
{
  GString *text = g_string_new ("changed:");
  GVariantIter iter;
  const char *name = NULL;
  GVariant *value = NULL;

  g_variant_iter_init (&iter, properties);
  while (g_variant_iter_loop (&iter, "{&sv}", &name, &value))
    {
      g_autofree char *shown = g_variant_type_is_basic (g_variant_get_type (value))
                                   ? g_variant_print (value, FALSE)
                                   : NULL;

      g_string_append_printf (text, " %s%s%s", name, shown != NULL ? "=" : "",
                              shown != NULL ? shown : "");
    }
  return g_string_free (text, FALSE);
}

static void
on_added (Monitor *self, GVariant *parameters)
{
  g_autoptr (GVariant) interfaces = NULL;
  const char *path = NULL;
  const char *interface = NULL;
  GVariant *properties = NULL;
  GVariantIter iter;

  g_variant_get (parameters, "(&o@a{sa{sv}})", &path, &interfaces);
  stm_cli_names_learn (self->names, path, interfaces);
  if (!concerns (self, path))
    return;
  if (!self->call->settings->json)
    {
      print_words (self, path, "added");
      return;
    }

  g_variant_iter_init (&iter, interfaces);
  while (g_variant_iter_loop (&iter, "{&s@a{sv}}", &interface, &properties))
    print_json ("added", path, interface, properties);
}

static void
on_removed (Monitor *self, GVariant *parameters)
{
  g_autofree const char **interfaces = NULL;
  const char *path = NULL;

  g_variant_get (parameters, "(&o^a&s)", &path, &interfaces);
  if (concerns (self, path))
    {
      if (self->call->settings->json)
        {
          for (guint i = 0; interfaces[i] != NULL; i++)
            print_json ("removed", path, interfaces[i], /* properties= */ NULL);
        }
      else
        print_words (self, path, "removed");
    }
  stm_cli_names_forget (self->names, path);
}

static void
on_changed (Monitor *self, const char *path, GVariant *parameters)
{
  g_autoptr (GVariant) properties = NULL;
  g_autofree char *words = NULL;
  const char *interface = NULL;

  g_variant_get (parameters, "(&s@a{sv}as)", &interface, &properties, NULL);
  if (!g_str_has_prefix (interface, NAME_PREFIX))
    return;
  if (concerns (self, path))
    {
      words = changes_text (properties);
      if (self->call->settings->json)
        print_json ("changed", path, interface, properties);
      else
        print_words (self, path, words);
    }
  stm_cli_names_rename (self->names, path, properties);
}

static void
on_completed (Monitor *self, const char *path, GVariant *parameters)
{
  g_autoptr (GVariant) result = NULL;
  gboolean success = FALSE;
  const char *name = NULL;
  const char *message = NULL;
  g_autofree char *words = NULL;
  g_auto (GVariantDict) properties = G_VARIANT_DICT_INIT (NULL);
  g_autoptr (GVariant) held = NULL;

  g_variant_get (parameters, "(b&s&s@a{sv})", &success, &name, &message, &result);
  if (!concerns (self, path))
    return;
  words = success ? g_strdup ("succeeded") : g_strdup_printf ("failed: %s", message);
  g_variant_dict_insert (&properties, "success", "b", success);
  g_variant_dict_insert (&properties, "error-name", "s", name);
  g_variant_dict_insert (&properties, "error-message", "s", message);
  g_variant_dict_insert_value (&properties, "result", result);
  held = g_variant_ref_sink (g_variant_dict_end (&properties));
  if (self->call->settings->json)
    print_json ("completed", path, NAME_PREFIX "Job", held);
  else
    print_words (self, path, words);
}

static void
on_signal (GDBusConnection *connection, const char *sender, const char *path, const char *interface,
           const char *signal, GVariant *parameters, gpointer user_data)
{
  Monitor *self = user_data;
  const GVariantType *type = g_variant_get_type (parameters);

  if (g_str_equal (signal, "InterfacesAdded")
      && g_variant_type_equal (type, G_VARIANT_TYPE ("(oa{sa{sv}})")))
    on_added (self, parameters);
  else if (g_str_equal (signal, "InterfacesRemoved")
           && g_variant_type_equal (type, G_VARIANT_TYPE ("(oas)")))
    on_removed (self, parameters);
  else if (g_str_equal (signal, "PropertiesChanged")
           && g_variant_type_equal (type, G_VARIANT_TYPE ("(sa{sv}as)")))
    on_changed (self, path, parameters);
  else if (g_str_equal (signal, "Completed")
           && g_variant_type_equal (type, G_VARIANT_TYPE ("(bssa{sv})")))
    on_completed (self, path, parameters);
}

static void
tell_service (Monitor *self, const char *event, const char *words)
{
  if (self->call->settings->json)
    print_json (event, STEMMA_PATH_ROOT, STEMMA_BUS_NAME, /* properties= */ NULL);
  else
    print_words (self, STEMMA_PATH_ROOT, words);
}

static void
on_appeared (GDBusConnection *connection, const char *name, const char *owner, gpointer user_data)
{
  Monitor *self = user_data;

  self->is_there = TRUE;
  tell_service (self, "service-appeared", "the service is there");
}

static void
on_vanished (GDBusConnection *connection, const char *name, gpointer user_data)
{
  Monitor *self = user_data;

  if (connection == NULL)
    g_main_loop_quit (self->loop);
  else if (self->is_there)
    tell_service (self, "service-vanished", "the service went away");
  self->is_there = FALSE;
}

static gboolean
on_interrupt (gpointer user_data)
{
  g_main_loop_quit (user_data);
  return G_SOURCE_CONTINUE;
}

/* Signals are subscribed to before the names are read: what comes between is told all the same. */
static gboolean
listen (Monitor *self, GDBusConnection *connection, StemmaClient *client, GError **error)
{
  guint signals = g_dbus_connection_signal_subscribe (
      connection, STEMMA_BUS_NAME, /* interface= */ NULL, /* member= */ NULL, /* path= */ NULL,
      /* arg0= */ NULL, G_DBUS_SIGNAL_FLAGS_NONE, on_signal, self, /* free= */ NULL);
  gboolean is_read = stm_cli_names_read (self->names, client, self->domain, error);
  guint interrupt = 0;
  guint terminate = 0;
  guint watch = 0;

  if (is_read)
    {
      watch = g_bus_watch_name_on_connection (connection, STEMMA_BUS_NAME,
                                              G_BUS_NAME_WATCHER_FLAGS_NONE, on_appeared,
                                              on_vanished, self, /* free= */ NULL);
      interrupt = g_unix_signal_add (SIGINT, on_interrupt, self->loop);
      terminate = g_unix_signal_add (SIGTERM, on_interrupt, self->loop);
      g_main_loop_run (self->loop);
      g_source_remove (interrupt);
      g_source_remove (terminate);
      g_bus_unwatch_name (watch);
    }
  g_dbus_connection_signal_unsubscribe (connection, signals);
  return is_read;
}

static gboolean
run_monitor (StmCliCall *call, GError **error)
{
  StemmaClient *client = stm_cli_call_get_client (call, error);
  g_autofree char *domain = client != NULL && call->n_words > 0
                                ? stm_cli_call_find_domain (call, 0, error)
                                : NULL;
  g_autoptr (GMainLoop) loop = g_main_loop_new (NULL, FALSE);
  g_autoptr (StmCliNames) names = stm_cli_names_new ();
  Monitor self = { .call = call, .names = names, .domain = domain, .loop = loop };

  if (client == NULL || (call->n_words > 0 && domain == NULL))
    return FALSE;
  return listen (&self, stemma_client_get_connection (client), client, error);
}

const StmCliCommand stm_cli_monitor_commands[] = {
  { NULL, "monitor", "[VM]", "Print what the service tells, until Ctrl-C", NULL, run_monitor },
  { NULL, NULL },
};
