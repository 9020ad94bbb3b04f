/* The QMP dialogue: greeting, capabilities, commands with their replies, events on the side.
 *
 * Called on one worker at a time, never on the main loop. All waiting is one poll on the socket,
 * the cancellable and the process. Never retries, and never guesses: a command whose reply is lost
 * may have run.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "stm-qmp.h"

#include "stm-qmp-error.h"

#include "stemma-error.h"

#include <glib-unix.h>

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define MAX_EVENTS 1024
#define READ_BYTES (64 * 1024)

struct _StmQmp
{
  int socket_fd;
  int death_fd;
  StmQmpParser *parser;
  GQueue events; /* StmQmpMessage */
  guint64 n_calls;
  char *version;
  gboolean is_broken; /* out of step with QEMU for good */
};

void
stm_qmp_free (StmQmp *self)
{
  if (self == NULL)
    return;
  if (self->socket_fd >= 0)
    close (self->socket_fd);
  g_clear_pointer (&self->parser, stm_qmp_parser_free);
  g_queue_clear_full (&self->events, (GDestroyNotify) stm_qmp_message_free);
  g_free (self->version);
  g_free (self);
}

const char *
stm_qmp_get_version (StmQmp *self)
{
  return self->version;
}

static gboolean
fail_broken (StmQmp *self, StemmaError code, const char *why, GError **error)
{
  self->is_broken = TRUE;
  g_set_error_literal (error, STEMMA_ERROR, code, why);
  return FALSE;
}

static gboolean
fail_cancelled (GError **error)
{
  g_set_error_literal (error, STEMMA_ERROR, STEMMA_ERROR_CANCELLED, "the operation was cancelled");
  return FALSE;
}

static int
milliseconds_left (gint64 deadline)
{
  gint64 left = (deadline - g_get_monotonic_time () + 999) / 1000;

  return (int) CLAMP (left, 0, G_MAXINT);
}

/* Waits until the socket is ready for `events` or the deadline (monotonic microseconds) has come;
 * *out_is_ready says which. */
static gboolean
poll_socket (StmQmp *self, short events, gint64 deadline, GCancellable *cancellable,
             gboolean *out_is_ready, GError **error)
{
  GPollFD cancel = { .fd = -1 };
  gboolean can_cancel = g_cancellable_make_pollfd (cancellable, &cancel);
  struct pollfd fds[] = {
    { .fd = self->socket_fd, .events = events },
    { .fd = self->death_fd, .events = POLLIN }, /* poll passes over negative ones */
    { .fd = can_cancel ? cancel.fd : -1, .events = POLLIN },
  };
  int n_ready;

  do
    n_ready = poll (fds, G_N_ELEMENTS (fds), milliseconds_left (deadline));
  while (n_ready < 0 && errno == EINTR);
  if (can_cancel)
    g_cancellable_release_fd (cancellable);

  if (n_ready < 0)
    return fail_broken (self, STEMMA_ERROR_FAILED, g_strerror (errno), error);
  if (fds[2].revents != 0)
    return fail_cancelled (error);
  /* What it said before it died is still read. */
  if (fds[0].revents == 0 && fds[1].revents != 0)
    return fail_broken (self, STEMMA_ERROR_HYPERVISOR, "QEMU has ended", error);

  *out_is_ready = fds[0].revents != 0;
  return TRUE;
}

static gboolean
read_some (StmQmp *self, GError **error)
{
  g_autofree char *bytes = g_malloc (READ_BYTES);
  ssize_t n_read = recv (self->socket_fd, bytes, READ_BYTES, MSG_DONTWAIT);

  if (n_read < 0 && (errno == EAGAIN || errno == EINTR))
    return TRUE;
  if (n_read <= 0)
    return fail_broken (self, STEMMA_ERROR_HYPERVISOR, "QEMU has closed its monitor", error);
  if (!stm_qmp_parser_feed (self->parser, bytes, n_read, error))
    {
      self->is_broken = TRUE;
      return FALSE;
    }

  return TRUE;
}

/* The next message of any kind; NULL without error when the deadline has come. */
static StmQmpMessage *
read_message (StmQmp *self, gint64 deadline, GCancellable *cancellable, GError **error)
{
  for (;;)
    {
      g_autoptr (GError) local_error = NULL;
      g_autoptr (StmQmpMessage) message = stm_qmp_parser_next (self->parser, &local_error);
      gboolean is_ready = FALSE;

      if (local_error != NULL)
        {
          self->is_broken = TRUE;
          g_propagate_error (error, g_steal_pointer (&local_error));
          return NULL;
        }
      if (message != NULL)
        return g_steal_pointer (&message);
      if (!poll_socket (self, POLLIN, deadline, cancellable, &is_ready, error))
        return NULL;
      if (!is_ready)
        return NULL;
      if (!read_some (self, error))
        return NULL;
    }
}

static void
keep_event (StmQmp *self, StmQmpMessage *event)
{
  g_queue_push_tail (&self->events, event);
  if (g_queue_get_length (&self->events) > MAX_EVENTS)
    stm_qmp_message_free (g_queue_pop_head (&self->events));
}

/* The next message that is no event. */
static StmQmpMessage *
read_reply (StmQmp *self, gint64 deadline, GCancellable *cancellable, GError **error)
{
  for (;;)
    {
      g_autoptr (GError) local_error = NULL;
      g_autoptr (StmQmpMessage) message = read_message (self, deadline, cancellable, &local_error);

      if (message == NULL)
        {
          if (local_error == NULL)
            fail_broken (self, STEMMA_ERROR_TIMED_OUT, "QEMU does not answer", &local_error);
          g_propagate_error (error, g_steal_pointer (&local_error));
          return NULL;
        }
      if (message->kind != STM_QMP_EVENT)
        return g_steal_pointer (&message);
      keep_event (self, g_steal_pointer (&message));
    }
}

static gboolean
send_part (StmQmp *self, const char *bytes, gsize n_bytes, const int *passed_fd, gsize *out_sent)
{
  union
  {
    struct cmsghdr header;
    char space[CMSG_SPACE (sizeof (int))];
  } control = { 0 };
  struct iovec vector = { .iov_base = (void *) bytes, .iov_len = n_bytes };
  struct msghdr message = { .msg_iov = &vector, .msg_iovlen = 1 };

  if (passed_fd != NULL)
    {
      message.msg_control = &control;
      message.msg_controllen = sizeof control;

      struct cmsghdr *header = CMSG_FIRSTHDR (&message);

      header->cmsg_level = SOL_SOCKET;
      header->cmsg_type = SCM_RIGHTS;
      header->cmsg_len = CMSG_LEN (sizeof (int));
      memcpy (CMSG_DATA (header), passed_fd, sizeof (int));
    }

  ssize_t n_sent = sendmsg (self->socket_fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL);

  *out_sent = n_sent > 0 ? n_sent : 0;
  return n_sent >= 0 || errno == EAGAIN || errno == EINTR;
}

static gboolean
send_line (StmQmp *self, const char *line, const int *passed_fd, gint64 deadline, GError **error)
{
  gsize length = strlen (line);
  gsize sent = 0;

  /* Half a line would put the stream out of step: not cancellable, but for the deadline. */
  while (sent < length)
    {
      gsize n_sent = 0;
      gboolean is_ready = FALSE;

      if (!poll_socket (self, POLLOUT, deadline, NULL, &is_ready, error))
        return FALSE;
      if (!is_ready)
        return fail_broken (self, STEMMA_ERROR_TIMED_OUT, "QEMU takes no command", error);
      if (!send_part (self, line + sent, length - sent, sent == 0 ? passed_fd : NULL, &n_sent))
        return fail_broken (self, STEMMA_ERROR_HYPERVISOR, "QEMU has closed its monitor", error);
      sent += n_sent;
    }

  return TRUE;
}

static char *
print_call (const StmQmpCall *call, guint64 number)
{
  g_autoptr (JsonObject) object = json_object_new ();
  g_autoptr (JsonNode) root = json_node_new (JSON_NODE_OBJECT);
  g_autofree char *id = g_strdup_printf ("%" G_GUINT64_FORMAT, number);

  json_object_set_string_member (object, "execute", call->command);
  if (call->arguments != NULL)
    json_object_set_object_member (object, "arguments", json_object_ref (call->arguments));
  json_object_set_string_member (object, "id", id);
  json_node_set_object (root, object);

  g_autofree char *text = json_to_string (root, FALSE);

  return g_strconcat (text, "\n", NULL);
}

/* Whether a reply is to call `number`. A reply to an earlier one, which was cancelled while it
 * waited, is passed over. A failure without id is QEMU's complaint on what it read last. */
static gboolean
match_reply (StmQmp *self, const StmQmpMessage *reply, guint64 number, gboolean *out_is_stale,
             GError **error)
{
  guint64 found = 0;

  *out_is_stale = FALSE;
  if (reply->kind == STM_QMP_FAILURE && reply->id == NULL)
    return TRUE;
  if (reply->kind == STM_QMP_GREETING || reply->id == NULL
      || !g_ascii_string_to_unsigned (reply->id, 10, 1, number, &found, NULL))
    return fail_broken (self, STEMMA_ERROR_HYPERVISOR, "QEMU answered a command that was not sent",
                        error);

  *out_is_stale = found < number;
  return TRUE;
}

static JsonNode *
await_result (StmQmp *self, const StmQmpCall *call, GCancellable *cancellable, GError **error)
{
  guint64 number = self->n_calls;
  gint64 deadline = g_get_monotonic_time () + STM_QMP_REPLY_TIMEOUT_MS * (gint64) 1000;

  for (;;)
    {
      g_autoptr (StmQmpMessage) reply = read_reply (self, deadline, cancellable, error);
      gboolean is_stale = FALSE;

      if (reply == NULL || !match_reply (self, reply, number, &is_stale, error))
        return NULL;
      if (is_stale)
        continue;
      if (reply->kind == STM_QMP_RETURN)
        return g_steal_pointer (&reply->data);

      g_propagate_error (error, stm_qmp_error_new (call->attempt, reply->name, reply->words));
      return NULL;
    }
}

JsonNode *
stm_qmp_execute_sync (StmQmp *self, const StmQmpCall *call, GCancellable *cancellable,
                      GError **error)
{
  g_return_val_if_fail (self != NULL && call->command != NULL && call->attempt != NULL, NULL);

  g_autoptr (GError) local_error = NULL;
  g_autoptr (JsonNode) result = NULL;
  gint64 deadline = g_get_monotonic_time () + STM_QMP_REPLY_TIMEOUT_MS * (gint64) 1000;
  g_autofree char *line = NULL;

  if (self->is_broken)
    fail_broken (self, STEMMA_ERROR_HYPERVISOR, "QEMU can no longer be asked", &local_error);
  else if (g_cancellable_is_cancelled (cancellable))
    fail_cancelled (&local_error);
  else
    {
      line = print_call (call, ++self->n_calls);
      if (send_line (self, line, call->passed_fd, deadline, &local_error))
        result = await_result (self, call, cancellable, &local_error);
    }
  if (result != NULL)
    return g_steal_pointer (&result);

  /* QEMU's refusals name the attempt themselves. */
  if (!g_str_has_prefix (local_error->message, call->attempt))
    g_prefix_error (&local_error, "%s: ", call->attempt);
  g_propagate_error (error, g_steal_pointer (&local_error));
  return NULL;
}

gboolean
stm_qmp_wait_event_sync (StmQmp *self, guint timeout_ms, GCancellable *cancellable, GError **error)
{
  g_return_val_if_fail (self != NULL, FALSE);

  g_autoptr (GError) local_error = NULL;
  gint64 deadline = g_get_monotonic_time () + timeout_ms * (gint64) 1000;

  while (g_queue_is_empty (&self->events))
    {
      g_autoptr (StmQmpMessage) message = read_message (self, deadline, cancellable, &local_error);

      if (local_error != NULL)
        {
          g_propagate_error (error, g_steal_pointer (&local_error));
          return FALSE;
        }
      if (message == NULL)
        return TRUE;
      /* Anything else is the late reply to a call that was cancelled. */
      if (message->kind == STM_QMP_EVENT)
        keep_event (self, g_steal_pointer (&message));
    }

  return TRUE;
}

StmQmpMessage *
stm_qmp_pop_event (StmQmp *self)
{
  g_return_val_if_fail (self != NULL, NULL);

  return g_queue_pop_head (&self->events);
}

static JsonObject *
get_object (JsonObject *object, const char *member)
{
  JsonNode *node = object != NULL ? json_object_get_member (object, member) : NULL;

  return node != NULL && JSON_NODE_HOLDS_OBJECT (node) ? json_node_get_object (node) : NULL;
}

static char *
read_version (const StmQmpMessage *greeting)
{
  JsonObject *version = get_object (json_node_get_object (greeting->data), "version");
  JsonObject *qemu = get_object (version, "qemu");

  if (qemu == NULL)
    return g_strdup ("unknown");

  return g_strdup_printf ("%" G_GINT64_FORMAT ".%" G_GINT64_FORMAT ".%" G_GINT64_FORMAT,
                          json_object_get_int_member_with_default (qemu, "major", 0),
                          json_object_get_int_member_with_default (qemu, "minor", 0),
                          json_object_get_int_member_with_default (qemu, "micro", 0));
}

static gboolean
greet (StmQmp *self, GCancellable *cancellable, GError **error)
{
  gint64 deadline = g_get_monotonic_time () + STM_QMP_GREETING_TIMEOUT_MS * (gint64) 1000;
  g_autoptr (StmQmpMessage) greeting = read_reply (self, deadline, cancellable, error);

  if (greeting == NULL)
    return FALSE;
  if (greeting->kind != STM_QMP_GREETING)
    return fail_broken (self, STEMMA_ERROR_HYPERVISOR, "it does not begin with QEMU's greeting",
                        error);
  self->version = read_version (greeting);

  g_autoptr (JsonNode) result = stm_qmp_execute_sync (
      self, &(StmQmpCall){ .command = "qmp_capabilities", .attempt = "negotiation" }, cancellable,
      error);

  return result != NULL;
}

StmQmp *
stm_qmp_connect_sync (int socket_fd, int death_fd, GCancellable *cancellable, GError **error)
{
  g_autoptr (StmQmp) self = g_new0 (StmQmp, 1);

  self->socket_fd = socket_fd;
  self->death_fd = death_fd;
  self->parser = stm_qmp_parser_new ();
  g_queue_init (&self->events);
  if (!greet (self, cancellable, error))
    {
      g_prefix_error (error, "connecting to QEMU's monitor: ");
      return NULL;
    }

  return g_steal_pointer (&self);
}
