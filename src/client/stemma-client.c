/* Calls on one connection, and what becomes of their errors.
 *
 * Calls go by the names of the contract and not through a generated proxy for each object:
 * snapshots and checkpoints have the same methods on interfaces of two names, and a list of ten
 * thousand is read with one call.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "stemma-client.h"

#include "stemma-error.h"

#include <gio/gunixfdlist.h>

#define ID_LENGTH 32
#define NAME_PREFIX STEMMA_BUS_NAME "."

struct _StemmaClient
{
  GObject parent_instance;

  GDBusConnection *connection;
  GDBusCallFlags flags;
  int timeout;
  StemmaChallengeFunc on_challenge;
  gpointer challenge_data;
};

/* A call that may be made twice. */
typedef struct
{
  const char *path;
  const char *interface;
  const char *method;
  GVariant *arguments;
  const GVariantType *reply_type;
  GUnixFDList *fds;
} Request;

G_DEFINE_FINAL_TYPE (StemmaClient, stemma_client, G_TYPE_OBJECT)

static StemmaClient *
take_connection (GDBusConnection *connection, const char *what, GError *problem, GError **error)
{
  StemmaClient *self = NULL;

  if (connection == NULL)
    {
      g_set_error (error, G_DBUS_ERROR, G_DBUS_ERROR_NO_SERVER, "%s cannot be reached: %s", what,
                   problem->message);
      g_error_free (problem);
      return NULL;
    }

  self = g_object_new (STEMMA_TYPE_CLIENT, NULL);
  /* The end of the bus is an error of the next call, not of the program. */
  g_dbus_connection_set_exit_on_close (connection, FALSE);
  self->connection = connection;
  return self;
}

StemmaClient *
stemma_client_new_sync (GBusType bus_type, GCancellable *cancellable, GError **error)
{
  GError *problem = NULL;
  GDBusConnection *connection = g_bus_get_sync (bus_type, cancellable, &problem);

  return take_connection (connection,
                          bus_type == G_BUS_TYPE_SESSION ? "the session bus" : "the system bus",
                          problem, error);
}

StemmaClient *
stemma_client_new_for_address_sync (const char *address, GCancellable *cancellable, GError **error)
{
  GError *problem = NULL;
  GDBusConnection *connection = NULL;

  g_return_val_if_fail (address != NULL, NULL);

  connection = g_dbus_connection_new_for_address_sync (
      address,
      G_DBUS_CONNECTION_FLAGS_AUTHENTICATION_CLIENT
          | G_DBUS_CONNECTION_FLAGS_MESSAGE_BUS_CONNECTION,
      /* observer= */ NULL, cancellable, &problem);
  return take_connection (connection, "the bus", problem, error);
}

GDBusConnection *
stemma_client_get_connection (StemmaClient *self)
{
  g_return_val_if_fail (STEMMA_IS_CLIENT (self), NULL);

  return self->connection;
}

gboolean
stemma_client_has_service_sync (StemmaClient *self)
{
  g_autoptr (GVariant) reply = NULL;
  gboolean has_owner = FALSE;

  g_return_val_if_fail (STEMMA_IS_CLIENT (self), FALSE);

  reply = g_dbus_connection_call_sync (
      self->connection, "org.freedesktop.DBus", "/org/freedesktop/DBus", "org.freedesktop.DBus",
      "NameHasOwner", g_variant_new ("(s)", STEMMA_BUS_NAME), G_VARIANT_TYPE ("(b)"),
      G_DBUS_CALL_FLAGS_NONE, self->timeout, /* cancellable= */ NULL, /* error= */ NULL);
  if (reply != NULL)
    g_variant_get (reply, "(b)", &has_owner);
  return has_owner;
}

void
stemma_client_set_call_flags (StemmaClient *self, GDBusCallFlags flags)
{
  g_return_if_fail (STEMMA_IS_CLIENT (self));

  self->flags = flags;
}

void
stemma_client_set_timeout (StemmaClient *self, int milliseconds)
{
  g_return_if_fail (STEMMA_IS_CLIENT (self));

  self->timeout = milliseconds < 0 ? G_MAXINT : milliseconds;
}

void
stemma_client_set_challenge_func (StemmaClient *self, StemmaChallengeFunc func, gpointer user_data)
{
  g_return_if_fail (STEMMA_IS_CLIENT (self));

  self->on_challenge = func;
  self->challenge_data = user_data;
}

static char *
full_interface (const char *interface)
{
  return strchr (interface, '.') != NULL ? g_strdup (interface)
                                         : g_strconcat (NAME_PREFIX, interface, NULL);
}

static gboolean
is_unknown_object (const GError *error)
{
  return g_error_matches (error, G_DBUS_ERROR, G_DBUS_ERROR_UNKNOWN_OBJECT)
         || g_error_matches (error, G_DBUS_ERROR, G_DBUS_ERROR_UNKNOWN_INTERFACE)
         || g_error_matches (error, G_DBUS_ERROR, G_DBUS_ERROR_UNKNOWN_METHOD);
}

static gboolean
is_no_service (const GError *error)
{
  return g_error_matches (error, G_DBUS_ERROR, G_DBUS_ERROR_SERVICE_UNKNOWN)
         || g_error_matches (error, G_DBUS_ERROR, G_DBUS_ERROR_NAME_HAS_NO_OWNER);
}

/* What GDBus puts before the words of a remote error is of no use to people. */
static GVariant *
end_call (StemmaClient *self, const Request *request, GVariant *reply, GError *problem,
          GError **error)
{
  gboolean is_ours = strchr (request->interface, '.') == NULL;

  if (reply != NULL)
    return reply;

  /* An object that went since it was found, mostly; the bus says that of its method. */
  if (is_ours && is_unknown_object (problem))
    {
      g_set_error (error, STEMMA_ERROR, STEMMA_ERROR_NOT_FOUND,
                   "the object '%s' is not there any more, or the service is too old for its "
                   "method '%s'",
                   request->path, request->method);
      g_error_free (problem);
      return NULL;
    }

  g_dbus_error_strip_remote_error (problem);
  /* One that is being replaced says so itself, and has a name that has an owner. */
  if (is_no_service (problem) && !stemma_client_has_service_sync (self))
    g_prefix_error (&problem,
                    "the service " STEMMA_BUS_NAME " is not there; start stemmad, or install it "
                    "so that the bus does: ");
  g_propagate_error (error, problem);
  return NULL;
}

static GVariant *
make_call (StemmaClient *self, const Request *request, GCancellable *cancellable, GError **error)
{
  g_autofree char *full = full_interface (request->interface);

  return g_dbus_connection_call_with_unix_fd_list_sync (
      self->connection, STEMMA_BUS_NAME, request->path, full, request->method, request->arguments,
      request->reply_type, self->flags, self->timeout, request->fds, /* out_fd_list= */ NULL,
      cancellable, error);
}

static GVariant *
make_call_allowed (StemmaClient *self, const Request *request, GCancellable *cancellable,
                   GError **error)
{
  GError *problem = NULL;
  GVariant *reply = make_call (self, request, cancellable, &problem);

  if (self->on_challenge != NULL
      && g_error_matches (problem, STEMMA_ERROR, STEMMA_ERROR_NOT_AUTHORIZED_CAN_OBTAIN)
      && self->on_challenge (self->challenge_data))
    {
      g_clear_error (&problem);
      reply = make_call (self, request, cancellable, &problem);
    }
  return end_call (self, request, reply, problem, error);
}

GVariant *
stemma_client_call_sync (StemmaClient *self, const char *path, const char *interface,
                         const char *method, GVariant *arguments, const GVariantType *reply_type,
                         GCancellable *cancellable, GError **error)
{
  g_autoptr (GVariant) held = arguments != NULL ? g_variant_ref_sink (arguments) : NULL;
  const Request request = {
    .path = path,
    .interface = interface,
    .method = method,
    .arguments = held,
    .reply_type = reply_type,
  };

  g_return_val_if_fail (STEMMA_IS_CLIENT (self), NULL);

  return make_call_allowed (self, &request, cancellable, error);
}

GVariant *
stemma_client_call_with_fd_sync (StemmaClient *self, const char *path, const char *interface,
                                 const char *method, int fd, GVariant *arguments,
                                 const GVariantType *reply_type, GCancellable *cancellable,
                                 GError **error)
{
  g_autoptr (GUnixFDList) list = g_unix_fd_list_new ();
  g_autoptr (GVariant) held = g_variant_ref_sink (arguments);
  const Request request = {
    .path = path,
    .interface = interface,
    .method = method,
    .arguments = held,
    .reply_type = reply_type,
    .fds = list,
  };

  g_return_val_if_fail (STEMMA_IS_CLIENT (self), NULL);

  if (g_unix_fd_list_append (list, fd, error) < 0)
    return NULL;
  return make_call_allowed (self, &request, cancellable, error);
}

static GVariant *
end_look (GVariant *reply, GError *problem, const char *path, GError **error)
{
  GVariant *value = NULL;

  if (reply == NULL)
    {
      if (is_unknown_object (problem)
          || g_error_matches (problem, G_DBUS_ERROR, G_DBUS_ERROR_INVALID_ARGS))
        {
          g_set_error (error, STEMMA_ERROR, STEMMA_ERROR_NOT_FOUND,
                       "there is no object '%s' of that kind", path);
          g_error_free (problem);
        }
      else
        g_propagate_error (error, problem);
      return NULL;
    }

  value = g_variant_get_child_value (reply, 0);
  g_variant_unref (reply);
  return value;
}

GVariant *
stemma_client_get_properties_sync (StemmaClient *self, const char *path, const char *interface,
                                   GCancellable *cancellable, GError **error)
{
  g_autofree char *full = full_interface (interface);
  GError *problem = NULL;
  GVariant *reply = stemma_client_call_sync (self, path, "org.freedesktop.DBus.Properties",
                                             "GetAll", g_variant_new ("(s)", full),
                                             G_VARIANT_TYPE ("(a{sv})"), cancellable, &problem);

  return end_look (reply, problem, path, error);
}

GVariant *
stemma_client_get_objects_sync (StemmaClient *self, const char *path, GCancellable *cancellable,
                                GError **error)
{
  GError *problem = NULL;
  GVariant *reply = stemma_client_call_sync (
      self, path, "org.freedesktop.DBus.ObjectManager", "GetManagedObjects", /* arguments= */ NULL,
      G_VARIANT_TYPE ("(a{oa{sa{sv}}})"), cancellable, &problem);

  return end_look (reply, problem, path, error);
}

/* The path itself when an object of this interface is there. */
static char *
find_path (StemmaClient *self, const char *path, const char *interface, GCancellable *cancellable,
           GError **error)
{
  g_autoptr (GVariant)
      properties = stemma_client_get_properties_sync (self, path, interface, cancellable, error);

  return properties != NULL ? g_strdup (path) : NULL;
}

static char *
find_name (StemmaClient *self, const char *path, const char *interface, const char *method,
           const char *name, GCancellable *cancellable, GError **error)
{
  GVariant *options = g_variant_new_array (G_VARIANT_TYPE ("{sv}"), NULL, 0);
  g_autoptr (GVariant) reply = stemma_client_call_sync (self, path, interface, method,
                                                        g_variant_new ("(s@a{sv})", name, options),
                                                        G_VARIANT_TYPE ("(o)"), cancellable, error);
  char *found = NULL;

  if (reply != NULL)
    g_variant_get (reply, "(o)", &found);
  return found;
}

char *
stemma_client_find_domain_sync (StemmaClient *self, const char *text, GCancellable *cancellable,
                                GError **error)
{
  g_return_val_if_fail (STEMMA_IS_CLIENT (self) && text != NULL, NULL);

  if (g_str_has_prefix (text, STEMMA_PATH_DOMAINS "/") && g_variant_is_object_path (text))
    return find_path (self, text, "Domain", cancellable, error);
  return find_name (self, STEMMA_PATH_MANAGER, "Manager", "FindDomain", text, cancellable, error);
}

static gboolean
is_id (const char *text)
{
  return strlen (text) == ID_LENGTH && strspn (text, "0123456789abcdef") == ID_LENGTH;
}

char *
stemma_client_find_moment_sync (StemmaClient *self, StemmaKind kind, const char *domain,
                                const char *text, GCancellable *cancellable, GError **error)
{
  const char *list_interface = stemma_kind_to_list_interface (kind);
  g_autofree char *folder = g_ascii_strdown (list_interface, -1);
  g_autofree char *prefix = g_strdup_printf ("%s/%s/", domain, folder);
  g_autofree char *by_id = g_strconcat (prefix, text, NULL);
  GError *problem = NULL;
  char *found = NULL;

  g_return_val_if_fail (STEMMA_IS_CLIENT (self) && text != NULL, NULL);

  if (g_str_has_prefix (text, prefix) && g_variant_is_object_path (text))
    return find_path (self, text, stemma_kind_to_interface (kind), cancellable, error);

  found = find_name (self, domain, list_interface, "Find", text, cancellable, &problem);
  if (found == NULL && is_id (text)
      && g_error_matches (problem, STEMMA_ERROR, STEMMA_ERROR_NOT_FOUND))
    found = find_path (self, by_id, stemma_kind_to_interface (kind), cancellable,
                       /* error= */ NULL);
  if (found == NULL)
    g_propagate_error (error, problem);
  else
    g_clear_error (&problem);
  return found;
}

gboolean
stemma_client_error_is_absence (const GError *error)
{
  const int codes[] = {
    G_DBUS_ERROR_SERVICE_UNKNOWN,    G_DBUS_ERROR_NAME_HAS_NO_OWNER, G_DBUS_ERROR_NO_SERVER,
    G_DBUS_ERROR_NO_REPLY,           G_DBUS_ERROR_TIMEOUT,           G_DBUS_ERROR_TIMED_OUT,
    G_DBUS_ERROR_DISCONNECTED,       G_DBUS_ERROR_SPAWN_EXEC_FAILED, G_DBUS_ERROR_SPAWN_FAILED,
    G_DBUS_ERROR_SPAWN_CHILD_EXITED,
  };

  g_return_val_if_fail (error != NULL, FALSE);

  for (gsize i = 0; i < G_N_ELEMENTS (codes); i++)
    {
      if (g_error_matches (error, G_DBUS_ERROR, codes[i]))
        return TRUE;
    }
  return g_error_matches (error, G_IO_ERROR, G_IO_ERROR_CLOSED)
         || g_error_matches (error, G_IO_ERROR, G_IO_ERROR_TIMED_OUT);
}

static void
stemma_client_dispose (GObject *object)
{
  StemmaClient *self = STEMMA_CLIENT (object);

  g_clear_object (&self->connection);
  G_OBJECT_CLASS (stemma_client_parent_class)->dispose (object);
}

static void
stemma_client_class_init (StemmaClientClass *klass)
{
  G_OBJECT_CLASS (klass)->dispose = stemma_client_dispose;
  /* Before the first call: names of errors become codes of the domain. */
  stemma_error_quark ();
}

static void
stemma_client_init (StemmaClient *self)
{
  self->timeout = G_MAXINT;
}
