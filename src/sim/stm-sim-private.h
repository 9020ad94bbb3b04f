/* The verbs of the simulated driver, for its own files only. Each takes the world's lock itself.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include "stm-driver.h"
#include "stm-sim-driver.h"
#include "stm-sim-world.h"

/* With the lock held: the image, when the policy allows it and it is there. NOT_ALLOWED, NOT_FOUND;
 * `what` is a clause of what is being done. */
StmSimImage *stm_sim_get_image (StmSimWorld *world, const StmPathPolicy *policy, const char *path,
                                const char *what, GError **error);
/* The same of an image that tags and bitmaps can be in. NOT_SUPPORTED. */
StmSimImage *stm_sim_get_qcow2 (StmSimWorld *world, const StmPathPolicy *policy, const char *path,
                                const char *what, GError **error);

/* stm-sim-images.c */
GPtrArray *stm_sim_walk_chain (StmSimWorld *world, const StmChainRequest *request, GError **error);
StmSurvey *stm_sim_survey (StmSimWorld *world, const StmSurveyRequest *request);
gboolean stm_sim_make_overlays (StmSimWorld *world, const StmPlan *plan,
                                const StmPathPolicy *policy, guint64 writes, GError **error);
gboolean stm_sim_abandon_overlays (StmSimWorld *world, const StmPlan *plan, GError **error);
gboolean stm_sim_remove_image (StmSimWorld *world, const StmStep *step, const StmPathPolicy *policy,
                               GError **error);

/* stm-sim-merge.c */
gboolean stm_sim_merge (StmSimWorld *world, const StmStep *step, const StmPathPolicy *policy,
                        guint64 bytes_per_second, StmProgress *progress, GCancellable *cancellable,
                        GError **error);

/* stm-sim-marks.c */
gboolean stm_sim_make_marks (StmSimWorld *world, const StmPlan *plan, StmStepKind kind,
                             const StmPathPolicy *policy, GError **error);
gboolean stm_sim_go_to_tag (StmSimWorld *world, const StmStep *step, const StmPathPolicy *policy,
                            GError **error);
gboolean stm_sim_abandon_marks (StmSimWorld *world, const StmPlan *plan,
                                const StmPathPolicy *policy, GError **error);
gboolean stm_sim_remove_marks (StmSimWorld *world, const StmStep *const *steps, gsize n_steps,
                               const StmPathPolicy *policy, GError **failures);
