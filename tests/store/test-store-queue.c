/* Many writes at once, their answers, and the end of the store while they wait.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "store-fixture.h"

#include "stemma-error.h"

#include <glib/gstdio.h>

/* Answers of many writes that are queued at once. */
typedef struct
{
  StmStore *store;
  guint n_answers;
  guint n_failed;
  GArray *order; /* of guint */
} Answers;

typedef struct
{
  Answers *answers;
  guint number;
} Asked;

static void
on_written (GObject *source, GAsyncResult *result, gpointer user_data)
{
  g_autofree Asked *asked = user_data;
  g_autoptr (GError) error = NULL;

  if (!stm_store_write_finish (asked->answers->store, result, &error))
    asked->answers->n_failed++;
  g_array_append_val (asked->answers->order, asked->number);
  asked->answers->n_answers++;
}

static void
ask (Answers *answers, StmChange *change, guint number)
{
  Asked *asked = g_new (Asked, 1);

  asked->answers = answers;
  asked->number = number;
  stm_store_write_async (answers->store, change, STM_JOURNAL_NONE, /* entry= */ NULL, on_written,
                         asked);
}

static void
wait_for_answers (Answers *answers, guint n)
{
  while (answers->n_answers < n)
    g_main_context_iteration (NULL, TRUE);
}

/* The store thread waits in here until the test lets it go, so that writes pile up behind it. */
static void
wait_at_gate (const StmJournalEntry *entry, StmJournalAction action, gpointer user_data)
{
  g_async_queue_pop (user_data);
}

static void
test_bad_change_among_good_ones (void)
{
  enum
  {
    N_WRITES = 50,
    BAD = 20
  };
  g_autoptr (StoreDirectory) directory = store_directory_new ();
  g_autoptr (GAsyncQueue) gate = g_async_queue_new ();
  g_autoptr (GArray) order = g_array_new (FALSE, FALSE, sizeof (guint));
  g_autofree char *base = sample_id (100);
  g_autofree char *unknown = sample_id (99999);
  g_autofree char *domain = sample_id (1);
  StmStore *store = store_with_snapshots (directory, 1);
  Answers answers = { .store = store, .order = order };

  stm_store_set_hook (store, wait_at_gate, gate);
  for (guint i = 0; i < N_WRITES; i++)
    {
      g_autoptr (StmChange) change = sample_change (1, 2 + i);
      g_autofree char *name = g_strdup_printf ("w%u", i);
      g_autoptr (StmMoment) moment = sample_moment (1000 + i, name, i == BAD ? unknown : base);

      stm_change_put_moment (change, moment);
      ask (&answers, change, i);
    }
  for (guint i = 0; i < N_WRITES; i++)
    g_async_queue_push (gate, gate);
  wait_for_answers (&answers, N_WRITES);
  close_store (store);

  for (guint i = 0; i < N_WRITES; i++)
    g_assert_cmpuint (g_array_index (order, guint, i), ==, i);
  g_assert_cmpuint (answers.n_failed, ==, 1);

  g_autoptr (StmModel) read = reload (directory, NULL);
  const StmTree *tree = stm_model_tree (read, domain, STM_MOMENT_SNAPSHOT);

  g_assert_cmpuint (stm_tree_count (tree), ==, 1 + N_WRITES - 1);
  g_assert_null (stm_tree_find (tree, "w20"));
}

/* One transaction for all that waits: counted by what the log gains. */
static void
test_group_commit (void)
{
  enum
  {
    N_WRITES = 100
  };
  g_autoptr (StoreDirectory) directory = store_directory_new ();
  g_autoptr (GAsyncQueue) gate = g_async_queue_new ();
  g_autoptr (GArray) order = g_array_new (FALSE, FALSE, sizeof (guint));
  g_autofree char *log = store_file (directory, "-wal");
  StmStore *store = store_with_snapshots (directory, 1);
  Answers answers = { .store = store, .order = order };
  GStatBuf before, single, all;

  g_assert_cmpint (g_stat (log, &before), ==, 0);
  stm_store_set_hook (store, wait_at_gate, gate);
  for (guint i = 0; i <= N_WRITES; i++)
    {
      g_autoptr (StmChange) change = sample_change (1, 2 + i);

      ask (&answers, change, i);
      /* The first is taken alone, and holds the thread at the gate while the others queue. */
      if (i == 0)
        while (g_async_queue_length (gate) > -1)
          g_thread_yield ();
    }
  g_assert_cmpint (g_stat (log, &single), ==, 0);
  for (guint i = 0; i <= N_WRITES; i++)
    g_async_queue_push (gate, gate);
  wait_for_answers (&answers, N_WRITES + 1);
  g_assert_cmpint (g_stat (log, &all), ==, 0);
  close_store (store);

  g_assert_cmpuint (answers.n_failed, ==, 0);
  g_assert_cmpint (single.st_size, >, before.st_size);
  g_assert_cmpint (all.st_size - single.st_size, <, 3 * (single.st_size - before.st_size));
}

static void
test_closed_store_answers (void)
{
  g_autoptr (StoreDirectory) directory = store_directory_new ();
  g_autoptr (StmStore) store = open_store (directory, NULL);
  g_autoptr (StmChange) change = sample_define (1, 1);
  g_autoptr (GError) error = NULL;

  stm_store_close_sync (store);
  stm_store_close_sync (store);
  g_assert_false (write_and_wait (store, change, STM_JOURNAL_NONE, NULL, &error));
  g_assert_error (error, STEMMA_ERROR, STEMMA_ERROR_FAILED);
}

static void
test_queued_writes_survive_close (void)
{
  enum
  {
    N_WRITES = 40
  };
  g_autoptr (StoreDirectory) directory = store_directory_new ();
  g_autoptr (GArray) order = g_array_new (FALSE, FALSE, sizeof (guint));
  StmStore *store = store_with_snapshots (directory, 0);
  Answers answers = { .store = store, .order = order };
  g_autofree char *domain = sample_id (1);

  for (guint i = 0; i < N_WRITES; i++)
    {
      g_autoptr (StmChange) change = sample_change (1, 2 + i);

      ask (&answers, change, i);
    }
  stm_store_close_sync (store);
  wait_for_answers (&answers, N_WRITES);
  g_object_unref (store);
  g_assert_cmpuint (answers.n_failed, ==, 0);

  g_autoptr (StmModel) read = reload (directory, NULL);

  g_assert_cmpuint (stm_model_generation (read, domain), ==, 1 + N_WRITES);
}

static void
note_context (GObject *source, GAsyncResult *result, gpointer user_data)
{
  *(GMainContext **) user_data = g_main_context_ref_thread_default ();
  g_assert_true (stm_store_write_finish (STM_STORE (source), result, NULL));
}

static void
test_answer_comes_to_the_callers_context (void)
{
  g_autoptr (StoreDirectory) directory = store_directory_new ();
  g_autoptr (GMainContext) context = g_main_context_new ();
  g_autoptr (GMainContext) answered = NULL;
  g_autoptr (StmChange) change = sample_define (1, 1);
  StmStore *store = open_store (directory, NULL);

  g_main_context_push_thread_default (context);
  stm_store_write_async (store, change, STM_JOURNAL_NONE, NULL, note_context, &answered);
  while (answered == NULL)
    g_main_context_iteration (context, TRUE);
  g_main_context_pop_thread_default (context);
  g_assert_true (answered == context);
  close_store (store);
}

static void
on_dropped (GObject *source, GAsyncResult *result, gpointer user_data)
{
  *(gboolean *) user_data = TRUE;
}

/* The last reference goes with the answer, in the context and not on the store thread. */
static void
test_last_reference_may_be_the_answers (void)
{
  g_autoptr (StoreDirectory) directory = store_directory_new ();
  g_autoptr (StmChange) change = sample_define (1, 1);
  gboolean is_answered = FALSE;
  StmStore *store = open_store (directory, NULL);

  stm_store_write_async (store, change, STM_JOURNAL_NONE, NULL, on_dropped, &is_answered);
  g_object_unref (store);
  while (!is_answered)
    g_main_context_iteration (NULL, TRUE);
  while (g_main_context_iteration (NULL, FALSE))
    ;

  /* Closed by its end: it can be opened again. */
  stm_model_free (reload (directory, NULL));
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/store/group/bad-change-fails-alone-and-in-order",
                   test_bad_change_among_good_ones);
  g_test_add_func ("/store/group/waiting-writes-share-a-transaction", test_group_commit);
  g_test_add_func ("/store/close/queued-writes-are-done-first", test_queued_writes_survive_close);
  g_test_add_func ("/store/close/later-calls-are-answered", test_closed_store_answers);
  g_test_add_func ("/store/answer/comes-to-the-callers-context",
                   test_answer_comes_to_the_callers_context);
  g_test_add_func ("/store/answer/may-hold-the-last-reference",
                   test_last_reference_may_be_the_answers);

  return g_test_run ();
}
