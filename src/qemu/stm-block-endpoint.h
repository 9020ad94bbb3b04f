/* StmBlockEndpoint: what touches images. For a domain that is off, a QEMU process of its own, which
 * gets images as open descriptors and has no other way to any.
 *
 * One worker at a time; lives for one verb of the driver. Each call fails when the process is dead.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include "stm-image-file.h"
#include "stm-qemu-process.h"

#include <json-glib/json-glib.h>

typedef struct _StmBlockEndpoint StmBlockEndpoint;

/* A node in its block graph; 0 is none. */
typedef guint StmBlockNode;

/* Takes the setup's spare process; without one, starts one and returns before it is up, so that the
 * caller has time to prepare. */
StmBlockEndpoint *stm_block_endpoint_start (const StmQemuSetup *setup, GError **error);
/* Ends it at once; nothing that it was told is certain to have happened. */
void stm_block_endpoint_free (StmBlockEndpoint *self);

/* An image to be opened. */
typedef struct
{
  const char *path;   /* for messages; the process never gets to know it */
  const char *format; /* "qcow2" or "raw" */
  /* WRITE: a job or a reopening may write it. Until then, and after, it is open for reading there,
   * too. */
  StmImageAccess access;
  StmBlockNode backing; /* the node that it stands on; 0: none, whatever its header names */
  /* What it is open for from the start, never more than `access`. */
  StmImageAccess initial;
} StmBlockImage;

/* Opens an image by a descriptor that is open in this access mode, and that is closed here in any
 * case: a copy of ours would keep QEMU's locks alive after its death. 0 when it fails: IN_USE … */
StmBlockNode stm_block_endpoint_add_image_sync (StmBlockEndpoint *self, const StmBlockImage *image,
                                                int fd, GCancellable *cancellable, GError **error);

/* Makes an empty file a qcow2 image over `backing_path` and opens it, detached. The descriptor as
 * above, open for writing. Nobody relies on the file yet: that it is durable is for the caller to
 * see to, in one go. */
typedef struct
{
  const char *path; /* for messages */
  guint64 capacity;
  const char *backing_path;
  const char *backing_format;
  StmImageAccess initial;
} StmBlockCreation;

StmBlockNode
stm_block_endpoint_create_overlay_sync (StmBlockEndpoint *self, const StmBlockCreation *creation,
                                        int fd, GCancellable *cancellable, GError **error);

/* Closes an image. */
gboolean
stm_block_endpoint_remove_image_sync (StmBlockEndpoint *self, StmBlockNode node, GError **error);

/* Lets a qcow2 image that was added for writing be open for writing, or for reading only, over the
 * node that it stands on (0: none). While it is open for writing its bitmaps are marked as in use;
 * they are in the file when it has been reopened for reading. In both cases what QEMU held back of
 * it is then in the file; NO_SPACE … when that did not go well. */
gboolean
stm_block_endpoint_reopen_sync (StmBlockEndpoint *self, StmBlockNode node, StmBlockNode backing,
                                StmImageAccess access, GError **error);

/* Closes all images and ends the process. Only after this all that was written is in the files. */
gboolean stm_block_endpoint_quit_sync (StmBlockEndpoint *self, GError **error);

/* For StmBlockJob. `attempt` as in StmQmpCall. */
JsonNode *
stm_block_endpoint_execute_sync (StmBlockEndpoint *self, const char *command, JsonObject *arguments,
                                 const char *attempt, GCancellable *cancellable, GError **error);
/* Gives QEMU a copy of a descriptor (borrowed) under a name, for a command that takes one so. */
gboolean stm_block_endpoint_pass_fd_sync (StmBlockEndpoint *self, const char *name, int fd,
                                          GCancellable *cancellable, GError **error);
/* Waits until something happened, the time is over, or the cancellable is used: all TRUE. */
gboolean stm_block_endpoint_wait_sync (StmBlockEndpoint *self, guint timeout_ms,
                                       GCancellable *cancellable, GError **error);
/* The error of a job, with the paths of the images. */
GError *
stm_block_endpoint_error_new (StmBlockEndpoint *self, const char *attempt, const char *words);
void stm_block_endpoint_set_node (JsonObject *arguments, const char *member, StmBlockNode node);

/* Connects when that was not done yet. */
const char *stm_block_endpoint_get_version_sync (StmBlockEndpoint *self, GCancellable *cancellable,
                                                 GError **error);
GPid stm_block_endpoint_get_pid (StmBlockEndpoint *self);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (StmBlockEndpoint, stm_block_endpoint_free)
