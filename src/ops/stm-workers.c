/* A pool of threads without an upper bound: the queues, one per domain, bound it. A long merge must
 * never keep another domain waiting for a thread. Main loop only but for the pool's own function.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "stm-workers.h"

struct _StmWorkers
{
  GThreadPool *pool;
};

typedef struct
{
  StmWork work;
  StmWork done;
  gpointer data;
  GMainContext *context;
} Task;

static gboolean
finish_task (gpointer user_data)
{
  Task *task = user_data;

  task->done (task->data);
  return G_SOURCE_REMOVE;
}

static void
task_free (gpointer user_data)
{
  Task *task = user_data;

  g_main_context_unref (task->context);
  g_free (task);
}

static void
run_task (gpointer data, gpointer user_data)
{
  Task *task = data;
  g_autoptr (GMainContext) context = g_main_context_ref (task->context);
  g_autoptr (GSource) source = g_idle_source_new ();

  task->work (task->data);
  g_source_set_priority (source, G_PRIORITY_DEFAULT);
  g_source_set_callback (source, finish_task, task, task_free);
  g_source_attach (source, context);
}

void
stm_workers_run (StmWorkers *self, StmWork work, StmWork done, gpointer data)
{
  Task *task = g_new0 (Task, 1);

  task->work = work;
  task->done = done;
  task->data = data;
  task->context = g_main_context_ref_thread_default ();
  g_thread_pool_push (self->pool, task, NULL);
}

StmWorkers *
stm_workers_new (void)
{
  StmWorkers *self = g_new0 (StmWorkers, 1);

  self->pool = g_thread_pool_new (run_task, NULL, -1, FALSE, NULL);
  return self;
}

void
stm_workers_free (StmWorkers *self)
{
  g_thread_pool_free (self->pool, FALSE, TRUE);
  g_free (self);
}
