/* What a listener hears: each change once, in an order that can be relied on, before the reply.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "bus-recorder.h"
#include "service-fixture.h"
#include "stemma-error.h"

static const char *const one_image[] = { "a.qcow2", NULL };

static guint
find_generation (GPtrArray *events, guint start, const char *path)
{
  return bus_events_find (events, start, BUS_EVENT_CHANGED, path, "Generation");
}

static void
test_define (Service *service, gconstpointer unused)
{
  g_autoptr (BusRecorder) recorder = bus_recorder_new (service->client);
  g_autofree char *domain = service_define (service, "mail", one_image);
  g_autoptr (GPtrArray) events = bus_recorder_take (recorder);
  guint disk = bus_events_find (events, 0, BUS_EVENT_ADDED, "/disks/vda", NULL);
  guint added = bus_events_find (events, disk, BUS_EVENT_ADDED, domain, NULL);
  guint generation = find_generation (events, added, SERVICE_MANAGER);
  guint reply = bus_events_find (events, 0, BUS_EVENT_REPLY, NULL, NULL);

  g_assert_cmpuint (generation, <, reply);
}

static void
test_create (Service *service, gconstpointer unused)
{
  g_autofree char *domain = service_define (service, "mail", one_image);
  g_autoptr (BusRecorder) recorder = bus_recorder_new (service->client);
  g_autofree char *snapshot = service_snapshot (service, domain, "first");
  g_autoptr (GPtrArray) events = bus_recorder_take (recorder);
  guint added = bus_events_find (events, 0, BUS_EVENT_ADDED, snapshot, NULL);
  guint current = bus_events_find (events, added, BUS_EVENT_CHANGED, domain, "Current");
  guint begun = find_generation (events, added, domain);
  guint all_begun = find_generation (events, begun, SERVICE_MANAGER);
  guint state = bus_events_find (events, all_begun, BUS_EVENT_CHANGED, snapshot, "State");
  guint source = bus_events_find (events, all_begun, BUS_EVENT_CHANGED, "/disks/vda", "Source");
  guint ended = find_generation (events, MAX (state, source), domain);
  guint all_ended = find_generation (events, ended, SERVICE_MANAGER);
  guint completed = bus_events_find (events, all_ended, BUS_EVENT_COMPLETED, NULL, NULL);
  guint reply = bus_events_find (events, completed, BUS_EVENT_REPLY, NULL, NULL);

  g_assert_cmpuint (current, <, completed);
  g_assert_cmpuint (reply, ==, events->len - 1);
}

/* Without `wait` the reply comes when the intent is durable, its signals before it. */
static void
test_intent (Service *service, gconstpointer unused)
{
  g_autofree char *domain = service_define (service, "mail", one_image);
  g_autoptr (BusRecorder) recorder = bus_recorder_new (service->client);
  g_autofree char *snapshot = service_call_well (service, domain, "Snapshots", "Create",
                                                 g_variant_new_parsed ("('first', @a{sv} {})"));
  g_autoptr (GPtrArray) events = bus_recorder_take (recorder);
  guint reply = bus_events_find (events, 0, BUS_EVENT_REPLY, NULL, NULL);

  g_assert_cmpuint (bus_events_find (events, 0, BUS_EVENT_ADDED, snapshot, NULL), <, reply);
  g_assert_cmpuint (find_generation (events, 0, domain), <, reply);
  g_assert_cmpuint (find_generation (events, 0, SERVICE_MANAGER), <, reply);
}

/* The job is there when its path is given. */
static void
test_job (Service *service, gconstpointer unused)
{
  g_autofree char *domain = service_define (service, "mail", one_image);
  g_autoptr (GError) error = NULL;
  g_autoptr (BusRecorder) recorder = bus_recorder_new (service->client);
  g_autoptr (GVariant)
      reply = service_call (service, domain, "Snapshots", "Create",
                            g_variant_new_parsed ("('first', {'wait': <true>})"), &error);
  g_autoptr (GPtrArray) events = bus_recorder_take (recorder);
  const char *job = NULL;
  g_autofree char *state = NULL;
  guint added = 0;

  g_assert_no_error (error);
  g_variant_get (reply, "(&o&o)", NULL, &job);
  added = bus_events_find (events, 0, BUS_EVENT_ADDED, job, NULL);
  g_assert_cmpuint (bus_events_find (events, added, BUS_EVENT_COMPLETED, job, NULL), <,
                    bus_events_find (events, 0, BUS_EVENT_REPLY, NULL, NULL));
  state = service_get_string (service, job, "Job", "State");
  g_assert_cmpstr (state, ==, "succeeded");
}

static void
test_refusal (Service *service, gconstpointer unused)
{
  g_autofree char *domain = service_define (service, "mail", one_image);
  g_autoptr (BusRecorder) recorder = NULL;
  g_autoptr (GPtrArray) events = NULL;

  g_free (service_snapshot (service, domain, "first"));
  recorder = bus_recorder_new (service->client);
  mock_polkit_answer ("", "deny");
  service_call_ill (service, domain, "Snapshots", "Create",
                    g_variant_new_parsed ("('second', @a{sv} {})"), STEMMA_ERROR_NOT_AUTHORIZED);
  mock_polkit_answer ("", "allow");
  service_call_ill (service, domain, "Snapshots", "Create",
                    g_variant_new_parsed ("('first', {'wait': <true>})"),
                    STEMMA_ERROR_ALREADY_EXISTS);
  events = bus_recorder_take (recorder);
  g_assert_cmpuint (events->len, ==, 2);
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
  g_test_add ("/daemon/signals/" path, Service, program, service_set_up, function,                 \
              service_tear_down)
  TEST ("a-definition-is-told-from-the-disks-up-before-the-reply", test_define);
  TEST ("a-snapshot-is-told-in-two-changes-generation-last", test_create);
  TEST ("the-intent-is-told-before-its-reply", test_intent);
  TEST ("a-job-is-told-before-its-path-is-given", test_job);
  TEST ("a-refusal-tells-nothing", test_refusal);
#undef TEST
  return g_test_run ();
}
