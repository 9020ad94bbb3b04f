/* Gives out numbers of jobs, below what the store has on record. Main loop only; knows no job.
 *
 * On a store that cannot be written, nothing can be put on record and so no number is given out:
 * there is no job on such a store, and what it had on record holds when it can be written again.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "stm-job-numbers.h"

#include "stemma-error.h"

#define BLOCK 100 /* numbers that are put on record at once */
#define FEW 50    /* how many are left when the next block is asked for */

struct _StmJobNumbers
{
  StmStore *store;
  guint last;     /* given out */
  guint reserved; /* on record: up to this one */
  gboolean is_asking;
};

/* Answers may come when the service has ended. */
static void
numbers_clear (gpointer data)
{
  StmJobNumbers *self = data;

  g_clear_object (&self->store);
}

static guint
next_reservation (const StmJobNumbers *self)
{
  guint last = MAX (self->last, self->reserved);

  return last > G_MAXUINT - BLOCK ? G_MAXUINT : last + BLOCK;
}

typedef struct
{
  StmJobNumbers *numbers;
  guint reserved;
} Asked;

/* A block that could not be reserved ahead is asked for again when it is needed; then its error is
 * told to whom it concerns. */
static void
on_reserved (GObject *source, GAsyncResult *result, gpointer user_data)
{
  g_autofree Asked *asked = user_data;
  StmJobNumbers *self = asked->numbers;

  if (stm_store_reserve_jobs_finish (STM_STORE (source), result, /* error= */ NULL))
    self->reserved = MAX (self->reserved, asked->reserved);
  self->is_asking = FALSE;
  g_rc_box_release_full (self, numbers_clear);
}

static void
reserve_ahead (StmJobNumbers *self)
{
  Asked *asked = NULL;

  if (self->is_asking || self->reserved - self->last > FEW || self->reserved == G_MAXUINT)
    return;

  self->is_asking = TRUE;
  asked = g_new (Asked, 1);
  asked->numbers = g_rc_box_acquire (self);
  asked->reserved = next_reservation (self);
  stm_store_reserve_jobs_async (self->store, asked->reserved, on_reserved, asked);
}

/* Waits for one local commit: when the block that was asked for ahead has not come, as before the
 * main loop runs, or when it could not be written. */
static gboolean
reserve_now (StmJobNumbers *self, GError **error)
{
  guint reserved = next_reservation (self);

  if (self->last == G_MAXUINT)
    {
      g_set_error (error, STEMMA_ERROR, STEMMA_ERROR_TOO_MANY,
                   "the numbers of jobs are used up: begin with a new state directory");
      return FALSE;
    }
  if (!stm_store_reserve_jobs_sync (self->store, reserved, error))
    return FALSE;

  self->reserved = reserved;
  return TRUE;
}

guint
stm_job_numbers_take (StmJobNumbers *self, GError **error)
{
  if (self->last == self->reserved && !reserve_now (self, error))
    return 0;

  self->last++;
  reserve_ahead (self);
  return self->last;
}

StmJobNumbers *
stm_job_numbers_new (StmStore *store, guint last_job)
{
  StmJobNumbers *self = g_rc_box_new0 (StmJobNumbers);

  self->store = g_object_ref (store);
  self->last = last_job;
  self->reserved = last_job;
  reserve_ahead (self);
  return self;
}

void
stm_job_numbers_free (StmJobNumbers *self)
{
  if (self != NULL)
    g_rc_box_release_full (self, numbers_clear);
}
