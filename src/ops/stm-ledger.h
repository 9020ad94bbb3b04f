/* StmLedger: the model and its durable copy, changed together or not at all.
 *
 * Main loop only. Every change of the model goes through stm_ledger_commit_async(): checked, then
 * durable in the store, then applied, then "changed" (StmChange *) is emitted, then answered.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include "stm-model.h"
#include "stm-store.h"

#define STM_TYPE_LEDGER stm_ledger_get_type ()
G_DECLARE_FINAL_TYPE (StmLedger, stm_ledger, STM, LEDGER, GObject)

/* Takes the model out of the content that was read at the opening of the store. Never fails. */
StmLedger *stm_ledger_new (StmStore *store, StmStoreContent *content, GError **error);

const StmModel *stm_ledger_get_model (StmLedger *self);
StmStore *stm_ledger_get_store (StmLedger *self);

/* `change` may be NULL or empty: then only the journal is written. The generations of the change
 * are set here; after the call nobody changes it any more. */
void stm_ledger_commit_async (StmLedger *self, StmChange *change, StmJournalAction action,
                              const StmJournalEntry *entry, GAsyncReadyCallback callback,
                              gpointer user_data);
gboolean stm_ledger_commit_finish (StmLedger *self, GAsyncResult *result, GError **error);
