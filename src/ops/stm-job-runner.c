/* Queues errands per domain, shows their jobs, keeps ended jobs readable for a while, and remembers
 * what could not be settled. Main loop only; starts one errand of a domain at a time and looks into
 * none.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "stm-job-runner.h"

#include "stemma-error.h"

#include "stm-errand.h"
#include "stm-job-control.h"

#define MAX_QUEUE_LENGTH 64
#define ENDED_JOB_SECONDS 300
#define MAX_ENDED_JOBS 1000
#define POLL_MILLISECONDS 250
/* What is remembered of documents that came one by one: most repeat the definition of the last. */
#define MAX_DEFINITIONS 131072 /* bytes */

struct _StmJobRunner
{
  GObject parent_instance;

  StmErrandTools tools;
  GStrv pools;
  StmWorkers *workers;    /* borrowed */
  StmJobNumbers *numbers; /* borrowed */
  GHashTable *queues;     /* domain id → GQueue of StmErrand; the head is running */
  GHashTable *shown;      /* job number → StmJob */
  GQueue ended;           /* numbers of shown jobs that have ended, oldest first */
  GHashTable *timers;     /* source ids, to be removed at the end */
  GHashTable *unsettled;  /* plan id → StmJournalEntry */
  guint poll_source;
};

G_DEFINE_FINAL_TYPE (StmJobRunner, stm_job_runner, G_TYPE_OBJECT)

enum
{
  SIGNAL_JOB_ADDED,
  SIGNAL_JOB_REMOVED,
  SIGNAL_LOOKED,
  SIGNAL_UNSETTLED_CHANGED,
  N_SIGNALS
};

static guint signals[N_SIGNALS];

/* ---- jobs on show ---- */

static gboolean
poll_jobs (gpointer user_data)
{
  StmJobRunner *self = user_data;
  GHashTableIter iter;
  gpointer job;
  gboolean is_any_running = FALSE;

  g_hash_table_iter_init (&iter, self->shown);
  while (g_hash_table_iter_next (&iter, NULL, &job))
    {
      if (stm_job_is_ended (job))
        continue;
      is_any_running = TRUE;
      stm_job_poll (job);
    }
  if (is_any_running)
    return G_SOURCE_CONTINUE;
  self->poll_source = 0;
  return G_SOURCE_REMOVE;
}

static void
show_job (StmJobRunner *self, StmJob *job)
{
  gpointer key = GUINT_TO_POINTER (stm_job_get_number (job));

  if (g_hash_table_contains (self->shown, key))
    return;
  g_hash_table_insert (self->shown, key, g_object_ref (job));
  g_signal_emit (self, signals[SIGNAL_JOB_ADDED], 0, job);
  if (self->poll_source == 0)
    self->poll_source = g_timeout_add (POLL_MILLISECONDS, poll_jobs, self);
}

static void
hide_job (StmJobRunner *self, guint number)
{
  g_autoptr (StmJob) job = NULL;

  if (!g_hash_table_steal_extended (self->shown, GUINT_TO_POINTER (number), NULL,
                                    (gpointer *) &job))
    return;
  g_queue_remove (&self->ended, GUINT_TO_POINTER (number));
  g_signal_emit (self, signals[SIGNAL_JOB_REMOVED], 0, job);
}

typedef struct
{
  StmJobRunner *runner;
  guint number;
} Expiry;

static gboolean
on_expired (gpointer user_data)
{
  Expiry *expiry = user_data;
  guint source = g_source_get_id (g_main_current_source ());

  g_hash_table_remove (expiry->runner->timers, GUINT_TO_POINTER (source));
  hide_job (expiry->runner, expiry->number);
  return G_SOURCE_REMOVE;
}

static void
let_expire (StmJobRunner *self, StmJob *job)
{
  Expiry *expiry;
  guint source;
  guint number = stm_job_get_number (job);

  if (!g_hash_table_contains (self->shown, GUINT_TO_POINTER (number)))
    return;
  expiry = g_new0 (Expiry, 1);
  expiry->runner = self;
  expiry->number = number;
  source = g_timeout_add_seconds_full (G_PRIORITY_DEFAULT, ENDED_JOB_SECONDS, on_expired, expiry,
                                       g_free);
  g_hash_table_add (self->timers, GUINT_TO_POINTER (source));
  g_queue_push_tail (&self->ended, GUINT_TO_POINTER (number));
  if (self->ended.length > MAX_ENDED_JOBS)
    hide_job (self, GPOINTER_TO_UINT (g_queue_peek_head (&self->ended)));
}

/* ---- queues ---- */

/* FALSE with BUSY when the record of the domain does not say what its images are. */
static gboolean
check_settled (StmJobRunner *self, const char *domain_id, GError **error)
{
  GHashTableIter iter;
  gpointer value;

  g_hash_table_iter_init (&iter, self->unsettled);
  while (g_hash_table_iter_next (&iter, NULL, &value))
    {
      const StmJournalEntry *entry = value;

      if (!g_str_equal (entry->plan->domain_id, domain_id) || entry->phase == STM_PHASE_CLEANUP)
        continue;
      g_set_error (error, STEMMA_ERROR, STEMMA_ERROR_BUSY,
                   "the operation '%s' of domain %s is not settled: %s; see Manager.Check and "
                   "close the finding with Manager.Resolve",
                   stm_operation_to_word (entry->plan->operation), domain_id, entry->finding);
      return FALSE;
    }
  return TRUE;
}

/* What waited may have waited for one that was left unsettled. */
static void
start_head (StmJobRunner *self, const char *domain_id)
{
  GQueue *queue = g_hash_table_lookup (self->queues, domain_id);
  g_autoptr (GError) error = NULL;
  StmErrand *errand;

  if (queue == NULL)
    return;
  errand = g_queue_peek_head (queue);
  if (errand == NULL)
    g_hash_table_remove (self->queues, domain_id);
  else if (stm_errand_is_settling (errand) || check_settled (self, domain_id, &error))
    stm_errand_start (errand);
  else
    stm_errand_refuse (errand, error);
}

typedef struct
{
  StmJob *job;
  char *object_id;
} Accepted;

static void
accepted_free (Accepted *accepted)
{
  g_clear_object (&accepted->job);
  g_free (accepted->object_id);
  g_free (accepted);
}

/* Calls that answer without a job show none. */
static gboolean
is_shown (StmOperation operation)
{
  return operation != STM_OPERATION_DEFINE && operation != STM_OPERATION_RENAME
         && operation != STM_OPERATION_REDEFINE && operation != STM_OPERATION_FORGET
         && operation != STM_OPERATION_DESCRIBE;
}

static void
on_accepted (StmErrand *errand, gpointer user_data)
{
  StmJobRunner *self = user_data;
  g_autoptr (GTask) task = stm_errand_steal_task (errand);
  const StmPlan *plan = stm_errand_get_plan (errand);
  Accepted *accepted;

  if (is_shown (plan->operation))
    show_job (self, stm_errand_get_job (errand));
  if (task == NULL)
    return;
  accepted = g_new0 (Accepted, 1);
  accepted->job = g_object_ref (stm_errand_get_job (errand));
  accepted->object_id = g_strdup (plan->operation == STM_OPERATION_DEFINE ? plan->domain_id
                                                                          : plan->object_id);
  g_task_return_pointer (task, accepted, (GDestroyNotify) accepted_free);
}

static void
on_looked (StmErrand *errand, const StmSurvey *survey, gpointer user_data)
{
  g_signal_emit (user_data, signals[SIGNAL_LOOKED], 0, survey);
}

static void
note_unsettled (StmJobRunner *self, const StmJournalEntry *entry, const char *left)
{
  gboolean is_changed = FALSE;

  if (left != NULL)
    {
      StmJournalEntry *kept = stm_journal_entry_copy (entry);

      g_free (kept->finding);
      kept->finding = g_strdup (left);
      g_hash_table_replace (self->unsettled, kept->plan->id, kept);
      g_warning ("operation %s of domain %s is not settled: %s", entry->plan->id,
                 entry->plan->domain_id, left);
      is_changed = TRUE;
    }
  else if (entry != NULL)
    is_changed = g_hash_table_remove (self->unsettled, entry->plan->id);
  if (is_changed)
    g_signal_emit (self, signals[SIGNAL_UNSETTLED_CHANGED], 0);
}

static void
on_ended (StmErrand *errand, const GError *refusal, const StmJournalEntry *entry, const char *left,
          gpointer user_data)
{
  StmJobRunner *self = user_data;
  StmJob *job = stm_errand_get_job (errand);
  g_autofree char *domain_id = g_strdup (stm_job_get_domain_id (job));
  g_autoptr (GTask) task = stm_errand_steal_task (errand);

  if (refusal != NULL && !stm_job_is_ended (job))
    stm_job_fail (job, refusal);
  note_unsettled (self, entry, left);
  let_expire (self, job);
  if (task != NULL && refusal != NULL)
    g_task_return_error (task, g_error_copy (refusal));
  g_queue_pop_head (g_hash_table_lookup (self->queues, domain_id));
  start_head (self, domain_id);
}

static const StmErrandEvents errand_events = { on_accepted, on_looked, on_ended };

static gboolean
enqueue (StmJobRunner *self, const char *domain_id, StmErrand *errand)
{
  GQueue *queue = g_hash_table_lookup (self->queues, domain_id);

  if (queue == NULL)
    {
      queue = g_queue_new ();
      g_hash_table_insert (self->queues, g_strdup (domain_id), queue);
    }
  g_queue_push_tail (queue, errand);
  return queue->length == 1;
}

static gboolean
check_can_queue (StmJobRunner *self, const char *domain_id, GError **error)
{
  GQueue *queue = g_hash_table_lookup (self->queues, domain_id);

  if (queue != NULL && queue->length >= MAX_QUEUE_LENGTH)
    {
      g_set_error (error, STEMMA_ERROR, STEMMA_ERROR_TOO_MANY,
                   "%u operations are waiting for domain %s already: wait until some have ended",
                   queue->length, domain_id);
      return FALSE;
    }
  return check_settled (self, domain_id, error);
}

void
stm_job_runner_submit_async (StmJobRunner *self, StmOp *op, const StmCaller *caller,
                             GAsyncReadyCallback callback, gpointer user_data)
{
  g_autoptr (GTask) task = g_task_new (self, NULL, callback, user_data);
  const char *domain_id = stm_op_get_domain_id (op);
  g_autoptr (StmJob) job = NULL;
  g_autoptr (GError) error = NULL;
  StmErrand *errand;
  guint number = 0;

  g_task_set_source_tag (task, stm_job_runner_submit_async);
  if (check_can_queue (self, domain_id, &error))
    number = stm_job_numbers_take (self->numbers, &error);
  if (number == 0)
    {
      g_task_return_error (task, g_steal_pointer (&error));
      return;
    }
  job = stm_job_new (number, stm_op_get_operation (op), domain_id, caller);
  errand = stm_errand_new (&self->tools, &errand_events, self, job, op);
  stm_errand_set_task (errand, task);
  if (enqueue (self, domain_id, errand))
    stm_errand_start (errand);
  else if (is_shown (stm_op_get_operation (op)))
    show_job (self, job);
}

StmJob *
stm_job_runner_submit_finish (StmJobRunner *self, GAsyncResult *result, char **out_object_id,
                              GError **error)
{
  Accepted *accepted = g_task_propagate_pointer (G_TASK (result), error);
  StmJob *job;

  if (accepted == NULL)
    return NULL;
  job = g_steal_pointer (&accepted->job);
  if (out_object_id != NULL)
    *out_object_id = g_steal_pointer (&accepted->object_id);
  accepted_free (accepted);
  return job;
}

static StmJob *
settle (StmJobRunner *self, const StmJournalEntry *entry, StmSettleChoice choice, GError **error)
{
  const StmCaller caller = { .uid = entry->uid };
  const char *domain_id = entry->plan->domain_id;
  guint number = stm_job_numbers_take (self->numbers, error);
  StmJob *job = NULL;
  StmErrand *errand = NULL;

  if (number == 0)
    return NULL;
  job = stm_job_new (number, entry->plan->operation, domain_id, &caller);
  errand = stm_errand_new_settle (&self->tools, &errand_events, self, job, entry, choice);
  if (enqueue (self, domain_id, errand))
    stm_errand_start (errand);
  return job;
}

StmJob *
stm_job_runner_settle (StmJobRunner *self, const StmJournalEntry *entry, GError **error)
{
  return settle (self, entry, STM_SETTLE_FINISH, error);
}

StmJob *
stm_job_runner_abandon (StmJobRunner *self, const StmJournalEntry *entry, GError **error)
{
  return settle (self, entry, STM_SETTLE_ABANDON, error);
}

void
stm_job_runner_leave_unsettled (StmJobRunner *self, const StmJournalEntry *entry, const char *why)
{
  stm_claims_take (self->tools.claims, entry->plan, NULL);
  note_unsettled (self, entry, why);
}

gboolean
stm_job_runner_is_busy (StmJobRunner *self, const char *domain_id)
{
  return g_hash_table_contains (self->queues, domain_id);
}

gboolean
stm_job_runner_check_plannable (StmJobRunner *self, const char *domain_id, GError **error)
{
  GQueue *queue = g_hash_table_lookup (self->queues, domain_id);
  StmErrand *running = queue != NULL ? g_queue_peek_head (queue) : NULL;

  if (running == NULL)
    return check_settled (self, domain_id, error);

  g_set_error (error, STEMMA_ERROR, STEMMA_ERROR_BUSY,
               "no plan can be made while the operation '%s' is at work on domain %s: ask again "
               "when it has ended; an operation that is begun now waits its turn, and is planned "
               "then",
               stm_job_get_operation (stm_errand_get_job (running)), domain_id);
  return FALSE;
}

GPtrArray *
stm_job_runner_list_unsettled (StmJobRunner *self)
{
  GPtrArray *entries = g_ptr_array_new ();
  GHashTableIter iter;
  gpointer value;

  g_hash_table_iter_init (&iter, self->unsettled);
  while (g_hash_table_iter_next (&iter, NULL, &value))
    g_ptr_array_add (entries, value);
  return entries;
}

GPtrArray *
stm_job_runner_list_jobs (StmJobRunner *self)
{
  GPtrArray *jobs = g_ptr_array_new_with_free_func (g_object_unref);
  GHashTableIter iter;
  gpointer job;

  g_hash_table_iter_init (&iter, self->shown);
  while (g_hash_table_iter_next (&iter, NULL, &job))
    g_ptr_array_add (jobs, g_object_ref (job));
  return jobs;
}

void
stm_job_runner_interrupt (StmJobRunner *self)
{
  GHashTableIter iter;
  gpointer queue;

  g_hash_table_iter_init (&iter, self->queues);
  while (g_hash_table_iter_next (&iter, NULL, &queue))
    {
      StmErrand *errand = g_queue_peek_head (queue);

      /* One that is not shown yet may wait for a client to write. */
      if (errand != NULL)
        g_cancellable_cancel (stm_job_get_cancellable (stm_errand_get_job (errand)));
    }
}

static void
free_queue (gpointer queue)
{
  g_queue_free_full (queue, (GDestroyNotify) stm_errand_free);
}

StmJobRunner *
stm_job_runner_new (StmLedger *ledger, StmDriver *driver, StmWorkers *workers,
                    StmJobNumbers *numbers, const char *const *pools)
{
  StmJobRunner *self = g_object_new (STM_TYPE_JOB_RUNNER, NULL);

  self->numbers = numbers;
  self->pools = g_strdupv ((GStrv) pools);
  self->tools = (StmErrandTools){ .ledger = g_object_ref (ledger),
                                  .driver = g_object_ref (driver),
                                  .claims = stm_claims_new (),
                                  .workers = workers,
                                  .reader = stm_moment_reader_new_limited (MAX_DEFINITIONS),
                                  .pools = (const char *const *) self->pools };
  return self;
}

static void
stm_job_runner_finalize (GObject *object)
{
  StmJobRunner *self = STM_JOB_RUNNER (object);
  GHashTableIter iter;
  gpointer source;

  g_hash_table_iter_init (&iter, self->timers);
  while (g_hash_table_iter_next (&iter, &source, NULL))
    g_source_remove (GPOINTER_TO_UINT (source));
  g_clear_handle_id (&self->poll_source, g_source_remove);
  g_hash_table_unref (self->timers);
  g_hash_table_unref (self->queues);
  g_hash_table_unref (self->shown);
  g_queue_clear (&self->ended);
  g_hash_table_unref (self->unsettled);
  g_object_unref (self->tools.ledger);
  g_object_unref (self->tools.driver);
  stm_claims_free (self->tools.claims);
  stm_moment_reader_free (self->tools.reader);
  g_strfreev (self->pools);
  G_OBJECT_CLASS (stm_job_runner_parent_class)->finalize (object);
}

static guint
new_signal (const char *name, guint n_params)
{
  return g_signal_new (name, STM_TYPE_JOB_RUNNER, G_SIGNAL_RUN_LAST, 0, NULL, NULL, NULL,
                       G_TYPE_NONE, n_params, G_TYPE_POINTER);
}

static void
stm_job_runner_class_init (StmJobRunnerClass *class)
{
  G_OBJECT_CLASS (class)->finalize = stm_job_runner_finalize;
  signals[SIGNAL_JOB_ADDED] = new_signal ("job-added", 1);
  signals[SIGNAL_JOB_REMOVED] = new_signal ("job-removed", 1);
  signals[SIGNAL_LOOKED] = new_signal ("looked", 1);
  signals[SIGNAL_UNSETTLED_CHANGED] = new_signal ("unsettled-changed", 0);
}

static void
stm_job_runner_init (StmJobRunner *self)
{
  self->queues = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, free_queue);
  self->shown = g_hash_table_new_full (NULL, NULL, NULL, g_object_unref);
  self->timers = g_hash_table_new (NULL, NULL);
  self->unsettled = g_hash_table_new_full (g_str_hash, g_str_equal, NULL,
                                           (GDestroyNotify) stm_journal_entry_free);
  g_queue_init (&self->ended);
}
