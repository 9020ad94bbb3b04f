/* StmModel: all domains of the service, their trees and their images.
 *
 * Main loop only, owned by the registry of ops/. Pure: knows no file, no clock, no bus. It changes
 * only by stm_model_apply().
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include "stm-change.h"
#include "stm-path-policy.h"
#include "stm-tree.h"

typedef struct _StmModel StmModel;

/* Who holds an image: a moment that freezes it, or a disk whose active image it is. The home of a
 * checkpoint's bitmap is not held by it. */
typedef struct
{
  const char *domain_id;
  const char *moment_id; /* NULL: the disk's active image */
  StmMomentKind kind;
  const char *target;
} StmImageUser;

StmModel *stm_model_new (void);
void stm_model_free (StmModel *self);

/* Domains. */
GPtrArray *stm_model_domain_ids (const StmModel *self); /* transfer container, borrowed ids */
const StmDomain *stm_model_get_domain (const StmModel *self, const char *domain_id);
/* By name first, then by uuid in any spelling. */
const StmDomain *stm_model_find_domain (const StmModel *self, const char *name_or_uuid);
guint64 stm_model_generation (const StmModel *self, const char *domain_id); /* 0: unknown domain */
guint64 stm_model_service_generation (const StmModel *self);
const StmTree *stm_model_tree (const StmModel *self, const char *domain_id, StmMomentKind kind);

/* Checkpoints of one domain. The reachable ones on which no reachable one stands, directly or
 * through others: how many, and the id of the only one, or NULL; and, at most `limit` of them, the
 * checkpoints themselves. */
const char *stm_model_lone_leaf (const StmModel *self, const char *domain_id, guint *out_n_leaves);
GPtrArray *stm_model_leaves (const StmModel *self, const char *domain_id, guint limit);
/* Those whose bitmap on the disk has this name. StmMoment, referenced. */
GPtrArray *stm_model_bitmap_sharers (const StmModel *self, const char *domain_id,
                                     const char *target, const char *bitmap);

/* Those whose bitmap on some disk was begun in the image. StmMoment, referenced, by id. */
GPtrArray *stm_model_checkpoints_at (const StmModel *self, const char *domain_id, const char *path);

/* Snapshots of one domain that hold the image. StmMoment, referenced. */
GPtrArray *stm_model_snapshots_in (const StmModel *self, const char *domain_id, const char *path);

/* The moments of both kinds that an operation is making or removing, snapshots first. StmMoment,
 * referenced. */
GPtrArray *stm_model_busy_moments (const StmModel *self, const char *domain_id);

/* Images of one domain. */
const StmImage *stm_model_get_image (const StmModel *self, const char *domain_id, const char *path);
GPtrArray *
stm_model_images (const StmModel *self, const char *domain_id); /* StmImage, referenced */
/* The chain of a disk by the record, active image first; StmImage, referenced. Empty without
 * medium. Ends at the first image that is not recorded, and never loops. */
GPtrArray *stm_model_chain (const StmModel *self, const char *domain_id, const char *target);
/* The chain from any recorded image downwards. */
GPtrArray *stm_model_chain_from (const StmModel *self, const char *domain_id, const char *path);

/* How many of the domain's images stand on the path. */
guint
stm_model_count_image_children (const StmModel *self, const char *domain_id, const char *path);

/* These images, StmImage, borrowed. */
GPtrArray *stm_model_images_over (const StmModel *self, const char *domain_id, const char *path);

/* Over all domains: cost by the size of the answer, not of the model. */
GPtrArray *stm_model_image_children (const StmModel *self, const char *path); /* char *, copies */
GArray *
stm_model_image_users (const StmModel *self, const char *path); /* of StmImageUser, borrowed */
/* Of these only the disks whose active image it is, however many moments hold it. */
GArray *stm_model_image_disks (const StmModel *self, const char *path);
/* How many there are, at the cost of the domains that have the path. */
guint stm_model_count_image_users (const StmModel *self, const char *path);

/* Everything that a path of this domain may be: below the approved directories of all domains and
 * `pools`, or exactly an image that this domain records. */
StmPathPolicy *
stm_model_path_policy (const StmModel *self, const char *domain_id, const char *const *pools);

/* Whether a change fits, whatever state the model is in: no ring, no orphan, names unique, current
 * exists, domain known or new, no image removed that is still used or backed upon within the
 * domain. Sets a STEMMA_ERROR. */
gboolean stm_model_check (const StmModel *self, const StmChange *change, GError **error);

/* Cannot fail on a change that was checked. */
void stm_model_apply (StmModel *self, const StmChange *change);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (StmModel, stm_model_free)
