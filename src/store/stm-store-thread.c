/* Takes requests from a queue: all writes that wait become one transaction.
 *
 * The loop and the functions below it run on the store thread; start, push and stop are for others.
 * Never touches the model, and never a main context: how an answer gets home is for who asked.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "stm-store-thread.h"

#include "stemma-error.h"

#define GROUP_MAX 256 /* requests taken at once, so that the first of many is not kept waiting */

struct _StmStoreThread
{
  GThread *thread;
  GAsyncQueue *queue; /* StmRequest */

  /* Of the store thread alone. */
  StmDatabase *database;
  StmCommitter *committer;
  sqlite3_stmt *read_definition; /* NULL without a database */
  StmStoreHook hook;
  gpointer hook_data;
};

void
stm_request_free (StmRequest *self)
{
  if (self == NULL)
    return;

  g_clear_pointer (&self->change, stm_change_unref);
  g_clear_pointer (&self->entry, stm_journal_entry_free);
  g_free (self->hash);
  g_free (self->text);
  g_clear_error (&self->error);
  g_free (self);
}

/* Answers in the order of the calls; the hook sees each write when it is durable and nobody has
 * heard of it yet. */
static void
answer_writes (StmStoreThread *self, GPtrArray *requests)
{
  for (guint i = 0; i < requests->len; i++)
    {
      StmRequest *request = g_ptr_array_index (requests, i);

      if (request->error == NULL && self->hook != NULL)
        self->hook (request->entry, request->action, self->hook_data);
      request->answer (request);
    }
  g_ptr_array_set_size (requests, 0);
}

static void
commit_writes (StmStoreThread *self, GPtrArray *requests)
{
  guint n = requests->len;
  g_autofree StmWrite *writes = g_new0 (StmWrite, n);
  g_autofree StmWrite **pointers = g_new (StmWrite *, n);

  if (n == 0)
    return;

  for (guint i = 0; i < n; i++)
    {
      const StmRequest *request = g_ptr_array_index (requests, i);

      writes[i].change = request->change;
      writes[i].entry = request->entry;
      writes[i].action = request->action;
      writes[i].last_job = request->last_job;
      pointers[i] = &writes[i];
    }
  stm_committer_commit (self->committer, pointers, n);
  for (guint i = 0; i < n; i++)
    {
      StmRequest *request = g_ptr_array_index (requests, i);

      request->error = writes[i].error;
    }
  answer_writes (self, requests);
}

static void
find_text (StmStoreThread *self, StmRequest *request)
{
  const StmCell cells[] = { STM_TEXT (request->hash) };
  int result;

  if (!stm_sqlite_bind (self->read_definition, cells, G_N_ELEMENTS (cells), "read a definition",
                        &request->error))
    return;

  result = sqlite3_step (self->read_definition);
  if (result == SQLITE_ROW)
    request->text = g_strdup ((const char *) sqlite3_column_text (self->read_definition, 0));
  else if (result != SQLITE_DONE)
    stm_sqlite_set_error (self->database->db, result, "read a definition", &request->error);
  if (request->text == NULL && request->error == NULL)
    g_set_error (&request->error, STEMMA_ERROR, STEMMA_ERROR_NOT_FOUND,
                 "cannot read definition %s: the store does not have it", request->hash);
}

static void
read_definition (StmStoreThread *self, StmRequest *request)
{
  if (self->read_definition == NULL)
    {
      g_set_error (&request->error, STEMMA_ERROR, STEMMA_ERROR_READ_ONLY,
                   "cannot read definition %s: %s", request->hash, self->database->read_only);
    }
  else
    {
      find_text (self, request);
      sqlite3_reset (self->read_definition);
      sqlite3_clear_bindings (self->read_definition);
    }
  request->answer (request);
}

/* Handles one batch of the queue; FALSE when it was told to stop. Definitions never change, so
 * that a read may see a write that was queued behind it; but it must see those before it. */
static gboolean
handle_batch (StmStoreThread *self, GPtrArray *batch)
{
  g_autoptr (GPtrArray) writes = g_ptr_array_new ();

  for (guint i = 0; i < batch->len; i++)
    {
      StmRequest *request = g_ptr_array_index (batch, i);

      if (request->kind == STM_REQUEST_WRITE)
        {
          g_ptr_array_add (writes, request);
          continue;
        }

      commit_writes (self, writes);
      if (request->kind == STM_REQUEST_READ_DEFINITION)
        {
          read_definition (self, request);
          continue;
        }

      gboolean stops = request->kind == STM_REQUEST_STOP;

      self->hook = request->hook;
      self->hook_data = request->hook_data;
      stm_request_free (request);
      if (stops)
        return FALSE;
    }
  commit_writes (self, writes);

  return TRUE;
}

static void
take_batch (StmStoreThread *self, GPtrArray *batch)
{
  StmRequest *request = g_async_queue_pop (self->queue);

  while (request != NULL)
    {
      g_ptr_array_add (batch, request);
      if (batch->len == GROUP_MAX || request->kind == STM_REQUEST_STOP)
        return;
      request = g_async_queue_try_pop (self->queue);
    }
}

static void
close_database (StmStoreThread *self)
{
  g_clear_pointer (&self->read_definition, sqlite3_finalize);
  g_clear_pointer (&self->committer, stm_committer_free);
  g_clear_pointer (&self->database, stm_database_free);
}

static gpointer
run_thread (gpointer data)
{
  StmStoreThread *self = data;
  gboolean goes_on = TRUE;

  while (goes_on)
    {
      g_autoptr (GPtrArray) batch = g_ptr_array_new ();

      take_batch (self, batch);
      goes_on = handle_batch (self, batch);
      if (goes_on)
        stm_committer_tidy (self->committer);
    }
  close_database (self);

  return NULL;
}

static void
thread_free (StmStoreThread *self)
{
  close_database (self);
  g_async_queue_unref (self->queue);
  g_free (self);
}

G_DEFINE_AUTOPTR_CLEANUP_FUNC (StmStoreThread, thread_free)

StmStoreThread *
stm_store_thread_start (StmDatabase *database, GError **error)
{
  g_autoptr (StmStoreThread) self = g_new0 (StmStoreThread, 1);

  self->database = database;
  self->queue = g_async_queue_new_full ((GDestroyNotify) stm_request_free);
  self->committer = stm_committer_new (database, error);
  if (self->committer == NULL)
    return NULL;
  if (database->db != NULL)
    {
      /* A damaged database may not have the table; then there is nothing to be read. */
      self->read_definition = stm_sqlite_prepare (
          database->db, "SELECT text FROM definition WHERE hash = ?1", "prepare to read",
          database->read_only != NULL ? NULL : error);
      if (self->read_definition == NULL && database->read_only == NULL)
        return NULL;
    }
  self->thread = g_thread_new ("store", run_thread, self);

  return g_steal_pointer (&self);
}

void
stm_store_thread_push (StmStoreThread *self, StmRequest *request)
{
  g_async_queue_push (self->queue, request);
}

gboolean
stm_store_thread_is_current (const StmStoreThread *self)
{
  return self->thread == g_thread_self ();
}

void
stm_store_thread_stop (StmStoreThread *self)
{
  StmRequest *request = g_new0 (StmRequest, 1);

  g_return_if_fail (!stm_store_thread_is_current (self));

  request->kind = STM_REQUEST_STOP;
  stm_store_thread_push (self, request);
  g_thread_join (self->thread);
  thread_free (self);
}
