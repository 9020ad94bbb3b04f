/* StmChange: all that one step changes in one domain, in one value.
 *
 * The only way to change the model: checked by stm_model_check(), committed by the store in one
 * transaction, applied by stm_model_apply(), and what the signals are built from. Built by filling
 * it, then only read. A change of many moments is one change: all of it or nothing.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include "stm-domain.h"
#include "stm-image.h"
#include "stm-moment.h"

typedef enum
{
  STM_CURRENT_KEEP,
  STM_CURRENT_SET, /* to the current_id, which may be NULL for none */
} StmCurrentChange;

typedef struct _StmChange
{
  char *domain_id;
  StmDomain *domain;          /* the new record; NULL when it stays */
  gboolean removes_domain;    /* the domain goes with all that it has */
  char *definition_text;      /* to be stored under domain->definition; NULL when known already */
  GHashTable *texts;          /* content hash -> text: what the put moments refer to by hash and is
                               * not known yet */
  GPtrArray *put_moments;     /* StmMoment: added, or replacing the one of the same id */
  GPtrArray *removed_moments; /* ids as strings */
  StmCurrentChange current_change;
  char *current_id;
  GPtrArray *put_images;      /* StmImage: added, or replacing the one of the same path */
  GPtrArray *removed_images;  /* paths as strings */
  guint64 generation;         /* of the domain, after this change; set by who submits it */
  guint64 service_generation; /* of the service, after this change; set by who submits it */
} StmChange;

StmChange *stm_change_new (const char *domain_id);
StmChange *stm_change_ref (StmChange *self);
void stm_change_unref (StmChange *self);
gboolean stm_change_is_empty (const StmChange *self);

/* Builders. Of several calls for the same id or path the last one counts, put or remove; the values
 * are referenced. */
void stm_change_set_domain (StmChange *self, const StmDomain *domain);
void stm_change_add_text (StmChange *self, const char *hash, const char *text);
void stm_change_put_moment (StmChange *self, const StmMoment *moment);
void stm_change_remove_moment (StmChange *self, const char *id);
void stm_change_put_image (StmChange *self, const StmImage *image);
void stm_change_remove_image (StmChange *self, const char *path);
void stm_change_set_current (StmChange *self, const char *id);

GVariant *stm_change_to_variant (const StmChange *self); /* floating; without the generations */
StmChange *stm_change_from_variant (GVariant *variant);  /* NULL when the content is not sound */
#define STM_CHANGE_TYPE                                                                            \
  G_VARIANT_TYPE (                                                                                 \
      "(sm(sssssa(sumssbbu)as)bmsa(ss)a(ussmssxuumsumsmsmsa(sumsmsmsmsms))asumsa(ssusmsut)as)")

G_DEFINE_AUTOPTR_CLEANUP_FUNC (StmChange, stm_change_unref)
