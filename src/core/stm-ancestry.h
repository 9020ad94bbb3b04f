/* StmAncestry: who stands on whom, in a forest that changes, at a cost that does not grow with its
 * depth.
 *
 * A link-cut forest: the paths to the roots are kept as splay trees, so that linking, cutting and
 * finding a root cost by the logarithm of the number of nodes, on average over many calls, however
 * deep the forest is. A node is a part of the caller's; asking re-arranges the inside and never the
 * forest. Part of StmTree, main loop only.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include <glib.h>

typedef struct _StmAncestry StmAncestry;

/* All NULL is a root on which nothing stands. */
struct _StmAncestry
{
  StmAncestry *up; /* in the splay tree, or, at its top, the node below the end of its path */
  StmAncestry *sides[2];
};

/* `self` is a root, and `parent` does not stand on it. */
void stm_ancestry_link (StmAncestry *self, StmAncestry *parent);
/* `self` becomes a root; what stands on it goes with it. Nothing when it is one. */
void stm_ancestry_cut (StmAncestry *self);
StmAncestry *stm_ancestry_root (StmAncestry *self);
gboolean stm_ancestry_is_above (StmAncestry *ancestor, StmAncestry *self); /* or the same */
