/* StmImageIndex: nodes by path, linked to the nodes of the images that stand on them.
 *
 * Owned and changed by StmModel on the main loop. Knows no rule: what may stand on what, and what
 * may go, is decided by stm_model_check().
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "stm-image-index.h"

/* A path that is recorded, stood on or held; it lives as long as one of the three is true. */
typedef struct
{
  char *path;
  StmImage *record;     /* NULL when only others name the path */
  GHashTable *children; /* set of Node whose records have this path as backing */
  GHashTable *users;    /* set of StmImageUser */
} Node;

struct _StmImageIndex
{
  char *domain_id;
  GHashTable *holders; /* path -> set of StmImageIndex; shared by all domains */
  GHashTable *nodes;   /* path -> Node */
};

GHashTable *
stm_image_holders_new (void)
{
  return g_hash_table_new_full (g_str_hash, g_str_equal, g_free,
                                (GDestroyNotify) g_hash_table_unref);
}

static void
enter_holder (StmImageIndex *self, const char *path)
{
  GHashTable *indexes = g_hash_table_lookup (self->holders, path);

  if (indexes == NULL)
    {
      indexes = g_hash_table_new (NULL, NULL);
      g_hash_table_insert (self->holders, g_strdup (path), indexes);
    }
  g_hash_table_add (indexes, self);
}

static void
leave_holder (StmImageIndex *self, const char *path)
{
  GHashTable *indexes = g_hash_table_lookup (self->holders, path);

  g_hash_table_remove (indexes, self);
  if (g_hash_table_size (indexes) == 0)
    g_hash_table_remove (self->holders, path);
}

/* The domain is the same for all users of an index. */
static guint
hash_user (gconstpointer data)
{
  const StmImageUser *user = data;

  return g_str_hash (user->target)
         ^ (user->moment_id != NULL ? g_str_hash (user->moment_id) * 31 : 0);
}

static gboolean
users_are_equal (gconstpointer a, gconstpointer b)
{
  const StmImageUser *user_a = a;
  const StmImageUser *user_b = b;

  return g_strcmp0 (user_a->moment_id, user_b->moment_id) == 0
         && g_str_equal (user_a->target, user_b->target);
}

static void
free_node (gpointer data)
{
  Node *node = data;

  stm_image_unref (node->record);
  g_hash_table_unref (node->children);
  g_hash_table_unref (node->users);
  g_free (node->path);
  g_free (node);
}

static Node *
get_node (const StmImageIndex *self, const char *path)
{
  return path != NULL ? g_hash_table_lookup (self->nodes, path) : NULL;
}

static Node *
ensure_node (StmImageIndex *self, const char *path)
{
  Node *node = get_node (self, path);

  if (node != NULL)
    return node;

  node = g_new0 (Node, 1);
  node->path = g_strdup (path);
  node->children = g_hash_table_new (NULL, NULL);
  node->users = g_hash_table_new_full (hash_user, users_are_equal, g_free, NULL);
  g_hash_table_insert (self->nodes, node->path, node);
  enter_holder (self, path);

  return node;
}

static void
release_node (StmImageIndex *self, Node *node)
{
  if (node->record != NULL || g_hash_table_size (node->children) > 0
      || g_hash_table_size (node->users) > 0)
    return;

  leave_holder (self, node->path);
  g_hash_table_remove (self->nodes, node->path);
}

StmImageIndex *
stm_image_index_new (GHashTable *holders, const char *domain_id)
{
  StmImageIndex *self = g_new0 (StmImageIndex, 1);

  self->domain_id = g_strdup (domain_id);
  self->holders = holders;
  self->nodes = g_hash_table_new_full (g_str_hash, g_str_equal, NULL, free_node);

  return self;
}

void
stm_image_index_free (StmImageIndex *self)
{
  GHashTableIter iter;
  gpointer path;

  if (self == NULL)
    return;

  g_hash_table_iter_init (&iter, self->nodes);
  while (g_hash_table_iter_next (&iter, &path, NULL))
    leave_holder (self, path);
  g_hash_table_unref (self->nodes);
  g_free (self->domain_id);
  g_free (self);
}

const StmImage *
stm_image_index_get (const StmImageIndex *self, const char *path)
{
  const Node *node = get_node (self, path);

  return node != NULL ? node->record : NULL;
}

static int
compare_images (gconstpointer a, gconstpointer b)
{
  const StmImage *image_a = *(StmImage *const *) a;
  const StmImage *image_b = *(StmImage *const *) b;
  int by_target = g_strcmp0 (image_a->target, image_b->target);

  if (by_target != 0)
    return by_target;
  if (image_a->index != image_b->index)
    return image_a->index < image_b->index ? -1 : 1;

  return g_strcmp0 (image_a->path, image_b->path);
}

GPtrArray *
stm_image_index_list (const StmImageIndex *self)
{
  g_autoptr (GPtrArray) images = g_ptr_array_new_with_free_func ((GDestroyNotify) stm_image_unref);
  GHashTableIter iter;
  gpointer value;

  g_hash_table_iter_init (&iter, self->nodes);
  while (g_hash_table_iter_next (&iter, NULL, &value))
    {
      const Node *node = value;

      if (node->record != NULL)
        g_ptr_array_add (images, stm_image_ref (node->record));
    }
  g_ptr_array_sort (images, compare_images);

  return g_steal_pointer (&images);
}

GPtrArray *
stm_image_index_children (const StmImageIndex *self, const char *path)
{
  g_autoptr (GPtrArray) children = g_ptr_array_new ();
  const Node *node = get_node (self, path);
  GHashTableIter iter;
  gpointer child;

  if (node == NULL)
    return g_steal_pointer (&children);

  g_hash_table_iter_init (&iter, node->children);
  while (g_hash_table_iter_next (&iter, &child, NULL))
    g_ptr_array_add (children, ((Node *) child)->record);

  return g_steal_pointer (&children);
}

void
stm_image_index_get_users (const StmImageIndex *self, const char *path, GArray *users)
{
  const Node *node = get_node (self, path);
  GHashTableIter iter;
  gpointer user;

  if (node == NULL)
    return;

  g_hash_table_iter_init (&iter, node->users);
  while (g_hash_table_iter_next (&iter, &user, NULL))
    g_array_append_vals (users, user, 1);
}

static void
unlink_from_backing (StmImageIndex *self, Node *node)
{
  Node *backing = node->record != NULL ? get_node (self, node->record->backing) : NULL;

  if (backing == NULL)
    return;
  g_hash_table_remove (backing->children, node);
  if (backing != node)
    release_node (self, backing);
}

void
stm_image_index_put (StmImageIndex *self, const StmImage *image)
{
  Node *node = ensure_node (self, image->path);
  StmImage *replaced = node->record;

  unlink_from_backing (self, node);
  node->record = stm_image_ref (image);
  stm_image_unref (replaced);
  if (image->backing != NULL)
    g_hash_table_add (ensure_node (self, image->backing)->children, node);
}

void
stm_image_index_remove (StmImageIndex *self, const char *path)
{
  Node *node = get_node (self, path);

  g_return_if_fail (node != NULL && node->record != NULL);

  unlink_from_backing (self, node);
  g_clear_pointer (&node->record, stm_image_unref);
  release_node (self, node);
}

static void
add_user (StmImageIndex *self, const char *path, const StmImageUser *init)
{
  g_hash_table_add (ensure_node (self, path)->users, g_memdup2 (init, sizeof *init));
}

static void
drop_user (StmImageIndex *self, const char *path, const StmImageUser *user)
{
  Node *node = get_node (self, path);

  if (node == NULL)
    return;
  g_hash_table_remove (node->users, user);
  release_node (self, node);
}

typedef void (*UserFunc) (StmImageIndex *self, const char *path, const StmImageUser *user);

static void
for_each_frozen (StmImageIndex *self, const StmMoment *moment, UserFunc func)
{
  for (gsize i = 0; i < moment->n_disks; i++)
    {
      const StmImageUser user = {
        .domain_id = self->domain_id,
        .moment_id = moment->id,
        .kind = moment->kind,
        .target = moment->disks[i].target,
      };

      if (moment->disks[i].frozen != NULL)
        func (self, moment->disks[i].frozen, &user);
    }
}

static void
for_each_active (StmImageIndex *self, const StmDomain *domain, UserFunc func)
{
  for (gsize i = 0; i < domain->n_disks; i++)
    {
      const StmImageUser user = {
        .domain_id = self->domain_id,
        .target = domain->disks[i].target,
      };

      if (domain->disks[i].source != NULL)
        func (self, domain->disks[i].source, &user);
    }
}

void
stm_image_index_add_moment (StmImageIndex *self, const StmMoment *moment)
{
  for_each_frozen (self, moment, add_user);
}

void
stm_image_index_drop_moment (StmImageIndex *self, const StmMoment *moment)
{
  for_each_frozen (self, moment, drop_user);
}

void
stm_image_index_add_disks (StmImageIndex *self, const StmDomain *domain)
{
  for_each_active (self, domain, add_user);
}

void
stm_image_index_drop_disks (StmImageIndex *self, const StmDomain *domain)
{
  for_each_active (self, domain, drop_user);
}

static int
compare_paths (gconstpointer a, gconstpointer b)
{
  return g_strcmp0 (*(char *const *) a, *(char *const *) b);
}

/* Two domains may record the same child: it is one file and named once. */
static void
add_children_once (const StmImageIndex *index, const char *path, GHashTable *seen, GPtrArray *paths)
{
  g_autoptr (GPtrArray) children = stm_image_index_children (index, path);

  for (guint i = 0; i < children->len; i++)
    {
      const StmImage *child = children->pdata[i];

      if (g_hash_table_add (seen, (char *) child->path))
        g_ptr_array_add (paths, g_strdup (child->path));
    }
}

GPtrArray *
stm_image_holders_children (GHashTable *holders, const char *path)
{
  g_autoptr (GPtrArray) paths = g_ptr_array_new_with_free_func (g_free);
  g_autoptr (GHashTable) seen = g_hash_table_new (g_str_hash, g_str_equal);
  GHashTable *indexes = g_hash_table_lookup (holders, path);
  GHashTableIter iter;
  gpointer index;

  if (indexes == NULL)
    return g_steal_pointer (&paths);

  g_hash_table_iter_init (&iter, indexes);
  while (g_hash_table_iter_next (&iter, &index, NULL))
    add_children_once (index, path, seen, paths);
  g_ptr_array_sort (paths, compare_paths);

  return g_steal_pointer (&paths);
}

/* Active images before moments, in an order that does not depend on addresses. */
static int
compare_users (gconstpointer a, gconstpointer b)
{
  const StmImageUser *user_a = a;
  const StmImageUser *user_b = b;
  int by_domain = g_strcmp0 (user_a->domain_id, user_b->domain_id);
  int by_moment = g_strcmp0 (user_a->moment_id, user_b->moment_id);

  if (by_domain != 0)
    return by_domain;
  if (by_moment != 0)
    return by_moment;

  return g_strcmp0 (user_a->target, user_b->target);
}

GArray *
stm_image_holders_users (GHashTable *holders, const char *path)
{
  g_autoptr (GArray) users = g_array_new (FALSE, FALSE, sizeof (StmImageUser));
  GHashTable *indexes = g_hash_table_lookup (holders, path);
  GHashTableIter iter;
  gpointer index;

  if (indexes == NULL)
    return g_steal_pointer (&users);

  g_hash_table_iter_init (&iter, indexes);
  while (g_hash_table_iter_next (&iter, &index, NULL))
    stm_image_index_get_users (index, path, users);
  g_array_sort (users, compare_users);

  return g_steal_pointer (&users);
}

guint
stm_image_holders_count_users (GHashTable *holders, const char *path)
{
  GHashTable *indexes = g_hash_table_lookup (holders, path);
  guint n_users = 0;
  GHashTableIter iter;
  gpointer index;

  if (indexes == NULL)
    return 0;

  g_hash_table_iter_init (&iter, indexes);
  while (g_hash_table_iter_next (&iter, &index, NULL))
    {
      const Node *node = get_node (index, path);

      n_users += node != NULL ? g_hash_table_size (node->users) : 0;
    }
  return n_users;
}
