/* Records from documents, over the bus: one by one and in bulk; what is told of them; forgetting,
 * renaming, and the documents out again. What a record may be is tested in tests/core.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "bus-recorder.h"
#include "redefine-calls.h"
#include "stemma-error.h"

#include <glib/gstdio.h>
#include <string.h>
#include <unistd.h>

static const char *const one_image[] = { "a.qcow2", NULL };

static char *
checkpoint_document (Service *service, const char *name, const char *parent)
{
  g_autofree char *domain = service_document (service, "mail", REDEFINE_UUID, one_image);
  g_autofree char *above = parent == NULL
                               ? g_strdup ("")
                               : g_strdup_printf ("<parent><name>%s</name></parent>", parent);

  return g_strdup_printf ("<domaincheckpoint><name>%s</name><creationTime>1700000000</creationTime>"
                          "%s<disks><disk name='vda' checkpoint='bitmap' bitmap='%s'/></disks>%s"
                          "</domaincheckpoint>",
                          name, above, name, domain);
}

static char *
redefine (Service *service, const char *domain, const char *interface, char *unowned_document,
          const char *options)
{
  g_autofree char *document = unowned_document;
  g_autoptr (GVariant) parsed = g_variant_parse (G_VARIANT_TYPE_VARDICT, options, NULL, NULL, NULL);

  return service_call_well (service, domain, interface, "Redefine",
                            g_variant_new ("(s@a{sv})", document, parsed));
}

static void
test_one_by_one (Service *service, gconstpointer unused)
{
  g_autofree char *domain = redefine_set_up (service);
  g_autofree char *a = redefine (service, domain, "Snapshots",
                                 redefine_snapshot (service, "a", NULL, "first"), "{}");
  g_autoptr (BusRecorder) recorder = bus_recorder_new (service->client);
  g_autofree char *b = redefine (service, domain, "Snapshots",
                                 redefine_snapshot (service, "b", "a", ""), "{'current': <true>}");
  g_autoptr (GPtrArray) events = bus_recorder_take (recorder);
  guint added = bus_events_find (events, 0, BUS_EVENT_ADDED, b, NULL);
  guint count = bus_events_find (events, added, BUS_EVENT_CHANGED, a, "ChildCount");
  guint current = bus_events_find (events, added, BUS_EVENT_CHANGED, domain, "Current");
  guint generation = bus_events_find (events, MAX (count, current), BUS_EVENT_CHANGED, domain,
                                      "Generation");
  g_autofree char *again = NULL;

  bus_events_find (events, generation, BUS_EVENT_REPLY, NULL, NULL);
  redefine_assert_string (service, b, "Snapshot", "Parent", a);
  redefine_assert_string (service, b, "Snapshot", "Location", "internal");
  redefine_assert_string (service, b, "Snapshot", "State", "shutoff");
  redefine_assert_string (service, a, "Snapshot", "Description", "first");
  again = redefine (service, domain, "Snapshots", redefine_snapshot (service, "a", NULL, "anew"),
                    "{}");
  g_assert_cmpstr (again, ==, a);
  redefine_assert_string (service, a, "Snapshot", "Description", "anew");
  redefine_assert_string (service, domain, "Snapshots", "Current", b);
}

static GVariant *
bulk_arguments (char **documents, const char *options)
{
  g_autoptr (GVariant) parsed = g_variant_parse (G_VARIANT_TYPE_VARDICT, options, NULL, NULL, NULL);

  return g_variant_new ("(^as@a{sv})", documents, parsed);
}

static void
test_all_or_nothing (Service *service, gconstpointer unused)
{
  g_autofree char *domain = redefine_set_up (service);
  g_auto (GStrv) good = g_new0 (char *, 4);
  g_auto (GStrv) bad = g_new0 (char *, 4);
  guint64 before = service_get_generation (service, domain, "Domain");
  g_autoptr (GError) error = NULL;
  g_autoptr (GVariant) reply = NULL;
  g_autoptr (GVariant) paths = NULL;
  g_autofree char *first = NULL;
  g_autofree char *last = NULL;

  bad[0] = redefine_snapshot (service, "c", "b", "");
  bad[1] = redefine_snapshot (service, "b", "a", "");
  bad[2] = redefine_snapshot (service, "a", "nobody", "");
  service_call_ill (service, domain, "Snapshots", "RedefineAll", bulk_arguments (bad, "{}"),
                    STEMMA_ERROR_INVALID_ARGUMENT);
  redefine_assert_count (service, domain, "Snapshots", 0);
  g_assert_cmpuint (service_get_generation (service, domain, "Domain"), ==, before);

  /* Children before their parents: any order will do. */
  good[0] = redefine_snapshot (service, "c", "b", "");
  good[1] = redefine_snapshot (service, "b", "a", "");
  good[2] = redefine_snapshot (service, "a", NULL, "");
  reply = service_call (service, domain, "Snapshots", "RedefineAll",
                        bulk_arguments (good, "{'current': <'b'>}"), &error);
  g_assert_no_error (error);
  paths = g_variant_get_child_value (reply, 0);
  g_assert_cmpuint (g_variant_n_children (paths), ==, 3);
  g_variant_get_child (paths, 0, "o", &first);
  g_variant_get_child (paths, 2, "o", &last);
  redefine_assert_string (service, first, "Snapshot", "Name", "c");
  redefine_assert_string (service, last, "Snapshot", "Name", "a");
  redefine_assert_string (service, last, "Snapshot", "Parent", "/");
}

typedef struct
{
  const char *method;
  const char *arguments;
  const char *named;
  int code;
} Vector;

static const Vector refused[] = {
  { "Redefine", "('', @a{sv} {})", "", STEMMA_ERROR_INVALID_XML },
  { "Redefine", "('<domainsnapshot/>', @a{sv} {})", "", STEMMA_ERROR_INVALID_XML },
  { "Redefine", "('<domaincheckpoint/>', @a{sv} {})", "", STEMMA_ERROR_INVALID_XML },
  { "Redefine", "('<domainsnapshot/>', {'current': <'a'>})", "'current'",
    STEMMA_ERROR_INVALID_ARGUMENT },
  { "Redefine", "('<domainsnapshot/>', {'wait': <true>})", "'wait'",
    STEMMA_ERROR_INVALID_ARGUMENT },
  { "RedefineAll", "(@as [], {'current': <true>})", "'current'", STEMMA_ERROR_INVALID_ARGUMENT },
  { "RedefineAll", "(['<domainsnapshot/>'], @a{sv} {})", "", STEMMA_ERROR_INVALID_XML },
  { "ForgetAll", "({'children': <true>},)", "'children'", STEMMA_ERROR_INVALID_ARGUMENT },
  { "CreateXML", "('<domainsnapshot/>', {'name': <'x'>})", "'name'",
    STEMMA_ERROR_INVALID_ARGUMENT },
  { "CreateXML", "('', @a{sv} {})", "", STEMMA_ERROR_INVALID_XML },
  { "ListProperties", "({'limit': <1>},)", "'limit'", STEMMA_ERROR_INVALID_ARGUMENT },
};

static void
test_refusals (Service *service, gconstpointer unused)
{
  g_autofree char *domain = redefine_set_up (service);
  guint64 before = service_get_generation (service, SERVICE_MANAGER, "Manager");

  for (gsize i = 0; i < G_N_ELEMENTS (refused); i++)
    {
      g_autoptr (GError) error = NULL;
      g_autoptr (GVariant)
          arguments = g_variant_parse (NULL, refused[i].arguments, NULL, NULL, &error);
      g_autoptr (GVariant) reply = NULL;

      g_test_message ("%s %s", refused[i].method, refused[i].arguments);
      g_assert_no_error (error);
      reply = service_call (service, domain, "Snapshots", refused[i].method, arguments, &error);
      g_assert_error (error, STEMMA_ERROR, refused[i].code);
      if (strstr (error->message, refused[i].named) == NULL)
        g_error ("'%s' is not in: %s", refused[i].named, error->message);
    }
  g_assert_cmpuint (service_get_generation (service, SERVICE_MANAGER, "Manager"), ==, before);
}

static char *
external_document (const char *name, const char *overlay, const char *domain)
{
  return g_strdup_printf ("<domainsnapshot><name>%s</name><state>shutoff</state>"
                          "<creationTime>1700000000</creationTime><disks><disk name='vda' "
                          "snapshot='external'><source file='%s'/></disk></disks>%s"
                          "</domainsnapshot>",
                          name, overlay, domain);
}

/* The machine would write into what the snapshot froze, or the image is nobody's to name. */
static void
test_images (Service *service, gconstpointer unused)
{
  g_autofree char *domain = redefine_set_up (service);
  g_autofree char *overlay = service_image_path (service, "a.over");
  g_autofree char *then = service_document (service, "mail", REDEFINE_UUID, one_image);
  g_autofree char *active = external_document ("active", overlay, then);
  g_autofree char *far = external_document ("far", "/etc/b.qcow2", "");

  service_call_ill (service, domain, "Snapshots", "Redefine",
                    g_variant_new_parsed ("(%s, @a{sv} {})", active), STEMMA_ERROR_IN_USE);
  service_call_ill (service, domain, "Snapshots", "Redefine",
                    g_variant_new_parsed ("(%s, @a{sv} {})", far), STEMMA_ERROR_NOT_ALLOWED);
  redefine_assert_count (service, domain, "Snapshots", 0);
}

static void
test_empty (Service *service, gconstpointer unused)
{
  g_autofree char *domain = redefine_set_up (service);
  guint64 before = service_get_generation (service, domain, "Domain");
  g_autoptr (GError) error = NULL;
  g_autoptr (GVariant) reply = service_call (service, domain, "Snapshots", "RedefineAll",
                                             g_variant_new_parsed ("(@as [], @a{sv} {})"), &error);
  g_autofree char *text = NULL;

  g_assert_no_error (error);
  text = g_variant_print (reply, FALSE);
  g_assert_cmpstr (text, ==, "([],)");
  g_free (service_call_well (service, domain, "Checkpoints", "ForgetAll", /* arguments= */ NULL));
  g_assert_cmpuint (service_get_generation (service, domain, "Domain"), ==, before);
}

static void
test_checkpoints (Service *service, gconstpointer unused)
{
  g_autofree char *domain = redefine_set_up (service);
  g_autofree char *a = redefine (service, domain, "Checkpoints",
                                 checkpoint_document (service, "a", NULL), "{}");
  g_autofree char *b = redefine (service, domain, "Checkpoints",
                                 checkpoint_document (service, "b", "a"), "{}");
  g_autofree char *invalid = checkpoint_document (service, "c", "b");
  g_auto (GStrv) both = g_new0 (char *, 3);

  redefine_assert_string (service, b, "Checkpoint", "Parent", a);
  /* No bitmap is in the image, as one who looks sees. */
  service_call_ill (service, domain, "Checkpoints", "Redefine",
                    g_variant_new_parsed ("(%s, {'validate': <true>})", invalid),
                    STEMMA_ERROR_BITMAP_MISSING);
  service_call_ill (service, domain, "Checkpoints", "Redefine",
                    g_variant_new_parsed ("(%s, {'current': <true>})", invalid),
                    STEMMA_ERROR_INVALID_ARGUMENT);
  redefine_assert_count (service, domain, "Checkpoints", 2);
  g_free (service_call_well (service, domain, "Checkpoints", "ForgetAll", /* arguments= */ NULL));
  redefine_assert_count (service, domain, "Checkpoints", 0);
  both[0] = checkpoint_document (service, "b", "a");
  both[1] = checkpoint_document (service, "a", NULL);
  g_variant_unref (service_call (service, domain, "Checkpoints", "RedefineAll",
                                 bulk_arguments (both, "{}"), NULL));
  redefine_assert_count (service, domain, "Checkpoints", 2);
}

static char *
get_xml (Service *service, const char *snapshot, const char *method, const char *options)
{
  g_autoptr (GVariant) parsed = g_variant_parse (G_VARIANT_TYPE_VARDICT, options, NULL, NULL, NULL);
  g_autoptr (GError) error = NULL;
  g_autoptr (GVariant) reply = service_call (service, snapshot, "Snapshot", method,
                                             g_variant_new ("(@a{sv})", parsed), &error);
  char *xml = NULL;

  g_assert_no_error (error);
  g_variant_get (reply, "(s)", &xml);
  return xml;
}

/* What comes out goes in again and gives the same. */
static void
test_documents (Service *service, gconstpointer unused)
{
  g_autofree char *domain = redefine_set_up (service);
  g_autofree char *b = NULL;
  g_autofree char *public = NULL;
  g_autofree char *short_one = NULL;
  g_autofree char *secure = NULL;
  g_autofree char *again = NULL;
  g_autofree char *secure_again = NULL;

  g_free (redefine (service, domain, "Snapshots", redefine_snapshot (service, "a", NULL, "first"),
                    "{}"));
  b = redefine (service, domain, "Snapshots", redefine_snapshot (service, "b", "a", ""), "{}");
  public = get_xml (service, b, "GetXML", "{}");
  short_one = get_xml (service, b, "GetXML", "{'no-domain': <true>}");
  secure = get_xml (service, b, "GetSecureXML", "{}");
  g_assert_nonnull (strstr (public, "<parent>"));
  g_assert_nonnull (strstr (public, "<devices>"));
  g_assert_null (strstr (public, "secret=1"));
  g_assert_null (strstr (short_one, "<devices>"));
  g_assert_nonnull (strstr (secure, "secret=1"));
  g_free (service_call_well (service, domain, "Snapshots", "ForgetAll", /* arguments= */ NULL));
  g_free (redefine (service, domain, "Snapshots", redefine_snapshot (service, "a", NULL, "first"),
                    "{}"));
  again = redefine (service, domain, "Snapshots", g_strdup (secure), "{}");
  secure_again = get_xml (service, again, "GetSecureXML", "{}");
  g_assert_cmpstr (secure, ==, secure_again);
}

static void
test_create_xml (Service *service, gconstpointer unused)
{
  g_autofree char *domain = redefine_set_up (service);
  g_autofree char *made = service_call_well (
      service, domain, "Snapshots", "CreateXML",
      g_variant_new_parsed ("('<domainsnapshot><name>n</name><description>d</description>"
                            "<disks><disk name=\"vda\" snapshot=\"internal\"/></disks>"
                            "</domainsnapshot>', {'wait': <true>})"));
  g_autofree char *image = service_image_path (service, "a.qcow2");
  g_autofree char *info = test_run ("qemu-img", "snapshot", "-l", image, NULL);

  redefine_assert_string (service, made, "Snapshot", "Name", "n");
  redefine_assert_string (service, made, "Snapshot", "Description", "d");
  redefine_assert_string (service, made, "Snapshot", "Location", "internal");
  redefine_assert_string (service, made, "Snapshot", "State", "shutoff");
  g_assert_nonnull (strstr (info, " n "));
  service_call_ill (service, domain, "Snapshots", "CreateXML",
                    g_variant_new_parsed ("('<domainsnapshot><name>n</name></domainsnapshot>', "
                                          "{'wait': <true>})"),
                    STEMMA_ERROR_ALREADY_EXISTS);
}

static void
test_rename (Service *service, gconstpointer unused)
{
  g_autofree char *domain = redefine_set_up (service);
  g_autofree char *first = service_snapshot (service, domain, "a");
  g_autofree char *b = service_snapshot (service, domain, "b");
  g_autoptr (BusRecorder) recorder = bus_recorder_new (service->client);
  g_autoptr (GPtrArray) events = NULL;
  const char *const names[] = { "", "a/b", ".a", "a\nb" };
  guint told = 0;

  g_free (service_call_well (service, b, "Snapshot", "Rename",
                             g_variant_new_parsed ("('2024', @a{sv} {})")));
  g_free (service_call_well (service, b, "Snapshot", "SetDescription",
                             g_variant_new_parsed ("('of digits only', @a{sv} {})")));
  events = bus_recorder_take (recorder);
  told = bus_events_find (events, 0, BUS_EVENT_CHANGED, b, "Name");
  told = bus_events_find (events, told, BUS_EVENT_CHANGED, domain, "Generation");
  told = bus_events_find (events, told, BUS_EVENT_REPLY, NULL, NULL);
  bus_events_find (events, told, BUS_EVENT_CHANGED, b, "Description");
  redefine_assert_string (service, b, "Snapshot", "Name", "2024");
  service_call_ill (service, b, "Snapshot", "Rename", g_variant_new_parsed ("('a', @a{sv} {})"),
                    STEMMA_ERROR_ALREADY_EXISTS);
  for (gsize i = 0; i < G_N_ELEMENTS (names); i++)
    service_call_ill (service, b, "Snapshot", "Rename",
                      g_variant_new_parsed ("(%s, @a{sv} {})", names[i]),
                      STEMMA_ERROR_INVALID_ARGUMENT);
  redefine_assert_string (service, b, "Snapshot", "Name", "2024");
  redefine_assert_string (service, b, "Snapshot", "Parent", first);
}

/* vm/b over vm/a over golden/base, which only the definition allows: the document of a snapshot of
 * b tells of the base too, and so is enough by itself for a service that knows nothing of it. */
static void
test_chain (Service *service, gconstpointer unused)
{
  g_autofree char *machine = service_image_path (service, "vm");
  g_autofree char *golden = service_image_path (service, "golden");
  g_autofree char *base = service_image_path (service, "golden/base.qcow2");
  g_autofree char *image = service_image_path (service, "vm/a.qcow2");
  g_autofree char *plain = service_image_path (service, "vm/plain.qcow2");
  const char *const plain_image[] = { "vm/plain.qcow2", NULL };
  g_autofree char *other = service_document (service, "mail", REDEFINE_UUID, plain_image);
  g_autofree char *definition = g_strdup_printf (
      "<domain type='kvm'><name>mail</name><uuid>" REDEFINE_UUID "</uuid><devices>"
      "<disk type='file' device='disk'><driver name='qemu' type='qcow2'/><source file='%s'/>"
      "<backingStore type='file'><format type='qcow2'/><source file='%s'/><backingStore/>"
      "</backingStore><target dev='vda' bus='virtio'/></disk></devices></domain>",
      image, base);
  g_autofree char *domain = NULL;
  g_autofree char *again = NULL;
  g_autofree char *first = NULL;
  g_autofree char *second = NULL;
  g_autofree char *document = NULL;
  g_autofree char *redefined = NULL;

  g_assert_cmpint (g_mkdir (machine, 0755), ==, 0);
  g_assert_cmpint (g_mkdir (golden, 0755), ==, 0);
  test_image_create (base, "qcow2", 1024 * 1024, NULL, NULL);
  test_image_create (image, "qcow2", 0, base, "qcow2");
  test_image_create (plain, "qcow2", 1024 * 1024, NULL, NULL);
  domain = service_call_well (service, SERVICE_MANAGER, "Manager", "DefineDomain",
                              g_variant_new_parsed ("(%s, @a{sv} {})", definition));
  first = service_call_well (service, domain, "Snapshots", "Create",
                             g_variant_new_parsed ("('one', {'wait': <true>})"));
  second = service_call_well (service, domain, "Snapshots", "Create",
                              g_variant_new_parsed ("('two', {'wait': <true>})"));
  /* Now no document is of the image that the definition was of. */
  g_free (
      service_call_well (service, first, "Snapshot", "Delete",
                         g_variant_new_parsed ("({'metadata-only': <true>, 'wait': <true>},)")));
  document = get_xml (service, second, "GetXML", "{}");
  g_assert_nonnull (strstr (document, base));

  g_free (service_call_well (service, domain, "Domain", "Undefine",
                             g_variant_new_parsed ("({'moments': <'forget'>, 'wait': <true>},)")));
  again = service_call_well (service, SERVICE_MANAGER, "Manager", "DefineDomain",
                             g_variant_new_parsed ("(%s, @a{sv} {})", other));
  redefined = redefine (service, again, "Snapshots", g_strdup (document), "{}");
  redefine_assert_string (service, redefined, "Snapshot", "Health", "ok");
}

/* images -> pool, which stemma.conf names by the link: an image there has one record, whichever way
 * it is spelled. */
static void
test_linked_pool (Service *service, gconstpointer unused)
{
  g_autofree char *pool = service_image_path (service, "pool");
  g_autofree char *link = service_image_path (service, "images");
  g_autofree char *config = service_image_path (service, "stemma.conf");
  g_autofree char *spelled = g_build_filename (link, "new.qcow2", NULL);
  g_autofree char *real = g_build_filename (pool, "new.qcow2", NULL);
  g_autofree char *document = NULL;
  g_autofree char *domain = NULL;
  g_autofree char *snapshot = NULL;
  g_autofree char *text = NULL;
  g_autofree char *printed = NULL;
  g_autoptr (GVariant) reply = NULL;
  g_autoptr (GError) error = NULL;

  service_stop (service);
  g_assert_cmpint (g_mkdir (pool, 0755), ==, 0);
  g_assert_cmpint (symlink (pool, link), ==, 0);
  g_assert_true (g_file_get_contents (config, &text, NULL, NULL));
  document = g_strdup_printf ("%s[paths]\npools=%s\n", text, link);
  g_assert_true (g_file_set_contents (config, document, -1, NULL));
  service_start (service, SERVICE_SYSTEM);

  domain = redefine_set_up (service);
  g_free (document);
  document = g_strdup_printf ("<domainsnapshot><name>s</name><disks><disk name='vda' snapshot="
                              "'external'><source file='%s'/></disk></disks></domainsnapshot>",
                              spelled);
  snapshot = service_call_well (service, domain, "Snapshots", "CreateXML",
                                g_variant_new_parsed ("(%s, {'wait': <true>})", document));
  reply = service_call (service, snapshot, "Snapshot", "GetXML",
                        g_variant_new_parsed ("(@a{sv} {},)"), &error);
  g_assert_no_error (error);
  g_variant_get (reply, "(s)", &printed);
  g_assert_nonnull (strstr (printed, real));
  g_assert_null (strstr (printed, spelled));
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
  g_test_add ("/daemon/redefine/" path, Service, program, service_set_up, function,                \
              service_tear_down)
  TEST ("one-by-one-each-is-told-before-its-reply", test_one_by_one);
  TEST ("a-bulk-is-all-or-nothing-in-any-order", test_all_or_nothing);
  TEST ("what-cannot-be-is-refused-and-changes-nothing", test_refusals);
  TEST ("an-image-that-is-written-or-far-holds-no-snapshot", test_images);
  TEST ("nothing-is-no-change", test_empty);
  TEST ("checkpoints-are-redefined-alike", test_checkpoints);
  TEST ("what-comes-out-goes-in-again", test_documents);
  TEST ("a-document-tells-of-the-images-below-as-the-definition-did", test_chain);
  TEST ("a-snapshot-is-created-from-a-document", test_create_xml);
  TEST ("a-pool-named-by-a-link-is-where-it-leads", test_linked_pool);
  TEST ("a-name-changes-and-nothing-else", test_rename);
#undef TEST
  return g_test_run ();
}
