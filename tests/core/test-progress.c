/* Progress: what the main loop sees of a worker, and who wins between seal and cancel.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "stm-progress.h"

#define N_RACES 2000

static void
test_starts_at_zero (void)
{
  g_autoptr (StmProgress) progress = stm_progress_new ();

  g_assert_cmpuint (stm_progress_get_total (progress), ==, 0);
  g_assert_cmpuint (stm_progress_get_done (progress), ==, 0);
  g_assert_cmpstr (stm_progress_get_phase (progress), ==, "");
  g_assert_false (stm_progress_is_sealed (progress));
}

static void
test_steps_add_up (void)
{
  g_autoptr (StmProgress) progress = stm_progress_new ();

  stm_progress_set_total (progress, 100);
  stm_progress_set_phase (progress, "commit");
  stm_progress_set_step_done (progress, 30);
  g_assert_cmpuint (stm_progress_get_done (progress), ==, 30);
  /* An estimate may have been too high: the finished step counts what it was. */
  stm_progress_finish_step (progress, 25);
  g_assert_cmpuint (stm_progress_get_done (progress), ==, 25);
  stm_progress_set_step_done (progress, 5);
  g_assert_cmpuint (stm_progress_get_done (progress), ==, 30);
  g_assert_cmpuint (stm_progress_get_total (progress), ==, 100);
  g_assert_cmpstr (stm_progress_get_phase (progress), ==, "commit");
}

static void
test_sealed_refuses_cancel (void)
{
  g_autoptr (StmProgress) progress = stm_progress_new ();

  g_assert_true (stm_progress_seal (progress));
  g_assert_true (stm_progress_is_sealed (progress));
  g_assert_false (stm_progress_cancel (progress));
  g_assert_true (stm_progress_seal (progress));
}

static void
test_cancelled_refuses_seal (void)
{
  g_autoptr (StmProgress) progress = stm_progress_new ();

  g_assert_true (stm_progress_cancel (progress));
  g_assert_false (stm_progress_seal (progress));
  g_assert_false (stm_progress_is_sealed (progress));
  g_assert_true (stm_progress_cancel (progress));
}

static gpointer
seal_all (gpointer data)
{
  StmProgress **races = data;
  guint n_sealed = 0;

  for (guint i = 0; i < N_RACES; i++)
    n_sealed += stm_progress_seal (races[i]);

  return GUINT_TO_POINTER (n_sealed);
}

static void
test_one_wins_each_race (void)
{
  StmProgress *races[N_RACES];
  guint n_cancelled = 0, n_sealed;

  for (guint i = 0; i < N_RACES; i++)
    races[i] = stm_progress_new ();

  GThread *worker = g_thread_new ("seal", seal_all, races);

  /* From the other end, so that the two meet in the middle. */
  for (guint i = N_RACES; i > 0; i--)
    n_cancelled += stm_progress_cancel (races[i - 1]);
  n_sealed = GPOINTER_TO_UINT (g_thread_join (worker));
  g_assert_cmpuint (n_cancelled + n_sealed, ==, N_RACES);

  for (guint i = 0; i < N_RACES; i++)
    {
      g_assert_true (stm_progress_is_sealed (races[i]) == !stm_progress_cancel (races[i]));
      stm_progress_unref (races[i]);
    }
}

static gpointer
work_in_steps (gpointer data)
{
  StmProgress *progress = data;

  for (guint step = 0; step < 100; step++)
    {
      for (guint64 bytes = 0; bytes <= 100; bytes++)
        stm_progress_set_step_done (progress, bytes);
      stm_progress_finish_step (progress, 100);
    }

  return NULL;
}

static void
test_done_never_goes_back (void)
{
  g_autoptr (StmProgress) progress = stm_progress_new ();
  GThread *worker = g_thread_new ("work", work_in_steps, progress);
  guint64 last = 0;

  while (last < 100 * 100)
    {
      guint64 done = stm_progress_get_done (progress);

      g_assert_cmpuint (done, >=, last);
      last = done;
      g_thread_yield ();
    }
  g_thread_join (worker);
  g_assert_cmpuint (stm_progress_get_done (progress), ==, 100 * 100);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/core/progress/starts-at-zero", test_starts_at_zero);
  g_test_add_func ("/core/progress/steps-add-up", test_steps_add_up);
  g_test_add_func ("/core/progress/sealed-refuses-cancel", test_sealed_refuses_cancel);
  g_test_add_func ("/core/progress/cancelled-refuses-seal", test_cancelled_refuses_seal);
  g_test_add_func ("/core/progress/one-wins-each-race", test_one_wins_each_race);
  g_test_add_func ("/core/progress/done-never-goes-back", test_done_never_goes_back);

  return g_test_run ();
}
