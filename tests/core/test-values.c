/* Values: copies are deep, words go both ways, variants come back whole or not at all.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "stemma-error.h"
#include "stm-samples.h"
#include "stm-sound.h"
#include "stm-survey.h"

#include <string.h>

#define ID_A "0123456789abcdef0123456789abcdef"
#define ID_B "fedcba9876543210fedcba9876543210"

/* As the store keeps it: bytes that nobody vouches for. */
static GVariant *
through_bytes (GVariant *floating, const GVariantType *type)
{
  g_autoptr (GVariant) variant = g_variant_ref_sink (floating);
  g_autoptr (GBytes) bytes = g_variant_get_data_as_bytes (variant);

  return g_variant_ref_sink (g_variant_new_from_bytes (type, bytes, FALSE));
}

static void
assert_same_variant (GVariant *floating_a, GVariant *floating_b)
{
  g_autoptr (GVariant) a = g_variant_ref_sink (floating_a);
  g_autoptr (GVariant) b = g_variant_ref_sink (floating_b);
  g_autofree char *text_a = g_variant_print (a, TRUE);
  g_autofree char *text_b = g_variant_print (b, TRUE);

  g_assert_cmpstr (text_a, ==, text_b);
}

static void
test_image_is_deep_copy (void)
{
  char path[] = "/v/a";
  g_autoptr (StmImage) image = stm_image_new (&(StmImage){
      .path = path, .target = "vda", .index = 3, .format = "raw", .origin = STM_IMAGE_BACKING });
  g_autoptr (StmImage) same = stm_image_ref (image);
  g_autoptr (StmImage) over = stm_image_with_backing (image, "/v/b");

  path[1] = 'X';
  g_assert_cmpstr (image->path, ==, "/v/a");
  g_assert_true (same == image);
  g_assert_cmpstr (over->backing, ==, "/v/b");
  g_assert_cmpuint (over->index, ==, 3);
  g_assert_false (stm_image_equal (image, over));
  g_assert_false (stm_image_equal (image, NULL));

  g_autoptr (StmImage) back = stm_image_with_backing (over, NULL);

  g_assert_true (stm_image_equal (image, back));
}

static void
test_image_round_trip (void)
{
  g_autoptr (StmImage) image = stm_image_new (&(StmImage){ .path = "/v/a",
                                                           .target = "vda",
                                                           .index = G_MAXUINT,
                                                           .format = "qcow2",
                                                           .backing = "/v/b",
                                                           .origin = STM_IMAGE_MADE,
                                                           .capacity = G_MAXUINT64 });
  g_autoptr (GVariant) variant = through_bytes (stm_image_to_variant (image), STM_IMAGE_TYPE);
  g_autoptr (StmImage) back = stm_image_from_variant (variant);

  g_assert_true (stm_image_equal (image, back));
}

static StmDomain *
make_domain (void)
{
  const StmDisk disks[] = {
    { "vda", STM_SOURCE_FILE, "/v/a", "qcow2", FALSE, FALSE, 2 },
    { "vdb", STM_SOURCE_BLOCK, "/dev/vg/b", "raw", TRUE, FALSE, 3 },
    { "sda", STM_SOURCE_NONE, NULL, "", TRUE, TRUE, 0 },
    { "sdb", STM_SOURCE_OTHER, NULL, "rbd", FALSE, TRUE, 0 },
  };
  const char *roots[] = { "/v", "/dev/vg", NULL };

  return stm_domain_new (&(StmDomain){ .id = ID_A,
                                       .name = "web ä",
                                       .title = "T",
                                       .description = "two\nlines",
                                       .definition = "5f5f",
                                       .disks = disks,
                                       .n_disks = G_N_ELEMENTS (disks),
                                       .roots = roots });
}

static void
test_domain_round_trip (void)
{
  g_autoptr (StmDomain) domain = make_domain ();
  g_autoptr (GVariant) variant = through_bytes (stm_domain_to_variant (domain), STM_DOMAIN_TYPE);
  g_autoptr (StmDomain) back = stm_domain_from_variant (variant);

  g_assert_nonnull (back);
  assert_same_variant (stm_domain_to_variant (domain), stm_domain_to_variant (back));
  g_assert_cmpuint (back->n_disks, ==, 4);
  g_assert_cmpstr (stm_domain_find_disk (back, "vdb")->source, ==, "/dev/vg/b");
  g_assert_true (stm_domain_find_disk (back, "vdb")->is_read_only);
  g_assert_true (stm_domain_find_disk (back, "sda")->is_excluded);
  g_assert_null (stm_domain_find_disk (back, "vdc"));
  g_assert_cmpstr (back->roots[1], ==, "/dev/vg");
}

static StmMoment *
make_moment (void)
{
  const StmMomentDisk disks[] = {
    { "vda", STM_MODE_EXTERNAL, "/v/a", "/v/a.s", "qcow2", NULL, NULL },
    { "vdb", STM_MODE_INTERNAL, "/v/b", NULL, "qcow2", "tag-1", NULL },
    { "vdc", STM_MODE_BITMAP, "/v/c", NULL, "qcow2", NULL, "bitmap-1" },
    { "vdd", STM_MODE_NONE, NULL, NULL, NULL, NULL, NULL },
  };

  return stm_moment_new (&(StmMoment){ .kind = STM_MOMENT_CHECKPOINT,
                                       .id = ID_A,
                                       .name = "before",
                                       .parent = ID_B,
                                       .description = "d",
                                       .created = G_MAXINT64,
                                       .state = STM_STATE_DELETING,
                                       .health = STM_HEALTH_UNKNOWN,
                                       .definition = "5f",
                                       .memory = STM_MEMORY_EXTERNAL,
                                       .memory_file = "/v/memory",
                                       .inactive = "6f",
                                       .cookie = "7f",
                                       .disks = disks,
                                       .n_disks = G_N_ELEMENTS (disks) });
}

static void
test_moment_round_trip (void)
{
  g_autoptr (StmMoment) moment = make_moment ();
  g_autoptr (GVariant) variant = through_bytes (stm_moment_to_variant (moment), STM_MOMENT_TYPE);
  g_autoptr (StmMoment) back = stm_moment_from_variant (variant);

  g_assert_nonnull (back);
  assert_same_variant (stm_moment_to_variant (moment), stm_moment_to_variant (back));
  g_assert_cmpint (back->kind, ==, STM_MOMENT_CHECKPOINT);
  g_assert_cmpstr (stm_moment_find_disk (back, "vdb")->tag, ==, "tag-1");
  g_assert_cmpstr (stm_moment_find_disk (back, "vdc")->bitmap, ==, "bitmap-1");
  g_assert_null (stm_moment_find_disk (back, "vdx"));
  g_assert_cmpint (back->memory, ==, STM_MEMORY_EXTERNAL);
  g_assert_cmpstr (back->memory_file, ==, "/v/memory");
  g_assert_cmpstr (back->inactive, ==, "6f");
  g_assert_cmpstr (back->cookie, ==, "7f");
}

static void
test_moment_variations (void)
{
  g_autoptr (StmMoment) moment = make_moment ();
  g_autoptr (StmMoment) root = stm_moment_with_parent (moment, NULL);
  g_autoptr (StmMoment) ready = stm_moment_with_state (moment, STM_STATE_SHUTOFF, STM_HEALTH_OK);
  g_autoptr (StmMoment) renamed = stm_moment_with_name (moment, "after");
  g_autoptr (StmMoment) described = stm_moment_with_description (moment, "e");
  g_autoptr (StmMoment) smaller = stm_moment_with_disks (moment, moment->disks + 1, 1);

  g_assert_null (root->parent);
  g_assert_cmpint (ready->state, ==, STM_STATE_SHUTOFF);
  g_assert_cmpint (ready->health, ==, STM_HEALTH_OK);
  g_assert_cmpstr (renamed->name, ==, "after");
  g_assert_cmpstr (described->description, ==, "e");
  g_assert_cmpuint (smaller->n_disks, ==, 1);
  g_assert_cmpstr (smaller->disks[0].tag, ==, "tag-1");
  g_assert_cmpstr (moment->parent, ==, ID_B);
  g_assert_cmpstr (moment->name, ==, "before");
}

/* Variants in text form: one sound one of each type, then each with one thing wrong. */
static const char *const sound_images[] = {
  "('/v/a', 'vda', 1, 'qcow2', just '/v/b', 0, 5)",
  "('/v/a', 'vda', 1, 'raw', nothing, 2, 0)",
};
static const char *const unsound_images[] = {
  "('', 'vda', 1, 'qcow2', nothing, 0, 5)",
  "('a', 'vda', 1, 'qcow2', nothing, 0, 5)",
  "('/v/../a', 'vda', 1, 'qcow2', nothing, 0, 5)",
  "('/v/a', '', 1, 'qcow2', nothing, 0, 5)",
  "('/v/a', '../x', 1, 'qcow2', nothing, 0, 5)",
  "('/v/a', 'vda', 0, 'qcow2', nothing, 0, 5)",
  "('/v/a', 'vda', 1, 'vmdk', nothing, 0, 5)",
  "('/v/a', 'vda', 1, '', nothing, 0, 5)",
  "('/v/a', 'vda', 1, 'qcow2', just '', 0, 5)",
  "('/v/a', 'vda', 1, 'qcow2', just 'json:{}', 0, 5)",
  "('/v/a', 'vda', 1, 'qcow2', nothing, 3, 5)",
  "('/v/a', 'vda', 1, 'qcow2', nothing, 4294967295, 5)",
};

#define DISK "('vda', 1, just '/v/a', 'qcow2', false, false, 2)"
static const char *const sound_domains[] = {
  "('" ID_A "', 'n', '', '', '', [], [])",
  "('" ID_A "', 'n', 't', 'd', '5f', [" DISK "], ['/v'])",
};
static const char *const unsound_domains[] = {
  "('x', 'n', '', '', '', [], [])",
  "('0123456789ABCDEF0123456789abcdef', 'n', '', '', '', [], [])",
  "('" ID_A "', '', '', '', '', [], [])",
  "('" ID_A "', 'a/b', '', '', '', [], [])",
  "('" ID_A "', 'a\\nb', '', '', '', [], [])",
  "('" ID_A "', 'n', '', '', 'a/b', [], [])",
  "('" ID_A "', 'n', '', '', '', [" DISK ", " DISK "], [])",
  "('" ID_A "', 'n', '', '', '', [('', 0, nothing, '', false, false, 0)], [])",
  "('" ID_A "', 'n', '', '', '', [('vda', 4, nothing, '', false, false, 0)], [])",
  "('" ID_A "', 'n', '', '', '', [('vda', 1, nothing, 'raw', false, false, 0)], [])",
  "('" ID_A "', 'n', '', '', '', [('vda', 0, just '/v/a', 'raw', false, false, 0)], [])",
  "('" ID_A "', 'n', '', '', '', [('vda', 1, just 'nbd:x', 'raw', false, false, 0)], [])",
  "('" ID_A "', 'n', '', '', '', [('vda', 2, just '/v/a', 'qed', false, false, 0)], [])",
  "('" ID_A "', 'n', '', '', '', [], ['/v/'])",
  "('" ID_A "', 'n', '', '', '', [], ['/'])",
};

#define MOMENT_DISK "('vda', 1, just '/v/a', nothing, just 'qcow2', nothing, nothing)"
static const char *const sound_moments[] = {
  "(0, '" ID_A "', 'n', nothing, '', 0, 0, 0, nothing, 0, nothing, nothing, nothing, [])",
  "(1, '" ID_A "', 'n', just '" ID_B
  "', '', 9, 5, 6, just '5f', 0, nothing, nothing, nothing, [" MOMENT_DISK "])",
  "(0, '" ID_A "', 'n', nothing, '', 0, 0, 0, nothing, 1, nothing, nothing, nothing, [])",
  "(0, '" ID_A "', 'n', nothing, '', 0, 0, 0, just '5f', 2, just '/v/m', just '6f', just '7f', [])",
  "(1, '" ID_A "', 'n', nothing, '', 0, 0, 0, nothing, 0, nothing, nothing, nothing, "
  "[('vda', 3, just '/v/a', nothing, just 'qcow2', nothing, just 'b')])",
};
static const char *const unsound_moments[] = {
  "(2, '" ID_A "', 'n', nothing, '', 0, 0, 0, nothing, 0, nothing, nothing, nothing, [])",
  "(0, '', 'n', nothing, '', 0, 0, 0, nothing, 0, nothing, nothing, nothing, [])",
  "(0, '" ID_A "', '', nothing, '', 0, 0, 0, nothing, 0, nothing, nothing, nothing, [])",
  "(0, '" ID_A "', '../n', nothing, '', 0, 0, 0, nothing, 0, nothing, nothing, nothing, [])",
  "(0, '" ID_A "', 'n', just '', '', 0, 0, 0, nothing, 0, nothing, nothing, nothing, [])",
  "(0, '" ID_A "', 'n', just 'x', '', 0, 0, 0, nothing, 0, nothing, nothing, nothing, [])",
  "(0, '" ID_A "', 'n', nothing, '', -1, 0, 0, nothing, 0, nothing, nothing, nothing, [])",
  "(0, '" ID_A "', 'n', nothing, '', 0, 6, 0, nothing, 0, nothing, nothing, nothing, [])",
  "(0, '" ID_A "', 'n', nothing, '', 0, 0, 7, nothing, 0, nothing, nothing, nothing, [])",
  "(0, '" ID_A "', 'n', nothing, '', 0, 0, 0, just '', 0, nothing, nothing, nothing, [])",
  "(0, '" ID_A "', 'n', nothing, '', 0, 0, 0, nothing, 0, nothing, nothing, nothing, [" MOMENT_DISK
  ", " MOMENT_DISK "])",
  "(0, '" ID_A "', 'n', nothing, '', 0, 0, 0, nothing, 0, nothing, nothing, nothing, "
  "[('vda', 4, just '/v/a', nothing, nothing, nothing, nothing)])",
  "(0, '" ID_A "', 'n', nothing, '', 0, 0, 0, nothing, 0, nothing, nothing, nothing, "
  "[('vda', 1, nothing, nothing, nothing, nothing, nothing)])",
  "(0, '" ID_A "', 'n', nothing, '', 0, 0, 0, nothing, 0, nothing, nothing, nothing, "
  "[('vda', 0, just '/v/a', nothing, nothing, nothing, nothing)])",
  "(0, '" ID_A "', 'n', nothing, '', 0, 0, 0, nothing, 0, nothing, nothing, nothing, "
  "[('vda', 2, just '/v/a', nothing, nothing, nothing, nothing)])",
  "(0, '" ID_A "', 'n', nothing, '', 0, 0, 0, nothing, 0, nothing, nothing, nothing, "
  "[('vda', 1, just 'v/a', nothing, nothing, nothing, nothing)])",
  "(0, '" ID_A "', 'n', nothing, '', 0, 0, 0, nothing, 0, nothing, nothing, nothing, "
  "[('vda', 1, just '/v/a', just '..', nothing, nothing, nothing)])",
  "(0, '" ID_A "', 'n', nothing, '', 0, 0, 0, nothing, 0, nothing, nothing, nothing, "
  "[('vda', 1, just '/v/a', nothing, just 'vdi', nothing, nothing)])",
  "(0, '" ID_A "', 'n', nothing, '', 0, 0, 0, nothing, 3, nothing, nothing, nothing, [])",
  "(0, '" ID_A "', 'n', nothing, '', 0, 0, 0, nothing, 2, nothing, nothing, nothing, [])",
  "(0, '" ID_A "', 'n', nothing, '', 0, 0, 0, nothing, 1, just '/v/m', nothing, nothing, [])",
  "(0, '" ID_A "', 'n', nothing, '', 0, 0, 0, nothing, 2, just 'm', nothing, nothing, [])",
  "(0, '" ID_A "', 'n', nothing, '', 0, 0, 0, nothing, 0, nothing, just '', nothing, [])",
  "(0, '" ID_A "', 'n', nothing, '', 0, 0, 0, nothing, 0, nothing, nothing, just 'a/b', [])",
  "(1, '" ID_A "', 'n', nothing, '', 0, 0, 0, nothing, 0, nothing, nothing, nothing, "
  "[('vda', 3, just '/v/a', nothing, just 'qcow2', nothing, nothing)])",
  "(1, '" ID_A "', 'n', nothing, '', 0, 0, 0, nothing, 0, nothing, nothing, nothing, "
  "[('vda', 1, just '/v/a', nothing, just 'qcow2', nothing, just 'b')])",
};

typedef gpointer (*FromVariant) (GVariant *variant);

static void
check_texts (const char *const *texts, gsize n_texts, const GVariantType *type,
             FromVariant from_variant, GDestroyNotify free_value, gboolean is_sound)
{
  for (gsize i = 0; i < n_texts; i++)
    {
      g_autoptr (GError) error = NULL;
      g_autoptr (GVariant) variant = g_variant_parse (type, texts[i], NULL, NULL, &error);

      g_assert_no_error (error);

      gpointer value = from_variant (variant);

      if ((value != NULL) != is_sound)
        g_test_fail_printf ("taken is %d: %s", value != NULL, texts[i]);
      g_clear_pointer (&value, free_value);
    }
}

#define CHECK_TEXTS(texts, type, name, is_sound)                                                   \
  check_texts (texts, G_N_ELEMENTS (texts), type, (FromVariant) stm_##name##_from_variant,         \
               (GDestroyNotify) stm_##name##_unref, is_sound)

static void
test_unsound_variants (void)
{
  CHECK_TEXTS (sound_images, STM_IMAGE_TYPE, image, TRUE);
  CHECK_TEXTS (unsound_images, STM_IMAGE_TYPE, image, FALSE);
  CHECK_TEXTS (sound_domains, STM_DOMAIN_TYPE, domain, TRUE);
  CHECK_TEXTS (unsound_domains, STM_DOMAIN_TYPE, domain, FALSE);
  CHECK_TEXTS (sound_moments, STM_MOMENT_TYPE, moment, TRUE);
  CHECK_TEXTS (unsound_moments, STM_MOMENT_TYPE, moment, FALSE);
}

static void
test_other_types (void)
{
  g_autoptr (GVariant) other = g_variant_ref_sink (g_variant_new ("(ss)", "/v/a", "vda"));

  g_assert_null (stm_image_from_variant (other));
  g_assert_null (stm_domain_from_variant (other));
  g_assert_null (stm_moment_from_variant (other));
}

static void
test_long_words (void)
{
  g_autofree char *longest = g_strnfill (STM_WORD_MAX, 'n');
  g_autofree char *longer = g_strnfill (STM_WORD_MAX + 1, 'n');
  g_autofree char *text = g_strnfill (STM_TEXT_MAX + 1, 't');
  g_autoptr (StmMoment) moment = make_moment ();
  g_autoptr (StmMoment) fits = stm_moment_with_name (moment, longest);
  g_autoptr (StmMoment) does_not = stm_moment_with_name (moment, longer);
  g_autoptr (StmMoment) talks = stm_moment_with_description (moment, text);
  g_autoptr (GError) error = NULL;

  g_assert_true (stm_moment_is_sound (fits, NULL));
  g_assert_false (stm_moment_is_sound (talks, NULL));
  g_assert_false (stm_moment_is_sound (does_not, &error));
  g_assert_error (error, STEMMA_ERROR, STEMMA_ERROR_INVALID_ARGUMENT);
}

static void
test_too_many_disks (void)
{
  gsize n_disks = STM_DISKS_MAX + 1;
  g_autofree StmDisk *disks = g_new0 (StmDisk, n_disks);
  g_autoptr (GPtrArray) targets = g_ptr_array_new_with_free_func (g_free);
  g_autoptr (GError) error = NULL;

  for (gsize i = 0; i < n_disks; i++)
    {
      g_ptr_array_add (targets, g_strdup_printf ("vd%" G_GSIZE_FORMAT, i));
      disks[i].target = targets->pdata[i];
    }

  g_autoptr (StmDomain) domain = stm_domain_new (
      &(StmDomain){ .id = ID_A, .name = "n", .disks = disks, .n_disks = n_disks });
  g_autoptr (GVariant) variant = g_variant_ref_sink (stm_domain_to_variant (domain));

  g_assert_false (stm_domain_is_sound (domain, &error));
  g_assert_error (error, STEMMA_ERROR, STEMMA_ERROR_TOO_MANY);
  g_assert_null (stm_domain_from_variant (variant));
}

/* Every byte of a stored value spoilt in turn: taken whole, or not at all, never a crash. */
static void
test_spoilt_bytes (void)
{
  g_autoptr (StmMoment) moment = make_moment ();
  g_autoptr (GVariant) variant = g_variant_ref_sink (stm_moment_to_variant (moment));
  gsize size = g_variant_get_size (variant);

  for (gsize i = 0; i < size * 8; i++)
    {
      g_autofree guint8 *data = g_memdup2 (g_variant_get_data (variant), size);

      data[i / 8] ^= 1 << (i % 8);

      g_autoptr (GBytes) bytes = g_bytes_new (data, i % 3 == 0 ? i / 8 : size);
      g_autoptr (GVariant)
          spoilt = g_variant_ref_sink (g_variant_new_from_bytes (STM_MOMENT_TYPE, bytes, FALSE));
      g_autoptr (StmMoment) read = stm_moment_from_variant (spoilt);

      if (read != NULL)
        g_assert_true (stm_moment_is_sound (read, NULL));
    }
}

static void
test_words (void)
{
  StmImageOrigin origin;
  StmMomentState state;
  StmHealth health;
  StmDiskMode mode;
  StmMemory memory;

  for (guint i = 0; i <= STM_IMAGE_MADE; i++)
    g_assert_true (stm_image_origin_from_word (stm_image_origin_to_word (i), &origin)
                   && origin == i);
  for (guint i = 0; i <= STM_STATE_DELETING; i++)
    g_assert_true (stm_moment_state_from_word (stm_moment_state_to_word (i), &state) && state == i);
  for (guint i = 0; i <= STM_HEALTH_UNKNOWN; i++)
    g_assert_true (stm_health_from_word (stm_health_to_word (i), &health) && health == i);
  for (guint i = 0; i <= STM_MODE_BITMAP; i++)
    g_assert_true (stm_disk_mode_from_word (stm_disk_mode_to_word (i), &mode) && mode == i);

  for (guint i = 0; i <= STM_MEMORY_EXTERNAL; i++)
    g_assert_true (stm_memory_from_word (stm_memory_to_word (i), &memory) && memory == i);

  g_assert_cmpstr (stm_moment_state_to_word (STM_STATE_DISK_ONLY), ==, "disk-only");
  g_assert_false (stm_moment_state_from_word ("Shutoff", &state));
  g_assert_false (stm_health_from_word ("", &health));
  g_assert_false (stm_disk_mode_from_word (NULL, &mode));
  g_assert_false (stm_memory_from_word ("External", &memory));
  g_assert_false (stm_image_origin_from_word ("other", NULL));
}

static void
test_survey (void)
{
  g_autoptr (StmSurvey) survey = stm_survey_new ();
  StmFacts *first = stm_facts_new ("/v/a");
  StmFacts *second = stm_facts_new ("/v/a");

  g_assert_cmpuint (first->data_bytes, ==, STM_BYTES_UNKNOWN);
  g_assert_cmpuint (g_strv_length (first->children), ==, 0);
  stm_survey_take_facts (survey, first);
  stm_facts_add_tag (second, &(StmTagFacts){ .name = "t" });
  stm_survey_take_facts (survey, second);
  stm_survey_add_name (survey, "/v/b");

  g_assert_cmpuint (stm_survey_get (survey, "/v/a")->tags->len, ==, 1);
  g_assert_null (stm_survey_get (survey, "/v/b"));
  g_assert_null (stm_survey_get (survey, NULL));
  g_assert_true (stm_survey_has_name (survey, "/v/b"));
  g_assert_false (stm_survey_has_name (survey, "/v/a"));
}

static void
test_survey_shows_no_bitmap_of_a_drivers_own (void)
{
  static const char *const names[] = { STM_DRIVER_BITMAP_PREFIX "down", "stemma-carried", "c1",
                                       STM_DRIVER_BITMAP_PREFIX };
  g_autoptr (StmSurvey) survey = stm_survey_new ();
  StmFacts *facts = stm_facts_new ("/v/a");

  for (gsize i = 0; i < G_N_ELEMENTS (names); i++)
    stm_facts_add_bitmap (facts, &(StmBitmapFacts){ .name = names[i], .is_broken = i == 3 });
  stm_survey_take_facts (survey, facts);

  g_assert_cmpuint (facts->bitmaps->len, ==, 2);
  g_assert_nonnull (stm_facts_find_bitmap (facts, "stemma-carried"));
  g_assert_nonnull (stm_facts_find_bitmap (facts, "c1"));
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/core/values/image-is-a-deep-copy", test_image_is_deep_copy);
  g_test_add_func ("/core/values/image-comes-back-whole", test_image_round_trip);
  g_test_add_func ("/core/values/domain-comes-back-whole", test_domain_round_trip);
  g_test_add_func ("/core/values/moment-comes-back-whole", test_moment_round_trip);
  g_test_add_func ("/core/values/variation-leaves-the-original", test_moment_variations);
  g_test_add_func ("/core/values/unsound-variant-is-not-taken", test_unsound_variants);
  g_test_add_func ("/core/values/variant-of-another-type-is-not-taken", test_other_types);
  g_test_add_func ("/core/values/overlong-text-is-not-sound", test_long_words);
  g_test_add_func ("/core/values/too-many-disks-are-not-sound", test_too_many_disks);
  g_test_add_func ("/core/values/spoilt-bytes-are-taken-sound-or-not-at-all", test_spoilt_bytes);
  g_test_add_func ("/core/values/words-go-both-ways", test_words);
  g_test_add_func ("/core/survey/last-facts-of-a-path-count", test_survey);
  g_test_add_func ("/core/values/survey-shows-no-bitmap-of-a-drivers-own",
                   test_survey_shows_no_bitmap_of_a_drivers_own);

  return g_test_run ();
}
