/* Links what was read in pages.
 *
 * Nothing here recurses: a chain a hundred thousand deep is legal.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "stemma-tree.h"

#include "stemma-moments.h"

typedef struct
{
  StemmaNode node; /* the public part first */
  StemmaNode *last_child;
} Member;

struct _StemmaTree
{
  GHashTable *by_path; /* of Member, which it owns */
  GPtrArray *nodes;    /* as drawn; borrowed */
};

static void
member_free (gpointer data)
{
  Member *member = data;

  g_free ((char *) member->node.path);
  g_variant_unref (member->node.properties);
  g_free (member);
}

void
stemma_tree_free (StemmaTree *self)
{
  if (self == NULL)
    return;

  g_hash_table_unref (self->by_path);
  g_ptr_array_unref (self->nodes);
  g_free (self);
}

GPtrArray *
stemma_tree_get_nodes (StemmaTree *self)
{
  g_return_val_if_fail (self != NULL, NULL);

  return self->nodes;
}

const StemmaNode *
stemma_tree_find (StemmaTree *self, const char *path)
{
  g_return_val_if_fail (self != NULL && path != NULL, NULL);

  return g_hash_table_lookup (self->by_path, path);
}

/* The next as drawn among those below `root`; NULL after the last. */
static const StemmaNode *
next_below (const StemmaNode *node, const StemmaNode *root)
{
  if (node->first_child != NULL)
    return node->first_child;
  while (node != root && node->next_sibling == NULL)
    node = node->parent;
  return node == root ? NULL : node->next_sibling;
}

guint
stemma_tree_count_below (const StemmaNode *node)
{
  guint count = 0;

  g_return_val_if_fail (node != NULL, 0);

  for (const StemmaNode *at = next_below (node, node); at != NULL; at = next_below (at, node))
    count++;
  return count;
}

static void
add_member (StemmaTree *self, GVariant *moment, const char *head)
{
  Member *member = g_new0 (Member, 1);

  g_variant_get (moment, "(o@a{sv})", &member->node.path, &member->node.properties);
  member->node.name = "";
  g_variant_lookup (member->node.properties, "Name", "&s", &member->node.name);
  member->node.is_head = g_strcmp0 (member->node.path, head) == 0;
  if (g_hash_table_contains (self->by_path, member->node.path))
    {
      member_free (member);
      return;
    }
  g_hash_table_insert (self->by_path, (gpointer) member->node.path, member);
  g_ptr_array_add (self->nodes, member);
}

static gboolean
is_below (const StemmaNode *node, const StemmaNode *other)
{
  while (node != NULL && node != other)
    node = node->parent;
  return node != NULL;
}

static void
append_child (Member *parent, StemmaNode *child, StemmaNode **last_root)
{
  StemmaNode **last = parent != NULL ? &parent->last_child : last_root;

  if (*last != NULL)
    (*last)->next_sibling = child;
  else if (parent != NULL)
    parent->node.first_child = child;
  *last = child;
  child->parent = parent != NULL ? &parent->node : NULL;
}

/* In the order in which they were read, so that siblings are in that order. What a change between
 * two pages left without its parent is drawn as a root; so is what would close a ring: only one
 * that comes after its children can, which is not the order asked for. Gives the first root. */
static StemmaNode *
link_members (StemmaTree *self)
{
  StemmaNode *first_root = NULL;
  StemmaNode *last_root = NULL;

  for (guint i = 0; i < self->nodes->len; i++)
    {
      Member *member = self->nodes->pdata[i];
      const char *parent_path = "/";
      Member *parent = NULL;

      g_variant_lookup (member->node.properties, "Parent", "&o", &parent_path);
      parent = g_hash_table_lookup (self->by_path, parent_path);
      if (parent == member
          || (parent != NULL && member->node.first_child != NULL
              && is_below (&parent->node, &member->node)))
        parent = NULL;
      append_child (parent, &member->node, &last_root);
      if (first_root == NULL)
        first_root = last_root;
    }
  return first_root;
}

static void
draw (StemmaTree *self, StemmaNode *first_root)
{
  g_ptr_array_set_size (self->nodes, 0);
  for (StemmaNode *root = first_root; root != NULL; root = root->next_sibling)
    {
      g_ptr_array_add (self->nodes, root);
      for (const StemmaNode *at = next_below (root, root); at != NULL; at = next_below (at, root))
        {
          ((StemmaNode *) at)->depth = at->parent->depth + 1;
          g_ptr_array_add (self->nodes, (gpointer) at);
        }
    }
}

/* "/" or the path of the moment that things go on from. */
static char *
read_head (StemmaClient *client, StemmaKind kind, const char *domain, GCancellable *cancellable,
           GError **error)
{
  g_autoptr (GVariant) properties = stemma_client_get_properties_sync (
      client, domain, stemma_kind_to_list_interface (kind), cancellable, error);
  char *head = NULL;

  if (properties == NULL)
    return NULL;
  if (!g_variant_lookup (properties, stemma_kind_to_head_property (kind), "o", &head))
    return g_strdup ("/");
  return head;
}

static StemmaTree *
build (GPtrArray *moments, const char *head)
{
  StemmaTree *self = g_new0 (StemmaTree, 1);

  self->by_path = g_hash_table_new_full (g_str_hash, g_str_equal, NULL, member_free);
  self->nodes = g_ptr_array_new ();
  for (guint i = 0; i < moments->len; i++)
    add_member (self, moments->pdata[i], head);
  draw (self, link_members (self));
  return self;
}

StemmaTree *
stemma_tree_read_sync (StemmaClient *client, StemmaKind kind, const char *domain,
                       GCancellable *cancellable, GError **error)
{
  g_autofree char *head = read_head (client, kind, domain, cancellable, error);
  g_autoptr (GPtrArray) moments = NULL;

  if (head == NULL)
    return NULL;
  moments = stemma_moments_read_sync (
      client, kind, domain, g_variant_new_parsed ("{'topological': <true>}"), cancellable, error);
  return moments != NULL ? build (moments, head) : NULL;
}
