/* Reads a tree: the order from List, the properties from the domain's object manager or, when there
 * are too many for one message, one by one.
 *
 * Nothing here recurses: a chain a hundred thousand deep is legal.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "stemma-tree.h"

#include "stemma-bulk.h"

/* What fits one message of the system bus (32 MiB) with names and paths of a usual length. */
#define MAX_IN_ONE_REPLY 20000

typedef struct
{
  StemmaNode node; /* the public part first */
  StemmaNode *last_child;
  gboolean is_linked;
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

static GStrv
list_paths (StemmaClient *client, StemmaKind kind, const char *domain, GCancellable *cancellable,
            GError **error)
{
  g_autoptr (GVariant)
      reply = stemma_client_call_sync (client, domain, stemma_kind_to_list_interface (kind), "List",
                                       g_variant_new_parsed ("({'topological': <true>},)"),
                                       G_VARIANT_TYPE ("(ao)"), cancellable, error);
  GStrv paths = NULL;

  if (reply != NULL)
    g_variant_get (reply, "(^ao)", &paths);
  return paths;
}

/* How many objects the domain's object manager would list, disks apart. */
static guint
count_moments (StemmaClient *client, const char *domain, GCancellable *cancellable)
{
  guint sum = 0;

  for (StemmaKind kind = STEMMA_KIND_SNAPSHOT; kind <= STEMMA_KIND_CHECKPOINT; kind++)
    {
      g_autoptr (GVariant) properties = stemma_client_get_properties_sync (
          client, domain, stemma_kind_to_list_interface (kind), cancellable, /* error= */ NULL);
      guint count = 0;

      if (properties != NULL && g_variant_lookup (properties, "Count", "u", &count))
        sum += count;
    }
  return sum;
}

static GHashTable *
read_at_once (StemmaClient *client, const char *domain, const char *interface,
              GCancellable *cancellable, GError **error)
{
  g_autofree char *full = g_strconcat (STEMMA_BUS_NAME ".", interface, NULL);
  g_autoptr (GVariant)
      objects = stemma_client_get_objects_sync (client, domain, cancellable, error);
  GHashTable *found = NULL;
  GVariantIter iter;
  GVariant *interfaces = NULL;
  const char *path = NULL;

  if (objects == NULL)
    return NULL;

  found = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, (GDestroyNotify) g_variant_unref);
  g_variant_iter_init (&iter, objects);
  while (g_variant_iter_loop (&iter, "{&o@a{sa{sv}}}", &path, &interfaces))
    {
      GVariant *properties = g_variant_lookup_value (interfaces, full, G_VARIANT_TYPE_VARDICT);

      if (properties != NULL)
        g_hash_table_insert (found, g_strdup (path), properties);
    }
  return found;
}

static void
add_member (StemmaTree *self, const char *path, GVariant *properties, const char *head)
{
  Member *member = g_new0 (Member, 1);

  member->node.path = g_strdup (path);
  member->node.properties = g_variant_ref (properties);
  member->node.name = "";
  g_variant_lookup (properties, "Name", "&s", &member->node.name);
  member->node.is_head = g_strcmp0 (path, head) == 0;
  g_hash_table_insert (self->by_path, (gpointer) member->node.path, member);
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

/* In the order of the paths, so that siblings are in that order. What a change between two calls
 * left without its parent is drawn as a root; so is what would close a ring: only one that comes
 * after its children can, which is not the order asked for. Gives the first root. */
static StemmaNode *
link_members (StemmaTree *self, const char *const *paths)
{
  StemmaNode *first_root = NULL;
  StemmaNode *last_root = NULL;

  for (guint i = 0; paths[i] != NULL; i++)
    {
      Member *member = g_hash_table_lookup (self->by_path, paths[i]);
      const char *parent_path = "/";
      Member *parent = NULL;

      if (member == NULL || member->is_linked)
        continue;
      member->is_linked = TRUE;
      g_variant_lookup (member->node.properties, "Parent", "&o", &parent_path);
      parent = g_hash_table_lookup (self->by_path, parent_path);
      if (parent != NULL && member->node.first_child != NULL
          && is_below (&parent->node, &member->node))
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
build (GHashTable *found, const char *const *paths, const char *head)
{
  StemmaTree *self = g_new0 (StemmaTree, 1);

  self->by_path = g_hash_table_new_full (g_str_hash, g_str_equal, NULL, member_free);
  self->nodes = g_ptr_array_new ();
  for (guint i = 0; paths[i] != NULL; i++)
    {
      GVariant *properties = g_hash_table_lookup (found, paths[i]);

      if (properties != NULL && !g_hash_table_contains (self->by_path, paths[i]))
        add_member (self, paths[i], properties, head);
    }
  draw (self, link_members (self, paths));
  return self;
}

StemmaTree *
stemma_tree_read_sync (StemmaClient *client, StemmaKind kind, const char *domain,
                       GCancellable *cancellable, GError **error)
{
  g_auto (GStrv) paths = list_paths (client, kind, domain, cancellable, error);
  const char *interface = stemma_kind_to_interface (kind);
  g_autoptr (GHashTable) found = NULL;
  g_autofree char *head = NULL;

  if (paths == NULL)
    return NULL;

  head = read_head (client, kind, domain, cancellable, error);
  if (head == NULL)
    return NULL;
  if (count_moments (client, domain, cancellable) > MAX_IN_ONE_REPLY)
    found = stemma_bulk_read_sync (client, (const char *const *) paths, interface, cancellable,
                                   error);
  else
    found = read_at_once (client, domain, interface, cancellable, error);
  return found != NULL ? build (found, (const char *const *) paths, head) : NULL;
}
