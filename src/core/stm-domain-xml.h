/* Reads and prints libvirt domain XML: a typed view of what the service needs, all else verbatim.
 *
 * Pure. Hostile input: the size is capped before parsing, depth is capped, no DTD, no entities, no
 * network, no recovery.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include "stm-domain.h"

/* One disk as the document has it. */
typedef struct
{
  const char *target;
  StmSourceKind kind;
  gboolean is_read_only;
  gboolean is_excluded; /* snapshot='no', CD-ROM or floppy */
  gboolean is_transient;
  gboolean is_complete; /* the declared backing chain ends with an empty <backingStore/> */
  const char *format;   /* "raw" when the document has none, as libvirt takes it */
  GPtrArray *declared;  /* StmXmlImage: [0] the source, then <backingStore> in order; empty when
                         * kind is NONE or OTHER */
} StmXmlDisk;

typedef struct
{
  const char *path;
  const char *format;
  StmSourceKind kind; /* FILE or BLOCK */
} StmXmlImage;

typedef struct _StmDomainXml
{
  const char *uuid; /* NULL when the document has none */
  const char *name;
  const char *title;       /* "" when none */
  const char *description; /* "" when none */
  GPtrArray *disks;        /* StmXmlDisk */
} StmDomainXml;

/* INVALID_XML naming what is wrong: malformed, a limit, no <name>, a target twice, a name with '/'
 * or control characters … The root must be <domain>. */
StmDomainXml *stm_domain_xml_parse (const char *text, GError **error);
void stm_domain_xml_free (StmDomainXml *self);

/* The document with <uuid> put in when it has none: what is stored. */
char *stm_domain_xml_with_uuid (const char *text, const char *uuid, GError **error);

typedef enum
{
  STM_XML_PUBLIC, /* without passwords, secrets, QEMU arguments and the kernel command line */
  STM_XML_SECURE,
} StmXmlSecrecy;

/* The definition as it is now: the stored text with the name, title, description and the active
 * source and format of each disk of `domain` put in; a <backingStore> below a changed source goes.
 */
char *stm_domain_xml_print (const char *text, const StmDomain *domain, StmXmlSecrecy secrecy,
                            GError **error);

/* The recorded chain of a disk: StmImage, active image first; transfer full. Empty or NULL when
 * there is none. */
typedef GPtrArray *(*StmXmlChainOf) (const char *target, gpointer data);

/* The same, fit to be defined again: where images below a changed source were named with
 * <backingStore>, which approved them, the chain from the new source down is named instead. A chain
 * that would make the document one that cannot be read is left out. */
char *
stm_domain_xml_print_chains (const char *text, const StmDomain *domain, StmXmlChainOf chain_of,
                             gpointer data, StmXmlSecrecy secrecy, GError **error);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (StmDomainXml, stm_domain_xml_free)
