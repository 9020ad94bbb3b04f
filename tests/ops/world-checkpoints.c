/* What a user expects of checkpoints: that all blocks in which a disk differs from what it was when
 * the checkpoint was made are in its bitmaps, whatever happened in between.
 *
 * How the service does that, by bitmaps in which images, is not modelled; the bitmaps are read from
 * the active image downwards as far as each image has one, as a backup would.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "world.h"

#include "bitmap-reader.h"
#include "test-images.h"

#include <string.h>

#define N_BLOCKS (DISK_BYTES / TEST_BITMAP_BLOCK)

static const char *const targets[N_DISKS] = { "vda", "vdb" };

GHashTable *
world_reach_copy (GHashTable *reach)
{
  GHashTable *copy = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
  GHashTableIter iter;
  gpointer name;

  if (reach == NULL)
    return copy;
  g_hash_table_iter_init (&iter, reach);
  while (g_hash_table_iter_next (&iter, &name, NULL))
    g_hash_table_add (copy, g_strdup (name));
  return copy;
}

Check *
world_add_checkpoint (World *self, const char *name, const char *only)
{
  Check *check = g_new0 (Check, 1);

  check->name = g_strdup (name);
  for (guint i = 0; i < N_DISKS; i++)
    if (only == NULL || g_str_equal (only, targets[i]))
      {
        check->content[i] = g_bytes_ref (self->disk[i]);
        g_hash_table_add (self->reach[i], g_strdup (name));
      }
  g_hash_table_replace (self->checks, check->name, check);
  return check;
}

void
world_copy_checkpoints (World *to, const World *from)
{
  GHashTableIter iter;
  gpointer value;

  g_hash_table_iter_init (&iter, from->checks);
  while (g_hash_table_iter_next (&iter, NULL, &value))
    {
      const Check *check = value;
      Check *copy = g_new0 (Check, 1);

      copy->name = g_strdup (check->name);
      copy->is_shaken = check->is_shaken;
      for (guint i = 0; i < N_DISKS; i++)
        copy->content[i] = check->content[i] != NULL ? g_bytes_ref (check->content[i]) : NULL;
      g_hash_table_replace (to->checks, copy->name, copy);
    }
  for (guint i = 0; i < N_DISKS; i++)
    {
      g_hash_table_unref (to->reach[i]);
      to->reach[i] = world_reach_copy (from->reach[i]);
    }
  to->n_measured = from->n_measured;
}

void
world_forget_checkpoint (World *self, const char *name)
{
  g_autofree char *gone = g_strdup (name);

  g_hash_table_remove (self->checks, gone);
  for (guint i = 0; i < N_DISKS; i++)
    g_hash_table_remove (self->reach[i], gone);
}

char *
world_pick_checkpoint (const World *self, GRand *rand)
{
  g_autoptr (GList)
      names = g_list_sort (g_hash_table_get_keys (self->checks), (GCompareFunc) strcmp);
  guint n = g_list_length (names);

  return n > 0 ? g_strdup (g_list_nth_data (names, (guint) g_rand_int_range (rand, 0, (int) n)))
               : NULL;
}

void
world_shake (World *self)
{
  GHashTableIter iter;
  gpointer check;

  g_hash_table_iter_init (&iter, self->checks);
  while (g_hash_table_iter_next (&iter, NULL, &check))
    ((Check *) check)->is_shaken = TRUE;
}

static gboolean
is_reachable (const World *self, const Check *check)
{
  for (guint i = 0; i < N_DISKS; i++)
    if (check->content[i] != NULL && !g_hash_table_contains (self->reach[i], check->name))
      return FALSE;
  return TRUE;
}

void
world_redefine_checkpoints (World *self)
{
  GHashTableIter iter;
  gpointer value;

  g_hash_table_iter_init (&iter, self->checks);
  while (g_hash_table_iter_next (&iter, NULL, &value))
    if (!is_reachable (self, value))
      ((Check *) value)->is_shaken = TRUE;
}

/* The blocks that the bitmap knows, from the active image down. */
static void
read_record (const char *active, const char *bitmap, guint8 *blocks)
{
  g_autofree char *path = g_strdup (active);

  while (path != NULL && test_bitmap_read (path, bitmap, blocks, N_BLOCKS) == TEST_BITMAP_IN_ORDER)
    {
      char *below = test_image_get_backing (path, NULL);

      g_free (path);
      path = below;
    }
}

static char *
measure_disk (const Check *check, guint disk, GBytes *now, GKeyFile *seen)
{
  g_autofree char *group = g_strconcat ("checkpoint ", check->name, NULL);
  g_autofree char *source = g_strconcat ("source.", targets[disk], NULL);
  g_autofree char *key = g_strconcat ("bitmap.", targets[disk], NULL);
  g_autofree char *active = g_key_file_get_string (seen, "domain", source, NULL);
  g_autofree char *bitmap = g_key_file_get_string (seen, group, key, NULL);
  guint8 blocks[N_BLOCKS] = { 0 };
  const guint8 *then = g_bytes_get_data (check->content[disk], NULL);
  const guint8 *present = g_bytes_get_data (now, NULL);

  if (bitmap == NULL)
    return g_strdup_printf ("checkpoint %s: no bitmap on %s", check->name, targets[disk]);
  read_record (active, bitmap, blocks);
  for (guint i = 0; i < N_BLOCKS; i++)
    if (!blocks[i]
        && memcmp (then + i * TEST_BITMAP_BLOCK, present + i * TEST_BITMAP_BLOCK, TEST_BITMAP_BLOCK)
               != 0)
      return g_strdup_printf ("checkpoint %s is ok, and block %u of %s has changed without its "
                              "bitmap %s in %s knowing",
                              check->name, i, targets[disk], bitmap, active);
  return NULL;
}

static char *
compare_checkpoint (World *self, const Check *check, GKeyFile *seen)
{
  g_autofree char *group = g_strconcat ("checkpoint ", check->name, NULL);
  g_autofree char *health = g_key_file_get_string (seen, group, "health", NULL);
  char *difference = NULL;

  if (health == NULL)
    return g_strdup_printf ("no checkpoint %s", check->name);
  if (!g_str_equal (health, "ok"))
    return is_reachable (self, check) && !check->is_shaken
               ? g_strdup_printf ("checkpoint %s is %s", check->name, health)
               : NULL;
  for (guint i = 0; i < N_DISKS && difference == NULL; i++)
    if (check->content[i] != NULL)
      difference = measure_disk (check, i, self->disk[i], seen);
  self->n_measured++;
  return difference;
}

char *
world_compare_checkpoints (World *self, GKeyFile *seen)
{
  GHashTableIter iter;
  gpointer check;
  char *difference = NULL;

  g_hash_table_iter_init (&iter, self->checks);
  while (difference == NULL && g_hash_table_iter_next (&iter, NULL, &check))
    difference = compare_checkpoint (self, check, seen);
  return difference;
}
