/* Records from documents behind a file descriptor: 40 MB of them, and what may be no descriptor, or
 * no documents.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "bus-picture.h"
#include "redefine-calls.h"
#include "stemma-error.h"

#include <fcntl.h>
#include <gio/gunixfdlist.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define N_MANY 10000
/* So that all of them are 40 MB, more than a message may have. */
#define PADDING 3700

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
      g_autofree char *document = redefine_snapshot (service, name, parent, padding);

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
  g_autofree char *domain = redefine_set_up (service);
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
  redefine_assert_count (service, domain, "Snapshots", N_MANY);
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
  redefine_assert_string (service, domain, "Snapshots", "Current", "/");
  /* The tree is of use at once. */
  g_free (service_snapshot (service, domain, "s0"));
}

static void
test_descriptors (Service *service, gconstpointer unused)
{
  g_autofree char *domain = redefine_set_up (service);
  g_autofree char *document = redefine_snapshot (service, "a", NULL, "");
  g_autofree char *other = redefine_snapshot (service, "b", "a", "");
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
  redefine_assert_count (service, domain, "Snapshots", 0);
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
  g_autofree char *domain = redefine_set_up (service);
  g_autofree char *image = service_image_path (service, "a.qcow2");

  assert_descriptor_refused (service, domain, -1);
  assert_descriptor_refused (service, domain, open (image, O_WRONLY | O_CLOEXEC));
  assert_descriptor_refused (service, domain, open (image, O_PATH | O_CLOEXEC));
  assert_descriptor_refused (service, domain, open (service->directory, O_RDONLY | O_CLOEXEC));
}

static void
test_empty (Service *service, gconstpointer unused)
{
  g_autofree char *domain = redefine_set_up (service);
  guint64 before = service_get_generation (service, domain, "Domain");
  g_autoptr (GError) error = NULL;
  guint count = 1;

  redefine_from (service, domain, make_file ("", 0), "{}", &count, &error);
  g_assert_no_error (error);
  g_assert_cmpuint (count, ==, 0);
  g_assert_cmpuint (service_get_generation (service, domain, "Domain"), ==, before);
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
  TEST ("forty-megabytes-come-by-a-file-descriptor", test_forty_megabytes);
  TEST ("what-is-behind-the-descriptor-is-judged", test_descriptors);
  TEST ("a-descriptor-must-be-one-to-read", test_bad_descriptors);
  TEST ("nothing-behind-it-is-no-change", test_empty);
#undef TEST
  return g_test_run ();
}
