/* Reads documents that a client passes by a descriptor: texts, each ended by a NUL byte.
 *
 * Worker only, blocking. Hostile input: the descriptor may be anything, never end, or fall silent.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include <gio/gio.h>

/* Called for each document in turn; `text` is NUL-terminated and good for the time of the call.
 * FALSE with an error ends the reading. */
typedef gboolean (*StmDocumentFunc) (const char *text, gsize length, gpointer user_data,
                                     GError **error);

/* Reads to the end; does not close the descriptor. INVALID_ARGUMENT for a last document that is not
 * ended, TOO_LARGE, TIMED_OUT when nothing comes for `silence` milliseconds or the whole takes too
 * long, CANCELLED, FAILED. */
gboolean stm_documents_read_sync (int fd, guint silence, StmDocumentFunc func, gpointer user_data,
                                  GCancellable *cancellable, GError **error);

#define STM_DOCUMENTS_SILENCE 10000 /* milliseconds */
