/* Images in, and the block graph that they make.
 *
 * Called on one worker at a time. Never gives QEMU a path, and never lets it follow one from a
 * header: each format node has its backing said.
 *
 * Per image N there are the descriptor set N, the protocol node "sN" and the format node "fN".
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "stm-block-endpoint-private.h"

#include "stm-block-job.h"
#include "stm-image-lock.h"

#include <string.h>
#include <unistd.h>

static void
set_named (JsonObject *arguments, const char *member, char kind, StmBlockNode node)
{
  g_autofree char *name = g_strdup_printf ("%c%u", kind, node);

  json_object_set_string_member (arguments, member, name);
}

void
stm_block_endpoint_set_node (JsonObject *arguments, const char *member, StmBlockNode node)
{
  if (node != 0)
    set_named (arguments, member, 'f', node);
  else
    json_object_set_null_member (arguments, member);
}

/* Hands the descriptor over as a new set; our copy is closed in any case. */
static StmBlockNode
pass_descriptor (StmBlockEndpoint *self, const char *path, int fd, GCancellable *cancellable,
                 GError **error)
{
  g_autofree char *attempt = g_strdup_printf ("passing image %s to QEMU", path);
  g_autoptr (JsonObject) arguments = json_object_new ();
  StmBlockNode node = self->paths->len + 1;

  json_object_set_int_member (arguments, "fdset-id", node);

  g_autoptr (JsonNode) result = stm_block_endpoint_call_sync (
      self,
      &(StmQmpCall){
          .command = "add-fd", .arguments = arguments, .passed_fd = &fd, .attempt = attempt },
      cancellable, error);

  close (fd);
  if (result == NULL)
    return 0;
  g_ptr_array_add (self->paths, g_strdup (path));

  return node;
}

/* Whether QEMU waits for the disk where its order of writes asks for it. */
typedef enum
{
  FLUSHES,
  FLUSHES_NEVER,
} Flushing;

static gboolean
add_protocol_node (StmBlockEndpoint *self, StmBlockNode node, StmImageAccess access,
                   Flushing flushing, const char *attempt, GCancellable *cancellable,
                   GError **error)
{
  g_autoptr (JsonObject) options = json_object_new ();
  g_autofree char *file = g_strdup_printf ("/dev/fdset/%u", node);

  /* No auto-read-only: with a descriptor set it reopens, and then finds its own locks. */
  json_object_set_string_member (options, "driver", "file");
  json_object_set_string_member (options, "filename", file);
  set_named (options, "node-name", 's', node);
  json_object_set_boolean_member (options, "read-only", access == STM_IMAGE_READ);
  if (flushing == FLUSHES_NEVER)
    {
      g_autoptr (JsonObject) cache = json_object_new ();

      json_object_set_boolean_member (cache, "no-flush", TRUE);
      json_object_set_object_member (options, "cache", g_steal_pointer (&cache));
    }

  return stm_block_endpoint_tell_sync (self, "blockdev-add", options, attempt, cancellable, error);
}

static gboolean
add_format_node (StmBlockEndpoint *self, StmBlockNode node, const StmBlockImage *image,
                 const char *attempt, GCancellable *cancellable, GError **error)
{
  g_autoptr (JsonObject) options = json_object_new ();

  json_object_set_string_member (options, "driver", image->format);
  set_named (options, "node-name", 'f', node);
  set_named (options, "file", 's', node);
  /* For reading, where nothing else is asked for: a job that writes opens it for writing as long as
   * it needs it, so that a crash at any other time leaves no bitmap marked as in use. */
  json_object_set_boolean_member (options, "read-only", image->initial == STM_IMAGE_READ);
  if (strcmp (image->format, "raw") != 0)
    {
      stm_block_endpoint_set_node (options, "backing", image->backing);
      /* Whatever the image says: with them, one that is not closed properly is to be repaired. */
      json_object_set_boolean_member (options, "lazy-refcounts", FALSE);
    }

  return stm_block_endpoint_tell_sync (self, "blockdev-add", options, attempt, cancellable, error);
}

StmBlockNode
stm_block_endpoint_add_image_sync (StmBlockEndpoint *self, const StmBlockImage *image, int fd,
                                   GCancellable *cancellable, GError **error)
{
  g_return_val_if_fail (self != NULL && image != NULL && fd >= 0, 0);

  g_autofree char *attempt = g_strdup_printf ("opening image %s", image->path);

  if (!stm_image_lock_check (fd, image->path, image->access, error))
    {
      close (fd);
      return 0;
    }

  StmBlockNode node = pass_descriptor (self, image->path, fd, cancellable, error);

  if (node == 0
      || !add_protocol_node (self, node, image->access, FLUSHES, attempt, cancellable, error)
      || !add_format_node (self, node, image, attempt, cancellable, error))
    return 0;

  return node;
}

static gboolean
format_overlay (StmBlockEndpoint *self, const StmBlockCreation *creation, StmBlockNode node,
                GCancellable *cancellable, GError **error)
{
  g_autoptr (JsonObject) options = json_object_new ();
  g_autoptr (JsonObject) arguments = json_object_new ();
  g_autofree char *attempt = g_strdup_printf ("making overlay %s", creation->path);

  json_object_set_string_member (options, "driver", "qcow2");
  set_named (options, "file", 's', node);
  json_object_set_int_member (options, "size", creation->capacity);
  json_object_set_string_member (options, "backing-file", creation->backing_path);
  json_object_set_string_member (options, "backing-fmt", creation->backing_format);
  json_object_set_object_member (arguments, "options", g_steal_pointer (&options));

  return stm_block_job_run_sync (
      self,
      &(StmBlockJob){ .command = "blockdev-create", .arguments = arguments, .attempt = attempt },
      cancellable, error);
}

StmBlockNode
stm_block_endpoint_create_overlay_sync (StmBlockEndpoint *self, const StmBlockCreation *creation,
                                        int fd, GCancellable *cancellable, GError **error)
{
  g_return_val_if_fail (self != NULL && creation != NULL && fd >= 0, 0);

  g_autofree char *attempt = g_strdup_printf ("making overlay %s", creation->path);
  StmBlockImage image = { .path = creation->path,
                          .format = "qcow2",
                          .access = STM_IMAGE_WRITE,
                          .initial = creation->initial };
  StmBlockNode node = pass_descriptor (self, creation->path, fd, cancellable, error);

  if (node == 0
      || !add_protocol_node (self, node, STM_IMAGE_WRITE, FLUSHES_NEVER, attempt, cancellable,
                             error)
      || !format_overlay (self, creation, node, cancellable, error)
      || !add_format_node (self, node, &image, attempt, cancellable, error))
    return 0;

  return node;
}

gboolean
stm_block_endpoint_remove_image_sync (StmBlockEndpoint *self, StmBlockNode node, GError **error)
{
  g_return_val_if_fail (self != NULL && node >= 1 && node <= self->paths->len, FALSE);

  g_autofree char *attempt = g_strdup_printf (
      "closing image %s", (const char *) g_ptr_array_index (self->paths, node - 1));
  g_autoptr (JsonObject) format = json_object_new ();
  g_autoptr (JsonObject) protocol = json_object_new ();

  set_named (format, "node-name", 'f', node);
  set_named (protocol, "node-name", 's', node);

  return stm_block_endpoint_tell_sync (self, "blockdev-del", format, attempt, NULL, error)
         && stm_block_endpoint_tell_sync (self, "blockdev-del", protocol, attempt, NULL, error);
}

gboolean
stm_block_endpoint_reopen_sync (StmBlockEndpoint *self, StmBlockNode node, StmBlockNode backing,
                                StmImageAccess access, GError **error)
{
  g_return_val_if_fail (self != NULL && node >= 1 && node <= self->paths->len, FALSE);

  g_autofree char *attempt = g_strdup_printf (
      "writing image %s", (const char *) g_ptr_array_index (self->paths, node - 1));
  g_autoptr (JsonObject) options = json_object_new ();
  g_autoptr (JsonArray) list = json_array_new ();
  g_autoptr (JsonObject) arguments = json_object_new ();

  /* QMP has no command to flush. To reopen, also with the same options, is the one that flushes and
   * reports what went wrong in that; "stop" flushes too and keeps silent. */
  json_object_set_string_member (options, "driver", "qcow2");
  set_named (options, "node-name", 'f', node);
  set_named (options, "file", 's', node);
  stm_block_endpoint_set_node (options, "backing", backing);
  json_object_set_boolean_member (options, "lazy-refcounts", FALSE);
  json_object_set_boolean_member (options, "read-only", access == STM_IMAGE_READ);
  json_array_add_object_element (list, g_steal_pointer (&options));
  json_object_set_array_member (arguments, "options", g_steal_pointer (&list));

  return stm_block_endpoint_tell_sync (self, "blockdev-reopen", arguments, attempt, NULL, error);
}
