/* A change: what its builders make of repeated calls, and how it comes back from the journal.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "stm-samples.h"

#define ID "d0000000000000000000000000000001"
#define MOMENT "00000000000000000000000000000001"

static void
test_empty (void)
{
  g_autoptr (StmChange) change = stm_change_new (ID);

  g_assert_true (stm_change_is_empty (change));
  stm_change_set_current (change, NULL);
  g_assert_false (stm_change_is_empty (change));
}

static void
test_each_member_counts (void)
{
  for (guint i = 0; i < 8; i++)
    {
      g_autoptr (StmChange) change = stm_change_new (ID);

      if (i == 0)
        stm_sample_set_domain (change, "n", 0);
      if (i == 1)
        change->removes_domain = TRUE;
      if (i == 2)
        change->definition_text = g_strdup ("<domain/>");
      if (i == 3)
        stm_sample_put_snapshot (change, 1, 0, 0);
      if (i == 4)
        stm_sample_remove_moment (change, 1);
      if (i == 5)
        stm_sample_put_image (change, 1, 0);
      if (i == 6)
        stm_sample_remove_image (change, 1);
      if (i == 7)
        stm_change_add_text (change, "5f", "<cookie/>");
      g_assert_false (stm_change_is_empty (change));
    }
}

static void
test_later_put_replaces (void)
{
  g_autoptr (StmChange) change = stm_change_new (ID);
  g_autoptr (StmMoment) first = stm_sample_snapshot (1, 0, 0);
  g_autoptr (StmMoment) renamed = stm_moment_with_name (first, "renamed");

  stm_change_put_moment (change, first);
  stm_sample_put_snapshot (change, 2, 1, 0);
  stm_change_put_moment (change, renamed);
  g_assert_cmpuint (change->put_moments->len, ==, 2);
  g_assert_true (change->put_moments->pdata[0] == renamed);
  stm_change_put_moment (change, renamed);
  g_assert_cmpuint (change->put_moments->len, ==, 2);

  stm_sample_put_image (change, 1, 0);
  stm_sample_put_image (change, 1, 2);
  g_assert_cmpuint (change->put_images->len, ==, 1);
  g_assert_cmpstr (((StmImage *) change->put_images->pdata[0])->backing, ==, "/v/2.qcow2");
}

static void
test_last_of_put_and_remove_counts (void)
{
  g_autoptr (StmChange) change = stm_change_new (ID);

  for (guint i = 1; i <= 3; i++)
    stm_sample_put_snapshot (change, i, 0, 0);
  /* By the very string of the value that goes. */
  stm_change_remove_moment (change, ((StmMoment *) change->put_moments->pdata[0])->id);
  g_assert_cmpuint (change->put_moments->len, ==, 2);
  g_assert_cmpuint (change->removed_moments->len, ==, 1);
  stm_sample_remove_moment (change, 1);
  g_assert_cmpuint (change->removed_moments->len, ==, 1);
  stm_sample_remove_moment (change, 3);
  stm_sample_remove_moment (change, 2);
  g_assert_cmpuint (change->put_moments->len, ==, 0);
  g_assert_cmpuint (change->removed_moments->len, ==, 3);
  stm_sample_put_snapshot (change, 1, 0, 0);
  g_assert_cmpuint (change->put_moments->len, ==, 1);
  g_assert_cmpuint (change->removed_moments->len, ==, 2);

  stm_sample_put_image (change, 1, 0);
  stm_sample_remove_image (change, 1);
  g_assert_cmpuint (change->put_images->len, ==, 0);
  stm_sample_put_image (change, 1, 0);
  g_assert_cmpuint (change->removed_images->len, ==, 0);
}

static void
test_many_moments (void)
{
  g_autoptr (StmChange) change = stm_change_new (ID);

  for (guint round = 0; round < 2; round++)
    for (guint i = 1; i <= 50000; i++)
      stm_sample_put_snapshot (change, i, i - 1, 0);
  g_assert_cmpuint (change->put_moments->len, ==, 50000);
}

static StmChange *
make_full_change (void)
{
  g_autoptr (StmChange) change = stm_change_new (ID);
  g_autoptr (StmMoment) checkpoint = stm_sample_checkpoint (20, 0);

  stm_sample_set_domain (change, "name", 3);
  change->definition_text = g_strdup ("<domain>\n ä</domain>");
  stm_change_add_text (change, "6f", "<domain/>");
  stm_change_add_text (change, "5f", "<cookie>ä</cookie>");
  stm_sample_put_snapshot (change, 2, 1, 1);
  stm_sample_put_snapshot (change, 1, 0, 0);
  stm_change_put_moment (change, checkpoint);
  stm_sample_remove_moment (change, 8);
  stm_sample_remove_moment (change, 9);
  stm_sample_set_current (change, 2);
  stm_sample_put_image (change, 3, 1);
  stm_sample_put_image (change, 1, 0);
  stm_sample_remove_image (change, 7);

  return g_steal_pointer (&change);
}

static GVariant *
to_bytes_and_back (StmChange *change)
{
  g_autoptr (GVariant) variant = g_variant_ref_sink (stm_change_to_variant (change));
  g_autoptr (GBytes) bytes = g_variant_get_data_as_bytes (variant);

  return g_variant_ref_sink (g_variant_new_from_bytes (STM_CHANGE_TYPE, bytes, FALSE));
}

static void
assert_comes_back (StmChange *change)
{
  g_autoptr (GVariant) stored = to_bytes_and_back (change);
  g_autoptr (StmChange) back = stm_change_from_variant (stored);

  g_assert_nonnull (back);

  g_autoptr (GVariant) again = to_bytes_and_back (back);

  g_assert_true (g_variant_equal (stored, again));
  g_assert_cmpuint (back->generation, ==, 0);
  g_assert_cmpuint (back->service_generation, ==, 0);
  g_assert_true (stm_change_is_empty (back) == stm_change_is_empty (change));
}

static void
test_comes_back_whole (void)
{
  g_autoptr (StmChange) full = make_full_change ();
  g_autoptr (StmChange) empty = stm_change_new (ID);
  g_autoptr (StmChange) removing = stm_change_new (ID);
  g_autoptr (StmChange) no_current = stm_change_new (ID);

  full->generation = 7;
  full->service_generation = 8;
  removing->removes_domain = TRUE;
  stm_change_set_current (no_current, NULL);
  assert_comes_back (full);
  assert_comes_back (empty);
  assert_comes_back (removing);
  assert_comes_back (no_current);
}

#define HEAD "('" ID "', nothing, false, nothing, [], "
#define MOMENT_OF(id, name)                                                                        \
  "(0, '" id "', '" name "', nothing, '', 0, 0, 0, nothing, 0, nothing, nothing, nothing, [])"
#define IMAGE_OF(path) "('" path "', 'vda', 1, 'raw', nothing, 0, 0)"

typedef struct
{
  const char *name;
  const char *text;
  gboolean is_sound;
} Vector;

static const Vector vectors[] = {
  { "empty", HEAD "[], [], 0, nothing, [], [])", TRUE },
  { "current set to none", HEAD "[], [], 1, nothing, [], [])", TRUE },
  { "something of all",
    "('" ID "', just ('" ID "', 'n', '', '', '', [], []), false, just 'x', [('h', 'text')], "
    "[" MOMENT_OF (MOMENT, "s") "], ['" ID "'], 1, just '" MOMENT "', "
                                "[" IMAGE_OF ("/a") "], ['/b'])",
    TRUE },
  { "domain id", "('x', nothing, false, nothing, [], [], [], 0, nothing, [], [])", FALSE },
  { "empty domain id", "('', nothing, false, nothing, [], [], [], 0, nothing, [], [])", FALSE },
  { "record of another domain",
    "('" ID "', just ('" MOMENT
    "', 'n', '', '', '', [], []), false, nothing, [], [], [], 0, nothing, "
    "[], [])",
    FALSE },
  { "unsound record",
    "('" ID "', just ('" ID
    "', '', '', '', '', [], []), false, nothing, [], [], [], 0, nothing, [], "
    "[])",
    FALSE },
  { "text twice",
    "('" ID "', nothing, false, nothing, [('h', 'a'), ('h', 'b')], [], [], 0, nothing, [], [])",
    FALSE },
  { "text without a hash",
    "('" ID "', nothing, false, nothing, [('', 'a')], [], [], 0, nothing, [], [])", FALSE },
  { "unsound moment", HEAD "[" MOMENT_OF ("x", "s") "], [], 0, nothing, [], [])", FALSE },
  { "moment twice",
    HEAD "[" MOMENT_OF (MOMENT, "s") ", " MOMENT_OF (MOMENT, "t") "], [], 0, nothing, [], [])",
    FALSE },
  { "moment put and removed",
    HEAD "[" MOMENT_OF (MOMENT, "s") "], ['" MOMENT "'], 0, nothing, [], [])", FALSE },
  { "removed id", HEAD "[], ['x'], 0, nothing, [], [])", FALSE },
  { "removed twice", HEAD "[], ['" ID "', '" ID "'], 0, nothing, [], [])", FALSE },
  { "current change", HEAD "[], [], 2, nothing, [], [])", FALSE },
  { "current kept and named", HEAD "[], [], 0, just '" MOMENT "', [], [])", FALSE },
  { "current id", HEAD "[], [], 1, just '', [], [])", FALSE },
  { "unsound image", HEAD "[], [], 0, nothing, [" IMAGE_OF ("a") "], [])", FALSE },
  { "image twice", HEAD "[], [], 0, nothing, [" IMAGE_OF ("/a") ", " IMAGE_OF ("/a") "], [])",
    FALSE },
  { "image put and removed", HEAD "[], [], 0, nothing, [" IMAGE_OF ("/a") "], ['/a'])", FALSE },
  { "removed path", HEAD "[], [], 0, nothing, [], ['/a/../b'])", FALSE },
  { "path removed twice", HEAD "[], [], 0, nothing, [], ['/b', '/b'])", FALSE },
};

static void
test_hostile (void)
{
  for (gsize i = 0; i < G_N_ELEMENTS (vectors); i++)
    {
      g_autoptr (GError) error = NULL;
      g_autoptr (GVariant)
          variant = g_variant_parse (STM_CHANGE_TYPE, vectors[i].text, NULL, NULL, &error);
      g_autoptr (StmChange) change = NULL;

      g_assert_no_error (error);
      change = stm_change_from_variant (variant);
      if ((change != NULL) != vectors[i].is_sound)
        g_test_fail_printf ("%s: taken is %d", vectors[i].name, change != NULL);
    }
}

static void
test_another_type (void)
{
  g_autoptr (GVariant) variant = g_variant_ref_sink (g_variant_new_string (ID));

  g_assert_null (stm_change_from_variant (variant));
  g_assert_null (stm_change_from_variant (NULL));
}

/* Each bit of a stored change turned: what is taken is sound enough to be stored again. */
static void
test_spoilt_bits (void)
{
  g_autoptr (StmChange) full = make_full_change ();
  g_autoptr (GVariant) stored = to_bytes_and_back (full);
  gsize size = g_variant_get_size (stored);

  for (gsize i = 0; i < size * 8; i++)
    {
      g_autofree guint8 *data = g_memdup2 (g_variant_get_data (stored), size);

      data[i / 8] ^= 1 << (i % 8);

      g_autoptr (GBytes) bytes = g_bytes_new (data, size);
      g_autoptr (GVariant)
          spoilt = g_variant_ref_sink (g_variant_new_from_bytes (STM_CHANGE_TYPE, bytes, FALSE));
      g_autoptr (StmChange) read = stm_change_from_variant (spoilt);

      if (read != NULL)
        assert_comes_back (read);
    }
}

static void
test_cut_short (void)
{
  g_autoptr (StmChange) full = make_full_change ();
  g_autoptr (GVariant) stored = to_bytes_and_back (full);
  gsize size = g_variant_get_size (stored);

  for (gsize i = 0; i < size; i++)
    {
      g_autoptr (GBytes) bytes = g_bytes_new (g_variant_get_data (stored), i);
      g_autoptr (GVariant)
          cut = g_variant_ref_sink (g_variant_new_from_bytes (STM_CHANGE_TYPE, bytes, FALSE));

      g_assert_null (stm_change_from_variant (cut));
    }
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/core/change/new-one-is-empty", test_empty);
  g_test_add_func ("/core/change/each-member-makes-it-not-empty", test_each_member_counts);
  g_test_add_func ("/core/change/later-put-replaces-earlier", test_later_put_replaces);
  g_test_add_func ("/core/change/last-of-put-and-remove-counts",
                   test_last_of_put_and_remove_counts);
  g_test_add_func ("/core/change/many-moments-are-quickly-put", test_many_moments);
  g_test_add_func ("/core/change/comes-back-whole-without-generations", test_comes_back_whole);
  g_test_add_func ("/core/change/hostile-variant-is-not-taken", test_hostile);
  g_test_add_func ("/core/change/variant-of-another-type-is-not-taken", test_another_type);
  g_test_add_func ("/core/change/spoilt-bits-are-taken-sound-or-not-at-all", test_spoilt_bits);
  g_test_add_func ("/core/change/variant-cut-short-is-not-taken", test_cut_short);

  return g_test_run ();
}
