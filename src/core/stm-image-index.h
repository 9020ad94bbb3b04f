/* StmImageIndex: the images of one domain, what stands on each and who holds it.
 *
 * Part of StmModel, main loop only. An index enters itself, for each path that it knows of, in the
 * table of holders that all domains of the service share, so that a question about a path costs by
 * its answer and not by the number of domains.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include "stm-model.h"

typedef struct _StmImageIndex StmImageIndex;

/* The shared table; it must outlive the indexes. */
GHashTable *stm_image_holders_new (void);
GPtrArray *stm_image_holders_children (GHashTable *holders, const char *path); /* char *, sorted */
GArray *stm_image_holders_users (GHashTable *holders, const char *path);       /* StmImageUser */
guint stm_image_holders_count_users (GHashTable *holders, const char *path);

GArray *stm_image_holders_disks (GHashTable *holders, const char *path); /* StmImageUser */

StmImageIndex *stm_image_index_new (GHashTable *holders, const char *domain_id);
void stm_image_index_free (StmImageIndex *self);

const StmImage *stm_image_index_get (const StmImageIndex *self, const char *path);
GPtrArray *stm_image_index_list (const StmImageIndex *self); /* StmImage, by target and index */
/* Of this domain: the images over a path, borrowed. */
GPtrArray *stm_image_index_children (const StmImageIndex *self, const char *path);
guint stm_image_index_count_children (const StmImageIndex *self, const char *path);
gboolean stm_image_index_has_children (const StmImageIndex *self, const char *path);
/* Of this domain: the checkpoints whose bitmap was begun in it, the snapshots that hold it, and
 * both. StmMoment, referenced. */
GPtrArray *stm_image_index_checkpoints (const StmImageIndex *self, const char *path);
GPtrArray *stm_image_index_snapshots (const StmImageIndex *self, const char *path);
GPtrArray *stm_image_index_moments (const StmImageIndex *self, const char *path);
/* Of this domain: appends who holds the path, borrowed. */
void stm_image_index_get_users (const StmImageIndex *self, const char *path, GArray *users);

void stm_image_index_put (StmImageIndex *self, const StmImage *image);
void stm_image_index_remove (StmImageIndex *self, const char *path);

/* The value is kept by pointer: drop it before it goes. */
void stm_image_index_add_moment (StmImageIndex *self, const StmMoment *moment);
void stm_image_index_drop_moment (StmImageIndex *self, const StmMoment *moment);
void stm_image_index_add_disks (StmImageIndex *self, const StmDomain *domain);
void stm_image_index_drop_disks (StmImageIndex *self, const StmDomain *domain);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (StmImageIndex, stm_image_index_free)
