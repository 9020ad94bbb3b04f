/* What callers are told while nobody is there to answer: before a service is whole, and when it has
 * handed its name on and brings its last step to an end.
 *
 * Any thread; nothing is kept of a call. Without it GDBus would answer for a service without
 * objects, that there is no such method, which callers take for the truth.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include <gio/gio.h>

/* Each call that comes on the connection from now on is refused with ServiceUnknown: nothing was
 * done, and the caller may call again. */
void stm_absence_begin (GDBusConnection *connection);
/* The same from the moment on when the bus says that the connection has lost the name. */
void stm_absence_begin_without_name (GDBusConnection *connection, const char *name);
