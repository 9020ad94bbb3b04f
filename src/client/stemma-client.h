/* A client's end of the service: a connection, calls whose errors are typed, objects by the names
 * that people give them. Calls wait for their reply: for programs without a main loop, and for one
 * thread at a time.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include "stemma-kind.h"

#include <gio/gio.h>

G_BEGIN_DECLS

/**
 * STEMMA_BUS_NAME:
 *
 * The name of the service on the bus.
 */
#define STEMMA_BUS_NAME "org.stemma1"
/**
 * STEMMA_PATH_ROOT:
 *
 * The path of the object manager that lists the manager, domains and jobs.
 */
#define STEMMA_PATH_ROOT "/org/stemma1"
/**
 * STEMMA_PATH_MANAGER:
 *
 * The path of the manager.
 */
#define STEMMA_PATH_MANAGER STEMMA_PATH_ROOT "/Manager"
/**
 * STEMMA_PATH_DOMAINS:
 *
 * The path below which all domains are.
 */
#define STEMMA_PATH_DOMAINS STEMMA_PATH_ROOT "/domains"
/**
 * STEMMA_PATH_JOBS:
 *
 * The path below which all jobs are.
 */
#define STEMMA_PATH_JOBS STEMMA_PATH_ROOT "/jobs"

#define STEMMA_TYPE_CLIENT (stemma_client_get_type ())
G_DECLARE_FINAL_TYPE (StemmaClient, stemma_client, STEMMA, CLIENT, GObject)

/**
 * stemma_client_new_sync:
 * @bus_type: %G_BUS_TYPE_SYSTEM or %G_BUS_TYPE_SESSION
 * @cancellable: (nullable): a #GCancellable
 * @error: return location for an error
 *
 * Connects to a bus. The service is not asked for anything yet.
 *
 * Returns: (transfer full): a client, or %NULL with @error set to %G_DBUS_ERROR_NO_SERVER
 */
StemmaClient *stemma_client_new_sync (GBusType bus_type, GCancellable *cancellable, GError **error);

/**
 * stemma_client_new_for_address_sync:
 * @address: the D-Bus address of a bus
 * @cancellable: (nullable): a #GCancellable
 * @error: return location for an error
 *
 * Connects to the bus at an address.
 *
 * Returns: (transfer full): a client, or %NULL with @error set to %G_DBUS_ERROR_NO_SERVER
 */
StemmaClient *
stemma_client_new_for_address_sync (const char *address, GCancellable *cancellable, GError **error);

/**
 * stemma_client_get_connection:
 * @self: a client
 *
 * Gives the connection, for proxies.
 *
 * Returns: (transfer none): the connection
 */
GDBusConnection *stemma_client_get_connection (StemmaClient *self);

/**
 * stemma_client_has_service_sync:
 * @self: a client
 *
 * Tells whether the name of the service has an owner on the bus now. A service that is just being
 * replaced by another is none that answers, but its name has one. Starts no service.
 *
 * Returns: whether it has
 */
gboolean stemma_client_has_service_sync (StemmaClient *self);

/**
 * stemma_client_set_call_flags:
 * @self: a client
 * @flags: flags for all further calls
 *
 * Says whether calls may start the service, and whether the user may be asked for authorization.
 * Without it a call starts the service and nobody is asked.
 */
void stemma_client_set_call_flags (StemmaClient *self, GDBusCallFlags flags);

/**
 * stemma_client_set_timeout:
 * @self: a client
 * @milliseconds: how long to wait for a reply; -1 for no limit
 *
 * Limits the time that further calls take. Without it there is no limit: a call may wait for a
 * prompt, or for the operations before it.
 */
void stemma_client_set_timeout (StemmaClient *self, int milliseconds);

/**
 * StemmaChallengeFunc:
 * @user_data: data of the caller
 *
 * Called when a call would be allowed after asking the user, and nobody could ask.
 *
 * Returns: whether somebody can now: the call is then made once more
 */
typedef gboolean (*StemmaChallengeFunc) (gpointer user_data);

/**
 * stemma_client_set_challenge_func:
 * @self: a client
 * @func: (nullable) (scope forever): what to do
 * @user_data: data for @func
 *
 * Says what to do when nobody is there to ask the user for authorization, as on a terminal without
 * a desktop.
 */
void
stemma_client_set_challenge_func (StemmaClient *self, StemmaChallengeFunc func, gpointer user_data);

/**
 * stemma_client_call_sync:
 * @self: a client
 * @path: an object path
 * @interface: an interface, without the prefix `org.stemma1.` when it is the service's
 * @method: a method
 * @arguments: (nullable): its arguments, a tuple; a floating reference is consumed
 * @reply_type: (nullable): the type that the reply must have
 * @cancellable: (nullable): a #GCancellable
 * @error: return location for an error
 *
 * Calls a method of the service. Errors of the service are of %STEMMA_ERROR, without the words that
 * GDBus adds; %STEMMA_ERROR_NOT_FOUND also when the object is not there; others of the bus are as
 * GDBus has them.
 *
 * Returns: (transfer full): the reply, or %NULL with @error set
 */
GVariant *
stemma_client_call_sync (StemmaClient *self, const char *path, const char *interface,
                         const char *method, GVariant *arguments, const GVariantType *reply_type,
                         GCancellable *cancellable, GError **error);

/**
 * stemma_client_call_with_fd_sync:
 * @self: a client
 * @path: an object path
 * @interface: an interface, without the prefix `org.stemma1.`
 * @method: a method whose first argument is a handle
 * @fd: a file descriptor; stays the caller's
 * @arguments: the arguments, in which the handle is 0; a floating reference is consumed
 * @reply_type: (nullable): the type that the reply must have
 * @cancellable: (nullable): a #GCancellable
 * @error: return location for an error
 *
 * As stemma_client_call_sync(), passing a file descriptor.
 *
 * Returns: (transfer full): the reply, or %NULL with @error set
 */
GVariant *stemma_client_call_with_fd_sync (StemmaClient *self, const char *path,
                                           const char *interface, const char *method, int fd,
                                           GVariant *arguments, const GVariantType *reply_type,
                                           GCancellable *cancellable, GError **error);

/**
 * stemma_client_get_properties_sync:
 * @self: a client
 * @path: an object path
 * @interface: an interface, without the prefix `org.stemma1.`
 * @cancellable: (nullable): a #GCancellable
 * @error: return location for an error
 *
 * Reads all properties of an object. %STEMMA_ERROR_NOT_FOUND when there is no such object, or it
 * does not have the interface.
 *
 * Returns: (transfer full): `a{sv}`, or %NULL with @error set
 */
GVariant *
stemma_client_get_properties_sync (StemmaClient *self, const char *path, const char *interface,
                                   GCancellable *cancellable, GError **error);

/**
 * stemma_client_get_objects_sync:
 * @self: a client
 * @path: the path of an object manager: %STEMMA_PATH_ROOT or that of a domain
 * @cancellable: (nullable): a #GCancellable
 * @error: return location for an error
 *
 * Reads all properties of all objects that an object manager lists.
 *
 * Returns: (transfer full): `a{oa{sa{sv}}}`, or %NULL with @error set
 */
GVariant *stemma_client_get_objects_sync (StemmaClient *self, const char *path,
                                          GCancellable *cancellable, GError **error);

/**
 * stemma_client_find_domain_sync:
 * @self: a client
 * @text: the name, uuid or object path of a domain
 * @cancellable: (nullable): a #GCancellable
 * @error: return location for an error
 *
 * Finds a domain. %STEMMA_ERROR_NOT_FOUND when there is none.
 *
 * Returns: (transfer full): its object path, or %NULL with @error set
 */
char *stemma_client_find_domain_sync (StemmaClient *self, const char *text,
                                      GCancellable *cancellable, GError **error);

/**
 * stemma_client_find_moment_sync:
 * @self: a client
 * @kind: the kind of the moment
 * @domain: the object path of its domain
 * @text: the name, id or object path of the moment; a name goes before an id
 * @cancellable: (nullable): a #GCancellable
 * @error: return location for an error
 *
 * Finds a snapshot or checkpoint. %STEMMA_ERROR_NOT_FOUND when the domain has none such.
 *
 * Returns: (transfer full): its object path, or %NULL with @error set
 */
char *stemma_client_find_moment_sync (StemmaClient *self, StemmaKind kind, const char *domain,
                                      const char *text, GCancellable *cancellable, GError **error);

/**
 * stemma_client_error_is_absence:
 * @error: an error
 *
 * Tells whether an error says that there is no bus, or no service on it, or that it went away
 * before it answered.
 *
 * Returns: whether it does
 */
gboolean stemma_client_error_is_absence (const GError *error);

G_END_DECLS
