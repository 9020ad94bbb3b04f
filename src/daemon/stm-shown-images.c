/* An index from image to disks, so that a change looks at the disks concerned and at no others.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "stm-shown-images.h"

struct _StmShownImages
{
  GHashTable *disks_of; /* path to a set of StmExportDisk, borrowed */
  GHashTable *paths_of; /* StmExportDisk, borrowed, to GPtrArray of paths */
};

StmShownImages *
stm_shown_images_new (void)
{
  StmShownImages *self = g_new0 (StmShownImages, 1);

  self->disks_of = g_hash_table_new_full (g_str_hash, g_str_equal, g_free,
                                          (GDestroyNotify) g_hash_table_unref);
  self->paths_of = g_hash_table_new_full (NULL, NULL, NULL, (GDestroyNotify) g_ptr_array_unref);
  return self;
}

void
stm_shown_images_free (StmShownImages *self)
{
  if (self == NULL)
    return;

  g_hash_table_unref (self->disks_of);
  g_hash_table_unref (self->paths_of);
  g_free (self);
}

void
stm_shown_images_forget (StmShownImages *self, StmExportDisk *disk)
{
  GPtrArray *paths = g_hash_table_lookup (self->paths_of, disk);

  for (guint i = 0; paths != NULL && i < paths->len; i++)
    {
      const char *path = g_ptr_array_index (paths, i);
      GHashTable *disks = g_hash_table_lookup (self->disks_of, path);

      if (disks == NULL)
        continue;
      g_hash_table_remove (disks, disk);
      if (g_hash_table_size (disks) == 0)
        g_hash_table_remove (self->disks_of, path);
    }
  g_hash_table_remove (self->paths_of, disk);
}

void
stm_shown_images_note (StmShownImages *self, StmExportDisk *disk)
{
  GPtrArray *shown = stm_export_disk_get_shown (disk);
  GPtrArray *paths = g_ptr_array_new_with_free_func (g_free);

  stm_shown_images_forget (self, disk);
  for (guint i = 0; i < shown->len; i++)
    {
      const char *path = g_ptr_array_index (shown, i);
      GHashTable *disks = g_hash_table_lookup (self->disks_of, path);

      if (disks == NULL)
        {
          disks = g_hash_table_new (NULL, NULL);
          g_hash_table_insert (self->disks_of, g_strdup (path), disks);
        }
      g_hash_table_add (disks, disk);
      g_ptr_array_add (paths, g_strdup (path));
    }
  g_hash_table_insert (self->paths_of, disk, paths);
}

void
stm_shown_images_collect (StmShownImages *self, const char *path, GHashTable *disks)
{
  GHashTable *found = g_hash_table_lookup (self->disks_of, path);
  GHashTableIter iter;
  gpointer disk = NULL;

  if (found == NULL)
    return;
  g_hash_table_iter_init (&iter, found);
  while (g_hash_table_iter_next (&iter, &disk, NULL))
    g_hash_table_add (disks, disk);
}
