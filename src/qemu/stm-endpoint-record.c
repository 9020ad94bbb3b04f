/* Keeps a file per running endpoint, so that a service that crashed finds what it left behind.
 *
 * Called on workers by StmQemuProcess, and by the driver at start. Endpoints end with the thread
 * that started them (the kernel's parent-death signal); the records are for the moment in which
 * they have been told to and still hold an image. Never signals a process whose start time differs
 * from the record.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "stm-endpoint-record.h"

#include "stemma-error.h"

#include <glib/gstdio.h>

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/pidfd.h>
#include <unistd.h>

#define ENDPOINTS_DIRECTORY "endpoints"
/* An orphan that waits for its disk in the kernel ends when the disk has answered. */
#define REAP_TIMEOUT_MS (60 * 1000)
#define MAX_RECORDS 10000
/* Field 22 of /proc/<pid>/stat; counted from the end of field 2, which may hold anything. */
#define START_TIME_AFTER_NAME 20

static gboolean
set_errno_error (GError **error, int number, const char *what, const char *path)
{
  StemmaError code = number == ENOSPC   ? STEMMA_ERROR_NO_SPACE
                     : number == EROFS  ? STEMMA_ERROR_READ_ONLY
                     : number == EACCES ? STEMMA_ERROR_NOT_ALLOWED
                                        : STEMMA_ERROR_FAILED;

  g_set_error (error, STEMMA_ERROR, code, "%s %s: %s", what, path, g_strerror (number));
  return FALSE;
}

static gboolean
read_start_time (pid_t pid, guint64 *out_ticks)
{
  g_autofree char *path = g_strdup_printf ("/proc/%d/stat", (int) pid);
  g_autofree char *content = NULL;

  if (!g_file_get_contents (path, &content, NULL, NULL))
    return FALSE;

  const char *name_end = strrchr (content, ')');

  if (name_end == NULL)
    return FALSE;

  g_auto (GStrv) fields = g_strsplit (name_end + 1, " ", START_TIME_AFTER_NAME + 2);

  /* fields[0] is empty: a blank follows the name. */
  return g_strv_length (fields) > START_TIME_AFTER_NAME
         && g_ascii_string_to_unsigned (fields[START_TIME_AFTER_NAME], 10, 0, G_MAXUINT64,
                                        out_ticks, NULL);
}

char *
stm_endpoint_record_add (const char *run_directory, pid_t pid, GError **error)
{
  g_autofree char *directory = g_build_filename (run_directory, ENDPOINTS_DIRECTORY, NULL);
  guint64 ticks = 0;

  if (g_mkdir_with_parents (directory, 0700) != 0)
    {
      set_errno_error (error, errno, "making the directory", directory);
      return NULL;
    }
  if (!read_start_time (pid, &ticks))
    {
      g_set_error (error, STEMMA_ERROR, STEMMA_ERROR_HYPERVISOR,
                   "QEMU, process %d, ended before it began", (int) pid);
      return NULL;
    }

  g_autofree char *path = g_strdup_printf ("%s/%d-%" G_GUINT64_FORMAT, directory, (int) pid, ticks);
  int fd = open (path, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);

  if (fd < 0)
    {
      set_errno_error (error, errno, "recording an endpoint as", path);
      return NULL;
    }
  close (fd);

  return g_steal_pointer (&path);
}

void
stm_endpoint_record_remove (const char *path)
{
  /* One that stays is harmless: its process is gone, and reaping removes it. */
  (void) g_unlink (path);
}

static gboolean
parse_record (const char *name, pid_t *out_pid, guint64 *out_ticks)
{
  g_auto (GStrv) parts = g_strsplit (name, "-", 3);
  guint64 pid = 0;

  if (g_strv_length (parts) != 2
      || !g_ascii_string_to_unsigned (parts[0], 10, 2, G_MAXINT, &pid, NULL)
      || !g_ascii_string_to_unsigned (parts[1], 10, 0, G_MAXUINT64, out_ticks, NULL))
    return FALSE;

  *out_pid = (pid_t) pid;
  return TRUE;
}

static gboolean
await_end (int pidfd, pid_t pid, GCancellable *cancellable, GError **error)
{
  GPollFD cancel = { .fd = -1 };
  gboolean can_cancel = g_cancellable_make_pollfd (cancellable, &cancel);
  struct pollfd fds[] = { { .fd = pidfd, .events = POLLIN },
                          { .fd = can_cancel ? cancel.fd : -1, .events = POLLIN } };
  int n_ready;

  do
    n_ready = poll (fds, G_N_ELEMENTS (fds), REAP_TIMEOUT_MS);
  while (n_ready < 0 && errno == EINTR);
  if (can_cancel)
    g_cancellable_release_fd (cancellable);
  if (fds[0].revents != 0)
    return TRUE;

  g_set_error (error, STEMMA_ERROR,
               fds[1].revents != 0 ? STEMMA_ERROR_CANCELLED : STEMMA_ERROR_TIMED_OUT,
               "an orphaned QEMU, process %d, was killed and is not gone yet; it may wait for its "
               "disk",
               (int) pid);
  return FALSE;
}

/* Ends the process if it is still the recorded one. */
static gboolean
reap_one (const char *name, GCancellable *cancellable, GError **error)
{
  pid_t pid = 0;
  guint64 recorded = 0;
  guint64 found = 0;
  gboolean is_gone = TRUE;

  if (!parse_record (name, &pid, &recorded))
    return TRUE;

  /* The descriptor first: from here on the pid cannot pass to another process unseen. */
  int pidfd = pidfd_open (pid, 0);

  if (pidfd < 0)
    return errno == ESRCH || errno == EINVAL
           || set_errno_error (error, errno, "looking for an orphaned QEMU, process", name);
  if (read_start_time (pid, &found) && found == recorded)
    {
      if (pidfd_send_signal (pidfd, SIGKILL, NULL, 0) == 0)
        is_gone = await_end (pidfd, pid, cancellable, error);
      else
        is_gone = errno == ESRCH
                  || set_errno_error (error, errno, "killing an orphaned QEMU, process", name);
    }
  close (pidfd);

  return is_gone;
}

gboolean
stm_endpoint_records_reap_sync (const char *run_directory, GCancellable *cancellable,
                                GError **error)
{
  g_return_val_if_fail (run_directory != NULL, FALSE);

  g_autofree char *directory = g_build_filename (run_directory, ENDPOINTS_DIRECTORY, NULL);
  g_autoptr (GError) local_error = NULL;
  g_autoptr (GDir) listing = g_dir_open (directory, 0, &local_error);
  const char *name;
  guint n_records = 0;

  if (listing == NULL)
    {
      if (g_error_matches (local_error, G_FILE_ERROR, G_FILE_ERROR_NOENT))
        return TRUE;
      g_set_error (error, STEMMA_ERROR, STEMMA_ERROR_FAILED, "looking for orphaned endpoints: %s",
                   local_error->message);
      return FALSE;
    }
  while ((name = g_dir_read_name (listing)) != NULL && n_records++ < MAX_RECORDS)
    {
      g_autofree char *path = g_build_filename (directory, name, NULL);

      if (!reap_one (name, cancellable, error))
        return FALSE;
      stm_endpoint_record_remove (path);
    }

  return TRUE;
}
