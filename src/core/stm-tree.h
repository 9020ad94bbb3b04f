/* StmTree: the tree of one domain's moments of one kind.
 *
 * Hash by id and by name, a hidden root above all roots, children in the order of creation, the
 * current moment. Look-up does not depend on the size of the tree, insert, remove, move and the
 * question after an ancestor by its logarithm at most, be it deep or wide; walks are iterative, so
 * that a chain of any depth is legal. Owned by StmModel, which alone changes it. Main loop only,
 * the questions too: some re-arrange the inside.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include "stm-moment.h"

typedef struct _StmTree StmTree;

StmTree *stm_tree_new (void);
void stm_tree_free (StmTree *self);

/* Reading. Ids may name nothing; then the answer is NULL, 0 or FALSE. */
guint stm_tree_count (const StmTree *self);
const StmMoment *stm_tree_get (const StmTree *self, const char *id);
const StmMoment *stm_tree_find (const StmTree *self, const char *name);
const char *stm_tree_current (const StmTree *self);              /* id or NULL */
guint stm_tree_n_children (const StmTree *self, const char *id); /* of the hidden root for NULL */
const StmMoment *stm_tree_first_child (const StmTree *self, const char *id);
const StmMoment *stm_tree_next_sibling (const StmTree *self, const char *id);
gboolean stm_tree_is_ancestor (const StmTree *self, const char *ancestor, const char *id);

/* The moment and all that stand on it, each parent before its children; with NULL the whole
 * forest. Holds a reference to each (free function set). */
GPtrArray *stm_tree_subtree (const StmTree *self, const char *id);

/* Those in the states creating and deleting, by name, referenced. */
GPtrArray *stm_tree_busy (const StmTree *self);

typedef struct
{
  const char *id;     /* of a moment of the tree */
  const char *parent; /* the id of its parent to be, NULL for none */
} StmTreeMove;

/* The place of a move that would close a ring if all were made, or -1. Each moment at most once. */
gssize stm_tree_find_ring (const StmTree *self, const StmTreeMove *moves, gsize n_moves);

/* Changing: the caller has checked that it fits. A put of a known id replaces it and moves it when
 * its parent differs. The parent must be in the tree at a put, and not stand on the moment; a
 * removed moment has no children. */
void stm_tree_put (StmTree *self, const StmMoment *moment);
void stm_tree_remove (StmTree *self, const char *id);
void stm_tree_set_current (StmTree *self, const char *id);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (StmTree, stm_tree_free)
