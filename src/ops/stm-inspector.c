/* Compares records with images, one look at a time. Who asks while one is under way waits for the
 * next, which sees all that came before the question. Main loop only; decides nothing but what
 * differs.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "stm-inspector.h"

#include "stemma-error.h"
#include "stm-planner.h"

#include "stm-check.h"
#include "stm-finding-tally.h"

/* Calls of Manager.Check that wait. */
#define MAX_WAITING 256

struct _StmInspector
{
  GObject parent_instance;

  StmLedger *ledger;
  StmDriver *driver;
  StmWorkers *workers; /* NULL when there is no more looking */
  StmJobRunner *runner;
  const char *const *pools;
  GHashTable *allocations; /* path → guint64, of the last survey */
  GPtrArray *found;        /* StmFinding, of the last check */
  GPtrArray *answered;     /* GTask: those whom the look under way answers; NULL: there is none */
  GPtrArray *waiting;      /* GTask: those that came since it began */
  guint n_writing;         /* changes of that look that are not on record yet, and one for itself */
};

G_DEFINE_FINAL_TYPE (StmInspector, stm_inspector, G_TYPE_OBJECT)

static guint changed_signal;

void
stm_inspector_note (StmInspector *self, const StmSurvey *survey)
{
  g_autoptr (GPtrArray) facts = stm_survey_list (survey);

  for (guint i = 0; i < facts->len; i++)
    {
      const StmFacts *fact = g_ptr_array_index (facts, i);

      if (fact->problem == NULL)
        g_hash_table_replace (self->allocations, g_strdup (fact->path),
                              g_memdup2 (&fact->allocation, sizeof (guint64)));
    }
}

guint64
stm_inspector_get_allocation (StmInspector *self, const char *path)
{
  const guint64 *allocation = g_hash_table_lookup (self->allocations, path);

  return allocation != NULL ? *allocation : 0;
}

GPtrArray *
stm_inspector_list_findings (StmInspector *self)
{
  g_autoptr (GPtrArray) entries = stm_job_runner_list_unsettled (self->runner);
  GPtrArray *findings = g_ptr_array_new_with_free_func ((GDestroyNotify) stm_finding_free);

  for (guint i = 0; i < entries->len; i++)
    g_ptr_array_add (findings, stm_finding_new_unsettled (g_ptr_array_index (entries, i)));
  for (guint i = 0; i < self->found->len; i++)
    g_ptr_array_add (findings, stm_finding_copy (g_ptr_array_index (self->found, i)));
  return findings;
}

static void
judge_images (StmInspector *self, const StmCheckedDomain *domain, StmFindingTally *tally)
{
  const StmModel *model = stm_ledger_get_model (self->ledger);

  for (guint i = 0; i < domain->images->len; i++)
    {
      const StmImage *image = g_ptr_array_index (domain->images, i);
      const StmImage *now = stm_model_get_image (model, domain->domain_id, image->path);
      const StmFacts *facts = stm_survey_get (domain->survey, image->path);

      /* An operation that ran meanwhile makes the comparison void. */
      if (facts != NULL && now != NULL && stm_image_equal (now, image))
        stm_finding_tally_take (tally, stm_finding_new_image (domain->domain_id, image, facts));
    }
}

static void begin_look (StmInspector *self);

/* Answers when all that was seen is on record, so that who asked sees the health that was found. */
static void
end_one (StmInspector *self)
{
  g_autoptr (GPtrArray) tasks = NULL;

  if (--self->n_writing > 0)
    return;
  tasks = g_steal_pointer (&self->answered);
  g_signal_emit (self, changed_signal, 0);
  for (guint i = 0; i < tasks->len; i++)
    g_task_return_pointer (g_ptr_array_index (tasks, i), stm_inspector_list_findings (self),
                           (GDestroyNotify) g_ptr_array_unref);
  /* Who was just answered may have begun one. */
  if (self->waiting->len > 0 && self->answered == NULL)
    begin_look (self);
}

static void
on_health_noted (GObject *source, GAsyncResult *result, gpointer user_data)
{
  g_autoptr (StmInspector) self = user_data;
  g_autoptr (GError) error = NULL;

  if (!stm_ledger_commit_finish (STM_LEDGER (source), result, &error))
    g_warning ("the health of moments cannot be recorded: %s", error->message);
  end_one (self);
}

/* The health as it is about to be recorded: what is found must not wait for the store. */
static void
judge_moments (StmInspector *self, const StmCheckedDomain *domain, const StmChange *change,
               StmFindingTally *tally)
{
  const StmModel *model = stm_ledger_get_model (self->ledger);
  g_autoptr (GHashTable) judged = g_hash_table_new (g_str_hash, g_str_equal);

  for (guint i = 0; change != NULL && i < change->put_moments->len; i++)
    {
      StmMoment *moment = g_ptr_array_index (change->put_moments, i);

      g_hash_table_insert (judged, (char *) moment->id, moment);
    }
  for (guint kind = 0; kind < STM_N_MOMENT_KINDS; kind++)
    {
      const StmTree *tree = stm_model_tree (model, domain->domain_id, kind);
      g_autoptr (GPtrArray) moments = stm_tree_subtree (tree, NULL);

      for (guint i = 0; i < moments->len; i++)
        {
          const StmMoment *moment = g_ptr_array_index (moments, i);
          const StmMoment *now = g_hash_table_lookup (judged, moment->id);

          stm_finding_tally_take (tally, stm_finding_new_moment (domain->domain_id,
                                                                 now != NULL ? now : moment,
                                                                 domain->survey));
        }
    }
}

/* An operation that ran meanwhile may have made what the look could not see yet, and has looked for
 * itself: then the health that is on record is the newer one. */
static StmChange *
plan_health (StmInspector *self, const StmCheckedDomain *domain)
{
  const StmModel *model = stm_ledger_get_model (self->ledger);

  return stm_model_generation (model, domain->domain_id) == domain->generation
             ? stm_plan_health (model, domain->survey, domain->domain_id)
             : NULL;
}

static void
judge_domain (StmInspector *self, const StmCheckedDomain *domain)
{
  const StmModel *model = stm_ledger_get_model (self->ledger);
  g_autoptr (StmChange) change = NULL;
  g_autoptr (StmFindingTally) tally = NULL;

  if (domain->survey == NULL || stm_model_get_domain (model, domain->domain_id) == NULL)
    return;
  stm_inspector_note (self, domain->survey);
  if (stm_job_runner_is_busy (self->runner, domain->domain_id))
    return;
  change = plan_health (self, domain);
  tally = stm_finding_tally_new (domain->domain_id);
  judge_images (self, domain, tally);
  judge_moments (self, domain, change, tally);
  stm_finding_tally_end (tally, self->found);
  if (change == NULL)
    return;
  self->n_writing++;
  stm_ledger_commit_async (self->ledger, change, STM_JOURNAL_NONE, NULL, on_health_noted,
                           g_object_ref (self));
}

static void
on_checked (GObject *source, GAsyncResult *result, gpointer user_data)
{
  g_autoptr (StmInspector) self = user_data;
  g_autoptr (GPtrArray) domains = stm_check_finish (result, NULL);

  self->n_writing = 1;
  g_ptr_array_set_size (self->found, 0);
  for (guint i = 0; i < domains->len; i++)
    judge_domain (self, g_ptr_array_index (domains, i));
  end_one (self);
}

static void
begin_look (StmInspector *self)
{
  self->answered = g_steal_pointer (&self->waiting);
  self->waiting = g_ptr_array_new_with_free_func (g_object_unref);
  stm_check_async (stm_ledger_get_model (self->ledger), self->driver, self->workers, self->pools,
                   on_checked, g_object_ref (self));
}

static void
refuse_at_end (GTask *task)
{
  g_task_return_new_error (task, STEMMA_ERROR, STEMMA_ERROR_CANCELLED,
                           "the service ends before the images are looked at: ask the next one");
}

void
stm_inspector_close (StmInspector *self)
{
  g_autoptr (GPtrArray) tasks = g_steal_pointer (&self->waiting);

  self->workers = NULL;
  self->waiting = g_ptr_array_new_with_free_func (g_object_unref);
  for (guint i = 0; i < tasks->len; i++)
    refuse_at_end (g_ptr_array_index (tasks, i));
}

void
stm_inspector_check_async (StmInspector *self, GAsyncReadyCallback callback, gpointer user_data)
{
  g_autoptr (GTask) task = g_task_new (self, NULL, callback, user_data);

  g_task_set_source_tag (task, stm_inspector_check_async);
  if (self->workers == NULL)
    {
      refuse_at_end (task);
      return;
    }
  if (self->waiting->len >= MAX_WAITING)
    {
      g_task_return_new_error (task, STEMMA_ERROR, STEMMA_ERROR_TOO_MANY,
                               "%u calls are waiting for a check already: try again later",
                               self->waiting->len);
      return;
    }
  g_ptr_array_add (self->waiting, g_steal_pointer (&task));
  if (self->answered == NULL)
    begin_look (self);
}

GPtrArray *
stm_inspector_check_finish (StmInspector *self, GAsyncResult *result, GError **error)
{
  return g_task_propagate_pointer (G_TASK (result), error);
}

StmInspector *
stm_inspector_new (StmLedger *ledger, StmDriver *driver, StmWorkers *workers, StmJobRunner *runner,
                   const char *const *pools)
{
  StmInspector *self = g_object_new (STM_TYPE_INSPECTOR, NULL);

  self->ledger = g_object_ref (ledger);
  self->driver = g_object_ref (driver);
  self->workers = workers;
  self->runner = g_object_ref (runner);
  self->pools = pools;
  return self;
}

static void
stm_inspector_finalize (GObject *object)
{
  StmInspector *self = STM_INSPECTOR (object);

  g_clear_object (&self->ledger);
  g_clear_object (&self->driver);
  g_clear_object (&self->runner);
  g_hash_table_unref (self->allocations);
  g_ptr_array_unref (self->found);
  g_clear_pointer (&self->answered, g_ptr_array_unref);
  g_ptr_array_unref (self->waiting);
  G_OBJECT_CLASS (stm_inspector_parent_class)->finalize (object);
}

static void
stm_inspector_class_init (StmInspectorClass *class)
{
  G_OBJECT_CLASS (class)->finalize = stm_inspector_finalize;
  changed_signal = g_signal_new ("changed", STM_TYPE_INSPECTOR, G_SIGNAL_RUN_LAST, 0, NULL, NULL,
                                 NULL, G_TYPE_NONE, 0);
}

static void
stm_inspector_init (StmInspector *self)
{
  self->allocations = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, g_free);
  self->found = g_ptr_array_new_with_free_func ((GDestroyNotify) stm_finding_free);
  self->waiting = g_ptr_array_new_with_free_func (g_object_unref);
}
