/* The state of one operation as clients see it. Main loop only; reads the worker's progress when
 * polled and never waits for it. Knows no image and no store.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "stm-job.h"

#include "stemma-error.h"

#include "stm-job-control.h"

/* The rate is taken over about this long, in microseconds. */
#define RATE_WINDOW (2 * G_USEC_PER_SEC)

struct _StmJob
{
  GObject parent_instance;

  guint number;
  StmOperation operation;
  char *domain_id;
  char *moment_id;
  guint uid;
  StmJobState state;
  StmProgress *progress;
  GCancellable *cancellable;
  gint64 start_time;

  /* As last polled. */
  const char *phase;
  guint64 bytes_done;
  guint64 bytes_total;
  gboolean is_cancelable;
  guint64 rate;
  gint64 window_start; /* monotonic */
  guint64 window_bytes;

  GError *error;
  GVariant *result;
};

G_DEFINE_FINAL_TYPE (StmJob, stm_job, G_TYPE_OBJECT)

enum
{
  SIGNAL_CHANGED,
  SIGNAL_COMPLETED,
  N_SIGNALS
};

static guint signals[N_SIGNALS];

static const char *const state_words[] = {
  [STM_JOB_QUEUED] = "queued", [STM_JOB_RUNNING] = "running",
  [STM_JOB_READY] = "ready",   [STM_JOB_SUCCEEDED] = "succeeded",
  [STM_JOB_FAILED] = "failed", [STM_JOB_CANCELLED] = "cancelled",
};

const char *
stm_job_state_to_word (StmJobState state)
{
  g_return_val_if_fail ((guint) state < G_N_ELEMENTS (state_words), NULL);

  return state_words[state];
}

guint
stm_job_get_number (StmJob *self)
{
  return self->number;
}

StmJobState
stm_job_get_state (StmJob *self)
{
  return self->state;
}

gboolean
stm_job_is_ended (StmJob *self)
{
  return self->state >= STM_JOB_SUCCEEDED;
}

const char *
stm_job_get_operation (StmJob *self)
{
  return stm_operation_to_word (self->operation);
}

const char *
stm_job_get_domain_id (StmJob *self)
{
  return self->domain_id;
}

const char *
stm_job_get_moment_id (StmJob *self)
{
  return self->moment_id;
}

const char *
stm_job_get_phase (StmJob *self)
{
  return self->phase;
}

double
stm_job_get_fraction (StmJob *self)
{
  if (self->state == STM_JOB_SUCCEEDED)
    return 1;
  if (self->bytes_total == 0)
    return -1;
  return MIN (1.0, (double) self->bytes_done / (double) self->bytes_total);
}

guint64
stm_job_get_bytes_done (StmJob *self)
{
  return self->bytes_done;
}

guint64
stm_job_get_bytes_total (StmJob *self)
{
  return self->bytes_total;
}

guint64
stm_job_get_rate (StmJob *self)
{
  return self->rate;
}

gint64
stm_job_get_start_time (StmJob *self)
{
  return self->start_time;
}

gint64
stm_job_get_expected_end_time (StmJob *self)
{
  if (self->state != STM_JOB_RUNNING || self->rate == 0 || self->bytes_done >= self->bytes_total)
    return 0;
  return g_get_real_time ()
         + (gint64) ((double) (self->bytes_total - self->bytes_done) / (double) self->rate
                     * G_USEC_PER_SEC);
}

guint
stm_job_get_uid (StmJob *self)
{
  return self->uid;
}

gboolean
stm_job_is_cancelable (StmJob *self)
{
  return self->is_cancelable;
}

const GError *
stm_job_get_error (StmJob *self)
{
  return self->error;
}

GVariant *
stm_job_get_result (StmJob *self)
{
  return self->result;
}

StmProgress *
stm_job_get_progress (StmJob *self)
{
  return self->progress;
}

GCancellable *
stm_job_get_cancellable (StmJob *self)
{
  return self->cancellable;
}

void
stm_job_set_moment_id (StmJob *self, const char *moment_id)
{
  g_free (self->moment_id);
  self->moment_id = g_strdup (moment_id);
}

gboolean
stm_job_cancel (StmJob *self, GError **error)
{
  if (stm_job_is_ended (self))
    {
      g_set_error (error, STEMMA_ERROR, STEMMA_ERROR_WRONG_STATE, "job %u has ended: it %s",
                   self->number, state_words[self->state]);
      return FALSE;
    }
  if (!stm_progress_cancel (self->progress))
    {
      g_set_error (error, STEMMA_ERROR, STEMMA_ERROR_WRONG_STATE,
                   "job %u is past its point of no return and will be finished", self->number);
      return FALSE;
    }
  g_cancellable_cancel (self->cancellable);
  stm_job_poll (self);
  return TRUE;
}

static void
update_rate (StmJob *self)
{
  gint64 now = g_get_monotonic_time ();
  gint64 elapsed = now - self->window_start;

  if (self->window_start != 0 && elapsed < RATE_WINDOW)
    return;
  if (self->window_start != 0 && self->bytes_done >= self->window_bytes)
    self->rate = (guint64) ((double) (self->bytes_done - self->window_bytes) * G_USEC_PER_SEC
                            / (double) elapsed);
  self->window_start = now;
  self->window_bytes = self->bytes_done;
}

void
stm_job_poll (StmJob *self)
{
  const char *phase = stm_progress_get_phase (self->progress);
  guint64 done = stm_progress_get_done (self->progress);
  guint64 total = stm_progress_get_total (self->progress);
  gboolean is_cancelable = !stm_job_is_ended (self) && !stm_progress_is_sealed (self->progress)
                           && !g_cancellable_is_cancelled (self->cancellable);

  if (g_strcmp0 (phase, self->phase) == 0 && done == self->bytes_done && total == self->bytes_total
      && is_cancelable == self->is_cancelable)
    return;

  self->phase = phase != NULL ? phase : "";
  self->bytes_done = done;
  self->bytes_total = total;
  self->is_cancelable = is_cancelable;
  update_rate (self);
  g_signal_emit (self, signals[SIGNAL_CHANGED], 0);
}

void
stm_job_begin (StmJob *self)
{
  self->state = STM_JOB_RUNNING;
  self->start_time = g_get_real_time ();
  g_signal_emit (self, signals[SIGNAL_CHANGED], 0);
}

static void
end (StmJob *self, StmJobState state)
{
  g_return_if_fail (!stm_job_is_ended (self));

  self->state = state;
  self->bytes_done = stm_progress_get_done (self->progress);
  self->bytes_total = stm_progress_get_total (self->progress);
  self->phase = "";
  self->rate = 0;
  self->is_cancelable = FALSE;
  g_signal_emit (self, signals[SIGNAL_CHANGED], 0);
  g_signal_emit (self, signals[SIGNAL_COMPLETED], 0);
}

void
stm_job_succeed (StmJob *self, GVariant *result)
{
  if (result != NULL)
    {
      g_variant_unref (self->result);
      self->result = g_variant_ref_sink (result);
    }
  end (self, STM_JOB_SUCCEEDED);
}

void
stm_job_fail (StmJob *self, const GError *error)
{
  self->error = g_error_copy (error);
  end (self, g_error_matches (error, STEMMA_ERROR, STEMMA_ERROR_CANCELLED) ? STM_JOB_CANCELLED
                                                                           : STM_JOB_FAILED);
}

StmJob *
stm_job_new (guint number, StmOperation operation, const char *domain_id, const StmCaller *caller)
{
  StmJob *self = g_object_new (STM_TYPE_JOB, NULL);

  self->number = number;
  self->operation = operation;
  self->domain_id = g_strdup (domain_id);
  self->uid = caller->uid;
  return self;
}

static void
stm_job_finalize (GObject *object)
{
  StmJob *self = STM_JOB (object);

  g_free (self->domain_id);
  g_free (self->moment_id);
  stm_progress_unref (self->progress);
  g_object_unref (self->cancellable);
  g_clear_error (&self->error);
  g_variant_unref (self->result);
  G_OBJECT_CLASS (stm_job_parent_class)->finalize (object);
}

static void
stm_job_class_init (StmJobClass *class)
{
  G_OBJECT_CLASS (class)->finalize = stm_job_finalize;
  signals[SIGNAL_CHANGED] = g_signal_new ("changed", STM_TYPE_JOB, G_SIGNAL_RUN_LAST, 0, NULL, NULL,
                                          NULL, G_TYPE_NONE, 0);
  signals[SIGNAL_COMPLETED] = g_signal_new ("completed", STM_TYPE_JOB, G_SIGNAL_RUN_LAST, 0, NULL,
                                            NULL, NULL, G_TYPE_NONE, 0);
}

static void
stm_job_init (StmJob *self)
{
  self->progress = stm_progress_new ();
  self->cancellable = g_cancellable_new ();
  self->phase = "";
  self->is_cancelable = TRUE;
  self->result = g_variant_ref_sink (g_variant_new ("a{sv}", NULL));
}
