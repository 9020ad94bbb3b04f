/* Shows what an operation would do: the same prepare, survey and plan, out of the queue, and then
 * nothing. The model outlives the preview: its owner waits for the workers before it goes.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "stm-preview.h"

#include "stemma-error.h"
#include "stm-id.h"

typedef struct
{
  GTask *task;
  StmOp *op;
  const StmModel *model;
  StmDriver *driver;
  GStrv pools;
  StmWorkers *workers;
  GCancellable *closing;   /* cancelled before the workers go */
  StmSpellings *spellings; /* of the operation */
  GPtrArray *images;
  StmPathPolicy *policy;
  StmSurvey *survey;
  GError *error;
} Preview;

static void
preview_free (Preview *preview)
{
  g_object_unref (preview->task);
  g_object_unref (preview->op);
  g_object_unref (preview->driver);
  g_object_unref (preview->closing);
  g_strfreev (preview->pools);
  g_clear_pointer (&preview->images, g_ptr_array_unref);
  g_clear_pointer (&preview->policy, stm_path_policy_unref);
  g_clear_pointer (&preview->survey, stm_survey_unref);
  g_clear_error (&preview->error);
  g_free (preview);
}

static void
work (gpointer data)
{
  Preview *preview = data;
  StmSurveyRequest request = { .scans_directories = TRUE, .policy = preview->policy };

  if (preview->images == NULL)
    return;
  request.images = (const StmImage *const *) preview->images->pdata;
  request.n_images = preview->images->len;
  preview->survey = stm_driver_survey (preview->driver, &request, preview->closing,
                                       &preview->error);
}

static void
done (gpointer data)
{
  Preview *preview = data;
  g_autofree char *plan_id = stm_id_new ();
  g_autofree char *moment_id = stm_id_new ();
  g_autofree char *second_id = stm_id_new ();
  StmPlanContext context = { .plan_id = plan_id,
                             .moment_id = moment_id,
                             .second_id = second_id,
                             .now = g_get_real_time () / G_USEC_PER_SEC,
                             .pools = (const char *const *) preview->pools };
  StmPlan *plan = NULL;

  if (preview->error == NULL)
    plan = STM_OP_GET_CLASS (preview->op)
               ->plan (preview->op, preview->model, preview->survey, &context, &preview->error);
  if (plan != NULL)
    g_task_return_pointer (preview->task, plan, (GDestroyNotify) stm_plan_unref);
  else
    g_task_return_error (preview->task, g_steal_pointer (&preview->error));
  preview_free (preview);
}

static void
prepare (gpointer data)
{
  Preview *preview = data;

  if (preview->error == NULL && g_cancellable_is_cancelled (preview->closing))
    preview->error = g_error_new (STEMMA_ERROR, STEMMA_ERROR_CANCELLED, "the service ends");
  if (preview->error == NULL
      && STM_OP_GET_CLASS (preview->op)
             ->prepare (preview->op, preview->model, &preview->images, &preview->error))
    {
      stm_workers_run (preview->workers, work, done, preview);
      return;
    }
  g_task_return_error (preview->task, g_steal_pointer (&preview->error));
  preview_free (preview);
}

static void
work_spell (gpointer data)
{
  Preview *preview = data;

  stm_spellings_resolve (preview->spellings, preview->driver, preview->policy, preview->closing,
                         &preview->error);
}

static void
begin (Preview *preview)
{
  StmOpClass *class = STM_OP_GET_CLASS (preview->op);

  preview->spellings = class->list_paths != NULL ? class->list_paths (preview->op, preview->model)
                                                 : NULL;
  if (preview->spellings != NULL && stm_spellings_is_due (preview->spellings))
    stm_workers_run (preview->workers, work_spell, prepare, preview);
  else
    prepare (preview);
}

void
stm_preview_async (StmOp *op, const StmModel *model, StmDriver *driver, StmWorkers *workers,
                   GCancellable *closing, const char *const *pools, GAsyncReadyCallback callback,
                   gpointer user_data)
{
  Preview *preview = g_new0 (Preview, 1);

  preview->task = g_task_new (NULL, NULL, callback, user_data);
  preview->op = g_object_ref (op);
  preview->model = model;
  preview->driver = g_object_ref (driver);
  preview->pools = g_strdupv ((GStrv) pools);
  preview->workers = workers;
  preview->closing = g_object_ref (closing);
  preview->policy = stm_model_path_policy (model, stm_op_get_domain_id (op), pools);
  begin (preview);
}

StmPlan *
stm_preview_finish (GAsyncResult *result, GError **error)
{
  return g_task_propagate_pointer (G_TASK (result), error);
}
