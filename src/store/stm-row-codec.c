/* One table of words for each enum that only the database spells out, and the bytes of plans.
 *
 * Pure, any thread. All of this is part of the format of the database: a word never changes, and a
 * plan of another layout needs another version of the tables.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "stm-row-codec.h"

static const char *const source_kind_words[] = {
  [STM_SOURCE_NONE] = "none",
  [STM_SOURCE_FILE] = "file",
  [STM_SOURCE_BLOCK] = "block",
  [STM_SOURCE_OTHER] = "other",
};

static const char *const moment_kind_words[] = {
  [STM_MOMENT_SNAPSHOT] = "snapshot",
  [STM_MOMENT_CHECKPOINT] = "checkpoint",
};

static const char *const phase_words[] = {
  [STM_PHASE_INTENT] = "intent",
  [STM_PHASE_CLEANUP] = "cleanup",
};

static gboolean
find_word (const char *const *words, guint n_words, const char *word, guint *out_index)
{
  for (guint i = 0; i < n_words; i++)
    if (g_strcmp0 (words[i], word) == 0)
      {
        *out_index = i;
        return TRUE;
      }

  return FALSE;
}

const char *
stm_source_kind_to_word (StmSourceKind kind)
{
  g_return_val_if_fail ((guint) kind < G_N_ELEMENTS (source_kind_words), NULL);

  return source_kind_words[kind];
}

gboolean
stm_source_kind_from_word (const char *word, StmSourceKind *out_kind)
{
  guint i;

  if (!find_word (source_kind_words, G_N_ELEMENTS (source_kind_words), word, &i))
    return FALSE;

  *out_kind = (StmSourceKind) i;
  return TRUE;
}

const char *
stm_moment_kind_to_word (StmMomentKind kind)
{
  g_return_val_if_fail ((guint) kind < G_N_ELEMENTS (moment_kind_words), NULL);

  return moment_kind_words[kind];
}

gboolean
stm_moment_kind_from_word (const char *word, StmMomentKind *out_kind)
{
  guint i;

  if (!find_word (moment_kind_words, G_N_ELEMENTS (moment_kind_words), word, &i))
    return FALSE;

  *out_kind = (StmMomentKind) i;
  return TRUE;
}

const char *
stm_journal_phase_to_word (StmJournalPhase phase)
{
  g_return_val_if_fail ((guint) phase < G_N_ELEMENTS (phase_words), NULL);

  return phase_words[phase];
}

gboolean
stm_journal_phase_from_word (const char *word, StmJournalPhase *out_phase)
{
  guint i;

  if (!find_word (phase_words, G_N_ELEMENTS (phase_words), word, &i))
    return FALSE;

  *out_phase = (StmJournalPhase) i;
  return TRUE;
}

/* A variant has the byte order of the machine; stored is little endian. */
static GVariant *
swap_if_big_endian (GVariant *variant)
{
  return G_BYTE_ORDER == G_BIG_ENDIAN ? g_variant_byteswap (variant) : g_variant_ref (variant);
}

GBytes *
stm_plan_to_bytes (const StmPlan *plan)
{
  g_autoptr (GVariant) variant = g_variant_ref_sink (stm_plan_to_variant (plan));
  g_autoptr (GVariant) stored = swap_if_big_endian (variant);

  return g_variant_get_data_as_bytes (stored);
}

StmPlan *
stm_plan_from_bytes (GBytes *bytes)
{
  g_autoptr (GVariant) stored = g_variant_ref_sink (
      g_variant_new_from_bytes (STM_PLAN_TYPE, bytes, /* trusted= */ FALSE));

  /* Checked before the swap, which would make anything normal. */
  if (!g_variant_is_normal_form (stored))
    return NULL;

  g_autoptr (GVariant) variant = swap_if_big_endian (stored);

  return stm_plan_from_variant (variant);
}
