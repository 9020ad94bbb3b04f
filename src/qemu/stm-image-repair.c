/* Repairs reference counts.
 *
 * Called on workers, after an operation was cut off. QEMU's order of writes counts a cluster before
 * it is used and drops it after, so that what was cut off has too many counted at the most. Only
 * qemu-img can put that right.
 *
 * It must not see an image with bitmaps that are not in force, as a kill leaves them: when it opens
 * one to repair it, QEMU 7.2 drops them from the header before it has read the list of internal
 * snapshots, and so writes that there are none.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "stm-image-repair.h"

#include "stm-image-tags.h"
#include "stm-image-tool.h"
#include "stm-qcow2-header.h"

gboolean
stm_image_repair_leaks (const StmQemuSetup *setup, const StmImage *image,
                        const StmPathPolicy *policy, GError **error)
{
  g_return_val_if_fail (setup != NULL && image != NULL && policy != NULL, FALSE);

  static const char *const command[] = { "check", "-q", "-r", "leaks", NULL };
  g_auto (StmImageTags) before = { 0 };
  g_auto (StmImageTags) after = { 0 };
  g_autofree char *attempt = g_strdup_printf ("freeing unused clusters of image %s", image->path);

  if (!stm_image_tags_open (image, policy, /* cancellable= */ NULL, &before, error))
    return FALSE;

  g_autoptr (StmQcow2Header) header = stm_qcow2_header_read (before.fd, image->path, error);
  if (header == NULL)
    return FALSE;
  if (header->n_bitmaps > 0 || header->has_void_bitmaps)
    return TRUE;

  return stm_image_tool_run_sync (
             &(StmImageTool){
                 .setup = setup, .path = image->path, .command = command, .attempt = attempt },
             g_steal_fd (&before.fd), /* cancellable= */ NULL, error)
         && stm_image_tags_open (image, policy, /* cancellable= */ NULL, &after, error)
         && stm_image_tags_sync (&after, policy, error);
}
