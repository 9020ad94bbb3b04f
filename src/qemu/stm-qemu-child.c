/* The child's way from fork to exec: its own process group, no inherited descriptors, no
 * privileges, no life after its parent.
 *
 * Runs in a fork of a process with many threads, whose locks may be held by threads that are not
 * there: only async-signal-safe calls, no allocation, no GLib.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "stm-qemu-child.h"

#include "stm-qemu-filter.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#define EXIT_BEFORE_EXEC 127
/* Descriptors are moved up here first, so that none is overwritten before it is in its place. */
#define SAFE_FD 64

enum
{
  STEP_GROUP,
  STEP_DESCRIPTORS,
  STEP_LIMITS,
  STEP_USER,
  STEP_PRIVILEGES,
  STEP_FILTER,
  STEP_EXEC,
};

const char *
stm_qemu_child_step_to_text (int step)
{
  static const char *const texts[] = {
    [STEP_GROUP] = "making its process group",  [STEP_DESCRIPTORS] = "passing its descriptors",
    [STEP_LIMITS] = "setting its limits",       [STEP_USER] = "changing to its user",
    [STEP_PRIVILEGES] = "giving up privileges", [STEP_FILTER] = "filtering its system calls",
    [STEP_EXEC] = "running the program",
  };

  return step >= 0 && step < (int) G_N_ELEMENTS (texts) ? texts[step] : "starting";
}

static G_NORETURN void
fail (int control_fd, int step)
{
  StmQemuChildFailure failure = { .step = step, .number = errno };

  (void) !write (control_fd, &failure, sizeof failure);
  _exit (EXIT_BEFORE_EXEC);
}

static void
reset_signals (void)
{
  struct sigaction action = { .sa_handler = SIG_DFL };
  sigset_t none;

  for (int number = 1; number < NSIG; number++)
    (void) sigaction (number, &action, NULL); /* some cannot be set, and need not be */
  sigemptyset (&none);
  (void) sigprocmask (SIG_SETMASK, &none, NULL);
}

static int
close_above (int last)
{
  if (close_range (last + 1, ~0U, 0) == 0)
    return 0;

  /* A kernel before 5.9. */
  struct rlimit limit;

  if (getrlimit (RLIMIT_NOFILE, &limit) != 0)
    return -1;
  for (rlim_t fd = last + 1; fd < limit.rlim_cur; fd++)
    (void) close (fd);

  return 0;
}

/* Leaves 0 to 2, the monitor, and the control socket (close-on-exec) after it, whose number is
 * returned. */
static int
place_descriptors (const StmQemuChild *child)
{
  int null_fd = fcntl (child->null_fd, F_DUPFD_CLOEXEC, SAFE_FD);
  int error_fd = fcntl (child->error_fd, F_DUPFD_CLOEXEC, SAFE_FD);
  int qmp_fd = fcntl (child->qmp_fd, F_DUPFD_CLOEXEC, SAFE_FD);
  int control_fd = fcntl (child->control_fd, F_DUPFD_CLOEXEC, SAFE_FD);
  int placed_fd = STM_QEMU_CHILD_QMP_FD + 1;

  if (null_fd < 0 || error_fd < 0 || qmp_fd < 0 || control_fd < 0 || dup2 (null_fd, 0) < 0
      || dup2 (null_fd, 1) < 0 || dup2 (error_fd, 2) < 0 || dup2 (qmp_fd, STM_QEMU_CHILD_QMP_FD) < 0
      || dup3 (control_fd, placed_fd, O_CLOEXEC) < 0 || close_above (placed_fd) != 0)
    return -1;

  return placed_fd;
}

static int
set_limits (const StmQemuChild *child)
{
  const struct rlimit nothing = { 0, 0 };

  umask (077);
  if (child->is_filtered && setrlimit (RLIMIT_FSIZE, &nothing) != 0)
    return -1;
  /* A core would hold guest data. */
  return setrlimit (RLIMIT_CORE, &nothing) != 0 || chdir ("/") != 0 ? -1 : 0;
}

static int
change_user (const StmQemuChild *child)
{
  if (!child->changes_user)
    return 0;

  return setgroups (0, NULL) != 0 || setresgid (child->gid, child->gid, child->gid) != 0
                 || setresuid (child->uid, child->uid, child->uid) != 0
             ? -1
             : 0;
}

/* With the thread that forked us, to be exact. */
static void
die_with_parent (const StmQemuChild *child, int control_fd)
{
  if (prctl (PR_SET_PDEATHSIG, SIGKILL) != 0)
    fail (control_fd, STEP_PRIVILEGES);
  /* One that died before the call sends none. */
  if (getppid () != child->parent)
    _exit (EXIT_BEFORE_EXEC);
}

void
stm_qemu_child_run (const StmQemuChild *child)
{
  char go;

  reset_signals ();
  if (setpgid (0, 0) != 0)
    fail (child->control_fd, STEP_GROUP);
  /* A parent that is killed now would leave us at the read for ever: we hold a copy of its end. */
  if (prctl (PR_SET_PDEATHSIG, SIGKILL) != 0 || getppid () != child->parent)
    _exit (EXIT_BEFORE_EXEC);
  /* Not before the parent has recorded us; when it dies first, nothing comes. */
  if (read (child->control_fd, &go, 1) != 1)
    _exit (EXIT_BEFORE_EXEC);

  int control_fd = place_descriptors (child);

  if (control_fd < 0)
    fail (child->control_fd, STEP_DESCRIPTORS);
  if (set_limits (child) != 0)
    fail (control_fd, STEP_LIMITS);
  if (change_user (child) != 0)
    fail (control_fd, STEP_USER);
  if (prctl (PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
    fail (control_fd, STEP_PRIVILEGES);
  /* Once more: the kernel forgets it when the user changes. */
  die_with_parent (child, control_fd);
  if (child->is_filtered && stm_qemu_filter_enter () != 0)
    fail (control_fd, STEP_FILTER);

  execve (child->binary, child->arguments, child->environment);
  fail (control_fd, STEP_EXEC);
}
