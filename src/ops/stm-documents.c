/* The reading of documents from a pipe, socket or file. Holds one document at a time, so that what
 * is kept in memory is for who takes them to bound.
 *
 * Worker only; cancellable while it waits.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "stm-documents.h"

#include "stemma-error.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#define MAX_TOTAL_BYTES (G_GUINT64_CONSTANT (4) * 1024 * 1024 * 1024)
/* Of one document: as many as the XML reader takes, and the NUL. */
#define MAX_DOCUMENT_BYTES (4 * 1024 * 1024 + 1)
#define MAX_SECONDS 600
#define CHUNK_BYTES (256 * 1024)

typedef struct
{
  int fd;
  guint silence;
  GCancellable *cancellable;
  gint64 deadline; /* monotonic, microseconds */
  GByteArray *buffer;
  gsize n_scanned; /* bytes of the buffer that hold no NUL */
  guint64 n_total;
  guint n_documents;
  StmDocumentFunc func;
  gpointer user_data;
} Reader;

static gboolean
    G_GNUC_PRINTF (3, 4) fail (GError **error, StemmaError code, const char *format, ...)
{
  va_list arguments;

  va_start (arguments, format);
  g_propagate_error (error, g_error_new_valist (STEMMA_ERROR, (int) code, format, arguments));
  va_end (arguments);
  return FALSE;
}

/* Until there is something to read, or the end. */
static gboolean
wait_readable (Reader *self, GError **error)
{
  struct pollfd fds[2] = { { .fd = self->fd, .events = POLLIN } };
  GPollFD cancel = { .fd = -1 };
  gint64 left = (self->deadline - g_get_monotonic_time ()) / 1000;
  nfds_t n_fds = 1;
  int n_ready;

  if (g_cancellable_make_pollfd (self->cancellable, &cancel))
    fds[n_fds++] = (struct pollfd){ .fd = cancel.fd, .events = POLLIN };
  do
    n_ready = poll (fds, n_fds, (int) CLAMP (left, 0, self->silence));
  while (n_ready < 0 && errno == EINTR);
  if (cancel.fd >= 0)
    g_cancellable_release_fd (self->cancellable);
  if (g_cancellable_is_cancelled (self->cancellable))
    return fail (error, STEMMA_ERROR_CANCELLED, "reading the documents was cancelled");
  if (n_ready < 0)
    return fail (error, STEMMA_ERROR_FAILED, "reading document %u: %s", self->n_documents + 1,
                 g_strerror (errno));
  if (n_ready == 0)
    return fail (error, STEMMA_ERROR_TIMED_OUT,
                 "reading document %u: nothing came in time; write all documents at once and close "
                 "the descriptor",
                 self->n_documents + 1);
  return TRUE;
}

/* Appends to the buffer. -1 with an error, 0 at the end. */
static gssize
read_chunk (Reader *self, GError **error)
{
  gsize n_held = self->buffer->len;
  gssize n_read;

  g_byte_array_set_size (self->buffer, (guint) (n_held + CHUNK_BYTES));
  do
    {
      if (!wait_readable (self, error))
        return -1;
      n_read = read (self->fd, self->buffer->data + n_held, CHUNK_BYTES);
    }
  while (n_read < 0 && (errno == EINTR || errno == EAGAIN || errno == EWOULDBLOCK));
  if (n_read < 0)
    {
      fail (error, STEMMA_ERROR_INVALID_ARGUMENT, "the documents cannot be read: %s",
            g_strerror (errno));
      return -1;
    }
  g_byte_array_set_size (self->buffer, (guint) (n_held + (gsize) n_read));
  self->n_total += (guint64) n_read;
  return n_read;
}

/* Gives out what is complete in the buffer, and keeps the rest. */
static gboolean
hand_over (Reader *self, GError **error)
{
  const char *begin = (const char *) self->buffer->data;
  const char *end = begin + self->buffer->len;
  const char *nul = memchr (begin + self->n_scanned, '\0', self->buffer->len - self->n_scanned);

  for (; nul != NULL; nul = memchr (begin, '\0', (gsize) (end - begin)))
    {
      if (!self->func (begin, (gsize) (nul - begin), self->user_data, error))
        return FALSE;
      self->n_documents++;
      begin = nul + 1;
    }
  if (begin > (const char *) self->buffer->data)
    g_byte_array_remove_range (self->buffer, 0,
                               (guint) (begin - (const char *) self->buffer->data));
  self->n_scanned = self->buffer->len;
  if (self->buffer->len > MAX_DOCUMENT_BYTES)
    return fail (error, STEMMA_ERROR_TOO_LARGE,
                 "document %u is larger than %d bytes, or not ended by a NUL byte",
                 self->n_documents + 1, MAX_DOCUMENT_BYTES - 1);
  if (self->n_total > MAX_TOTAL_BYTES)
    return fail (error, STEMMA_ERROR_TOO_LARGE,
                 "the documents are larger than %" G_GUINT64_FORMAT
                 " bytes together: redefine them in several calls",
                 MAX_TOTAL_BYTES);
  return TRUE;
}

static gboolean
read_all (Reader *self, GError **error)
{
  gssize n_read = 1;

  while (n_read > 0)
    {
      if (g_get_monotonic_time () >= self->deadline)
        return fail (error, STEMMA_ERROR_TIMED_OUT,
                     "reading the documents took longer than %d seconds", MAX_SECONDS);
      n_read = read_chunk (self, error);
      if (n_read < 0 || !hand_over (self, error))
        return FALSE;
    }
  if (self->buffer->len == 0)
    return TRUE;
  return fail (error, STEMMA_ERROR_INVALID_ARGUMENT,
               "document %u is not ended by a NUL byte: end each document, the last one too",
               self->n_documents + 1);
}

gboolean
stm_documents_read_sync (int fd, guint silence, StmDocumentFunc func, gpointer user_data,
                         GCancellable *cancellable, GError **error)
{
  g_autoptr (GByteArray) buffer = g_byte_array_sized_new (2 * CHUNK_BYTES);
  Reader reader = { .fd = fd,
                    .silence = silence,
                    .cancellable = cancellable,
                    .deadline = g_get_monotonic_time () + MAX_SECONDS * G_USEC_PER_SEC,
                    .buffer = buffer,
                    .func = func,
                    .user_data = user_data };

  return read_all (&reader, error);
}
