/* Process up, commands in, process down; its images stand in stm-block-endpoint-images.c.
 *
 * Called on one worker at a time. Knows what each node and descriptor set is for, so that QEMU's
 * messages, which know only numbers, come out with paths.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "stm-block-endpoint-private.h"

#include "stm-endpoint-keeper.h"
#include "stm-qmp-error.h"

#include "stemma-error.h"

#include <glib/gstdio.h>

#include <unistd.h>

/* Closing images writes what is held back; a disk may be slow. */
#define QUIT_TIMEOUT_MS (300 * 1000)
/* How long a process whose monitor is gone has to be dead. */
#define DEATH_TIMEOUT_MS (5 * 1000)

StmBlockEndpoint *
stm_block_endpoint_start (const StmQemuSetup *setup, GError **error)
{
  g_autoptr (StmBlockEndpoint) self = g_new0 (StmBlockEndpoint, 1);

  self->setup = setup;
  self->qmp_fd = -1;
  self->paths = g_ptr_array_new_with_free_func (g_free);
  if (setup->keeper != NULL)
    self->process = stm_endpoint_keeper_take (setup->keeper, &self->qmp_fd);
  self->is_spare = self->process != NULL;
  if (self->process == NULL)
    self->process = stm_qemu_process_start (setup, &self->qmp_fd, error);

  return self->process != NULL ? g_steal_pointer (&self) : NULL;
}

void
stm_block_endpoint_free (StmBlockEndpoint *self)
{
  if (self == NULL)
    return;
  g_clear_pointer (&self->qmp, stm_qmp_free);
  if (self->qmp_fd >= 0)
    close (self->qmp_fd);
  g_clear_pointer (&self->process, stm_qemu_process_free);
  /* Not earlier, so that the start of one does not slow down the work of the other. */
  if (self->setup->keeper != NULL)
    stm_endpoint_keeper_prepare (self->setup->keeper);
  g_clear_pointer (&self->paths, g_ptr_array_unref);
  g_free (self);
}

GPid
stm_block_endpoint_get_pid (StmBlockEndpoint *self)
{
  return stm_qemu_process_get_pid (self->process);
}

static StmQmp *
greet (StmBlockEndpoint *self, GCancellable *cancellable, GError **error)
{
  return stm_qmp_connect_sync (g_steal_fd (&self->qmp_fd),
                               stm_qemu_process_get_pidfd (self->process), cancellable, error);
}

/* A spare has waited, and may have died right after it was looked at. It was told nothing yet, so
 * that one of the verb's own begins from the same point. */
static StmQmp *
greet_successor (StmBlockEndpoint *self, GCancellable *cancellable, GError **error)
{
  StmQemuProcess *successor = stm_qemu_process_start (self->setup, &self->qmp_fd, error);

  if (successor == NULL)
    return NULL;
  stm_qemu_process_free (self->process);
  self->process = successor;

  return greet (self, cancellable, error);
}

static gboolean
connect_sync (StmBlockEndpoint *self, GCancellable *cancellable, GError **error)
{
  gboolean was_spare = self->is_spare;
  GError *failure = NULL;

  if (self->qmp != NULL)
    return TRUE;
  if (self->qmp_fd < 0)
    {
      g_set_error_literal (error, STEMMA_ERROR, STEMMA_ERROR_HYPERVISOR,
                           "QEMU can no longer be asked");
      return FALSE;
    }
  self->is_spare = FALSE;
  self->qmp = greet (self, cancellable, &failure);
  if (was_spare && g_error_matches (failure, STEMMA_ERROR, STEMMA_ERROR_HYPERVISOR))
    {
      g_clear_error (&failure);
      self->qmp = greet_successor (self, cancellable, &failure);
    }
  if (failure != NULL)
    g_propagate_error (error, failure);

  return self->qmp != NULL;
}

/* "/dev/fdset/3" becomes the image's path; the highest number first, for 1 begins 12. */
static char *
name_images (StmBlockEndpoint *self, const char *words)
{
  g_autoptr (GString) text = g_string_new (words);

  for (guint n = self->paths->len; n > 0; n--)
    {
      g_autofree char *set = g_strdup_printf ("/dev/fdset/%u", n);

      g_string_replace (text, set, g_ptr_array_index (self->paths, n - 1), 0);
    }

  return g_strdup (text->str);
}

/* What QEMU had to say when it went. */
static void
add_last_words (StmBlockEndpoint *self, GError *failure)
{
  g_autofree char *words = stm_qemu_process_read_words (self->process);

  if (*words == '\0')
    return;

  char *message = g_strdup_printf ("%s (QEMU: %s)", failure->message, words);

  g_free (failure->message);
  failure->message = message;
}

static void
propagate_failure (StmBlockEndpoint *self, GError *failure, GError **error)
{
  add_last_words (self, failure);

  char *message = name_images (self, failure->message);

  g_free (failure->message);
  failure->message = message;
  g_propagate_error (error, failure);
}

JsonNode *
stm_block_endpoint_call_sync (StmBlockEndpoint *self, const StmQmpCall *qmp_call,
                              GCancellable *cancellable, GError **error)
{
  GError *failure = NULL;
  JsonNode *result = NULL;

  if (connect_sync (self, cancellable, &failure))
    result = stm_qmp_execute_sync (self->qmp, qmp_call, cancellable, &failure);
  if (result == NULL)
    propagate_failure (self, failure, error);

  return result;
}

JsonNode *
stm_block_endpoint_execute_sync (StmBlockEndpoint *self, const char *command, JsonObject *arguments,
                                 const char *attempt, GCancellable *cancellable, GError **error)
{
  return stm_block_endpoint_call_sync (
      self, &(StmQmpCall){ .command = command, .arguments = arguments, .attempt = attempt },
      cancellable, error);
}

gboolean
stm_block_endpoint_tell_sync (StmBlockEndpoint *self, const char *command, JsonObject *arguments,
                              const char *attempt, GCancellable *cancellable, GError **error)
{
  g_autoptr (JsonNode) result = stm_block_endpoint_execute_sync (self, command, arguments, attempt,
                                                                 cancellable, error);

  return result != NULL;
}

gboolean
stm_block_endpoint_pass_fd_sync (StmBlockEndpoint *self, const char *name, int fd,
                                 GCancellable *cancellable, GError **error)
{
  g_autoptr (JsonObject) arguments = json_object_new ();

  json_object_set_string_member (arguments, "fdname", name);

  g_autoptr (JsonNode)
      result = stm_block_endpoint_call_sync (self,
                                             &(StmQmpCall){ .command = "getfd",
                                                            .arguments = arguments,
                                                            .passed_fd = &fd,
                                                            .attempt = "passing a socket to QEMU" },
                                             cancellable, error);

  return result != NULL;
}

/* Whether an event is worth a look at the jobs: of the states that one goes through most ask for
 * nothing. */
static gboolean
is_news (const StmQmpMessage *event)
{
  static const char *const passing[] = { "created", "running", "waiting", "aborting", NULL };
  JsonObject *data = event->data != NULL && JSON_NODE_HOLDS_OBJECT (event->data)
                         ? json_node_get_object (event->data)
                         : NULL;

  return data == NULL || g_strcmp0 (event->name, "JOB_STATUS_CHANGE") != 0
         || !g_strv_contains (passing,
                              json_object_get_string_member_with_default (data, "status", ""));
}

static gboolean
pop_news (StmBlockEndpoint *self)
{
  gboolean has_news = FALSE;
  StmQmpMessage *event;

  while ((event = stm_qmp_pop_event (self->qmp)) != NULL)
    {
      has_news = has_news || is_news (event);
      stm_qmp_message_free (event);
    }

  return has_news;
}

gboolean
stm_block_endpoint_wait_sync (StmBlockEndpoint *self, guint timeout_ms, GCancellable *cancellable,
                              GError **error)
{
  gint64 deadline = g_get_monotonic_time () + timeout_ms * G_TIME_SPAN_MILLISECOND;
  gint64 left = timeout_ms;

  if (!connect_sync (self, cancellable, error))
    return FALSE;
  while (left > 0 && !pop_news (self) && !g_cancellable_is_cancelled (cancellable))
    {
      g_autoptr (GError) failure = NULL;

      if (!stm_qmp_wait_event_sync (self->qmp, (guint) left, cancellable, &failure)
          && !g_error_matches (failure, STEMMA_ERROR, STEMMA_ERROR_CANCELLED))
        {
          propagate_failure (self, g_steal_pointer (&failure), error);
          return FALSE;
        }
      left = (deadline - g_get_monotonic_time ()) / G_TIME_SPAN_MILLISECOND;
    }

  return TRUE;
}

GError *
stm_block_endpoint_error_new (StmBlockEndpoint *self, const char *attempt, const char *words)
{
  g_autofree char *named = name_images (self, words);

  return stm_qmp_error_new (attempt, NULL, named);
}

const char *
stm_block_endpoint_get_version_sync (StmBlockEndpoint *self, GCancellable *cancellable,
                                     GError **error)
{
  GError *failure = NULL;

  if (connect_sync (self, cancellable, &failure))
    return stm_qmp_get_version (self->qmp);

  propagate_failure (self, failure, error);
  return NULL;
}

gboolean
stm_block_endpoint_quit_sync (StmBlockEndpoint *self, GError **error)
{
  g_return_val_if_fail (self != NULL, FALSE);

  /* Given up before it was greeted: it has no image to close, and does not hear that it may go. */
  gboolean is_deaf = self->qmp == NULL && self->qmp_fd < 0;
  g_autoptr (GError) failure = NULL;

  if (is_deaf)
    return stm_qemu_process_end_sync (self->process, /* timeout_ms= */ 0, error);
  /* It may be gone before its reply is read; how it ended is what counts. */
  if (!stm_block_endpoint_tell_sync (self, "quit", NULL, "closing the images", NULL, &failure)
      && !g_error_matches (failure, STEMMA_ERROR, STEMMA_ERROR_HYPERVISOR))
    {
      g_propagate_error (error, g_steal_pointer (&failure));
      return FALSE;
    }

  return stm_qemu_process_end_sync (self->process,
                                    failure == NULL ? QUIT_TIMEOUT_MS : DEATH_TIMEOUT_MS, error);
}
