/* Checkpoints on the bus: what is made, shown, told and refused. The real service on real images;
 * what the bitmaps hold is tested in tests/ops.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "bus-recorder.h"
#include "service-fixture.h"
#include "stemma-error.h"

#include <string.h>

static const char *const two_images[] = { "a.qcow2", "b.qcow2", NULL };

static char *
checkpoint (Service *service, const char *domain, const char *name)
{
  return service_call_well (service, domain, "Checkpoints", "Create",
                            g_variant_new_parsed ("(%s, {'wait': <true>})", name));
}

static char *
call_text (Service *service, const char *path, const char *interface, const char *method,
           const char *arguments)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GVariant) parsed = g_variant_parse (NULL, arguments, NULL, NULL, &error);
  g_autoptr (GVariant) reply = NULL;

  g_assert_no_error (error);
  reply = service_call (service, path, interface, method, parsed, &error);
  g_assert_no_error (error);
  return g_variant_print (reply, FALSE);
}

static void
assert_contains (const char *text, const char *part)
{
  if (strstr (text, part) == NULL)
    g_error ("'%s' is not in: %s", part, text);
}

static void
assert_string (Service *service, const char *path, const char *interface, const char *property,
               const char *expected)
{
  g_autofree char *value = service_get_string (service, path, interface, property);

  g_assert_cmpstr (value, ==, expected);
}

static void
assert_count (Service *service, const char *domain, guint expected)
{
  g_autoptr (GVariant) count = service_get (service, domain, "Checkpoints", "Count");

  g_assert_cmpuint (g_variant_get_uint32 (count), ==, expected);
}

/* What qemu-img says of the bitmaps of an image. */
static char *
bitmaps_of (Service *service, const char *file_name)
{
  g_autofree char *path = service_image_path (service, file_name);

  return test_run ("qemu-img", "info", "--output=json", path, NULL);
}

static void
test_line (Service *service, gconstpointer unused)
{
  g_autofree char *domain = service_define (service, "mail", two_images);
  g_autofree char *first = NULL;
  g_autofree char *second = NULL;
  g_autofree char *of_a = NULL;
  g_autofree char *of_b = NULL;
  g_autoptr (GVariant) disks = NULL;
  g_autofree char *text = NULL;

  assert_string (service, domain, "Checkpoints", "Leaf", "/");
  first = checkpoint (service, domain, "first");
  assert_string (service, domain, "Checkpoints", "Leaf", first);
  assert_string (service, first, "Checkpoint", "Parent", "/");
  second = service_call_well (
      service, domain, "Checkpoints", "Create",
      g_variant_new_parsed (
          "('second', {'disks': <['vda']>, 'description': <'of one disk'>, 'durable': <true>, "
          "'quiesce': <'try'>, 'wait': <true>})"));
  assert_string (service, second, "Checkpoint", "Parent", first);
  assert_string (service, second, "Checkpoint", "Description", "of one disk");
  assert_string (service, second, "Checkpoint", "Health", "ok");
  assert_string (service, domain, "Checkpoints", "Leaf", second);
  assert_count (service, domain, 2);
  disks = service_get (service, second, "Checkpoint", "Disks");
  text = g_variant_print (disks, FALSE);
  g_assert_cmpstr (text, ==, "[{'target': <'vda'>, 'bitmap': <'second'>, 'health': <'ok'>}]");

  of_a = bitmaps_of (service, "a.qcow2");
  of_b = bitmaps_of (service, "b.qcow2");
  assert_contains (of_a, "\"second\"");
  assert_contains (of_b, "\"first\"");
  g_assert_null (strstr (of_b, "\"second\""));
}

static void
test_with_snapshot (Service *service, gconstpointer unused)
{
  g_autofree char *domain = service_define (service, "mail", two_images);
  g_autofree char *plan = call_text (service, domain, "Snapshots", "PlanCreate",
                                     "('', {'name': <'s'>, 'checkpoint': <'c'>})");
  g_autofree char *snapshot = service_call_well (
      service, domain, "Snapshots", "Create",
      g_variant_new_parsed ("('s', {'checkpoint': <'c'>, 'wait': <true>})"));
  g_autofree char *made = service_call_well (service, domain, "Checkpoints", "Find",
                                             g_variant_new_parsed ("('c', @a{sv} {})"));

  assert_contains (plan, "'step': <'bitmap'>");
  assert_contains (plan, "'c'");
  assert_string (service, snapshot, "Snapshot", "Health", "ok");
  assert_string (service, made, "Checkpoint", "Health", "ok");
  assert_string (service, domain, "Checkpoints", "Leaf", made);
}

static void
test_signals (Service *service, gconstpointer unused)
{
  g_autofree char *domain = service_define (service, "mail", two_images);
  g_autofree char *first = checkpoint (service, domain, "first");
  g_autoptr (BusRecorder) recorder = bus_recorder_new (service->client);
  g_autofree char *second = checkpoint (service, domain, "second");
  g_autoptr (GPtrArray) events = bus_recorder_take (recorder);
  g_autoptr (GPtrArray) later = NULL;
  guint added = bus_events_find (events, 0, BUS_EVENT_ADDED, second, NULL);
  guint leaf = bus_events_find (events, added, BUS_EVENT_CHANGED, domain, "Leaf");
  guint parent = bus_events_find (events, added, BUS_EVENT_CHANGED, first, "ChildCount");
  guint generation = bus_events_find (events, MAX (leaf, parent), BUS_EVENT_CHANGED, domain,
                                      "Generation");
  guint completed = bus_events_find (events, generation, BUS_EVENT_COMPLETED, NULL, NULL);
  guint removed = 0;

  g_assert_cmpuint (bus_events_find (events, completed, BUS_EVENT_REPLY, NULL, NULL), ==,
                    events->len - 1);
  g_free (service_call_well (service, first, "Checkpoint", "Delete",
                             g_variant_new_parsed ("({'wait': <true>},)")));
  later = bus_recorder_take (recorder);
  removed = bus_events_find (later, 0, BUS_EVENT_REMOVED, first, NULL);
  g_assert_cmpuint (bus_events_find (later, 0, BUS_EVENT_CHANGED, second, "Parent"), <, removed);
  bus_events_find (later, removed, BUS_EVENT_CHANGED, domain, "Generation");
}

static void
test_delete (Service *service, gconstpointer unused)
{
  g_autofree char *domain = service_define (service, "mail", two_images);
  g_autofree char *first = checkpoint (service, domain, "first");
  g_autofree char *second = checkpoint (service, domain, "second");
  g_autofree char *third = checkpoint (service, domain, "third");
  g_autofree char *plan = NULL;
  g_autofree char *after_record = NULL;
  g_autofree char *after_all = NULL;

  service_call_ill (service, first, "Checkpoint", "Delete",
                    g_variant_new_parsed ("({'children': <true>, 'children-only': <true>},)"),
                    STEMMA_ERROR_INVALID_ARGUMENT);
  plan = call_text (service, second, "Checkpoint", "PlanDelete", "(@a{sv} {},)");
  assert_contains (plan, "'step': <'unbitmap'>");
  g_free (
      service_call_well (service, second, "Checkpoint", "Delete",
                         g_variant_new_parsed ("({'metadata-only': <true>, 'wait': <true>},)")));
  assert_string (service, third, "Checkpoint", "Parent", first);
  after_record = bitmaps_of (service, "a.qcow2");
  assert_contains (after_record, "\"second\"");
  g_free (service_call_well (service, first, "Checkpoint", "Delete",
                             g_variant_new_parsed ("({'children': <true>, 'wait': <true>},)")));
  assert_count (service, domain, 0);
  assert_string (service, domain, "Checkpoints", "Leaf", "/");
  after_all = bitmaps_of (service, "a.qcow2");
  g_assert_null (strstr (after_all, "\"first\""));
  g_assert_null (strstr (after_all, "\"third\""));
}

/* After a revert to before them, the checkpoints of the branch that was left are unreachable, the
 * plan had said so, and the next one begins a line of its own. */
static void
test_unreachable (Service *service, gconstpointer unused)
{
  g_autofree char *domain = service_define (service, "mail", two_images);
  g_autofree char *base = service_snapshot (service, domain, "base");
  g_autofree char *left = checkpoint (service, domain, "left");
  g_autofree char *kept = service_snapshot (service, domain, "kept");
  g_autofree char *plan = call_text (service, base, "Snapshot", "PlanRevert", "(@a{sv} {},)");
  g_autofree char *other = NULL;
  g_autofree char *named = g_strdup_printf ("('x', {'parent': <objectpath '%s'>})", left);
  g_autoptr (GVariant) arguments = g_variant_parse (NULL, named, NULL, NULL, NULL);

  assert_contains (plan, "'step': <'unreachable'>");
  assert_contains (plan, "left");
  g_free (service_call_well (service, base, "Snapshot", "Revert",
                             g_variant_new_parsed ("({'wait': <true>},)")));
  assert_string (service, left, "Checkpoint", "Health", "unreachable");
  assert_string (service, domain, "Checkpoints", "Leaf", "/");
  service_call_ill (service, domain, "Checkpoints", "Create", arguments, STEMMA_ERROR_WRONG_STATE);
  other = checkpoint (service, domain, "other");
  assert_string (service, other, "Checkpoint", "Parent", "/");
  /* That the state being left is all that has one's bitmap counts like unsaved data. */
  service_call_ill (service, kept, "Snapshot", "Revert",
                    g_variant_new_parsed ("({'wait': <true>},)"), STEMMA_ERROR_UNSAVED_STATE);
  g_free (service_call_well (service, kept, "Snapshot", "Revert",
                             g_variant_new_parsed ("({'keep': <'k'>, 'wait': <true>},)")));
  assert_string (service, left, "Checkpoint", "Health", "ok");
  assert_string (service, other, "Checkpoint", "Health", "unreachable");
  assert_string (service, domain, "Checkpoints", "Leaf", left);
}

typedef struct
{
  const char *method;
  const char *arguments;
  const char *named;
  int code;
} Vector;

static const Vector refused[] = {
  { "Create", "('c', {'mode': <'internal'>})", "'mode'", STEMMA_ERROR_INVALID_ARGUMENT },
  { "Create", "('c', {'wait': <1>})", "'wait'", STEMMA_ERROR_INVALID_ARGUMENT },
  { "Create", "('c', {'durable': <'yes'>})", "'durable'", STEMMA_ERROR_INVALID_ARGUMENT },
  { "Create", "('c', {'quiesce': <'require'>})", "'quiesce'", STEMMA_ERROR_WRONG_STATE },
  { "Create", "('c', {'parent': <objectpath '/a'>})", "'parent'", STEMMA_ERROR_NOT_FOUND },
  { "Create", "('c', {'disks': <['vdz']>})", "vdz", STEMMA_ERROR_NOT_FOUND },
  { "Create", "('one', @a{sv} {})", "'one'", STEMMA_ERROR_ALREADY_EXISTS },
  { "Create", "('a b', @a{sv} {})", "", STEMMA_ERROR_INVALID_ARGUMENT },
  { "Create", "('.a', @a{sv} {})", "", STEMMA_ERROR_INVALID_ARGUMENT },
  { "Create", "('a/b', @a{sv} {})", "", STEMMA_ERROR_INVALID_ARGUMENT },
  { "CreateXML", "('<domaincheckpoint>', @a{sv} {})", "", STEMMA_ERROR_INVALID_XML },
  { "CreateXML", "('<domainsnapshot/>', @a{sv} {})", "", STEMMA_ERROR_INVALID_XML },
  { "CreateXML", "('<domaincheckpoint/>', {'name': <'x'>})", "'name'",
    STEMMA_ERROR_INVALID_ARGUMENT },
  { "PlanCreate", "('', {'nmae': <'x'>})", "'nmae'", STEMMA_ERROR_INVALID_ARGUMENT },
  { "List", "({'states': <['shutoff']>},)", "'states'", STEMMA_ERROR_INVALID_ARGUMENT },
  { "List", "({'location': <'internal'>},)", "'location'", STEMMA_ERROR_INVALID_ARGUMENT },
  { "List", "({'from': <objectpath '/a'>},)", "'from'", STEMMA_ERROR_NOT_FOUND },
  { "ListProperties", "({'descendants': <true>},)", "'descendants'",
    STEMMA_ERROR_INVALID_ARGUMENT },
  { "Find", "('nobody', @a{sv} {})", "'nobody'", STEMMA_ERROR_NOT_FOUND },
};

static void
test_refusals (Service *service, gconstpointer unused)
{
  g_autofree char *domain = service_define (service, "mail", two_images);
  guint64 before = 0;

  g_free (checkpoint (service, domain, "one"));
  before = service_get_generation (service, domain, "Domain");
  for (gsize i = 0; i < G_N_ELEMENTS (refused); i++)
    {
      g_autoptr (GError) error = NULL;
      g_autoptr (GVariant)
          arguments = g_variant_parse (NULL, refused[i].arguments, NULL, NULL, &error);
      g_autoptr (GVariant) reply = NULL;

      g_test_message ("%s %s", refused[i].method, refused[i].arguments);
      g_assert_no_error (error);
      reply = service_call (service, domain, "Checkpoints", refused[i].method, arguments, &error);
      g_assert_error (error, STEMMA_ERROR, refused[i].code);
      assert_contains (error->message, refused[i].named);
    }
  g_assert_cmpuint (service_get_generation (service, domain, "Domain"), ==, before);
}

static void
test_lists (Service *service, gconstpointer unused)
{
  g_autofree char *domain = service_define (service, "mail", two_images);
  g_autofree char *first = checkpoint (service, domain, "first");
  g_autofree char *second = checkpoint (service, domain, "second");
  g_autofree char *third = checkpoint (service, domain, "third");
  g_autofree char *all_expected = g_strdup_printf ("(['%s', '%s', '%s'],)", first, second, third);
  g_autofree char *root_expected = g_strdup_printf ("(['%s'],)", first);
  g_autofree char *leaf_expected = g_strdup_printf ("(['%s'],)", third);
  g_autofree char *below_expected = g_strdup_printf ("(['%s', '%s'],)", second, third);
  g_autofree char *from = g_strdup_printf ("({'from': <objectpath '%s'>, 'descendants': <true>},)",
                                           first);
  g_autofree char *all = call_text (service, domain, "Checkpoints", "List",
                                    "({'topological': <true>},)");
  g_autofree char *roots = call_text (service, domain, "Checkpoints", "List",
                                      "({'roots': <true>},)");
  g_autofree char *leaves = call_text (service, domain, "Checkpoints", "List",
                                       "({'leaves': <true>},)");
  g_autofree char *below = call_text (service, domain, "Checkpoints", "List", from);

  g_assert_cmpstr (all, ==, all_expected);
  g_assert_cmpstr (roots, ==, root_expected);
  g_assert_cmpstr (leaves, ==, leaf_expected);
  g_assert_cmpstr (below, ==, below_expected);
}

static void
test_documents (Service *service, gconstpointer unused)
{
  g_autofree char *domain = service_define (service, "mail", two_images);
  g_autofree char *made = service_call_well (
      service, domain, "Checkpoints", "CreateXML",
      g_variant_new_parsed ("('<domaincheckpoint><name>c</name><description>d</description><disks>"
                            "<disk name=\"vdb\"/></disks></domaincheckpoint>', {'wait': <true>})"));
  g_autofree char *plan = call_text (service, domain, "Checkpoints", "PlanCreate",
                                     "('<domaincheckpoint><name>e</name></domaincheckpoint>', "
                                     "@a{sv} {})");
  g_autofree char *with = call_text (service, made, "Checkpoint", "GetXML", "(@a{sv} {},)");
  g_autofree char *without = call_text (service, made, "Checkpoint", "GetXML",
                                        "({'no-domain': <true>},)");
  g_autofree char *secure = call_text (service, made, "Checkpoint", "GetSecureXML", "(@a{sv} {},)");

  assert_string (service, made, "Checkpoint", "Description", "d");
  assert_contains (plan, "'step': <'bitmap'>");
  assert_contains (with, "<domaincheckpoint>");
  assert_contains (with, "<domain");
  assert_contains (with, "checkpoint='no'");
  g_assert_null (strstr (with, "secret=1"));
  assert_contains (secure, "secret=1");
  g_assert_null (strstr (without, "<domain "));
  service_call_ill (service, made, "Checkpoint", "GetXML",
                    g_variant_new_parsed ("({'size': <true>},)"), STEMMA_ERROR_NOT_SUPPORTED);
  service_call_ill (service, made, "Checkpoint", "GetXML",
                    g_variant_new_parsed ("({'bogus': <true>},)"), STEMMA_ERROR_INVALID_ARGUMENT);
}

static void
test_description (Service *service, gconstpointer unused)
{
  g_autofree char *domain = service_define (service, "mail", two_images);
  g_autofree char *first = checkpoint (service, domain, "first");
  g_autofree char *long_text = g_strnfill (17 * 1024, 'd');
  g_autoptr (BusRecorder) recorder = bus_recorder_new (service->client);
  g_autoptr (GPtrArray) events = NULL;
  guint told = 0;

  g_free (service_call_well (service, first, "Checkpoint", "SetDescription",
                             g_variant_new_parsed ("('two\\nlines', @a{sv} {})")));
  events = bus_recorder_take (recorder);
  told = bus_events_find (events, 0, BUS_EVENT_CHANGED, first, "Description");
  bus_events_find (events, told, BUS_EVENT_REPLY, NULL, NULL);
  service_call_ill (service, first, "Checkpoint", "SetDescription",
                    g_variant_new_parsed ("(%s, @a{sv} {})", long_text), STEMMA_ERROR_TOO_LARGE);
  service_call_ill (service, first, "Checkpoint", "SetDescription",
                    g_variant_new_parsed ("('x', {'wait': <true>})"),
                    STEMMA_ERROR_INVALID_ARGUMENT);
  assert_string (service, first, "Checkpoint", "Description", "two\nlines");
}

/* Each asks its action, and says what it is about. */
static void
test_permissions (Service *service, gconstpointer unused)
{
  g_autofree char *domain = service_define (service, "mail", two_images);
  g_autofree char *first = checkpoint (service, domain, "first");
  const struct
  {
    const char *path;
    const char *interface;
    const char *method;
    const char *arguments;
    const char *action;
  } calls[] = {
    { domain, "Checkpoints", "Create", "('x', @a{sv} {})", "org.stemma1.checkpoint.create" },
    { domain, "Checkpoints", "CreateXML", "('', @a{sv} {})", "org.stemma1.checkpoint.create" },
    { domain, "Checkpoints", "Redefine", "('', @a{sv} {})", "org.stemma1.snapshot.redefine" },
    { domain, "Checkpoints", "ForgetAll", "(@a{sv} {},)", "org.stemma1.checkpoint.delete" },
    { domain, "Snapshots", "RedefineAll", "(@as [], @a{sv} {})", "org.stemma1.snapshot.redefine" },
    { domain, "Snapshots", "ForgetAll", "(@a{sv} {},)", "org.stemma1.snapshot.delete" },
    { first, "Checkpoint", "Delete", "(@a{sv} {},)", "org.stemma1.checkpoint.delete" },
    { first, "Checkpoint", "SetDescription", "('', @a{sv} {})", "org.stemma1.domain.modify" },
    { first, "Checkpoint", "GetXML", "(@a{sv} {},)", "org.stemma1.domain.read" },
    { first, "Checkpoint", "GetSecureXML", "(@a{sv} {},)", "org.stemma1.domain.read-secrets" },
  };

  mock_polkit_answer ("", "deny");
  for (gsize i = 0; i < G_N_ELEMENTS (calls); i++)
    {
      g_autoptr (GVariant) arguments = g_variant_parse (NULL, calls[i].arguments, NULL, NULL, NULL);
      g_autoptr (GVariant) questions = NULL;
      g_autoptr (GVariant) last = NULL;
      g_autoptr (GVariant) details = NULL;
      const char *action = NULL;
      const char *kind = NULL;

      g_test_message ("%s.%s", calls[i].interface, calls[i].method);
      service_call_ill (service, calls[i].path, calls[i].interface, calls[i].method, arguments,
                        STEMMA_ERROR_NOT_AUTHORIZED);
      questions = mock_polkit_questions ();
      last = g_variant_get_child_value (questions, g_variant_n_children (questions) - 1);
      g_variant_get (last, "(&s&s@a{ss}u)", NULL, &action, &details, NULL);
      g_assert_cmpstr (action, ==, calls[i].action);
      g_assert_true (g_variant_lookup (details, "kind", "&s", &kind));
      g_assert_cmpstr (kind, ==,
                       g_str_has_prefix (calls[i].interface, "Checkpoint") ? "checkpoint"
                                                                           : "snapshot");
      if (calls[i].path == first)
        g_assert_true (g_variant_lookup (details, "checkpoint", "&s", &kind));
    }
  assert_count (service, domain, 1);
}

static void
test_gone_under_prompt (Service *service, gconstpointer unused)
{
  g_autofree char *domain = service_define (service, "mail", two_images);
  g_autofree char *first = checkpoint (service, domain, "first");
  BusCall *describe = NULL;
  g_autoptr (GError) error = NULL;
  g_autoptr (GVariant) reply = NULL;

  mock_polkit_answer ("org.stemma1.domain.modify", "hold");
  describe = service_call_begin (service, service->client, first, "Checkpoint", "SetDescription",
                                 g_variant_new_parsed ("('x', @a{sv} {})"));
  mock_polkit_wait_held (1);
  g_free (service_call_well (service, first, "Checkpoint", "Delete",
                             g_variant_new_parsed ("({'wait': <true>},)")));
  /* Another one of the same name is another object. */
  g_free (checkpoint (service, domain, "first"));
  mock_polkit_release ("allow");
  reply = bus_call_end (describe, &error);
  g_assert_error (error, STEMMA_ERROR, STEMMA_ERROR_NOT_FOUND);
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
  g_test_add ("/daemon/checkpoints/" path, Service, program, service_set_up, function,             \
              service_tear_down)
  TEST ("each-follows-the-one-before", test_line);
  TEST ("one-is-begun-with-a-snapshot", test_with_snapshot);
  TEST ("its-neighbours-and-the-leaf-are-told-before-the-generation", test_signals);
  TEST ("deletion-takes-the-bitmaps-unless-only-the-record-goes", test_delete);
  TEST ("a-revert-leaves-and-finds-lines", test_unreachable);
  TEST ("what-cannot-be-is-refused-and-changes-nothing", test_refusals);
  TEST ("lists-are-filtered", test_lists);
  TEST ("documents-go-in-and-out", test_documents);
  TEST ("a-description-is-changed", test_description);
  TEST ("each-method-asks-its-action", test_permissions);
  TEST ("one-that-went-under-the-prompt-is-not-found", test_gone_under_prompt);
#undef TEST
  return g_test_run ();
}
