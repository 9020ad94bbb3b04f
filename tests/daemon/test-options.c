/* The strict reading of options: unknown keys, wrong types, limits. No bus.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "stemma-error.h"
#include "stm-options.h"

static const char *const words[] = { "refuse", "forget", "delete", NULL };

/* What a method with one key of each kind would take. */
static gboolean
read_options (const char *text, GError **error)
{
  g_autoptr (GVariant) variant = g_variant_parse (G_VARIANT_TYPE_VARDICT, text, NULL, NULL, error);
  g_autoptr (StmOptions) options = NULL;

  g_assert_nonnull (variant);
  options = stm_options_new (variant);
  stm_options_take_boolean (options, "wait");
  stm_options_take_uint32 (options, "limit");
  stm_options_take_object_path (options, "from");
  stm_options_take_string (options, "name", 8);
  stm_options_take_word (options, "moments", words);
  stm_options_take_strings (options, "disks", 2);
  stm_options_refuse_boolean (options, "reset-nvram", "leave it out");
  return stm_options_end (options, error);
}

static void
test_good (void)
{
  g_autoptr (GError) error = NULL;

  g_assert_true (read_options ("{}", &error));
  g_assert_true (read_options ("{'wait': <true>, 'limit': <uint32 3>, 'from': <objectpath '/a'>, "
                               "'name': <'n'>, 'moments': <'delete'>, 'disks': <['vda']>, "
                               "'reset-nvram': <false>}",
                               &error));
  g_assert_no_error (error);
}

static void
test_bad (void)
{
  const struct
  {
    const char *text;
    StemmaError code;
    const char *named; /* must stand in the message */
  } vectors[] = {
    { "{'wiat': <true>}", STEMMA_ERROR_INVALID_ARGUMENT, "'wiat'" },
    { "{'wait': <'yes'>}", STEMMA_ERROR_INVALID_ARGUMENT, "'wait'" },
    { "{'wait': <1>}", STEMMA_ERROR_INVALID_ARGUMENT, "'wait'" },
    { "{'limit': <3>}", STEMMA_ERROR_INVALID_ARGUMENT, "'limit'" },
    { "{'from': <'/a'>}", STEMMA_ERROR_INVALID_ARGUMENT, "'from'" },
    { "{'name': <b'n'>}", STEMMA_ERROR_INVALID_ARGUMENT, "'name'" },
    { "{'name': <'123456789'>}", STEMMA_ERROR_TOO_LARGE, "'name'" },
    { "{'name': <'a\\u0001b'>}", STEMMA_ERROR_INVALID_ARGUMENT, "'name'" },
    { "{'moments': <'maybe'>}", STEMMA_ERROR_INVALID_ARGUMENT, "'moments'" },
    { "{'disks': <['vda', 'vdb', 'vdc']>}", STEMMA_ERROR_INVALID_ARGUMENT, "'disks'" },
    { "{'disks': <@as []>, 'disks': <@as []>}", STEMMA_ERROR_INVALID_ARGUMENT, "'disks'" },
    { "{'reset-nvram': <true>}", STEMMA_ERROR_NOT_SUPPORTED, "'reset-nvram'" },
    { "{'': <true>}", STEMMA_ERROR_INVALID_ARGUMENT, "''" },
  };

  for (gsize i = 0; i < G_N_ELEMENTS (vectors); i++)
    {
      g_autoptr (GError) error = NULL;

      g_test_message ("%s", vectors[i].text);
      g_assert_false (read_options (vectors[i].text, &error));
      g_assert_error (error, STEMMA_ERROR, (int) vectors[i].code);
      g_assert_nonnull (strstr (error->message, vectors[i].named));
    }
}

static void
test_first_problem (void)
{
  g_autoptr (GError) error = NULL;

  g_assert_false (read_options ("{'wait': <1>, 'unknown': <2>}", &error));
  g_assert_nonnull (strstr (error->message, "'wait'"));
}

static void
test_many (void)
{
  GVariantBuilder builder;
  g_autoptr (GVariant) variant = NULL;
  g_autoptr (GError) error = NULL;

  g_variant_builder_init (&builder, G_VARIANT_TYPE_VARDICT);
  for (guint i = 0; i <= STM_OPTIONS_MAX; i++)
    {
      g_autofree char *key = g_strdup_printf ("key-%u", i);

      g_variant_builder_add (&builder, "{sv}", key, g_variant_new_boolean (TRUE));
    }
  variant = g_variant_ref_sink (g_variant_builder_end (&builder));
  g_assert_false (stm_options_expect_none (variant, &error));
  g_assert_error (error, STEMMA_ERROR, STEMMA_ERROR_INVALID_ARGUMENT);
}

static void
test_long_key (void)
{
  g_autofree char *key = g_strnfill (100000, 'k');
  g_autofree char *text = g_strdup_printf ("{'%s': <true>}", key);
  g_autoptr (GError) error = NULL;

  g_assert_false (read_options (text, &error));
  g_assert_cmpuint (strlen (error->message), <, 200);
}

static void
test_text (void)
{
  g_autoptr (GError) error = NULL;

  g_assert_true (stm_text_check ("description", "two\nlines\tand ünïcode", 64, &error));
  g_assert_no_error (error);
  g_assert_false (stm_text_check ("description", "bell\a", 64, &error));
  g_assert_error (error, STEMMA_ERROR, STEMMA_ERROR_INVALID_ARGUMENT);
  g_clear_error (&error);
  g_assert_false (stm_text_check ("description", "too long", 7, &error));
  g_assert_error (error, STEMMA_ERROR, STEMMA_ERROR_TOO_LARGE);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/daemon/options/known-keys-of-the-right-type-are-taken", test_good);
  g_test_add_func ("/daemon/options/anything-else-is-refused-by-its-key", test_bad);
  g_test_add_func ("/daemon/options/the-first-problem-is-told", test_first_problem);
  g_test_add_func ("/daemon/options/too-many-options-are-refused-unread", test_many);
  g_test_add_func ("/daemon/options/a-long-key-is-cut-in-the-message", test_long_key);
  g_test_add_func ("/daemon/options/texts-have-limits-and-no-control-characters", test_text);
  return g_test_run ();
}
