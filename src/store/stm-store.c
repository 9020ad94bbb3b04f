/* StmStore: the public face of the store; turns calls into requests to the store thread and its
 * answers into results.
 *
 * Async functions belong to the thread whose context they answer in, `_sync` ones to any thread but
 * the store's own. Holds no state but the thread: what is in the database is for the files below.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "stm-store.h"

#include "stemma-error.h"
#include "stm-row-reader.h"
#include "stm-store-thread.h"

#ifdef __GLIBC__
#include <malloc.h>
#endif

struct _StmStore
{
  GObject parent_instance;

  StmStoreThread *thread; /* NULL once closed */
};

G_DEFINE_FINAL_TYPE (StmStore, stm_store, G_TYPE_OBJECT)

/* Reading takes twice what stays, in small pieces, which the C library would keep for later. */
static void
give_memory_back (void)
{
#ifdef __GLIBC__
  malloc_trim (0);
#endif
}

void
stm_store_content_free (StmStoreContent *self)
{
  if (self == NULL)
    return;

  g_clear_pointer (&self->changes, g_ptr_array_unref);
  g_clear_pointer (&self->model, stm_model_free);
  g_clear_pointer (&self->journal, g_ptr_array_unref);
  g_free (self->health);
  g_free (self);
  give_memory_back ();
}

static StmStoreContent *
read_content (StmDatabase *database)
{
  g_autoptr (StmProblems) problems = stm_problems_new ();
  StmStoreContent *content = stm_row_reader_read (database->db, problems);
  g_autofree char *found = stm_problems_to_text (problems);

  if (found != NULL)
    {
      g_autofree char *reason = g_strdup_printf (
          "%s has rows that do not fit (%s); stop the service, keep a copy of the directory, and "
          "restore a backup or repair the rows",
          database->path, found);

      stm_database_set_read_only (database, reason);
    }
  content->health = g_strdup (database->read_only != NULL ? database->read_only : "ok");

  return content;
}

StmStore *
stm_store_open_sync (const char *directory, StmStoreContent **out_content, GError **error)
{
  g_return_val_if_fail (directory != NULL, NULL);

  g_autoptr (StmDatabase) database = stm_database_open (directory, error);

  if (database == NULL)
    return NULL;

  g_autoptr (StmStoreContent) content = read_content (database);
  /* The connection changes threads here, before the new one exists. */
  StmStoreThread *thread = stm_store_thread_start (g_steal_pointer (&database), error);

  if (thread == NULL)
    return NULL;

  StmStore *self = g_object_new (STM_TYPE_STORE, NULL);

  self->thread = thread;
  if (out_content != NULL)
    *out_content = g_steal_pointer (&content);
  return self;
}

/* Says in `error` that it is too late. */
static gboolean
is_open (StmStore *self, GError **error)
{
  if (self->thread != NULL)
    return TRUE;

  g_set_error (error, STEMMA_ERROR, STEMMA_ERROR_FAILED,
               "cannot use the store: it is closed, the service is ending");
  return FALSE;
}

void
stm_store_set_hook (StmStore *self, StmStoreHook hook, gpointer user_data)
{
  g_return_if_fail (STM_IS_STORE (self) && self->thread != NULL);

  StmRequest *request = g_new0 (StmRequest, 1);

  request->kind = STM_REQUEST_SET_HOOK;
  request->hook = hook;
  request->hook_data = user_data;
  stm_store_thread_push (self->thread, request);
}

static gboolean
return_task (gpointer data)
{
  StmRequest *request = data;
  GTask *task = request->answer_data;

  if (request->error != NULL)
    g_task_return_error (task, g_steal_pointer (&request->error));
  else if (request->kind == STM_REQUEST_READ_DEFINITION)
    g_task_return_pointer (task, g_steal_pointer (&request->text), g_free);
  else
    g_task_return_boolean (task, TRUE);

  return G_SOURCE_REMOVE;
}

static void
free_async_request (gpointer data)
{
  StmRequest *request = data;

  g_object_unref (request->answer_data);
  stm_request_free (request);
}

/* Store thread. All of the request, task and all, goes to the context of the caller and is freed
 * there: were the task dropped here, the last reference to the store could go with it, and the
 * thread would wait for its own end. */
static void
answer_task (StmRequest *request)
{
  GTask *task = request->answer_data;
  g_autoptr (GMainContext) context = g_main_context_ref (g_task_get_context (task));
  g_autoptr (GSource) source = g_idle_source_new ();

  g_source_set_priority (source, g_task_get_priority (task));
  g_source_set_callback (source, return_task, request, free_async_request);
  g_source_attach (source, context);
}

/* Hands a request over, or answers that the store is closed. Takes both. */
static void
push_async (StmStore *self, StmRequest *taken_request, GTask *taken_task)
{
  g_autoptr (StmRequest) request = taken_request;
  g_autoptr (GTask) task = taken_task;
  GError *error = NULL;

  if (!is_open (self, &error))
    {
      g_task_return_error (task, error);
      return;
    }

  request->answer = answer_task;
  request->answer_data = g_steal_pointer (&task);
  stm_store_thread_push (self->thread, g_steal_pointer (&request));
}

void
stm_store_write_async (StmStore *self, StmChange *change, StmJournalAction action,
                       const StmJournalEntry *entry, GAsyncReadyCallback callback,
                       gpointer user_data)
{
  g_return_if_fail (STM_IS_STORE (self));
  g_return_if_fail (action == STM_JOURNAL_NONE || entry != NULL);

  GTask *task = g_task_new (self, /* cancellable= */ NULL, callback, user_data);
  StmRequest *request = g_new0 (StmRequest, 1);

  g_task_set_source_tag (task, stm_store_write_async);
  request->kind = STM_REQUEST_WRITE;
  request->change = change == NULL ? NULL : stm_change_ref (change);
  request->action = action;
  request->entry = entry == NULL ? NULL : stm_journal_entry_copy (entry);
  push_async (self, request, task);
}

gboolean
stm_store_write_finish (StmStore *self, GAsyncResult *result, GError **error)
{
  g_return_val_if_fail (g_task_is_valid (result, self), FALSE);

  return g_task_propagate_boolean (G_TASK (result), error);
}

/* Store thread: a queue of one carries the answer to who waits. */
static void
answer_queue (StmRequest *request)
{
  g_async_queue_push (request->answer_data, request);
}

/* Takes the request. */
static gboolean
write_sync (StmStore *self, StmRequest *taken_request, GError **error)
{
  g_autoptr (StmRequest) request = taken_request;

  if (!is_open (self, error))
    return FALSE;

  g_return_val_if_fail (!stm_store_thread_is_current (self->thread), FALSE);

  g_autoptr (GAsyncQueue) answers = g_async_queue_new ();
  g_autoptr (StmRequest) answer = NULL;

  request->kind = STM_REQUEST_WRITE;
  request->answer = answer_queue;
  request->answer_data = answers;
  stm_store_thread_push (self->thread, g_steal_pointer (&request));

  answer = g_async_queue_pop (answers);
  if (answer->error == NULL)
    return TRUE;

  g_propagate_error (error, g_steal_pointer (&answer->error));
  return FALSE;
}

gboolean
stm_store_write_journal_sync (StmStore *self, const StmJournalEntry *entry, GError **error)
{
  g_return_val_if_fail (STM_IS_STORE (self) && entry != NULL, FALSE);

  StmRequest *request = g_new0 (StmRequest, 1);

  request->action = STM_JOURNAL_PUT;
  request->entry = stm_journal_entry_copy (entry);
  return write_sync (self, request, error);
}

void
stm_store_reserve_jobs_async (StmStore *self, guint last_job, GAsyncReadyCallback callback,
                              gpointer user_data)
{
  g_return_if_fail (STM_IS_STORE (self) && last_job != 0);

  GTask *task = g_task_new (self, /* cancellable= */ NULL, callback, user_data);
  StmRequest *request = g_new0 (StmRequest, 1);

  g_task_set_source_tag (task, stm_store_reserve_jobs_async);
  request->kind = STM_REQUEST_WRITE;
  request->last_job = last_job;
  push_async (self, request, task);
}

gboolean
stm_store_reserve_jobs_finish (StmStore *self, GAsyncResult *result, GError **error)
{
  g_return_val_if_fail (g_task_is_valid (result, self), FALSE);

  return g_task_propagate_boolean (G_TASK (result), error);
}

gboolean
stm_store_reserve_jobs_sync (StmStore *self, guint last_job, GError **error)
{
  g_return_val_if_fail (STM_IS_STORE (self) && last_job != 0, FALSE);

  StmRequest *request = g_new0 (StmRequest, 1);

  request->last_job = last_job;
  return write_sync (self, request, error);
}

void
stm_store_read_definition_async (StmStore *self, const char *hash, GAsyncReadyCallback callback,
                                 gpointer user_data)
{
  g_return_if_fail (STM_IS_STORE (self) && hash != NULL);

  GTask *task = g_task_new (self, /* cancellable= */ NULL, callback, user_data);
  StmRequest *request = g_new0 (StmRequest, 1);

  g_task_set_source_tag (task, stm_store_read_definition_async);
  request->kind = STM_REQUEST_READ_DEFINITION;
  request->hash = g_strdup (hash);
  push_async (self, request, task);
}

char *
stm_store_read_definition_finish (StmStore *self, GAsyncResult *result, GError **error)
{
  g_return_val_if_fail (g_task_is_valid (result, self), NULL);

  return g_task_propagate_pointer (G_TASK (result), error);
}

void
stm_store_close_sync (StmStore *self)
{
  g_return_if_fail (STM_IS_STORE (self));

  g_clear_pointer (&self->thread, stm_store_thread_stop);
}

static void
stm_store_dispose (GObject *object)
{
  StmStore *self = STM_STORE (object);

  g_clear_pointer (&self->thread, stm_store_thread_stop);
  G_OBJECT_CLASS (stm_store_parent_class)->dispose (object);
}

static void
stm_store_init (StmStore *self)
{
}

static void
stm_store_class_init (StmStoreClass *class)
{
  G_OBJECT_CLASS (class)->dispose = stm_store_dispose;
}
