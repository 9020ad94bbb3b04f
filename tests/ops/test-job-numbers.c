/* Numbers of jobs: none comes twice, whatever ends the service, and few of them cost a commit.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "golden.h"
#include "stemma-error.h"
#include "stm-job-numbers.h"
#include "store-fixture.h"

#include <signal.h>
#include <sqlite3.h>
#include <sys/wait.h>
#include <unistd.h>

#define MANY 1000
#define N_LIVES 150
/* A block, and the half of the one before it that is left when it is asked for. */
#define MAX_SKIPPED 150

typedef struct
{
  StmStore *store;
  StmJobNumbers *numbers;
} Life;

static void
life_begin (Life *life, const char *directory)
{
  g_autoptr (StmStoreContent) content = NULL;

  life->store = open_store (directory, &content);
  life->numbers = stm_job_numbers_new (life->store, content->last_job);
}

static void
life_end (Life *life)
{
  close_store (g_steal_pointer (&life->store));
  g_clear_pointer (&life->numbers, stm_job_numbers_free);
  while (g_main_context_iteration (NULL, FALSE))
    ;
}

static guint
take_ok (Life *life)
{
  g_autoptr (GError) error = NULL;
  guint number = stm_job_numbers_take (life->numbers, &error);

  g_assert_no_error (error);
  g_assert_cmpuint (number, >, 0);
  return number;
}

static void
test_in_order (void)
{
  g_autoptr (StoreDirectory) directory = store_directory_new ();
  Life life = { 0 };

  life_begin (&life, directory);
  for (guint i = 1; i <= MANY; i++)
    g_assert_cmpuint (take_ok (&life), ==, i);
  life_end (&life);
}

static void
test_restarts (void)
{
  g_autoptr (StoreDirectory) directory = store_directory_new ();
  guint last = 0, n_all = 0;

  for (guint n_taken = 0; n_taken < N_LIVES; n_taken++)
    {
      Life life = { 0 };

      life_begin (&life, directory);
      for (guint i = 0; i < n_taken; i++)
        {
          guint number = take_ok (&life);

          g_assert_cmpuint (number, >, last);
          last = number;
          n_all++;
          if (i % 3 == 0)
            g_main_context_iteration (NULL, FALSE);
        }
      life_end (&life);
    }
  g_assert_cmpuint (last, <=, n_all + N_LIVES * MAX_SKIPPED);
}

/* Child: takes numbers and tells each before the next, until it is killed in the middle. */
static void
take_until_killed (const char *directory, guint n, int fd)
{
  Life life = { 0 };

  life_begin (&life, directory);
  for (guint i = 0; i < n; i++)
    {
      guint number = stm_job_numbers_take (life.numbers, /* error= */ NULL);

      if (write (fd, &number, sizeof number) != (ssize_t) sizeof number)
        _exit (1);
    }
  kill (getpid (), SIGKILL);
}

static void
test_kills (void)
{
  g_autoptr (StoreDirectory) directory = store_directory_new ();
  const guint counts[] = { 1, 49, 50, 51, 99, 100, 101, 1, 1, 250 };
  guint last = 0;

  for (guint i = 0; i < G_N_ELEMENTS (counts); i++)
    {
      int ends[2], status = 0;
      guint number = 0, n_told = 0;
      pid_t pid;

      g_assert_cmpint (pipe (ends), ==, 0);
      pid = fork ();
      if (pid == 0)
        take_until_killed (directory, counts[i], ends[1]);
      g_assert_cmpint (pid, >, 0);
      close (ends[1]);
      for (; read (ends[0], &number, sizeof number) == (ssize_t) sizeof number; n_told++)
        {
          g_assert_cmpuint (number, >, last);
          last = number;
        }
      close (ends[0]);
      g_assert_cmpint (waitpid (pid, &status, 0), ==, pid);
      g_assert_true (WIFSIGNALED (status));
      g_assert_cmpuint (n_told, ==, counts[i]);
    }
}

/* Store thread. */
static void
count_commits (const StmJournalEntry *entry, StmJournalAction action, gpointer user_data)
{
  g_atomic_int_inc ((int *) user_data);
}

static void
test_cost (void)
{
  g_autoptr (StoreDirectory) directory = store_directory_new ();
  Life life = { 0 };
  int n_commits = 0;

  life_begin (&life, directory);
  stm_store_set_hook (life.store, count_commits, &n_commits);
  for (guint i = 0; i < MANY; i++)
    {
      take_ok (&life);
      g_main_context_iteration (NULL, FALSE);
    }
  life_end (&life);
  g_assert_cmpint (n_commits, >=, MANY / 100);
  g_assert_cmpint (n_commits, <=, MANY / 50 + 1);
}

static void
set_version (const char *directory, guint version)
{
  g_autofree char *path = store_file (directory, "");
  g_autofree char *text = g_strdup_printf ("PRAGMA user_version = %u", version);
  sqlite3 *db = NULL;

  g_assert_cmpint (sqlite3_open (path, &db), ==, SQLITE_OK);
  g_assert_cmpint (sqlite3_exec (db, text, NULL, NULL, NULL), ==, SQLITE_OK);
  g_assert_cmpint (sqlite3_close (db), ==, SQLITE_OK);
}

static void
test_unwritable (void)
{
  g_autoptr (StoreDirectory) directory = store_directory_new ();
  g_autoptr (GError) error = NULL;
  Life life = { 0 };
  guint last = 0;

  life_begin (&life, directory);
  last = take_ok (&life);
  life_end (&life);
  set_version (directory, GOLDEN_VERSION + 1);
  life_begin (&life, directory);
  g_assert_cmpuint (stm_job_numbers_take (life.numbers, &error), ==, 0);
  g_assert_error (error, STEMMA_ERROR, STEMMA_ERROR_READ_ONLY);
  life_end (&life);
  set_version (directory, GOLDEN_VERSION);
  life_begin (&life, directory);
  g_assert_cmpuint (take_ok (&life), >, last);
  life_end (&life);
}

static void
test_used_up (void)
{
  g_autoptr (StoreDirectory) directory = store_directory_new ();
  g_autoptr (GError) error = NULL;
  Life life = { 0 };

  life_begin (&life, directory);
  g_assert_true (stm_store_reserve_jobs_sync (life.store, G_MAXUINT32 - 2, NULL));
  life_end (&life);
  life_begin (&life, directory);
  g_assert_cmpuint (take_ok (&life), ==, G_MAXUINT32 - 1);
  g_assert_cmpuint (take_ok (&life), ==, G_MAXUINT32);
  g_assert_cmpuint (stm_job_numbers_take (life.numbers, &error), ==, 0);
  g_assert_error (error, STEMMA_ERROR, STEMMA_ERROR_TOO_MANY);
  life_end (&life);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/ops/job-numbers/kills-bring-none-back", test_kills);
  g_test_add_func ("/ops/job-numbers/come-in-order", test_in_order);
  g_test_add_func ("/ops/job-numbers/restarts-bring-none-back", test_restarts);
  g_test_add_func ("/ops/job-numbers/fifty-cost-one-commit", test_cost);
  g_test_add_func ("/ops/job-numbers/unwritable-store-gives-none", test_unwritable);
  g_test_add_func ("/ops/job-numbers/end-of-the-numbers-is-said", test_used_up);

  return g_test_run ();
}
