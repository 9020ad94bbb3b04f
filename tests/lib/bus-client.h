/* What bus tests need of a client: calls that wait while the main context runs, a shared wait with
 * one time limit, and the mock of polkit.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include <gio/gio.h>

/* Another client on the private system bus. */
GDBusConnection *bus_client_new (void);
void bus_client_leave (GDBusConnection *connection);

/* Runs the main context until the condition holds; fails the test when that takes too long. */
typedef gboolean (*BusCondition) (gpointer user_data);
void bus_wait_until (BusCondition condition, gpointer user_data, const char *what);

/* A call whose reply is waited for while the main context runs. The arguments may be floating, NULL
 * for none. */
GVariant *bus_call_name (GDBusConnection *connection, const char *name, const char *path,
                         const char *interface, const char *method, GVariant *arguments,
                         GDBusCallFlags flags, GError **error);

/* A call on its way. */
typedef struct _BusCall BusCall;
BusCall *bus_call_begin (GDBusConnection *connection, const char *name, const char *path,
                         const char *interface, const char *method, GVariant *arguments,
                         GDBusCallFlags flags);
gboolean bus_call_is_done (BusCall *call);
/* Waits, and frees the call. */
GVariant *bus_call_end (BusCall *call, GError **error);

/* The mock of polkit. Each waits until the mock has done it. */
void mock_polkit_reset (void);
void mock_polkit_answer (const char *action, const char *answer); /* action "": all others */
void mock_polkit_release (const char *answer);
void mock_polkit_show (gboolean is_shown);
void mock_polkit_wait_held (guint n_held);
void mock_polkit_wait_cancelled (guint n_cancelled);
GVariant *mock_polkit_questions (void); /* a(ssa{ss}u): sender, action, details, flags */
