/* Domains on the bus: definitions good and hostile, names, documents, the end of a domain. The real
 * service on real images.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "service-fixture.h"
#include "stemma-error.h"

#include <string.h>

#define UUID "0a1b2c3d-1111-4222-8333-444455556666"
#define UUID_PATH "/org/stemma1/domains/0a1b2c3d111142228333444455556666"

static const char *const one_image[] = { "a.qcow2", NULL };
static const char *const two_images[] = { "a.qcow2", "b.qcow2", NULL };

static GVariant *
document_arguments (const char *document)
{
  return g_variant_new ("(s@a{sv})", document,
                        g_variant_new_array (G_VARIANT_TYPE ("{sv}"), NULL, 0));
}

static void
define_ill (Service *service, const char *document, StemmaError code)
{
  service_call_ill (service, SERVICE_MANAGER, "Manager", "DefineDomain",
                    document_arguments (document), (int) code);
}

static void
assert_no_domains (Service *service)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GVariant) reply = bus_call_name (
      service->client, SERVICE_NAME, SERVICE_ROOT, "org.freedesktop.DBus.ObjectManager",
      "GetManagedObjects", /* arguments= */ NULL, G_DBUS_CALL_FLAGS_NONE, &error);
  g_autofree char *text = NULL;

  g_assert_no_error (error);
  text = g_variant_print (reply, FALSE);
  g_assert_null (strstr (text, "/domains/"));
  g_assert_cmpuint (service_get_generation (service, SERVICE_MANAGER, "Manager"), ==, 0);
}

static void
test_define (Service *service, gconstpointer unused)
{
  g_autofree char *path = service_define (service, "mail", two_images);
  g_autofree char *disk = g_strconcat (path, "/disks/vdb", NULL);
  g_autofree char *image = service_image_path (service, "b.qcow2");
  g_autofree char *name = service_get_string (service, path, "Domain", "Name");
  g_autofree char *state = service_get_string (service, path, "Domain", "State");
  g_autofree char *source = service_get_string (service, disk, "Disk", "Source");
  g_autofree char *found = NULL;
  g_autofree char *uuid = service_get_string (service, path, "Domain", "Uuid");
  g_autoptr (GVariant) chain = service_get (service, disk, "Disk", "Chain");

  g_assert_cmpstr (name, ==, "mail");
  g_assert_cmpstr (state, ==, "shutoff");
  g_assert_cmpstr (source, ==, image);
  g_assert_cmpuint (g_variant_n_children (chain), ==, 1);
  found = service_call_well (service, SERVICE_MANAGER, "Manager", "FindDomain",
                             g_variant_new_parsed ("('mail', @a{sv} {})"));
  g_assert_cmpstr (found, ==, path);
  g_free (found);
  found = service_call_well (service, SERVICE_MANAGER, "Manager", "FindDomain",
                             g_variant_new_parsed ("(%s, @a{sv} {})", uuid));
  g_assert_cmpstr (found, ==, path);
  service_call_ill (service, SERVICE_MANAGER, "Manager", "FindDomain",
                    g_variant_new_parsed ("('web', @a{sv} {})"), STEMMA_ERROR_NOT_FOUND);
}

static void
test_define_again (Service *service, gconstpointer unused)
{
  g_autofree char *image = service_image_path (service, "a.qcow2");
  g_autofree char *document = service_document (service, "mail", UUID, one_image);
  g_autofree char *first = NULL;
  g_autofree char *second = NULL;
  g_autofree char *namesake = service_document (service, "mail", /* uuid= */ NULL, two_images);

  test_image_create (image, "qcow2", 1024 * 1024, /* backing= */ NULL, /* backing_format= */ NULL);
  first = service_call_well (service, SERVICE_MANAGER, "Manager", "DefineDomain",
                             document_arguments (document));
  g_assert_cmpstr (first, ==, UUID_PATH);
  second = service_call_well (service, SERVICE_MANAGER, "Manager", "DefineDomain",
                              document_arguments (document));
  g_assert_cmpstr (second, ==, UUID_PATH);
  define_ill (service, namesake, STEMMA_ERROR_ALREADY_EXISTS);
}

static char *
repeat (const char *text, guint times)
{
  GString *all = g_string_new (NULL);

  for (guint i = 0; i < times; i++)
    g_string_append (all, text);
  return g_string_free (all, FALSE);
}

static void
test_hostile_documents (Service *service, gconstpointer unused)
{
  g_autofree char *deep_begin = repeat ("<metadata>", 5000);
  g_autofree char *deep_end = repeat ("</metadata>", 5000);
  g_autofree char *deep = g_strconcat ("<domain><name>x</name>", deep_begin, deep_end, "</domain>",
                                       NULL);
  g_autofree char *filling = g_strnfill (20 * 1024 * 1024, 'x');
  g_autofree char *huge = g_strconcat ("<domain><name>x</name><!--", filling, "--></domain>", NULL);
  g_autofree char *long_name = g_strnfill (10 * 1024, 'n');
  g_autofree char *named = g_strconcat ("<domain><name>", long_name, "</name></domain>", NULL);
  const char *const documents[] = {
    "",
    "no XML",
    "<domain><name>x</name>",
    "<domainsnapshot><name>x</name></domainsnapshot>",
    "<domain/>",
    "<domain><name></name></domain>",
    "<domain><name>a/b</name></domain>",
    "<domain><name>a&#10;b</name></domain>",
    "<domain><name>x</name><uuid>not a uuid</uuid></domain>",
    "<domain><name>x</name><uuid></uuid></domain>",
    "<!DOCTYPE d [<!ENTITY a 'aaaa'>]><domain><name>&a;</name></domain>",
    "<!DOCTYPE d SYSTEM 'file:///etc/passwd'><domain><name>x</name></domain>",
    deep,
    huge,
    named,
  };

  for (gsize i = 0; i < G_N_ELEMENTS (documents); i++)
    define_ill (service, documents[i], STEMMA_ERROR_INVALID_XML);
  assert_no_domains (service);
}

/* The header of one image names another one, which `code` refuses. */
static void
try_backing (Service *service, const char *backing, StemmaError code)
{
  g_autofree char *image = service_image_path (service, "a.qcow2");
  g_autofree char *document = service_document (service, "mail", /* uuid= */ NULL, one_image);
  g_autofree char *output = NULL;

  g_test_message ("backing %s", backing);
  test_image_create (image, "qcow2", 1024 * 1024, /* backing= */ NULL, /* backing_format= */ NULL);
  output = test_run ("qemu-img", "rebase", "-u", "-f", "qcow2", "-F", "raw", "-b", backing, image,
                     NULL);
  define_ill (service, document, code);
}

static void
test_hostile_headers (Service *service, gconstpointer unused)
{
  g_autofree char *image = service_image_path (service, "a.qcow2");

  try_backing (service, "json:{\"driver\":\"raw\"}", STEMMA_ERROR_NOT_ALLOWED);
  try_backing (service, "nbd://127.0.0.1:1/x", STEMMA_ERROR_NOT_ALLOWED);
  try_backing (service, "/etc/shadow", STEMMA_ERROR_NOT_ALLOWED);
  try_backing (service, "../../x", STEMMA_ERROR_NOT_ALLOWED);
  try_backing (service, "missing.raw", STEMMA_ERROR_CHAIN_BROKEN);
  try_backing (service, image, STEMMA_ERROR_CHAIN_BROKEN);
  assert_no_domains (service);
}

static void
test_hostile_images (Service *service, gconstpointer unused)
{
  g_autofree char *image = service_image_path (service, "a.qcow2");
  g_autofree char *document = service_document (service, "mail", /* uuid= */ NULL, one_image);
  g_autoptr (GError) error = NULL;

  define_ill (service, document, STEMMA_ERROR_NOT_FOUND);
  g_file_set_contents (image, "plain text, not an image", -1, &error);
  g_assert_no_error (error);
  define_ill (service, document, STEMMA_ERROR_CHAIN_BROKEN);
  /* A good magic, and nothing more. */
  g_file_set_contents (image, "QFI\xfb\0\0\0\3", 8, &error);
  g_assert_no_error (error);
  define_ill (service, document, STEMMA_ERROR_CHAIN_BROKEN);
  assert_no_domains (service);
}

static const struct
{
  const char *interface;
  const char *method;
  const char *arguments;
  const char *named;
  StemmaError code;
} option_vectors[] = {
  { "Domain", "Undefine", "({'momnts': <'delete'>},)", "'momnts'", STEMMA_ERROR_INVALID_ARGUMENT },
  { "Domain", "Undefine", "({'moments': <true>},)", "'moments'", STEMMA_ERROR_INVALID_ARGUMENT },
  { "Domain", "Undefine", "({'moments': <'burn'>},)", "'moments'", STEMMA_ERROR_INVALID_ARGUMENT },
  { "Domain", "GetXML", "({'wait': <true>},)", "'wait'", STEMMA_ERROR_INVALID_ARGUMENT },
  { "Domain", "Rename", "('web', {'force': <true>})", "'force'", STEMMA_ERROR_INVALID_ARGUMENT },
  { "Snapshots", "Create", "('s', {'disks': <'vda'>})", "'disks'", STEMMA_ERROR_INVALID_ARGUMENT },
  { "Snapshots", "Create", "('s', {'memory': <'internal'>})", "'memory'",
    STEMMA_ERROR_NOT_SUPPORTED },
  { "Snapshots", "Create", "('s', {'memory': <'external'>})", "'memory'",
    STEMMA_ERROR_NOT_SUPPORTED },
  { "Snapshots", "Create", "('s', {'quiesce': <'require'>})", "'quiesce'",
    STEMMA_ERROR_WRONG_STATE },
  { "Snapshots", "List", "({'limit': <-1>},)", "'limit'", STEMMA_ERROR_INVALID_ARGUMENT },
  { "Snapshots", "List", "({'descendants': <true>},)", "'descendants'",
    STEMMA_ERROR_INVALID_ARGUMENT },
  { "Snapshots", "List", "({'states': <['asleep']>},)", "'states'", STEMMA_ERROR_INVALID_ARGUMENT },
  { "Snapshots", "List", "({'from': <objectpath '/a'>},)", "'from'", STEMMA_ERROR_NOT_FOUND },
  { "Snapshots", "PlanCreate", "('', {'nmae': <'s'>})", "'nmae'", STEMMA_ERROR_INVALID_ARGUMENT },
};

static void
test_options (Service *service, gconstpointer unused)
{
  g_autofree char *domain = service_define (service, "mail", one_image);

  for (gsize i = 0; i < G_N_ELEMENTS (option_vectors); i++)
    {
      g_autoptr (GError) error = NULL;
      g_autoptr (GVariant)
          arguments = g_variant_parse (NULL, option_vectors[i].arguments, NULL, NULL, &error);
      g_autoptr (GVariant) reply = NULL;

      g_test_message ("%s %s", option_vectors[i].method, option_vectors[i].arguments);
      g_assert_no_error (error);
      reply = service_call (service, domain, option_vectors[i].interface, option_vectors[i].method,
                            arguments, &error);
      g_assert_error (error, STEMMA_ERROR, (int) option_vectors[i].code);
      g_assert_nonnull (strstr (error->message, option_vectors[i].named));
    }
}

static void
test_rename (Service *service, gconstpointer unused)
{
  g_autofree char *domain = service_define (service, "mail", one_image);
  g_autofree char *long_name = g_strnfill (10 * 1024, 'n');
  const char *const names[] = { "", "a/b", "a\nb" };
  guint64 before = 0;
  g_autofree char *name = NULL;

  service_call_well (service, domain, "Domain", "Rename",
                     g_variant_new_parsed ("('post', @a{sv} {})"));
  before = service_get_generation (service, domain, "Domain");
  for (gsize i = 0; i < G_N_ELEMENTS (names); i++)
    service_call_ill (service, domain, "Domain", "Rename",
                      g_variant_new_parsed ("(%s, @a{sv} {})", names[i]),
                      STEMMA_ERROR_INVALID_ARGUMENT);
  service_call_ill (service, domain, "Domain", "Rename",
                    g_variant_new_parsed ("(%s, @a{sv} {})", long_name), STEMMA_ERROR_TOO_LARGE);
  name = service_get_string (service, domain, "Domain", "Name");
  g_assert_cmpstr (name, ==, "post");
  g_assert_cmpuint (service_get_generation (service, domain, "Domain"), ==, before);
}

static char *
get_text (Service *service, const char *path, const char *interface, const char *method)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GVariant)
      reply = service_call (service, path, interface, method, /* arguments= */ NULL, &error);
  char *xml = NULL;

  g_assert_no_error (error);
  g_variant_get (reply, "(s)", &xml);
  return xml;
}

static char *
get_xml (Service *service, const char *domain, const char *method)
{
  return get_text (service, domain, "Domain", method);
}

static void
test_documents (Service *service, gconstpointer unused)
{
  g_autofree char *domain = service_define (service, "mail", one_image);
  g_autofree char *open = get_xml (service, domain, "GetXML");
  g_autofree char *secure = get_xml (service, domain, "GetSecureXML");
  g_autoptr (GVariant) questions = mock_polkit_questions ();
  g_autofree char *asked = g_variant_print (questions, FALSE);

  g_assert_null (strstr (open, "secret=1"));
  g_assert_nonnull (strstr (secure, "secret=1"));
  g_assert_nonnull (strstr (asked, "'org.stemma1.domain.read'"));
  g_assert_nonnull (strstr (asked, "'org.stemma1.domain.read-secrets'"));
}

/* On an image in another directory, which is named if `is_named`. */
static char *
make_clone (Service *service, const char *golden, gboolean is_named)
{
  g_autofree char *document = service_document (service, "mail", UUID, one_image);
  g_autofree char *layer = g_strdup_printf ("<backingStore type='file'><format type='qcow2'/>"
                                            "<source file='%s'/></backingStore><target",
                                            golden);
  g_auto (GStrv) parts = g_strsplit (document, "<target", 2);

  return g_strjoinv (is_named ? layer : "<target", parts);
}

static char *
define_well (Service *service, const char *document)
{
  return service_call_well (service, SERVICE_MANAGER, "Manager", "DefineDomain",
                            document_arguments (document));
}

static void
undefine (Service *service, const char *domain)
{
  g_free (service_call_well (service, domain, "Domain", "Undefine",
                             g_variant_new_parsed ("({'moments': <'forget'>, 'wait': <true>},)")));
}

/* That the golden image may be used is said in the document that the service gives, too. */
static void
test_document_of_a_clone (Service *service, gconstpointer unused)
{
  g_autofree char *elsewhere = test_directory_new ();
  g_autofree char *golden = g_build_filename (elsewhere, "golden.qcow2", NULL);
  g_autofree char *image = service_image_path (service, "a.qcow2");
  g_autofree char *named = make_clone (service, golden, /* is_named= */ TRUE);
  g_autofree char *unnamed = make_clone (service, golden, /* is_named= */ FALSE);
  g_autofree char *domain = NULL;
  g_autofree char *snapshot = NULL;
  g_autofree char *first = NULL;
  g_autofree char *clone = NULL;
  g_autofree char *clone_again = NULL;

  test_image_create (golden, "qcow2", 1024 * 1024, /* backing= */ NULL, /* backing_format= */ NULL);
  test_image_create (image, "qcow2", 0, golden, "qcow2");
  define_ill (service, unnamed, STEMMA_ERROR_NOT_ALLOWED);
  domain = define_well (service, named);
  snapshot = service_snapshot (service, domain, "first");
  g_free (service_snapshot (service, domain, "second"));
  first = get_text (service, snapshot, "Snapshot", "GetSecureXML");
  clone = get_xml (service, domain, "GetSecureXML");
  undefine (service, domain);

  g_free (define_well (service, clone));
  clone_again = get_xml (service, domain, "GetSecureXML");
  g_assert_cmpstr (clone_again, ==, clone);
  g_free (snapshot);
  snapshot = service_call_well (service, domain, "Snapshots", "Redefine",
                                g_variant_new_parsed ("(%s, @a{sv} {})", first));
  g_free (service_call_well (service, snapshot, "Snapshot", "Revert",
                             g_variant_new_parsed ("({'keep': <'left'>, 'wait': <true>},)")));
  /* And once more, from another place in the tree. */
  g_free (clone);
  clone = get_xml (service, domain, "GetSecureXML");
  undefine (service, domain);
  g_free (define_well (service, clone));
  test_directory_remove (elsewhere);
}

static void
test_undefine (Service *service, gconstpointer unused)
{
  g_autofree char *domain = service_define (service, "mail", one_image);
  g_autofree char *image = service_image_path (service, "a.qcow2");
  g_autofree char *job = NULL;
  g_autofree char *operation = NULL;

  g_free (service_snapshot (service, domain, "first"));
  service_call_ill (service, domain, "Domain", "Undefine", /* arguments= */ NULL,
                    STEMMA_ERROR_HAS_MOMENTS);
  job = service_call_well (service, domain, "Domain", "Undefine",
                           g_variant_new_parsed ("({'moments': <'delete'>, 'wait': <true>},)"));
  operation = service_get_string (service, job, "Job", "Operation");
  g_assert_cmpstr (operation, ==, "undefine");
  service_call_ill (service, SERVICE_MANAGER, "Manager", "FindDomain",
                    g_variant_new_parsed ("('mail', @a{sv} {})"), STEMMA_ERROR_NOT_FOUND);
  g_assert_true (g_file_test (image, G_FILE_TEST_EXISTS));
}

/* A job that has nothing to do on images is an object all the same: its path was given. */
static void
test_undefine_bare (Service *service, gconstpointer unused)
{
  g_autofree char *domain = service_define (service, "mail", one_image);
  g_autofree char *job = service_call_well (service, domain, "Domain", "Undefine",
                                            /* arguments= */ NULL);
  g_autofree char *operation = service_get_string (service, job, "Job", "Operation");

  g_assert_cmpstr (operation, ==, "undefine");
}

static void
test_restart (Service *service, gconstpointer unused)
{
  g_autofree char *domain = service_define (service, "mail", one_image);
  g_autofree char *snapshot = service_snapshot (service, domain, "first");
  guint64 generation = service_get_generation (service, domain, "Domain");
  g_autofree char *name = NULL;

  service_stop (service);
  service_start (service, SERVICE_SYSTEM);
  g_assert_cmpuint (service_get_generation (service, domain, "Domain"), ==, generation);
  name = service_get_string (service, snapshot, "Snapshot", "Name");
  g_assert_cmpstr (name, ==, "first");
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
  g_test_add ("/daemon/domains/" path, Service, program, service_set_up, function,                 \
              service_tear_down)
  TEST ("a-definition-becomes-objects", test_define);
  TEST ("a-known-uuid-is-updated-and-a-taken-name-refused", test_define_again);
  TEST ("hostile-documents-change-nothing", test_hostile_documents);
  TEST ("hostile-headers-change-nothing", test_hostile_headers);
  TEST ("images-that-are-none-change-nothing", test_hostile_images);
  TEST ("a-wrong-option-is-named", test_options);
  TEST ("names-are-checked-at-a-rename", test_rename);
  TEST ("secrets-have-a-method-and-an-action-of-their-own", test_documents);
  TEST ("the-document-of-a-clone-can-be-defined-again", test_document_of_a_clone);
  TEST ("undefine-minds-the-snapshots-and-leaves-the-disk", test_undefine);
  TEST ("the-job-of-an-undefine-is-an-object", test_undefine_bare);
  TEST ("everything-is-there-after-a-restart", test_restart);
#undef TEST
  return g_test_run ();
}
