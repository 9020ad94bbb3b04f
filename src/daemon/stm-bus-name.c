/* Asks the bus for a name, hears of its loss, and gives it back. Main loop only; knows no object on
 * the bus and ends nothing.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "stm-bus-name.h"

#include "stemma-error.h"

#define BUS_NAME "org.freedesktop.DBus"
#define BUS_PATH "/org/freedesktop/DBus"
/* Of RequestName. */
#define ALLOW_REPLACEMENT 1U
#define REPLACE_EXISTING 2U
#define DO_NOT_QUEUE 4U
#define REQUEST_IS_OWNER 1U

typedef enum
{
  NAME_ASKED_FOR,
  NAME_OWNED,
  NAME_NOT_OWNED, /* not given, lost, or given back */
} NameState;

struct _StmBusName
{
  GObject parent_instance;

  GDBusConnection *connection;
  char *name;
  NameState state;
  guint on_lost;
};

G_DEFINE_FINAL_TYPE (StmBusName, stm_bus_name, G_TYPE_OBJECT)

enum
{
  SIGNAL_LOST,
  N_SIGNALS
};

static guint signals[N_SIGNALS];

static void
on_name_lost (GDBusConnection *connection, const char *sender, const char *path,
              const char *interface, const char *signal, GVariant *parameters, gpointer user_data)
{
  StmBusName *self = user_data;
  gboolean was_owned = self->state == NAME_OWNED;

  self->state = NAME_NOT_OWNED;
  if (was_owned)
    g_signal_emit (self, signals[SIGNAL_LOST], 0);
}

/* The name may have been lost since the bus gave this answer. */
static void
on_requested (GObject *source, GAsyncResult *result, gpointer user_data)
{
  g_autoptr (StmBusName) self = user_data;
  g_autoptr (GVariant) reply = g_dbus_connection_call_finish (G_DBUS_CONNECTION (source), result,
                                                              /* error= */ NULL);
  guint answer = 0;

  if (reply != NULL)
    g_variant_get (reply, "(u)", &answer);
  if (self->state == NAME_ASKED_FOR)
    self->state = answer == REQUEST_IS_OWNER ? NAME_OWNED : NAME_NOT_OWNED;
}

StmBusName *
stm_bus_name_own_sync (GDBusConnection *connection, const char *name, StmNamePolicy policy,
                       GError **error)
{
  g_autoptr (StmBusName) self = g_object_new (STM_TYPE_BUS_NAME, NULL);
  guint flags = ALLOW_REPLACEMENT | DO_NOT_QUEUE;

  if (policy == STM_NAME_REPLACE)
    flags |= REPLACE_EXISTING;
  self->connection = g_object_ref (connection);
  self->name = g_strdup (name);
  self->on_lost = g_dbus_connection_signal_subscribe (
      connection, BUS_NAME, BUS_NAME, "NameLost", BUS_PATH, name, G_DBUS_SIGNAL_FLAGS_NONE,
      on_name_lost, self, /* user_data_free_func= */ NULL);
  g_dbus_connection_call (connection, BUS_NAME, BUS_PATH, BUS_NAME, "RequestName",
                          g_variant_new ("(su)", name, flags), G_VARIANT_TYPE ("(u)"),
                          G_DBUS_CALL_FLAGS_NONE, /* timeout_msec= */ -1, /* cancellable= */ NULL,
                          on_requested, g_object_ref (self));
  while (self->state == NAME_ASKED_FOR)
    g_main_context_iteration (NULL, TRUE);
  if (self->state == NAME_OWNED)
    return g_steal_pointer (&self);

  g_set_error (error, STEMMA_ERROR, STEMMA_ERROR_BUSY,
               "%s cannot be had on this bus: another service has it (--replace takes it over), or "
               "the bus policy forbids it",
               name);
  return NULL;
}

gboolean
stm_bus_name_is_owned (StmBusName *self)
{
  return self->state == NAME_OWNED;
}

/* What the bus answers is of no use: a name that another has taken just now need not be given back,
 * and without a bus there is none. */
void
stm_bus_name_release_sync (StmBusName *self)
{
  g_autoptr (GVariant) reply = NULL;

  if (self->state != NAME_OWNED)
    return;

  self->state = NAME_NOT_OWNED;
  reply = g_dbus_connection_call_sync (self->connection, BUS_NAME, BUS_PATH, BUS_NAME,
                                       "ReleaseName", g_variant_new ("(s)", self->name),
                                       G_VARIANT_TYPE ("(u)"), G_DBUS_CALL_FLAGS_NONE,
                                       /* timeout_msec= */ -1, /* cancellable= */ NULL,
                                       /* error= */ NULL);
}

static void
stm_bus_name_dispose (GObject *object)
{
  StmBusName *self = STM_BUS_NAME (object);

  if (self->on_lost != 0)
    g_dbus_connection_signal_unsubscribe (self->connection, self->on_lost);
  self->on_lost = 0;
  if (self->connection != NULL)
    stm_bus_name_release_sync (self);
  g_clear_object (&self->connection);
  G_OBJECT_CLASS (stm_bus_name_parent_class)->dispose (object);
}

static void
stm_bus_name_finalize (GObject *object)
{
  g_free (STM_BUS_NAME (object)->name);
  G_OBJECT_CLASS (stm_bus_name_parent_class)->finalize (object);
}

static void
stm_bus_name_class_init (StmBusNameClass *klass)
{
  G_OBJECT_CLASS (klass)->dispose = stm_bus_name_dispose;
  G_OBJECT_CLASS (klass)->finalize = stm_bus_name_finalize;
  signals[SIGNAL_LOST] = g_signal_new ("lost", STM_TYPE_BUS_NAME, G_SIGNAL_RUN_LAST, 0, NULL, NULL,
                                       NULL, G_TYPE_NONE, 0);
}

static void
stm_bus_name_init (StmBusName *self)
{
}
