/* Moves what bitmaps recorded between the images of a merge.
 *
 * Called on workers by stm-qemu-commit and stm-qemu-stream. What a bitmap was before is our own
 * reading of the file, since QEMU marks all of an image that it opens for writing. Of two bitmaps
 * the result has what either recorded: too much costs time, too little costs data.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "stm-merge-bitmaps.h"

#include "stm-block-transaction.h"
#include "stm-image-place.h"

#include "stemma-error.h"

/* Of the upper image: its bitmaps are complete. It records nothing itself. */
#define COMPLETION_MARK STM_DRIVER_BITMAP_PREFIX "down"
#define COMPLETION_MARK_GRANULARITY (1u << 30)

void
stm_merge_bitmaps_clear (StmMergeBitmaps *self)
{
  stm_image_bitmaps_clear (&self->from);
  stm_image_bitmaps_clear (&self->into);
}

static gboolean
read_bitmaps (const StmMerge *merge, guint place, StmImageBitmaps *out_bitmaps, GError **error)
{
  const StmImage *image = stm_merge_get_image (merge, place);
  g_auto (StmOwnedFd) fd = stm_image_file_open (merge->policy, image->path, STM_IMAGE_READ, error);

  return fd >= 0 && stm_image_bitmaps_read (fd, image, out_bitmaps, error);
}

gboolean
stm_merge_bitmaps_look (const StmMerge *merge, guint from, guint into, StmMergeBitmaps *out_bitmaps,
                        GError **error)
{
  g_return_val_if_fail (merge != NULL && out_bitmaps != NULL, FALSE);

  StmMergeBitmaps *self = out_bitmaps;

  if (!read_bitmaps (merge, from, &self->from, error)
      || !read_bitmaps (merge, into, &self->into, error))
    return FALSE;
  self->merge = merge;
  self->source = stm_merge_get_image (merge, from);
  self->target = stm_merge_get_image (merge, into);
  self->is_complete = stm_image_bitmaps_is_in_order (&self->from, COMPLETION_MARK);

  return TRUE;
}

/* The names of the step, one after the other; not the mark, which an earlier try may have left and
 * a plan have taken for a bitmap of somebody's. NULL after the last. */
static const char *
next_name (const StmMergeBitmaps *self, guint *position)
{
  char *const *names = self->merge != NULL ? self->merge->step->bitmaps : NULL;

  if (names == NULL)
    return NULL;
  while (names[*position] != NULL && stm_bitmap_name_is_drivers (names[*position]))
    (*position)++;
  return names[*position] != NULL ? names[(*position)++] : NULL;
}

static gboolean
are_both_in_order (const StmMergeBitmaps *self, const char *name)
{
  return stm_image_bitmaps_is_in_order (&self->from, name)
         && stm_image_bitmaps_is_in_order (&self->into, name);
}

static gboolean
have_one_size (const StmMergeBitmaps *self)
{
  return self->from.facts->capacity == self->into.facts->capacity;
}

static gboolean
check_space (const StmMergeBitmaps *self, const StmImage *image, const StmImageBitmaps *bitmaps,
             guint n_more, GError **error)
{
  g_auto (StmOwnedFd)
      fd = stm_image_file_open (self->merge->policy, image->path, STM_IMAGE_READ, error);

  return fd >= 0 && stm_image_bitmaps_check_space (bitmaps, fd, n_more, error);
}

/* --- down ------------------------------------------------------------------------------------- */

/* Whether the lower image shall have it in order in the end. One that was lost there before the
 * upper ones were complete stays lost. */
static gboolean
goes_down (const StmMergeBitmaps *self, const char *name)
{
  const StmBitmapFacts *below = stm_image_bitmaps_find (&self->into, name);

  return stm_image_bitmaps_is_in_order (&self->from, name)
         && (below == NULL || !below->is_broken || self->is_complete);
}

/* QEMU changes the size of no image that has a broken bitmap. There was none when the commit was
 * planned. One of which the upper image has nothing in order was lost to a kill in an earlier try,
 * and goes. */
static gboolean
is_in_the_way (const StmMergeBitmaps *self, const StmBitmapFacts *bitmap)
{
  return bitmap->is_broken && !have_one_size (self);
}

static gboolean
check_growth (const StmMergeBitmaps *self, GError **error)
{
  const GPtrArray *bitmaps = self->into.facts->bitmaps;

  for (guint i = 0; i < bitmaps->len; i++)
    {
      const StmBitmapFacts *bitmap = g_ptr_array_index (bitmaps, i);

      if (!is_in_the_way (self, bitmap)
          || !stm_image_bitmaps_is_in_order (&self->from, bitmap->name))
        continue;
      g_set_error (error, STEMMA_ERROR, STEMMA_ERROR_BITMAP_INCONSISTENT,
                   "commit of %s: image %s has to grow, and its bitmap %s, which is marked as in "
                   "use, is in the way; remove it with qemu-img bitmap --remove",
                   self->source->path, self->target->path, bitmap->name);
      return FALSE;
    }

  return TRUE;
}

gboolean
stm_merge_bitmaps_check_down (const StmMergeBitmaps *self, GError **error)
{
  guint n_down = 0;
  guint position = 0;
  const char *name;

  if (!check_growth (self, error))
    return FALSE;
  while ((name = next_name (self, &position)) != NULL)
    n_down += goes_down (self, name) ? 1 : 0;
  if (n_down == 0)
    return TRUE;

  return stm_image_bitmaps_check_format (&self->into, error)
         && check_space (self, self->target, &self->into, n_down, error)
         && (!stm_merge_bitmaps_need_completion (self)
             || check_space (self, self->source, &self->from, 1, error));
}

gboolean
stm_merge_bitmaps_need_completion (const StmMergeBitmaps *self)
{
  guint position = 0;
  const char *name;

  while ((name = next_name (self, &position)) != NULL)
    if (are_both_in_order (self, name))
      return TRUE;

  return FALSE;
}

static gboolean
run_on_bitmap (StmBlockEndpoint *endpoint, const char *command, StmBlockNode node, const char *name,
               const char *attempt, GError **error)
{
  g_autoptr (JsonObject) arguments = json_object_new ();

  stm_block_endpoint_set_node (arguments, "node", node);
  json_object_set_string_member (arguments, "name", name);

  g_autoptr (JsonNode) result = stm_block_endpoint_execute_sync (
      endpoint, command, arguments, attempt, /* cancellable= */ NULL, error);

  return result != NULL;
}

static gboolean
remove_bitmap (StmBlockEndpoint *endpoint, StmBlockNode node, const char *name, const char *attempt,
               GError **error)
{
  return run_on_bitmap (endpoint, "block-dirty-bitmap-remove", node, name, attempt, error);
}

/* Records in the image above, and in the one below is there without going on: what it knows is a
 * part of the whole at best. */
static gboolean
is_half (const StmImageBitmaps *above, const StmImageBitmaps *below, const char *name)
{
  const StmBitmapFacts *half = stm_image_bitmaps_find (above, name);
  const StmBitmapFacts *rest = stm_image_bitmaps_find (below, name);

  return half != NULL && half->is_recording && !half->is_broken && rest != NULL
         && (rest->is_broken || !rest->is_recording);
}

/* A half would be taken for the whole once the image with the rest is out of the way. Were it
 * removed, a later step could not tell it from one that begins above, and would bring a part of it
 * back; so it stays, and records no more, which everybody can see. */
static gboolean
rest_halves (StmBlockEndpoint *endpoint, StmBlockNode node, const StmImageBitmaps *above,
             const StmImageBitmaps *below, GError **error)
{
  const GPtrArray *bitmaps = above->facts->bitmaps;

  for (guint i = 0; i < bitmaps->len; i++)
    {
      const StmBitmapFacts *bitmap = g_ptr_array_index (bitmaps, i);

      if (is_half (above, below, bitmap->name)
          && !run_on_bitmap (endpoint, "block-dirty-bitmap-disable", node, bitmap->name,
                             "stopping a bitmap whose record is lost in part", error))
        return FALSE;
    }

  return TRUE;
}

/* All that both have, and not only those of the step: the mark stands for each. */
static gboolean
run_completion (const StmMergeBitmaps *self, StmBlockEndpoint *endpoint, StmBlockNode upper,
                StmBlockNode lower, const char *attempt, GError **error)
{
  const GPtrArray *bitmaps = self->from.facts->bitmaps;
  g_autoptr (StmBlockTransaction) transaction = stm_block_transaction_new ();
  gboolean has_broken_mark = !self->is_complete
                             && stm_image_bitmaps_find (&self->from, COMPLETION_MARK) != NULL;

  for (guint i = 0; i < bitmaps->len; i++)
    {
      const StmBitmapFacts *bitmap = g_ptr_array_index (bitmaps, i);

      if (are_both_in_order (self, bitmap->name))
        stm_block_transaction_merge_bitmap (transaction, lower, upper, bitmap->name);
    }
  if (!self->is_complete)
    stm_block_transaction_add_bitmap (transaction, upper, COMPLETION_MARK,
                                      COMPLETION_MARK_GRANULARITY, STM_BLOCK_BITMAP_RESTING);

  return (!has_broken_mark || remove_bitmap (endpoint, upper, COMPLETION_MARK, attempt, error))
         && (self->is_complete || rest_halves (endpoint, upper, &self->from, &self->into, error))
         && stm_block_transaction_run_sync (transaction, endpoint, attempt, /* cancellable= */ NULL,
                                            error);
}

/* Bitmaps of two sizes cannot be added up. Those of the lower image record what is moved, so they
 * need no more; those of the upper image go, lest they be taken for the whole when the lower ones
 * are lost. */
static gboolean
remove_incomplete (const StmMergeBitmaps *self, StmBlockEndpoint *endpoint, StmBlockNode upper,
                   const char *attempt, GError **error)
{
  guint position = 0;
  const char *name;

  while ((name = next_name (self, &position)) != NULL)
    if (are_both_in_order (self, name) && !remove_bitmap (endpoint, upper, name, attempt, error))
      return FALSE;

  return TRUE;
}

/* What the file of an image has now. */
static gboolean
read_again (const StmMergeBitmaps *self, const StmImage *image, StmImageBitmaps *out_bitmaps,
            GError **error)
{
  g_auto (StmOwnedFd)
      fd = stm_image_file_open (self->merge->policy, image->path, STM_IMAGE_READ, error);

  return fd >= 0 && stm_image_bitmaps_read (fd, image, out_bitmaps, error)
         && stm_image_file_sync (fd, image->path, error);
}

gboolean
stm_merge_bitmaps_complete (StmMergeBitmaps *self, StmBlockEndpoint *endpoint, StmBlockNode upper,
                            StmBlockNode lower, GError **error)
{
  g_return_val_if_fail (self != NULL && self->merge != NULL, FALSE);

  g_autofree char *attempt = g_strdup_printf ("adding what the bitmaps of %s recorded to those of "
                                              "%s",
                                              self->target->path, self->source->path);
  StmImageBitmaps now = { 0 };

  if (!stm_block_endpoint_reopen_sync (endpoint, upper, lower, STM_IMAGE_WRITE, error))
    return FALSE;

  gboolean is_done = have_one_size (self)
                         ? run_completion (self, endpoint, upper, lower, attempt, error)
                         : remove_incomplete (self, endpoint, upper, attempt, error);
  /* Also after a failure: as long as it is open for writing a kill loses its bitmaps. */
  gboolean is_closed = stm_block_endpoint_reopen_sync (endpoint, upper, lower, STM_IMAGE_READ,
                                                       is_done ? error : NULL);

  if (!is_done || !is_closed || !read_again (self, self->source, &now, error))
    return FALSE;
  stm_image_bitmaps_clear (&self->from);
  self->from = now;
  self->is_complete = stm_image_bitmaps_is_in_order (&self->from, COMPLETION_MARK);

  return !have_one_size (self) || stm_image_bitmaps_check (&self->from, COMPLETION_MARK, error);
}

void
stm_merge_bitmaps_forget_completion (const StmMergeBitmaps *self, StmBlockEndpoint *endpoint,
                                     StmBlockNode upper, StmBlockNode lower)
{
  g_return_if_fail (self != NULL && endpoint != NULL);

  if (!self->is_complete
      || !stm_block_endpoint_reopen_sync (endpoint, upper, lower, STM_IMAGE_WRITE, NULL))
    return;
  (void) remove_bitmap (endpoint, upper, COMPLETION_MARK, "giving up a commit", NULL);
  (void) stm_block_endpoint_reopen_sync (endpoint, upper, lower, STM_IMAGE_READ, NULL);
}

static gboolean
remove_those_in_the_way (const StmMergeBitmaps *self, StmBlockEndpoint *endpoint,
                         StmBlockNode lower, GError **error)
{
  const GPtrArray *bitmaps = self->into.facts->bitmaps;

  for (guint i = 0; i < bitmaps->len; i++)
    {
      const StmBitmapFacts *bitmap = g_ptr_array_index (bitmaps, i);

      if (is_in_the_way (self, bitmap)
          && !remove_bitmap (endpoint, lower, bitmap->name, "removing a bitmap that was lost",
                             error))
        return FALSE;
    }

  return TRUE;
}

gboolean
stm_merge_bitmaps_make_way (const StmMergeBitmaps *self, StmBlockEndpoint *endpoint,
                            StmBlockNode lower, StmBlockNode rest, GError **error)
{
  g_return_val_if_fail (self != NULL && endpoint != NULL, FALSE);

  const GPtrArray *bitmaps = self->merge != NULL ? self->into.facts->bitmaps : NULL;
  gboolean is_blocked = FALSE;

  for (guint i = 0; bitmaps != NULL && i < bitmaps->len; i++)
    is_blocked |= is_in_the_way (self, g_ptr_array_index (bitmaps, i));
  if (!is_blocked)
    return TRUE;

  return stm_block_endpoint_reopen_sync (endpoint, lower, rest, STM_IMAGE_WRITE, error)
         && remove_those_in_the_way (self, endpoint, lower, error)
         && stm_block_endpoint_reopen_sync (endpoint, lower, rest, STM_IMAGE_READ, error);
}

gboolean
stm_merge_bitmaps_carry_down (const StmMergeBitmaps *self, StmBlockEndpoint *endpoint,
                              StmBlockNode upper, StmBlockNode lower, GError **error)
{
  g_return_val_if_fail (self != NULL && endpoint != NULL, FALSE);

  g_autoptr (StmBlockTransaction) transaction = stm_block_transaction_new ();
  guint position = 0;
  const char *name;

  while ((name = next_name (self, &position)) != NULL)
    {
      const StmBitmapFacts *above = stm_image_bitmaps_find (&self->from, name);
      const StmBitmapFacts *below = stm_image_bitmaps_find (&self->into, name);

      if (!goes_down (self, name))
        continue;
      if (below != NULL && below->is_broken
          && !remove_bitmap (endpoint, lower, name, "replacing a bitmap that was lost", error))
        return FALSE;
      if (below == NULL || below->is_broken)
        stm_block_transaction_add_bitmap (transaction, lower, name, above->granularity,
                                          above->is_recording ? STM_BLOCK_BITMAP_RECORDING
                                                              : STM_BLOCK_BITMAP_RESTING);
      stm_block_transaction_merge_bitmap (transaction, upper, lower, name);
    }

  return stm_block_transaction_run_sync (transaction, endpoint, "taking bitmaps down",
                                         /* cancellable= */ NULL, error);
}

gboolean
stm_merge_bitmaps_verify_down (const StmMergeBitmaps *self, GError **error)
{
  g_return_val_if_fail (self != NULL, FALSE);

  g_auto (StmImageBitmaps) now = { 0 };
  guint position = 0;
  const char *name;

  if (self->merge == NULL)
    return TRUE;
  if (!read_again (self, self->target, &now, error))
    return FALSE;
  while ((name = next_name (self, &position)) != NULL)
    if (goes_down (self, name) && !stm_image_bitmaps_check (&now, name, error))
      return FALSE;

  return TRUE;
}

/* --- up --------------------------------------------------------------------------------------- */

gboolean
stm_merge_bitmaps_check_up (const StmMergeBitmaps *self, GError **error)
{
  guint position = 0;
  const char *name;

  while ((name = next_name (self, &position)) != NULL)
    {
      if (!are_both_in_order (self, name) || have_one_size (self))
        continue;
      g_set_error (error, STEMMA_ERROR, STEMMA_ERROR_NOT_SUPPORTED,
                   "stream of %s: it was resized since, and the records of its bitmap %s do not "
                   "fit those of %s; delete the checkpoint first, or let the layer stay",
                   self->source->path, name, self->target->path);
      return FALSE;
    }

  return self->into.facts->bitmaps->len == 0
         || check_space (self, self->target, &self->into, 0, error);
}

gboolean
stm_merge_bitmaps_add_up (const StmMergeBitmaps *self, StmBlockEndpoint *endpoint,
                          StmBlockNode absorbed, StmBlockNode top, GError **error)
{
  g_return_val_if_fail (self != NULL && endpoint != NULL, FALSE);

  g_autoptr (StmBlockTransaction) transaction = stm_block_transaction_new ();
  guint position = 0;
  const char *name;

  while ((name = next_name (self, &position)) != NULL)
    if (are_both_in_order (self, name))
      stm_block_transaction_merge_bitmap (transaction, absorbed, top, name);

  return stm_block_transaction_run_sync (transaction, endpoint, "adding up bitmaps",
                                         /* cancellable= */ NULL, error)
         && rest_halves (endpoint, top, &self->into, &self->from, error);
}
