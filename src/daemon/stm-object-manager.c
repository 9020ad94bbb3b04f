/* GDBusObjectManagerServer would keep a skeleton for each object; this one keeps none.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "stm-object-manager.h"

#include "stemma-error.h"
#include "stm-standard-interfaces.h"

struct _StmObjectManager
{
  GDBusConnection *connection;
  guint registration;
  StmReadObjects read_objects;
  gpointer user_data;
};

/* Open to all, like the properties that it gives. */
static void
on_call (GDBusConnection *connection, const char *sender, const char *path, const char *interface,
         const char *method, GVariant *arguments, GDBusMethodInvocation *invocation,
         gpointer user_data)
{
  StmObjectManager *self = user_data;
  GVariantBuilder objects;
  gsize end = 0;

  g_variant_builder_init (&objects, G_VARIANT_TYPE ("a{oa{sa{sv}}}"));
  if (self->read_objects (self->user_data, &objects, &end, STM_MAX_MANAGED_BYTES))
    {
      g_dbus_method_invocation_return_value (invocation,
                                             g_variant_new ("(a{oa{sa{sv}}})", &objects));
      return;
    }

  g_variant_builder_clear (&objects);
  g_dbus_method_invocation_return_error (
      invocation, STEMMA_ERROR, STEMMA_ERROR_TOO_LARGE,
      "the objects of %s take more than the %" G_GSIZE_FORMAT
      " bytes that a message may have; read "
      "them in pages: ListProperties of Snapshots and Checkpoints, with 'limit' and 'after'",
      path, STM_MAX_MANAGED_BYTES);
}

static const GDBusInterfaceVTable vtable = {
  .method_call = on_call,
};

StmObjectManager *
stm_object_manager_new (const StmBusContext *context, const char *path, StmReadObjects read_objects,
                        gpointer user_data)
{
  StmObjectManager *self = g_new0 (StmObjectManager, 1);
  GDBusInterfaceInfo *interface = g_dbus_node_info_lookup_interface (context->standard,
                                                                     STM_INTERFACE_OBJECT_MANAGER);
  g_autoptr (GError) error = NULL;

  self->connection = g_object_ref (context->connection);
  self->read_objects = read_objects;
  self->user_data = user_data;
  self->registration = g_dbus_connection_register_object (self->connection, path, interface,
                                                          &vtable, self,
                                                          /* user_data_free_func= */ NULL, &error);
  if (self->registration == 0)
    g_critical ("%s cannot be put on the bus: %s", path, error->message);
  return self;
}

void
stm_object_manager_free (StmObjectManager *self)
{
  if (self == NULL)
    return;

  if (self->registration != 0)
    g_dbus_connection_unregister_object (self->connection, self->registration);
  g_object_unref (self->connection);
  g_free (self);
}
