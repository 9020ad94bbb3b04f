/* What a listener hears: each change once, in an order that can be relied on, before the reply.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "bus-recorder.h"
#include "service-fixture.h"
#include "stemma-error.h"

#include <glib/gstdio.h>
#include <string.h>

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

static guint
get_child_count (Service *service, const char *snapshot)
{
  g_autoptr (GVariant) count = service_get (service, snapshot, "Snapshot", "ChildCount");

  return g_variant_get_uint32 (count);
}

static void
run_job (Service *service, const char *snapshot, const char *method)
{
  g_free (service_call_well (service, snapshot, "Snapshot", method,
                             g_variant_new_parsed ("({'wait': <true>},)")));
}

/* a - b - c and a - d, d being current: deletes the leaf c, then the middle b. */
static void
test_delete (Service *service, gconstpointer unused)
{
  g_autofree char *domain = service_define (service, "mail", one_image);
  g_autofree char *a = service_snapshot (service, domain, "a");
  g_autofree char *b = service_snapshot (service, domain, "b");
  g_autofree char *c = service_snapshot (service, domain, "c");
  g_autofree char *d = NULL;
  g_autofree char *e = NULL;
  g_autofree char *parent = NULL;

  run_job (service, a, "Revert");
  d = service_snapshot (service, domain, "d");
  g_assert_cmpuint (get_child_count (service, a), ==, 2);
  g_assert_cmpuint (get_child_count (service, b), ==, 1);

  g_free (
      service_call_well (service, c, "Snapshot", "Delete",
                         g_variant_new_parsed ("({'metadata-only': <true>, 'wait': <true>},)")));
  g_assert_cmpuint (get_child_count (service, b), ==, 0);
  run_job (service, b, "Revert");
  e = service_snapshot (service, domain, "e");
  run_job (service, d, "Revert");
  run_job (service, b, "Delete");
  g_assert_cmpuint (get_child_count (service, a), ==, 2);
  parent = service_get_string (service, e, "Snapshot", "Parent");
  g_assert_cmpstr (parent, ==, a);
}

/* The Chain of the disk was told before the reply, with the user in it or without. */
static void
assert_chain_told (BusRecorder *recorder, const char *disk, const char *user, gboolean is_in)
{
  g_autoptr (GPtrArray) events = bus_recorder_take (recorder);
  guint told = bus_events_find (events, 0, BUS_EVENT_CHANGED, disk, "Chain");
  guint generation = find_generation (events, told, SERVICE_MANAGER);
  guint reply = bus_events_find (events, generation, BUS_EVENT_REPLY, NULL, NULL);
  g_autofree char *text = bus_event_to_text (g_ptr_array_index (events, told));

  g_assert_cmpuint (reply, <, events->len);
  g_assert_cmpint (strstr (text, user) != NULL, ==, is_in);
}

/* A domain that only reads the image below the disk of another one is shown there, and goes from
 * there: the Chain of one domain changes with the definition of another. */
static void
test_sharers (Service *service, gconstpointer unused)
{
  g_autofree char *base = service_image_path (service, "base.qcow2");
  g_autofree char *overlay = service_image_path (service, "a.qcow2");
  g_autofree char *document = service_document (service, "mail", /* uuid= */ NULL, one_image);
  g_autofree char *reader = g_strdup_printf (
      "<domain><name>reader</name><devices><disk type='file' device='disk'>"
      "<driver type='qcow2'/><source file='%s'/><target dev='vda'/><readonly/>"
      "</disk></devices></domain>",
      base);
  g_autofree char *domain = NULL;
  g_autofree char *other = NULL;
  g_autofree char *disk = NULL;
  g_autoptr (BusRecorder) recorder = NULL;

  test_image_create (base, "qcow2", 1024 * 1024, /* backing= */ NULL, /* backing_format= */ NULL);
  test_image_create (overlay, "qcow2", 0, base, "qcow2");
  domain = service_call_well (service, SERVICE_MANAGER, "Manager", "DefineDomain",
                              g_variant_new_parsed ("(%s, @a{sv} {})", document));
  disk = g_strconcat (domain, "/disks/vda", NULL);
  recorder = bus_recorder_new (service->client);
  other = service_call_well (service, SERVICE_MANAGER, "Manager", "DefineDomain",
                             g_variant_new_parsed ("(%s, @a{sv} {})", reader));
  assert_chain_told (recorder, disk, other, TRUE);
  g_free (service_call_well (service, other, "Domain", "Undefine",
                             g_variant_new_parsed ("({'wait': <true>},)")));
  assert_chain_told (recorder, disk, other, FALSE);
}

static guint64
get_generation (Service *service, const char *domain)
{
  return service_get_generation (service, domain, "Domain");
}

static guint
count_changes_of (GPtrArray *events, const char *path, const char *property)
{
  guint n = 0;

  for (guint i = 0; i < events->len; i++)
    {
      const BusEvent *event = g_ptr_array_index (events, i);

      if (event->kind == BUS_EVENT_CHANGED && g_str_equal (event->path, path)
          && bus_event_has_property (event, property))
        n++;
    }
  return n;
}

/* A check after which both snapshots have this health, by one change that tells it once of each, or
 * by none. */
static void
assert_check_tells (Service *service, const char *domain, const char *const *snapshots,
                    const char *health, gboolean is_news)
{
  guint64 generation = get_generation (service, domain);
  g_autoptr (BusRecorder) recorder = bus_recorder_new (service->client);
  g_autoptr (GPtrArray) events = NULL;
  guint reply = 0;

  g_free (service_call_well (service, SERVICE_MANAGER, "Manager", "Check", /* arguments= */ NULL));
  events = bus_recorder_take (recorder);
  reply = bus_events_find (events, 0, BUS_EVENT_REPLY, NULL, NULL);
  g_assert_cmpuint (count_changes_of (events, domain, "Generation"), ==, is_news ? 1 : 0);
  for (guint i = 0; i < 2; i++)
    {
      g_autofree char *now = service_get_string (service, snapshots[i], "Snapshot", "Health");

      g_assert_cmpstr (now, ==, health);
      g_assert_cmpuint (count_changes_of (events, snapshots[i], "Health"), ==, is_news ? 1 : 0);
      if (is_news)
        g_assert_cmpuint (
            find_generation (events,
                             bus_events_find (events, 0, BUS_EVENT_CHANGED, snapshots[i], "Health"),
                             domain),
            <, reply);
    }
  if (is_news)
    g_assert_cmpuint (
        find_generation (events, find_generation (events, 0, domain), SERVICE_MANAGER), <, reply);
  g_assert_cmpuint (get_generation (service, domain), ==, generation + (is_news ? 1 : 0));
}

/* The image that the first snapshot froze, on which that of the second stands, goes and comes. */
static void
test_missing (Service *service, gconstpointer unused)
{
  g_autofree char *domain = service_define (service, "mail", one_image);
  g_autofree char *first = service_snapshot (service, domain, "first");
  g_autofree char *second = service_snapshot (service, domain, "second");
  g_autofree char *image = service_image_path (service, "a.qcow2");
  g_autofree char *away = g_strconcat (image, ".away", NULL);
  const char *const snapshots[] = { first, second };

  assert_check_tells (service, domain, snapshots, "ok", /* is_news= */ FALSE);
  g_assert_cmpint (g_rename (image, away), ==, 0);
  assert_check_tells (service, domain, snapshots, "missing", /* is_news= */ TRUE);
  service_call_ill (service, first, "Snapshot", "Revert",
                    g_variant_new_parsed ("({'discard': <true>, 'wait': <true>},)"),
                    STEMMA_ERROR_CHAIN_BROKEN);
  service_stop (service);
  service_start (service, SERVICE_SYSTEM);
  assert_check_tells (service, domain, snapshots, "missing", /* is_news= */ FALSE);
  g_assert_cmpint (g_rename (away, image), ==, 0);
  assert_check_tells (service, domain, snapshots, "ok", /* is_news= */ TRUE);
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
  TEST ("the-neighbours-of-a-deleted-snapshot-are-told", test_delete);
  TEST ("users-in-other-domains-are-told", test_sharers);
  TEST ("snapshots-without-their-image-are-told-once-and-when-it-is-back", test_missing);
#undef TEST
  return g_test_run ();
}
