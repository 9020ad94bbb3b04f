/* Random histories through the bus: at each rest, what a listener believes is what a reader sees,
 * no signal told anything twice, and after a restart all is as it was. The seed is printed by
 * GTest; --seed repeats it.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "bus-picture.h"
#include "service-fixture.h"
#include "stemma-error.h"

#include <string.h>

#define N_HISTORIES 5
#define N_ACTIONS 50

static const char *const mail_images[] = { "a.qcow2", "b.qcow2", NULL };
static const char *const web_images[] = { "c.qcow2", NULL };

typedef struct
{
  Service *service;
  BusRecorder *recorder;
  BusPicture *picture; /* the listener's */
  char *domains[2];    /* NULL: undefined for good */
} History;

static const char *
pick_domain (History *history)
{
  guint i = (guint) g_test_rand_int_range (0, 2);

  return history->domains[i] != NULL ? history->domains[i] : history->domains[1 - i];
}

/* Of the interface's kind; NULL when there is none. */
static char *
pick_moment (History *history, const char *domain, const char *interface)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GVariant)
      reply = service_call (history->service, domain, interface, "List", NULL, &error);
  g_autoptr (GVariant) list = NULL;
  char *path = NULL;

  g_assert_no_error (error);
  list = g_variant_get_child_value (reply, 0);
  if (g_variant_n_children (list) > 0)
    g_variant_get_child (list, (gsize) g_test_rand_int_range (0, (int) g_variant_n_children (list)),
                         "o", &path);
  return path;
}

static gboolean
is_gone (const char *path, const GError *error)
{
  return (strstr (path, "/snapshots/") != NULL || strstr (path, "/checkpoints/") != NULL)
         && g_error_matches (error, G_DBUS_ERROR, G_DBUS_ERROR_UNKNOWN_METHOD);
}

/* Whatever comes of it, an error has a type; but a moment may have gone since it was listed, with a
 * deletion that nobody waited for. */
static void
act (History *history, const char *path, const char *interface, const char *method,
     GVariant *arguments)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GVariant)
      reply = service_call (history->service, path, interface, method, arguments, &error);

  if (reply != NULL)
    return;
  g_test_message ("%s: %s", method, error->message);
  if (is_gone (path, error))
    return;
  g_assert_true (error->domain == STEMMA_ERROR);
  g_assert_cmpint (error->code, !=, STEMMA_ERROR_FAILED);
}

static void
act_on_snapshot (History *history, const char *domain, gboolean waits)
{
  g_autofree char *snapshot = pick_moment (history, domain, "Snapshots");
  gboolean flag = g_test_rand_bit ();

  if (snapshot == NULL)
    return;
  if (g_test_rand_bit ())
    act (history, snapshot, "Snapshot", "Revert",
         g_variant_new_parsed ("({'discard': <%b>, 'wait': <%b>},)", flag, waits));
  else
    act (history, snapshot, "Snapshot", "Delete",
         g_variant_new_parsed ("({'children': <%b>, 'wait': <%b>},)", flag, waits));
}

static void
act_on_checkpoint (History *history, const char *domain, gboolean waits)
{
  g_autofree char *checkpoint = pick_moment (history, domain, "Checkpoints");
  g_autofree char *name = g_strdup_printf ("c%d", g_test_rand_int_range (0, 12));
  gboolean flag = g_test_rand_bit ();

  if (checkpoint == NULL || g_test_rand_int_range (0, 3) > 0)
    act (history, domain, "Checkpoints", "Create",
         g_variant_new_parsed ("(%s, {'wait': <%b>})", name, waits));
  else
    act (history, checkpoint, "Checkpoint", "Delete",
         g_variant_new_parsed ("({'children': <%b>, 'wait': <%b>},)", flag, waits));
}

static gboolean
is_at_rest (gpointer user_data)
{
  History *history = user_data;
  g_autoptr (GError) error = NULL;
  g_autoptr (GVariant) reply = bus_call_name (
      history->service->client, SERVICE_NAME, SERVICE_ROOT, "org.freedesktop.DBus.ObjectManager",
      "GetManagedObjects", /* arguments= */ NULL, G_DBUS_CALL_FLAGS_NONE, &error);
  g_autofree char *text = NULL;

  g_assert_no_error (error);
  text = g_variant_print (reply, FALSE);
  return strstr (text, "'State': <'running'>") == NULL
         && strstr (text, "'State': <'queued'>") == NULL;
}

/* What there is, written again as it is or under another name, or forgotten. */
static void
act_on_records (History *history, const char *domain)
{
  g_autofree char *snapshot = NULL;
  g_autofree char *name = g_strdup_printf ("s%d", g_test_rand_int_range (0, 12));
  g_autoptr (GVariant) reply = NULL;
  const char *xml = NULL;

  /* Or a document could come back whose moment, and its tag in the image, were deleted since. */
  bus_wait_until (is_at_rest, history, "all jobs to end");
  snapshot = pick_moment (history, domain, "Snapshots");
  if (snapshot == NULL)
    return;
  if (g_test_rand_int_range (0, 8) == 0)
    act (history, domain, "Snapshots", "ForgetAll", NULL);
  else if (g_test_rand_bit ())
    act (history, snapshot, "Snapshot", "Rename", g_variant_new_parsed ("(%s, @a{sv} {})", name));
  else
    {
      reply = service_call (history->service, snapshot, "Snapshot", "GetSecureXML", NULL, NULL);
      if (reply == NULL)
        return;
      g_variant_get (reply, "(&s)", &xml);
      act (history, domain, "Snapshots", "Redefine",
           g_variant_new_parsed ("(%s, {'current': <%b>})", xml, g_test_rand_bit ()));
    }
}

static void
act_on_domain (History *history, const char *domain)
{
  g_autofree char *text = g_strdup_printf ("name-%d", g_test_rand_int_range (0, 3));

  act (history, domain, "Domain", g_test_rand_bit () ? "Rename" : "SetDescription",
       g_variant_new_parsed ("(%s, @a{sv} {})", text));
}

/* Nobody but the service has touched the images: all that there can be to say is that a checkpoint
 * went with the state that a revert discarded. */
static void
check (History *history)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GVariant)
      reply = service_call (history->service, SERVICE_MANAGER, "Manager", "Check", NULL, &error);
  g_autoptr (GVariant) findings = NULL;

  g_assert_no_error (error);
  findings = g_variant_get_child_value (reply, 0);
  for (gsize i = 0; i < g_variant_n_children (findings); i++)
    {
      g_autoptr (GVariant) finding = g_variant_get_child_value (findings, i);
      g_autofree char *text = g_variant_print (finding, FALSE);

      if (strstr (text, "'kind': <'checkpoint-broken'>") == NULL)
        g_error ("finding: %s", text);
    }
}

static void
act_at_random (History *history)
{
  const char *domain = pick_domain (history);
  g_autofree char *name = g_strdup_printf ("s%d", g_test_rand_int_range (0, 12));
  const char *mode = g_test_rand_int_range (0, 3) == 0 ? "internal" : "external";
  gboolean waits = g_test_rand_int_range (0, 3) > 0;

  switch (g_test_rand_int_range (0, 12))
    {
    case 0:
    case 1:
    case 2:
    case 3:
      act (history, domain, "Snapshots", "Create",
           g_variant_new_parsed ("(%s, {'mode': <%s>, 'wait': <%b>})", name, mode, waits));
      break;
    case 4:
      act_on_domain (history, domain);
      break;
    case 5:
      check (history);
      break;
    case 6:
    case 7:
      act_on_checkpoint (history, domain, waits);
      break;
    case 8:
      act_on_records (history, domain);
      break;
    default:
      act_on_snapshot (history, domain, waits);
      break;
    }
}

/* The Generation of a domain is the last word of a change but for that of the manager. */
static void
assert_generations_last (GPtrArray *events)
{
  for (guint i = 0; i < events->len; i++)
    {
      const BusEvent *event = g_ptr_array_index (events, i);
      const BusEvent *next = i + 1 < events->len ? g_ptr_array_index (events, i + 1) : NULL;

      if (g_strcmp0 (event->interface, "org.stemma1.Domain") != 0
          || !bus_event_has_property (event, "Generation"))
        continue;
      g_assert_nonnull (next);
      g_assert_cmpstr (next->path, ==, SERVICE_MANAGER);
      g_assert_true (bus_event_has_property (next, "Generation"));
    }
}

static void
compare (History *history)
{
  g_autoptr (BusPicture) read = NULL;
  g_autoptr (GPtrArray) events = NULL;
  g_autofree char *believed = NULL;
  g_autofree char *seen = NULL;

  bus_wait_until (is_at_rest, history, "all jobs to end");
  read = bus_picture_read (history->service->client);
  events = bus_recorder_take (history->recorder);
  bus_picture_apply (history->picture, events);
  assert_generations_last (events);
  believed = bus_picture_to_text (history->picture);
  seen = bus_picture_to_text (read);
  g_assert_cmpstr (believed, ==, seen);
}

/* What must outlive the process: all but jobs, and sizes of files that nobody has looked at yet. */
static char *
lasting_text (BusPicture *picture)
{
  g_autofree char *text = bus_picture_to_text (picture);
  g_autoptr (GError) error = NULL;
  g_autoptr (GRegex) passing = g_regex_new (
      "^/org/stemma1/jobs/.*\\n|^.* Allocation = .*\\n|'allocation': <uint64 [0-9]+>",
      G_REGEX_MULTILINE, 0, &error);
  char *lasting = NULL;

  g_assert_no_error (error);
  lasting = g_regex_replace_literal (passing, text, -1, 0, "", 0, &error);
  g_assert_no_error (error);
  return lasting;
}

/* A new process shows everything from its records: a property that was not brought up to date would
 * now differ. */
static void
restart (History *history)
{
  g_autoptr (BusPicture) after = NULL;
  g_autofree char *text_before = NULL;
  g_autofree char *text_after = NULL;

  /* The health of a domain is what the last look at its images has shown. */
  check (history);
  compare (history);
  text_before = lasting_text (history->picture);
  service_stop (history->service);
  service_start (history->service, SERVICE_SYSTEM);
  check (history);
  after = bus_picture_read (history->service->client);
  text_after = lasting_text (after);
  g_assert_cmpstr (text_before, ==, text_after);
  /* What the old process said when it went is of no account. */
  g_ptr_array_unref (bus_recorder_take (history->recorder));
  bus_picture_free (history->picture);
  history->picture = g_steal_pointer (&after);
}

static void
write_something (History *history)
{
  g_autofree char *disk = g_strconcat (pick_domain (history), "/disks/vda", NULL);
  g_autofree char *source = service_get_string (history->service, disk, "Disk", "Source");

  test_image_write (source, "qcow2", (guint) g_test_rand_int_range (1, 255), 0, 65536);
}

static void
run_history (Service *service)
{
  History history = { .service = service };

  history.recorder = bus_recorder_new (service->client);
  history.picture = bus_picture_read (service->client);
  history.domains[0] = service_define (service, "mail", mail_images);
  history.domains[1] = service_define (service, "web", web_images);
  for (guint i = 0; i < N_ACTIONS; i++)
    {
      act_at_random (&history);
      if (i % 5 == 4)
        {
          compare (&history);
          write_something (&history);
        }
    }

  restart (&history);
  for (guint i = 0; i < G_N_ELEMENTS (history.domains); i++)
    {
      g_free (
          service_call_well (service, history.domains[i], "Domain", "Undefine",
                             g_variant_new_parsed ("({'moments': <'delete'>, 'wait': <true>},)")));
      compare (&history);
      g_free (history.domains[i]);
    }
  bus_picture_free (history.picture);
  bus_recorder_free (history.recorder);
}

static void
test_picture (Service *service, gconstpointer unused)
{
  for (guint i = 0; i < N_HISTORIES; i++)
    run_history (service);
}

int
main (int argc, char **argv)
{
  const char *program = NULL;

  g_test_init (&argc, &argv, NULL);
  stemma_error_quark ();
  program = argv[1];
  g_assert_nonnull (program);
  g_test_add ("/daemon/histories/a-listener-believes-what-a-reader-sees", Service, program,
              service_set_up, test_picture, service_tear_down);
  return g_test_run ();
}
