/* The internal snapshots of an image, looked at right before and after they are worked on.
 *
 * Worker threads only.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include "stm-image-file.h"
#include "stm-image.h"
#include "stm-survey.h"

typedef struct
{
  int fd;          /* open for reading and writing, until it is handed on; -1 then */
  StmFacts *facts; /* of these only path, capacity, tags and bitmaps are set */
} StmImageTags;

/* Opens an image that is recorded as qcow2 and that nobody else has open, holds it against its
 * record, and reads what it has. NOT_SUPPORTED: it is raw; CHAIN_BROKEN, IN_USE … */
gboolean stm_image_tags_open (const StmImage *image, const StmPathPolicy *policy,
                              GCancellable *cancellable, StmImageTags *out_tags, GError **error);
void stm_image_tags_clear (StmImageTags *self);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (StmImageTags, stm_image_tags_clear)

/* ALREADY_EXISTS when the name is that of a tag, or its id: programs look for both. */
gboolean stm_image_tags_check_free (const StmImageTags *self, const char *name, GError **error);

/* The one tag of this name; *out_tag is NULL when there is none. CHAIN_BROKEN when it cannot be
 * said which is meant: two have this name, or its id. */
gboolean stm_image_tags_find (const StmImageTags *self, const char *name,
                              const StmTagFacts **out_tag, GError **error);

/* UNSAVED_STATE unless the image shows nothing but what is in these tags (`other` nullable): a
 * guest wrote to it since the operation that made `fallback` was cut off. */
gboolean stm_image_tags_check_unwritten (const StmImageTags *self, const StmTagFacts *fallback,
                                         const StmTagFacts *other, GError **error);

/* Makes durable what was written to the image. */
gboolean
stm_image_tags_sync (const StmImageTags *self, const StmPathPolicy *policy, GError **error);
