/* StmProgress: atomic fields between the worker that runs an operation and the main loop.
 *
 * Setters belong to one worker at a time, getters and cancel to the main loop. Takes no lock and
 * never blocks.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "stm-progress.h"

#include <stdatomic.h>

enum
{
  VERDICT_OPEN,
  VERDICT_SEALED,
  VERDICT_CANCELLED,
};

struct _StmProgress
{
  _Atomic guint64 total;
  _Atomic guint64 finished; /* bytes of finished steps; only the worker reads it */
  /* With the present step. One field on its own, so that a reader never sees it go back or count a
   * step twice while the step is being finished. */
  _Atomic guint64 done;
  _Atomic (const char *) phase;
  atomic_int verdict;
};

StmProgress *
stm_progress_new (void)
{
  StmProgress *self = g_atomic_rc_box_new0 (StmProgress);

  atomic_init (&self->total, 0);
  atomic_init (&self->finished, 0);
  atomic_init (&self->done, 0);
  atomic_init (&self->phase, "");
  atomic_init (&self->verdict, VERDICT_OPEN);

  return self;
}

StmProgress *
stm_progress_ref (StmProgress *self)
{
  g_return_val_if_fail (self != NULL, NULL);

  return g_atomic_rc_box_acquire (self);
}

void
stm_progress_unref (StmProgress *self)
{
  if (self != NULL)
    g_atomic_rc_box_release (self);
}

void
stm_progress_set_total (StmProgress *self, guint64 bytes)
{
  atomic_store (&self->total, bytes);
}

void
stm_progress_set_phase (StmProgress *self, const char *phase)
{
  g_return_if_fail (phase != NULL);

  atomic_store (&self->phase, phase);
}

void
stm_progress_set_step_done (StmProgress *self, guint64 bytes)
{
  atomic_store (&self->done, atomic_load (&self->finished) + bytes);
}

void
stm_progress_finish_step (StmProgress *self, guint64 bytes)
{
  guint64 finished = atomic_fetch_add (&self->finished, bytes) + bytes;

  atomic_store (&self->done, finished);
}

/* The first of the two to come decides; the other one, and the same one again, learn of it. */
static gboolean
decide (StmProgress *self, int verdict)
{
  int found = VERDICT_OPEN;

  return atomic_compare_exchange_strong (&self->verdict, &found, verdict) || found == verdict;
}

gboolean
stm_progress_seal (StmProgress *self)
{
  return decide (self, VERDICT_SEALED);
}

gboolean
stm_progress_cancel (StmProgress *self)
{
  return decide (self, VERDICT_CANCELLED);
}

gboolean
stm_progress_is_sealed (const StmProgress *self)
{
  return atomic_load (&self->verdict) == VERDICT_SEALED;
}

guint64
stm_progress_get_total (const StmProgress *self)
{
  return atomic_load (&self->total);
}

guint64
stm_progress_get_done (const StmProgress *self)
{
  return atomic_load (&self->done);
}

const char *
stm_progress_get_phase (const StmProgress *self)
{
  return atomic_load (&self->phase);
}
