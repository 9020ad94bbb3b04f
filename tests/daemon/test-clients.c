/* Several clients and several services: prompts, clients that leave, two that change one domain at
 * once, session mode, replacement.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "bus-recorder.h"
#include "service-fixture.h"
#include "stemma-error.h"

#define N_PROMPTS 40
#define N_SNAPSHOTS 5

static const char *const one_image[] = { "a.qcow2", NULL };

static GVariant *
create_arguments (const char *name)
{
  return g_variant_new_parsed ("(%s, {'wait': <true>})", name);
}

static void
test_prompts (Service *service, gconstpointer unused)
{
  g_autofree char *domain = service_define (service, "mail", one_image);
  BusCall *pending[N_PROMPTS] = { NULL };
  g_autofree char *name = NULL;

  mock_polkit_answer ("org.stemma1.snapshot.create", "hold");
  for (guint i = 0; i < N_PROMPTS; i++)
    pending[i] = service_call_begin (service, service->client, domain, "Snapshots", "Create",
                                     create_arguments ("same"));
  mock_polkit_wait_held (N_PROMPTS);
  name = service_get_string (service, domain, "Domain", "Name");
  g_assert_cmpstr (name, ==, "mail");
  service_call_ill (service, domain, "Snapshots", "Find",
                    g_variant_new_parsed ("('same', @a{sv} {})"), STEMMA_ERROR_NOT_FOUND);
  mock_polkit_release ("dismissed");
  for (guint i = 0; i < N_PROMPTS; i++)
    {
      g_autoptr (GError) error = NULL;
      g_autoptr (GVariant) reply = bus_call_end (pending[i], &error);

      g_assert_null (reply);
      g_assert_error (error, STEMMA_ERROR, STEMMA_ERROR_NOT_AUTHORIZED_DISMISSED);
    }
}

static void
test_details (Service *service, gconstpointer unused)
{
  g_autofree char *domain = service_define (service, "mail", one_image);
  g_autofree char *snapshot = service_snapshot (service, domain, "first");
  g_autoptr (GVariant) questions = NULL;
  g_autoptr (GVariant) last = NULL;
  g_autoptr (GVariant) details = NULL;
  g_autofree char *uuid = service_get_string (service, domain, "Domain", "Uuid");
  const char *expected[][2] = { { "domain", "mail" },
                                { "uuid", uuid },
                                { "kind", "snapshot" },
                                { "snapshot", "first" },
                                { "destructive", "true" } };
  const char *action = NULL;

  mock_polkit_answer ("", "deny");
  service_call_ill (service, snapshot, "Snapshot", "Revert", /* arguments= */ NULL,
                    STEMMA_ERROR_NOT_AUTHORIZED);
  questions = mock_polkit_questions ();
  last = g_variant_get_child_value (questions, g_variant_n_children (questions) - 1);
  g_variant_get (last, "(&s&s@a{ss}u)", NULL, &action, &details, NULL);
  g_assert_cmpstr (action, ==, "org.stemma1.snapshot.revert");
  for (gsize i = 0; i < G_N_ELEMENTS (expected); i++)
    {
      const char *value = NULL;

      g_assert_true (g_variant_lookup (details, expected[i][0], "&s", &value));
      g_assert_cmpstr (value, ==, expected[i][1]);
    }
}

static void
test_gone_under_prompt (Service *service, gconstpointer unused)
{
  g_autofree char *domain = service_define (service, "mail", one_image);
  g_autofree char *snapshot = service_snapshot (service, domain, "first");
  BusCall *revert = NULL;
  g_autoptr (GError) error = NULL;
  g_autoptr (GVariant) reply = NULL;

  mock_polkit_answer ("org.stemma1.snapshot.revert", "hold");
  revert = service_call_begin (service, service->client, snapshot, "Snapshot", "Revert", NULL);
  mock_polkit_wait_held (1);
  g_free (service_call_well (service, snapshot, "Snapshot", "Delete",
                             g_variant_new_parsed ("({'wait': <true>},)")));
  mock_polkit_release ("allow");
  reply = bus_call_end (revert, &error);
  g_assert_error (error, STEMMA_ERROR, STEMMA_ERROR_NOT_FOUND);
}

static gboolean
has_two (gpointer user_data)
{
  Service *service = user_data;
  g_autofree char *path = service_call_well (service, SERVICE_MANAGER, "Manager", "FindDomain",
                                             g_variant_new_parsed ("('mail', @a{sv} {})"));
  g_autoptr (GVariant) count = service_get (service, path, "Snapshots", "Count");

  return g_variant_get_uint32 (count) == 2;
}

/* Who asks and leaves is not asked about; who leaves after that has the work done all the same. */
static void
test_client_leaves (Service *service, gconstpointer unused)
{
  g_autofree char *domain = service_define (service, "mail", one_image);
  GDBusConnection *leaver = bus_client_new ();
  BusCall *call = NULL;
  g_autoptr (GVariant) reply = NULL;

  g_free (service_snapshot (service, domain, "first"));
  mock_polkit_answer ("org.stemma1.snapshot.create", "hold");
  call = service_call_begin (service, leaver, domain, "Snapshots", "Create",
                             create_arguments ("never"));
  mock_polkit_wait_held (1);
  bus_client_leave (leaver);
  mock_polkit_wait_cancelled (1);
  g_assert_null (bus_call_end (call, NULL));

  mock_polkit_answer ("org.stemma1.snapshot.create", "allow");
  leaver = bus_client_new ();
  call = service_call_begin (service, leaver, domain, "Snapshots", "Create",
                             g_variant_new_parsed ("('second', @a{sv} {})"));
  reply = bus_call_end (call, NULL);
  g_assert_nonnull (reply);
  bus_client_leave (leaver);
  bus_wait_until (has_two, service, "the snapshot of the client that left");
  service_call_ill (service, domain, "Snapshots", "Find",
                    g_variant_new_parsed ("('never', @a{sv} {})"), STEMMA_ERROR_NOT_FOUND);
}

/* Both work on one domain at once: each call ends well or with the name of what is in the way, and
 * the tree has what was promised. */
static void
test_two_clients (Service *service, gconstpointer unused)
{
  g_autofree char *domain = service_define (service, "mail", one_image);
  GDBusConnection *clients[] = { service->client, bus_client_new () };
  BusCall *calls[2 * N_SNAPSHOTS] = { NULL };
  g_autoptr (GVariant) count = NULL;
  guint n_made = 0;

  for (guint i = 0; i < 2 * N_SNAPSHOTS; i++)
    {
      g_autofree char *name = g_strdup_printf ("snapshot-%u", i / 2);

      calls[i] = service_call_begin (service, clients[i % 2], domain, "Snapshots", "Create",
                                     create_arguments (name));
    }
  for (guint i = 0; i < 2 * N_SNAPSHOTS; i++)
    {
      g_autoptr (GError) error = NULL;
      g_autoptr (GVariant) reply = bus_call_end (calls[i], &error);

      n_made += reply != NULL;
      if (reply == NULL)
        g_assert_error (error, STEMMA_ERROR, STEMMA_ERROR_ALREADY_EXISTS);
    }
  /* Each name was asked for by both, and given to one. */
  g_assert_cmpuint (n_made, ==, N_SNAPSHOTS);
  count = service_get (service, domain, "Snapshots", "Count");
  g_assert_cmpuint (g_variant_get_uint32 (count), ==, N_SNAPSHOTS);
  bus_client_leave (clients[1]);
}

static void
test_session (Service *service, gconstpointer unused)
{
  g_autofree char *domain = NULL;
  g_autoptr (GVariant) questions = NULL;

  service_stop (service);
  mock_polkit_reset ();
  mock_polkit_answer ("", "deny");
  service_start (service, SERVICE_SESSION);
  domain = service_define (service, "mail", one_image);
  g_free (service_snapshot (service, domain, "first"));
  questions = mock_polkit_questions ();
  g_assert_cmpuint (g_variant_n_children (questions), ==, 0);
}

static void
test_second (Service *service, gconstpointer unused)
{
  g_autoptr (GSubprocess) second = service_spawn (service, SERVICE_SYSTEM, /* option= */ NULL);
  g_autofree char *version = NULL;

  g_subprocess_wait (second, NULL, NULL);
  g_assert_true (g_subprocess_get_if_exited (second));
  g_assert_cmpint (g_subprocess_get_exit_status (second), ==, 1);
  version = service_get_string (service, SERVICE_MANAGER, "Manager", "Version");
  g_assert_cmpstr (version, !=, "");
}

static gboolean
answers (gpointer user_data)
{
  Service *service = user_data;
  g_autoptr (GVariant) reply = bus_call_name (service->client, SERVICE_NAME, SERVICE_MANAGER,
                                              "org.freedesktop.DBus.Peer", "Ping", NULL,
                                              G_DBUS_CALL_FLAGS_NONE, NULL);
  g_autoptr (GVariant) found = NULL;

  if (reply == NULL)
    return FALSE;
  found = service_call (service, SERVICE_MANAGER, "Manager", "FindDomain",
                        g_variant_new_parsed ("('mail', @a{sv} {})"), NULL);
  return found != NULL;
}

static void
test_replace (Service *service, gconstpointer unused)
{
  g_autofree char *domain = service_define (service, "mail", one_image);
  g_autoptr (GSubprocess) first = g_steal_pointer (&service->process);
  g_autofree char *name = NULL;
  g_autoptr (GError) error = NULL;

  service->process = service_spawn (service, SERVICE_SYSTEM, "--replace");
  g_subprocess_wait_check (first, NULL, &error);
  g_assert_no_error (error);
  bus_wait_until (answers, service, "the new service");
  name = service_get_string (service, domain, "Domain", "Name");
  g_assert_cmpstr (name, ==, "mail");
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
  g_test_add ("/daemon/clients/" path, Service, program, service_set_up, function,                 \
              service_tear_down)
  TEST ("forty-pending-prompts-hold-up-no-read", test_prompts);
  TEST ("rules-are-told-the-machine-and-the-snapshot", test_details);
  TEST ("a-snapshot-that-goes-under-the-prompt-is-not-found", test_gone_under_prompt);
  TEST ("a-client-that-leaves-stops-its-prompt-but-not-its-work", test_client_leaves);
  TEST ("two-clients-at-once-get-what-they-were-promised", test_two_clients);
  TEST ("session-mode-asks-nobody", test_session);
  TEST ("a-second-service-goes-away", test_second);
  TEST ("replace-takes-over-what-the-first-had", test_replace);
#undef TEST
  return g_test_run ();
}
