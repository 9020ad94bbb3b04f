/* A polkit authority that answers as tests tell it to, and remembers what it was asked. A program
 * of its own, on a private bus; stands in the place of polkitd.
 *
 * Answers: allow, deny, challenge, dismissed, hold (no answer until Release).
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include <gio/gio.h>

#define POLKIT_NAME "org.freedesktop.PolicyKit1"
#define POLKIT_PATH "/org/freedesktop/PolicyKit1/Authority"
/* Never taken away, so that the mock can be told to come back. */
#define CONTROL_NAME "org.stemma1.test.Polkit"

static const char introspection[] =
    "<node>"
    " <interface name='org.freedesktop.PolicyKit1.Authority'>"
    "  <method name='CheckAuthorization'>"
    "   <arg type='(sa{sv})' direction='in'/><arg type='s' direction='in'/>"
    "   <arg type='a{ss}' direction='in'/><arg type='u' direction='in'/>"
    "   <arg type='s' direction='in'/><arg type='(bba{ss})' direction='out'/>"
    "  </method>"
    "  <method name='CancelCheckAuthorization'><arg type='s' direction='in'/></method>"
    "  <signal name='Changed'/>"
    "  <property name='BackendName' type='s' access='read'/>"
    "  <property name='BackendVersion' type='s' access='read'/>"
    "  <property name='BackendFeatures' type='u' access='read'/>"
    " </interface>"
    " <interface name='org.stemma1.test.Polkit'>"
    "  <method name='Answer'>"
    "   <arg name='action' type='s' direction='in'/><arg name='answer' type='s' direction='in'/>"
    "  </method>"
    "  <method name='Release'><arg name='answer' type='s' direction='in'/></method>"
    "  <method name='Questions'><arg type='a(ssa{ss}u)' direction='out'/></method>"
    "  <method name='Show'><arg name='is_shown' type='b' direction='in'/></method>"
    "  <method name='Reset'/>"
    "  <property name='Held' type='u' access='read'/>"
    "  <property name='Cancelled' type='u' access='read'/>"
    " </interface>"
    "</node>";

typedef struct
{
  GMainLoop *loop;
  GHashTable *answers;  /* action to answer; "" for all others */
  GPtrArray *questions; /* GVariant (ssa{ss}u) */
  GPtrArray *held;      /* GDBusMethodInvocation */
  guint n_cancelled;
} Mock;

static GVariant *
result_of (const char *answer)
{
  GVariantBuilder details;

  g_variant_builder_init (&details, G_VARIANT_TYPE ("a{ss}"));
  if (g_str_equal (answer, "dismissed"))
    g_variant_builder_add (&details, "{ss}", "polkit.dismissed", "true");
  return g_variant_new ("((bba{ss}))", g_str_equal (answer, "allow"),
                        g_str_equal (answer, "challenge"), &details);
}

static void
remember (Mock *mock, GVariant *parameters)
{
  g_autoptr (GVariant) subject = g_variant_get_child_value (parameters, 0);
  g_autoptr (GVariant) properties = g_variant_get_child_value (subject, 1);
  g_autoptr (GVariant) details = g_variant_get_child_value (parameters, 2);
  const char *action = NULL;
  const char *sender = "";
  guint flags = 0;

  g_variant_lookup (properties, "name", "&s", &sender);
  g_variant_get_child (parameters, 1, "&s", &action);
  g_variant_get_child (parameters, 3, "u", &flags);
  g_ptr_array_add (mock->questions, g_variant_ref_sink (g_variant_new ("(ss@a{ss}u)", sender,
                                                                       action, details, flags)));
}

static void
check (Mock *mock, GVariant *parameters, GDBusMethodInvocation *invocation)
{
  const char *action = NULL;
  const char *answer = NULL;

  remember (mock, parameters);
  g_variant_get_child (parameters, 1, "&s", &action);
  answer = g_hash_table_lookup (mock->answers, action);
  if (answer == NULL)
    answer = g_hash_table_lookup (mock->answers, "");
  if (answer == NULL)
    answer = "allow";

  if (g_str_equal (answer, "hold"))
    g_ptr_array_add (mock->held, invocation);
  else
    g_dbus_method_invocation_return_value (invocation, result_of (answer));
}

/* As polkitd: the cancelled question is answered with an error of its own. */
static void
cancel (Mock *mock, GVariant *parameters, GDBusMethodInvocation *invocation)
{
  const char *id = NULL;

  mock->n_cancelled++;
  g_variant_get (parameters, "(&s)", &id);
  for (guint i = 0; i < mock->held->len; i++)
    {
      g_autoptr (GDBusMethodInvocation) held = NULL;
      const char *held_id = NULL;

      g_variant_get_child (
          g_dbus_method_invocation_get_parameters (g_ptr_array_index (mock->held, i)), 4, "&s",
          &held_id);
      if (g_strcmp0 (id, held_id) != 0)
        continue;
      held = g_ptr_array_steal_index (mock->held, i);
      g_dbus_method_invocation_return_dbus_error (
          g_steal_pointer (&held), "org.freedesktop.PolicyKit1.Error.Cancelled", "cancelled");
      break;
    }
  g_dbus_method_invocation_return_value (invocation, NULL);
}

static void
release (Mock *mock, const char *answer)
{
  for (guint i = 0; i < mock->held->len; i++)
    g_dbus_method_invocation_return_value (g_object_ref (g_ptr_array_index (mock->held, i)),
                                           result_of (answer));
  g_ptr_array_set_size (mock->held, 0);
}

static void
show (GDBusConnection *connection, gboolean is_shown)
{
  const char *method = is_shown ? "RequestName" : "ReleaseName";
  GVariant *parameters = is_shown ? g_variant_new ("(su)", POLKIT_NAME, 0)
                                  : g_variant_new ("(s)", POLKIT_NAME);
  g_autoptr (GError) error = NULL;
  g_autoptr (GVariant) reply = g_dbus_connection_call_sync (
      connection, "org.freedesktop.DBus", "/org/freedesktop/DBus", "org.freedesktop.DBus", method,
      parameters, G_VARIANT_TYPE ("(u)"), G_DBUS_CALL_FLAGS_NONE, /* timeout_msec= */ -1,
      /* cancellable= */ NULL, &error);

  g_assert_no_error (error);
  g_assert_nonnull (reply);
}

static GVariant *
list_questions (Mock *mock)
{
  GVariantBuilder builder;

  g_variant_builder_init (&builder, G_VARIANT_TYPE ("a(ssa{ss}u)"));
  for (guint i = 0; i < mock->questions->len; i++)
    g_variant_builder_add_value (&builder, g_ptr_array_index (mock->questions, i));
  return g_variant_new ("(a(ssa{ss}u))", &builder);
}

static void
reset (Mock *mock)
{
  release (mock, "deny");
  g_hash_table_remove_all (mock->answers);
  g_ptr_array_set_size (mock->questions, 0);
  mock->n_cancelled = 0;
}

static void
control (Mock *mock, const char *method, GVariant *parameters, GDBusMethodInvocation *invocation)
{
  const char *first = NULL;
  const char *second = NULL;
  GVariant *reply = NULL;
  gboolean is_shown = FALSE;

  if (g_str_equal (method, "Answer"))
    {
      g_variant_get (parameters, "(&s&s)", &first, &second);
      g_hash_table_replace (mock->answers, g_strdup (first), g_strdup (second));
    }
  else if (g_str_equal (method, "Release"))
    {
      g_variant_get (parameters, "(&s)", &first);
      release (mock, first);
    }
  else if (g_str_equal (method, "Show"))
    {
      g_variant_get (parameters, "(b)", &is_shown);
      show (g_dbus_method_invocation_get_connection (invocation), is_shown);
    }
  else if (g_str_equal (method, "Questions"))
    reply = list_questions (mock);
  else
    reset (mock);
  g_dbus_method_invocation_return_value (invocation, reply);
}

static void
on_call (GDBusConnection *connection, const char *sender, const char *path, const char *interface,
         const char *method, GVariant *parameters, GDBusMethodInvocation *invocation,
         gpointer user_data)
{
  if (g_str_equal (method, "CheckAuthorization"))
    check (user_data, parameters, invocation);
  else if (g_str_equal (method, "CancelCheckAuthorization"))
    cancel (user_data, parameters, invocation);
  else
    control (user_data, method, parameters, invocation);
}

static GVariant *
on_get (GDBusConnection *connection, const char *sender, const char *path, const char *interface,
        const char *property, GError **error, gpointer user_data)
{
  Mock *mock = user_data;

  if (g_str_equal (property, "Held"))
    return g_variant_new_uint32 (mock->held->len);
  if (g_str_equal (property, "Cancelled"))
    return g_variant_new_uint32 (mock->n_cancelled);
  if (g_str_equal (property, "BackendFeatures"))
    return g_variant_new_uint32 (0);

  return g_variant_new_string ("mock");
}

static void
on_closed (GDBusConnection *connection, gboolean remote_peer_vanished, GError *error,
           gpointer user_data)
{
  g_main_loop_quit (user_data);
}

static const GDBusInterfaceVTable vtable = { .method_call = on_call, .get_property = on_get };

static void
on_control_name (GDBusConnection *connection, const char *name, gpointer user_data)
{
  /* The last step: who waits for polkit finds everything in place. */
  show (connection, TRUE);
}

int
main (int argc, char **argv)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GMainLoop) loop = g_main_loop_new (NULL, FALSE);
  g_autoptr (GDBusNodeInfo) node = g_dbus_node_info_new_for_xml (introspection, &error);
  g_autoptr (GDBusConnection) connection = g_bus_get_sync (G_BUS_TYPE_SYSTEM, NULL, &error);
  Mock mock = { .loop = loop };

  g_assert_no_error (error);
  mock.answers = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, g_free);
  mock.questions = g_ptr_array_new_with_free_func ((GDestroyNotify) g_variant_unref);
  mock.held = g_ptr_array_new_with_free_func (g_object_unref);
  g_dbus_connection_set_exit_on_close (connection, FALSE);
  g_signal_connect (connection, "closed", G_CALLBACK (on_closed), loop);
  for (guint i = 0; node->interfaces[i] != NULL; i++)
    {
      g_dbus_connection_register_object (connection, POLKIT_PATH, node->interfaces[i], &vtable,
                                         &mock, NULL, &error);
      g_assert_no_error (error);
    }
  g_bus_own_name_on_connection (connection, CONTROL_NAME, G_BUS_NAME_OWNER_FLAGS_NONE,
                                on_control_name, NULL, NULL, NULL);
  g_main_loop_run (loop);

  g_ptr_array_unref (mock.held);
  g_ptr_array_unref (mock.questions);
  g_hash_table_unref (mock.answers);
  return 0;
}
