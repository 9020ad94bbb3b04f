/* What a client gets from the service, in the order in which it comes: signals and replies.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include <gio/gio.h>

typedef enum
{
  BUS_EVENT_ADDED,     /* InterfacesAdded: interface NULL, body is a{sa{sv}} */
  BUS_EVENT_REMOVED,   /* InterfacesRemoved: body is as */
  BUS_EVENT_CHANGED,   /* PropertiesChanged: body is a{sv} */
  BUS_EVENT_COMPLETED, /* Job.Completed: body is (bssa{sv}) */
  BUS_EVENT_REPLY,     /* the answer of a call, good or not */
} BusEventKind;

typedef struct
{
  BusEventKind kind;
  char *path;      /* of the object that it is about; NULL for a reply */
  char *interface; /* of the properties that changed, else NULL */
  GVariant *body;  /* NULL for a reply */
} BusEvent;

typedef struct _BusRecorder BusRecorder;

/* Records what the connection gets from now on. */
BusRecorder *bus_recorder_new (GDBusConnection *connection);
void bus_recorder_free (BusRecorder *self);

/* What came since the last time: BusEvent. */
GPtrArray *bus_recorder_take (BusRecorder *self);

/* The number of the first event from `start` on of that kind on a path that ends so, with that
 * property when one is named; fails the test when there is none. */
guint bus_events_find (GPtrArray *events, guint start, BusEventKind kind, const char *path_end,
                       const char *property);
gboolean bus_event_has_property (const BusEvent *event, const char *property);
char *bus_event_to_text (const BusEvent *event);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (BusRecorder, bus_recorder_free)
