/* StmImageIndex: nodes by path, linked to the nodes of the images that stand on them.
 *
 * Owned and changed by StmModel on the main loop. Knows no rule: what may stand on what, and what
 * may go, is decided by stm_model_check().
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "stm-image-index.h"

#include "stm-pointer-set.h"

/* A path that any domain knows of, and what each of them knows. */
typedef struct
{
  char *path;
  StmPointerSet nodes; /* of Node, one for each domain */
} Holder;

/* A path that is recorded, stood on or held; it lives as long as one of these is true. */
typedef struct
{
  Holder *holder;
  StmImageIndex *index;
  StmImage *record;       /* NULL when only others name the path */
  StmPointerSet children; /* of Node: those whose records have this path as backing */
  StmPointerSet moments;  /* of StmMoment: those that hold it */
  StmPointerSet homes;    /* of StmMoment: checkpoints whose bitmap was begun in it */
  GHashTable *disks;      /* set of targets: those that have it active; NULL while there is none */
} Node;

struct _StmImageIndex
{
  char *domain_id;
  GHashTable *holders; /* path -> Holder; shared by all domains */
  GHashTable *nodes;   /* path -> Node */
};

static void
free_holder (gpointer data)
{
  Holder *holder = data;

  stm_pointer_set_clear (&holder->nodes);
  g_free (holder->path);
  g_free (holder);
}

GHashTable *
stm_image_holders_new (void)
{
  return g_hash_table_new_full (g_str_hash, g_str_equal, NULL, free_holder);
}

static void
enter_holder (Node *node, const char *path)
{
  GHashTable *holders = node->index->holders;

  node->holder = g_hash_table_lookup (holders, path);
  if (node->holder == NULL)
    {
      node->holder = g_new0 (Holder, 1);
      node->holder->path = g_strdup (path);
      g_hash_table_insert (holders, node->holder->path, node->holder);
    }
  stm_pointer_set_add (&node->holder->nodes, node);
}

static void
leave_holder (Node *node)
{
  Holder *holder = g_steal_pointer (&node->holder);

  stm_pointer_set_remove (&holder->nodes, node);
  if (stm_pointer_set_size (&holder->nodes) == 0)
    g_hash_table_remove (node->index->holders, holder->path);
}

static void
free_node (gpointer data)
{
  Node *node = data;

  stm_image_unref (node->record);
  stm_pointer_set_clear (&node->children);
  stm_pointer_set_clear (&node->moments);
  stm_pointer_set_clear (&node->homes);
  g_clear_pointer (&node->disks, g_hash_table_unref);
  leave_holder (node);
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
  node->index = self;
  enter_holder (node, path);
  g_hash_table_insert (self->nodes, node->holder->path, node);

  return node;
}

static void
release_node (StmImageIndex *self, Node *node)
{
  if (node->record == NULL && stm_pointer_set_size (&node->children) == 0
      && stm_pointer_set_size (&node->moments) == 0 && stm_pointer_set_size (&node->homes) == 0
      && node->disks == NULL)
    g_hash_table_remove (self->nodes, node->holder->path);
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
  if (self == NULL)
    return;

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
  StmPointerSetIter iter;
  const Node *child;

  if (node == NULL)
    return g_steal_pointer (&children);

  stm_pointer_set_iter_init (&iter, &node->children);
  while ((child = stm_pointer_set_iter_next (&iter)) != NULL)
    g_ptr_array_add (children, child->record);

  return g_steal_pointer (&children);
}

guint
stm_image_index_count_children (const StmImageIndex *self, const char *path)
{
  const Node *node = get_node (self, path);

  return node != NULL ? stm_pointer_set_size (&node->children) : 0;
}

gboolean
stm_image_index_has_children (const StmImageIndex *self, const char *path)
{
  const Node *node = get_node (self, path);

  return node != NULL && stm_pointer_set_size (&node->children) > 0;
}

/* Whether the disk of a moment keeps the image as it is. A bitmap goes on recording in whatever is
 * over the image that it was begun in. */
static gboolean
is_held (const StmMomentDisk *disk)
{
  return disk->frozen != NULL && disk->mode != STM_MODE_BITMAP;
}

static void
add_users_of_moment (const Node *node, const StmMoment *moment, GArray *users)
{
  for (gsize i = 0; i < moment->n_disks; i++)
    {
      const StmImageUser user = {
        .domain_id = node->index->domain_id,
        .moment_id = moment->id,
        .kind = moment->kind,
        .target = moment->disks[i].target,
      };

      if (is_held (&moment->disks[i]) && g_str_equal (moment->disks[i].frozen, node->holder->path))
        g_array_append_val (users, user);
    }
}

static void
add_disks_of_node (const Node *node, GArray *users)
{
  GHashTableIter disks;
  gpointer target;

  if (node->disks == NULL)
    return;

  g_hash_table_iter_init (&disks, node->disks);
  while (g_hash_table_iter_next (&disks, &target, NULL))
    {
      const StmImageUser user = { .domain_id = node->index->domain_id, .target = target };

      g_array_append_val (users, user);
    }
}

static void
add_users_of_node (const Node *node, GArray *users)
{
  StmPointerSetIter moments;
  const StmMoment *moment;

  stm_pointer_set_iter_init (&moments, &node->moments);
  while ((moment = stm_pointer_set_iter_next (&moments)) != NULL)
    add_users_of_moment (node, moment, users);
  add_disks_of_node (node, users);
}

void
stm_image_index_get_users (const StmImageIndex *self, const char *path, GArray *users)
{
  const Node *node = get_node (self, path);

  if (node != NULL)
    add_users_of_node (node, users);
}

static int
compare_moments (gconstpointer a, gconstpointer b)
{
  return g_strcmp0 ((*(StmMoment *const *) a)->id, (*(StmMoment *const *) b)->id);
}

static void
add_moments (GPtrArray *moments, const StmPointerSet *added)
{
  StmPointerSetIter iter;
  const StmMoment *moment;

  stm_pointer_set_iter_init (&iter, added);
  while ((moment = stm_pointer_set_iter_next (&iter)) != NULL)
    g_ptr_array_add (moments, stm_moment_ref (moment));
}

GPtrArray *
stm_image_index_checkpoints (const StmImageIndex *self, const char *path)
{
  GPtrArray *moments = g_ptr_array_new_with_free_func ((GDestroyNotify) stm_moment_unref);
  const Node *node = get_node (self, path);

  if (node != NULL)
    add_moments (moments, &node->homes);
  g_ptr_array_sort (moments, compare_moments);

  return moments;
}

GPtrArray *
stm_image_index_moments (const StmImageIndex *self, const char *path)
{
  GPtrArray *moments = stm_image_index_checkpoints (self, path);
  const Node *node = get_node (self, path);

  if (node != NULL)
    add_moments (moments, &node->moments);

  return moments;
}

static void
unlink_from_backing (StmImageIndex *self, Node *node)
{
  Node *backing = node->record != NULL ? get_node (self, node->record->backing) : NULL;

  if (backing == NULL)
    return;
  stm_pointer_set_remove (&backing->children, node);
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
    stm_pointer_set_add (&ensure_node (self, image->backing)->children, node);
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

void
stm_image_index_add_moment (StmImageIndex *self, const StmMoment *moment)
{
  for (gsize i = 0; i < moment->n_disks; i++)
    {
      const StmMomentDisk *disk = &moment->disks[i];
      Node *node = disk->frozen != NULL ? ensure_node (self, disk->frozen) : NULL;

      if (node != NULL)
        stm_pointer_set_add (is_held (disk) ? &node->moments : &node->homes, (StmMoment *) moment);
    }
}

void
stm_image_index_drop_moment (StmImageIndex *self, const StmMoment *moment)
{
  for (gsize i = 0; i < moment->n_disks; i++)
    {
      const StmMomentDisk *disk = &moment->disks[i];
      Node *node = get_node (self, disk->frozen);

      if (node == NULL)
        continue;
      stm_pointer_set_remove (is_held (disk) ? &node->moments : &node->homes, moment);
      release_node (self, node);
    }
}

void
stm_image_index_add_disks (StmImageIndex *self, const StmDomain *domain)
{
  for (gsize i = 0; i < domain->n_disks; i++)
    {
      const StmDisk *disk = &domain->disks[i];
      Node *node = disk->source != NULL ? ensure_node (self, disk->source) : NULL;

      if (node == NULL)
        continue;
      if (node->disks == NULL)
        node->disks = g_hash_table_new (g_str_hash, g_str_equal);
      g_hash_table_add (node->disks, (char *) disk->target);
    }
}

void
stm_image_index_drop_disks (StmImageIndex *self, const StmDomain *domain)
{
  for (gsize i = 0; i < domain->n_disks; i++)
    {
      Node *node = get_node (self, domain->disks[i].source);

      if (node == NULL || node->disks == NULL)
        continue;
      g_hash_table_remove (node->disks, domain->disks[i].target);
      if (g_hash_table_size (node->disks) == 0)
        g_clear_pointer (&node->disks, g_hash_table_unref);
      release_node (self, node);
    }
}

static int
compare_paths (gconstpointer a, gconstpointer b)
{
  return g_strcmp0 (*(char *const *) a, *(char *const *) b);
}

/* Two domains may record the same child: it is one file and named once. */
static void
add_children_once (const Node *node, GHashTable *seen, GPtrArray *paths)
{
  StmPointerSetIter iter;
  const Node *child;

  stm_pointer_set_iter_init (&iter, &node->children);
  while ((child = stm_pointer_set_iter_next (&iter)) != NULL)
    if (g_hash_table_add (seen, child->holder->path))
      g_ptr_array_add (paths, g_strdup (child->holder->path));
}

GPtrArray *
stm_image_holders_children (GHashTable *holders, const char *path)
{
  g_autoptr (GPtrArray) paths = g_ptr_array_new_with_free_func (g_free);
  g_autoptr (GHashTable) seen = g_hash_table_new (g_str_hash, g_str_equal);
  const Holder *holder = g_hash_table_lookup (holders, path);
  StmPointerSetIter iter;
  const Node *node;

  if (holder == NULL)
    return g_steal_pointer (&paths);

  stm_pointer_set_iter_init (&iter, &holder->nodes);
  while ((node = stm_pointer_set_iter_next (&iter)) != NULL)
    add_children_once (node, seen, paths);
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

typedef void (*AddFunc) (const Node *node, GArray *users);

static GArray *
collect_users (GHashTable *holders, const char *path, AddFunc add)
{
  g_autoptr (GArray) users = g_array_new (FALSE, FALSE, sizeof (StmImageUser));
  const Holder *holder = g_hash_table_lookup (holders, path);
  StmPointerSetIter iter;
  const Node *node;

  if (holder == NULL)
    return g_steal_pointer (&users);

  stm_pointer_set_iter_init (&iter, &holder->nodes);
  while ((node = stm_pointer_set_iter_next (&iter)) != NULL)
    add (node, users);
  g_array_sort (users, compare_users);

  return g_steal_pointer (&users);
}

guint
stm_image_holders_count_users (GHashTable *holders, const char *path)
{
  const Holder *holder = g_hash_table_lookup (holders, path);
  guint n_users = 0;
  StmPointerSetIter iter;
  const Node *node;

  if (holder == NULL)
    return 0;

  stm_pointer_set_iter_init (&iter, &holder->nodes);
  while ((node = stm_pointer_set_iter_next (&iter)) != NULL)
    n_users += stm_pointer_set_size (&node->moments)
               + (node->disks != NULL ? g_hash_table_size (node->disks) : 0);

  return n_users;
}

GArray *
stm_image_holders_users (GHashTable *holders, const char *path)
{
  return collect_users (holders, path, add_users_of_node);
}

GArray *
stm_image_holders_disks (GHashTable *holders, const char *path)
{
  return collect_users (holders, path, add_disks_of_node);
}
