/* The process is killed right after a commit: what was answered is there at the next start, and
 * nothing is there in part.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "store-fixture.h"

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#define N_WRITES 12

typedef enum
{
  ONE_BY_ONE,
  ALL_AT_ONCE,
} Pace;

typedef struct
{
  guint n_left; /* commits until the end */
} Fuse;

static void
burn (const StmJournalEntry *entry, StmJournalAction action, gpointer user_data)
{
  Fuse *fuse = user_data;

  if (--fuse->n_left == 0)
    kill (getpid (), SIGKILL);
}

/* The first write brings the domain, each later one a snapshot; the generation counts them. */
static StmChange *
nth_change (guint n)
{
  g_autofree char *name = g_strdup_printf ("s%u", n);
  g_autofree char *parent = n < 2 ? NULL : sample_id (100 + n - 1);
  g_autoptr (StmMoment) moment = sample_moment (100 + n, name, parent);
  StmChange *change;

  if (n == 0)
    return sample_define (1, 1);

  change = sample_change (1, 1 + n);
  stm_change_put_moment (change, moment);
  stm_change_set_current (change, moment->id);
  return change;
}

static void
tell (GObject *source, GAsyncResult *result, gpointer user_data)
{
  int fd = GPOINTER_TO_INT (user_data);

  if (!stm_store_write_finish (STM_STORE (source), result, NULL) || write (fd, "!", 1) != 1)
    _exit (2);
}

/* Child: writes until the fuse ends it, and tells each answer. */
static void
live (const char *directory, Pace pace, guint n_commits, int fd)
{
  g_autoptr (GMainContext) context = g_main_context_new ();
  g_autoptr (GError) error = NULL;
  Fuse fuse = { n_commits };
  StmStore *store;

  g_main_context_push_thread_default (context);
  store = stm_store_open_sync (directory, NULL, &error);
  if (store == NULL)
    _exit (3);
  stm_store_set_hook (store, burn, &fuse);
  for (guint n = 0; n < N_WRITES; n++)
    {
      g_autoptr (StmChange) change = nth_change (n);

      if (pace == ONE_BY_ONE)
        write_and_wait (store, change, STM_JOURNAL_NONE, /* entry= */ NULL, NULL);
      if (pace == ONE_BY_ONE && write (fd, "!", 1) != 1)
        _exit (2);
      if (pace == ALL_AT_ONCE)
        stm_store_write_async (store, change, STM_JOURNAL_NONE, /* entry= */ NULL, tell,
                               GINT_TO_POINTER (fd));
    }
  while (TRUE)
    g_main_context_iteration (context, TRUE);
}

/* Reads until the child is gone; the number of answers that it had. */
static guint
count_answers (int fd)
{
  guint n = 0;
  char byte;

  while (read (fd, &byte, 1) == 1)
    n++;

  return n;
}

static void
check_content (const char *directory, guint n_answered, guint n_commits)
{
  g_autoptr (StmModel) read = reload (directory, NULL);
  g_autoptr (StmModel) model = stm_model_new ();
  g_autofree char *domain = sample_id (1);
  guint64 n_written = stm_model_generation (read, domain);

  g_assert_cmpuint (n_written, >=, n_answered);
  g_assert_cmpuint (n_written, >=, n_commits);
  for (guint n = 0; n < n_written; n++)
    {
      g_autoptr (StmChange) change = nth_change (n);

      stm_model_apply (model, change);
    }
  assert_models_equal (model, read);
}

static void
test_kill (gconstpointer data)
{
  Pace pace = GPOINTER_TO_INT (data);

  for (guint n_commits = 1; n_commits <= N_WRITES; n_commits++)
    {
      g_autoptr (StoreDirectory) directory = store_directory_new ();
      int fds[2], status;

      g_assert_cmpint (pipe (fds), ==, 0);

      pid_t pid = fork ();

      g_assert_cmpint (pid, >=, 0);
      if (pid == 0)
        {
          close (fds[0]);
          live (directory, pace, n_commits, fds[1]);
        }
      close (fds[1]);

      guint n_answered = count_answers (fds[0]);

      close (fds[0]);
      g_assert_cmpint (waitpid (pid, &status, 0), ==, pid);
      g_assert_true (WIFSIGNALED (status));
      g_assert_cmpint (WTERMSIG (status), ==, SIGKILL);
      if (pace == ONE_BY_ONE)
        g_assert_cmpuint (n_answered, ==, n_commits - 1);
      check_content (directory, n_answered, n_commits);
    }
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_data_func ("/store/kill/after-each-commit-all-answered-writes-are-there",
                        GINT_TO_POINTER (ONE_BY_ONE), test_kill);
  g_test_add_data_func ("/store/kill/within-a-group-all-answered-writes-are-there",
                        GINT_TO_POINTER (ALL_AT_ONCE), test_kill);

  return g_test_run ();
}
