/* StmPlan: the value itself, its words and the little that can be asked of it.
 *
 * A planner builds it on the main loop; after that nobody changes it, so workers, the journal and
 * clients read it without locks. It knows nothing of how plans are made or run.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "stm-plan.h"

static const char *const operation_words[] = {
  [STM_OPERATION_CREATE] = "create",
  [STM_OPERATION_REVERT] = "revert",
  [STM_OPERATION_DELETE] = "delete",
  [STM_OPERATION_DEFINE] = "define",
  [STM_OPERATION_UNDEFINE] = "undefine",
  [STM_OPERATION_RENAME] = "rename",
  [STM_OPERATION_DESCRIBE] = "describe",
  [STM_OPERATION_RESOLVE] = "resolve",
  [STM_OPERATION_CREATE_CHECKPOINT] = "create-checkpoint",
  [STM_OPERATION_DELETE_CHECKPOINT] = "delete-checkpoint",
  [STM_OPERATION_REDEFINE] = "redefine",
  [STM_OPERATION_FORGET] = "forget",
};

static void
step_free (gpointer data)
{
  StmStep *step = data;

  g_free ((char *) step->target);
  g_free ((char *) step->name);
  g_free ((char *) step->fallback);
  g_strfreev (step->bitmaps);
  g_clear_pointer (&step->image, stm_image_unref);
  g_clear_pointer (&step->chain, g_ptr_array_unref);
  g_clear_pointer (&step->children, g_ptr_array_unref);
  g_free (step);
}

static void
kept_file_free (gpointer data)
{
  StmKeptFile *kept = data;

  g_free ((char *) kept->path);
  g_free ((char *) kept->why);
  g_free (kept);
}

static GPtrArray *
copy_images (const GPtrArray *images)
{
  GPtrArray *copy = g_ptr_array_new_with_free_func ((GDestroyNotify) stm_image_unref);

  for (guint i = 0; images != NULL && i < images->len; i++)
    g_ptr_array_add (copy, stm_image_ref (images->pdata[i]));

  return copy;
}

const char *
stm_operation_to_word (StmOperation operation)
{
  g_return_val_if_fail (operation < G_N_ELEMENTS (operation_words), NULL);

  return operation_words[operation];
}

gboolean
stm_operation_from_word (const char *word, StmOperation *out_operation)
{
  for (guint i = 0; i < G_N_ELEMENTS (operation_words); i++)
    if (g_strcmp0 (word, operation_words[i]) == 0)
      {
        *out_operation = i;
        return TRUE;
      }

  return FALSE;
}

StmPlan *
stm_plan_new (StmOperation operation, const char *id, const char *domain_id)
{
  StmPlan *self = g_atomic_rc_box_new0 (StmPlan);

  self->operation = operation;
  self->id = g_strdup (id);
  self->domain_id = g_strdup (domain_id);
  self->steps = g_ptr_array_new_with_free_func (step_free);
  self->kept = g_ptr_array_new_with_free_func (kept_file_free);
  self->begin = stm_change_new (domain_id);
  self->finish = stm_change_new (domain_id);
  self->undo = stm_change_new (domain_id);
  self->unreachable = g_new0 (char *, 1);

  return self;
}

StmPlan *
stm_plan_ref (const StmPlan *self)
{
  return g_atomic_rc_box_acquire ((StmPlan *) self);
}

static void
plan_clear (gpointer data)
{
  StmPlan *self = data;

  g_free (self->id);
  g_free (self->domain_id);
  g_free (self->object_id);
  g_clear_pointer (&self->steps, g_ptr_array_unref);
  g_clear_pointer (&self->kept, g_ptr_array_unref);
  g_clear_pointer (&self->begin, stm_change_unref);
  g_clear_pointer (&self->finish, stm_change_unref);
  g_clear_pointer (&self->undo, stm_change_unref);
  g_strfreev (self->unreachable);
}

void
stm_plan_unref (StmPlan *self)
{
  if (self != NULL)
    g_atomic_rc_box_release_full (self, plan_clear);
}

void
stm_plan_add_step (StmPlan *self, const StmStep *init)
{
  StmStep *step = g_new0 (StmStep, 1);

  step->kind = init->kind;
  step->target = g_strdup (init->target);
  step->image = stm_image_ref (init->image);
  step->name = g_strdup (init->name);
  step->fallback = g_strdup (init->fallback);
  step->bitmaps = init->bitmaps != NULL ? g_strdupv (init->bitmaps) : g_new0 (char *, 1);
  step->chain = copy_images (init->chain);
  step->children = copy_images (init->children);
  step->bytes = init->bytes;
  g_ptr_array_add (self->steps, step);
}

void
stm_plan_add_kept (StmPlan *self, const char *path, const char *why)
{
  StmKeptFile *kept = g_new0 (StmKeptFile, 1);

  kept->path = g_strdup (path);
  kept->why = g_strdup (why);
  g_ptr_array_add (self->kept, kept);
}

guint
stm_plan_n_steps_of (const StmPlan *self, StmStepKind kind)
{
  guint n = 0;

  for (guint i = 0; i < self->steps->len; i++)
    {
      const StmStep *step = self->steps->pdata[i];

      if (step->kind == kind)
        n++;
    }

  return n;
}

gboolean
stm_plan_is_taken_back (const StmPlan *self)
{
  return stm_plan_n_steps_of (self, STM_STEP_OVERLAY) + stm_plan_n_steps_of (self, STM_STEP_TAG)
             + stm_plan_n_steps_of (self, STM_STEP_GOTO)
             + stm_plan_n_steps_of (self, STM_STEP_BITMAP)
         > 0;
}

gboolean
stm_plan_is_forward_only (const StmPlan *self, guint n_done)
{
  guint n_merges = 0;

  for (guint i = 0; i < self->steps->len && n_merges <= n_done; i++)
    {
      const StmStep *step = self->steps->pdata[i];

      if (step->kind != STM_STEP_COMMIT && step->kind != STM_STEP_STREAM)
        continue;
      /* A stream that is done took a layer out of a chain that undo would put back on record. */
      if (step->kind == STM_STEP_COMMIT || n_merges < n_done)
        return TRUE;
      n_merges++;
    }

  return FALSE;
}
