/* Keeps a spare endpoint on a thread of its own.
 *
 * The kernel's parent-death signal goes by the thread that forked, so the spare is forked by one
 * that lives as long as the driver. It is started as all others are, with a record in the run
 * directory, has no image, and is used for one verb only: what QEMU got of one domain's images is
 * never there for the next. The mutex guards the few fields that the threads share; nothing is
 * waited for while it is held.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "stm-endpoint-keeper.h"

#include <glib-unix.h>

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

struct _StmEndpointKeeper
{
  const StmQemuSetup *setup;
  guint idle_ms;
  int wake_fd; /* written to when the thread is to look at what follows */
  GThread *thread;

  GMutex mutex; /* guards the rest */
  StmQemuProcess *spare;
  int qmp_fd;      /* of the spare */
  gint64 deadline; /* of the spare, monotonic microseconds */
  gboolean is_wanted;
  gboolean is_closing;
};

static void
wake (StmEndpointKeeper *self)
{
  guint64 one = 1;

  (void) !write (self->wake_fd, &one, sizeof one);
}

static void
close_spare (StmQemuProcess *process, int qmp_fd)
{
  if (process == NULL)
    return;
  close (qmp_fd);
  stm_qemu_process_free (process);
}

/* --- the thread ------------------------------------------------------------------------------- */

/* What the thread is to do next, and what it waits for else. */
typedef struct
{
  gboolean ends;
  gboolean starts;
  int pidfd; /* the thread's own copy: a taker closes the other; -1 without a spare */
  gint64 deadline;
} Look;

static void
look_clear (Look *look)
{
  if (look->pidfd >= 0)
    close (look->pidfd);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Look, look_clear)

static Look
look_around (StmEndpointKeeper *self)
{
  Look look = { .pidfd = -1 };

  g_mutex_lock (&self->mutex);
  look.ends = self->is_closing;
  look.starts = self->is_wanted && self->spare == NULL;
  look.deadline = self->deadline;
  if (self->spare != NULL)
    look.pidfd = fcntl (stm_qemu_process_get_pidfd (self->spare), F_DUPFD_CLOEXEC, 0);
  self->is_wanted = FALSE;
  g_mutex_unlock (&self->mutex);

  return look;
}

static void
start_spare (StmEndpointKeeper *self)
{
  int qmp_fd = -1;
  /* The verb that finds no spare starts its own, and says what is wrong. */
  StmQemuProcess *process = stm_qemu_process_start (self->setup, &qmp_fd, NULL);

  g_mutex_lock (&self->mutex);
  self->spare = process;
  self->qmp_fd = qmp_fd;
  self->deadline = g_get_monotonic_time () + self->idle_ms * G_TIME_SPAN_MILLISECOND;
  g_mutex_unlock (&self->mutex);
}

static gboolean
is_dead (int pidfd)
{
  struct pollfd fd = { .fd = pidfd, .events = POLLIN };

  return poll (&fd, 1, 0) > 0;
}

/* Ends the spare when its time is over, or it is dead. */
static void
drop_spare (StmEndpointKeeper *self)
{
  StmQemuProcess *process = NULL;
  int qmp_fd = -1;

  g_mutex_lock (&self->mutex);
  if (self->spare != NULL
      && (self->is_closing || g_get_monotonic_time () >= self->deadline
          || is_dead (stm_qemu_process_get_pidfd (self->spare))))
    {
      process = g_steal_pointer (&self->spare);
      qmp_fd = self->qmp_fd;
    }
  g_mutex_unlock (&self->mutex);

  close_spare (process, qmp_fd);
}

static void
await_news (const StmEndpointKeeper *self, const Look *look)
{
  struct pollfd fds[] = { { .fd = self->wake_fd, .events = POLLIN },
                          { .fd = look->pidfd, .events = POLLIN } };
  int timeout_ms = -1;
  guint64 n_wakes;

  if (look->pidfd >= 0)
    {
      gint64 left = look->deadline - g_get_monotonic_time ();

      timeout_ms = (int) CLAMP (left / G_TIME_SPAN_MILLISECOND + 1, 0, G_MAXINT);
    }
  if (poll (fds, G_N_ELEMENTS (fds), timeout_ms) > 0 && fds[0].revents != 0)
    (void) !read (self->wake_fd, &n_wakes, sizeof n_wakes);
}

static gpointer
keep (gpointer data)
{
  StmEndpointKeeper *self = data;

  for (;;)
    {
      g_auto (Look) look = look_around (self);

      if (look.starts && !look.ends)
        {
          start_spare (self);
          continue;
        }
      if (!look.ends)
        await_news (self, &look);
      drop_spare (self);
      if (look.ends)
        return NULL;
    }
}

/* --- public ----------------------------------------------------------------------------------- */

StmEndpointKeeper *
stm_endpoint_keeper_new (const StmQemuSetup *setup, guint idle_ms)
{
  g_return_val_if_fail (setup != NULL, NULL);

  StmEndpointKeeper *self = g_new0 (StmEndpointKeeper, 1);

  self->setup = setup;
  self->idle_ms = idle_ms;
  self->qmp_fd = -1;
  g_mutex_init (&self->mutex);
  /* Without it there is no spare, and all else goes on. */
  self->wake_fd = eventfd (0, EFD_CLOEXEC | EFD_NONBLOCK);
  if (self->wake_fd >= 0)
    self->thread = g_thread_new ("endpoint-keeper", keep, self);

  return self;
}

void
stm_endpoint_keeper_free (StmEndpointKeeper *self)
{
  if (self == NULL)
    return;
  if (self->thread != NULL)
    {
      g_mutex_lock (&self->mutex);
      self->is_closing = TRUE;
      g_mutex_unlock (&self->mutex);
      wake (self);
      g_thread_join (self->thread);
      close (self->wake_fd);
    }
  g_mutex_clear (&self->mutex);
  g_free (self);
}

void
stm_endpoint_keeper_prepare (StmEndpointKeeper *self)
{
  g_return_if_fail (self != NULL);

  g_mutex_lock (&self->mutex);
  self->is_wanted = TRUE;
  self->deadline = g_get_monotonic_time () + self->idle_ms * G_TIME_SPAN_MILLISECOND;
  g_mutex_unlock (&self->mutex);
  wake (self);
}

StmQemuProcess *
stm_endpoint_keeper_take (StmEndpointKeeper *self, int *out_qmp_fd)
{
  g_return_val_if_fail (self != NULL && out_qmp_fd != NULL, NULL);

  StmQemuProcess *taken = NULL;

  g_mutex_lock (&self->mutex);
  if (self->spare != NULL && !is_dead (stm_qemu_process_get_pidfd (self->spare)))
    {
      taken = g_steal_pointer (&self->spare);
      *out_qmp_fd = g_steal_fd (&self->qmp_fd);
    }
  g_mutex_unlock (&self->mutex);
  /* It waits for the end of the one that is gone from here. */
  if (taken != NULL)
    wake (self);

  return taken;
}
