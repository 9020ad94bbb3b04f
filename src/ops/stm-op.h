/* StmOp: what one kind of operation contributes to the four acts that StmJobRunner runs.
 *
 * An operation looks (survey, on a worker), decides (plan, on the main loop, pure) and the runner
 * does the rest from the plan, which is data: journal, begin, overlays, merges, finish, clean up.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include "stm-driver.h"
#include "stm-moment-xml.h"
#include "stm-planner.h"
#include "stm-spellings.h"

#include <gio/gio.h>

#define STM_TYPE_OP stm_op_get_type ()
G_DECLARE_DERIVABLE_TYPE (StmOp, stm_op, STM, OP, GObject)

struct _StmOpClass
{
  GObjectClass parent_class;

  /* Worker, optional, at the head of the queue and before all else: takes in what the client sent,
   * and sees nothing of the service. */
  gboolean (*read) (StmOp *self, GCancellable *cancellable, GError **error);
  /* Main loop, optional: whether that is so little that it is done there; never, without this. */
  gboolean (*reads_little) (StmOp *self);
  /* Main loop, for those that may read little: the same as read, with the main loop's reader. */
  gboolean (*read_little) (StmOp *self, StmMomentReader *reader, GError **error);
  /* Main loop, optional, before prepare: the paths that the client gave, NULL for none. They are
   * resolved, on a worker, when that is due; those that the operation uses are the resolved ones.
   */
  StmSpellings *(*list_paths) (StmOp *self, const StmModel *model);
  /* Main loop, at the head of the queue: refuse early, and say which images to look at (NULL in
   * *out_images: none). */
  gboolean (*prepare) (StmOp *self, const StmModel *model, GPtrArray **out_images, GError **error);
  /* Main loop, optional, after prepare: the content hashes of those texts of the store that plan
   * needs, owned, NULL for none; each that the store has is handed over with take_text. */
  GPtrArray *(*list_texts) (StmOp *self, const StmModel *model);
  void (*take_text) (StmOp *self, const char *hash, const char *text);
  /* Main loop, optional: whether look has anything to do; always, without this. */
  gboolean (*needs_look) (StmOp *self);
  /* Worker, optional: looks at more than the images, and keeps what it saw in itself. */
  gboolean (*look) (StmOp *self, StmDriver *driver, const StmPathPolicy *policy,
                    GCancellable *cancellable, GError **error);
  /* Main loop, pure. */
  StmPlan *(*plan) (StmOp *self, const StmModel *model, const StmSurvey *survey,
                    const StmPlanContext *context, GError **error);
};

/* What it is about, for the queue, the job object and messages. */
StmOperation stm_op_get_operation (StmOp *self);
const char *stm_op_get_domain_id (StmOp *self);

/* One per file: stm-op-create.c … All borrow their arguments and keep copies. */
StmOp *stm_op_create_new (const char *domain_id, const StmCreateRequest *request);
StmOp *stm_op_revert_new (const char *domain_id, const StmRevertRequest *request);
StmOp *stm_op_delete_new (const char *domain_id, const StmDeleteRequest *request);
StmOp *stm_op_undefine_new (const char *domain_id, const StmUndefineRequest *request);
StmOp *
stm_op_create_checkpoint_new (const char *domain_id, const StmCreateCheckpointRequest *request);
StmOp *stm_op_delete_checkpoint_new (const char *domain_id, const StmDeleteRequest *request);
/* All documents as one change. Afterwards the ids of their moments, in the order of the documents.
 */
StmOp *stm_op_redefine_new (const char *domain_id, const StmRedefineRequest *request);
const char *const *stm_op_redefine_get_ids (StmOp *op);
/* Drops the records of all moments of a kind, whatever state they are in; no image is changed. */
StmOp *stm_op_forget_all_new (const char *domain_id, StmMomentKind kind);
StmOp *stm_op_rename_moment_new (const char *domain_id, StmMomentKind kind, const char *moment_id,
                                 const char *name);
StmOp *stm_op_describe_moment_new (const char *domain_id, StmMomentKind kind, const char *moment_id,
                                   const char *description);
/* A definition from a client; the id is that of its uuid, or a new one. INVALID_XML. */
StmOp *stm_op_define_new (const char *xml, GError **error);
StmOp *stm_op_rename_domain_new (const char *domain_id, const char *name);
StmOp *stm_op_describe_domain_new (const char *domain_id, const char *description);
