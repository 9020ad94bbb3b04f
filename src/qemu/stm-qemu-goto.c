/* Brings images to their internal snapshots.
 *
 * Called on workers by the driver. QEMU changes one table in place, in one write, after it has
 * counted the references of the new content and before it drops those of the old one; so an end at
 * any moment leaves clusters unused at the most. A table that is larger than a page may be written
 * in part by a process that is killed: the fallback has the whole content, and is gone back to.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "stm-qemu-goto.h"

#include "stm-image-tags.h"
#include "stm-image-tool.h"
#include "stm-qemu-bitmaps.h"

#include "stemma-error.h"

static gboolean
fail_missing (const StmImageTags *tags, const char *name, GError **error)
{
  g_set_error (error, STEMMA_ERROR, STEMMA_ERROR_NOT_FOUND,
               "image %s has no internal snapshot \"%s\"; it was removed by another program: "
               "forget the snapshots that need it, or restore the image from a copy",
               tags->facts->path, name);
  return FALSE;
}

/* QEMU checks that too, but when it has begun. The service's own are none of anybody's records. */
static gboolean
check_bitmaps (const StmImageTags *tags, const char *name, GError **error)
{
  for (guint i = 0; i < tags->facts->bitmaps->len; i++)
    {
      const StmBitmapFacts *bitmap = g_ptr_array_index (tags->facts->bitmaps, i);

      if (stm_bitmap_name_is_drivers (bitmap->name))
        continue;
      g_set_error (error, STEMMA_ERROR, STEMMA_ERROR_NOT_SUPPORTED,
                   "bringing image %s to internal snapshot \"%s\": it has dirty bitmap \"%s\", "
                   "which would be wrong afterwards; delete the checkpoints first",
                   tags->facts->path, name, bitmap->name);
      return FALSE;
    }

  return TRUE;
}

/* What a merge left that was cut off and never done again. It says of the image's bitmaps that they
 * are complete, and there are none. */
static gboolean
remove_left_marks (const StmQemuSetup *setup, const StmImageTags *tags, const StmImage *image,
                   const StmPathPolicy *policy, GError **error)
{
  g_autoptr (StmEndpointSeries) series = stm_endpoint_series_new (setup);

  for (guint i = 0; i < tags->facts->bitmaps->len; i++)
    {
      const StmBitmapFacts *bitmap = g_ptr_array_index (tags->facts->bitmaps, i);
      const StmStep removal = { .kind = STM_STEP_UNBITMAP,
                                .image = (StmImage *) image,
                                .name = bitmap->name };

      if (!stm_qemu_bitmaps_remove (series, &removal, policy, error))
        return FALSE;
    }

  return TRUE;
}

/* What QEMU has the image through cannot grow, and a disk of another size is another disk to the
 * record. */
static gboolean
check_capacity (const StmImageTags *tags, const StmTagFacts *tag, GError **error)
{
  if (tag->capacity == tags->facts->capacity)
    return TRUE;
  g_set_error (error, STEMMA_ERROR, STEMMA_ERROR_NOT_SUPPORTED,
               "bringing image %s to internal snapshot \"%s\": the disk had %" G_GUINT64_FORMAT
               " bytes then and has %" G_GUINT64_FORMAT
               " now; give it its old size with qemu-img resize first",
               tags->facts->path, tag->name, tag->capacity, tags->facts->capacity);
  return FALSE;
}

static gboolean
apply (const StmQemuSetup *setup, StmImageTags *tags, const StmTagFacts *tag,
       GCancellable *cancellable, GError **error)
{
  /* By its id, which QEMU looks for first, and which is that of no other tag. */
  const char *const command[] = { "snapshot", "-q", "-a", tag->id, NULL };
  g_autofree char *attempt = g_strdup_printf ("bringing image %s to internal snapshot \"%s\"",
                                              tags->facts->path, tag->name);

  return stm_image_tool_run_sync (
      &(StmImageTool){
          .setup = setup, .path = tags->facts->path, .command = command, .attempt = attempt },
      g_steal_fd (&tags->fd), cancellable, error);
}

static gboolean
seal (const StmImage *image, const char *name, const StmPathPolicy *policy, GError **error)
{
  g_auto (StmImageTags) tags = { 0 };

  if (!stm_image_tags_open (image, policy, /* cancellable= */ NULL, &tags, error))
    return FALSE;

  const StmTagFacts *tag = stm_facts_find_tag (tags.facts, name);

  if (tag == NULL || !tag->is_present)
    {
      g_set_error (error, STEMMA_ERROR, STEMMA_ERROR_HYPERVISOR,
                   "bringing image %s to internal snapshot \"%s\": QEMU said that it was done, "
                   "and the file does not show it",
                   image->path, name);
      return FALSE;
    }

  return stm_image_tags_sync (&tags, policy, error);
}

static gboolean
go (const StmQemuSetup *setup, StmImageTags *tags, const StmTagFacts *tag, const StmImage *image,
    const StmPathPolicy *policy, GCancellable *cancellable, GError **error)
{
  /* It may have been done right before a crash. */
  if (tag->is_present)
    return stm_image_tags_sync (tags, policy, error);

  return check_bitmaps (tags, tag->name, error) && check_capacity (tags, tag, error)
         && remove_left_marks (setup, tags, image, policy, error)
         && apply (setup, tags, tag, cancellable, error) && seal (image, tag->name, policy, error);
}

gboolean
stm_qemu_goto_run (const StmQemuSetup *setup, const StmStep *step, const StmPathPolicy *policy,
                   GCancellable *cancellable, GError **error)
{
  g_return_val_if_fail (setup != NULL && step != NULL && policy != NULL, FALSE);

  g_auto (StmImageTags) tags = { 0 };
  const StmTagFacts *tag = NULL;
  const StmTagFacts *fallback = NULL;

  if (!stm_image_tags_open (step->image, policy, cancellable, &tags, error)
      || !stm_image_tags_find (&tags, step->name, &tag, error)
      || !stm_image_tags_find (&tags, step->fallback, &fallback, error))
    return FALSE;
  if (tag == NULL || fallback == NULL)
    return fail_missing (&tags, tag == NULL ? step->name : step->fallback, error);
  /* Also when it is there already: the bitmaps would say that nothing was changed. */
  if (!check_bitmaps (&tags, step->name, error))
    return FALSE;

  return stm_image_tags_check_unwritten (&tags, fallback, tag, error)
         && go (setup, &tags, tag, step->image, policy, cancellable, error);
}

gboolean
stm_qemu_goto_abandon (const StmQemuSetup *setup, const StmStep *step, const StmPathPolicy *policy,
                       GError **error)
{
  g_return_val_if_fail (setup != NULL && step != NULL && policy != NULL, FALSE);

  g_auto (StmImageTags) tags = { 0 };
  const StmTagFacts *fallback = NULL;

  if (!stm_image_tags_open (step->image, policy, /* cancellable= */ NULL, &tags, error)
      || !stm_image_tags_find (&tags, step->fallback, &fallback, error))
    return FALSE;
  if (fallback == NULL)
    return TRUE;

  /* The service may have been away for long, and a machine may have run meanwhile. */
  return stm_image_tags_check_unwritten (&tags, fallback,
                                         stm_facts_find_tag (tags.facts, step->name), error)
         && go (setup, &tags, fallback, step->image, policy, /* cancellable= */ NULL, error);
}
