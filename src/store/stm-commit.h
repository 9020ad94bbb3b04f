/* StmCommitter: many writes in one durable transaction, each by itself all or nothing.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include "stm-database.h"
#include "stm-store.h"

/* One write; what it does is borrowed. */
typedef struct
{
  const StmChange *change;      /* NULL: none */
  const StmJournalEntry *entry; /* NULL with NONE */
  StmJournalAction action;
  guint last_job; /* to be put on record as given out; 0: none */
  GError *error;  /* out: NULL when it is durable */
} StmWrite;

typedef struct _StmCommitter StmCommitter;

/* The database must outlive it. */
StmCommitter *stm_committer_new (StmDatabase *database, GError **error);
void stm_committer_free (StmCommitter *self);

/* Returns when all writes are durable or have their error; a write that fails does not take others
 * with it, unless the transaction as a whole fails. */
void stm_committer_commit (StmCommitter *self, StmWrite *const *writes, guint n_writes);

/* Moves what has gathered in the log into the database. For when nobody waits. */
void stm_committer_tidy (StmCommitter *self);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (StmCommitter, stm_committer_free)
