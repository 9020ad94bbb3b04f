/* The snapshots or the checkpoints of a domain, read at one time, as a tree. A value: it does not
 * follow what changes later. One thread at a time.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include "stemma-client.h"

G_BEGIN_DECLS

/**
 * StemmaNode:
 * @path: its object path
 * @name: its name
 * @properties: all its properties, `a{sv}`
 * @parent: (nullable): the moment that it stands on; %NULL for a root
 * @first_child: (nullable): the oldest of those that stand on it
 * @next_sibling: (nullable): the next younger one that stands on the same
 * @depth: how many it stands on: 0 for a root
 * @is_head: whether things go on from here: the current snapshot, the leaf of the checkpoints
 *
 * A moment in a #StemmaTree, to read only.
 */
typedef struct _StemmaNode StemmaNode;
struct _StemmaNode
{
  const char *path;
  const char *name;
  GVariant *properties;
  StemmaNode *parent;
  StemmaNode *first_child;
  StemmaNode *next_sibling;
  guint depth;
  gboolean is_head;
};

typedef struct _StemmaTree StemmaTree;

/**
 * stemma_tree_read_sync:
 * @client: a client
 * @kind: which moments
 * @domain: the object path of their domain
 * @cancellable: (nullable): a #GCancellable
 * @error: return location for an error
 *
 * Reads all moments of a kind.
 *
 * Returns: (transfer full): the tree, or %NULL with @error set
 */
StemmaTree *stemma_tree_read_sync (StemmaClient *client, StemmaKind kind, const char *domain,
                                   GCancellable *cancellable, GError **error);

/**
 * stemma_tree_free:
 * @self: (nullable): a tree
 *
 * Frees a tree and its nodes.
 */
void stemma_tree_free (StemmaTree *self);

/**
 * stemma_tree_get_nodes:
 * @self: a tree
 *
 * Gives all nodes, each after its parent and before its younger siblings: the order in which a tree
 * is drawn.
 *
 * Returns: (transfer none) (element-type StemmaNode): the nodes
 */
GPtrArray *stemma_tree_get_nodes (StemmaTree *self);

/**
 * stemma_tree_find:
 * @self: a tree
 * @path: an object path
 *
 * Finds a node.
 *
 * Returns: (transfer none) (nullable): the node
 */
const StemmaNode *stemma_tree_find (StemmaTree *self, const char *path);

/**
 * stemma_tree_count_below:
 * @node: a node
 *
 * Counts the moments that stand on a node, directly or not.
 *
 * Returns: how many there are
 */
guint stemma_tree_count_below (const StemmaNode *node);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (StemmaTree, stemma_tree_free)

G_END_DECLS
