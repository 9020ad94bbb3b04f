/* The inside of StmModel, for its three sources: the model, its check and its apply.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include "stm-image-index.h"
#include "stm-leaf-index.h"
#include "stm-model.h"

/* One domain with all that it has. */
typedef struct
{
  char *id;
  StmDomain *record;
  guint64 generation;
  StmTree *trees[STM_N_MOMENT_KINDS];
  StmImageIndex *images;
  StmLeafIndex *checkpoints;
} StmDomainEntry;

struct _StmModel
{
  GHashTable *entries; /* id -> StmDomainEntry, owned */
  GHashTable *by_name; /* name -> StmDomainEntry; the key is a part of its record */
  GHashTable *holders; /* of images: see stm-image-index.h */
  guint64 service_generation;
};

/* NULL when unknown. */
StmDomainEntry *stm_model_get_entry (const StmModel *self, const char *domain_id);
/* The moment of either kind, or NULL. */
const StmMoment *stm_domain_entry_get_moment (const StmDomainEntry *entry, const char *id);

StmDomainEntry *stm_model_add_entry (StmModel *self, const char *domain_id);
void stm_model_remove_entry (StmModel *self, StmDomainEntry *entry);
