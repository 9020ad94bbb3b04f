/* Refuses steps that make no sense, and does the others.
 *
 * Called on workers by the driver.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "stm-qemu-merge.h"

#include "stm-qemu-commit.h"
#include "stm-qemu-stream.h"

#include "stemma-error.h"

#include <string.h>

static const char *
find_fault (const StmMerge *merge)
{
  const StmImage *top = stm_merge_get_image (merge, 0);
  const StmImage *below = stm_merge_get_image (merge, 1);

  if (top == NULL || below == NULL)
    return "it takes two images";
  if (strcmp (top->format, "qcow2") != 0)
    return "the upper image is not qcow2";
  /* Only the last image of a chain can be raw: it cannot name a backing. */
  for (guint i = 1; i + 1 < merge->step->chain->len; i++)
    if (strcmp (stm_merge_get_image (merge, i)->format, "qcow2") != 0)
      return "an image in the middle of the chain is not qcow2";
  for (guint i = 0; i < merge->step->chain->len; i++)
    {
      const StmImage *next = stm_merge_get_image (merge, i + 1);
      const char *named = next != NULL ? next->path : NULL;

      /* The top of a stream names its base once it is done. */
      if (g_strcmp0 (stm_merge_get_image (merge, i)->backing, named) != 0)
        return "its images are no chain";
    }
  if (merge->step->kind == STM_STEP_COMMIT && below->origin == STM_IMAGE_BACKING)
    return "the lower image was there before the domain and is never written";

  return NULL;
}

gboolean
stm_qemu_merge (const StmMerge *merge, GError **error)
{
  g_return_val_if_fail (merge != NULL && merge->step != NULL, FALSE);
  g_return_val_if_fail (merge->progress != NULL, FALSE);
  g_return_val_if_fail (
      merge->step->kind == STM_STEP_COMMIT || merge->step->kind == STM_STEP_STREAM, FALSE);

  const char *fault = find_fault (merge);

  if (fault != NULL)
    {
      g_set_error (error, STEMMA_ERROR, STEMMA_ERROR_INVALID_ARGUMENT, "merging disk %s: %s",
                   merge->step->target, fault);
      return FALSE;
    }

  return merge->step->kind == STM_STEP_COMMIT ? stm_qemu_commit (merge, error)
                                              : stm_qemu_stream (merge, error);
}
