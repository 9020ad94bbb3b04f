/* What the parts of stm-moment-xml share: the nested definitions, cut out of a document.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include "stm-moment-xml.h"
#include "stm-xml.h"

/* Stands in the <disk> of an internal snapshot, followed by its tag, escaped as in a URI. */
#define STM_TAG_INSTRUCTION "stemma-tag"

/* The root element of documents of this kind. */
const char *stm_moment_document_root (StmMomentKind kind);

/* A document in two: the nested definitions, and the rest of it with an empty element in the place
 * of each, with all line numbers as they were. */
typedef struct
{
  xmlDoc *rest;
  StmNestedDomain *domain;
  StmNestedDomain *inactive;
} StmDocumentCut;

void stm_document_cut_clear (StmDocumentCut *self);

/* INVALID_XML. */
gboolean stm_moment_reader_cut (StmMomentReader *self, const char *text, StmMomentKind kind,
                                StmDocumentCut *out_cut, GError **error);

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (StmDocumentCut, stm_document_cut_clear)
