/* One service takes the place of another: what callers hear meanwhile, and how the waiting ends.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "service-fixture.h"
#include "stemma-error.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

/* What callers without a pause may ask at most, so that a service that never comes ends the test.
 */
#define MAX_CALLS 400000
/* Good answers of the new service that are waited for. */
#define N_GOOD_AFTER 200
#define N_SNAPSHOTS 10
#define N_CALLS 20
#define N_EDITS 5
/* Of RequestName: DBUS_NAME_FLAG_REPLACE_EXISTING, _DO_NOT_QUEUE. */
#define TAKE_NAME (2U | 4U)
#define IS_OWNER 1U

static const char *const one_image[] = { "a.qcow2", NULL };

/* What is asked again as soon as it is answered. */
typedef struct
{
  const char *path; /* NULL: the domain's */
  const char *interface;
  const char *method;
  const char *arguments; /* as text; NULL: none */
} Question;

static const Question questions[] = {
  { NULL, "org.freedesktop.DBus.Properties", "Get", "('org.stemma1.Snapshots', 'Count')" },
  { NULL, "org.freedesktop.DBus.Properties", "GetAll", "('org.stemma1.Domain',)" },
  { NULL, "org.stemma1.Domain", "GetXML", "(@a{sv} {},)" },
  { NULL, "org.stemma1.Snapshots", "Find", "('snapshot-3', @a{sv} {})" },
  { SERVICE_MANAGER, "org.stemma1.Manager", "FindDomain", "('mail', @a{sv} {})" },
  { SERVICE_ROOT, "org.freedesktop.DBus.ObjectManager", "GetManagedObjects", NULL },
  { SERVICE_ROOT, "org.freedesktop.DBus.Peer", "Ping", NULL },
};

/* All who ask, by the name and by the first service's own address: proxies hold on to that until
 * they hear of the new owner. */
typedef struct
{
  Service *service;
  const char *domain;
  const char *first_owner;
  BusCall *by_name[G_N_ELEMENTS (questions)];
  BusCall *by_address[G_N_ELEMENTS (questions)];
  BusCall *creation;
  GPtrArray *made; /* names of the snapshots whose making was answered well */
  guint n_calls;
  guint n_refused;
  guint n_good_after;
  gboolean has_first_ended;
} Crowd;

static GVariant *
snapshot_arguments (const char *name)
{
  return g_variant_new_parsed ("(%s, {'wait': <true>})", name);
}

static BusCall *
ask (Crowd *crowd, const Question *question, const char *destination)
{
  crowd->n_calls++;
  return bus_call_begin (
      crowd->service->client, destination, question->path != NULL ? question->path : crowd->domain,
      question->interface, question->method,
      question->arguments != NULL ? g_variant_new_parsed (question->arguments) : NULL,
      G_DBUS_CALL_FLAGS_NONE);
}

/* Whether it was answered well; else it must have been refused as by a service that is not there.
 */
static gboolean
judge (Crowd *crowd, BusCall *call, const char *what)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GVariant) reply = bus_call_end (call, &error);

  if (reply != NULL)
    return TRUE;

  crowd->n_refused++;
  if (!g_error_matches (error, G_DBUS_ERROR, G_DBUS_ERROR_NO_REPLY)
      && !g_error_matches (error, G_DBUS_ERROR, G_DBUS_ERROR_SERVICE_UNKNOWN)
      && !g_error_matches (error, G_DBUS_ERROR, G_DBUS_ERROR_NAME_HAS_NO_OWNER))
    g_error ("%s: %s", what, error->message);
  return FALSE;
}

static void
ask_again (Crowd *crowd)
{
  for (guint i = 0; i < G_N_ELEMENTS (questions); i++)
    {
      if (bus_call_is_done (crowd->by_name[i]))
        {
          crowd->n_good_after += judge (crowd, crowd->by_name[i], questions[i].method)
                                 && crowd->has_first_ended;
          crowd->by_name[i] = ask (crowd, &questions[i], SERVICE_NAME);
        }
      if (!crowd->has_first_ended && bus_call_is_done (crowd->by_address[i]))
        {
          judge (crowd, crowd->by_address[i], questions[i].method);
          crowd->by_address[i] = ask (crowd, &questions[i], crowd->first_owner);
        }
    }
}

static void
create_again (Crowd *crowd)
{
  g_autofree char *name = g_strdup_printf ("made-%u", crowd->n_calls);

  if (crowd->creation != NULL)
    {
      if (!bus_call_is_done (crowd->creation))
        return;
      if (!judge (crowd, crowd->creation, "Create"))
        g_ptr_array_remove_index (crowd->made, crowd->made->len - 1);
    }
  crowd->n_calls++;
  crowd->creation = service_call_begin (crowd->service, crowd->service->client, crowd->domain,
                                        "Snapshots", "Create", snapshot_arguments (name));
  g_ptr_array_add (crowd->made, g_steal_pointer (&name));
}

static gboolean
is_content (gpointer user_data)
{
  Crowd *crowd = user_data;

  g_assert_cmpuint (crowd->n_calls, <, MAX_CALLS);
  ask_again (crowd);
  create_again (crowd);
  return crowd->has_first_ended && crowd->n_good_after >= N_GOOD_AFTER;
}

/* The crowd asks for the last time. */
static void
hear_out (Crowd *crowd)
{
  for (guint i = 0; i < G_N_ELEMENTS (questions); i++)
    {
      judge (crowd, crowd->by_name[i], questions[i].method);
      judge (crowd, crowd->by_address[i], questions[i].method);
    }
  if (!judge (crowd, crowd->creation, "Create"))
    g_ptr_array_remove_index (crowd->made, crowd->made->len - 1);
}

static void
on_first_ended (GObject *source, GAsyncResult *result, gpointer user_data)
{
  Crowd *crowd = user_data;
  g_autoptr (GError) error = NULL;

  g_subprocess_wait_check_finish (G_SUBPROCESS (source), result, &error);
  g_assert_no_error (error);
  crowd->has_first_ended = TRUE;
}

static char *
owner_of_name (Service *service)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GVariant) reply = bus_call_name (
      service->client, "org.freedesktop.DBus", "/org/freedesktop/DBus", "org.freedesktop.DBus",
      "GetNameOwner", g_variant_new ("(s)", SERVICE_NAME), G_DBUS_CALL_FLAGS_NONE, &error);
  char *owner = NULL;

  g_assert_no_error (error);
  g_variant_get (reply, "(s)", &owner);
  return owner;
}

static void
assert_has (Service *service, const char *domain, const char *name)
{
  g_free (service_call_well (service, domain, "Snapshots", "Find",
                             g_variant_new_parsed ("(%s, @a{sv} {})", name)));
}

static void
make_snapshots (Service *service, const char *domain)
{
  for (guint i = 0; i < N_SNAPSHOTS; i++)
    {
      g_autofree char *name = g_strdup_printf ("snapshot-%u", i);

      g_free (service_snapshot (service, domain, name));
    }
}

static void
assert_snapshots (Service *service, const char *domain)
{
  g_autofree char *health = service_get_string (service, SERVICE_MANAGER, "Manager", "Health");

  g_assert_cmpstr (health, ==, "ok");
  for (guint i = 0; i < N_SNAPSHOTS; i++)
    {
      g_autofree char *name = g_strdup_printf ("snapshot-%u", i);

      assert_has (service, domain, name);
    }
}

static void
test_crowd (Service *service, gconstpointer unused)
{
  g_autofree char *domain = service_define (service, "mail", one_image);
  g_autofree char *first_owner = owner_of_name (service);
  g_autoptr (GSubprocess) first = g_steal_pointer (&service->process);
  g_autoptr (GPtrArray) made = g_ptr_array_new_with_free_func (g_free);
  Crowd crowd = { .service = service, .domain = domain, .first_owner = first_owner, .made = made };

  make_snapshots (service, domain);
  for (guint i = 0; i < G_N_ELEMENTS (questions); i++)
    {
      crowd.by_name[i] = ask (&crowd, &questions[i], SERVICE_NAME);
      crowd.by_address[i] = ask (&crowd, &questions[i], first_owner);
    }
  g_subprocess_wait_async (first, /* cancellable= */ NULL, on_first_ended, &crowd);
  service->process = service_spawn (service, SERVICE_SYSTEM, "--replace");
  bus_wait_until (is_content, &crowd, "good answers of the new service");
  hear_out (&crowd);
  g_test_message ("%u calls, %u refused, %u snapshots made", crowd.n_calls, crowd.n_refused,
                  made->len);
  assert_snapshots (service, domain);
  for (guint i = 0; i < made->len; i++)
    assert_has (service, domain, g_ptr_array_index (made, i));
}

/* What a service that takes its time to end keeps another from. */
static int
lock_state (Service *service)
{
  g_autofree char *path = g_build_filename (service->directory, "state", NULL);
  int fd = open (path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

  g_assert_cmpint (fd, >=, 0);
  g_assert_cmpint (flock (fd, LOCK_EX | LOCK_NB), ==, 0);
  return fd;
}

static void
assert_nobody_answers (Service *service, const char *domain)
{
  for (guint i = 0; i < G_N_ELEMENTS (questions); i++)
    {
      Crowd crowd = { .service = service, .domain = domain };
      g_autoptr (GError) error = NULL;
      g_autoptr (GVariant) reply = bus_call_end (ask (&crowd, &questions[i], SERVICE_NAME), &error);

      g_assert_null (reply);
      g_test_message ("%s: %s", questions[i].method, error->message);
      g_assert_error (error, G_DBUS_ERROR, G_DBUS_ERROR_SERVICE_UNKNOWN);
    }
}

static char *
stop_and_wait_for_another (Service *service, int *out_lock)
{
  char *domain = service_define (service, "mail", one_image);

  make_snapshots (service, domain);
  service_stop (service);
  *out_lock = lock_state (service);
  service->process = service_spawn (service, SERVICE_SYSTEM, "--replace");
  service_wait_name (service);
  return domain;
}

static gboolean
answers (gpointer user_data)
{
  Service *service = user_data;
  g_autoptr (GVariant) found = service_call (service, SERVICE_MANAGER, "Manager", "FindDomain",
                                             g_variant_new_parsed ("('mail', @a{sv} {})"), NULL);

  return found != NULL;
}

static void
test_waiting (Service *service, gconstpointer unused)
{
  int lock = -1;
  g_autofree char *domain = stop_and_wait_for_another (service, &lock);

  assert_nobody_answers (service, domain);
  close (lock);
  bus_wait_until (answers, service, "the new service");
  assert_snapshots (service, domain);
}

/* service_stop() fails the test unless the process ends well. */
static void
test_stopped (Service *service, gconstpointer unused)
{
  int lock = -1;
  g_autofree char *domain = stop_and_wait_for_another (service, &lock);

  service_stop (service);
  assert_nobody_answers (service, domain);
  close (lock);
  service_start (service, SERVICE_SYSTEM);
  assert_snapshots (service, domain);
}

static void
test_third (Service *service, gconstpointer unused)
{
  int lock = -1;
  g_autofree char *domain = stop_and_wait_for_another (service, &lock);
  g_autoptr (GSubprocess) second = g_steal_pointer (&service->process);
  g_autoptr (GError) error = NULL;

  service->process = service_spawn (service, SERVICE_SYSTEM, "--replace");
  g_subprocess_wait_check (second, /* cancellable= */ NULL, &error);
  g_assert_no_error (error);
  assert_nobody_answers (service, domain);
  close (lock);
  bus_wait_until (answers, service, "the third service");
  assert_snapshots (service, domain);
}

/* The second takes the state for a simulation's. */
static void
test_unfit (Service *service, gconstpointer unused)
{
  g_autofree char *domain = service_define (service, "mail", one_image);
  g_autofree char *first_owner = owner_of_name (service);
  g_autofree char *owner = NULL;
  g_autofree char *stray = g_build_filename (service->directory, "state", "sim-images", NULL);
  g_autoptr (GSubprocess) second = NULL;
  g_autoptr (GError) error = NULL;

  make_snapshots (service, domain);
  g_file_set_contents (stray, "", 0, &error);
  g_assert_no_error (error);
  second = service_spawn (service, SERVICE_SYSTEM, "--replace");
  g_subprocess_wait (second, /* cancellable= */ NULL, /* error= */ NULL);
  g_assert_true (g_subprocess_get_if_exited (second));
  g_assert_cmpint (g_subprocess_get_exit_status (second), ==, 1);
  owner = owner_of_name (service);
  g_assert_cmpstr (owner, ==, first_owner);
  assert_snapshots (service, domain);
}

static BusCall *
begin_taking_name (GDBusConnection *client)
{
  return bus_call_begin (client, "org.freedesktop.DBus", "/org/freedesktop/DBus",
                         "org.freedesktop.DBus", "RequestName",
                         g_variant_new ("(su)", SERVICE_NAME, TAKE_NAME), G_DBUS_CALL_FLAGS_NONE);
}

/* The bus takes what one client sends in order: the service hears of the calls, and then that it
 * has lost the name. */
static void
take_name_and_hear (Service *service, GDBusConnection *stranger, BusCall **calls, gsize n_calls,
                    const char *reply_type)
{
  g_autoptr (GSubprocess) first = g_steal_pointer (&service->process);
  BusCall *taking = begin_taking_name (stranger);
  guint answer = 0;
  g_autoptr (GVariant) taken = NULL;
  g_autoptr (GError) error = NULL;

  for (gsize i = 0; i < n_calls; i++)
    {
      g_autoptr (GVariant) reply = bus_call_end (calls[i], &error);

      g_assert_no_error (error);
      g_assert_true (g_variant_is_of_type (reply, G_VARIANT_TYPE (reply_type)));
    }
  taken = bus_call_end (taking, &error);
  g_assert_no_error (error);
  g_variant_get (taken, "(u)", &answer);
  g_assert_cmpuint (answer, ==, IS_OWNER);
  g_subprocess_wait_check (first, /* cancellable= */ NULL, &error);
  g_assert_no_error (error);
}

/* The service has to ask the bus who the client is before it can answer. */
static void
test_handing_over (Service *service, gconstpointer unused)
{
  GDBusConnection *stranger = bus_client_new ();
  BusCall *calls[N_CALLS] = { NULL };

  service_stop (service);
  service_start (service, SERVICE_SESSION);
  g_free (service_define (service, "mail", one_image));
  for (guint i = 0; i < N_CALLS; i++)
    calls[i] = service_call_begin (service, stranger, SERVICE_MANAGER, "Manager", "FindDomain",
                                   g_variant_new_parsed ("('mail', @a{sv} {})"));
  take_name_and_hear (service, stranger, calls, N_CALLS, "(o)");
  bus_client_leave (stranger);
}

/* Each of them waits for the one before it, and for the disk. */
static void
test_operations (Service *service, gconstpointer unused)
{
  GDBusConnection *stranger = bus_client_new ();
  BusCall *calls[N_EDITS] = { NULL };
  g_autofree char *domain = NULL;

  service_stop (service);
  service_start (service, SERVICE_SESSION);
  domain = service_define (service, "mail", one_image);
  for (guint i = 0; i < N_EDITS; i++)
    calls[i] = service_call_begin (service, stranger, domain, "Domain", "SetDescription",
                                   g_variant_new_parsed ("(%s, @a{sv} {})", i % 2 ? "a" : "b"));
  take_name_and_hear (service, stranger, calls, N_EDITS, "()");
  bus_client_leave (stranger);
}

int
main (int argc, char **argv)
{
  const char *program = NULL;

  /* Read by the services, whose change of place is no reason to warn: one that did would end, and
   * fail the test that sees to its good end. */
  g_setenv ("G_DEBUG", "fatal-warnings", TRUE);
  g_test_init (&argc, &argv, NULL);
  stemma_error_quark ();
  program = argv[1];
  g_assert_nonnull (program);

#define TEST(path, function)                                                                       \
  g_test_add ("/daemon/replace/" path, Service, program, service_set_up, function,                 \
              service_tear_down)
  TEST ("callers-without-a-pause-never-meet-half-a-service", test_crowd);
  TEST ("calls-that-came-before-the-name-was-lost-are-answered", test_handing_over);
  TEST ("operations-that-came-before-the-name-was-lost-are-answered", test_operations);
  TEST ("who-calls-during-the-wait-is-told-to-call-again", test_waiting);
  TEST ("a-service-that-waits-ends-when-asked-to", test_stopped);
  TEST ("a-service-that-waits-makes-place-for-a-third", test_third);
  TEST ("one-that-cannot-start-leaves-the-other-alone", test_unfit);
#undef TEST
  return g_test_run ();
}
