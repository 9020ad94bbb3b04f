/* Takes the records on the main loop, looks at the files on a worker, gives both back together. An
 * image that an operation is changing meanwhile may look different: who reads the result leaves
 * busy domains out.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "stm-check.h"

typedef struct
{
  StmDriver *driver;
  GPtrArray *domains;
  GTask *task;
} Check;

static void
checked_domain_free (gpointer data)
{
  StmCheckedDomain *domain = data;

  g_free (domain->domain_id);
  g_ptr_array_unref (domain->images);
  stm_path_policy_unref (domain->policy);
  g_clear_pointer (&domain->survey, stm_survey_unref);
  g_free (domain);
}

static void
work (gpointer data)
{
  Check *check = data;

  for (guint i = 0; i < check->domains->len; i++)
    {
      StmCheckedDomain *domain = g_ptr_array_index (check->domains, i);
      StmSurveyRequest request = { .images = (const StmImage *const *) domain->images->pdata,
                                   .n_images = domain->images->len,
                                   .policy = domain->policy };

      domain->survey = stm_driver_survey (check->driver, &request, NULL, NULL);
    }
}

static void
done (gpointer data)
{
  Check *check = data;

  g_task_return_pointer (check->task, g_steal_pointer (&check->domains),
                         (GDestroyNotify) g_ptr_array_unref);
  g_object_unref (check->task);
  g_object_unref (check->driver);
  g_free (check);
}

void
stm_check_async (const StmModel *model, StmDriver *driver, StmWorkers *workers,
                 const char *const *pools, GAsyncReadyCallback callback, gpointer user_data)
{
  g_autoptr (GPtrArray) ids = stm_model_domain_ids (model);
  Check *check = g_new0 (Check, 1);

  check->driver = g_object_ref (driver);
  check->task = g_task_new (NULL, NULL, callback, user_data);
  check->domains = g_ptr_array_new_with_free_func (checked_domain_free);
  for (guint i = 0; i < ids->len; i++)
    {
      StmCheckedDomain *domain = g_new0 (StmCheckedDomain, 1);

      domain->domain_id = g_strdup (g_ptr_array_index (ids, i));
      domain->generation = stm_model_generation (model, domain->domain_id);
      domain->images = stm_model_images (model, domain->domain_id);
      domain->policy = stm_model_path_policy (model, domain->domain_id, pools);
      g_ptr_array_add (check->domains, domain);
    }
  stm_workers_run (workers, work, done, check);
}

GPtrArray *
stm_check_finish (GAsyncResult *result, GError **error)
{
  return g_task_propagate_pointer (G_TASK (result), error);
}
