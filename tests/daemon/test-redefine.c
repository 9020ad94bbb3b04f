/* Records from documents, over the bus: one by one, in bulk, behind a file descriptor; what is told
 * of them; forgetting, renaming, and the documents out again. What a record may be is tested in
 * tests/core.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "bus-picture.h"
#include "service-fixture.h"
#include "stemma-error.h"

#include <fcntl.h>
#include <gio/gunixfdlist.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define UUID "5eed0000-0000-4000-8000-000000000009"
#define N_MANY 10000
/* So that all of them are 40 MB, more than a message may have. */
#define PADDING 3700

static const char *const one_image[] = { "a.qcow2", NULL };

/* A domain of a known uuid. */
static char *
define (Service *service)
{
  g_autofree char *path = service_image_path (service, "a.qcow2");
  g_autofree char *document = service_document (service, "mail", UUID, one_image);

  test_image_create (path, "qcow2", 1024 * 1024, /* backing= */ NULL, /* backing_format= */ NULL);
  return service_call_well (service, SERVICE_MANAGER, "Manager", "DefineDomain",
                            g_variant_new_parsed ("(%s, @a{sv} {})", document));
}

static char *
snapshot_document (Service *service, const char *name, const char *parent, const char *description)
{
  g_autofree char *domain = service_document (service, "mail", UUID, one_image);
  g_autofree char *above = parent == NULL
                               ? g_strdup ("")
                               : g_strdup_printf ("<parent><name>%s</name></parent>", parent);

  return g_strdup_printf ("<domainsnapshot><name>%s</name><description>%s</description>"
                          "<state>shutoff</state><creationTime>1700000000</creationTime>%s"
                          "<disks><disk name='vda' snapshot='internal'/></disks>%s"
                          "</domainsnapshot>",
                          name, description, above, domain);
}

static char *
checkpoint_document (Service *service, const char *name, const char *parent)
{
  g_autofree char *domain = service_document (service, "mail", UUID, one_image);
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
assert_string (Service *service, const char *path, const char *interface, const char *property,
               const char *expected)
{
  g_autofree char *value = service_get_string (service, path, interface, property);

  g_assert_cmpstr (value, ==, expected);
}

static void
assert_count (Service *service, const char *domain, const char *interface, guint expected)
{
  g_autoptr (GVariant) count = service_get (service, domain, interface, "Count");

  g_assert_cmpuint (g_variant_get_uint32 (count), ==, expected);
}

static void
test_one_by_one (Service *service, gconstpointer unused)
{
  g_autofree char *domain = define (service);
  g_autofree char *a = redefine (service, domain, "Snapshots",
                                 snapshot_document (service, "a", NULL, "first"), "{}");
  g_autoptr (BusRecorder) recorder = bus_recorder_new (service->client);
  g_autofree char *b = redefine (service, domain, "Snapshots",
                                 snapshot_document (service, "b", "a", ""), "{'current': <true>}");
  g_autoptr (GPtrArray) events = bus_recorder_take (recorder);
  guint added = bus_events_find (events, 0, BUS_EVENT_ADDED, b, NULL);
  guint count = bus_events_find (events, added, BUS_EVENT_CHANGED, a, "ChildCount");
  guint current = bus_events_find (events, added, BUS_EVENT_CHANGED, domain, "Current");
  guint generation = bus_events_find (events, MAX (count, current), BUS_EVENT_CHANGED, domain,
                                      "Generation");
  g_autofree char *again = NULL;

  bus_events_find (events, generation, BUS_EVENT_REPLY, NULL, NULL);
  assert_string (service, b, "Snapshot", "Parent", a);
  assert_string (service, b, "Snapshot", "Location", "internal");
  assert_string (service, b, "Snapshot", "State", "shutoff");
  assert_string (service, a, "Snapshot", "Description", "first");
  again = redefine (service, domain, "Snapshots", snapshot_document (service, "a", NULL, "anew"),
                    "{}");
  g_assert_cmpstr (again, ==, a);
  assert_string (service, a, "Snapshot", "Description", "anew");
  assert_string (service, domain, "Snapshots", "Current", b);
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
  g_autofree char *domain = define (service);
  g_auto (GStrv) good = g_new0 (char *, 4);
  g_auto (GStrv) bad = g_new0 (char *, 4);
  guint64 before = service_get_generation (service, domain, "Domain");
  g_autoptr (GError) error = NULL;
  g_autoptr (GVariant) reply = NULL;
  g_autoptr (GVariant) paths = NULL;
  g_autofree char *first = NULL;
  g_autofree char *last = NULL;

  bad[0] = snapshot_document (service, "c", "b", "");
  bad[1] = snapshot_document (service, "b", "a", "");
  bad[2] = snapshot_document (service, "a", "nobody", "");
  service_call_ill (service, domain, "Snapshots", "RedefineAll", bulk_arguments (bad, "{}"),
                    STEMMA_ERROR_INVALID_ARGUMENT);
  assert_count (service, domain, "Snapshots", 0);
  g_assert_cmpuint (service_get_generation (service, domain, "Domain"), ==, before);

  /* Children before their parents: any order will do. */
  good[0] = snapshot_document (service, "c", "b", "");
  good[1] = snapshot_document (service, "b", "a", "");
  good[2] = snapshot_document (service, "a", NULL, "");
  reply = service_call (service, domain, "Snapshots", "RedefineAll",
                        bulk_arguments (good, "{'current': <'b'>}"), &error);
  g_assert_no_error (error);
  paths = g_variant_get_child_value (reply, 0);
  g_assert_cmpuint (g_variant_n_children (paths), ==, 3);
  g_variant_get_child (paths, 0, "o", &first);
  g_variant_get_child (paths, 2, "o", &last);
  assert_string (service, first, "Snapshot", "Name", "c");
  assert_string (service, last, "Snapshot", "Name", "a");
  assert_string (service, last, "Snapshot", "Parent", "/");
}

/* --- through a file descriptor --- */

static int
make_file (const char *text, gsize length)
{
  int fd = memfd_create ("documents", MFD_CLOEXEC);

  g_assert_cmpint (fd, >=, 0);
  for (gsize done = 0; done < length;)
    {
      gssize written = write (fd, text + done, length - done);

      g_assert_cmpint (written, >, 0);
      done += (gsize) written;
    }
  g_assert_cmpint (lseek (fd, 0, SEEK_SET), ==, 0);
  return fd;
}

typedef struct
{
  GAsyncResult *result;
} Pending;

static void
on_reply (GObject *source, GAsyncResult *result, gpointer user_data)
{
  ((Pending *) user_data)->result = g_object_ref (result);
}

static gboolean
is_answered (gpointer user_data)
{
  return ((Pending *) user_data)->result != NULL;
}

/* Takes the descriptor; -1 for none. */
static gboolean
redefine_from (Service *service, const char *domain, int fd, const char *options, guint *out_count,
               GError **error)
{
  g_autoptr (GUnixFDList) list = fd < 0 ? NULL : g_unix_fd_list_new_from_array (&fd, 1);
  g_autoptr (GVariant) parsed = g_variant_parse (G_VARIANT_TYPE_VARDICT, options, NULL, NULL, NULL);
  g_autoptr (GVariant) reply = NULL;
  Pending pending = { NULL };

  g_dbus_connection_call_with_unix_fd_list (
      service->client, SERVICE_NAME, domain, "org.stemma1.Snapshots", "RedefineFrom",
      g_variant_new ("(h@a{sv})", 0, parsed), G_VARIANT_TYPE ("(u)"), G_DBUS_CALL_FLAGS_NONE,
      /* timeout_msec= */ G_MAXINT, list, /* cancellable= */ NULL, on_reply, &pending);
  bus_wait_until (is_answered, &pending, "the reply of RedefineFrom");
  reply = g_dbus_connection_call_with_unix_fd_list_finish (service->client, /* out_fd_list= */ NULL,
                                                           pending.result, error);
  g_object_unref (pending.result);
  if (reply == NULL)
    return FALSE;

  g_variant_get (reply, "(u)", out_count);
  return TRUE;
}

static char *
make_many (Service *service, gsize *out_length)
{
  g_autofree char *padding = g_strnfill (PADDING, 'd');
  GString *all = g_string_new (NULL);

  for (guint i = 0; i < N_MANY; i++)
    {
      g_autofree char *name = g_strdup_printf ("s%u", i);
      g_autofree char *parent = i == 0 ? NULL : g_strdup_printf ("s%u", (i - 1) / 2);
      g_autofree char *document = snapshot_document (service, name, parent, padding);

      g_string_append_len (all, document, (gssize) strlen (document) + 1);
    }
  *out_length = all->len;
  return g_string_free (all, FALSE);
}

static void
assert_listener_is_right (Service *service, BusRecorder *recorder, BusPicture *picture)
{
  g_autoptr (BusPicture) read = bus_picture_read (service->client);
  g_autoptr (GPtrArray) events = bus_recorder_take (recorder);
  g_autofree char *believed = NULL;
  g_autofree char *seen = NULL;

  bus_picture_apply (picture, events);
  believed = bus_picture_to_text (picture);
  seen = bus_picture_to_text (read);
  g_assert_cmpstr (believed, ==, seen);
}

/* No path that is told points at nothing that was told. */
static void
assert_parents_first (GPtrArray *events)
{
  g_autoptr (GHashTable) told = g_hash_table_new (g_str_hash, g_str_equal);

  for (guint i = 0; i < events->len; i++)
    {
      const BusEvent *event = g_ptr_array_index (events, i);
      g_autoptr (GVariant) properties = NULL;
      const char *parent = NULL;

      if (event->kind != BUS_EVENT_ADDED)
        continue;
      properties = g_variant_lookup_value (event->body, "org.stemma1.Snapshot", NULL);
      if (properties == NULL)
        continue;
      g_assert_true (g_variant_lookup (properties, "Parent", "&o", &parent));
      g_assert_true (g_str_equal (parent, "/") || g_hash_table_contains (told, parent));
      g_hash_table_add (told, event->path);
    }
  g_assert_cmpuint (g_hash_table_size (told), ==, N_MANY);
}

static void
test_forty_megabytes (Service *service, gconstpointer unused)
{
  g_autofree char *domain = define (service);
  gsize length = 0;
  g_autofree char *documents = make_many (service, &length);
  g_autoptr (BusPicture) picture = bus_picture_read (service->client);
  g_autoptr (BusRecorder) recorder = bus_recorder_new (service->client);
  g_autoptr (GPtrArray) events = NULL;
  g_autoptr (GError) error = NULL;
  guint count = 0;

  g_assert_cmpuint (length, >, 40 * 1000 * 1000);
  redefine_from (service, domain, make_file (documents, length), "{'current': <'s77'>}", &count,
                 &error);
  g_assert_no_error (error);
  g_assert_cmpuint (count, ==, N_MANY);
  assert_count (service, domain, "Snapshots", N_MANY);
  events = bus_recorder_take (recorder);
  assert_parents_first (events);
  bus_picture_apply (picture, events);
  /* Forty megabytes of descriptions are more than one message gives out. */
  g_assert_null (bus_call_name (service->client, SERVICE_NAME, domain,
                                "org.freedesktop.DBus.ObjectManager", "GetManagedObjects",
                                /* arguments= */ NULL, G_DBUS_CALL_FLAGS_NONE, &error));
  g_assert_error (error, STEMMA_ERROR, STEMMA_ERROR_TOO_LARGE);
  g_clear_error (&error);
  g_assert_null (service_call (service, domain, "Snapshots", "ListProperties",
                               /* arguments= */ NULL, &error));
  g_assert_error (error, STEMMA_ERROR, STEMMA_ERROR_TOO_LARGE);

  g_free (service_call_well (service, domain, "Snapshots", "ForgetAll", /* arguments= */ NULL));
  assert_listener_is_right (service, recorder, picture);
  assert_string (service, domain, "Snapshots", "Current", "/");
  /* The tree is of use at once. */
  g_free (service_snapshot (service, domain, "s0"));
}

static void
test_descriptors (Service *service, gconstpointer unused)
{
  g_autofree char *domain = define (service);
  g_autofree char *document = snapshot_document (service, "a", NULL, "");
  g_autofree char *other = snapshot_document (service, "b", "a", "");
  g_autofree char *two = g_strdup_printf ("%s\n%s", document, other);
  guint count = 0;
  const struct
  {
    const char *text;
    gsize length;
    int code;
  } vectors[] = {
    { "<domainsnapshot>", 17, STEMMA_ERROR_INVALID_XML },
    { document, strlen (document), STEMMA_ERROR_INVALID_ARGUMENT }, /* without its NUL byte */
    { two, strlen (two) + 1, STEMMA_ERROR_INVALID_XML },
  };

  for (gsize i = 0; i < G_N_ELEMENTS (vectors); i++)
    {
      g_autoptr (GError) error = NULL;

      redefine_from (service, domain, make_file (vectors[i].text, vectors[i].length), "{}", &count,
                     &error);
      g_assert_error (error, STEMMA_ERROR, vectors[i].code);
    }
  assert_count (service, domain, "Snapshots", 0);
}

static void
assert_descriptor_refused (Service *service, const char *domain, int fd)
{
  g_autoptr (GError) error = NULL;
  guint count = 0;

  redefine_from (service, domain, fd, "{}", &count, &error);
  g_assert_error (error, STEMMA_ERROR, STEMMA_ERROR_INVALID_ARGUMENT);
}

/* None, one that is not for reading, one that only names a file, a directory. */
static void
test_bad_descriptors (Service *service, gconstpointer unused)
{
  g_autofree char *domain = define (service);
  g_autofree char *image = service_image_path (service, "a.qcow2");

  assert_descriptor_refused (service, domain, -1);
  assert_descriptor_refused (service, domain, open (image, O_WRONLY | O_CLOEXEC));
  assert_descriptor_refused (service, domain, open (image, O_PATH | O_CLOEXEC));
  assert_descriptor_refused (service, domain, open (service->directory, O_RDONLY | O_CLOEXEC));
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
  g_autofree char *domain = define (service);
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

static void
test_empty (Service *service, gconstpointer unused)
{
  g_autofree char *domain = define (service);
  guint64 before = service_get_generation (service, domain, "Domain");
  g_autoptr (GError) error = NULL;
  g_autoptr (GVariant) reply = service_call (service, domain, "Snapshots", "RedefineAll",
                                             g_variant_new_parsed ("(@as [], @a{sv} {})"), &error);
  g_autofree char *text = NULL;
  guint count = 1;

  g_assert_no_error (error);
  text = g_variant_print (reply, FALSE);
  g_assert_cmpstr (text, ==, "([],)");
  redefine_from (service, domain, make_file ("", 0), "{}", &count, &error);
  g_assert_no_error (error);
  g_assert_cmpuint (count, ==, 0);
  g_free (service_call_well (service, domain, "Checkpoints", "ForgetAll", /* arguments= */ NULL));
  g_assert_cmpuint (service_get_generation (service, domain, "Domain"), ==, before);
}

static void
test_checkpoints (Service *service, gconstpointer unused)
{
  g_autofree char *domain = define (service);
  g_autofree char *a = redefine (service, domain, "Checkpoints",
                                 checkpoint_document (service, "a", NULL), "{}");
  g_autofree char *b = redefine (service, domain, "Checkpoints",
                                 checkpoint_document (service, "b", "a"), "{}");
  g_autofree char *invalid = checkpoint_document (service, "c", "b");
  g_auto (GStrv) both = g_new0 (char *, 3);

  assert_string (service, b, "Checkpoint", "Parent", a);
  /* No bitmap is in the image, as one who looks sees. */
  service_call_ill (service, domain, "Checkpoints", "Redefine",
                    g_variant_new_parsed ("(%s, {'validate': <true>})", invalid),
                    STEMMA_ERROR_BITMAP_MISSING);
  service_call_ill (service, domain, "Checkpoints", "Redefine",
                    g_variant_new_parsed ("(%s, {'current': <true>})", invalid),
                    STEMMA_ERROR_INVALID_ARGUMENT);
  assert_count (service, domain, "Checkpoints", 2);
  g_free (service_call_well (service, domain, "Checkpoints", "ForgetAll", /* arguments= */ NULL));
  assert_count (service, domain, "Checkpoints", 0);
  both[0] = checkpoint_document (service, "b", "a");
  both[1] = checkpoint_document (service, "a", NULL);
  g_variant_unref (service_call (service, domain, "Checkpoints", "RedefineAll",
                                 bulk_arguments (both, "{}"), NULL));
  assert_count (service, domain, "Checkpoints", 2);
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
  g_autofree char *domain = define (service);
  g_autofree char *b = NULL;
  g_autofree char *public = NULL;
  g_autofree char *short_one = NULL;
  g_autofree char *secure = NULL;
  g_autofree char *again = NULL;
  g_autofree char *secure_again = NULL;

  g_free (redefine (service, domain, "Snapshots", snapshot_document (service, "a", NULL, "first"),
                    "{}"));
  b = redefine (service, domain, "Snapshots", snapshot_document (service, "b", "a", ""), "{}");
  public = get_xml (service, b, "GetXML", "{}");
  short_one = get_xml (service, b, "GetXML", "{'no-domain': <true>}");
  secure = get_xml (service, b, "GetSecureXML", "{}");
  g_assert_nonnull (strstr (public, "<parent>"));
  g_assert_nonnull (strstr (public, "<devices>"));
  g_assert_null (strstr (public, "secret=1"));
  g_assert_null (strstr (short_one, "<devices>"));
  g_assert_nonnull (strstr (secure, "secret=1"));
  g_free (service_call_well (service, domain, "Snapshots", "ForgetAll", /* arguments= */ NULL));
  g_free (redefine (service, domain, "Snapshots", snapshot_document (service, "a", NULL, "first"),
                    "{}"));
  again = redefine (service, domain, "Snapshots", g_strdup (secure), "{}");
  secure_again = get_xml (service, again, "GetSecureXML", "{}");
  g_assert_cmpstr (secure, ==, secure_again);
}

static void
test_create_xml (Service *service, gconstpointer unused)
{
  g_autofree char *domain = define (service);
  g_autofree char *made = service_call_well (
      service, domain, "Snapshots", "CreateXML",
      g_variant_new_parsed ("('<domainsnapshot><name>n</name><description>d</description>"
                            "<disks><disk name=\"vda\" snapshot=\"internal\"/></disks>"
                            "</domainsnapshot>', {'wait': <true>})"));
  g_autofree char *image = service_image_path (service, "a.qcow2");
  g_autofree char *info = test_run ("qemu-img", "snapshot", "-l", image, NULL);

  assert_string (service, made, "Snapshot", "Name", "n");
  assert_string (service, made, "Snapshot", "Description", "d");
  assert_string (service, made, "Snapshot", "Location", "internal");
  assert_string (service, made, "Snapshot", "State", "shutoff");
  g_assert_nonnull (strstr (info, " n "));
  service_call_ill (service, domain, "Snapshots", "CreateXML",
                    g_variant_new_parsed ("('<domainsnapshot><name>n</name></domainsnapshot>', "
                                          "{'wait': <true>})"),
                    STEMMA_ERROR_ALREADY_EXISTS);
}

static void
test_rename (Service *service, gconstpointer unused)
{
  g_autofree char *domain = define (service);
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
  assert_string (service, b, "Snapshot", "Name", "2024");
  service_call_ill (service, b, "Snapshot", "Rename", g_variant_new_parsed ("('a', @a{sv} {})"),
                    STEMMA_ERROR_ALREADY_EXISTS);
  for (gsize i = 0; i < G_N_ELEMENTS (names); i++)
    service_call_ill (service, b, "Snapshot", "Rename",
                      g_variant_new_parsed ("(%s, @a{sv} {})", names[i]),
                      STEMMA_ERROR_INVALID_ARGUMENT);
  assert_string (service, b, "Snapshot", "Name", "2024");
  assert_string (service, b, "Snapshot", "Parent", first);
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
  TEST ("forty-megabytes-come-by-a-file-descriptor", test_forty_megabytes);
  TEST ("what-is-behind-the-descriptor-is-judged", test_descriptors);
  TEST ("a-descriptor-must-be-one-to-read", test_bad_descriptors);
  TEST ("what-cannot-be-is-refused-and-changes-nothing", test_refusals);
  TEST ("nothing-is-no-change", test_empty);
  TEST ("checkpoints-are-redefined-alike", test_checkpoints);
  TEST ("what-comes-out-goes-in-again", test_documents);
  TEST ("a-snapshot-is-created-from-a-document", test_create_xml);
  TEST ("a-name-changes-and-nothing-else", test_rename);
#undef TEST
  return g_test_run ();
}
