/* Wires ledger, job runner, workers and findings into the service without a bus, and answers for
 * them. Main loop only. Holds no rule of its own: what an operation does is in core/, how it runs
 * in stm-errand.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "stm-registry.h"

#include "stemma-error.h"

#include "stm-findings.h"
#include "stm-inspector.h"
#include "stm-job-control.h"
#include "stm-job-numbers.h"
#include "stm-job-runner.h"
#include "stm-ledger.h"
#include "stm-preview.h"
#include "stm-resolution.h"
#include "stm-workers.h"

/* Each preview holds a thread while it looks at files. */
#define MAX_PREVIEWS 16

struct _StmRegistry
{
  GObject parent_instance;

  StmDriver *driver;
  StmStore *store;
  StmLedger *ledger;
  StmWorkers *workers;
  GCancellable *closing; /* cancelled before the workers go */
  StmJobNumbers *numbers;
  StmJobRunner *runner;
  StmInspector *inspector;
  GStrv pools;
  char *health;
  guint n_previews;
  StmPhaseHook hook;
  gpointer hook_data;
};

G_DEFINE_FINAL_TYPE (StmRegistry, stm_registry, G_TYPE_OBJECT)

enum
{
  SIGNAL_CHANGED,
  SIGNAL_JOB_ADDED,
  SIGNAL_JOB_REMOVED,
  SIGNAL_HEALTH_CHANGED,
  N_SIGNALS
};

static guint signals[N_SIGNALS];

const StmModel *
stm_registry_get_model (StmRegistry *self)
{
  return stm_ledger_get_model (self->ledger);
}

StmDriver *
stm_registry_get_driver (StmRegistry *self)
{
  return self->driver;
}

const char *
stm_registry_get_health (StmRegistry *self)
{
  return self->health;
}

guint64
stm_registry_get_allocation (StmRegistry *self, const char *path)
{
  return stm_inspector_get_allocation (self->inspector, path);
}

GPtrArray *
stm_registry_get_jobs (StmRegistry *self)
{
  return stm_job_runner_list_jobs (self->runner);
}

StmHealth
stm_registry_get_domain_health (StmRegistry *self, const char *domain_id)
{
  g_autoptr (GPtrArray) findings = stm_inspector_list_findings (self->inspector);

  return stm_findings_health_of (findings, domain_id);
}

/* ---- operations ---- */

/* Answers our task with the result of another object's, which _finish takes apart. */
static void
relay (GObject *source, GAsyncResult *result, gpointer user_data)
{
  g_autoptr (GTask) task = user_data;

  g_task_return_pointer (task, g_object_ref (result), g_object_unref);
}

void
stm_registry_check_async (StmRegistry *self, GAsyncReadyCallback callback, gpointer user_data)
{
  GTask *task = g_task_new (self, NULL, callback, user_data);

  g_task_set_source_tag (task, stm_registry_check_async);
  stm_inspector_check_async (self->inspector, relay, task);
}

GPtrArray *
stm_registry_check_finish (StmRegistry *self, GAsyncResult *result, GError **error)
{
  g_autoptr (GAsyncResult) inner = g_task_propagate_pointer (G_TASK (result), error);

  return stm_inspector_check_finish (self->inspector, inner, error);
}

void
stm_registry_submit_async (StmRegistry *self, StmOp *op, const StmCaller *caller,
                           GAsyncReadyCallback callback, gpointer user_data)
{
  GTask *task = g_task_new (self, NULL, callback, user_data);

  g_task_set_source_tag (task, stm_registry_submit_async);
  stm_job_runner_submit_async (self->runner, op, caller, relay, task);
}

StmJob *
stm_registry_submit_finish (StmRegistry *self, GAsyncResult *result, char **out_object_id,
                            GError **error)
{
  g_autoptr (GAsyncResult) inner = g_task_propagate_pointer (G_TASK (result), error);

  return stm_job_runner_submit_finish (self->runner, inner, out_object_id, error);
}

static void
on_job_completed (StmJob *job, gpointer user_data)
{
  GTask *task = user_data;

  g_signal_handlers_disconnect_by_func (job, on_job_completed, task);
  if (stm_job_get_error (job) != NULL)
    g_task_return_error (task, g_error_copy (stm_job_get_error (job)));
  else
    g_task_return_boolean (task, TRUE);
  g_object_unref (task);
}

void
stm_registry_wait_async (StmRegistry *self, StmJob *job, GAsyncReadyCallback callback,
                         gpointer user_data)
{
  GTask *task = g_task_new (self, NULL, callback, user_data);

  g_task_set_source_tag (task, stm_registry_wait_async);
  g_task_set_task_data (task, g_object_ref (job), g_object_unref);
  if (stm_job_is_ended (job))
    on_job_completed (job, task);
  else
    g_signal_connect (job, "completed", G_CALLBACK (on_job_completed), task);
}

gboolean
stm_registry_wait_finish (StmRegistry *self, GAsyncResult *result, GError **error)
{
  return g_task_propagate_boolean (G_TASK (result), error);
}

static void
on_previewed (GObject *source, GAsyncResult *result, gpointer user_data)
{
  g_autoptr (GTask) task = user_data;
  StmRegistry *self = g_task_get_source_object (task);
  StmOp *op = g_task_get_task_data (task);
  GError *error = NULL;

  self->n_previews--;
  /* One may have begun meanwhile, and what was seen may be of its middle. */
  if (stm_job_runner_check_plannable (self->runner, stm_op_get_domain_id (op), &error))
    relay (source, result, g_steal_pointer (&task));
  else
    g_task_return_error (task, error);
}

void
stm_registry_plan_async (StmRegistry *self, StmOp *op, GAsyncReadyCallback callback,
                         gpointer user_data)
{
  g_autoptr (GTask) task = g_task_new (self, NULL, callback, user_data);
  GError *error = NULL;

  g_task_set_source_tag (task, stm_registry_plan_async);
  g_task_set_task_data (task, g_object_ref (op), g_object_unref);
  if (!stm_job_runner_check_plannable (self->runner, stm_op_get_domain_id (op), &error))
    {
      g_task_return_error (task, error);
      return;
    }
  if (self->n_previews >= MAX_PREVIEWS)
    {
      g_task_return_new_error (task, STEMMA_ERROR, STEMMA_ERROR_TOO_MANY,
                               "%u plans are being made already: try again later",
                               self->n_previews);
      return;
    }
  self->n_previews++;
  stm_preview_async (op, stm_registry_get_model (self), self->driver, self->workers, self->closing,
                     (const char *const *) self->pools, on_previewed, g_steal_pointer (&task));
}

StmPlan *
stm_registry_plan_finish (StmRegistry *self, GAsyncResult *result, GError **error)
{
  g_autoptr (GAsyncResult) inner = g_task_propagate_pointer (G_TASK (result), error);

  return inner != NULL ? stm_preview_finish (inner, error) : NULL;
}

void
stm_registry_read_definition_async (StmRegistry *self, const char *domain_id,
                                    GAsyncReadyCallback callback, gpointer user_data)
{
  GTask *task = g_task_new (self, NULL, callback, user_data);
  const StmDomain *domain = stm_model_get_domain (stm_registry_get_model (self), domain_id);

  g_task_set_source_tag (task, stm_registry_read_definition_async);
  stm_store_read_definition_async (self->store, domain != NULL ? domain->definition : "", relay,
                                   task);
}

char *
stm_registry_read_definition_finish (StmRegistry *self, GAsyncResult *result, GError **error)
{
  g_autoptr (GAsyncResult) inner = g_task_propagate_pointer (G_TASK (result), error);

  return stm_store_read_definition_finish (self->store, inner, error);
}

void
stm_registry_read_text_async (StmRegistry *self, const char *hash, GAsyncReadyCallback callback,
                              gpointer user_data)
{
  GTask *task = g_task_new (self, NULL, callback, user_data);

  g_task_set_source_tag (task, stm_registry_read_text_async);
  stm_store_read_definition_async (self->store, hash, relay, task);
}

char *
stm_registry_read_text_finish (StmRegistry *self, GAsyncResult *result, GError **error)
{
  g_autoptr (GAsyncResult) inner = g_task_propagate_pointer (G_TASK (result), error);

  return stm_store_read_definition_finish (self->store, inner, error);
}

void
stm_registry_resolve_async (StmRegistry *self, const char *finding_id, const char *choice,
                            const StmCaller *caller, GAsyncReadyCallback callback,
                            gpointer user_data)
{
  GTask *task = g_task_new (self, NULL, callback, user_data);
  StmResolution resolution = {
    .finding_id = finding_id, .choice = choice, .caller = caller, .store_health = self->health
  };

  g_task_set_source_tag (task, stm_registry_resolve_async);
  stm_resolution_start_async (&resolution, self->runner, self->inspector, relay, task);
}

StmJob *
stm_registry_resolve_finish (StmRegistry *self, GAsyncResult *result, GError **error)
{
  g_autoptr (GAsyncResult) inner = g_task_propagate_pointer (G_TASK (result), error);

  return stm_resolution_start_finish (inner, error);
}

/* ---- start and end ---- */

void
stm_registry_set_phase_hook (StmRegistry *self, StmPhaseHook hook, gpointer user_data)
{
  self->hook = hook;
  self->hook_data = user_data;
}

/* On the store's thread. */
static void
on_durable (const StmJournalEntry *entry, StmJournalAction action, gpointer user_data)
{
  StmRegistry *self = user_data;
  const char *operation;
  g_autofree char *phase = NULL;

  if (self->hook == NULL || entry == NULL || action == STM_JOURNAL_NONE)
    return;
  operation = stm_operation_to_word (entry->plan->operation);
  if (action == STM_JOURNAL_REMOVE)
    phase = g_strdup_printf ("%s:done", operation);
  else if (entry->phase == STM_PHASE_CLEANUP)
    phase = g_strdup_printf ("%s:cleanup", operation);
  else if (entry->n_done > 0)
    phase = g_strdup_printf ("%s:step-%u", operation, entry->n_done);
  else
    phase = g_strdup_printf ("%s:intent", operation);
  self->hook (phase, self->hook_data);
}

static void
on_changed (StmLedger *ledger, StmChange *change, gpointer user_data)
{
  g_signal_emit (user_data, signals[SIGNAL_CHANGED], 0, change);
}

static void
on_job_added (StmJobRunner *runner, StmJob *job, gpointer user_data)
{
  g_signal_emit (user_data, signals[SIGNAL_JOB_ADDED], 0, job);
}

static void
on_job_removed (StmJobRunner *runner, StmJob *job, gpointer user_data)
{
  g_signal_emit (user_data, signals[SIGNAL_JOB_REMOVED], 0, job);
}

static void
on_looked (StmJobRunner *runner, const StmSurvey *survey, gpointer user_data)
{
  stm_inspector_note (STM_REGISTRY (user_data)->inspector, survey);
}

static void
on_findings_changed (gpointer source, gpointer user_data)
{
  g_signal_emit (user_data, signals[SIGNAL_HEALTH_CHANGED], 0);
}

static void
wire (StmRegistry *self)
{
  self->runner = stm_job_runner_new (self->ledger, self->driver, self->workers, self->numbers,
                                     (const char *const *) self->pools);
  g_signal_connect_object (self->ledger, "changed", G_CALLBACK (on_changed), self, 0);
  g_signal_connect_object (self->runner, "job-added", G_CALLBACK (on_job_added), self, 0);
  g_signal_connect_object (self->runner, "job-removed", G_CALLBACK (on_job_removed), self, 0);
  g_signal_connect_object (self->runner, "looked", G_CALLBACK (on_looked), self, 0);
  g_signal_connect_object (self->runner, "unsettled-changed", G_CALLBACK (on_findings_changed),
                           self, 0);
  self->inspector = stm_inspector_new (self->ledger, self->driver, self->workers, self->runner,
                                       (const char *const *) self->pools);
  g_signal_connect_object (self->inspector, "changed", G_CALLBACK (on_findings_changed), self, 0);
  stm_store_set_hook (self->store, on_durable, self);
}

/* On a store that cannot be written nothing is settled: what is done to an image could not be
 * recorded, nor the number of the job. */
static void
settle_journal (StmRegistry *self, GPtrArray *entries)
{
  gboolean is_writable = g_str_equal (self->health, "ok");

  for (guint i = 0; i < entries->len; i++)
    {
      const StmJournalEntry *entry = g_ptr_array_index (entries, i);
      g_autoptr (StmJob) job = NULL;
      g_autoptr (GError) error = NULL;

      if (is_writable)
        job = stm_job_runner_settle (self->runner, entry, &error);
      if (job == NULL)
        stm_job_runner_leave_unsettled (self->runner, entry,
                                        error != NULL ? error->message : self->health);
    }
}

StmRegistry *
stm_registry_open_sync (StmDriver *driver, const char *state_directory, const char *const *pools,
                        GError **error)
{
  g_autoptr (StmRegistry) self = g_object_new (STM_TYPE_REGISTRY, NULL);
  g_autoptr (StmStoreContent) content = NULL;

  self->driver = g_object_ref (driver);
  self->pools = g_strdupv ((GStrv) pools);
  /* The store first: its lock tells that no other service lives on this state. */
  self->store = stm_store_open_sync (state_directory, &content, error);
  if (self->store == NULL || !stm_driver_reap (driver, NULL, error))
    return NULL;
  self->ledger = stm_ledger_new (self->store, content, error);
  if (self->ledger == NULL)
    return NULL;
  self->health = g_strdup (content->health);
  self->numbers = stm_job_numbers_new (self->store, content->last_job);
  wire (self);
  settle_journal (self, content->journal);
  stm_registry_check_async (self, NULL, NULL);
  return g_steal_pointer (&self);
}

void
stm_registry_close_sync (StmRegistry *self)
{
  g_autoptr (GPtrArray) jobs = stm_job_runner_list_jobs (self->runner);

  for (guint i = 0; i < jobs->len; i++)
    {
      StmJob *job = g_ptr_array_index (jobs, i);

      if (stm_job_is_ended (job))
        continue;
      stm_job_cancel (job, NULL);
      /* Also past the point of no return: the next start goes on. */
      g_cancellable_cancel (stm_job_get_cancellable (job));
    }
  stm_job_runner_interrupt (self->runner);
  g_cancellable_cancel (self->closing);
  stm_inspector_close (self->inspector);
  g_clear_pointer (&self->workers, stm_workers_free);
  stm_store_close_sync (self->store);
}

static void
stm_registry_finalize (GObject *object)
{
  StmRegistry *self = STM_REGISTRY (object);

  if (self->inspector != NULL)
    stm_inspector_close (self->inspector);
  g_clear_object (&self->inspector);
  g_clear_object (&self->runner);
  g_clear_pointer (&self->numbers, stm_job_numbers_free);
  g_clear_pointer (&self->workers, stm_workers_free);
  g_clear_object (&self->ledger);
  g_clear_object (&self->store);
  g_clear_object (&self->closing);
  g_clear_object (&self->driver);
  g_clear_pointer (&self->pools, g_strfreev);
  g_free (self->health);
  G_OBJECT_CLASS (stm_registry_parent_class)->finalize (object);
}

static guint
new_signal (const char *name, guint n_params)
{
  return g_signal_new (name, STM_TYPE_REGISTRY, G_SIGNAL_RUN_LAST, 0, NULL, NULL, NULL, G_TYPE_NONE,
                       n_params, G_TYPE_POINTER);
}

static void
stm_registry_class_init (StmRegistryClass *class)
{
  G_OBJECT_CLASS (class)->finalize = stm_registry_finalize;
  signals[SIGNAL_CHANGED] = new_signal ("changed", 1);
  signals[SIGNAL_JOB_ADDED] = new_signal ("job-added", 1);
  signals[SIGNAL_JOB_REMOVED] = new_signal ("job-removed", 1);
  signals[SIGNAL_HEALTH_CHANGED] = new_signal ("health-changed", 0);
}

static void
stm_registry_init (StmRegistry *self)
{
  self->workers = stm_workers_new ();
  self->closing = g_cancellable_new ();
}
