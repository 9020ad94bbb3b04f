/* The catalogue of faults, as a client meets them: what libvirt loses when a machine is renamed or
 * undefined, when its daemon dies in the middle of many calls, and what the bus shows of images
 * that somebody else changed. The real service on real images.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "service-fixture.h"
#include "stemma-error.h"

#include <fcntl.h>
#include <gio/gunixfdlist.h>
#include <glib-unix.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define UUID "5eed0000-0000-4000-8000-000000000007"
#define N_MANY 2000
#define N_KILLS 8

static const char *const two_images[] = { "a.qcow2", "b.qcow2", NULL };

static void
assert_string (Service *service, const char *path, const char *interface, const char *property,
               const char *expected)
{
  g_autofree char *value = service_get_string (service, path, interface, property);

  g_assert_cmpstr (value, ==, expected);
}

static guint
get_count (Service *service, const char *domain, const char *interface)
{
  g_autoptr (GVariant) count = service_get (service, domain, interface, "Count");

  return g_variant_get_uint32 (count);
}

static void
restart (Service *service)
{
  service_stop (service);
  service_start (service, SERVICE_SYSTEM);
}

static char *
make_checkpoint (Service *service, const char *domain, const char *name)
{
  return service_call_well (service, domain, "Checkpoints", "Create",
                            g_variant_new_parsed ("(%s, {'wait': <true>})", name));
}

static char *
print_findings (Service *service)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GVariant) reply = service_call (service, SERVICE_MANAGER, "Manager", "Check",
                                             /* arguments= */ NULL, &error);

  g_assert_no_error (error);
  return g_variant_print (reply, FALSE);
}

static void
assert_contains (const char *text, const char *part)
{
  if (strstr (text, part) == NULL)
    g_error ("'%s' is not in: %s", part, text);
}

static char *
define (Service *service, const char *name, const char *uuid)
{
  g_autofree char *document = service_document (service, name, uuid, two_images);

  return service_call_well (service, SERVICE_MANAGER, "Manager", "DefineDomain",
                            g_variant_new_parsed ("(%s, @a{sv} {})", document));
}

/* ---- another name ---- */

static void
test_rename (Service *service, gconstpointer unused)
{
  const char *const other_images[] = { "c.qcow2", NULL };
  g_autofree char *domain = service_define (service, "mail", two_images);
  g_autofree char *first = make_checkpoint (service, domain, "first");
  g_autofree char *second = make_checkpoint (service, domain, "second");
  g_autofree char *snapshot = service_snapshot (service, domain, "s");
  g_autofree char *namesake = NULL;
  g_autofree char *findings = NULL;

  service_call_well (service, domain, "Domain", "Rename",
                     g_variant_new_parsed ("('post', @a{sv} {})"));
  /* Another one takes the name, and nothing else. */
  namesake = service_define (service, "mail", other_images);
  restart (service);
  assert_string (service, domain, "Domain", "Name", "post");
  assert_string (service, second, "Checkpoint", "Parent", first);
  assert_string (service, second, "Checkpoint", "Health", "ok");
  assert_string (service, domain, "Checkpoints", "Leaf", second);
  assert_string (service, domain, "Snapshots", "Current", snapshot);
  g_assert_cmpuint (get_count (service, namesake, "Checkpoints"), ==, 0);
  g_assert_cmpuint (get_count (service, namesake, "Snapshots"), ==, 0);
  findings = print_findings (service);
  g_assert_cmpstr (findings, ==, "([],)");
  g_free (service_call_well (service, domain, "Checkpoints", "ForgetAll", /* arguments= */ NULL));
}

/* ---- undefinition ---- */

static void
test_undefine (Service *service, gconstpointer unused)
{
  g_autofree char *domain = service_define (service, "mail", two_images);
  g_autofree char *image = service_image_path (service, "a.qcow2");
  g_autofree char *first = make_checkpoint (service, domain, "first");
  g_autofree char *info = NULL;

  service_call_ill (service, domain, "Domain", "Undefine", /* arguments= */ NULL,
                    STEMMA_ERROR_HAS_MOMENTS);
  service_call_ill (service, domain, "Domain", "Undefine",
                    g_variant_new_parsed ("({'moments': <'refuse'>, 'saved-state': <'delete'>},)"),
                    STEMMA_ERROR_HAS_MOMENTS);
  assert_string (service, first, "Checkpoint", "Health", "ok");
  g_free (service_call_well (service, domain, "Domain", "Undefine",
                             g_variant_new_parsed ("({'moments': <'delete'>, 'wait': <true>},)")));
  info = test_run ("qemu-img", "info", "--output=json", image, NULL);
  g_assert_null (strstr (info, "first"));
}

/* ---- the daemon dies in the middle of a bulk redefinition ---- */

static void
append_document (GString *all, const char *domain, guint number)
{
  g_autofree char *parent = number == 0 ? g_strdup ("")
                                        : g_strdup_printf ("<parent><name>%u</name></parent>",
                                                           (number - 1) / 2);

  g_string_append_printf (all,
                          "<domainsnapshot><name>%u</name><state>shutoff</state>"
                          "<creationTime>1700000000</creationTime>%s"
                          "<disks><disk name='vda' snapshot='internal'/></disks>%s"
                          "</domainsnapshot>",
                          number, parent, domain);
  g_string_append_c (all, '\0');
}

/* The last ones first. */
static GString *
make_documents (Service *service)
{
  g_autofree char *domain = service_document (service, "mail", UUID, two_images);
  GString *all = g_string_new (NULL);

  for (guint i = N_MANY; i > 0; i--)
    append_document (all, domain, i - 1);
  return all;
}

static void
write_all (int fd, const char *text, gsize length)
{
  for (gsize done = 0; done < length;)
    {
      gssize written = write (fd, text + done, length - done);

      g_assert_cmpint (written, >, 0);
      done += (gsize) written;
    }
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

static void
send_descriptor (Service *service, const char *domain, int fd, Pending *pending)
{
  g_autoptr (GUnixFDList) list = g_unix_fd_list_new_from_array (&fd, 1);

  g_dbus_connection_call_with_unix_fd_list (
      service->client, SERVICE_NAME, domain, "org.stemma1.Snapshots", "RedefineFrom",
      g_variant_new_parsed ("(@h 0, @a{sv} {})"), G_VARIANT_TYPE ("(u)"), G_DBUS_CALL_FLAGS_NONE,
      /* timeout_msec= */ G_MAXINT, list, /* cancellable= */ NULL, on_reply, pending);
}

typedef struct
{
  Service *service;
  gboolean is_done;
} Killing;

static gboolean
kill_service (gpointer user_data)
{
  Killing *killing = user_data;

  g_subprocess_force_exit (killing->service->process);
  killing->is_done = TRUE;
  return G_SOURCE_REMOVE;
}

static gboolean
is_killed (gpointer user_data)
{
  return ((Killing *) user_data)->is_done;
}

static gboolean
wait_answer (Service *service, Pending *pending)
{
  g_autoptr (GVariant) reply = NULL;

  bus_wait_until (is_answered, pending, "the reply of RedefineFrom");
  reply = g_dbus_connection_call_with_unix_fd_list_finish (service->client, /* out_fd_list= */ NULL,
                                                           pending->result, /* error= */ NULL);
  g_clear_object (&pending->result);
  return reply != NULL;
}

static void
bury (Service *service)
{
  g_autoptr (GSubprocess) dead = g_steal_pointer (&service->process);

  g_subprocess_wait (dead, NULL, NULL);
  g_assert_true (g_subprocess_get_if_signaled (dead));
  service_start (service, SERVICE_SYSTEM);
}

/* Answered: all of them; not answered: all or none. */
static void
assert_all_or_none (Service *service, const char *domain, gboolean was_answered)
{
  guint count = get_count (service, domain, "Snapshots");
  g_autofree char *health = service_get_string (service, SERVICE_MANAGER, "Manager", "Health");

  g_assert_cmpstr (health, ==, "ok");
  g_test_message ("answered: %d, on record: %u", was_answered, count);
  g_assert_true (count == N_MANY || (count == 0 && !was_answered));
  g_free (service_call_well (service, domain, "Snapshots", "ForgetAll", /* arguments= */ NULL));
}

static void
test_killed_while_reading (Service *service, gconstpointer unused)
{
  g_autofree char *made = service_define (service, "other", two_images);
  g_autofree char *domain = NULL;
  g_autoptr (GString) documents = make_documents (service);
  Pending pending = { NULL };
  Killing killing = { .service = service };
  int fds[2];

  g_free (service_call_well (service, made, "Domain", "Undefine", /* arguments= */ NULL));
  domain = define (service, "mail", UUID);
  g_assert_true (g_unix_open_pipe (fds, FD_CLOEXEC, NULL));
  send_descriptor (service, domain, fds[0], &pending);
  write_all (fds[1], documents->str, documents->len / 2);
  kill_service (&killing);
  g_assert_false (wait_answer (service, &pending));
  close (fds[1]);
  bury (service);
  g_assert_cmpuint (get_count (service, domain, "Snapshots"), ==, 0);
  assert_all_or_none (service, domain, /* was_answered= */ FALSE);
}

/* How long it took; `kill_after` in microseconds, 0 for never. */
static gint64
redefine_once (Service *service, const char *domain, const GString *documents, gint64 kill_after)
{
  int fd = memfd_create ("documents", MFD_CLOEXEC);
  Pending pending = { NULL };
  Killing killing = { .service = service, .is_done = kill_after == 0 };
  gint64 begin = g_get_monotonic_time ();
  gboolean was_answered = FALSE;
  gint64 duration = 0;

  g_assert_cmpint (fd, >=, 0);
  write_all (fd, documents->str, documents->len);
  g_assert_cmpint (lseek (fd, 0, SEEK_SET), ==, 0);
  send_descriptor (service, domain, fd, &pending);
  if (kill_after > 0)
    g_timeout_add ((guint) (kill_after / 1000), kill_service, &killing);
  was_answered = wait_answer (service, &pending);
  duration = g_get_monotonic_time () - begin;
  bus_wait_until (is_killed, &killing, "the service to be killed");
  if (kill_after > 0)
    bury (service);
  assert_all_or_none (service, domain, was_answered);
  return duration;
}

static void
test_killed (Service *service, gconstpointer unused)
{
  g_autofree char *made = service_define (service, "other", two_images);
  g_autofree char *domain = NULL;
  g_autoptr (GString) documents = make_documents (service);
  gint64 duration;

  g_free (service_call_well (service, made, "Domain", "Undefine", /* arguments= */ NULL));
  domain = define (service, "mail", UUID);
  duration = redefine_once (service, domain, documents, /* kill_after= */ 0);
  for (gint64 i = 1; i <= N_KILLS; i++)
    redefine_once (service, domain, documents, duration * i / N_KILLS);
}

/* ---- what the bus shows of what somebody did ---- */

static void
test_shown (Service *service, gconstpointer unused)
{
  g_autofree char *domain = service_define (service, "mail", two_images);
  g_autofree char *image = service_image_path (service, "a.qcow2");
  g_autofree char *inner = service_call_well (
      service, domain, "Snapshots", "Create",
      g_variant_new_parsed ("('inner', {'mode': <'internal'>, 'wait': <true>})"));
  g_autofree char *first = make_checkpoint (service, domain, "first");
  g_autofree char *findings = NULL;
  g_autofree char *none = NULL;

  g_free (test_run ("qemu-img", "snapshot", "-d", "inner", image, NULL));
  g_free (test_run ("qemu-img", "bitmap", "--remove", image, "first", NULL));
  findings = print_findings (service);
  assert_contains (findings, "'kind': <'snapshot-broken'>");
  assert_contains (findings, "'kind': <'checkpoint-broken'>");
  assert_contains (findings, inner);
  assert_contains (findings, first);
  assert_string (service, inner, "Snapshot", "Health", "missing");
  assert_string (service, first, "Checkpoint", "Health", "missing");
  assert_string (service, domain, "Domain", "Health", "ok");
  restart (service);
  assert_string (service, inner, "Snapshot", "Health", "missing");
  g_free (service_call_well (service, inner, "Snapshot", "Delete",
                             g_variant_new_parsed ("({'wait': <true>},)")));
  g_free (service_call_well (service, first, "Checkpoint", "Delete",
                             g_variant_new_parsed ("({'wait': <true>},)")));
  none = print_findings (service);
  g_assert_cmpstr (none, ==, "([],)");
}

/* Each finding is settled by the choice that it lists. */
static void
resolve (Service *service, const char *kind, const char *choice)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GVariant) reply = service_call (service, SERVICE_MANAGER, "Manager", "Check",
                                             /* arguments= */ NULL, &error);
  g_autoptr (GVariant) rows = NULL;

  g_assert_no_error (error);
  rows = g_variant_get_child_value (reply, 0);
  for (gsize i = 0; i < g_variant_n_children (rows); i++)
    {
      g_autoptr (GVariant) row = g_variant_get_child_value (rows, i);
      g_autofree const char **choices = NULL;
      const char *id = NULL;
      const char *found = NULL;

      g_assert_true (g_variant_lookup (row, "kind", "&s", &found));
      if (!g_str_equal (found, kind))
        continue;
      g_assert_true (g_variant_lookup (row, "id", "&s", &id));
      g_assert_true (g_variant_lookup (row, "choices", "^a&s", &choices));
      g_assert_cmpstr (choices[0], ==, choice);
      g_free (service_call_well (service, SERVICE_MANAGER, "Manager", "Resolve",
                                 g_variant_new_parsed ("(%s, %s, {'wait': <true>})", id, choice)));
      return;
    }
  g_error ("there is no finding '%s'", kind);
}

static void
test_resolved (Service *service, gconstpointer unused)
{
  g_autofree char *domain = service_define (service, "mail", two_images);
  g_autofree char *image = service_image_path (service, "a.qcow2");
  g_autofree char *none = NULL;

  g_free (service_call_well (
      service, domain, "Snapshots", "Create",
      g_variant_new_parsed ("('inner', {'mode': <'internal'>, 'wait': <true>})")));
  g_free (make_checkpoint (service, domain, "first"));
  g_free (test_run ("qemu-img", "snapshot", "-d", "inner", image, NULL));
  g_free (test_run ("qemu-img", "bitmap", "--remove", image, "first", NULL));
  resolve (service, "checkpoint-broken", "delete");
  resolve (service, "snapshot-broken", "forget");
  g_assert_cmpuint (get_count (service, domain, "Checkpoints"), ==, 0);
  g_assert_cmpuint (get_count (service, domain, "Snapshots"), ==, 0);
  none = print_findings (service);
  g_assert_cmpstr (none, ==, "([],)");
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
  g_test_add ("/daemon/catalogue/" path, Service, program, service_set_up, function,               \
              service_tear_down)
  TEST ("checkpoints-survive-a-rename-and-a-restart", test_rename);
  TEST ("checkpoints-alone-keep-a-domain-from-being-undefined", test_undefine);
  TEST ("a-kill-while-documents-come-leaves-none", test_killed_while_reading);
  TEST ("a-kill-in-a-bulk-redefinition-leaves-all-or-none", test_killed);
  TEST ("marks-that-somebody-removed-are-shown", test_shown);
  TEST ("what-a-finding-offers-settles-it", test_resolved);
#undef TEST
  return g_test_run ();
}
