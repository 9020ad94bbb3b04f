/* StmDomainRows: the rows of one domain while they come together from several tables.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include "stm-change.h"
#include "stm-problems.h"

typedef struct
{
  char *id;
  char *name;
  char *title;
  char *description;
  char *definition;
  guint64 generation;
  GArray *disks;      /* StmDisk; the texts are those of `texts` */
  GPtrArray *roots;   /* borrowed from `texts` */
  GPtrArray *moments; /* StmMomentRow */
  GPtrArray *images;  /* StmImage */
  char *current;
  GStringChunk *texts;
} StmDomainRows;

StmDomainRows *stm_domain_rows_new (void);
void stm_domain_rows_free (StmDomainRows *self);

/* A copy of a text that lives as long as the rows; NULL for NULL. */
const char *stm_domain_rows_keep (StmDomainRows *self, const char *text);

/* The domain with all that it has, as one change, made once. NULL when the domain itself is not
 * sound; what else does not fit is mended or left out, and said. */
StmChange *stm_domain_rows_to_change (StmDomainRows *self, guint64 service_generation,
                                      StmProblems *problems, GError **error);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (StmDomainRows, stm_domain_rows_free)
