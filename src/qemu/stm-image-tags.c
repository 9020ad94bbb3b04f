/* Opens images to work on their internal snapshots, and says which one is meant by a name.
 *
 * Called on workers by stm-qemu-tags and stm-qemu-goto. QEMU takes a name for an id where there is
 * such an id, and the first of two that have one name: what is not plain is refused before QEMU is
 * asked. Never writes.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "stm-image-tags.h"

#include "stm-image-lock.h"
#include "stm-image-verify.h"
#include "stm-qcow2-marks.h"
#include "stm-qcow2-tags.h"

#include "stemma-error.h"

#include <string.h>
#include <unistd.h>

void
stm_image_tags_clear (StmImageTags *self)
{
  /* One that was never opened is all zeros. */
  if (self->facts == NULL)
    return;
  if (self->fd >= 0)
    close (self->fd);
  g_clear_pointer (&self->facts, stm_facts_free);
}

static gboolean
check_format (const StmImage *image, GError **error)
{
  if (strcmp (image->format, "qcow2") == 0)
    return TRUE;

  g_set_error (error, STEMMA_ERROR, STEMMA_ERROR_NOT_SUPPORTED,
               "image %s is %s and cannot hold internal snapshots; make an external snapshot, or "
               "convert it to qcow2",
               image->path, image->format);
  return FALSE;
}

static gboolean
read_tags (StmImageTags *self, const StmImage *image, GCancellable *cancellable, GError **error)
{
  g_auto (StmImageReading) reading = { 0 };
  g_autoptr (StmQcow2Header) header = NULL;

  if (!stm_image_lock_check (self->fd, image->path, STM_IMAGE_WRITE, error)
      || !stm_image_verify (self->fd, image, /* backing_format= */ NULL, &reading, error))
    return FALSE;
  header = stm_qcow2_header_read (self->fd, image->path, error);
  if (header == NULL)
    return FALSE;
  self->facts->capacity = header->capacity;

  return stm_qcow2_marks_read (self->fd, header, self->facts, cancellable, error);
}

gboolean
stm_image_tags_open (const StmImage *image, const StmPathPolicy *policy, GCancellable *cancellable,
                     StmImageTags *out_tags, GError **error)
{
  g_return_val_if_fail (image != NULL && policy != NULL && out_tags != NULL, FALSE);

  if (!check_format (image, error))
    return FALSE;

  int fd = stm_image_file_open (policy, image->path, STM_IMAGE_WRITE, error);

  if (fd < 0)
    return FALSE;

  g_auto (StmImageTags) tags = { .fd = fd, .facts = stm_facts_new (image->path) };

  if (!read_tags (&tags, image, cancellable, error))
    return FALSE;
  *out_tags = tags;
  tags = (StmImageTags){ 0 };

  return TRUE;
}

static const StmTagFacts *
get_tag (const StmImageTags *self, guint place)
{
  return g_ptr_array_index (self->facts->tags, place);
}

gboolean
stm_image_tags_check_free (const StmImageTags *self, const char *name, GError **error)
{
  for (guint i = 0; i < self->facts->tags->len; i++)
    {
      const StmTagFacts *tag = get_tag (self, i);

      if (strcmp (tag->name, name) != 0 && strcmp (tag->id, name) != 0)
        continue;
      g_set_error (
          error, STEMMA_ERROR, STEMMA_ERROR_ALREADY_EXISTS,
          "image %s has an internal snapshot \"%s\" (id %s) already; take another name, or "
          "delete that one",
          self->facts->path, tag->name, tag->id);
      return FALSE;
    }

  return TRUE;
}

static gboolean
check_id (const StmImageTags *self, const StmTagFacts *meant, GError **error)
{
  for (guint i = 0; i < self->facts->tags->len; i++)
    {
      const StmTagFacts *tag = get_tag (self, i);

      if (tag == meant || strcmp (tag->id, meant->id) != 0)
        continue;
      g_set_error (error, STEMMA_ERROR, STEMMA_ERROR_CHAIN_BROKEN,
                   "image %s has two internal snapshots of the id %s, \"%s\" and \"%s\"; delete "
                   "one of them with qemu-img snapshot -d",
                   self->facts->path, tag->id, meant->name, tag->name);
      return FALSE;
    }

  return TRUE;
}

gboolean
stm_image_tags_find (const StmImageTags *self, const char *name, const StmTagFacts **out_tag,
                     GError **error)
{
  const StmTagFacts *found = NULL;

  for (guint i = 0; i < self->facts->tags->len; i++)
    {
      const StmTagFacts *tag = get_tag (self, i);

      if (strcmp (tag->name, name) != 0)
        continue;
      if (found != NULL)
        {
          g_set_error (error, STEMMA_ERROR, STEMMA_ERROR_CHAIN_BROKEN,
                       "image %s has two internal snapshots \"%s\", of the ids %s and %s; delete "
                       "the wrong one by its id with qemu-img snapshot -d",
                       self->facts->path, name, found->id, tag->id);
          return FALSE;
        }
      found = tag;
    }
  if (found != NULL && !check_id (self, found, error))
    return FALSE;

  *out_tag = found;
  return TRUE;
}

gboolean
stm_image_tags_check_unwritten (const StmImageTags *self, const StmTagFacts *fallback,
                                const StmTagFacts *other, GError **error)
{
  const char *path = self->facts->path;
  g_autoptr (StmQcow2Header) header = stm_qcow2_header_read (self->fd, path, error);
  gboolean is_between = FALSE;

  if (header == NULL
      || !stm_qcow2_tags_is_between (self->fd, header, path, fallback->id,
                                     other != NULL ? other->id : NULL, &is_between, error))
    return FALSE;
  if (is_between)
    return TRUE;

  g_set_error (error, STEMMA_ERROR, STEMMA_ERROR_UNSAVED_STATE,
               "image %s was written since its internal snapshot \"%s\" was made, and going to "
               "another would lose that: keep what it shows and delete that one with qemu-img "
               "snapshot -d, or go back to it with qemu-img snapshot -a",
               path, fallback->name);
  return FALSE;
}

gboolean
stm_image_tags_sync (const StmImageTags *self, const StmPathPolicy *policy, GError **error)
{
  return stm_image_file_sync (self->fd, self->facts->path, error)
         && stm_image_file_sync_directory (policy, self->facts->path, error);
}
