/* A filter of system calls for programs of QEMU's that, unlike QEMU, have none of their own.
 *
 * Runs in a fork of a process with many threads: no allocation, no GLib. A tool reads programs and
 * libraries, speaks on the socket that it has, and thinks. It can begin no process, reach no other
 * one, change no name, and open no file for writing. What is not allowed fails with EPERM, for
 * libraries try this and that and can do without.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "stm-qemu-filter.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/sched.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#if defined(__x86_64__)
#define OUR_ARCHITECTURE AUDIT_ARCH_X86_64
#define OTHER_NUMBERS 0x40000000u /* those of x32 begin here */
#elif defined(__aarch64__)
#define OUR_ARCHITECTURE AUDIT_ARCH_AARCH64
#endif

#ifdef OUR_ARCHITECTURE

#define LOAD(member)                                                                               \
  BPF_STMT (BPF_LD | BPF_W | BPF_ABS, (unsigned int) offsetof (struct seccomp_data, member))
#define RETURN(action) BPF_STMT (BPF_RET | BPF_K, (action))
#define REFUSE(number) RETURN (SECCOMP_RET_ERRNO | (number))

/* With the number of the call in the accumulator. */
#define REFUSE_CALL(name) BPF_JUMP (BPF_JMP | BPF_JEQ | BPF_K, __NR_##name, 0, 1), REFUSE (EPERM)
#define REFUSE_CALL_AS(name, number)                                                               \
  BPF_JUMP (BPF_JMP | BPF_JEQ | BPF_K, __NR_##name, 0, 1), REFUSE (number)
/* Arguments are looked at in their lower half, where these flags are. */
#define REFUSE_IF_ANY(name, place, flags)                                                          \
  BPF_JUMP (BPF_JMP | BPF_JEQ | BPF_K, __NR_##name, 0, 4), LOAD (args[place]),                     \
      BPF_JUMP (BPF_JMP | BPF_JSET | BPF_K, (flags), 0, 1), REFUSE (EPERM),                        \
      RETURN (SECCOMP_RET_ALLOW)
#define REFUSE_UNLESS_ANY(name, place, flags)                                                      \
  BPF_JUMP (BPF_JMP | BPF_JEQ | BPF_K, __NR_##name, 0, 4), LOAD (args[place]),                     \
      BPF_JUMP (BPF_JMP | BPF_JSET | BPF_K, (flags), 1, 0), REFUSE (EPERM),                        \
      RETURN (SECCOMP_RET_ALLOW)

#define WRITING (O_WRONLY | O_RDWR | O_CREAT | O_TRUNC)

static const struct sock_filter rules[] = {
  LOAD (arch),
  BPF_JUMP (BPF_JMP | BPF_JEQ | BPF_K, OUR_ARCHITECTURE, 1, 0),
  RETURN (SECCOMP_RET_KILL_PROCESS),
  LOAD (nr),
#ifdef OTHER_NUMBERS
  BPF_JUMP (BPF_JMP | BPF_JGE | BPF_K, OTHER_NUMBERS, 0, 1),
  RETURN (SECCOMP_RET_KILL_PROCESS),
#endif

  /* Processes. Of clone3 the flags cannot be seen; without it libraries take clone. */
  REFUSE_CALL_AS (clone3, ENOSYS),
  REFUSE_UNLESS_ANY (clone, 0, CLONE_THREAD),
#ifdef __NR_fork
  REFUSE_CALL (fork),
  REFUSE_CALL (vfork),
#endif
  REFUSE_CALL (kill),
  REFUSE_CALL (ptrace),
  REFUSE_CALL (process_vm_readv),
  REFUSE_CALL (process_vm_writev),
  REFUSE_CALL (pidfd_open),
  REFUSE_CALL (pidfd_send_signal),
  REFUSE_CALL (pidfd_getfd),
  REFUSE_IF_ANY (prlimit64, 0, ~0u), /* but of itself */

  /* Sockets besides the one that it has. */
  REFUSE_CALL (socket),
  REFUSE_CALL (connect),
  REFUSE_CALL (bind),
  REFUSE_CALL (listen),
  REFUSE_CALL (accept),
  REFUSE_CALL (accept4),

  /* Files. */
  REFUSE_CALL_AS (openat2, ENOSYS),
  REFUSE_IF_ANY (openat, 2, WRITING),
#ifdef __NR_open
  REFUSE_IF_ANY (open, 1, WRITING),
  REFUSE_CALL (creat),
  REFUSE_CALL (unlink),
  REFUSE_CALL (rename),
  REFUSE_CALL (mkdir),
  REFUSE_CALL (rmdir),
  REFUSE_CALL (link),
  REFUSE_CALL (symlink),
  REFUSE_CALL (mknod),
  REFUSE_CALL (chmod),
  REFUSE_CALL (chown),
  REFUSE_CALL (lchown),
#endif
#ifdef __NR_renameat
  REFUSE_CALL (renameat),
#endif
  REFUSE_CALL (unlinkat),
  REFUSE_CALL (renameat2),
  REFUSE_CALL (mkdirat),
  REFUSE_CALL (linkat),
  REFUSE_CALL (symlinkat),
  REFUSE_CALL (mknodat),
  REFUSE_CALL (truncate),
  REFUSE_CALL (fchmodat),
  REFUSE_CALL (fchownat),
  REFUSE_CALL (open_by_handle_at),

  /* The system. */
  REFUSE_CALL (mount),
  REFUSE_CALL (umount2),
  REFUSE_CALL (chroot),
  REFUSE_CALL (setns),
  REFUSE_CALL (unshare),
  REFUSE_CALL (bpf),
  REFUSE_CALL (perf_event_open),
  REFUSE_CALL (userfaultfd),
  REFUSE_CALL (io_uring_setup),
  REFUSE_CALL (keyctl),
  REFUSE_CALL (add_key),
  REFUSE_CALL (request_key),

  RETURN (SECCOMP_RET_ALLOW),
};

int
stm_qemu_filter_enter (void)
{
  const struct sock_fprog program = { .len = sizeof rules / sizeof *rules,
                                      .filter = (struct sock_filter *) rules };

  return prctl (PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program, 0, 0);
}

#else

/* Elsewhere the user, the limits and the empty table of descriptors have to do. */
int
stm_qemu_filter_enter (void)
{
  return 0;
}

#endif
