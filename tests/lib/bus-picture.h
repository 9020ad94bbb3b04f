/* What a client believes that the service has: every property of every object. One is read from the
 * object managers, one is kept up to date by signals alone; they must be equal.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include "bus-recorder.h"

typedef struct _BusPicture BusPicture;

/* Of all object managers, by GetManagedObjects. */
BusPicture *bus_picture_read (GDBusConnection *connection);
void bus_picture_free (BusPicture *self);

/* Fails the test for a signal that tells nothing new: signals are exact. */
void bus_picture_apply (BusPicture *self, GPtrArray *events);

/* Sorted lines, one for each property. */
char *bus_picture_to_text (BusPicture *self);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (BusPicture, bus_picture_free)
