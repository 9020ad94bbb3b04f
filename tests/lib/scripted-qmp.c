/* Plays the part of QEMU's monitor.
 *
 * Built on the test's thread, then runs on its own until the script ends; the two never share it in
 * between. Commands are told by their name alone.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "scripted-qmp.h"

#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define MAX_FDS 8

typedef enum
{
  ACT_SEND,
  ACT_EXPECT,
  ACT_REPLY,
  ACT_CALL,
  ACT_HANG_UP,
} ActKind;

typedef struct
{
  ActKind kind;
  char *text;
  void (*function) (gpointer);
  gpointer user_data;
} Act;

struct _ScriptedQmp
{
  GPtrArray *script; /* Act */
  int fds[2];        /* ours, the client's */
  GThread *thread;
  GString *input;
  char *id;    /* of the last command */
  char *fault; /* why the script could not be followed */
  guint n_fds;
};

static void
act_free (Act *act)
{
  g_free (act->text);
  g_free (act);
}

ScriptedQmp *
scripted_qmp_new (void)
{
  ScriptedQmp *self = g_new0 (ScriptedQmp, 1);

  self->script = g_ptr_array_new_with_free_func ((GDestroyNotify) act_free);
  self->input = g_string_new (NULL);
  g_assert_cmpint (socketpair (AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, self->fds), ==, 0);
  return self;
}

static Act *
add_act (ScriptedQmp *self, ActKind kind, const char *text)
{
  Act *act = g_new0 (Act, 1);

  act->kind = kind;
  act->text = g_strdup (text);
  g_ptr_array_add (self->script, act);
  return act;
}

void
scripted_qmp_send (ScriptedQmp *self, const char *text)
{
  add_act (self, ACT_SEND, text);
}

void
scripted_qmp_expect (ScriptedQmp *self, const char *command)
{
  add_act (self, ACT_EXPECT, command);
}

void
scripted_qmp_reply (ScriptedQmp *self, const char *text)
{
  add_act (self, ACT_REPLY, text);
}

void
scripted_qmp_greet (ScriptedQmp *self)
{
  scripted_qmp_send (self, SCRIPTED_QMP_GREETING);
  scripted_qmp_expect (self, "qmp_capabilities");
  scripted_qmp_reply (self, "{\"return\": {}, \"id\": \"$ID\"}\r\n");
}

void
scripted_qmp_call (ScriptedQmp *self, void (*function) (gpointer), gpointer user_data)
{
  Act *act = add_act (self, ACT_CALL, NULL);

  act->function = function;
  act->user_data = user_data;
}

void
scripted_qmp_hang_up (ScriptedQmp *self)
{
  add_act (self, ACT_HANG_UP, NULL);
}

static gboolean
receive (ScriptedQmp *self)
{
  char bytes[4096];
  char control[CMSG_SPACE (sizeof (int) * MAX_FDS)];
  struct iovec vector = { .iov_base = bytes, .iov_len = sizeof bytes };
  struct msghdr message = {
    .msg_iov = &vector, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control
  };
  ssize_t n_read = recvmsg (self->fds[0], &message, MSG_CMSG_CLOEXEC);

  if (n_read <= 0)
    return FALSE;
  for (struct cmsghdr *header = CMSG_FIRSTHDR (&message); header != NULL;
       header = CMSG_NXTHDR (&message, header))
    for (gsize i = 0; i < (header->cmsg_len - CMSG_LEN (0)) / sizeof (int); i++)
      {
        int fd;

        memcpy (&fd, CMSG_DATA (header) + i * sizeof (int), sizeof fd);
        close (fd);
        self->n_fds++;
      }
  g_string_append_len (self->input, bytes, n_read);

  return TRUE;
}

static char *
receive_line (ScriptedQmp *self)
{
  for (;;)
    {
      char *newline = strchr (self->input->str, '\n');

      if (newline != NULL)
        {
          char *line = g_strndup (self->input->str, newline - self->input->str);

          g_string_erase (self->input, 0, newline - self->input->str + 1);
          return line;
        }
      if (!receive (self))
        return NULL;
    }
}

static void
expect (ScriptedQmp *self, const char *command)
{
  g_autofree char *line = receive_line (self);
  g_autofree char *named = g_strdup_printf ("\"execute\":\"%s\"", command);
  const char *id = line != NULL ? strstr (line, "\"id\":\"") : NULL;

  g_clear_pointer (&self->id, g_free);
  if (id == NULL || strstr (line, named) == NULL)
    self->fault = g_strdup_printf ("expected %s, got %s", command, line != NULL ? line : "its end");
  else
    self->id = g_strndup (id + 6, strcspn (id + 6, "\""));
}

static void
transmit (ScriptedQmp *self, const char *text)
{
  gsize length = strlen (text);

  while (length > 0)
    {
      ssize_t n_sent = send (self->fds[0], text, length, MSG_NOSIGNAL);

      /* A client that hung up before the end is the test's to judge. */
      if (n_sent <= 0)
        return;
      text += n_sent;
      length -= n_sent;
    }
}

static void
perform (ScriptedQmp *self, const Act *act)
{
  g_autoptr (GString) text = g_string_new (act->text);

  switch (act->kind)
    {
    case ACT_SEND:
      transmit (self, act->text);
      break;
    case ACT_EXPECT:
      expect (self, act->text);
      break;
    case ACT_REPLY:
      g_string_replace (text, "$ID", self->id, 0);
      transmit (self, text->str);
      break;
    case ACT_CALL:
      act->function (act->user_data);
      break;
    case ACT_HANG_UP:
      close (self->fds[0]);
      self->fds[0] = -1;
      break;
    }
}

static gpointer
follow_script (gpointer user_data)
{
  ScriptedQmp *self = user_data;

  for (guint i = 0; i < self->script->len && self->fault == NULL; i++)
    perform (self, self->script->pdata[i]);

  return NULL;
}

int
scripted_qmp_start (ScriptedQmp *self)
{
  self->thread = g_thread_new ("scripted-qmp", follow_script, self);
  return g_steal_fd (&self->fds[1]);
}

void
scripted_qmp_finish (ScriptedQmp *self)
{
  g_thread_join (g_steal_pointer (&self->thread));
  if (self->fault != NULL)
    g_error ("the script could not be followed: %s", self->fault);
}

guint
scripted_qmp_get_n_fds (ScriptedQmp *self)
{
  return self->n_fds;
}

void
scripted_qmp_free (ScriptedQmp *self)
{
  if (self->thread != NULL)
    {
      /* Ends its waiting. */
      if (self->fds[0] >= 0)
        shutdown (self->fds[0], SHUT_RDWR);
      g_thread_join (self->thread);
    }
  for (int i = 0; i < 2; i++)
    if (self->fds[i] >= 0)
      close (self->fds[i]);
  g_ptr_array_unref (self->script);
  g_string_free (self->input, TRUE);
  g_free (self->id);
  g_free (self->fault);
  g_free (self);
}
