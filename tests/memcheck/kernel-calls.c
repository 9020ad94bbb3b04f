/* Stands in for the kernel calls that valgrind 3.19 does not know: openat2, pidfd_open. Loaded with
 * LD_PRELOAD into the service when it runs under valgrind, never else.
 *
 * Good for the trees that our own tests lay out, where no link lies in wait: the resolve flags of
 * openat2 shrink to O_NOFOLLOW, and only a child has a pidfd.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/pidfd.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define N_ARGUMENTS 6

typedef long (*Syscall) (long number, ...);

/* A process that is waited for, and the end of a pipe to tell it at. */
typedef struct
{
  pid_t pid;
  int fd;
} Watch;

static void *
watch (void *data)
{
  Watch *self = data;
  siginfo_t info;

  /* The child stays for its parent to reap. */
  while (waitid (P_PID, self->pid, &info, WEXITED | WNOWAIT) != 0 && errno == EINTR)
    ;
  (void) !write (self->fd, "", 1);
  close (self->fd);
  free (self);

  return NULL;
}

static int
begin_watch (pid_t pid, int fd)
{
  Watch *self = malloc (sizeof *self);
  pthread_attr_t attributes;
  pthread_t thread;

  if (self == NULL)
    return -1;
  *self = (Watch){ .pid = pid, .fd = fd };
  pthread_attr_init (&attributes);
  pthread_attr_setdetachstate (&attributes, PTHREAD_CREATE_DETACHED);

  int result = pthread_create (&thread, &attributes, watch, self);

  pthread_attr_destroy (&attributes);
  if (result != 0)
    free (self);
  return result;
}

int
pidfd_open (pid_t pid, unsigned int flags)
{
  siginfo_t info;
  int fds[2];

  if (waitid (P_PID, pid, &info, WEXITED | WNOWAIT | WNOHANG) != 0)
    {
      errno = ESRCH;
      return -1;
    }
  if (pipe2 (fds, O_CLOEXEC) != 0)
    return -1;
  if (begin_watch (pid, fds[1]) != 0)
    {
      close (fds[0]);
      close (fds[1]);
      errno = EMFILE;
      return -1;
    }
  return fds[0];
}

static long
open_instead (int directory_fd, const char *path, const struct open_how *how)
{
  int nofollow = (how->resolve & RESOLVE_NO_SYMLINKS) != 0 ? O_NOFOLLOW : 0;

  return openat (directory_fd, path, (int) how->flags | nofollow, (mode_t) how->mode);
}

long
syscall (long number, ...)
{
  Syscall next = (Syscall) dlsym (RTLD_NEXT, "syscall");
  long values[N_ARGUMENTS];
  va_list arguments;

  /* As libc does: the registers are read whatever the caller put there. */
  va_start (arguments, number);
  for (int i = 0; i < N_ARGUMENTS; i++)
    values[i] = va_arg (arguments, long);
  va_end (arguments);

  if (number == SYS_openat2)
    return open_instead ((int) values[0], (const char *) values[1],
                         (const struct open_how *) values[2]);

  return next (number, values[0], values[1], values[2], values[3], values[4], values[5]);
}
