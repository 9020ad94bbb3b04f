/* Starts, watches, ends and always reaps one QEMU process.
 *
 * Called on workers; the thread that starts it must outlive it, for the kernel's parent-death
 * signal goes by thread. Never looks at images and never speaks QMP.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "stm-qemu-process.h"

#include "stm-endpoint-record.h"
#include "stm-qemu-args.h"
#include "stm-qemu-child.h"

#include "stemma-error.h"

#include <glib-unix.h>

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pwd.h>
#include <signal.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

/* Of what it says on standard error, the end is shown. */
#define MAX_WORDS 2048
#define MAX_PASSWD_BYTES (64 * 1024)
#define EXEC_TIMEOUT_S 30

struct _StmQemuProcess
{
  pid_t pid; /* 0 when reaped */
  int pidfd;
  int words_fd; /* its standard error, read end; never blocks either side */
  char *record;
  GString *words;
};

/* What is open only between fork and exec. */
typedef struct
{
  int qmp[2];     /* ours, the child's */
  int control[2]; /* the same */
  int words[2];   /* read end, write end */
  int null_fd;
} Descriptors;

static void
close_fd (int *fd)
{
  if (*fd >= 0)
    close (*fd);
  *fd = -1;
}

#define NO_DESCRIPTORS                                                                             \
  {                                                                                                \
    { -1, -1 }, { -1, -1 }, { -1, -1 }, -1                                                         \
  }

static void
descriptors_clear (Descriptors *self)
{
  for (int i = 0; i < 2; i++)
    {
      close_fd (&self->qmp[i]);
      close_fd (&self->control[i]);
      close_fd (&self->words[i]);
    }
  close_fd (&self->null_fd);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Descriptors, descriptors_clear)

static gboolean
fail_start (GError **error, int number, const char *what)
{
  g_set_error (error, STEMMA_ERROR,
               number == ENOENT || number == EACCES ? STEMMA_ERROR_NOT_SUPPORTED
                                                    : STEMMA_ERROR_HYPERVISOR,
               "starting QEMU: %s: %s", what, g_strerror (number));
  return FALSE;
}

static gboolean
descriptors_open (Descriptors *self, GError **error)
{
  if (socketpair (AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, self->control) != 0
      /* Not blocking for the child either: what it says beyond the pipe's size is lost rather than
       * stopping it. */
      || pipe2 (self->words, O_CLOEXEC | O_NONBLOCK) != 0
      || (self->null_fd = open ("/dev/null", O_RDWR | O_CLOEXEC)) < 0)
    return fail_start (error, errno, "opening its descriptors");

  return TRUE;
}

static char *
find_binary (const char *binary, GError **error)
{
  g_autofree char *path = g_find_program_in_path (binary);

  if (path == NULL || !g_path_is_absolute (path))
    {
      g_set_error (error, STEMMA_ERROR, STEMMA_ERROR_NOT_SUPPORTED,
                   "starting QEMU: there is no program \"%s\"; install QEMU (Debian: "
                   "qemu-system-x86 and qemu-utils)",
                   binary);
      return NULL;
    }

  return g_steal_pointer (&path);
}

static gboolean
find_user (const char *name, StmQemuChild *child, GError **error)
{
  g_autofree char *buffer = g_malloc (MAX_PASSWD_BYTES);
  struct passwd entry;
  struct passwd *found = NULL;
  int number = getpwnam_r (name, &entry, buffer, MAX_PASSWD_BYTES, &found);

  if (found == NULL)
    {
      g_set_error (error, STEMMA_ERROR, STEMMA_ERROR_NOT_SUPPORTED,
                   "starting QEMU: there is no user \"%s\" to run it as%s%s; install Stemma's "
                   "sysusers file and run systemd-sysusers",
                   name, number != 0 ? ": " : "", number != 0 ? g_strerror (number) : "");
      return FALSE;
    }
  if (geteuid () != 0 && found->pw_uid != geteuid ())
    {
      g_set_error (error, STEMMA_ERROR, STEMMA_ERROR_NOT_SUPPORTED,
                   "starting QEMU: only a service that runs as root can run it as user \"%s\"",
                   name);
      return FALSE;
    }
  child->changes_user = geteuid () == 0;
  child->uid = found->pw_uid;
  child->gid = found->pw_gid;

  return TRUE;
}

/* Lets the child go on, and learns whether it came to be QEMU. */
static gboolean
release_child (int control_fd, const char *binary, GError **error)
{
  const struct timeval timeout = { .tv_sec = EXEC_TIMEOUT_S };
  StmQemuChildFailure failure = { 0 };
  ssize_t n_read;

  /* To load a program can wait for a disk that does not answer. */
  (void) setsockopt (control_fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof timeout);
  if (send (control_fd, "g", 1, MSG_NOSIGNAL) != 1)
    return fail_start (error, errno, binary);
  /* The other end closes by itself when exec succeeds. */
  do
    n_read = recv (control_fd, &failure, sizeof failure, MSG_WAITALL);
  while (n_read < 0 && errno == EINTR);

  if (n_read == (ssize_t) sizeof failure)
    {
      g_autofree char *what = g_strdup_printf ("%s %s", stm_qemu_child_step_to_text (failure.step),
                                               binary);

      return fail_start (error, failure.number, what);
    }
  if (n_read < 0)
    return fail_start (error, errno == EAGAIN ? ETIMEDOUT : errno, binary);

  return TRUE;
}

static pid_t
fork_child (const StmQemuChild *child)
{
  pid_t pid = fork ();

  if (pid == 0)
    stm_qemu_child_run (child);

  return pid;
}

static StmQemuProcess *
spawn (const StmQemuSetup *setup, const StmQemuChild *child, Descriptors *descriptors,
       GError **error)
{
  g_autoptr (StmQemuProcess) self = g_new0 (StmQemuProcess, 1);
  /* Not within MAX(): a macro that names its argument twice forks twice. */
  pid_t pid = fork_child (child);

  self->pidfd = -1;
  self->words_fd = -1;
  self->words = g_string_new (NULL);
  self->pid = MAX (pid, 0);
  if (self->pid == 0)
    {
      fail_start (error, errno, "making a process");
      return NULL;
    }
  /* The child's ends, so that its death is seen at ours. */
  close_fd (&descriptors->qmp[1]);
  close_fd (&descriptors->control[1]);
  close_fd (&descriptors->words[1]);
  self->words_fd = g_steal_fd (&descriptors->words[0]);

  self->pidfd = pidfd_open (self->pid, 0);
  if (self->pidfd < 0)
    {
      fail_start (error, errno, "watching the process");
      return NULL;
    }
  self->record = stm_endpoint_record_add (setup->run_directory, self->pid, error);
  if (self->record == NULL || !release_child (descriptors->control[0], child->binary, error))
    return NULL;

  return g_steal_pointer (&self);
}

/* Its socket is descriptors->qmp[1]. */
static StmQemuProcess *
start (const StmQemuSetup *setup, StmQemuChild *child, Descriptors *descriptors, GError **error)
{
  static const char *const environment[] = { "LC_ALL=C", "PATH=/usr/bin:/bin", NULL };

  if ((setup->user != NULL && !find_user (setup->user, child, error))
      || !descriptors_open (descriptors, error))
    return NULL;
  child->environment = (char *const *) environment;
  child->parent = getpid ();
  child->null_fd = descriptors->null_fd;
  child->error_fd = descriptors->words[1];
  child->qmp_fd = descriptors->qmp[1];
  child->control_fd = descriptors->control[1];

  return spawn (setup, child, descriptors, error);
}

StmQemuProcess *
stm_qemu_process_start (const StmQemuSetup *setup, int *out_qmp_fd, GError **error)
{
  g_return_val_if_fail (setup != NULL && setup->binary != NULL, NULL);
  g_return_val_if_fail (setup->run_directory != NULL && out_qmp_fd != NULL, NULL);
  g_return_val_if_fail (!g_main_context_is_owner (g_main_context_default ()), NULL);

  g_auto (Descriptors) descriptors = NO_DESCRIPTORS;
  g_autofree char *binary = find_binary (setup->binary, error);

  if (binary == NULL)
    return NULL;
  if (socketpair (AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, descriptors.qmp) != 0)
    {
      fail_start (error, errno, "opening its monitor");
      return NULL;
    }

  g_auto (GStrv) arguments = stm_qemu_args_new (binary, STM_QEMU_CHILD_QMP_FD);
  StmQemuChild child = { .binary = binary, .arguments = arguments };
  StmQemuProcess *self = start (setup, &child, &descriptors, error);

  if (self != NULL)
    *out_qmp_fd = g_steal_fd (&descriptors.qmp[0]);
  return self;
}

StmQemuProcess *
stm_qemu_process_start_tool (const StmQemuSetup *setup, char *const *arguments, int socket_fd,
                             GError **error)
{
  G_STATIC_ASSERT (STM_QEMU_TOOL_SOCKET_FD == STM_QEMU_CHILD_QMP_FD);
  g_return_val_if_fail (setup != NULL && setup->run_directory != NULL, NULL);
  g_return_val_if_fail (arguments != NULL && socket_fd >= 0, NULL);
  g_return_val_if_fail (!g_main_context_is_owner (g_main_context_default ()), NULL);

  g_auto (Descriptors) descriptors = NO_DESCRIPTORS;

  descriptors.qmp[1] = socket_fd;

  g_autofree char *binary = find_binary (arguments[0], error);
  StmQemuChild child = { .binary = binary, .arguments = arguments, .is_filtered = TRUE };

  return binary != NULL ? start (setup, &child, &descriptors, error) : NULL;
}

int
stm_qemu_process_get_pidfd (StmQemuProcess *self)
{
  return self->pidfd;
}

GPid
stm_qemu_process_get_pid (StmQemuProcess *self)
{
  return self->pid;
}

char *
stm_qemu_process_read_words (StmQemuProcess *self)
{
  char bytes[1024];
  ssize_t n_read;

  while ((n_read = read (self->words_fd, bytes, sizeof bytes)) > 0)
    {
      g_string_append_len (self->words, bytes, n_read);
      if (self->words->len > MAX_WORDS)
        g_string_erase (self->words, 0, self->words->len - MAX_WORDS);
    }

  g_autofree char *valid = g_utf8_make_valid (self->words->str, self->words->len);

  return g_strdup (g_strstrip (g_strdelimit (valid, "\r\n", ' ')));
}

/* Blocks until it is gone, however long: what it holds open is not to be touched before. */
static int
reap (StmQemuProcess *self)
{
  int status = 0;
  pid_t pid;

  do
    pid = waitpid (self->pid, &status, 0);
  while (pid < 0 && errno == EINTR);
  self->pid = 0;
  if (self->record != NULL)
    stm_endpoint_record_remove (self->record);

  return status;
}

static gboolean
await_end (StmQemuProcess *self, guint timeout_ms)
{
  struct pollfd fd = { .fd = self->pidfd, .events = POLLIN };
  int n_ready;

  do
    n_ready = poll (&fd, 1, timeout_ms);
  while (n_ready < 0 && errno == EINTR);

  return n_ready > 0;
}

static void
kill_now (StmQemuProcess *self)
{
  /* By pid, which is ours until it is reaped; also when there is no pidfd. */
  (void) kill (self->pid, SIGKILL);
}

gboolean
stm_qemu_process_end_sync (StmQemuProcess *self, guint timeout_ms, GError **error)
{
  g_return_val_if_fail (self != NULL && self->pid != 0, FALSE);

  gboolean has_ended = await_end (self, timeout_ms);

  if (!has_ended)
    kill_now (self);

  int status = reap (self);
  g_autofree char *words = stm_qemu_process_read_words (self);

  if (!has_ended)
    g_set_error (error, STEMMA_ERROR, STEMMA_ERROR_HYPERVISOR,
                 "QEMU did not end within %u ms and was killed%s%s", timeout_ms,
                 *words != '\0' ? ": " : "", words);
  else if (WIFSIGNALED (status))
    g_set_error (error, STEMMA_ERROR, STEMMA_ERROR_HYPERVISOR, "QEMU was ended by signal %d%s%s",
                 WTERMSIG (status), *words != '\0' ? ": " : "", words);
  else if (WEXITSTATUS (status) != 0)
    g_set_error (error, STEMMA_ERROR, STEMMA_ERROR_HYPERVISOR, "QEMU ended with status %d%s%s",
                 WEXITSTATUS (status), *words != '\0' ? ": " : "", words);

  return has_ended && WIFEXITED (status) && WEXITSTATUS (status) == 0;
}

void
stm_qemu_process_free (StmQemuProcess *self)
{
  if (self == NULL)
    return;
  if (self->pid != 0)
    {
      kill_now (self);
      (void) reap (self);
    }
  if (self->pidfd >= 0)
    close (self->pidfd);
  if (self->words_fd >= 0)
    close (self->words_fd);
  g_free (self->record);
  if (self->words != NULL)
    g_string_free (self->words, TRUE);
  g_free (self);
}
