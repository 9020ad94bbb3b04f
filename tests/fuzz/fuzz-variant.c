/* What the store and the journal read back: NULL, or a sound value that is written the same again.
 *
 * The first byte says which value the rest is.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "fuzz.h"

#include "stm-plan.h"

#define DEFINE_CHECK(Type, name)                                                                   \
  static void check_##name (GVariant *variant)                                                     \
  {                                                                                                \
    g_autoptr (Type) value = name##_from_variant (variant);                                        \
    g_autoptr (Type) again = NULL;                                                                 \
    g_autoptr (GVariant) written = NULL;                                                           \
    g_autoptr (GVariant) rewritten = NULL;                                                         \
                                                                                                   \
    if (value == NULL)                                                                             \
      return;                                                                                      \
    written = g_variant_ref_sink (name##_to_variant (value));                                      \
    again = name##_from_variant (written);                                                         \
    g_assert_nonnull (again);                                                                      \
    rewritten = g_variant_ref_sink (name##_to_variant (again));                                    \
    g_assert_true (g_variant_equal (written, rewritten));                                          \
  }

DEFINE_CHECK (StmImage, stm_image)
DEFINE_CHECK (StmMoment, stm_moment)
DEFINE_CHECK (StmDomain, stm_domain)
DEFINE_CHECK (StmChange, stm_change)
DEFINE_CHECK (StmPlan, stm_plan)

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
  const struct
  {
    const GVariantType *type;
    void (*check) (GVariant *variant);
  } values[] = {
    { STM_PLAN_TYPE, check_stm_plan },     { STM_CHANGE_TYPE, check_stm_change },
    { STM_DOMAIN_TYPE, check_stm_domain }, { STM_MOMENT_TYPE, check_stm_moment },
    { STM_IMAGE_TYPE, check_stm_image },
  };
  g_autoptr (GBytes) bytes = NULL;
  g_autoptr (GVariant) variant = NULL;
  gsize which;

  if (size == 0)
    return 0;
  which = data[0] % G_N_ELEMENTS (values);
  bytes = g_bytes_new (data + 1, size - 1);
  variant = g_variant_ref_sink (
      g_variant_new_from_bytes (values[which].type, bytes, /* trusted= */ FALSE));
  values[which].check (variant);
  return 0;
}
