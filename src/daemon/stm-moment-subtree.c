/* From a call on a path to the moment that stands there: properties are answered from its view,
 * methods by the exported class, through the gate. Reads the model at each call and keeps nothing
 * of it; knows no method.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "stm-moment-subtree.h"

#include "stm-export-checkpoint.h"
#include "stm-export-snapshot.h"
#include "stm-moment-view.h"
#include "stm-object-path.h"
#include "stm-standard-interfaces.h"

struct _StmMomentSubtree
{
  const StmBusContext *context;
  char *domain_id;
  char *domain_path;
  StmEntryCache *cache;
  StmMomentKind kind;
  guint registration;
};

static const StmTree *
get_tree (StmMomentSubtree *self)
{
  return stm_model_tree (stm_registry_get_model (self->context->registry), self->domain_id,
                         self->kind);
}

/* A skeleton of the moment for one call. */
static GDBusInterfaceSkeleton *
make_flyweight (StmMomentSubtree *self, const char *id)
{
  if (self->kind == STM_MOMENT_SNAPSHOT)
    return G_DBUS_INTERFACE_SKELETON (stm_export_snapshot_new (
        self->context->registry, self->context->gate, self->domain_id, id));

  return G_DBUS_INTERFACE_SKELETON (stm_export_checkpoint_new (
      self->context->registry, self->context->gate, self->domain_id, id));
}

static void
answer_get (const StmMomentView *view, const char *name, GDBusMethodInvocation *invocation)
{
  g_autoptr (GVariant) value = stm_moment_view_get (view, name);

  if (value == NULL)
    g_dbus_method_invocation_return_error (invocation, G_DBUS_ERROR, G_DBUS_ERROR_INVALID_ARGS,
                                           "No such property “%s”", name);
  else
    g_dbus_method_invocation_return_value (invocation, g_variant_new ("(v)", value));
}

/* Properties stay open to all: they ask no permission. */
static void
answer_properties (StmMomentSubtree *self, const StmMomentView *view, const char *method,
                   GVariant *arguments, GDBusMethodInvocation *invocation)
{
  const char *interface = NULL;
  const char *name = NULL;

  g_variant_get_child (arguments, 0, "&s", &interface);
  if (!g_str_equal (interface, stm_moment_interface (self->kind)->name))
    {
      g_dbus_method_invocation_return_error (invocation, G_DBUS_ERROR, G_DBUS_ERROR_INVALID_ARGS,
                                             "No such interface “%s”", interface);
      return;
    }
  if (g_str_equal (method, "GetAll"))
    {
      g_dbus_method_invocation_return_value (
          invocation, g_variant_new ("(@a{sv})", stm_moment_view_get_all (view)));
      return;
    }

  g_variant_get_child (arguments, 1, "&s", &name);
  if (g_str_equal (method, "Get"))
    answer_get (view, name, invocation);
  else
    g_dbus_method_invocation_return_error (invocation, G_DBUS_ERROR, G_DBUS_ERROR_INVALID_ARGS,
                                           "Property “%s” is not writable", name);
}

static void
on_call (GDBusConnection *connection, const char *sender, const char *path, const char *interface,
         const char *method, GVariant *arguments, GDBusMethodInvocation *invocation,
         gpointer user_data)
{
  StmMomentSubtree *self = user_data;
  const StmTree *tree = get_tree (self);
  const char *id = stm_object_path_to_moment (path, self->domain_id, self->kind);
  const StmMoment *moment = id == NULL ? NULL : stm_tree_get (tree, id);
  g_autoptr (GDBusInterfaceSkeleton) flyweight = NULL;
  StmMomentView view;

  /* It may have gone since GDBus asked whether it is there. */
  if (moment == NULL)
    {
      g_dbus_method_invocation_return_error (invocation, G_DBUS_ERROR, G_DBUS_ERROR_UNKNOWN_METHOD,
                                             "Object does not exist at path “%s”", path);
      return;
    }

  if (g_str_equal (interface, STM_INTERFACE_PROPERTIES))
    {
      stm_moment_view_init (&view, self->cache, self->domain_path, tree, moment);
      answer_properties (self, &view, method, arguments, invocation);
      return;
    }
  flyweight = make_flyweight (self, id);
  stm_gate_call (flyweight, invocation);
}

/* In the order of the tree: each after what it stands on. */
static const StmMoment *
next_of (const StmTree *tree, const StmMoment *moment)
{
  const StmMoment *next = stm_tree_first_child (tree, moment->id);

  while (next == NULL && moment != NULL)
    {
      next = stm_tree_next_sibling (tree, moment->id);
      moment = moment->parent == NULL ? NULL : stm_tree_get (tree, moment->parent);
    }
  return next;
}

static char **
on_enumerate (GDBusConnection *connection, const char *sender, const char *path, gpointer user_data)
{
  StmMomentSubtree *self = user_data;
  g_autoptr (GStrvBuilder) nodes = g_strv_builder_new ();
  const StmTree *tree = get_tree (self);
  const StmMoment *moment = stm_tree_first_child (tree, /* id= */ NULL);

  for (guint i = 0; i < STM_MAX_INTROSPECTED_MOMENTS && moment != NULL; i++)
    {
      g_strv_builder_add (nodes, moment->id);
      moment = next_of (tree, moment);
    }
  return g_strv_builder_end (nodes);
}

static GDBusInterfaceInfo **
on_introspect (GDBusConnection *connection, const char *sender, const char *path, const char *node,
               gpointer user_data)
{
  StmMomentSubtree *self = user_data;
  GDBusInterfaceInfo **interfaces = NULL;

  if (node == NULL || stm_tree_get (get_tree (self), node) == NULL)
    return NULL;

  interfaces = g_new0 (GDBusInterfaceInfo *, 3);
  interfaces[0] = g_dbus_interface_info_ref (stm_moment_interface (self->kind));
  /* Not left to GDBus, which would ask for one property after the other. */
  interfaces[1] = g_dbus_interface_info_ref (
      g_dbus_node_info_lookup_interface (self->context->standard, STM_INTERFACE_PROPERTIES));
  return interfaces;
}

static const GDBusInterfaceVTable moment_vtable = {
  .method_call = on_call,
};

static const GDBusInterfaceVTable *
on_dispatch (GDBusConnection *connection, const char *sender, const char *path,
             const char *interface, const char *node, gpointer *out_user_data, gpointer user_data)
{
  *out_user_data = user_data;
  return &moment_vtable;
}

static const GDBusSubtreeVTable subtree_vtable = {
  .enumerate = on_enumerate,
  .introspect = on_introspect,
  .dispatch = on_dispatch,
};

StmMomentSubtree *
stm_moment_subtree_new (const StmBusContext *context, const char *domain_id, StmMomentKind kind)
{
  StmMomentSubtree *self = g_new0 (StmMomentSubtree, 1);
  g_autofree char *path = stm_object_path_of_moments (domain_id, kind);
  g_autoptr (GError) error = NULL;

  self->context = context;
  self->domain_id = g_strdup (domain_id);
  self->domain_path = stm_object_path_of_domain (domain_id);
  self->cache = stm_entry_cache_new ();
  self->kind = kind;
  /* Without the flag GDBus would enumerate all of them at each call to one. */
  self->registration = g_dbus_connection_register_subtree (
      context->connection, path, &subtree_vtable,
      G_DBUS_SUBTREE_FLAGS_DISPATCH_TO_UNENUMERATED_NODES, self, /* free_func= */ NULL, &error);
  if (self->registration == 0)
    g_critical ("%s cannot be put on the bus: %s", path, error->message);
  return self;
}

void
stm_moment_subtree_free (StmMomentSubtree *self)
{
  if (self == NULL)
    return;

  if (self->registration != 0)
    g_dbus_connection_unregister_subtree (self->context->connection, self->registration);
  stm_entry_cache_free (self->cache);
  g_free (self->domain_id);
  g_free (self->domain_path);
  g_free (self);
}
