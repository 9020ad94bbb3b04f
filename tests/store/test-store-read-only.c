/* A place that cannot be written, and a store that another process has.
 *
 * Rights do not bind root, so that these tests give them up in a child where they have them.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "store-fixture.h"

#include "stemma-error.h"

#include <glib/gstdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define NOBODY 65534 /* uid and gid */

typedef void (*Body) (const char *directory);

/* Runs the body where rights bind; what it asserts aborts the child. */
static void
run_without_privileges (const char *directory, Body body)
{
  int status;
  pid_t pid = fork ();

  g_assert_cmpint (pid, >=, 0);
  if (pid == 0)
    {
      if (geteuid () == 0 && (setgid (NOBODY) != 0 || setuid (NOBODY) != 0))
        _exit (3);
      body (directory);
      _exit (0);
    }
  g_assert_cmpint (waitpid (pid, &status, 0), ==, pid);
  g_assert_true (WIFEXITED (status));
  g_assert_cmpint (WEXITSTATUS (status), ==, 0);
}

static void
give_away (const char *directory, const char *suffix, guint mode)
{
  g_autofree char *path = suffix == NULL ? g_strdup (directory) : store_file (directory, suffix);

  if (geteuid () == 0)
    g_assert_cmpint (chown (path, NOBODY, NOBODY), ==, 0);
  g_assert_cmpint (g_chmod (path, (int) mode), ==, 0);
}

/* A store with a domain, as a crash leaves it: the domain is in the log only. */
static char *
crashed_store (void)
{
  g_autoptr (StoreDirectory) directory = store_directory_new ();
  char *crashed = store_directory_new ();
  g_autoptr (StmChange) change = sample_define (1, 5);
  StmStore *store = open_store (directory, NULL);

  write_ok (store, change);
  copy_store (directory, crashed);
  close_store (store);
  return crashed;
}

/* Child: all is there to be read, nothing is written. */
static void
expect_read_only (const char *directory)
{
  g_autoptr (GMainContext) context = g_main_context_new ();
  g_autoptr (StmStoreContent) content = NULL;
  g_autoptr (StmChange) change = sample_define (2, 6);
  g_autoptr (GError) error = NULL;
  g_autofree char *id = sample_id (1);
  StmStore *store = open_store (directory, &content);

  g_main_context_push_thread_default (context);
  g_assert_true (g_str_has_prefix (content->health, "read-only: "));
  g_assert_nonnull (strstr (content->health, "cannot be written"));
  g_assert_nonnull (strstr (content->health, "make it writable"));

  g_autoptr (StmModel) model = model_of_content (content);
  g_autofree char *text = read_definition_and_wait (store, "hash-1", NULL);

  g_assert_cmpuint (stm_model_generation (model, id), ==, 5);
  g_assert_cmpstr (text, ==, "<domain>1</domain>");
  g_assert_false (write_and_wait (store, change, STM_JOURNAL_NONE, NULL, &error));
  g_assert_error (error, STEMMA_ERROR, STEMMA_ERROR_READ_ONLY);
  close_store (store);
  g_main_context_pop_thread_default (context);
}

static void
test_read_only_directory (void)
{
  g_autoptr (StoreDirectory) directory = crashed_store ();

  give_away (directory, "", 0600);
  give_away (directory, "-wal", 0600);
  give_away (directory, NULL, 0500);
  run_without_privileges (directory, expect_read_only);
  g_assert_cmpint (g_chmod (directory, 0700), ==, 0);
}

static void
test_read_only_file (void)
{
  g_autoptr (StoreDirectory) directory = crashed_store ();

  give_away (directory, "", 0400);
  give_away (directory, "-wal", 0600);
  give_away (directory, NULL, 0700);
  run_without_privileges (directory, expect_read_only);
}

/* Child: there is nothing yet and nothing can be made. */
static void
expect_empty (const char *directory)
{
  g_autoptr (StmStoreContent) content = NULL;
  StmStore *store = open_store (directory, &content);

  g_assert_nonnull (strstr (content->health, "there is no "));
  g_assert_cmpuint (content->changes->len, ==, 0);
  close_store (store);
}

static void
test_read_only_and_new (void)
{
  g_autoptr (StoreDirectory) directory = store_directory_new ();

  give_away (directory, NULL, 0500);
  run_without_privileges (directory, expect_empty);
  g_assert_cmpint (g_chmod (directory, 0700), ==, 0);
}

/* Child: the state directory cannot even be made. */
static void
expect_no_directory (const char *directory)
{
  g_autofree char *below = g_build_filename (directory, "state", NULL);
  g_autoptr (GError) error = NULL;

  g_assert_null (stm_store_open_sync (below, NULL, &error));
  g_assert_error (error, STEMMA_ERROR, STEMMA_ERROR_READ_ONLY);
}

static void
test_no_directory (void)
{
  g_autoptr (StoreDirectory) directory = store_directory_new ();

  give_away (directory, NULL, 0500);
  run_without_privileges (directory, expect_no_directory);
  g_assert_cmpint (g_chmod (directory, 0700), ==, 0);
}

static void
test_file_in_the_place_of_the_directory (void)
{
  g_autoptr (StoreDirectory) directory = store_directory_new ();
  g_autofree char *path = store_file (directory, "");
  g_autoptr (GError) error = NULL;

  g_assert_true (g_file_set_contents (path, "x", 1, NULL));
  g_assert_null (stm_store_open_sync (path, NULL, &error));
  g_assert_error (error, STEMMA_ERROR, STEMMA_ERROR_FAILED);
}

static void
test_locked (void)
{
  g_autoptr (StoreDirectory) directory = store_directory_new ();
  g_autoptr (GError) error = NULL;
  int told[2], stop[2], status;
  char byte;

  g_assert_cmpint (pipe (told), ==, 0);
  g_assert_cmpint (pipe (stop), ==, 0);

  pid_t pid = fork ();

  g_assert_cmpint (pid, >=, 0);
  if (pid == 0)
    {
      close (stop[1]);

      StmStore *store = stm_store_open_sync (directory, NULL, NULL);

      if (store == NULL || write (told[1], "!", 1) != 1 || read (stop[0], &byte, 1) != 0)
        _exit (3);
      _exit (0);
    }
  close (stop[0]);
  g_assert_cmpint (read (told[0], &byte, 1), ==, 1);

  g_assert_null (stm_store_open_sync (directory, NULL, &error));
  g_assert_error (error, STEMMA_ERROR, STEMMA_ERROR_BUSY);

  close (stop[1]);
  g_assert_cmpint (waitpid (pid, &status, 0), ==, pid);
  g_assert_cmpint (status, ==, 0);
  close (told[0]);
  close (told[1]);
  close_store (open_store (directory, NULL));
}

static void
test_locked_by_ourselves (void)
{
  g_autoptr (StoreDirectory) directory = store_directory_new ();
  g_autoptr (GError) error = NULL;
  StmStore *store = open_store (directory, NULL);
  g_autoptr (StmChange) change = sample_define (1, 1);

  g_assert_null (stm_store_open_sync (directory, NULL, &error));
  g_assert_error (error, STEMMA_ERROR, STEMMA_ERROR_BUSY);
  write_ok (store, change);
  close_store (store);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/store/read-only/directory-with-a-log-is-read-whole", test_read_only_directory);
  g_test_add_func ("/store/read-only/file-is-read-whole", test_read_only_file);
  g_test_add_func ("/store/read-only/new-directory-is-empty-and-says-so", test_read_only_and_new);
  g_test_add_func ("/store/read-only/directory-that-cannot-be-made-fails", test_no_directory);
  g_test_add_func ("/store/open/file-in-the-place-of-the-directory-fails",
                   test_file_in_the_place_of_the_directory);
  g_test_add_func ("/store/lock/another-process-is-busy", test_locked);
  g_test_add_func ("/store/lock/the-same-process-is-busy", test_locked_by_ourselves);

  return g_test_run ();
}
