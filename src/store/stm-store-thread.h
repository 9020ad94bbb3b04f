/* StmStoreThread: the thread that alone speaks to the database, and its queue.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include "stm-commit.h"

typedef enum
{
  STM_REQUEST_WRITE,
  STM_REQUEST_READ_DEFINITION,
  STM_REQUEST_SET_HOOK,
  STM_REQUEST_STOP,
} StmRequestKind;

typedef struct _StmRequest StmRequest;

/* Called on the store thread when a request is done; gets the request. */
typedef void (*StmAnswerFunc) (StmRequest *request);

struct _StmRequest
{
  StmRequestKind kind;
  StmAnswerFunc answer; /* WRITE and READ_DEFINITION */
  gpointer answer_data;

  /* WRITE */
  StmChange *change;
  StmJournalEntry *entry;
  StmJournalAction action;
  guint last_job; /* 0: none */

  /* READ_DEFINITION */
  char *hash;
  char *text; /* out */

  /* SET_HOOK */
  StmStoreHook hook;
  gpointer hook_data;

  GError *error; /* out */
};

void stm_request_free (StmRequest *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (StmRequest, stm_request_free)

typedef struct _StmStoreThread StmStoreThread;

/* Takes the database, also when it fails. */
StmStoreThread *stm_store_thread_start (StmDatabase *database, GError **error);

/* Any thread; takes the request. Requests of one thread are answered in their order, writes among
 * themselves in the order of the queue. */
void stm_store_thread_push (StmStoreThread *self, StmRequest *request);

gboolean stm_store_thread_is_current (const StmStoreThread *self);

/* Does what is queued, closes the database, ends the thread and frees it. */
void stm_store_thread_stop (StmStoreThread *self);
