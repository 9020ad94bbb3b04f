/* Snapshots and checkpoints on the bus are made from the model when they are asked for: they must
 * not differ from objects, however they are read.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "service-fixture.h"
#include "stemma-error.h"

#include <string.h>

#define PROPERTIES "org.freedesktop.DBus.Properties"

static const char *const two_images[] = { "a.qcow2", "b.qcow2", NULL };

static GVariant *
call (Service *service, const char *path, const char *interface, const char *method,
      GVariant *arguments, GError **error)
{
  return bus_call_name (service->client, SERVICE_NAME, path, interface, method, arguments,
                        G_DBUS_CALL_FLAGS_NONE, error);
}

static GVariant *
read_objects (Service *service, const char *domain)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GVariant) reply = call (service, domain, "org.freedesktop.DBus.ObjectManager",
                                     "GetManagedObjects", /* arguments= */ NULL, &error);

  g_assert_no_error (error);
  return g_variant_get_child_value (reply, 0);
}

static void
make_tree (Service *service, const char *domain)
{
  g_free (service_snapshot (service, domain, "first"));
  g_free (service_call_well (service, domain, "Checkpoints", "Create",
                             g_variant_new_parsed ("('one', {'wait': <true>})")));
  g_free (service_snapshot (service, domain, "second"));
  g_free (service_call_well (service, domain, "Checkpoints", "Create",
                             g_variant_new_parsed ("('two', {'wait': <true>})")));
}

/* Get and GetAll of the object give what GetManagedObjects gave. */
static void
assert_same (Service *service, const char *path, const char *interface, GVariant *properties)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GVariant)
      reply = call (service, path, PROPERTIES, "GetAll", g_variant_new ("(s)", interface), &error);
  g_autoptr (GVariant) all = NULL;
  GVariantIter iter;
  const char *name = NULL;
  GVariant *expected = NULL;

  g_assert_no_error (error);
  all = g_variant_get_child_value (reply, 0);
  g_assert_cmpuint (g_variant_n_children (all), ==, g_variant_n_children (properties));
  g_variant_iter_init (&iter, properties);
  while (g_variant_iter_loop (&iter, "{&sv}", &name, &expected))
    {
      g_autoptr (GVariant) in_all = g_variant_lookup_value (all, name, NULL);
      g_autoptr (GVariant) got = service_get (service, path, strrchr (interface, '.') + 1, name);

      g_assert_true (g_variant_equal (expected, got));
      g_assert_true (g_variant_equal (expected, in_all));
    }
}

static void
test_reading (Service *service, gconstpointer unused)
{
  g_autofree char *domain = service_define (service, "mail", two_images);
  g_autoptr (GVariant) objects = NULL;
  GVariantIter iter;
  const char *path = NULL;
  GVariant *interfaces = NULL;
  guint n_objects = 0;

  make_tree (service, domain);
  /* State is open to all: none of this asks polkit. */
  mock_polkit_answer ("", "deny");
  objects = read_objects (service, domain);
  g_variant_iter_init (&iter, objects);
  while (g_variant_iter_loop (&iter, "{&o@a{sa{sv}}}", &path, &interfaces))
    {
      const char *interface = NULL;
      g_autoptr (GVariant) properties = NULL;

      g_assert_cmpuint (g_variant_n_children (interfaces), ==, 1);
      g_variant_get_child (interfaces, 0, "{&s@a{sv}}", &interface, &properties);
      assert_same (service, path, interface, properties);
      n_objects++;
    }
  g_assert_cmpuint (n_objects, ==, 2 + 2 + 2);
}

static void
assert_dbus_error (Service *service, const char *path, const char *method, GVariant *arguments,
                   GDBusError code)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GVariant) reply = call (service, path, PROPERTIES, method, arguments, &error);

  g_assert_null (reply);
  g_assert_error (error, G_DBUS_ERROR, (int) code);
}

static void
test_misreading (Service *service, gconstpointer unused)
{
  g_autofree char *domain = service_define (service, "mail", two_images);
  g_autofree char *snapshot = service_snapshot (service, domain, "first");
  g_autofree char *id = g_strdup (strrchr (snapshot, '/') + 1);
  g_autofree char *other_kind = g_strconcat (domain, "/checkpoints/", id, NULL);
  g_autofree char *below = g_strconcat (snapshot, "/x", NULL);
  g_autofree char *above = g_strconcat (domain, "/snapshots", NULL);
  const char *const nothing[] = { other_kind, below, above };

  assert_dbus_error (service, snapshot, "Get",
                     g_variant_new ("(ss)", "org.stemma1.Snapshot", "Nothing"),
                     G_DBUS_ERROR_INVALID_ARGS);
  assert_dbus_error (service, snapshot, "GetAll", g_variant_new ("(s)", "org.stemma1.Checkpoint"),
                     G_DBUS_ERROR_INVALID_ARGS);
  assert_dbus_error (service, snapshot, "Set",
                     g_variant_new_parsed ("('org.stemma1.Snapshot', 'Name', <'x'>)"),
                     G_DBUS_ERROR_INVALID_ARGS);
  assert_dbus_error (service, snapshot, "Get", g_variant_new ("(s)", "org.stemma1.Snapshot"),
                     G_DBUS_ERROR_INVALID_ARGS);
  for (gsize i = 0; i < G_N_ELEMENTS (nothing); i++)
    assert_dbus_error (service, nothing[i], "GetAll", g_variant_new ("(s)", "org.stemma1.Snapshot"),
                       G_DBUS_ERROR_UNKNOWN_METHOD);

  g_free (service_call_well (service, snapshot, "Snapshot", "Delete",
                             g_variant_new_parsed ("({'wait': <true>},)")));
  assert_dbus_error (service, snapshot, "GetAll", g_variant_new ("(s)", "org.stemma1.Snapshot"),
                     G_DBUS_ERROR_UNKNOWN_METHOD);
}

static char *
introspect (Service *service, const char *path)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GVariant) reply = call (service, path, "org.freedesktop.DBus.Introspectable",
                                     "Introspect", /* arguments= */ NULL, &error);
  char *xml = NULL;

  g_assert_no_error (error);
  g_variant_get (reply, "(s)", &xml);
  return xml;
}

static void
test_introspection (Service *service, gconstpointer unused)
{
  g_autofree char *domain = service_define (service, "mail", two_images);
  g_autofree char *snapshot = service_snapshot (service, domain, "first");
  g_autofree char *above = g_strconcat (domain, "/snapshots", NULL);
  g_autofree char *of_above = introspect (service, above);
  g_autofree char *of_snapshot = introspect (service, snapshot);
  g_autofree char *of_domain = introspect (service, domain);
  g_autoptr (GError) error = NULL;
  g_autoptr (GDBusNodeInfo) node = g_dbus_node_info_new_for_xml (of_snapshot, &error);
  const GDBusInterfaceInfo *interface = NULL;

  g_assert_no_error (error);
  g_assert_nonnull (strstr (of_above, strrchr (snapshot, '/') + 1));
  g_assert_nonnull (strstr (of_domain, "org.freedesktop.DBus.ObjectManager"));
  g_assert_nonnull (strstr (of_domain, "org.stemma1.Checkpoints"));
  interface = g_dbus_node_info_lookup_interface (node, "org.stemma1.Snapshot");
  g_assert_nonnull (interface);
  g_assert_nonnull (
      g_dbus_interface_info_lookup_method ((GDBusInterfaceInfo *) interface, "GetSecureXML"));
  g_assert_nonnull (g_dbus_node_info_lookup_interface (node, PROPERTIES));
}

/* Pages of ListProperties put together are what GetManagedObjects gives. */
static void
test_pages (Service *service, gconstpointer unused)
{
  g_autofree char *domain = service_define (service, "mail", two_images);
  g_autofree char *last = NULL;
  g_autoptr (GVariant) objects = NULL;
  guint n_pages = 0;

  for (guint i = 0; i < 5; i++)
    {
      g_autofree char *name = g_strdup_printf ("s%u", i);

      g_free (service_snapshot (service, domain, name));
    }
  objects = read_objects (service, domain);
  for (;; n_pages++)
    {
      g_autofree char *options = last == NULL
                                     ? g_strdup ("({'limit': <uint32 1>, 'topological': <true>},)")
                                     : g_strdup_printf ("({'limit': <uint32 1>, 'topological': "
                                                        "<true>, 'after': <objectpath '%s'>},)",
                                                        last);
      g_autoptr (GVariant) arguments = g_variant_parse (NULL, options, NULL, NULL, NULL);
      g_autoptr (GError) error = NULL;
      g_autoptr (GVariant)
          reply = service_call (service, domain, "Snapshots", "ListProperties", arguments, &error);
      g_autoptr (GVariant) page = NULL;
      g_autoptr (GVariant) properties = NULL;
      g_autoptr (GVariant) interfaces = NULL;
      g_autoptr (GVariant) expected = NULL;

      g_assert_no_error (error);
      page = g_variant_get_child_value (reply, 0);
      if (g_variant_n_children (page) == 0)
        break;
      g_clear_pointer (&last, g_free);
      g_variant_get_child (page, 0, "(o@a{sv})", &last, &properties);
      interfaces = g_variant_lookup_value (objects, last, NULL);
      expected = g_variant_lookup_value (interfaces, "org.stemma1.Snapshot", NULL);
      g_assert_true (g_variant_equal (properties, expected));
    }
  g_assert_cmpuint (n_pages, ==, 5);
}

/* The path of the first snapshot behind another, or of all; and its description. */
static char *
read_first (Service *service, const char *domain, const char *after, char **out_description)
{
  g_autofree char *options = g_strdup_printf (
      "({'limit': <uint32 1>%s%s%s},)", after != NULL ? ", 'after': <objectpath '" : "",
      after != NULL ? after : "", after != NULL ? "'>" : "");
  g_autoptr (GVariant) arguments = g_variant_parse (NULL, options, NULL, NULL, NULL);
  g_autoptr (GError) error = NULL;
  g_autoptr (GVariant)
      reply = service_call (service, domain, "Snapshots", "ListProperties", arguments, &error);
  g_autoptr (GVariant) page = NULL;
  g_autoptr (GVariant) properties = NULL;
  char *path = NULL;

  g_assert_no_error (error);
  page = g_variant_get_child_value (reply, 0);
  g_assert_cmpuint (g_variant_n_children (page), ==, 1);
  g_variant_get_child (page, 0, "(o@a{sv})", &path, &properties);
  g_assert_true (g_variant_lookup (properties, "Description", "s", out_description));
  return path;
}

static void
test_changed_pages (Service *service, gconstpointer unused)
{
  g_autofree char *domain = service_define (service, "mail", two_images);
  g_autofree char *one = service_snapshot (service, domain, "one");
  g_autofree char *two = service_snapshot (service, domain, "two");
  g_autofree char *three = service_snapshot (service, domain, "three");
  g_autofree char *description = NULL;
  g_autofree char *first = read_first (service, domain, NULL, &description);
  g_autofree char *next = NULL;

  g_assert_cmpstr (first, ==, one);
  g_free (service_call_well (service, two, "Snapshot", "Delete",
                             g_variant_new_parsed ("({'wait': <true>},)")));
  g_free (service_call_well (service, three, "Snapshot", "SetDescription",
                             g_variant_new_parsed ("('told', @a{sv} {})")));
  g_clear_pointer (&description, g_free);
  next = read_first (service, domain, one, &description);
  g_assert_cmpstr (next, ==, three);
  g_assert_cmpstr (description, ==, "told");
}

int
main (int argc, char **argv)
{
  const char *program = NULL;

  g_test_init (&argc, &argv, NULL);
  stemma_error_quark ();
  program = argv[1];
  g_assert_nonnull (program);

#define TEST(path, function)                                                                       \
  g_test_add ("/daemon/projections/" path, Service, program, service_set_up, function,             \
              service_tear_down)
  TEST ("every-way-of-reading-gives-the-same-to-everyone", test_reading);
  TEST ("what-is-not-there-is-an-error", test_misreading);
  TEST ("introspection-shows-them-as-objects", test_introspection);
  TEST ("pages-hold-what-the-object-manager-gives", test_pages);
  TEST ("a-page-tells-of-what-changed-since-the-last", test_changed_pages);
#undef TEST
  return g_test_run ();
}
