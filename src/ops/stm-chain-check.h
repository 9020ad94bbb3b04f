/* Whether a disk of a document may have the chain of images that was found for it: what it would
 * write must be nobody else's, and part of no history.
 *
 * Main loop only; pure. Puts nothing on record.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include "stm-domain-xml.h"
#include "stm-model.h"

/* What the disk is checked against; all borrowed. */
typedef struct
{
  const StmModel *model;
  const char *domain_id;
  const StmDomain *present; /* NULL for a new domain */
  gboolean has_moments;     /* of either kind */
  const GPtrArray *chains;  /* of all disks of the document: GPtrArray of StmImage, or NULL */
  const GArray *disks;      /* StmDisk: those of the document that may have theirs */
} StmChainCheck;

/* IN_USE, with what holds the image. */
gboolean stm_chain_check (const StmChainCheck *self, const StmXmlDisk *disk, const GPtrArray *chain,
                          GError **error);
