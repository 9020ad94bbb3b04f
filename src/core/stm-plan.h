/* StmPlan: what an operation will do, step by step, and the changes of the model around it.
 *
 * Made by the pure planners of stm-plan-*.h; shown by Plan… methods; journalled before the first
 * image is touched; run by a worker; and enough, read back from the journal, to settle what a crash
 * left. Immutable when made, reference counted.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include "stm-change.h"

typedef enum
{
  STM_OPERATION_CREATE, /* snapshot */
  STM_OPERATION_REVERT,
  STM_OPERATION_DELETE, /* snapshots */
  STM_OPERATION_DEFINE,
  STM_OPERATION_UNDEFINE,
  STM_OPERATION_RENAME,
  STM_OPERATION_DESCRIBE,
  STM_OPERATION_RESOLVE,
} StmOperation;

const char *stm_operation_to_word (StmOperation operation); /* "create", "revert", … */
gboolean stm_operation_from_word (const char *word, StmOperation *out_operation);

typedef enum
{
  /* Make `image` (qcow2) over chain[0]. All steps of this kind in a plan are one transaction. */
  STM_STEP_OVERLAY,
  /* Commit chain[0] down into chain[1]; then the headers of `children` name chain[1]. From its
   * start on the operation can only go forward. */
  STM_STEP_COMMIT,
  /* chain[0] absorbs chain[1] and then stands on chain[2], or on nothing. Can be abandoned. */
  STM_STEP_STREAM,
  /* Remove the file of `image`, after the finishing change is durable. */
  STM_STEP_UNLINK,
} StmStepKind;

typedef struct _StmStep
{
  StmStepKind kind;
  const char *target;  /* the disk */
  StmImage *image;     /* OVERLAY: to be made; COMMIT: chain[0]; STREAM: chain[1]; UNLINK: to go */
  GPtrArray *chain;    /* StmImage, from the image that the step works on downwards to the end */
  GPtrArray *children; /* StmImage; COMMIT only */
  guint64 bytes;       /* estimate of what is moved (COMMIT, STREAM) or freed (UNLINK) */
} StmStep;

/* A file that the operation no longer needs and yet leaves in place. */
typedef struct
{
  const char *path;
  const char *why; /* a clause for people: "unknown images stand on it: /i/x.qcow2" */
} StmKeptFile;

typedef struct _StmPlan
{
  char *id; /* of the operation: 32 hex digits; temporary files carry it in their names */
  StmOperation operation;
  char *domain_id;
  char *object_id;   /* the moment that the call is about; NULL when none */
  GPtrArray *steps;  /* StmStep: overlays first, then merges in order, then unlinks */
  GPtrArray *kept;   /* StmKeptFile: hidden layers that stay until they can go */
  StmChange *begin;  /* applied with the journal entry, before any image is touched; may be empty */
  StmChange *finish; /* applied when the steps before the unlinks are done */
  StmChange *undo;   /* applied instead of finish when the operation is taken back */
  GStrv unreachable; /* checkpoints that this leaves off the chain: names */
  guint64 frees;     /* bytes */
} StmPlan;

StmPlan *stm_plan_new (StmOperation operation, const char *id, const char *domain_id);
StmPlan *stm_plan_ref (const StmPlan *self);
void stm_plan_unref (StmPlan *self);

/* `init` is a value on the stack; its images are referenced. */
void stm_plan_add_step (StmPlan *self, const StmStep *init);
void stm_plan_add_kept (StmPlan *self, const char *path, const char *why);

guint stm_plan_n_steps_of (const StmPlan *self, StmStepKind kind);
/* Whether something was, or may have been, done that `undo` does not take back, given that
 * `n_done` merges are recorded as done and the next may have begun: any merge that is done (undo
 * knows the records before it), or a COMMIT as the next. */
gboolean stm_plan_is_forward_only (const StmPlan *self, guint n_done);

GVariant *stm_plan_to_variant (const StmPlan *self); /* floating */
StmPlan *stm_plan_from_variant (GVariant *variant);  /* NULL when the content is not sound */
#define STM_PLAN_TYPE G_VARIANT_TYPE ("(sssmsa(ssvavavt)vvvasta(ss))")

/* The reply of a Plan… method, aa{sv}, as the bus contract has it: rows with step s (overlay,
 * commit, stream, unlink, keep-hidden), path s, bytes t, text s, then rows `frees`, `unreachable`,
 * `pause-ms` (the number in bytes). Floating, like the next. */
GVariant *stm_plan_to_rows (const StmPlan *self);
/* The rows of a plan that was refused: one row `blocked` with the error's bus name. */
GVariant *stm_plan_refusal_to_rows (const GError *refusal);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (StmPlan, stm_plan_unref)
