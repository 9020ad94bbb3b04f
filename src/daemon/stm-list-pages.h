/* StmListPages: the order of a list that is read in pages, kept from one page to the next.
 *
 * The whole of a tree is put in order for the first page alone. The owner says when the tree
 * changes; what is kept holds the moments. Main loop only.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include "stm-snapshot-list.h"

typedef struct _StmListPages StmListPages;

StmListPages *stm_list_pages_new (void);
void stm_list_pages_free (StmListPages *self);

/* Like stm_snapshot_list(). */
GPtrArray *stm_list_pages_read (StmListPages *self, const StmTree *tree,
                                const StmListFilter *filter, GError **error);

/* The tree is another one now. */
void stm_list_pages_forget (StmListPages *self);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (StmListPages, stm_list_pages_free)
