/* StmSiblings: a treap, by rotations and without recursion.
 *
 * Called by StmTree alone, on the main loop; knows no moment.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "stm-siblings.h"

/* Where the pointer to a node stands. */
static StmSibling **
place_of (StmSiblings *self, const StmSibling *node)
{
  return node->up == NULL ? &self->top : &node->up->sides[node->up->sides[1] == node];
}

/* Moves the node up to the place of the one above it. */
static void
rotate (StmSiblings *self, StmSibling *node)
{
  StmSibling *above = node->up;
  gboolean is_right = above->sides[1] == node;
  StmSibling *inner = node->sides[!is_right];

  *place_of (self, above) = node;
  node->up = above->up;
  above->up = node;
  node->sides[!is_right] = above;
  above->sides[is_right] = inner;
  if (inner != NULL)
    inner->up = above;
}

void
stm_siblings_add (StmSiblings *self, StmSibling *sibling, guint32 rank, GCompareFunc compare)
{
  StmSibling **place = &self->top;
  StmSibling *up = NULL;

  while (*place != NULL)
    {
      up = *place;
      place = &up->sides[compare (sibling, up) >= 0];
    }
  *sibling = (StmSibling){ .up = up, .rank = rank };
  *place = sibling;
  while (sibling->up != NULL && sibling->up->rank < sibling->rank)
    rotate (self, sibling);
}

void
stm_siblings_remove (StmSiblings *self, StmSibling *sibling)
{
  while (sibling->sides[0] != NULL && sibling->sides[1] != NULL)
    rotate (self, sibling->sides[sibling->sides[0]->rank < sibling->sides[1]->rank]);

  StmSibling *rest = sibling->sides[sibling->sides[0] == NULL];

  *place_of (self, sibling) = rest;
  if (rest != NULL)
    rest->up = sibling->up;
  *sibling = (StmSibling){ 0 };
}

static StmSibling *
leftmost (StmSibling *node)
{
  while (node != NULL && node->sides[0] != NULL)
    node = node->sides[0];

  return node;
}

StmSibling *
stm_siblings_first (const StmSiblings *self)
{
  return leftmost (self->top);
}

StmSibling *
stm_sibling_next (const StmSibling *self)
{
  if (self->sides[1] != NULL)
    return leftmost (self->sides[1]);
  while (self->up != NULL && self->up->sides[1] == self)
    self = self->up;

  return self->up;
}
