/* StmSiblings: the children of one node, oldest first.
 *
 * A treap whose links are parts of the nodes, so that a child costs no memory of its own; adding
 * and removing cost by the logarithm of the number of siblings, in whatever order they come. Part
 * of StmTree, main loop only.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include <glib.h>

typedef struct _StmSibling StmSibling;

/* The first part of who is a sibling. */
struct _StmSibling
{
  StmSibling *up;
  StmSibling *sides[2]; /* older, younger */
  guint32 rank;         /* random: the highest is at the top */
};

typedef struct
{
  StmSibling *top;
} StmSiblings;

/* Those that are equal to it come before it. */
void stm_siblings_add (StmSiblings *self, StmSibling *sibling, guint32 rank, GCompareFunc compare);
void stm_siblings_remove (StmSiblings *self, StmSibling *sibling);

StmSibling *stm_siblings_first (const StmSiblings *self);
StmSibling *stm_sibling_next (const StmSibling *self); /* NULL after the last */
