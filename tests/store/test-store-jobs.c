/* The last number of a job: what was put on record is there at the next start, also after a kill.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "store-fixture.h"

#include "stemma-error.h"

#include <signal.h>
#include <sqlite3.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static void
sql (const char *directory, const char *text)
{
  g_autofree char *path = store_file (directory, "");
  sqlite3 *db = NULL;

  g_assert_cmpint (sqlite3_open (path, &db), ==, SQLITE_OK);
  g_assert_cmpint (sqlite3_exec (db, text, NULL, NULL, NULL), ==, SQLITE_OK);
  g_assert_cmpint (sqlite3_close (db), ==, SQLITE_OK);
}

static guint
last_job_on_record (const char *directory)
{
  g_autoptr (StmStoreContent) content = NULL;

  close_store (open_store (directory, &content));
  g_assert_cmpstr (content->health, ==, "ok");
  return content->last_job;
}

static void
reserve_ok (StmStore *store, guint last_job)
{
  g_autoptr (GError) error = NULL;

  stm_store_reserve_jobs_sync (store, last_job, &error);
  g_assert_no_error (error);
}

static void
test_new_store (void)
{
  g_autoptr (StoreDirectory) directory = store_directory_new ();

  g_assert_cmpuint (last_job_on_record (directory), ==, 0);
}

static void
test_reserved (void)
{
  g_autoptr (StoreDirectory) directory = store_directory_new ();
  g_autoptr (StmChange) change = sample_define (1, 5);
  StmStore *store = open_store (directory, NULL);

  reserve_ok (store, 100);
  write_ok (store, change);
  reserve_ok (store, 200);
  close_store (store);
  g_assert_cmpuint (last_job_on_record (directory), ==, 200);
}

static void
test_lower (void)
{
  g_autoptr (StoreDirectory) directory = store_directory_new ();
  StmStore *store = open_store (directory, NULL);

  reserve_ok (store, G_MAXUINT32);
  reserve_ok (store, 1);
  close_store (store);
  g_assert_cmpuint (last_job_on_record (directory), ==, G_MAXUINT32);
}

/* Store thread. */
static void
die (const StmJournalEntry *entry, StmJournalAction action, gpointer unused)
{
  kill (getpid (), SIGKILL);
}

static void
test_killed (void)
{
  g_autoptr (StoreDirectory) directory = store_directory_new ();
  int status = 0;
  pid_t pid = fork ();

  g_assert_cmpint (pid, >=, 0);
  if (pid == 0)
    {
      StmStore *store = open_store (directory, NULL);

      stm_store_set_hook (store, die, /* user_data= */ NULL);
      stm_store_reserve_jobs_sync (store, 300, /* error= */ NULL);
      _exit (1);
    }
  g_assert_cmpint (waitpid (pid, &status, 0), ==, pid);
  g_assert_true (WIFSIGNALED (status));
  g_assert_cmpuint (last_job_on_record (directory), ==, 300);
}

/* What is on record can be read in a store that cannot be written, and stays as it is. */
static void
test_read_only (void)
{
  g_autoptr (StoreDirectory) directory = store_directory_new ();
  g_autoptr (StmStoreContent) content = NULL;
  g_autoptr (GError) error = NULL;
  StmStore *store = open_store (directory, NULL);

  reserve_ok (store, 400);
  close_store (store);
  sql (directory, "INSERT INTO current VALUES (7, 'x')");
  store = open_store (directory, &content);
  g_assert_true (g_str_has_prefix (content->health, "read-only: "));
  g_assert_cmpuint (content->last_job, ==, 400);
  g_assert_false (stm_store_reserve_jobs_sync (store, 500, &error));
  g_assert_error (error, STEMMA_ERROR, STEMMA_ERROR_READ_ONLY);
  close_store (store);
}

static void
test_closed (void)
{
  g_autoptr (StoreDirectory) directory = store_directory_new ();
  g_autoptr (StmStore) store = open_store (directory, NULL);
  g_autoptr (GError) error = NULL;

  stm_store_close_sync (store);
  g_assert_false (stm_store_reserve_jobs_sync (store, 1, &error));
  g_assert_error (error, STEMMA_ERROR, STEMMA_ERROR_FAILED);
}

/* Were it taken as it is, numbers would begin again. */
static void
test_damaged (void)
{
  g_autoptr (StoreDirectory) directory = store_directory_new ();
  g_autoptr (StmStoreContent) content = NULL;

  close_store (open_store (directory, NULL));
  sql (directory, "UPDATE service SET last_job = -1");
  close_store (open_store (directory, &content));
  g_assert_nonnull (strstr (content->health, "out of range"));
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/store/jobs/none-is-on-record-in-a-new-store", test_new_store);
  g_test_add_func ("/store/jobs/reserved-numbers-are-on-record-after-reopen", test_reserved);
  g_test_add_func ("/store/jobs/lower-number-changes-nothing", test_lower);
  g_test_add_func ("/store/jobs/reserved-numbers-outlive-a-kill", test_killed);
  g_test_add_func ("/store/jobs/read-only-store-tells-and-reserves-none", test_read_only);
  g_test_add_func ("/store/jobs/closed-store-reserves-none", test_closed);
  g_test_add_func ("/store/jobs/damaged-number-is-said", test_damaged);

  return g_test_run ();
}
