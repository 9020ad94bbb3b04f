/* A machine of one disk, documents of its snapshots, and what the bus says of them.
 *
 * Used by the tests of redefinition over the bus; single-threaded.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "redefine-calls.h"

static const char *const one_image[] = { "a.qcow2", NULL };

char *
redefine_set_up (Service *service)
{
  g_autofree char *path = service_image_path (service, "a.qcow2");
  g_autofree char *document = service_document (service, "mail", REDEFINE_UUID, one_image);

  test_image_create (path, "qcow2", 1024 * 1024, /* backing= */ NULL, /* backing_format= */ NULL);
  return service_call_well (service, SERVICE_MANAGER, "Manager", "DefineDomain",
                            g_variant_new_parsed ("(%s, @a{sv} {})", document));
}

char *
redefine_snapshot (Service *service, const char *name, const char *parent, const char *description)
{
  g_autofree char *domain = service_document (service, "mail", REDEFINE_UUID, one_image);
  g_autofree char *above = parent == NULL
                               ? g_strdup ("")
                               : g_strdup_printf ("<parent><name>%s</name></parent>", parent);

  return g_strdup_printf ("<domainsnapshot><name>%s</name><description>%s</description>"
                          "<state>shutoff</state><creationTime>1700000000</creationTime>%s"
                          "<disks><disk name='vda' snapshot='internal'/></disks>%s"
                          "</domainsnapshot>",
                          name, description, above, domain);
}

void
redefine_assert_string (Service *service, const char *path, const char *interface,
                        const char *property, const char *expected)
{
  g_autofree char *value = service_get_string (service, path, interface, property);

  g_assert_cmpstr (value, ==, expected);
}

void
redefine_assert_count (Service *service, const char *domain, const char *interface, guint expected)
{
  g_autoptr (GVariant) count = service_get (service, domain, interface, "Count");

  g_assert_cmpuint (g_variant_get_uint32 (count), ==, expected);
}
