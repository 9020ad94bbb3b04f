/* Commits an image into the one below it, then lets its children stand on that.
 *
 * Called on workers by stm-qemu-merge. In two acts, each of which can be repeated:
 *
 * 1. The data goes down. The upper image is only read; the lower one shows more and more of the
 *    same bytes, so that all that stands on the upper image shows what it always did. It ends with
 *    the lower image flushed and synced.
 * 2. Each child's header comes to name the lower image, one after the other.
 *
 * The bitmaps of the step go along in the first act: see stm-merge-bitmaps.h.
 *
 * So a child that names the lower image proves that the first act is over. One job of QEMU's could
 * do both, but it writes the headers before the data is flushed: a crash in between would lose it.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "stm-qemu-commit.h"

#include "stm-block-job.h"
#include "stm-image-lock.h"
#include "stm-merge-bitmaps.h"

#include "stemma-error.h"

#include <string.h>
#include <unistd.h>

enum
{
  UPPER, /* places in the chain */
  LOWER,
  REST,
};

typedef struct
{
  const StmMerge *merge;
  const StmImage *upper;
  const StmImage *lower;
  GPtrArray *waiting; /* StmImage, borrowed: children that name the upper image */
  guint n_repointed;  /* children that name the lower image */
  StmMergeBitmaps bitmaps;
} Commit;

static void
commit_clear (Commit *self)
{
  g_clear_pointer (&self->waiting, g_ptr_array_unref);
  stm_merge_bitmaps_clear (&self->bitmaps);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Commit, commit_clear)

static gboolean
fail_unknown_backing (const StmImage *child, const Commit *self, GError **error)
{
  g_set_error (error, STEMMA_ERROR, STEMMA_ERROR_CHAIN_BROKEN,
               "commit of %s: image %s stands neither on it nor on %s; it was changed by another "
               "program",
               self->upper->path, child->path, self->lower->path);
  return FALSE;
}

/* Which image a child stands on, and that nobody else has it open. */
static gboolean
look_at_child (Commit *self, StmImage *child, GError **error)
{
  g_auto (StmImageReading) reading = { 0 };
  int fd = stm_image_file_open (self->merge->policy, child->path, STM_IMAGE_WRITE, error);

  if (fd < 0)
    return FALSE;

  gboolean is_sound = stm_image_read (fd, child, /* backing_format= */ NULL, &reading, error)
                      && stm_image_lock_check (fd, child->path, STM_IMAGE_WRITE, error);

  close (fd);
  if (!is_sound)
    return FALSE;
  if (g_strcmp0 (reading.backing, self->upper->path) == 0)
    g_ptr_array_add (self->waiting, child);
  else if (g_strcmp0 (reading.backing, self->lower->path) == 0)
    self->n_repointed++;
  else
    return fail_unknown_backing (child, self, error);

  return TRUE;
}

static gboolean
look_at_children (Commit *self, GError **error)
{
  const GPtrArray *children = self->merge->step->children;

  self->waiting = g_ptr_array_new ();
  for (guint i = 0; children != NULL && i < children->len; i++)
    if (!look_at_child (self, children->pdata[i], error))
      return FALSE;

  return TRUE;
}

static gboolean
fail_size (const StmImage *image, guint64 found, guint64 recorded, GError **error)
{
  g_set_error (error, STEMMA_ERROR, STEMMA_ERROR_CHAIN_BROKEN,
               "commit: image %s has %" G_GUINT64_FORMAT " bytes where %" G_GUINT64_FORMAT
               " are recorded; it was resized by another program",
               image->path, found, recorded);
  return FALSE;
}

/* An image that no guest wrote since it was made has the size that it was made with; the lower one
 * may have grown to the upper one's in an earlier try. */
static gboolean
check_sizes (const Commit *self, guint64 upper, guint64 lower, GError **error)
{
  gboolean is_leaf = self->merge->step->children == NULL || self->merge->step->children->len == 0;

  if (!is_leaf && self->upper->origin == STM_IMAGE_MADE && upper != self->upper->capacity)
    return fail_size (self->upper, upper, self->upper->capacity, error);
  if (self->lower->origin == STM_IMAGE_MADE && lower != self->lower->capacity && lower != upper)
    return fail_size (self->lower, lower, self->lower->capacity, error);
  if (upper < lower)
    {
      /* What lies beyond its end reads as nothing above it, and would read as the lower image's. */
      g_set_error (error, STEMMA_ERROR, STEMMA_ERROR_NOT_SUPPORTED,
                   "commit of %s: it is smaller than %s; the layer has to stay", self->upper->path,
                   self->lower->path);
      return FALSE;
    }

  return TRUE;
}

/* Out: whether the lower image has to grow. */
static gboolean
check_pair (const Commit *self, gboolean *out_grows, GError **error)
{
  const StmMerge *merge = self->merge;
  g_auto (StmImageReading) upper = { 0 };
  g_auto (StmImageReading) lower = { 0 };
  int upper_fd = stm_merge_open (merge, UPPER, STM_IMAGE_READ, &upper, error);
  int lower_fd = upper_fd >= 0 ? stm_merge_open (merge, LOWER, STM_IMAGE_WRITE, &lower, error) : -1;

  if (upper_fd >= 0)
    close (upper_fd);
  if (lower_fd < 0)
    return FALSE;
  close (lower_fd);
  *out_grows = lower.capacity < upper.capacity;

  return stm_merge_check_tags (merge, UPPER, &upper, error)
         && stm_merge_check_tags (merge, LOWER, &lower, error)
         && check_sizes (self, upper.capacity, lower.capacity, error);
}

/* Bitmaps matter when some are to go along, or when they may keep an image from growing. */
static gboolean
check_images (Commit *self, GError **error)
{
  const StmMerge *merge = self->merge;
  gboolean has_bitmaps = merge->step->bitmaps != NULL && *merge->step->bitmaps != NULL;
  gboolean grows = FALSE;

  if (!check_pair (self, &grows, error))
    return FALSE;
  if (!has_bitmaps && !(grows && strcmp (self->lower->format, "qcow2") == 0))
    return TRUE;

  return stm_merge_bitmaps_look (merge, UPPER, LOWER, &self->bitmaps, error)
         && stm_merge_bitmaps_check_down (&self->bitmaps, error);
}

/* What the job that pushes down needs when it is about to end. */
typedef struct
{
  const Commit *commit;
  StmBlockEndpoint *endpoint;
  StmBlockNode upper;
  StmBlockNode lower;
} Push;

static gboolean
carry_bitmaps (gpointer user_data, GError **error)
{
  const Push *push = user_data;

  return stm_merge_bitmaps_carry_down (&push->commit->bitmaps, push->endpoint, push->upper,
                                       push->lower, error);
}

static gboolean
run_push (Push *push, const char *attempt, GError **error)
{
  const StmMerge *merge = push->commit->merge;
  g_autoptr (JsonObject) arguments = json_object_new ();

  stm_block_endpoint_set_node (arguments, "device", push->upper);
  stm_block_endpoint_set_node (arguments, "base-node", push->lower);

  return stm_block_job_run_sync (push->endpoint,
                                 &(StmBlockJob){ .command = "block-commit",
                                                 .arguments = arguments,
                                                 .attempt = attempt,
                                                 .progress = merge->progress,
                                                 .bytes = merge->step->bytes,
                                                 .prepare_end = carry_bitmaps,
                                                 .user_data = push },
                                 /* cancellable= */ NULL, error);
}

/* Here QEMU says what became of the lower image's bitmaps; when it ends it would not. */
static gboolean
close_lower (const Commit *self, StmBlockEndpoint *endpoint, StmBlockNode lower, StmBlockNode rest,
             GError **error)
{
  return self->bitmaps.merge == NULL
         || stm_block_endpoint_reopen_sync (endpoint, lower, rest, STM_IMAGE_READ, error);
}

/* The first act. `rest` is what the lower image stands on. */
static gboolean
push_down (Commit *self, StmBlockEndpoint *endpoint, StmBlockNode lower, StmBlockNode rest,
           GError **error)
{
  const StmMerge *merge = self->merge;
  gboolean completes = stm_merge_bitmaps_need_completion (&self->bitmaps);
  StmBlockNode upper = stm_merge_add (merge, endpoint, UPPER,
                                      completes ? STM_IMAGE_WRITE : STM_IMAGE_READ, lower, error);
  g_autofree char *attempt = g_strdup_printf ("commit of %s into %s", self->upper->path,
                                              self->lower->path);
  Push push = { .commit = self, .endpoint = endpoint, .upper = upper, .lower = lower };

  if (upper == 0
      || (completes && !stm_merge_bitmaps_complete (&self->bitmaps, endpoint, upper, lower, error)))
    return FALSE;

  /* Point of no return: what was the lower image's own state is lost from here on. */
  if (!stm_progress_seal (merge->progress))
    {
      if (completes)
        stm_merge_bitmaps_forget_completion (&self->bitmaps, endpoint, upper, lower);
      g_set_error (error, STEMMA_ERROR, STEMMA_ERROR_CANCELLED, "%s: cancelled", attempt);
      return FALSE;
    }

  return stm_merge_bitmaps_make_way (&self->bitmaps, endpoint, lower, rest, error)
         && run_push (&push, attempt, error)
         && stm_block_endpoint_remove_image_sync (endpoint, upper, error)
         && close_lower (self, endpoint, lower, rest, error)
         && stm_merge_sync (merge, self->lower->path, error)
         && stm_merge_bitmaps_verify_down (&self->bitmaps, error);
}

/* A stream over nothing: with the child already on the lower image in the graph there is no data to
 * move, and what remains of the job is to write the header. Of all commands it is the one that
 * takes the format of the backing from the node that it is. */
static gboolean
repoint (const Commit *self, StmBlockEndpoint *endpoint, const StmImage *child, StmBlockNode lower,
         GError **error)
{
  g_autofree char *attempt = g_strdup_printf ("putting %s on %s", child->path, self->lower->path);
  g_autoptr (JsonObject) arguments = json_object_new ();
  int fd = stm_image_file_open (self->merge->policy, child->path, STM_IMAGE_WRITE, error);

  if (fd < 0)
    return FALSE;

  StmBlockNode node = stm_block_endpoint_add_image_sync (
      endpoint,
      &(StmBlockImage){ .path = child->path,
                        .format = child->format,
                        .access = STM_IMAGE_WRITE,
                        .backing = lower },
      fd, /* cancellable= */ NULL, error);

  if (node == 0)
    return FALSE;
  stm_block_endpoint_set_node (arguments, "device", node);
  stm_block_endpoint_set_node (arguments, "base-node", lower);
  json_object_set_string_member (arguments, "backing-file", self->lower->path);

  return stm_block_job_run_sync (endpoint,
                                 &(StmBlockJob){ .command = "block-stream",
                                                 .arguments = arguments,
                                                 .attempt = attempt },
                                 /* cancellable= */ NULL, error)
         && stm_block_endpoint_remove_image_sync (endpoint, node, error);
}

static gboolean
run (Commit *self, StmBlockEndpoint *endpoint, GError **error)
{
  gboolean is_down = self->n_repointed > 0;
  StmBlockNode rest = 0;
  StmBlockNode lower;

  if (!stm_merge_add_from (self->merge, endpoint, REST, &rest, error))
    return FALSE;
  lower = stm_merge_add (self->merge, endpoint, LOWER, is_down ? STM_IMAGE_READ : STM_IMAGE_WRITE,
                         rest, error);
  if (lower == 0 || (!is_down && !push_down (self, endpoint, lower, rest, error)))
    return FALSE;
  for (guint i = 0; i < self->waiting->len; i++)
    if (!repoint (self, endpoint, self->waiting->pdata[i], lower, error))
      return FALSE;

  return TRUE;
}

/* The data that children stand on was synced before; now their headers, read back. */
static gboolean
seal_children (const Commit *self, GError **error)
{
  const GPtrArray *children = self->merge->step->children;

  for (guint i = 0; children != NULL && i < children->len; i++)
    {
      const StmImage *child = children->pdata[i];
      int fd = stm_image_file_open (self->merge->policy, child->path, STM_IMAGE_READ, error);

      if (fd < 0)
        return FALSE;

      gboolean is_right = stm_image_verify_backing (fd, child->path, self->lower->path,
                                                    self->lower->format, error);

      close (fd);
      if (!is_right || !stm_merge_sync (self->merge, child->path, error))
        return FALSE;
    }

  return TRUE;
}

/* What stood on the upper image must fit on the lower one. */
static gboolean
check_grown (const Commit *self, GError **error)
{
  g_auto (StmImageReading) upper = { 0 };
  g_auto (StmImageReading) lower = { 0 };
  int upper_fd = stm_merge_open (self->merge, UPPER, STM_IMAGE_READ, &upper, error);
  int lower_fd = upper_fd >= 0 ? stm_merge_open (self->merge, LOWER, STM_IMAGE_READ, &lower, error)
                               : -1;

  if (upper_fd >= 0)
    close (upper_fd);
  if (lower_fd < 0)
    return FALSE;
  close (lower_fd);

  return lower.capacity == upper.capacity
         || fail_size (self->lower, lower.capacity, upper.capacity, error);
}

static gboolean
work (Commit *self, GError **error)
{
  g_autoptr (StmBlockEndpoint) endpoint = stm_block_endpoint_start (self->merge->setup, error);

  if (endpoint == NULL)
    return FALSE;

  gboolean is_done = run (self, endpoint, error);
  /* Closing well, also after a failure, leaves bitmaps and reference counts in order. */
  gboolean is_closed = stm_block_endpoint_quit_sync (endpoint, is_done ? error : NULL);

  return is_done && is_closed;
}

gboolean
stm_qemu_commit (const StmMerge *merge, GError **error)
{
  g_auto (Commit) self = { .merge = merge,
                           .upper = stm_merge_get_image (merge, UPPER),
                           .lower = stm_merge_get_image (merge, LOWER) };

  if (!look_at_children (&self, error))
    return FALSE;
  /* All done in an earlier life; the upper file may be gone already. */
  if (self.n_repointed > 0 && self.waiting->len == 0)
    return seal_children (&self, error) && stm_merge_sync (merge, self.lower->path, error);

  if (self.n_repointed == 0 && !check_images (&self, error))
    return FALSE;

  return work (&self, error) && check_grown (&self, error)
         && stm_merge_sync (merge, self.lower->path, error) && seal_children (&self, error);
}
