/* The table of the kinds' names.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "stemma-kind.h"

static const struct
{
  const char *word;
  const char *interface;
  const char *list_interface;
  const char *head_property;
} kinds[] = {
  [STEMMA_KIND_SNAPSHOT] = { "snapshot", "Snapshot", "Snapshots", "Current" },
  [STEMMA_KIND_CHECKPOINT] = { "checkpoint", "Checkpoint", "Checkpoints", "Leaf" },
};

const char *
stemma_kind_to_word (StemmaKind kind)
{
  g_return_val_if_fail ((guint) kind < G_N_ELEMENTS (kinds), NULL);

  return kinds[kind].word;
}

const char *
stemma_kind_to_interface (StemmaKind kind)
{
  g_return_val_if_fail ((guint) kind < G_N_ELEMENTS (kinds), NULL);

  return kinds[kind].interface;
}

const char *
stemma_kind_to_list_interface (StemmaKind kind)
{
  g_return_val_if_fail ((guint) kind < G_N_ELEMENTS (kinds), NULL);

  return kinds[kind].list_interface;
}

const char *
stemma_kind_to_head_property (StemmaKind kind)
{
  g_return_val_if_fail ((guint) kind < G_N_ELEMENTS (kinds), NULL);

  return kinds[kind].head_property;
}
