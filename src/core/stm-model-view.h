/* StmModelView: one domain as it would be after a change, without making the change.
 *
 * Lives on the stack of stm_model_check(); borrows the model and the change.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include "stm-model-private.h"

typedef struct
{
  const StmDomainEntry *entry; /* as it is; NULL when the change makes the domain */
  const StmChange *change;
  const StmDomain *domain;     /* the record as it would be */
  GHashTable *put_moments;     /* id -> StmMoment */
  GHashTable *removed_moments; /* set of ids */
  GHashTable *put_images;      /* path -> StmImage */
  GHashTable *removed_images;  /* set of paths */
} StmModelView;

/* INVALID_ARGUMENT when the change names an id or a path twice; NOT_FOUND when there is no such
 * domain and the change does not make it. */
gboolean stm_model_view_init (StmModelView *self, const StmModel *model, const StmChange *change,
                              GError **error);
void stm_model_view_clear (StmModelView *self);

/* As it would be; NULL when there would be none. */
const StmMoment *
stm_model_view_moment (const StmModelView *self, StmMomentKind kind, const char *id);
const StmImage *stm_model_view_image (const StmModelView *self, const char *path);

/* As it is; NULL when there is none. */
const StmMoment *stm_model_view_old_moment (const StmModelView *self, const char *id);
const StmImage *stm_model_view_old_image (const StmModelView *self, const char *path);

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (StmModelView, stm_model_view_clear)
