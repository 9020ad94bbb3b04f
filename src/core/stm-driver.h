/* StmDriver: the seam to the hypervisor. Blocking verbs on immutable values, called on workers
 * only.
 *
 * A verb that fails leaves things as they were as far as its description says, and sets a
 * STEMMA_ERROR or, when the cancellable was used, STEMMA_ERROR_CANCELLED. Each verb may be called
 * from several workers at once, for different domains.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include "stm-plan.h"
#include "stm-progress.h"
#include "stm-survey.h"

#include <gio/gio.h>

/* An image as a definition declares it. */
typedef struct
{
  const char *path;
  const char *format; /* "qcow2" or "raw" */
} StmDeclaredImage;

/* One disk's chain to be walked. declared[0] is the disk's own source; the rest is what the
 * definition names with <backingStore>, in order. */
typedef struct
{
  const char *target;
  const StmDeclaredImage *declared;
  gsize n_declared;
  gboolean is_complete; /* the declared chain ends there: an empty <backingStore/> closes it */
  gboolean is_block;    /* a block device is said */
  gboolean is_read_only;
  const StmPathPolicy *policy; /* for what headers name; the declared paths are allowed besides,
                                * and so is the directory of the disk's own image */
} StmChainRequest;

#define STM_TYPE_DRIVER stm_driver_get_type ()
G_DECLARE_INTERFACE (StmDriver, stm_driver, STM, DRIVER, GObject)

struct _StmDriverInterface
{
  GTypeInterface parent_iface;

  /* "qemu" or "sim", and the hypervisor's version, asked once. */
  const char *(*get_name) (StmDriver *self);
  char *(*get_version) (StmDriver *self, GError **error);

  /* Ends what an earlier life of the service left running on its images, and returns when it is
   * dead and reaped. Called once, before anything else looks at an image. */
  gboolean (*reap) (StmDriver *self, GCancellable *cancellable, GError **error);

  /* The path by which records know the file that `path`, a plain one, names: with all links
   * followed where something is there, else with those of its directory; a copy where neither is,
   * and of a device. Opens nothing, allows nothing. May be left out by a driver whose files have no
   * links. */
  char *(*find_real_path) (StmDriver *self, const char *path);

  /* The images of a chain, active first, by our own reading of the headers; paths canonical, target
   * and backing set, indexes 1, 2, 3 …; origin DISK for the first and BACKING below. Changes
   * nothing. NOT_FOUND, CHAIN_BROKEN, NOT_ALLOWED, TOO_MANY … */
  GPtrArray *(*walk_chain) (StmDriver *self, const StmChainRequest *request,
                            GCancellable *cancellable, GError **error);

  /* Facts on images. A problem with one image is in its facts, not an error of the call. */
  StmSurvey *(*survey) (StmDriver *self, const StmSurveyRequest *request, GCancellable *cancellable,
                        GError **error);

  /* Makes all OVERLAY steps of a plan, complete and durable under their final names, or none. */
  gboolean (*make_overlays) (StmDriver *self, const StmPlan *plan, const StmPathPolicy *policy,
                             StmProgress *progress, GCancellable *cancellable, GError **error);

  /* Makes all TAG steps of a plan, or none; then all BITMAP steps, or none. Durable when it
   * returns. NO_SPACE, NOT_SUPPORTED, IN_USE … */
  gboolean (*make_tags) (StmDriver *self, const StmPlan *plan, const StmPathPolicy *policy,
                         GCancellable *cancellable, GError **error);
  gboolean (*make_bitmaps) (StmDriver *self, const StmPlan *plan, const StmPathPolicy *policy,
                            GCancellable *cancellable, GError **error);

  /* Does one GOTO step, durable when it returns; may be called again after a crash. A failure may
   * leave the image in either state, never between them. NOT_SUPPORTED when the image has bitmaps.
   */
  gboolean (*go_to_tag) (StmDriver *self, const StmStep *step, const StmPathPolicy *policy,
                         GCancellable *cancellable, GError **error);

  /* Takes back the TAG, GOTO and BITMAP steps of a plan, done, begun or not: each image of a GOTO
   * step that has the fallback is brought to it; then what TAG and BITMAP made is removed. */
  gboolean (*abandon_marks) (StmDriver *self, const StmPlan *plan, const StmPathPolicy *policy,
                             GError **error);

  /* Does UNTAG and UNBITMAP steps, in order; that a mark is not there any more is fine, and so is
   * it that a bitmap's file is not. One that fails keeps no other: failures[i], NULL before, is set
   * for steps[i]. What was removed is so durably when this returns. Whether none failed. */
  gboolean (*remove_marks) (StmDriver *self, const StmStep *const *steps, gsize n_steps,
                            const StmPathPolicy *policy, GError **failures);

  /* Does one COMMIT or STREAM step, durable when it returns. May be called again after a crash or a
   * failure at any point within it, and then finishes it. A failure or crash leaves the content of
   * every image but, with COMMIT, that of chain[1] as it was. */
  gboolean (*merge) (StmDriver *self, const StmStep *step, const StmPathPolicy *policy,
                     StmProgress *progress, GCancellable *cancellable, GError **error);

  /* Frees what a merge that was cut off left counted and unused in an image that it wrote to, whose
   * record this is. Changes nothing that any image shows, and harms nobody when it fails. May be
   * left out by a driver whose images cannot be in this state. */
  gboolean (*repair_image) (StmDriver *self, const StmImage *image, const StmPathPolicy *policy,
                            GError **error);

  /* Removes the file of an UNLINK step, when its header still proves that it is what is recorded;
   * a file that is not there is fine. CHAIN_BROKEN when the proof fails; the file stays. */
  gboolean (*remove_image) (StmDriver *self, const StmStep *step, const StmPathPolicy *policy,
                            GError **error);

  /* Takes back the OVERLAY steps of a plan, finished or half made: removes the files that are
   * provably its work. */
  gboolean (*abandon_overlays) (StmDriver *self, const StmPlan *plan, const StmPathPolicy *policy,
                                GError **error);
};

gboolean stm_driver_make_tags (StmDriver *self, const StmPlan *plan, const StmPathPolicy *policy,
                               GCancellable *cancellable, GError **error);
gboolean stm_driver_make_bitmaps (StmDriver *self, const StmPlan *plan, const StmPathPolicy *policy,
                                  GCancellable *cancellable, GError **error);
gboolean stm_driver_go_to_tag (StmDriver *self, const StmStep *step, const StmPathPolicy *policy,
                               GCancellable *cancellable, GError **error);
gboolean stm_driver_abandon_marks (StmDriver *self, const StmPlan *plan,
                                   const StmPathPolicy *policy, GError **error);
gboolean stm_driver_remove_marks (StmDriver *self, const StmStep *const *steps, gsize n_steps,
                                  const StmPathPolicy *policy, GError **failures);
const char *stm_driver_get_name (StmDriver *self);
char *stm_driver_get_version (StmDriver *self, GError **error);
gboolean stm_driver_reap (StmDriver *self, GCancellable *cancellable, GError **error);
char *stm_driver_find_real_path (StmDriver *self, const char *path);
GPtrArray *stm_driver_walk_chain (StmDriver *self, const StmChainRequest *request,
                                  GCancellable *cancellable, GError **error);
StmSurvey *stm_driver_survey (StmDriver *self, const StmSurveyRequest *request,
                              GCancellable *cancellable, GError **error);
gboolean
stm_driver_make_overlays (StmDriver *self, const StmPlan *plan, const StmPathPolicy *policy,
                          StmProgress *progress, GCancellable *cancellable, GError **error);
gboolean stm_driver_merge (StmDriver *self, const StmStep *step, const StmPathPolicy *policy,
                           StmProgress *progress, GCancellable *cancellable, GError **error);
gboolean stm_driver_repair_image (StmDriver *self, const StmImage *image,
                                  const StmPathPolicy *policy, GError **error);
gboolean stm_driver_remove_image (StmDriver *self, const StmStep *step, const StmPathPolicy *policy,
                                  GError **error);
gboolean stm_driver_abandon_overlays (StmDriver *self, const StmPlan *plan,
                                      const StmPathPolicy *policy, GError **error);
