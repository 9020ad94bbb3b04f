/* A service that does what the real one does rarely or never, to see what stemmactl makes of it. A
 * program of its own, on a private bus, in the place of stemmad; it has one machine, "web".
 *
 *   slow     a job stays at a quarter until it is cancelled
 *   sealed   the same, and it refuses to be cancelled, once; then it succeeds
 *   lost     a call that begins a job is never answered; the job succeeds
 *   silent   a call that begins a job is never answered, and there is no job
 *   leaving  the service ends while a job is at work
 *   replaced another service takes the name while a job is at work, and has one of that number
 *   mistaken the same, and the other's job has succeeded
 *   hostile  names, texts and errors move the cursor and end lines
 *   deep     a chain of 100,000 snapshots
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "stemma-generated.h"

#include <string.h>
#include <unistd.h>

#define NAME "org.stemma1"
#define ROOT "/org/stemma1"
#define DOMAIN ROOT "/domains/5eed0000000040008000000000000001"
#define SNAPSHOTS DOMAIN "/snapshots"
#define JOB ROOT "/jobs/1"
#define N_DEEP 100000
#define LEAVE_MILLISECONDS 300
#define HOSTILE "a\033[2Jb\nc\tq\302\233\342\200\256z"

static const char manager_xml[] = "<node><interface name='org.freedesktop.DBus.ObjectManager'>"
                                  "<method name='GetManagedObjects'>"
                                  "<arg type='a{oa{sa{sv}}}' direction='out'/></method>"
                                  "<signal name='InterfacesAdded'><arg type='o'/>"
                                  "<arg type='a{sa{sv}}'/></signal></interface></node>";

typedef struct
{
  const char *scenario;
  GDBusConnection *connection;
  GDBusConnection *first; /* whose name another took; NULL until then */
  GMainLoop *loop;
  GDBusNodeInfo *object_manager;
  const char *job_state;
  guint n_snapshots;
  gboolean has_refused;
} Fake;

static gboolean
plays (Fake *fake, const char *scenario)
{
  return g_str_equal (fake->scenario, scenario);
}

static GVariant *
nothing_of (const char *signature)
{
  if (g_str_equal (signature, "s"))
    return g_variant_new_string ("");
  if (g_str_equal (signature, "o"))
    return g_variant_new_object_path ("/");
  if (g_str_equal (signature, "t"))
    return g_variant_new_uint64 (0);
  if (g_str_equal (signature, "u"))
    return g_variant_new_uint32 (0);
  if (g_str_equal (signature, "b"))
    return g_variant_new_boolean (FALSE);
  if (g_str_equal (signature, "d"))
    return g_variant_new_double (0.25);
  return g_variant_new_array (G_VARIANT_TYPE (signature + 1), NULL, 0);
}

static char *
snapshot_path (guint number)
{
  return g_strdup_printf (SNAPSHOTS "/%032x", number);
}

static GVariant *
path_value (guint number)
{
  g_autofree char *path = snapshot_path (number);

  return g_variant_new_object_path (path);
}

static guint
snapshot_number (const char *path)
{
  return (guint) g_ascii_strtoull (strrchr (path, '/') + 1, NULL, 16);
}

static GVariant *
snapshot_property (Fake *fake, const char *path, const char *property)
{
  guint number = snapshot_number (path);
  g_autofree char *name = plays (fake, "hostile") ? g_strdup (HOSTILE)
                                                  : g_strdup_printf ("s%u", number);

  if (g_str_equal (property, "Name"))
    return g_variant_new_string (name);
  if (g_str_equal (property, "Parent") && number > 0)
    return path_value (number - 1);
  if (g_str_equal (property, "State"))
    return g_variant_new_string ("shutoff");
  if (g_str_equal (property, "Health"))
    return g_variant_new_string ("ok");
  return NULL;
}

static GVariant *
job_property (Fake *fake, const char *property)
{
  const char *const objects[] = { DOMAIN };
  gboolean is_cancelled = g_str_equal (fake->job_state, "cancelled");

  if (g_str_equal (property, "State"))
    return g_variant_new_string (fake->job_state);
  if (g_str_equal (property, "Operation"))
    return g_variant_new_string ("create");
  if (g_str_equal (property, "Phase"))
    return g_variant_new_string ("merging");
  if (g_str_equal (property, "StartedByUid"))
    return g_variant_new_uint32 (getuid ());
  if (g_str_equal (property, "Objects"))
    return g_variant_new_objv (objects, 1);
  if (g_str_equal (property, "ErrorName") && is_cancelled)
    return g_variant_new_string (NAME ".Error.Cancelled");
  if (g_str_equal (property, "ErrorMessage") && is_cancelled)
    return g_variant_new_string ("creating was cancelled");
  return NULL;
}

static GVariant *
domain_property (Fake *fake, const char *property)
{
  if (g_str_equal (property, "Name"))
    return g_variant_new_string (plays (fake, "hostile") ? HOSTILE : "web");
  if (g_str_equal (property, "Description") && plays (fake, "hostile"))
    return g_variant_new_string (HOSTILE);
  if (g_str_equal (property, "Count"))
    return g_variant_new_uint32 (fake->n_snapshots);
  return NULL;
}

static GVariant *
get_property (GDBusConnection *connection, const char *sender, const char *path,
              const char *interface, const char *property, GError **error, gpointer user_data)
{
  Fake *fake = user_data;
  GDBusInterfaceInfo *const infos[] = {
    stemma_snapshot_interface_info (), stemma_job_interface_info (),
    stemma_domain_interface_info (),   stemma_snapshots_interface_info (),
    stemma_manager_interface_info (),
  };
  GVariant *value = NULL;

  if (g_str_equal (interface, NAME ".Snapshot"))
    value = snapshot_property (fake, path, property);
  else if (g_str_equal (interface, NAME ".Job"))
    value = job_property (fake, property);
  else
    value = domain_property (fake, property);
  for (gsize i = 0; value == NULL && i < G_N_ELEMENTS (infos); i++)
    {
      if (g_str_equal (infos[i]->name, interface))
        value = nothing_of (g_dbus_interface_info_lookup_property (infos[i], property)->signature);
    }
  return value;
}

/* a{sv} of all properties of an interface, floating. */
static GVariant *
all_properties (Fake *fake, const char *path, GDBusInterfaceInfo *info)
{
  GVariantBuilder builder;

  g_variant_builder_init (&builder, G_VARIANT_TYPE_VARDICT);
  for (guint i = 0; info->properties[i] != NULL; i++)
    g_variant_builder_add (&builder, "{sv}", info->properties[i]->name,
                           get_property (fake->connection, NULL, path, info->name,
                                         info->properties[i]->name, NULL, fake));
  return g_variant_builder_end (&builder);
}

static void
add_object (Fake *fake, GVariantBuilder *objects, const char *path, GDBusInterfaceInfo *first,
            GDBusInterfaceInfo *second)
{
  GVariantBuilder interfaces;

  g_variant_builder_init (&interfaces, G_VARIANT_TYPE ("a{sa{sv}}"));
  g_variant_builder_add (&interfaces, "{s@a{sv}}", first->name, all_properties (fake, path, first));
  if (second != NULL)
    g_variant_builder_add (&interfaces, "{s@a{sv}}", second->name,
                           all_properties (fake, path, second));
  g_variant_builder_add (objects, "{oa{sa{sv}}}", path, &interfaces);
}

static GVariant *
managed_objects (Fake *fake, const char *path)
{
  GVariantBuilder objects;

  g_variant_builder_init (&objects, G_VARIANT_TYPE ("a{oa{sa{sv}}}"));
  if (g_str_equal (path, ROOT))
    add_object (fake, &objects, DOMAIN, stemma_domain_interface_info (),
                stemma_snapshots_interface_info ());
  return g_variant_new ("(a{oa{sa{sv}}})", &objects);
}

/* Pages as the real one has them: `limit`, `after`. */
static GVariant *
list_reply (Fake *fake, GVariant *options)
{
  GVariantBuilder moments;
  const char *after = NULL;
  guint limit = 0;
  guint first = 0;

  g_variant_lookup (options, "limit", "u", &limit);
  if (g_variant_lookup (options, "after", "&o", &after))
    first = snapshot_number (after) + 1;
  g_variant_builder_init (&moments, G_VARIANT_TYPE ("a(oa{sv})"));
  for (guint i = first; i < fake->n_snapshots && (limit == 0 || i - first < limit); i++)
    {
      g_autofree char *path = snapshot_path (i);

      g_variant_builder_add (&moments, "(o@a{sv})", path,
                             all_properties (fake, path, stemma_snapshot_interface_info ()));
    }
  return g_variant_new ("(a(oa{sv}))", &moments);
}

static gboolean
on_leave (gpointer user_data)
{
  Fake *fake = user_data;

  g_main_loop_quit (fake->loop);
  return G_SOURCE_REMOVE;
}

static void offer (Fake *fake, const char *path, GDBusInterfaceInfo *info);

static void
own_name (Fake *fake, GBusNameOwnerFlags flags)
{
  g_bus_own_name_on_connection (fake->connection, NAME,
                                flags | G_BUS_NAME_OWNER_FLAGS_ALLOW_REPLACEMENT, NULL, NULL, NULL,
                                NULL);
}

/* The name is never without an owner. */
static gboolean
on_replace (gpointer user_data)
{
  Fake *fake = user_data;
  g_autofree char *address = NULL;
  g_autoptr (GError) error = NULL;

  address = g_dbus_address_get_for_bus_sync (G_BUS_TYPE_SYSTEM, NULL, &error);
  g_assert_no_error (error);
  fake->first = fake->connection;
  fake->connection = g_dbus_connection_new_for_address_sync (
      address,
      G_DBUS_CONNECTION_FLAGS_AUTHENTICATION_CLIENT
          | G_DBUS_CONNECTION_FLAGS_MESSAGE_BUS_CONNECTION,
      NULL, NULL, &error);
  g_assert_no_error (error);
  if (plays (fake, "mistaken"))
    fake->job_state = "succeeded";
  offer (fake, JOB, stemma_job_interface_info ());
  own_name (fake, G_BUS_NAME_OWNER_FLAGS_REPLACE);
  return G_SOURCE_REMOVE;
}

static void
begin_job (Fake *fake, GDBusMethodInvocation *invocation)
{
  GVariantBuilder interfaces;

  fake->job_state = plays (fake, "lost") ? "succeeded" : "running";
  g_variant_builder_init (&interfaces, G_VARIANT_TYPE ("a{sa{sv}}"));
  g_variant_builder_add (&interfaces, "{s@a{sv}}", NAME ".Job",
                         all_properties (fake, JOB, stemma_job_interface_info ()));
  if (!plays (fake, "silent"))
    g_dbus_connection_emit_signal (fake->connection, NULL, ROOT,
                                   "org.freedesktop.DBus.ObjectManager", "InterfacesAdded",
                                   g_variant_new ("(oa{sa{sv}})", JOB, &interfaces), NULL);
  else
    g_variant_builder_clear (&interfaces);
  if (plays (fake, "leaving"))
    g_timeout_add (LEAVE_MILLISECONDS, on_leave, fake);
  if (plays (fake, "replaced") || plays (fake, "mistaken"))
    g_timeout_add (LEAVE_MILLISECONDS, on_replace, fake);
  if (plays (fake, "lost") || plays (fake, "silent"))
    g_object_unref (invocation);
  else
    g_dbus_method_invocation_return_value (invocation, g_variant_new ("(oo)", SNAPSHOTS "/0", JOB));
}

static void
end_job (Fake *fake, const char *state)
{
  gboolean success = g_str_equal (state, "succeeded");

  fake->job_state = state;
  g_dbus_connection_emit_signal (
      fake->connection, NULL, JOB, "org.freedesktop.DBus.Properties", "PropertiesChanged",
      g_variant_new ("(s@a{sv}as)", NAME ".Job",
                     all_properties (fake, JOB, stemma_job_interface_info ()), NULL),
      NULL);
  g_dbus_connection_emit_signal (fake->connection, NULL, JOB, NAME ".Job", "Completed",
                                 g_variant_new_parsed ("(%b, %s, %s, @a{sv} {})", success,
                                                       success ? "" : NAME ".Error.Cancelled", ""),
                                 NULL);
}

static void
cancel_job (Fake *fake, GDBusMethodInvocation *invocation)
{
  if (!plays (fake, "sealed"))
    {
      end_job (fake, "cancelled");
      g_dbus_method_invocation_return_value (invocation, NULL);
      return;
    }

  g_dbus_method_invocation_return_dbus_error (invocation, NAME ".Error.WrongState",
                                              "the job is past its point of no return");
  end_job (fake, "succeeded");
}

static void
on_call (GDBusConnection *connection, const char *sender, const char *path, const char *interface,
         const char *method, GVariant *arguments, GDBusMethodInvocation *invocation,
         gpointer user_data)
{
  Fake *fake = user_data;

  if (g_str_equal (method, "GetManagedObjects"))
    g_dbus_method_invocation_return_value (invocation, managed_objects (fake, path));
  else if (g_str_equal (method, "FindDomain") && !plays (fake, "hostile"))
    g_dbus_method_invocation_return_value (invocation, g_variant_new ("(o)", DOMAIN));
  else if (g_str_equal (method, "ListProperties"))
    {
      g_autoptr (GVariant) options = g_variant_get_child_value (arguments, 0);

      g_dbus_method_invocation_return_value (invocation, list_reply (fake, options));
    }
  else if (g_str_equal (method, "Create"))
    begin_job (fake, invocation);
  else if (g_str_equal (method, "Cancel"))
    cancel_job (fake, invocation);
  else
    g_dbus_method_invocation_return_dbus_error (invocation, NAME ".Error.NotFound", HOSTILE);
}

static const GDBusInterfaceVTable vtable = { .method_call = on_call, .get_property = get_property };

static char **
on_enumerate (GDBusConnection *connection, const char *sender, const char *path, gpointer user_data)
{
  return g_new0 (char *, 1);
}

static GDBusInterfaceInfo **
on_introspect (GDBusConnection *connection, const char *sender, const char *path, const char *node,
               gpointer user_data)
{
  GDBusInterfaceInfo **infos = g_new0 (GDBusInterfaceInfo *, 2);

  infos[0] = g_dbus_interface_info_ref (stemma_snapshot_interface_info ());
  return infos;
}

static const GDBusInterfaceVTable *
on_dispatch (GDBusConnection *connection, const char *sender, const char *path,
             const char *interface, const char *node, gpointer *out_user_data, gpointer user_data)
{
  *out_user_data = user_data;
  return node != NULL ? &vtable : NULL;
}

static void
offer (Fake *fake, const char *path, GDBusInterfaceInfo *info)
{
  g_autoptr (GError) error = NULL;

  g_dbus_connection_register_object (fake->connection, path, info, &vtable, fake, NULL, &error);
  g_assert_no_error (error);
}

static void
offer_all (Fake *fake)
{
  const GDBusSubtreeVTable subtree = { on_enumerate, on_introspect, on_dispatch, { 0 } };
  g_autoptr (GError) error = NULL;

  offer (fake, ROOT, fake->object_manager->interfaces[0]);
  offer (fake, DOMAIN, fake->object_manager->interfaces[0]);
  offer (fake, ROOT "/Manager", stemma_manager_interface_info ());
  offer (fake, DOMAIN, stemma_domain_interface_info ());
  offer (fake, DOMAIN, stemma_snapshots_interface_info ());
  offer (fake, JOB, stemma_job_interface_info ());
  g_dbus_connection_register_subtree (fake->connection, SNAPSHOTS, &subtree,
                                      G_DBUS_SUBTREE_FLAGS_DISPATCH_TO_UNENUMERATED_NODES, fake,
                                      NULL, &error);
  g_assert_no_error (error);
}

int
main (int argc, char **argv)
{
  g_autoptr (GError) error = NULL;
  Fake fake = { .scenario = argc > 1 ? argv[1] : "", .job_state = "queued" };

  fake.n_snapshots = plays (&fake, "deep") ? N_DEEP : 1;
  fake.object_manager = g_dbus_node_info_new_for_xml (manager_xml, &error);
  g_assert_no_error (error);
  fake.connection = g_bus_get_sync (G_BUS_TYPE_SYSTEM, NULL, &error);
  g_assert_no_error (error);
  fake.loop = g_main_loop_new (NULL, FALSE);
  offer_all (&fake);
  own_name (&fake, G_BUS_NAME_OWNER_FLAGS_NONE);
  g_main_loop_run (fake.loop);

  g_main_loop_unref (fake.loop);
  g_object_unref (fake.connection);
  g_clear_object (&fake.first);
  g_dbus_node_info_unref (fake.object_manager);
  return 0;
}
