/* What the planners of the different operations have in common. Only they include it. Pure, main
 * loop.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include "stm-naming.h"
#include "stm-planner.h"

/* Deeper chains are legal but slow, and each layer costs a file descriptor when the disk is open.
 */
#define STM_MAX_LAYERS 100
#define STM_MAX_MOMENTS 1000000

/* NOT_FOUND. */
const StmDomain *
stm_planner_get_domain (const StmModel *model, const char *domain_id, GError **error);
const StmMoment *stm_planner_get_snapshot (const StmModel *model, const char *domain_id,
                                           const char *moment_id, GError **error);

/* An operation that ended in the middle has a plan that still counts on the records as they were:
 * until it is settled nothing else may change them. `ignored` holds ids of moments that do not
 * count, or is NULL. BUSY, naming the snapshot in the way. */
gboolean stm_planner_check_settled (const StmModel *model, const char *domain_id,
                                    GHashTable *ignored, GError **error);

/* Room for one more moment. TOO_MANY. */
gboolean stm_planner_check_room (const StmModel *model, const char *domain_id, GError **error);

/* Whether nothing else writes to the image: no other disk, of this domain or of another, has it as
 * its writable source. `target` is the disk that may. IN_USE. */
gboolean stm_planner_check_writers (const StmModel *model, const char *domain_id,
                                    const char *target, const char *path, GError **error);

/* The chain of an image by the record, the image first. CHAIN_BROKEN when it has no record. */
GPtrArray *stm_planner_chain (const StmModel *model, const char *domain_id, const char *target,
                              const char *path, GError **error);

/* Adds the images that are not in `images` yet; `seen` holds the paths that are. */
void stm_planner_add_images (GPtrArray *images, GHashTable *seen, const GPtrArray *more);

/* Plans a new image `path` over chain[0]: adds the step, and the record to the finishing change.
 * Borrowed from the plan. TOO_MANY layers. */
const StmImage *stm_planner_add_overlay (StmPlan *plan, const StmDisk *disk, GPtrArray *chain,
                                         const char *path, GError **error);

/* Adds a step before those that remove files. */
void stm_planner_add_before_unlinks (StmPlan *plan, const StmStep *init);

/* A copy of `image` with the size that the survey found. */
StmImage *stm_planner_resized (const StmImage *image, const StmSurvey *survey);

/* The domain with other disks, as many as it has. */
StmDomain *stm_planner_domain_with_disks (const StmDomain *domain, const StmDisk *disks,
                                          const char *definition);
