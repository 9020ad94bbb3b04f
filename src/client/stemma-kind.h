/* The two kinds of moments, and the names that the bus contract has for each. Any thread.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/**
 * StemmaKind:
 * @STEMMA_KIND_SNAPSHOT: a point to return to
 * @STEMMA_KIND_CHECKPOINT: a point to measure changes from
 *
 * The kinds of moments of a domain. Each kind has a tree of its own.
 */
typedef enum
{
  STEMMA_KIND_SNAPSHOT,
  STEMMA_KIND_CHECKPOINT,
} StemmaKind;

/**
 * stemma_kind_to_word:
 * @kind: a kind
 *
 * Gives the word for one moment of this kind.
 *
 * Returns: (transfer none): `snapshot` or `checkpoint`
 */
const char *stemma_kind_to_word (StemmaKind kind);

/**
 * stemma_kind_to_interface:
 * @kind: a kind
 *
 * Gives the interface of one moment of this kind, without the prefix `org.stemma1.`.
 *
 * Returns: (transfer none): `Snapshot` or `Checkpoint`
 */
const char *stemma_kind_to_interface (StemmaKind kind);

/**
 * stemma_kind_to_list_interface:
 * @kind: a kind
 *
 * Gives the interface of a domain that has the moments of this kind, without the prefix
 * `org.stemma1.`. In lower case it is also the part of a moment's path after its domain's.
 *
 * Returns: (transfer none): `Snapshots` or `Checkpoints`
 */
const char *stemma_kind_to_list_interface (StemmaKind kind);

/**
 * stemma_kind_to_head_property:
 * @kind: a kind
 *
 * Gives the property of the list interface that names the moment from which things go on.
 *
 * Returns: (transfer none): `Current` or `Leaf`
 */
const char *stemma_kind_to_head_property (StemmaKind kind);

G_END_DECLS
