/* libvirt's <domainsnapshot> and <domaincheckpoint>: read as typed values, judged, and printed.
 *
 * Pure, any thread. Hostile input: the same limits as stm-domain-xml. The documents printed
 * validate against libvirt's schemas.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include "stm-domain-xml.h"
#include "stm-request.h"

/* --- documents as values --- */

/* The definition that a document holds, in its <domain> or its <inactiveDomain>. Immutable,
 * reference counted, shared by documents that hold the same. */
typedef struct
{
  const char *text;         /* the element, as <domain>; NULL when there is nothing but a <uuid> */
  const char *hash;         /* of the text, as the store knows it; NULL without text */
  const char *id;           /* the domain's, of its <uuid>; NULL when it has none */
  const StmDomainXml *view; /* NULL without text, or with a problem */
  GError *problem;          /* why it cannot be read as a domain, well-formed though it is */
} StmNestedDomain;

typedef enum
{
  STM_WRITTEN_ABSENT,
  STM_WRITTEN_NO,
  STM_WRITTEN_INTERNAL,
  STM_WRITTEN_EXTERNAL,
  STM_WRITTEN_MANUAL,
  STM_WRITTEN_BITMAP,
} StmWrittenMode;

/* A <disk> as it is written. */
typedef struct
{
  char *name; /* a target, or the path of an image when it begins with '/' */
  StmWrittenMode mode;
  char *file;            /* the overlay's, absolute; NULL when not named */
  char *format;          /* the overlay's; NULL when not said */
  char *bitmap;          /* NULL when not named */
  char *tag;             /* of an internal snapshot whose tag is not its name, else NULL */
  char *type;            /* "file", "block", "network" …; NULL when not said */
  gboolean has_settings; /* of the overlay, besides its file and format */
  guint line;
} StmDocumentDisk;

typedef struct _StmMomentDocument
{
  StmMomentKind kind;
  char *name;        /* "" when none */
  char *description; /* "" when none */
  gint64 created;    /* -1 when not said */
  gboolean has_state;
  StmMomentState state;
  char *parent; /* a name; NULL when none */
  gboolean has_memory;
  StmMemory memory;
  char *memory_file;         /* of external memory, absolute */
  GPtrArray *disks;          /* StmDocumentDisk, no name twice; NULL without <disks> */
  StmNestedDomain *domain;   /* NULL without <domain> */
  StmNestedDomain *inactive; /* NULL without <inactiveDomain> */
  char *cookie;              /* the element, as text; NULL without */
} StmMomentDocument;

/* INVALID_XML, with the line, for what is malformed, over a limit or not to the rules that hold
 * whatever the document is for; NOT_SUPPORTED for memory that is external and names no file. */
StmMomentDocument *stm_moment_document_parse (const char *text, StmMomentKind kind, GError **error);
void stm_moment_document_free (StmMomentDocument *self);

/* The same for many documents, each of which it reads the faster when the definition in it was seen
 * before. For one thread at a time. */
typedef struct _StmMomentReader StmMomentReader;

StmMomentReader *stm_moment_reader_new (void);
/* One to be kept: it remembers definitions of up to so many bytes together. */
StmMomentReader *stm_moment_reader_new_limited (gsize max_bytes);
void stm_moment_reader_free (StmMomentReader *self);
StmMomentDocument *stm_moment_reader_read (StmMomentReader *self, const char *text,
                                           StmMomentKind kind, GError **error);

StmNestedDomain *stm_nested_domain_ref (const StmNestedDomain *self);
void stm_nested_domain_unref (StmNestedDomain *self);

/* Whether the document can be a request to create one: that no choice is in it that would not be
 * honoured. NOT_SUPPORTED with the way out, INVALID_XML. */
gboolean stm_moment_document_check_create (const StmMomentDocument *self, GError **error);

/* Whether it can be a record of one: name, creationTime, of a snapshot its state, of a checkpoint
 * its <domain>, and a <domain> that can be read; memory that goes with the state. INVALID_XML
 * naming the element, NOT_SUPPORTED. */
gboolean stm_moment_document_check_redefine (const StmMomentDocument *self, GError **error);

/* The memory of a redefined snapshot: what is said, or else by the state. */
StmMemory stm_moment_document_memory (const StmMomentDocument *self);

/* The target that a <disk> is about: its name, or that of the disk whose image it names, by the
 * document's own <domain> or else by `domain` (may be NULL). Borrowed; NULL for none. */
const char *stm_moment_document_target (const StmMomentDocument *self, const StmDocumentDisk *disk,
                                        const StmDomain *domain);

/* --- documents as requests --- */

/* The choices of a <domainsnapshot>, owned. */
typedef struct _StmSnapshotXml
{
  char *name;             /* "" when none */
  char *description;      /* "" when none */
  StmDiskChoice *choices; /* for StmCreateRequest; the disks without one follow the default */
  gsize n_choices;
} StmSnapshotXml;

/* NOT_FOUND for a disk that `domain` does not have, INVALID_XML when one is named twice, and what
 * the functions above refuse. */
StmSnapshotXml *stm_snapshot_xml_parse (const char *text, const StmDomain *domain, GError **error);
void stm_snapshot_xml_free (StmSnapshotXml *self);

/* The choices of a <domaincheckpoint>, owned. */
typedef struct _StmCheckpointXml
{
  char *name;        /* "" when none */
  char *description; /* "" when none */
  GStrv disks;       /* targets; NULL without <disks>: all writable disks with media */
} StmCheckpointXml;

StmCheckpointXml *
stm_checkpoint_xml_parse (const char *text, const StmDomain *domain, GError **error);
void stm_checkpoint_xml_free (StmCheckpointXml *self);

/* --- documents out --- */

typedef struct
{
  const StmMoment *moment;
  const char *domain_id;  /* whose moment it is */
  const char *parent;     /* the parent's name; NULL for a root */
  const char *definition; /* texts that the moment names by hash; NULL when it names none */
  const char *inactive;
  const char *cookie;
  StmXmlChainOf
      chain_of; /* of the images that hold the moment's state; NULL: chains are left out */
  gpointer chain_data;
  gboolean omits_domain;
  GHashTable
      *sizes; /* target -> guint64 *, bytes changed since a checkpoint; NULL: not asked for */
  StmXmlSecrecy secrecy;
} StmMomentPrint;

/* The document. Its <domain> has the images that hold the moment's state as its sources, and below
 * them their chains where the definition named what is below a disk; a snapshot without a
 * definition has a <domain> of a <uuid> alone. INVALID_ARGUMENT for texts that XML cannot bear. */
char *stm_moment_document_print (const StmMomentPrint *init, GError **error);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (StmMomentDocument, stm_moment_document_free)
G_DEFINE_AUTOPTR_CLEANUP_FUNC (StmMomentReader, stm_moment_reader_free)
G_DEFINE_AUTOPTR_CLEANUP_FUNC (StmNestedDomain, stm_nested_domain_unref)
G_DEFINE_AUTOPTR_CLEANUP_FUNC (StmSnapshotXml, stm_snapshot_xml_free)
G_DEFINE_AUTOPTR_CLEANUP_FUNC (StmCheckpointXml, stm_checkpoint_xml_free)
