/* Keeps the expected bytes in memory; compares them with what a reader apart from src/ finds.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "world.h"

#include "qcow2-reader.h"
#include "stm-request.h"

#include <string.h>

static const char *const targets[N_DISKS] = { "vda", "vdb" };

static void
snap_free (Snap *snap)
{
  g_free (snap->name);
  g_free (snap->parent);
  for (guint i = 0; i < N_DISKS; i++)
    {
      g_clear_pointer (&snap->content[i], g_bytes_unref);
      g_clear_pointer (&snap->reach[i], g_hash_table_unref);
    }
  g_free (snap);
}

static Snap *
add_snap (World *self, const char *name, const char *parent)
{
  Snap *snap = g_new0 (Snap, 1);

  snap->name = g_strdup (name);
  snap->parent = g_strdup (parent);
  g_hash_table_replace (self->snaps, snap->name, snap);
  return snap;
}

static void
check_free (gpointer data)
{
  Check *check = data;

  g_free (check->name);
  for (guint i = 0; i < N_DISKS; i++)
    g_clear_pointer (&check->content[i], g_bytes_unref);
  g_free (check);
}

World *
world_new (void)
{
  World *self = g_new0 (World, 1);

  self->snaps = g_hash_table_new_full (g_str_hash, g_str_equal, NULL, (GDestroyNotify) snap_free);
  self->current = g_strdup ("");
  self->checks = g_hash_table_new_full (g_str_hash, g_str_equal, NULL, check_free);
  for (guint i = 0; i < N_DISKS; i++)
    {
      self->disk[i] = g_bytes_new_take (g_malloc0 (DISK_BYTES), DISK_BYTES);
      self->reach[i] = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
    }
  return self;
}

World *
world_copy (const World *self)
{
  World *copy = world_new ();
  GHashTableIter iter;
  gpointer value;

  g_hash_table_iter_init (&iter, self->snaps);
  while (g_hash_table_iter_next (&iter, NULL, &value))
    {
      const Snap *from = value;
      Snap *to = add_snap (copy, from->name, from->parent);

      for (guint i = 0; i < N_DISKS; i++)
        {
          to->content[i] = from->content[i] != NULL ? g_bytes_ref (from->content[i]) : NULL;
          to->reach[i] = world_reach_copy (from->reach[i]);
        }
    }
  g_free (copy->current);
  copy->current = g_strdup (self->current);
  for (guint i = 0; i < N_DISKS; i++)
    {
      g_bytes_unref (copy->disk[i]);
      copy->disk[i] = g_bytes_ref (self->disk[i]);
    }
  world_copy_checkpoints (copy, self);
  return copy;
}

void
world_free (World *self)
{
  g_hash_table_unref (self->snaps);
  g_free (self->current);
  g_hash_table_unref (self->checks);
  for (guint i = 0; i < N_DISKS; i++)
    {
      g_bytes_unref (self->disk[i]);
      g_hash_table_unref (self->reach[i]);
    }
  g_free (self);
}

char *
world_pick (const World *self, GRand *rand)
{
  g_autoptr (GList)
      names = g_list_sort (g_hash_table_get_keys (self->snaps), (GCompareFunc) strcmp);
  guint n = g_list_length (names);

  return n > 0 ? g_strdup (g_list_nth_data (names, (guint) g_rand_int_range (rand, 0, (int) n)))
               : NULL;
}

void
world_write (World *self, guint disk, gsize offset, gsize length, guint8 byte)
{
  guint8 *content = g_memdup2 (g_bytes_get_data (self->disk[disk], NULL), DISK_BYTES);

  memset (content + offset, byte, length);
  g_bytes_unref (self->disk[disk]);
  self->disk[disk] = g_bytes_new_take (content, DISK_BYTES);
}

static Snap *
freeze (World *self, const char *name, const char *only, const Snap *like)
{
  Snap *snap = add_snap (self, name, self->current);

  for (guint i = 0; i < N_DISKS; i++)
    if ((only == NULL || g_str_equal (only, targets[i]))
        && (like == NULL || like->content[i] != NULL))
      {
        snap->content[i] = g_bytes_ref (self->disk[i]);
        snap->reach[i] = world_reach_copy (self->reach[i]);
      }
  return snap;
}

static void
set_current (World *self, const char *name)
{
  char *old = self->current;

  self->current = g_strdup (name);
  g_free (old);
}

gboolean
world_loses (const World *self, const char *name)
{
  const Snap *target = g_hash_table_lookup (self->snaps, name);
  const Snap *current = g_hash_table_lookup (self->snaps, self->current);

  for (guint i = 0; i < N_DISKS; i++)
    if (target->content[i] != NULL && !g_bytes_equal (target->content[i], self->disk[i])
        && (current == NULL || current->content[i] == NULL
            || !g_bytes_equal (current->content[i], self->disk[i])))
      return TRUE;
  return FALSE;
}

static void
revert (World *self, const LifeCommand *command)
{
  const Snap *target = g_hash_table_lookup (self->snaps, command->name);

  if (command->keep != NULL)
    freeze (self, command->keep, NULL, target);
  for (guint i = 0; i < N_DISKS; i++)
    if (target->content[i] != NULL)
      {
        g_bytes_unref (self->disk[i]);
        self->disk[i] = g_bytes_ref (target->content[i]);
        g_hash_table_unref (self->reach[i]);
        self->reach[i] = world_reach_copy (target->reach[i]);
      }
  set_current (self, command->name);
}

static gboolean
is_below (const World *self, const char *name, const char *ancestor)
{
  const Snap *snap = g_hash_table_lookup (self->snaps, name);

  while (snap != NULL)
    {
      if (g_str_equal (snap->parent, ancestor))
        return TRUE;
      snap = g_hash_table_lookup (self->snaps, snap->parent);
    }
  return FALSE;
}

static void
remove_one (World *self, const char *name)
{
  Snap *snap = g_hash_table_lookup (self->snaps, name);
  g_autofree char *parent = g_strdup (snap->parent);
  g_autofree char *gone = g_strdup (name);
  GHashTableIter iter;
  gpointer value;

  g_hash_table_iter_init (&iter, self->snaps);
  while (g_hash_table_iter_next (&iter, NULL, &value))
    {
      Snap *child = value;

      if (!g_str_equal (child->parent, gone))
        continue;
      g_free (child->parent);
      child->parent = g_strdup (parent);
    }
  if (g_str_equal (self->current, gone))
    set_current (self, parent);
  g_hash_table_remove (self->snaps, gone);
}

static void delete (World *self, const LifeCommand *command)
{
  g_autoptr (GList) names = g_hash_table_get_keys (self->snaps);
  g_autoptr (GPtrArray) gone = g_ptr_array_new_with_free_func (g_free);

  for (GList *item = names; item != NULL; item = item->next)
    if ((g_str_equal (item->data, command->name) && command->scope != STM_DELETE_CHILDREN)
        || (command->scope != STM_DELETE_ONE && is_below (self, item->data, command->name)))
      g_ptr_array_add (gone, g_strdup (item->data));
  for (guint i = 0; i < gone->len; i++)
    remove_one (self, g_ptr_array_index (gone, i));
}

static void
forget (World *self, int kind)
{
  if (kind == STM_MOMENT_SNAPSHOT)
    {
      g_hash_table_remove_all (self->snaps);
      set_current (self, "");
      return;
    }
  g_hash_table_remove_all (self->checks);
  for (guint i = 0; i < N_DISKS; i++)
    g_hash_table_remove_all (self->reach[i]);
}

void
world_apply (World *self, const LifeCommand *command)
{
  switch (command->verb)
    {
    case LIFE_CREATE:
      freeze (self, command->name, command->disk, NULL);
      set_current (self, command->name);
      if (command->checkpoint != NULL)
        world_add_checkpoint (self, command->checkpoint, command->disk);
      break;
    case LIFE_CREATE_CHECKPOINT:
      world_add_checkpoint (self, command->name, command->disk);
      break;
    case LIFE_DELETE_CHECKPOINT:
      world_forget_checkpoint (self, command->name);
      break;
    case LIFE_FORGET:
      forget (self, command->scope);
      break;
    case LIFE_REDEFINE:
      if (command->scope == STM_MOMENT_CHECKPOINT)
        world_redefine_checkpoints (self);
      break;
    case LIFE_REVERT:
      revert (self, command);
      break;
    case LIFE_DELETE:
      delete (self, command);
      break;
    default:
      break;
    }
}

static char *
compare_content (const char *what, const char *target, const char *path, const char *tag,
                 GBytes *expected)
{
  g_autoptr (GBytes) found = NULL;

  if (path == NULL || expected == NULL)
    return (path == NULL) == (expected == NULL)
               ? NULL
               : g_strdup_printf ("%s %s: %s", what, target, path ? path : "not part of it");
  found = tag != NULL ? test_read_tag (path, tag, DISK_BYTES) : test_read_image (path, DISK_BYTES);
  if (found == NULL)
    return g_strdup_printf ("%s %s: %s has no tag %s", what, target, path, tag);
  return g_bytes_equal (found, expected)
             ? NULL
             : g_strdup_printf ("%s %s: bytes of %s differ", what, target, path);
}

static char *
compare_snap (const Snap *snap, GKeyFile *seen)
{
  g_autofree char *parent = g_key_file_get_string (seen, snap->name, "parent", NULL);
  g_autofree char *state = g_key_file_get_string (seen, snap->name, "state", NULL);
  char *difference = NULL;

  if (g_strcmp0 (parent, snap->parent) != 0)
    return g_strdup_printf ("%s: parent '%s', not '%s'", snap->name, parent, snap->parent);
  if (g_strcmp0 (state, "shutoff") != 0)
    return g_strdup_printf ("%s: state %s", snap->name, state);
  for (guint i = 0; i < N_DISKS && difference == NULL; i++)
    {
      g_autofree char *path = g_key_file_get_string (seen, snap->name, targets[i], NULL);

      g_autofree char *key = g_strconcat ("tag.", targets[i], NULL);
      g_autofree char *tag = g_key_file_get_string (seen, snap->name, key, NULL);

      difference = compare_content (snap->name, targets[i], path, tag, snap->content[i]);
    }
  return difference;
}

char *
world_compare (World *self, GKeyFile *seen)
{
  g_autofree char *current = g_key_file_get_string (seen, "domain", "current", NULL);
  g_autofree char *findings = g_key_file_get_string (seen, "domain", "findings", NULL);
  gsize n_groups = 0;
  GHashTableIter iter;
  gpointer value;
  char *difference = NULL;

  g_strfreev (g_key_file_get_groups (seen, &n_groups));
  if (*findings != '\0')
    return g_strdup_printf ("findings: %s", findings);
  if (g_strcmp0 (current, self->current) != 0)
    return g_strdup_printf ("current '%s', not '%s'", current, self->current);
  if (n_groups != g_hash_table_size (self->snaps) + g_hash_table_size (self->checks) + 2)
    return g_strdup_printf ("%zu moments, not %u and %u", n_groups - 2,
                            g_hash_table_size (self->snaps), g_hash_table_size (self->checks));
  g_hash_table_iter_init (&iter, self->snaps);
  while (difference == NULL && g_hash_table_iter_next (&iter, NULL, &value))
    difference = compare_snap (value, seen);
  for (guint i = 0; i < N_DISKS && difference == NULL; i++)
    {
      g_autofree char *key = g_strconcat ("source.", targets[i], NULL);
      g_autofree char *path = g_key_file_get_string (seen, "domain", key, NULL);

      difference = compare_content ("disk", targets[i], path, NULL, self->disk[i]);
    }
  return difference != NULL ? difference : world_compare_checkpoints (self, seen);
}
