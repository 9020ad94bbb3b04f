/* Runs the steps of a plan through the driver. Called on workers only; sees values, the driver, the
 * store's journal and a progress, nothing of the model, and decides nothing that the plan did not.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "stm-run.h"

#include "stemma-error.h"

StmRun *
stm_run_new (StmDriver *driver, StmStore *store, StmPathPolicy *policy, StmProgress *progress,
             GCancellable *cancellable, const StmJournalEntry *entry)
{
  StmRun *self = g_new0 (StmRun, 1);

  self->driver = g_object_ref (driver);
  self->store = g_object_ref (store);
  self->policy = stm_path_policy_ref (policy);
  self->progress = stm_progress_ref (progress);
  self->cancellable = g_object_ref (cancellable);
  self->entry = stm_journal_entry_copy (entry);
  self->spared = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
  return self;
}

void
stm_run_free (StmRun *self)
{
  g_object_unref (self->driver);
  g_object_unref (self->store);
  stm_path_policy_unref (self->policy);
  stm_progress_unref (self->progress);
  g_object_unref (self->cancellable);
  stm_journal_entry_free (self->entry);
  g_hash_table_unref (self->spared);
  g_free (self);
}

static gboolean
is_merge (const StmStep *step)
{
  return step->kind == STM_STEP_COMMIT || step->kind == STM_STEP_STREAM;
}

static GPtrArray *
list_merges (const StmPlan *plan)
{
  GPtrArray *merges = g_ptr_array_new ();

  for (guint i = 0; i < plan->steps->len; i++)
    {
      StmStep *step = g_ptr_array_index (plan->steps, i);

      if (is_merge (step))
        g_ptr_array_add (merges, step);
    }
  return merges;
}

static void
announce_total (StmRun *self, GPtrArray *merges)
{
  guint64 total = 0;

  for (guint i = 0; i < merges->len; i++)
    total += ((const StmStep *) g_ptr_array_index (merges, i))->bytes;
  stm_progress_set_total (self->progress, total);
}

/* A client's cancellation that came while the first merge was ending is void: there is no way back
 * any more. After the seal only the end of the service uses the cancellable, and the next start
 * goes on. */
static GCancellable *
present_cancellable (const StmRun *self)
{
  gboolean is_void = self->entry->n_done > 0 && !stm_progress_is_sealed (self->progress);

  return is_void ? NULL : self->cancellable;
}

static gboolean
check_cancelled (StmRun *self, GError **error)
{
  if (!g_cancellable_is_cancelled (present_cancellable (self)))
    return TRUE;
  g_set_error_literal (error, STEMMA_ERROR, STEMMA_ERROR_CANCELLED, "the job was cancelled");
  return FALSE;
}

static gboolean
run_merge (StmRun *self, const StmStep *step, GError **error)
{
  if (!check_cancelled (self, error))
    return FALSE;

  stm_progress_set_phase (self->progress, step->kind == STM_STEP_COMMIT ? "commit" : "stream");
  if (!stm_driver_merge (self->driver, step, self->policy, self->progress,
                         present_cancellable (self), error))
    return FALSE;
  stm_progress_finish_step (self->progress, step->bytes);
  /* A merge must be known as done before the next one writes to the same images: done again after
   * that, it would put old data over new. */
  self->entry->n_done++;
  (void) stm_progress_seal (self->progress);
  return stm_store_write_journal_sync (self->store, self->entry, error);
}

static gboolean
run_gotos (StmRun *self, GError **error)
{
  const StmPlan *plan = self->entry->plan;

  for (guint i = 0; i < plan->steps->len; i++)
    {
      const StmStep *step = g_ptr_array_index (plan->steps, i);

      if (step->kind != STM_STEP_GOTO)
        continue;
      stm_progress_set_phase (self->progress, "goto");
      if (!check_cancelled (self, error)
          || !stm_driver_go_to_tag (self->driver, step, self->policy, self->cancellable, error))
        return FALSE;
    }
  return TRUE;
}

static gboolean
run_making_of (StmRun *self, StmStepKind kind, GError **error)
{
  const StmPlan *plan = self->entry->plan;

  if (stm_plan_n_steps_of (plan, kind) == 0)
    return TRUE;
  if (!check_cancelled (self, error))
    return FALSE;
  if (kind == STM_STEP_OVERLAY)
    {
      stm_progress_set_phase (self->progress, "overlay");
      return stm_driver_make_overlays (self->driver, plan, self->policy, self->progress,
                                       self->cancellable, error);
    }
  if (kind == STM_STEP_TAG)
    {
      stm_progress_set_phase (self->progress, "tag");
      return stm_driver_make_tags (self->driver, plan, self->policy, self->cancellable, error);
    }
  stm_progress_set_phase (self->progress, "bitmap");
  return stm_driver_make_bitmaps (self->driver, plan, self->policy, self->cancellable, error);
}

/* What is done before the merges, all of which can be taken back. */
static gboolean
run_making (StmRun *self, GError **error)
{
  return run_making_of (self, STM_STEP_TAG, error) && run_gotos (self, error)
         && run_making_of (self, STM_STEP_OVERLAY, error)
         && run_making_of (self, STM_STEP_BITMAP, error);
}

gboolean
stm_run_steps_sync (StmRun *self, GError **error)
{
  const StmPlan *plan = self->entry->plan;
  g_autoptr (GPtrArray) merges = list_merges (plan);

  announce_total (self, merges);
  if (self->entry->n_done > 0)
    (void) stm_progress_seal (self->progress);
  if (!check_cancelled (self, error))
    return FALSE;
  if (!run_making (self, error))
    return FALSE;
  for (guint i = self->entry->n_done; i < merges->len; i++)
    {
      if (!run_merge (self, g_ptr_array_index (merges, i), error))
        return FALSE;
    }
  /* Past the last merge only the record remains to be written: too late to cancel. */
  if (!stm_progress_seal (self->progress))
    return check_cancelled (self, error);
  return TRUE;
}

/* A stream that failed late may have moved the header of the image that absorbs already. */
static gboolean
has_moved (StmRun *self, const StmStep *step)
{
  const StmImage *top = g_ptr_array_index (step->chain, 0);
  const StmImage *absorbed = g_ptr_array_index (step->chain, 1);
  const StmImage *images[] = { top };
  StmSurveyRequest request = { .images = images, .n_images = 1, .policy = self->policy };
  g_autoptr (StmSurvey) survey = stm_driver_survey (self->driver, &request, NULL, NULL);
  const StmFacts *facts = survey != NULL ? stm_survey_get (survey, top->path) : NULL;

  return facts == NULL || facts->problem != NULL || g_strcmp0 (facts->backing, absorbed->path) != 0;
}

gboolean
stm_run_can_take_back_sync (StmRun *self)
{
  g_autoptr (GPtrArray) merges = list_merges (self->entry->plan);
  const StmStep *step;

  if (self->entry->n_done > 0)
    return FALSE;
  if (merges->len == 0)
    return TRUE;
  if (stm_progress_is_sealed (self->progress))
    return FALSE;
  step = g_ptr_array_index (merges, 0);
  return step->kind == STM_STEP_COMMIT || !has_moved (self, step);
}

gboolean
stm_run_take_back_sync (StmRun *self, GError **error)
{
  const StmPlan *plan = self->entry->plan;
  guint n_overlays = stm_plan_n_steps_of (plan, STM_STEP_OVERLAY);
  guint n_marks = stm_plan_n_steps_of (plan, STM_STEP_TAG)
                  + stm_plan_n_steps_of (plan, STM_STEP_GOTO)
                  + stm_plan_n_steps_of (plan, STM_STEP_BITMAP);

  stm_progress_set_phase (self->progress, "undo");
  if (n_overlays > 0 && !stm_driver_abandon_overlays (self->driver, plan, self->policy, error))
    return FALSE;
  return n_marks == 0 || stm_driver_abandon_marks (self->driver, plan, self->policy, error);
}

/* The record that an image has when the operation is done; NULL when that does not put one. */
static StmImage *
find_finished (const StmPlan *plan, const char *path)
{
  for (guint i = 0; i < plan->finish->put_images->len; i++)
    {
      StmImage *image = g_ptr_array_index (plan->finish->put_images, i);

      if (g_str_equal (image->path, path))
        return image;
    }
  return NULL;
}

void
stm_run_repair_sync (StmRun *self)
{
  const StmPlan *plan = self->entry->plan;

  for (guint i = 0; i < plan->steps->len; i++)
    {
      const StmStep *step = g_ptr_array_index (plan->steps, i);
      const StmImage *written, *finished;

      if (step->kind != STM_STEP_COMMIT && step->kind != STM_STEP_STREAM)
        continue;
      written = g_ptr_array_index (step->chain, step->kind == STM_STEP_COMMIT ? 1 : 0);
      finished = find_finished (plan, written->path);
      /* Which of them the header shows is for the driver to see. */
      if (finished == NULL || !stm_driver_repair_image (self->driver, finished, self->policy, NULL))
        (void) stm_driver_repair_image (self->driver, written, self->policy, NULL);
    }
}

void
stm_run_spare (StmRun *self, const char *path)
{
  g_hash_table_add (self->spared, g_strdup (path));
}

/* What a cleanup did not get done. */
typedef struct
{
  GError *first;
  guint n_failed;
} Leftovers;

static void
leftovers_clear (Leftovers *self)
{
  g_clear_error (&self->first);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Leftovers, leftovers_clear)

/* Takes it; NULL is none. */
static void
leftovers_take (Leftovers *self, GError *failure)
{
  if (failure == NULL)
    return;
  self->n_failed++;
  if (self->first == NULL)
    self->first = failure;
  else
    g_error_free (failure);
}

static gboolean
removes_mark (const StmStep *step)
{
  return step->kind == STM_STEP_UNTAG || step->kind == STM_STEP_UNBITMAP;
}

/* How many steps from this one on remove marks, one right after the other. */
static guint
count_marks (const StmPlan *plan, guint begin)
{
  guint end = begin;

  while (end < plan->steps->len && removes_mark (g_ptr_array_index (plan->steps, end)))
    end++;
  return end - begin;
}

/* A hypervisor that was killed is no reason to leave a finding that somebody must resolve. It is
 * asked for one image alone, in case that this is what it died of. */
static void
try_mark_again (StmRun *self, const StmStep *step, GError **failure)
{
  if (!g_error_matches (*failure, STEMMA_ERROR, STEMMA_ERROR_HYPERVISOR))
    return;
  g_clear_error (failure);
  (void) stm_driver_remove_marks (self->driver, &step, 1, self->policy, failure);
}

static void
remove_marks (StmRun *self, guint begin, guint n_marks, Leftovers *leftovers)
{
  const StmStep *const *steps = (const StmStep *const *) &self->entry->plan->steps->pdata[begin];
  g_autofree GError **failures = g_new0 (GError *, n_marks);

  (void) stm_driver_remove_marks (self->driver, steps, n_marks, self->policy, failures);
  for (guint i = 0; i < n_marks; i++)
    {
      try_mark_again (self, steps[i], &failures[i]);
      leftovers_take (leftovers, g_steal_pointer (&failures[i]));
    }
}

static void
remove_file (StmRun *self, const StmStep *step, Leftovers *leftovers)
{
  GError *failure = NULL;

  if (step->kind != STM_STEP_UNLINK || g_hash_table_contains (self->spared, step->image->path))
    return;
  (void) stm_driver_remove_image (self->driver, step, self->policy, &failure);
  leftovers_take (leftovers, failure);
}

gboolean
stm_run_clean_up_sync (StmRun *self, GError **error)
{
  const StmPlan *plan = self->entry->plan;
  g_auto (Leftovers) leftovers = { NULL, 0 };
  guint n_done = 0;

  stm_progress_set_phase (self->progress, "cleanup");
  while (n_done < plan->steps->len)
    {
      guint n_marks = count_marks (plan, n_done);

      if (n_marks > 0)
        remove_marks (self, n_done, n_marks, &leftovers);
      else
        remove_file (self, g_ptr_array_index (plan->steps, n_done), &leftovers);
      n_done += MAX (n_marks, 1);
    }
  if (leftovers.first == NULL)
    return TRUE;
  if (leftovers.n_failed > 1)
    g_prefix_error (&leftovers.first, "%u removals failed, the first: ", leftovers.n_failed);
  g_propagate_error (error, g_steal_pointer (&leftovers.first));
  return FALSE;
}

/* The images whose content or marks the plan is about, and those that it puts on record. */
static GPtrArray *
list_concerned (const StmPlan *plan)
{
  GPtrArray *images = g_ptr_array_new ();
  g_autoptr (GHashTable) seen = g_hash_table_new (g_str_hash, g_str_equal);

  for (guint i = 0; i < plan->finish->put_images->len; i++)
    {
      StmImage *image = g_ptr_array_index (plan->finish->put_images, i);

      if (g_hash_table_add (seen, (char *) image->path))
        g_ptr_array_add (images, image);
    }
  for (guint i = 0; i < plan->steps->len; i++)
    {
      const StmStep *step = g_ptr_array_index (plan->steps, i);
      guint n_chain = step->kind == STM_STEP_COMMIT || step->kind == STM_STEP_STREAM ? 2 : 0;

      if (step->kind != STM_STEP_UNLINK && g_hash_table_add (seen, (char *) step->image->path))
        g_ptr_array_add (images, step->image);
      for (guint j = 0; j < MIN (n_chain, step->chain->len); j++)
        {
          StmImage *image = g_ptr_array_index (step->chain, j);

          if (g_hash_table_add (seen, (char *) image->path))
            g_ptr_array_add (images, image);
        }
    }
  return images;
}

StmSurvey *
stm_run_look_back_sync (StmRun *self)
{
  g_autoptr (GPtrArray) images = list_concerned (self->entry->plan);
  StmSurveyRequest request = { .images = (const StmImage *const *) images->pdata,
                               .n_images = images->len,
                               .policy = self->policy };

  return stm_driver_survey (self->driver, &request, NULL, NULL);
}

StmSurvey *
stm_run_look_at_next_sync (StmRun *self)
{
  g_autoptr (GPtrArray) merges = list_merges (self->entry->plan);
  g_autoptr (GPtrArray) images = g_ptr_array_new ();
  StmSurveyRequest request = { .policy = self->policy };
  const StmStep *step;

  if (self->entry->n_done >= merges->len)
    return NULL;
  step = g_ptr_array_index (merges, self->entry->n_done);
  g_ptr_array_extend (images, step->chain, NULL, NULL);
  g_ptr_array_extend (images, step->children, NULL, NULL);
  request.images = (const StmImage *const *) images->pdata;
  request.n_images = images->len;

  return stm_driver_survey (self->driver, &request, NULL, NULL);
}
