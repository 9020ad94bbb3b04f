/* The part of an operation that touches images: straight-line, on a worker.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include "stm-driver.h"
#include "stm-store.h"

/* All that a worker may see. Values and thread-safe objects only. */
typedef struct
{
  StmDriver *driver;
  StmStore *store;
  StmPathPolicy *policy;
  StmProgress *progress;
  GCancellable *cancellable;
  StmJournalEntry *entry; /* its own copy; `n_done` counts up as merges are recorded as done */
  GHashTable *spared; /* set of paths: files that are not to be removed whatever the plan says */
} StmRun;

StmRun *
stm_run_new (StmDriver *driver, StmStore *store, StmPathPolicy *policy, StmProgress *progress,
             GCancellable *cancellable, const StmJournalEntry *entry);
void stm_run_free (StmRun *self);

/* Tags and what goes back to one, overlays, bitmaps, then the merges from entry->n_done on, each
 * recorded in the journal when done. */
gboolean stm_run_steps_sync (StmRun *self, GError **error);

/* Whether what was done so far can still be taken back: no merge done or begun for good. */
gboolean stm_run_can_take_back_sync (StmRun *self);
/* Takes it back. */
gboolean stm_run_take_back_sync (StmRun *self, GError **error);

/* After merges of which one was, or may have been, cut off: frees what that left unused. What
 * cannot be done stays, and harms nobody. */
void stm_run_repair_sync (StmRun *self);

/* Not while the worker has the run. */
void stm_run_spare (StmRun *self, const char *path);
/* Does the removals of the plan: UNTAG and UNBITMAP, all that follow each other in one go; UNLINK.
 * Goes on after a failure; the error is that of the first. */
gboolean stm_run_clean_up_sync (StmRun *self, GError **error);

/* Looks at the images that the plan is about and at those of its finishing change, without a scan.
 */
StmSurvey *stm_run_look_back_sync (StmRun *self);
/* Looks at the images of the merge that may have begun. NULL when there is none, or it failed. */
StmSurvey *stm_run_look_at_next_sync (StmRun *self);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (StmRun, stm_run_free)
