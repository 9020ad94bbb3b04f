/* Reads libvirt's <domainsnapshot> as a request. Pure; the same hardening as stm-domain-xml.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include "stm-domain.h"
#include "stm-request.h"

/* The document's choices as a request that owns its strings. */
typedef struct _StmSnapshotXml
{
  char *name;        /* "" when none */
  char *description; /* "" when none */
  GStrv disks;       /* targets taken; NULL when the document has no <disks> */
} StmSnapshotXml;

/* `domain` gives the disks for alignment: libvirt includes a disk unless snapshot='no'. INVALID_XML
 * when malformed; NOT_FOUND for an unknown disk; NOT_SUPPORTED, with the way out, for what is not
 * possible: memory, internal or manual disks, a source named by the caller. */
StmSnapshotXml *stm_snapshot_xml_parse (const char *text, const StmDomain *domain, GError **error);
void stm_snapshot_xml_free (StmSnapshotXml *self);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (StmSnapshotXml, stm_snapshot_xml_free)
