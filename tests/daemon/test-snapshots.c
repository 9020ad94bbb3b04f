/* Snapshots on the bus: names, plans, lists, refusals, jobs, findings. The real service on real
 * images; that the bytes are right is tested in tests/ops.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "service-fixture.h"
#include "stemma-error.h"

#include <glib/gstdio.h>
#include <string.h>
#include <unistd.h>

static const char *const two_images[] = { "a.qcow2", "b.qcow2", NULL };

/* The reply (aa{sv}) of a Plan… method, printed. */
static char *
plan (Service *service, const char *path, const char *interface, const char *method,
      const char *arguments)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GVariant) parsed = g_variant_parse (NULL, arguments, NULL, NULL, &error);
  g_autoptr (GVariant) reply = NULL;

  g_assert_no_error (error);
  reply = service_call (service, path, interface, method, parsed, &error);
  g_assert_no_error (error);
  return g_variant_print (reply, FALSE);
}

static void
assert_contains (const char *text, const char *part)
{
  if (strstr (text, part) == NULL)
    g_error ("'%s' is not in: %s", part, text);
}

static void
write_to (Service *service, const char *domain)
{
  g_autofree char *disk = g_strconcat (domain, "/disks/vda", NULL);
  g_autofree char *source = service_get_string (service, disk, "Disk", "Source");

  test_image_write (source, "qcow2", 7, 0, 65536);
}

static void
test_names (Service *service, gconstpointer unused)
{
  g_autofree char *domain = service_define (service, "mail", two_images);
  g_autofree char *long_name = g_strnfill (10 * 1024, 'n');
  const char *const names[] = { "a/b", ".hidden", "a\nb", long_name };
  guint64 before = service_get_generation (service, domain, "Domain");
  g_autofree char *snapshot = NULL;
  g_autofree char *name = NULL;

  for (gsize i = 0; i < G_N_ELEMENTS (names); i++)
    service_call_ill (service, domain, "Snapshots", "Create",
                      g_variant_new_parsed ("(%s, @a{sv} {})", names[i]),
                      STEMMA_ERROR_INVALID_ARGUMENT);
  g_assert_cmpuint (service_get_generation (service, domain, "Domain"), ==, before);

  /* No name: the time in seconds. */
  snapshot = service_snapshot (service, domain, "");
  name = service_get_string (service, snapshot, "Snapshot", "Name");
  g_assert_cmpuint (strspn (name, "0123456789"), ==, strlen (name));
  g_assert_cmpuint (strlen (name), >, 0);
}

static void
test_disks (Service *service, gconstpointer unused)
{
  g_autofree char *domain = service_define (service, "mail", two_images);
  g_autofree char *snapshot = NULL;
  g_autoptr (GVariant) disks = NULL;
  g_autofree char *text = NULL;

  service_call_ill (service, domain, "Snapshots", "Create",
                    g_variant_new_parsed ("('x', {'disks': <['vdz']>})"), STEMMA_ERROR_NOT_FOUND);
  snapshot = service_call_well (
      service, domain, "Snapshots", "Create",
      g_variant_new_parsed (
          "('one', {'disks': <['vdb']>, 'description': <'of one disk'>, 'wait': <true>})"));
  disks = service_get (service, snapshot, "Snapshot", "Disks");
  text = g_variant_print (disks, FALSE);
  assert_contains (text, "{'target': <'vdb'>, 'mode': <'external'>, 'frozen': <'");
  g_assert_null (strstr (text, "'vda'>, 'mode': <'external'>"));
}

static void
test_plans (Service *service, gconstpointer unused)
{
  g_autofree char *domain = service_define (service, "mail", two_images);
  g_autofree char *from_options = plan (service, domain, "Snapshots", "PlanCreate",
                                        "('', {'name': <'first'>})");
  g_autofree char *from_document = plan (
      service, domain, "Snapshots", "PlanCreate",
      "('<domainsnapshot><name>first</name></domainsnapshot>', @a{sv} {})");
  g_autofree char *snapshot = NULL;
  g_autofree char *revert = NULL;
  g_autofree char *delete = NULL;
  g_autofree char *undefine = NULL;
  guint64 generation = service_get_generation (service, SERVICE_MANAGER, "Manager");

  assert_contains (from_options, "'step': <'overlay'>");
  assert_contains (from_options, "'step': <'frees'>");
  g_assert_cmpstr (from_options, ==, from_document);
  g_assert_cmpuint (service_get_generation (service, SERVICE_MANAGER, "Manager"), ==, generation);

  snapshot = service_snapshot (service, domain, "first");
  write_to (service, domain);
  revert = plan (service, snapshot, "Snapshot", "PlanRevert", "(@a{sv} {},)");
  assert_contains (revert, "'step': <'blocked'>");
  assert_contains (revert, "'error': <'org.stemma1.Error.UnsavedState'>");
  delete = plan (service, snapshot, "Snapshot", "PlanDelete", "({'wait': <true>},)");
  assert_contains (delete, "'step': <'commit'>");
  undefine = plan (service, domain, "Domain", "PlanUndefine", "(@a{sv} {},)");
  assert_contains (undefine, "'error': <'org.stemma1.Error.HasMoments'>");
}

static void
test_bad_plans (Service *service, gconstpointer unused)
{
  g_autofree char *domain = service_define (service, "mail", two_images);
  g_autofree char *same = NULL;

  service_call_ill (service, domain, "Snapshots", "PlanCreate",
                    g_variant_new_parsed ("('<domainsnapshot>', @a{sv} {})"),
                    STEMMA_ERROR_INVALID_XML);
  service_call_ill (service, domain, "Snapshots", "PlanCreate",
                    g_variant_new_parsed ("('<domainsnapshot/>', {'name': <'both say it'>})"),
                    STEMMA_ERROR_INVALID_ARGUMENT);
  g_free (service_snapshot (service, domain, "first"));
  same = plan (service, domain, "Snapshots", "PlanCreate", "('', {'name': <'first'>})");
  assert_contains (same, "'error': <'org.stemma1.Error.AlreadyExists'>");
}

static void
test_revert (Service *service, gconstpointer unused)
{
  g_autofree char *domain = service_define (service, "mail", two_images);
  g_autofree char *snapshot = service_snapshot (service, domain, "first");
  g_autofree char *kept = NULL;
  g_autofree char *parent = NULL;
  g_autofree char *current = NULL;

  write_to (service, domain);
  service_call_ill (service, snapshot, "Snapshot", "Revert",
                    g_variant_new_parsed ("({'wait': <true>},)"), STEMMA_ERROR_UNSAVED_STATE);
  service_call_ill (service, snapshot, "Snapshot", "Revert",
                    g_variant_new_parsed ("({'keep': <'k'>, 'discard': <true>},)"),
                    STEMMA_ERROR_INVALID_ARGUMENT);
  service_call_ill (service, snapshot, "Snapshot", "Revert",
                    g_variant_new_parsed ("({'keep': <'a/b'>},)"), STEMMA_ERROR_INVALID_ARGUMENT);
  service_call_ill (service, snapshot, "Snapshot", "Revert",
                    g_variant_new_parsed ("({'state': <'running'>},)"), STEMMA_ERROR_NOT_SUPPORTED);
  g_free (service_call_well (service, snapshot, "Snapshot", "Revert",
                             g_variant_new_parsed ("({'keep': <'kept'>, 'wait': <true>},)")));
  kept = service_call_well (service, domain, "Snapshots", "Find",
                            g_variant_new_parsed ("('kept', @a{sv} {})"));
  parent = service_get_string (service, kept, "Snapshot", "Parent");
  current = service_get_string (service, domain, "Snapshots", "Current");
  g_assert_cmpstr (parent, ==, snapshot);
  g_assert_cmpstr (current, ==, snapshot);
}

static void
test_delete (Service *service, gconstpointer unused)
{
  g_autofree char *domain = service_define (service, "mail", two_images);
  g_autofree char *first = service_snapshot (service, domain, "first");
  g_autoptr (GVariant) count = NULL;

  g_free (service_snapshot (service, domain, "second"));
  g_free (service_snapshot (service, domain, "third"));
  service_call_ill (service, first, "Snapshot", "Delete",
                    g_variant_new_parsed ("({'children': <true>, 'children-only': <true>},)"),
                    STEMMA_ERROR_INVALID_ARGUMENT);
  g_free (
      service_call_well (service, first, "Snapshot", "Delete",
                         g_variant_new_parsed ("({'children-only': <true>, 'wait': <true>},)")));
  count = service_get (service, domain, "Snapshots", "Count");
  g_assert_cmpuint (g_variant_get_uint32 (count), ==, 1);
}

static void
test_list (Service *service, gconstpointer unused)
{
  g_autofree char *domain = service_define (service, "mail", two_images);
  g_autofree char *first = service_snapshot (service, domain, "first");
  g_autofree char *second = service_snapshot (service, domain, "second");
  g_autofree char *third = service_snapshot (service, domain, "third");
  g_autofree char *all_expected = g_strdup_printf ("(['%s', '%s', '%s'],)", first, second, third);
  g_autofree char *below_expected = g_strdup_printf ("(['%s'],)", second);
  g_autofree char *from = g_strdup_printf ("({'from': <objectpath '%s'>},)", first);
  g_autofree char *after = g_strdup_printf ("({'after': <objectpath '%s'>, 'limit': <uint32 1>},)",
                                            first);
  g_autofree char *all = plan (service, domain, "Snapshots", "List", "({'topological': <true>},)");
  g_autofree char *below = plan (service, domain, "Snapshots", "List", from);
  g_autofree char *page = plan (service, domain, "Snapshots", "List", after);

  g_assert_cmpstr (all, ==, all_expected);
  g_assert_cmpstr (below, ==, below_expected);
  g_assert_cmpstr (page, ==, below_expected);
}

static void
test_job (Service *service, gconstpointer unused)
{
  g_autofree char *domain = service_define (service, "mail", two_images);
  g_autoptr (GError) error = NULL;
  g_autoptr (GVariant)
      reply = service_call (service, domain, "Snapshots", "Create",
                            g_variant_new_parsed ("('first', {'wait': <true>})"), &error);
  g_autoptr (GVariant) uid = NULL;
  g_autoptr (GVariant) start = NULL;
  g_autofree char *objects = NULL;
  g_autoptr (GVariant) objects_value = NULL;
  const char *snapshot = NULL;
  const char *job = NULL;

  g_assert_no_error (error);
  g_variant_get (reply, "(&o&o)", &snapshot, &job);
  uid = service_get (service, job, "Job", "StartedByUid");
  g_assert_cmpuint (g_variant_get_uint32 (uid), ==, getuid ());
  start = service_get (service, job, "Job", "StartTime");
  g_assert_cmpuint (g_variant_get_uint64 (start), >, 0);
  objects_value = service_get (service, job, "Job", "Objects");
  objects = g_variant_print (objects_value, FALSE);
  assert_contains (objects, domain);
  assert_contains (objects, snapshot);
  service_call_ill (service, job, "Job", "Cancel", /* arguments= */ NULL, STEMMA_ERROR_WRONG_STATE);
}

static void
test_findings (Service *service, gconstpointer unused)
{
  g_autofree char *domain = service_define (service, "mail", two_images);
  g_autofree char *image = service_image_path (service, "a.qcow2");
  g_autofree char *sound = plan (service, SERVICE_MANAGER, "Manager", "Check", "(@a{sv} {},)");
  g_autofree char *away = g_strconcat (image, ".away", NULL);
  g_autofree char *missing = NULL;
  g_autofree char *health = NULL;
  g_autofree char *health_again = NULL;
  g_autofree char *found_again = NULL;

  g_assert_cmpstr (sound, ==, "([],)");
  g_assert_cmpint (g_rename (image, away), ==, 0);
  missing = plan (service, SERVICE_MANAGER, "Manager", "Check", "(@a{sv} {},)");
  assert_contains (missing, "'kind': <'image-missing'>");
  assert_contains (missing, domain);
  health = service_get_string (service, domain, "Domain", "Health");
  g_assert_cmpstr (health, ==, "missing");
  service_call_ill (service, SERVICE_MANAGER, "Manager", "Resolve",
                    g_variant_new_parsed ("('0123456789abcdef', 'retry', @a{sv} {})"),
                    STEMMA_ERROR_NOT_FOUND);

  g_assert_cmpint (g_rename (away, image), ==, 0);
  found_again = plan (service, SERVICE_MANAGER, "Manager", "Check", "(@a{sv} {},)");
  g_assert_cmpstr (found_again, ==, "([],)");
  health_again = service_get_string (service, domain, "Domain", "Health");
  g_assert_cmpstr (health_again, ==, "ok");
}

static gboolean
is_settled (gpointer user_data)
{
  Service *service = user_data;
  g_autoptr (GError) error = NULL;
  g_autoptr (GVariant) reply = bus_call_name (
      service->client, SERVICE_NAME, SERVICE_ROOT, "org.freedesktop.DBus.ObjectManager",
      "GetManagedObjects", /* arguments= */ NULL, G_DBUS_CALL_FLAGS_NONE, &error);
  g_autofree char *text = NULL;

  g_assert_no_error (error);
  text = g_variant_print (reply, FALSE);
  return strstr (text, "'State': <'running'>") == NULL
         && strstr (text, "'State': <'queued'>") == NULL;
}

/* The service dies in the middle of a call, and the next one settles what it left. */
static void
crash (Service *service, const char *phase, const char *path, const char *interface,
       const char *method, GVariant *arguments)
{
  g_autoptr (GSubprocess) dying = NULL;
  g_autoptr (GError) error = NULL;
  g_autoptr (GVariant) reply = NULL;
  g_autofree char *findings = NULL;

  g_test_message ("dies after %s", phase);
  service_stop (service);
  g_setenv ("STEMMA_STOP_AFTER", phase, TRUE);
  service_start (service, SERVICE_SYSTEM);
  g_unsetenv ("STEMMA_STOP_AFTER");
  reply = service_call (service, path, interface, method, arguments, &error);
  g_assert_error (error, G_DBUS_ERROR, G_DBUS_ERROR_NO_REPLY);
  dying = g_steal_pointer (&service->process);
  g_subprocess_wait (dying, NULL, NULL);
  g_assert_true (g_subprocess_get_if_signaled (dying));

  service_start (service, SERVICE_SYSTEM);
  bus_wait_until (is_settled, service, "the interrupted operation to be settled");
  findings = plan (service, SERVICE_MANAGER, "Manager", "Check", "(@a{sv} {},)");
  g_assert_cmpstr (findings, ==, "([],)");
}

static void
assert_count (Service *service, const char *domain, guint expected)
{
  g_autoptr (GVariant) count = service_get (service, domain, "Snapshots", "Count");

  g_assert_cmpuint (g_variant_get_uint32 (count), ==, expected);
}

static void
test_crashes (Service *service, gconstpointer unused)
{
  g_autofree char *domain = service_define (service, "mail", two_images);
  g_autofree char *first = service_snapshot (service, domain, "first");
  g_autofree char *third = NULL;

  crash (service, "create:intent", domain, "Snapshots", "Create",
         g_variant_new_parsed ("('second', {'wait': <true>})"));
  assert_count (service, domain, 1);
  crash (service, "create:done", domain, "Snapshots", "Create",
         g_variant_new_parsed ("('second', {'wait': <true>})"));
  assert_count (service, domain, 2);
  crash (service, "revert:intent", first, "Snapshot", "Revert",
         g_variant_new_parsed ("({'wait': <true>},)"));
  third = service_snapshot (service, domain, "third");
  assert_count (service, domain, 3);
  crash (service, "delete:step-1", first, "Snapshot", "Delete",
         g_variant_new_parsed ("({'wait': <true>, 'children': <true>},)"));
  assert_count (service, domain, 0);
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
  g_test_add ("/daemon/snapshots/" path, Service, program, service_set_up, function,               \
              service_tear_down)
  TEST ("names-are-checked-and-an-empty-one-is-the-time", test_names);
  TEST ("disks-can-be-chosen", test_disks);
  TEST ("plans-change-nothing-and-say-what-blocks", test_plans);
  TEST ("a-plan-that-cannot-be-understood-is-an-error", test_bad_plans);
  TEST ("a-revert-asks-what-to-do-with-writes", test_revert);
  TEST ("delete-takes-the-children-that-are-said", test_delete);
  TEST ("lists-are-filtered-and-paged", test_list);
  TEST ("a-job-says-who-when-and-what", test_job);
  TEST ("findings-come-and-go-with-health", test_findings);
  TEST ("a-service-that-dies-is-settled-by-the-next", test_crashes);
#undef TEST
  return g_test_run ();
}
