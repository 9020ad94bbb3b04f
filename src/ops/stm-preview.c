/* Shows what an operation would do: the same prepare, survey and plan, out of the queue, and then
 * nothing. The model outlives the preview: its owner waits for the workers before it goes.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "stm-preview.h"

#include "stm-id.h"

typedef struct
{
  GTask *task;
  StmOp *op;
  const StmModel *model;
  StmDriver *driver;
  GStrv pools;
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
  preview->survey = stm_driver_survey (preview->driver, &request, NULL, &preview->error);
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

void
stm_preview_async (StmOp *op, const StmModel *model, StmDriver *driver, StmWorkers *workers,
                   const char *const *pools, GAsyncReadyCallback callback, gpointer user_data)
{
  Preview *preview = g_new0 (Preview, 1);

  preview->task = g_task_new (NULL, NULL, callback, user_data);
  preview->op = g_object_ref (op);
  preview->model = model;
  preview->driver = g_object_ref (driver);
  preview->pools = g_strdupv ((GStrv) pools);
  if (!STM_OP_GET_CLASS (op)->prepare (op, model, &preview->images, &preview->error))
    {
      g_task_return_error (preview->task, g_steal_pointer (&preview->error));
      preview_free (preview);
      return;
    }
  preview->policy = stm_model_path_policy (model, stm_op_get_domain_id (op), pools);
  stm_workers_run (workers, work, done, preview);
}

StmPlan *
stm_preview_finish (GAsyncResult *result, GError **error)
{
  return g_task_propagate_pointer (G_TASK (result), error);
}
