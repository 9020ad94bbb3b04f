/* StmStore: the durable copy of the model, the definitions and the journal, in one SQLite database.
 *
 * Has a thread of its own that alone speaks to SQLite, so that an fsync never blocks the caller;
 * writes queued together are committed together. Knows values of core/ only. Writes are answered in
 * the order in which they were made. `synchronous=FULL`: what was answered survives power loss.
 *
 * Async functions are for the main loop, `_sync` ones for workers and for start and end.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include "stm-journal-entry.h"
#include "stm-model.h"

#define STM_TYPE_STORE stm_store_get_type ()
G_DECLARE_FINAL_TYPE (StmStore, stm_store, STM, STORE, GObject)

/* What is read at start. */
typedef struct
{
  GPtrArray
      *changes;    /* StmChange: one for each domain, with all that it has; apply them in order */
  StmModel *model; /* those changes, checked and applied */
  GPtrArray *journal;         /* StmJournalEntry, oldest first */
  guint64 service_generation; /* that of the changes, and of a service without domains */
  guint last_job;             /* this number of a job and those below may have been given out */
  char *health;               /* "ok", or why the store is read-only */
} StmStoreContent;
void stm_store_content_free (StmStoreContent *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (StmStoreContent, stm_store_content_free)

/* What one write does to the journal beside the change. */
typedef enum
{
  STM_JOURNAL_NONE,
  STM_JOURNAL_PUT,    /* add the entry, or replace the one of the same id */
  STM_JOURNAL_REMOVE, /* by the entry's id */
} StmJournalAction;

/* Called on the store thread right after a transaction is durable, before it is answered; a test
 * stops the process there. */
typedef void (*StmStoreHook) (const StmJournalEntry *entry, StmJournalAction action,
                              gpointer user_data);

/* Opens or makes `directory`/stemma.db (directory 0700, file 0600) with an exclusive lock and reads
 * everything. BUSY when another process has it. A newer schema, a failed quick_check, rows that do
 * not fit, a file that is no database or a directory that cannot be written open it read-only, with
 * what can be read of it, and the content's health says so; the file is not touched then. Fails
 * when the directory cannot be used at all. Blocking: called before the main loop runs, or from a
 * worker.
 */
StmStore *
stm_store_open_sync (const char *directory, StmStoreContent **out_content, GError **error);
void stm_store_set_hook (StmStore *self, StmStoreHook hook, gpointer user_data);

/* One transaction: the change (may be NULL) and the journal (entry may be NULL with NONE).
 * READ_ONLY, NO_SPACE, FAILED; then nothing is written. The entry is copied at once; the change and
 * the plan are referenced and read on the store thread, so whoever made them must not alter them
 * from here on. Answers in the thread-default context of the caller, in the order of the calls. */
void stm_store_write_async (StmStore *self, StmChange *change, StmJournalAction action,
                            const StmJournalEntry *entry, GAsyncReadyCallback callback,
                            gpointer user_data);
gboolean stm_store_write_finish (StmStore *self, GAsyncResult *result, GError **error);

/* For a worker between two steps. */
gboolean
stm_store_write_journal_sync (StmStore *self, const StmJournalEntry *entry, GError **error);

/* Puts on record, in a transaction of what is queued, that numbers of jobs up to this one may have
 * been given out; a lower one than is on record changes nothing. */
void stm_store_reserve_jobs_async (StmStore *self, guint last_job, GAsyncReadyCallback callback,
                                   gpointer user_data);
gboolean stm_store_reserve_jobs_finish (StmStore *self, GAsyncResult *result, GError **error);
gboolean stm_store_reserve_jobs_sync (StmStore *self, guint last_job, GError **error);

/* The text of a definition by its content hash; NOT_FOUND. */
void stm_store_read_definition_async (StmStore *self, const char *hash,
                                      GAsyncReadyCallback callback, gpointer user_data);
char *stm_store_read_definition_finish (StmStore *self, GAsyncResult *result, GError **error);

/* Waits for what is queued, closes the database and ends the thread. */
void stm_store_close_sync (StmStore *self);
