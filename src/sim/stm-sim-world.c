/* StmSimWorld: a table of simulated images, kept whole in one file that is replaced at each change.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "stm-sim-world.h"

#include "stemma-error.h"

#include <glib/gstdio.h>

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#define MAX_FILE (256 * 1024 * 1024) /* bytes */
#define DIRECTORY_MODE 0700
#define FILE_MODE 0600
#define FILE_TYPE G_VARIANT_TYPE ("a(ssmsmsmsta(tt)a(ssxta(tt))a(sbat))")

struct _StmSimWorld
{
  GMutex mutex;
  char *file;
  GHashTable *images; /* path -> StmSimImage */
};

static GHashTable *
table_new (void)
{
  return g_hash_table_new_full (g_str_hash, g_str_equal, NULL, (GDestroyNotify) stm_sim_image_free);
}

static gboolean
load (StmSimWorld *self, GError **error)
{
  g_autofree char *data = NULL;
  gsize length;

  g_hash_table_remove_all (self->images);
  if (self->file == NULL || !g_file_test (self->file, G_FILE_TEST_EXISTS))
    return TRUE;
  if (!g_file_get_contents (self->file, &data, &length, error))
    return FALSE;

  g_autoptr (GBytes) bytes = g_bytes_new_take (g_steal_pointer (&data), length);
  g_autoptr (GVariant)
      images = g_variant_ref_sink (g_variant_new_from_bytes (FILE_TYPE, bytes, FALSE));
  if (length > MAX_FILE || !g_variant_is_normal_form (images))
    {
      g_set_error (error, STEMMA_ERROR, STEMMA_ERROR_FAILED,
                   "%s does not hold the images of the simulation: remove it to begin anew",
                   self->file);
      return FALSE;
    }
  for (gsize i = 0; i < g_variant_n_children (images); i++)
    {
      g_autoptr (GVariant) child = g_variant_get_child_value (images, i);

      stm_sim_world_add (self, stm_sim_image_from_variant (child));
    }

  return TRUE;
}

/* From the first start on: the file marks the directory as that of a simulation, before a store is
 * made in it. One that is there, and may be another service's, is left as it is. */
static gboolean
begin_file (const char *file, GError **error)
{
  g_autofree char *directory = g_path_get_dirname (file);
  int fd = -1;

  if (g_mkdir_with_parents (directory, DIRECTORY_MODE) == 0)
    fd = g_open (file, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, FILE_MODE);
  if (fd < 0 && errno != EEXIST)
    {
      g_set_error (error, STEMMA_ERROR,
                   errno == ENOSPC ? STEMMA_ERROR_NO_SPACE : STEMMA_ERROR_READ_ONLY,
                   "the images of the simulation cannot be kept in %s: %s; choose another "
                   "directory with --state-dir",
                   file, g_strerror (errno));
      return FALSE;
    }
  if (fd >= 0)
    close (fd);

  return TRUE;
}

StmSimWorld *
stm_sim_world_open (const char *file, GError **error)
{
  if (file != NULL && !begin_file (file, error))
    return NULL;

  g_autoptr (StmSimWorld) self = g_new0 (StmSimWorld, 1);

  g_mutex_init (&self->mutex);
  self->file = g_strdup (file);
  self->images = table_new ();

  return load (self, error) ? g_steal_pointer (&self) : NULL;
}

void
stm_sim_world_free (StmSimWorld *self)
{
  g_mutex_clear (&self->mutex);
  g_free (self->file);
  g_hash_table_unref (self->images);
  g_free (self);
}

void
stm_sim_world_lock (StmSimWorld *self)
{
  g_mutex_lock (&self->mutex);
}

void
stm_sim_world_unlock (StmSimWorld *self)
{
  g_mutex_unlock (&self->mutex);
}

StmSimImage *
stm_sim_world_get (StmSimWorld *self, const char *path)
{
  return path != NULL ? g_hash_table_lookup (self->images, path) : NULL;
}

void
stm_sim_world_add (StmSimWorld *self, StmSimImage *image)
{
  g_hash_table_replace (self->images, image->path, image);
}

void
stm_sim_world_remove (StmSimWorld *self, const char *path)
{
  g_hash_table_remove (self->images, path);
}

static gint
compare_paths (gconstpointer a, gconstpointer b)
{
  return strcmp ((*(StmSimImage *const *) a)->path, (*(StmSimImage *const *) b)->path);
}

GPtrArray *
stm_sim_world_list (StmSimWorld *self)
{
  GPtrArray *list = g_ptr_array_new ();
  GHashTableIter iter;
  gpointer image;

  g_hash_table_iter_init (&iter, self->images);
  while (g_hash_table_iter_next (&iter, NULL, &image))
    g_ptr_array_add (list, image);
  g_ptr_array_sort (list, compare_paths);

  return list;
}

guint64
stm_sim_world_read (StmSimWorld *self, const StmSimImage *image, guint64 block)
{
  /* A ring of images would have no end; nobody can have a chain of more images than there are. */
  guint n = g_hash_table_size (self->images);

  for (guint i = 0; image != NULL && i < n; i++)
    {
      const guint64 *value = g_hash_table_lookup (image->blocks, &block);

      if (value != NULL)
        return *value;
      image = stm_sim_world_get (self, image->backing);
    }

  return 0;
}

static GVariant *
images_to_variant (StmSimWorld *self)
{
  g_auto (GVariantBuilder) builder = G_VARIANT_BUILDER_INIT (FILE_TYPE);
  g_autoptr (GPtrArray) images = stm_sim_world_list (self);

  for (guint i = 0; i < images->len; i++)
    g_variant_builder_add_value (&builder, stm_sim_image_to_variant (images->pdata[i]));

  return g_variant_ref_sink (g_variant_builder_end (&builder));
}

gboolean
stm_sim_world_commit_locked (StmSimWorld *self, GError **error)
{
  if (self->file == NULL)
    return TRUE;

  g_autoptr (GVariant) images = images_to_variant (self);
  g_autoptr (GError) local = NULL;

  if (g_file_set_contents_full (
          self->file, g_variant_get_data (images), g_variant_get_size (images),
          G_FILE_SET_CONTENTS_CONSISTENT | G_FILE_SET_CONTENTS_DURABLE, FILE_MODE, &local))
    return TRUE;

  gboolean is_full = g_error_matches (local, G_FILE_ERROR, G_FILE_ERROR_NOSPC);
  g_set_error (error, STEMMA_ERROR, is_full ? STEMMA_ERROR_NO_SPACE : STEMMA_ERROR_FAILED,
               "the images of the simulation cannot be kept in %s: %s", self->file, local->message);
  if (!load (self, NULL))
    g_warning ("%s cannot be read any more", self->file);
  return FALSE;
}
