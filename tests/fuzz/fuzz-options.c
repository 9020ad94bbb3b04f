/* The options of a method as a client may send them, read as a method would.
 *
 * The bytes are an a{sv} that need not be in normal form.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "fuzz.h"

#include "stemma-error.h"
#include "stm-create-options.h"

#define MAX_DISKS 8

static const char *const words[] = { "refuse", "forget", "delete", NULL };
static const char *const modes[] = { "external", "internal", NULL };

static void
check_taken (const char *name, const char *const *disks, guint choice)
{
  if (name != NULL)
    g_assert_cmpuint (strlen (name), <=, STM_MAX_NAME_BYTES);
  g_assert_cmpuint (choice, <, G_N_ELEMENTS (words) - 1);
  for (gsize i = 0; disks != NULL && disks[i] != NULL; i++)
    g_assert_cmpuint (i, <, MAX_DISKS);
}

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
  g_autoptr (GBytes) bytes = g_bytes_new (data, size);
  g_autoptr (GVariant) variant = g_variant_ref_sink (
      g_variant_new_from_bytes (G_VARIANT_TYPE_VARDICT, bytes, /* trusted= */ FALSE));
  g_autoptr (StmOptions) options = stm_options_new (variant);
  g_autoptr (GError) error = NULL;
  const char *name = NULL;
  const char *const *disks = NULL;
  guint choice = 0;

  stm_options_take_boolean (options, "discard");
  stm_options_take_uint32 (options, "limit");
  stm_options_take_object_path (options, "from");
  name = stm_options_take_string (options, "keep", STM_MAX_NAME_BYTES);
  disks = stm_options_take_strings (options, "disks", MAX_DISKS);
  choice = stm_options_take_word (options, "moments", words);
  g_assert_cmpuint (stm_options_take_word (options, "mode", modes), <, G_N_ELEMENTS (modes) - 1);
  g_assert_cmpuint (stm_options_take_quiesce (options), <=, STM_QUIESCE_REQUIRE);
  stm_options_take_object_path (options, "parent");
  stm_options_take_boolean (options, "validate");
  stm_options_take_string (options, "current", STM_MAX_NAME_BYTES);
  stm_options_refuse_boolean (options, "reuse-files", "leave it out");
  /* What was taken counts only when this says so. */
  if (stm_options_end (options, &error))
    {
      check_taken (name, disks, choice);
    }
  else
    {
      g_assert_true (error != NULL && error->domain == STEMMA_ERROR);
      g_assert_true (g_utf8_validate (error->message, -1, NULL));
    }
  g_clear_error (&error);
  stm_options_expect_none (variant, &error);
  return 0;
}
