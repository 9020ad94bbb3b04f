/* What the bus shows of moments: that it is all and only what the introspection XML promises, and
 * that its size on the wire is known before it is sent.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "stm-moment-view.h"
#include "stm-wire-size.h"

#define DOMAIN_PATH "/org/stemma1/domains/0123456789abcdef0123456789abcdef"
#define ID "00000000000000000000000000000001"
#define PARENT "00000000000000000000000000000002"

static const StmMomentDisk snapshot_disks[] = {
  { .target = "vda",
    .mode = STM_MODE_EXTERNAL,
    .frozen = "/i/a.qcow2",
    .overlay = "/i/a.s",
    .format = "qcow2" },
  { .target = "vdb",
    .mode = STM_MODE_INTERNAL,
    .frozen = "/i/b.qcow2",
    .format = "qcow2",
    .tag = "s" },
  { .target = "vdc", .mode = STM_MODE_NONE },
};

static const StmMomentDisk checkpoint_disks[] = {
  { .target = "vda",
    .mode = STM_MODE_BITMAP,
    .frozen = "/i/a.qcow2",
    .format = "qcow2",
    .bitmap = "s-2" },
  { .target = "vdb", .mode = STM_MODE_NONE },
};

static StmMoment *
make_moment (StmMomentKind kind, const char *description)
{
  gboolean is_snapshot = kind == STM_MOMENT_SNAPSHOT;

  return stm_moment_new (&(StmMoment){
      .kind = kind,
      .id = ID,
      .name = "s",
      .parent = PARENT,
      .description = description,
      .created = 1700000000,
      .state = STM_STATE_SHUTOFF,
      .health = STM_HEALTH_OK,
      .disks = is_snapshot ? snapshot_disks : checkpoint_disks,
      .n_disks = is_snapshot ? G_N_ELEMENTS (snapshot_disks) : G_N_ELEMENTS (checkpoint_disks),
  });
}

static StmMomentView
view_of (StmEntryCache *cache, const StmMoment *moment)
{
  return (StmMomentView){
    .cache = cache, .domain_path = DOMAIN_PATH, .moment = moment, .n_children = 3
  };
}

static void
test_complete (gconstpointer data)
{
  StmMomentKind kind = GPOINTER_TO_UINT (data);
  g_autoptr (StmEntryCache) cache = stm_entry_cache_new ();
  g_autoptr (StmMoment) moment = make_moment (kind, "d");
  StmMomentView view = view_of (cache, moment);
  g_autoptr (GVariant) all = g_variant_ref_sink (stm_moment_view_get_all (&view));
  const GDBusInterfaceInfo *interface = stm_moment_interface (kind);
  gsize n_properties = 0;

  for (; interface->properties[n_properties] != NULL; n_properties++)
    {
      const GDBusPropertyInfo *property = interface->properties[n_properties];
      g_autoptr (GVariant) shown = g_variant_lookup_value (all, property->name, NULL);
      g_autoptr (GVariant) got = stm_moment_view_get (&view, property->name);

      g_test_message ("%s", property->name);
      g_assert_nonnull (shown);
      g_assert_cmpstr (g_variant_get_type_string (shown), ==, property->signature);
      g_assert_true (g_variant_equal (shown, got));
    }
  g_assert_cmpuint (g_variant_n_children (all), ==, n_properties);
  g_assert_null (stm_moment_view_get (&view, "NoSuchProperty"));
}

static void
assert_shown (const StmMomentView *view, const char *property, const char *expected)
{
  g_autoptr (GVariant) value = stm_moment_view_get (view, property);
  g_autofree char *text = g_variant_print (value, FALSE);

  g_assert_cmpstr (text, ==, expected);
}

static void
test_snapshot (void)
{
  g_autoptr (StmEntryCache) cache = stm_entry_cache_new ();
  g_autoptr (StmMoment) moment = make_moment (STM_MOMENT_SNAPSHOT, "d");
  StmMomentView view = view_of (cache, moment);

  assert_shown (&view, "Parent", "'" DOMAIN_PATH "/snapshots/" PARENT "'");
  assert_shown (&view, "Domain", "'" DOMAIN_PATH "'");
  assert_shown (&view, "Location", "'mixed'");
  assert_shown (&view, "Memory", "'none'");
  assert_shown (&view, "Current", "false");
  assert_shown (&view, "ChildCount", "3");
  assert_shown (&view, "Disks",
                "[{'target': <'vda'>, 'mode': <'external'>, 'frozen': <'/i/a.qcow2'>, "
                "'overlay': <'/i/a.s'>, 'format': <'qcow2'>}, {'target': <'vdb'>, "
                "'mode': <'internal'>, 'frozen': <'/i/b.qcow2'>, 'format': <'qcow2'>, "
                "'tag': <'s'>}, {'target': <'vdc'>, 'mode': <'none'>}]");
}

static void
test_checkpoint (void)
{
  g_autoptr (StmEntryCache) cache = stm_entry_cache_new ();
  g_autoptr (StmMoment) moment = make_moment (STM_MOMENT_CHECKPOINT, "d");
  StmMomentView view = view_of (cache, moment);

  assert_shown (&view, "Parent", "'" DOMAIN_PATH "/checkpoints/" PARENT "'");
  assert_shown (&view, "Disks", "[{'target': <'vda'>, 'bitmap': <'s-2'>, 'health': <'ok'>}]");
}

static void
assert_differs (const StmMomentView *before, const StmMomentView *now, const char *expected)
{
  g_autoptr (GVariant) changed = stm_moment_view_compare (before, now);
  g_autofree char *text = NULL;

  if (changed != NULL)
    {
      g_variant_ref_sink (changed);
      text = g_variant_print (changed, FALSE);
    }
  g_assert_cmpstr (text, ==, expected);
}

static void
test_compare (void)
{
  g_autoptr (StmEntryCache) cache = stm_entry_cache_new ();
  g_autoptr (StmMoment) moment = make_moment (STM_MOMENT_SNAPSHOT, "d");
  g_autoptr (StmMoment) same = make_moment (STM_MOMENT_SNAPSHOT, "d");
  g_autoptr (StmMoment) other = make_moment (STM_MOMENT_SNAPSHOT, "e");
  StmMomentView before = view_of (cache, moment);
  StmMomentView now = view_of (cache, moment);

  assert_differs (&before, &now, NULL);
  now.moment = same;
  assert_differs (&before, &now, NULL);
  now.moment = other;
  assert_differs (&before, &now, "{'Description': <'e'>}");
  now = before;
  now.n_children = 4;
  now.is_current = TRUE;
  assert_differs (&before, &now, "{'ChildCount': <uint32 4>, 'Current': <true>}");
}

/* Against what GDBus writes: a message without a body has the size of its head. */
static gsize
measure (GVariant *body)
{
  g_autoptr (GDBusMessage) message = g_dbus_message_new_signal ("/a", "a.b", "C");
  g_autofree guchar *bytes = NULL;
  g_autoptr (GError) error = NULL;
  gsize size = 0;
  gsize body_size = 0;

  g_dbus_message_set_body (message, body);
  bytes = g_dbus_message_to_blob (message, &size, G_DBUS_CAPABILITY_FLAGS_NONE, &error);
  g_assert_no_error (error);
  /* The length of the body stands in the second word of the head, in the host's order. */
  body_size = ((const guint32 *) (gconstpointer) bytes)[1];
  g_assert_cmpuint (body_size, <, size);
  return body_size;
}

static void
test_wire_size (void)
{
  const char *const texts[] = {
    "(byte 1, true)",
    "(int16 1, byte 2, uint16 3, int32 4, byte 5, int64 6, 1.5)",
    "('', 'a', objectpath '/a/b', signature 'a{sv}')",
    "(@as [], @at [], @a(yv) [])",
    "([byte 1, 2, 3], [uint64 1, 2])",
    "(@v <(byte 1, uint64 2)>, <@a{sv} {}>, {'k': <uint32 1>, 'longer': <['a', 'b']>})",
    "({objectpath '/a': {'i': {'p': <[{'x': <'y'>}, {'z': <true>}]>}}},)",
  };

  for (gsize i = 0; i < G_N_ELEMENTS (texts); i++)
    {
      g_autoptr (GError) error = NULL;
      g_autoptr (GVariant) value = g_variant_parse (NULL, texts[i], NULL, NULL, &error);

      g_test_message ("%s", texts[i]);
      g_assert_no_error (error);
      g_assert_cmpuint (stm_wire_end (value, 0), ==, measure (value));
    }
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_data_func ("/daemon/moment-view/a-snapshot-has-every-property-of-its-introspection",
                        GUINT_TO_POINTER (STM_MOMENT_SNAPSHOT), test_complete);
  g_test_add_data_func ("/daemon/moment-view/a-checkpoint-has-every-property-of-its-introspection",
                        GUINT_TO_POINTER (STM_MOMENT_CHECKPOINT), test_complete);
  g_test_add_func ("/daemon/moment-view/a-snapshot-is-shown-as-it-is", test_snapshot);
  g_test_add_func ("/daemon/moment-view/a-checkpoint-is-shown-as-it-is", test_checkpoint);
  g_test_add_func ("/daemon/moment-view/only-what-differs-is-told", test_compare);
  g_test_add_func ("/daemon/moment-view/the-size-on-the-wire-is-known-beforehand", test_wire_size);
  return g_test_run ();
}
