/* The table of all paths that any domain knows of, and the questions across domains.
 *
 * Owned by StmModel on the main loop; the indexes enter and leave their nodes. Knows no rule.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "stm-image-index-private.h"

static void
free_holder (gpointer data)
{
  StmImageHolder *holder = data;

  stm_pointer_set_clear (&holder->nodes);
  g_free (holder->path);
  g_free (holder);
}

GHashTable *
stm_image_holders_new (void)
{
  return g_hash_table_new_full (g_str_hash, g_str_equal, NULL, free_holder);
}

void
stm_image_holders_enter (StmImageNode *node, const char *path)
{
  GHashTable *holders = node->index->holders;

  node->holder = g_hash_table_lookup (holders, path);
  if (node->holder == NULL)
    {
      node->holder = g_new0 (StmImageHolder, 1);
      node->holder->path = g_strdup (path);
      g_hash_table_insert (holders, node->holder->path, node->holder);
    }
  stm_pointer_set_add (&node->holder->nodes, node);
}

void
stm_image_holders_leave (StmImageNode *node)
{
  StmImageHolder *holder = g_steal_pointer (&node->holder);

  stm_pointer_set_remove (&holder->nodes, node);
  if (stm_pointer_set_size (&holder->nodes) == 0)
    g_hash_table_remove (node->index->holders, holder->path);
}

static void
add_users_of_moment (const StmImageNode *node, const StmMoment *moment, GArray *users)
{
  for (gsize i = 0; i < moment->n_disks; i++)
    {
      const StmImageUser user = {
        .domain_id = node->index->domain_id,
        .moment_id = moment->id,
        .kind = moment->kind,
        .target = moment->disks[i].target,
      };

      if (stm_image_is_held_by (&moment->disks[i])
          && g_str_equal (moment->disks[i].frozen, node->holder->path))
        g_array_append_val (users, user);
    }
}

static void
add_disks_of_node (const StmImageNode *node, GArray *users)
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

void
stm_image_node_add_users (const StmImageNode *node, GArray *users)
{
  StmPointerSetIter moments;
  const StmMoment *moment;

  stm_pointer_set_iter_init (&moments, &node->moments);
  while ((moment = stm_pointer_set_iter_next (&moments)) != NULL)
    add_users_of_moment (node, moment, users);
  add_disks_of_node (node, users);
}

static int
compare_paths (gconstpointer a, gconstpointer b)
{
  return g_strcmp0 (*(char *const *) a, *(char *const *) b);
}

/* Two domains may record the same child: it is one file and named once. */
static void
add_children_once (const StmImageNode *node, GHashTable *seen, GPtrArray *paths)
{
  StmPointerSetIter iter;
  const StmImageNode *child;

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
  const StmImageHolder *holder = g_hash_table_lookup (holders, path);
  StmPointerSetIter iter;
  const StmImageNode *node;

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

typedef void (*AddFunc) (const StmImageNode *node, GArray *users);

static GArray *
collect_users (GHashTable *holders, const char *path, AddFunc add)
{
  g_autoptr (GArray) users = g_array_new (FALSE, FALSE, sizeof (StmImageUser));
  const StmImageHolder *holder = g_hash_table_lookup (holders, path);
  StmPointerSetIter iter;
  const StmImageNode *node;

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
  const StmImageHolder *holder = g_hash_table_lookup (holders, path);
  guint n_users = 0;
  StmPointerSetIter iter;
  const StmImageNode *node;

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
  return collect_users (holders, path, stm_image_node_add_users);
}

GArray *
stm_image_holders_disks (GHashTable *holders, const char *path)
{
  return collect_users (holders, path, add_disks_of_node);
}
