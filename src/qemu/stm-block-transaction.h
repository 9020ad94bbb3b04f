/* StmBlockTransaction: changes of an endpoint's block graph and bitmaps, all or none.
 *
 * Built and run on the endpoint's worker.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include "stm-block-endpoint.h"

typedef struct _StmBlockTransaction StmBlockTransaction;

StmBlockTransaction *stm_block_transaction_new (void);
void stm_block_transaction_free (StmBlockTransaction *self);

/* Puts an overlay, which stands on nothing yet, on its base. */
void stm_block_transaction_add_snapshot (StmBlockTransaction *self, StmBlockNode base,
                                         StmBlockNode overlay);

typedef enum
{
  STM_BLOCK_BITMAP_RECORDING,
  STM_BLOCK_BITMAP_RESTING,
} StmBlockBitmapState;

/* Begins a persistent bitmap in an image that is open for writing. It is in the file when the image
 * has been closed for writing, not before. `granularity` 0: QEMU's choice. */
void
stm_block_transaction_add_bitmap (StmBlockTransaction *self, StmBlockNode node, const char *name,
                                  guint granularity, StmBlockBitmapState state);

/* Adds to the bitmap of this name in `into`, which is open for writing, what that in `from`
 * recorded; both images have one size. */
void stm_block_transaction_merge_bitmap (StmBlockTransaction *self, StmBlockNode from,
                                         StmBlockNode into, const char *name);

/* Makes an internal snapshot of an image that is open for writing. */
void stm_block_transaction_add_tag (StmBlockTransaction *self, StmBlockNode node, const char *name);

/* One that is empty is done. */
gboolean
stm_block_transaction_run_sync (const StmBlockTransaction *self, StmBlockEndpoint *endpoint,
                                const char *attempt, GCancellable *cancellable, GError **error);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (StmBlockTransaction, stm_block_transaction_free)
