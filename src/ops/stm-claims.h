/* StmClaims: which image files the running operations touch, so that operations of two domains
 * never meet on one file.
 *
 * Main loop only. Within one domain the queue already keeps operations apart.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include "stm-plan.h"

typedef struct _StmClaims StmClaims;

StmClaims *stm_claims_new (void);
void stm_claims_free (StmClaims *self);

/* BUSY, naming the file and the operation, when another plan writes what this one touches or the
 * other way round. Released by the plan's id. */
gboolean stm_claims_take (StmClaims *self, const StmPlan *plan, GError **error);
void stm_claims_release (StmClaims *self, const char *plan_id);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (StmClaims, stm_claims_free)
