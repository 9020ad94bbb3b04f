/* Documents from descriptors of all kinds, and what must not hold the service up.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "stemma-error.h"
#include "stm-documents.h"

#include <fcntl.h>
#include <glib-unix.h>
#include <glib/gstdio.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* A writer that is not there is waited for no longer than this. */
#define SHORT_SILENCE 50
#define LONG_SILENCE 60000

typedef struct
{
  int fd;
  const char *bytes;
  gsize length;
  gboolean stays_open;
} Writer;

static gpointer
write_all (gpointer data)
{
  const Writer *writer = data;
  gsize n_written = 0;

  while (n_written < writer->length)
    {
      gssize n = write (writer->fd, writer->bytes + n_written, writer->length - n_written);

      /* The reader has seen enough. */
      if (n < 0)
        break;
      n_written += (gsize) n;
    }
  if (!writer->stays_open)
    close (writer->fd);
  return NULL;
}

static gboolean
collect (const char *text, gsize length, gpointer user_data, GError **error)
{
  GPtrArray *texts = user_data;

  g_assert_cmpuint (strlen (text), ==, length);
  if (g_str_equal (text, "refuse"))
    {
      g_set_error (error, STEMMA_ERROR, STEMMA_ERROR_INVALID_XML, "refused");
      return FALSE;
    }
  g_ptr_array_add (texts, g_strdup (text));
  return TRUE;
}

static GPtrArray *
read_texts (int fd, guint silence, GCancellable *cancellable, GError **error)
{
  g_autoptr (GPtrArray) texts = g_ptr_array_new_with_free_func (g_free);

  return stm_documents_read_sync (fd, silence, collect, texts, cancellable, error)
             ? g_steal_pointer (&texts)
             : NULL;
}

static int
file_of (const char *bytes, gsize length)
{
  g_autofree char *path = NULL;
  int fd = g_file_open_tmp (NULL, &path, NULL);

  g_assert_cmpint (fd, >=, 0);
  g_unlink (path);
  g_assert_cmpint (write (fd, bytes, length), ==, (gssize) length);
  g_assert_cmpint (lseek (fd, 0, SEEK_SET), ==, 0);
  return fd;
}

static void
assert_texts (const GPtrArray *texts)
{
  g_assert_cmpuint (texts->len, ==, 3);
  g_assert_cmpstr (texts->pdata[0], ==, "one");
  g_assert_cmpstr (texts->pdata[1], ==, "");
  g_assert_cmpstr (texts->pdata[2], ==, "three");
}

static void
test_file (void)
{
  int fd = file_of ("one\0\0three", 11);
  g_autoptr (GError) error = NULL;
  g_autoptr (GPtrArray) texts = read_texts (fd, LONG_SILENCE, NULL, &error);

  g_assert_no_error (error);
  assert_texts (texts);
  close (fd);
}

static void
read_from_writer (int fd, Writer *writer)
{
  g_autoptr (GError) error = NULL;
  GThread *thread = g_thread_new ("writer", write_all, writer);
  g_autoptr (GPtrArray) texts = read_texts (fd, LONG_SILENCE, NULL, &error);

  g_assert_no_error (error);
  assert_texts (texts);
  g_thread_join (thread);
  close (fd);
}

static void
test_pipe_and_socket (void)
{
  int fds[2];
  Writer writer = { .bytes = "one\0\0three", .length = 11 };

  g_assert_true (g_unix_open_pipe (fds, FD_CLOEXEC, NULL));
  writer.fd = fds[1];
  read_from_writer (fds[0], &writer);

  g_assert_cmpint (socketpair (AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), ==, 0);
  writer.fd = fds[1];
  read_from_writer (fds[0], &writer);

  g_assert_cmpint (socketpair (AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds), ==, 0);
  writer.fd = fds[1];
  read_from_writer (fds[0], &writer);
}

static void
test_not_ended (void)
{
  int fd = file_of ("one\0two", 7);
  g_autoptr (GError) error = NULL;

  g_assert_null (read_texts (fd, LONG_SILENCE, NULL, &error));
  g_assert_error (error, STEMMA_ERROR, STEMMA_ERROR_INVALID_ARGUMENT);
  g_assert_nonnull (strstr (error->message, "document 2"));
  close (fd);
}

static void
test_empty (void)
{
  int fd = file_of ("", 0);
  g_autoptr (GError) error = NULL;
  g_autoptr (GPtrArray) texts = read_texts (fd, LONG_SILENCE, NULL, &error);

  g_assert_no_error (error);
  g_assert_cmpuint (texts->len, ==, 0);
  close (fd);
}

static void
test_too_large (void)
{
  gsize length = 5 * 1024 * 1024;
  g_autofree char *bytes = g_strnfill (length, 'x');
  int fd = file_of (bytes, length);
  g_autoptr (GError) error = NULL;

  g_assert_null (read_texts (fd, LONG_SILENCE, NULL, &error));
  g_assert_error (error, STEMMA_ERROR, STEMMA_ERROR_TOO_LARGE);
  close (fd);
}

/* A document that is refused ends the reading, however much would follow. */
static void
test_refused (void)
{
  int fds[2];
  g_autoptr (GError) error = NULL;
  gsize length = 8 * 1024 * 1024;
  g_autofree char *bytes = g_malloc0 (length);
  Writer writer = { .bytes = bytes, .length = length };
  GThread *thread;

  memcpy (bytes, "refuse", 6);
  g_assert_cmpint (socketpair (AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), ==, 0);
  writer.fd = fds[1];
  thread = g_thread_new ("writer", write_all, &writer);
  g_assert_null (read_texts (fds[0], LONG_SILENCE, NULL, &error));
  g_assert_error (error, STEMMA_ERROR, STEMMA_ERROR_INVALID_XML);
  close (fds[0]);
  g_thread_join (thread);
}

static void
test_silence (void)
{
  int fds[2];
  g_autoptr (GError) error = NULL;
  Writer writer = { .bytes = "one\0", .length = 4, .stays_open = TRUE };

  g_assert_true (g_unix_open_pipe (fds, FD_CLOEXEC, NULL));
  writer.fd = fds[1];
  write_all (&writer);
  g_assert_null (read_texts (fds[0], SHORT_SILENCE, NULL, &error));
  g_assert_error (error, STEMMA_ERROR, STEMMA_ERROR_TIMED_OUT);
  close (fds[0]);
  close (fds[1]);
}

static gpointer
cancel (gpointer cancellable)
{
  g_cancellable_cancel (cancellable);
  return NULL;
}

static void
test_cancel (void)
{
  int fds[2];
  g_autoptr (GError) error = NULL;
  g_autoptr (GCancellable) cancellable = g_cancellable_new ();
  GThread *thread;

  g_assert_true (g_unix_open_pipe (fds, FD_CLOEXEC, NULL));
  thread = g_thread_new ("cancel", cancel, cancellable);
  g_assert_null (read_texts (fds[0], LONG_SILENCE, cancellable, &error));
  g_assert_error (error, STEMMA_ERROR, STEMMA_ERROR_CANCELLED);
  g_thread_join (thread);
  close (fds[0]);
  close (fds[1]);
}

static void
test_not_readable (void)
{
  int directory = open ("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  g_autoptr (GError) error = NULL;
  g_autoptr (GError) closed_error = NULL;

  g_assert_null (read_texts (directory, LONG_SILENCE, NULL, &error));
  g_assert_error (error, STEMMA_ERROR, STEMMA_ERROR_INVALID_ARGUMENT);
  close (directory);
  g_assert_null (read_texts (directory, LONG_SILENCE, NULL, &closed_error));
  g_assert_nonnull (closed_error);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  signal (SIGPIPE, SIG_IGN);
  g_test_add_func ("/ops/documents/a-file-is-read-to-its-end", test_file);
  g_test_add_func ("/ops/documents/a-pipe-or-a-socket-is-read-to-its-end", test_pipe_and_socket);
  g_test_add_func ("/ops/documents/the-last-document-must-be-ended", test_not_ended);
  g_test_add_func ("/ops/documents/no-document-is-no-error", test_empty);
  g_test_add_func ("/ops/documents/a-document-without-end-is-too-large", test_too_large);
  g_test_add_func ("/ops/documents/a-refusal-ends-the-reading", test_refused);
  g_test_add_func ("/ops/documents/a-silent-writer-is-not-waited-for", test_silence);
  g_test_add_func ("/ops/documents/a-wait-can-be-cancelled", test_cancel);
  g_test_add_func ("/ops/documents/what-cannot-be-read-is-refused", test_not_readable);
  return g_test_run ();
}
