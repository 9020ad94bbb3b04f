/* StmAncestry: rotations, splaying and exposing of paths.
 *
 * In each splay tree the left side is nearer to the root of the forest. Iterative throughout.
 * Called by StmTree alone, on the main loop; knows nothing of what the nodes are.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "stm-ancestry.h"

static gboolean
is_top (const StmAncestry *node)
{
  return node->up == NULL || (node->up->sides[0] != node && node->up->sides[1] != node);
}

static void
rotate (StmAncestry *node)
{
  StmAncestry *above = node->up;
  gboolean is_right = above->sides[1] == node;
  StmAncestry *inner = node->sides[!is_right];

  if (!is_top (above))
    above->up->sides[above->up->sides[1] == above] = node;
  node->up = above->up;
  above->up = node;
  node->sides[!is_right] = above;
  above->sides[is_right] = inner;
  if (inner != NULL)
    inner->up = above;
}

/* Brings the node to the top of its splay tree. */
static void
splay (StmAncestry *node)
{
  while (!is_top (node))
    {
      StmAncestry *above = node->up;

      if (!is_top (above))
        {
          gboolean is_straight = (above->sides[1] == node) == (above->up->sides[1] == above);

          rotate (is_straight ? above : node);
        }
      rotate (node);
    }
}

/* Makes one splay tree of the path from the root to the node, with the node at the top. */
static void
expose (StmAncestry *node)
{
  splay (node);
  node->sides[1] = NULL;
  while (node->up != NULL)
    {
      StmAncestry *below = node->up;

      splay (below);
      below->sides[1] = node;
      splay (node);
    }
}

void
stm_ancestry_link (StmAncestry *self, StmAncestry *parent)
{
  expose (self);
  g_return_if_fail (self->sides[0] == NULL);

  /* Without this a chain would be linked quickly and then cost by its depth. */
  expose (parent);
  self->up = parent;
}

void
stm_ancestry_cut (StmAncestry *self)
{
  expose (self);
  if (self->sides[0] == NULL)
    return;

  self->sides[0]->up = NULL;
  self->sides[0] = NULL;
}

StmAncestry *
stm_ancestry_root (StmAncestry *self)
{
  StmAncestry *root = self;

  expose (self);
  while (root->sides[0] != NULL)
    root = root->sides[0];
  /* Pays for the way down. */
  splay (root);

  return root;
}

gboolean
stm_ancestry_is_above (StmAncestry *ancestor, StmAncestry *self)
{
  if (ancestor == self)
    return TRUE;

  expose (self);
  splay (ancestor);
  /* On the exposed path, or not: then its splay tree has another top. */
  return ancestor->up == NULL ? self->up != NULL : FALSE;
}
