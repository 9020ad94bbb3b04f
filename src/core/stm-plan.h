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
  STM_OPERATION_CREATE_CHECKPOINT,
  STM_OPERATION_DELETE_CHECKPOINT,
  STM_OPERATION_REDEFINE,
  STM_OPERATION_FORGET,
} StmOperation;
#define STM_N_OPERATIONS (STM_OPERATION_FORGET + 1)

const char *stm_operation_to_word (StmOperation operation); /* "create", "revert", … */
gboolean stm_operation_from_word (const char *word, StmOperation *out_operation);

/* In the order in which a plan has them and a worker does them. Until the first merge everything
 * can be taken back; UNTAG, UNBITMAP and UNLINK come after the finishing change is durable, and may
 * be done again. */
typedef enum
{
  /* Make the internal snapshot `name` in `image`. All steps of this kind in a plan are one
   * transaction; the name was not there before. */
  STM_STEP_TAG,
  /* Bring the content of `image` to that of its internal snapshot `name`. It has another one,
   * `fallback`, made by a TAG step of the same plan, from which the content before can be had. */
  STM_STEP_GOTO,
  /* Make `image` (qcow2) over chain[0], with the persistent bitmaps `bitmaps`: each recording and
   * empty, of the granularity of that in chain[0] when there is one of this name. All steps of this
   * kind in a plan are one transaction. */
  STM_STEP_OVERLAY,
  /* Begin the persistent bitmap `name` in `image`. All steps of this kind in a plan are one
   * transaction; the name was not there before. */
  STM_STEP_BITMAP,
  /* Commit chain[0] down into chain[1]; then the headers of `children` name chain[1]. From its
   * start on the operation can only go forward. Of the bitmaps named in `bitmaps`, which chain[0]
   * has in order, each is in chain[1] afterwards, with what both recorded and what was moved; but
   * for one that is not in order in chain[1] before its record is safe, which stays so: a step
   * before may have been killed. What chain[1] has in order besides records what is moved. */
  STM_STEP_COMMIT,
  /* chain[0] absorbs chain[1] and then stands on chain[2], or on nothing. Can be abandoned. What
   * chain[1] recorded in those of its bitmaps that `bitmaps` names, all of which both have in
   * order, is added to those of chain[0]; one that chain[1] has and not in order by then
   * records no more in chain[0], where it would look whole. */
  STM_STEP_STREAM,
  /* Remove the internal snapshot `name` from `image`. */
  STM_STEP_UNTAG,
  /* Remove the bitmap `name` from `image`, whether it is in order or not. */
  STM_STEP_UNBITMAP,
  /* Remove the file of `image`. */
  STM_STEP_UNLINK,
} StmStepKind;

typedef struct _StmStep
{
  StmStepKind kind;
  const char *target;   /* the disk */
  StmImage *image;      /* OVERLAY: to be made; COMMIT: chain[0]; STREAM: chain[1]; UNLINK: to go;
                         * else the image that the step works on */
  const char *name;     /* of the tag or bitmap: TAG, GOTO, BITMAP, UNTAG, UNBITMAP; else NULL */
  const char *fallback; /* GOTO only */
  GStrv bitmaps;        /* OVERLAY, COMMIT, STREAM; may be NULL in an init, empty in a plan */
  GPtrArray *chain;     /* StmImage, OVERLAY, COMMIT and STREAM only: from the image that the step
                         * works on downwards to the end */
  GPtrArray *children;  /* StmImage; COMMIT only */
  guint64 bytes;        /* estimate of what is moved (COMMIT, STREAM) or freed (UNLINK) */
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
/* Whether an operation that was cut off before its finishing change is taken back, rather than
 * carried on: it makes something that was not there. */
gboolean stm_plan_is_taken_back (const StmPlan *self);
/* Whether something was, or may have been, done that `undo` does not take back, given that
 * `n_done` merges are recorded as done and the next may have begun: any merge that is done (undo
 * knows the records before it), or a COMMIT as the next. */
gboolean stm_plan_is_forward_only (const StmPlan *self, guint n_done);

GVariant *stm_plan_to_variant (const StmPlan *self); /* floating */
StmPlan *stm_plan_from_variant (GVariant *variant);  /* NULL when the content is not sound */
#define STM_PLAN_TYPE G_VARIANT_TYPE ("(sssmsa(ssmsmsasvavavt)vvvasta(ss))")

/* The reply of a Plan… method, aa{sv}, as the bus contract has it: rows with step s (tag, goto,
 * overlay, bitmap, commit, stream, untag, unbitmap, unlink, keep-hidden), path s, bytes t, text s,
 * then rows `frees`, `unreachable`, `pause-ms` (the number in bytes). Floating, like the next. */
GVariant *stm_plan_to_rows (const StmPlan *self);
/* The rows of a plan that was refused: one row `blocked` with the error's bus name. */
GVariant *stm_plan_refusal_to_rows (const GError *refusal);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (StmPlan, stm_plan_unref)
