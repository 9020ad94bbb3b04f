/* StmDomain: what is recorded of one virtual machine apart from its moments and images.
 *
 * Immutable, reference counted. The definition is kept verbatim in the store under its content
 * hash; here stands the typed view of what the service needs of it, and the present source of each
 * disk, which changes with each snapshot while the stored definition does not.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include <gio/gio.h>

typedef enum
{
  STM_SOURCE_NONE, /* no medium */
  STM_SOURCE_FILE,
  STM_SOURCE_BLOCK,
  STM_SOURCE_OTHER, /* network and the like: kept, shown, refused where an image is needed */
} StmSourceKind;

typedef struct
{
  const char *target;
  StmSourceKind kind;
  const char *source; /* path of the active image; NULL for NONE and OTHER */
  const char *format; /* of the active image: "qcow2", "raw", or as written for OTHER */
  gboolean is_read_only;
  gboolean is_excluded; /* the definition says snapshot='no', or a CD-ROM or floppy */
  guint next_index;     /* index of the next image to join this disk's chain */
} StmDisk;

typedef struct _StmDomain
{
  const char *id;   /* 32 hex digits */
  const char *name; /* unique in the service */
  const char *title;
  const char *description;
  const char *definition; /* content hash of the definition in the store */
  const StmDisk *disks;   /* in the order of the definition */
  gsize n_disks;
  const char *const *roots; /* directories approved with the definition; paths stay below them */
} StmDomain;

StmDomain *stm_domain_new (const StmDomain *init);
StmDomain *stm_domain_ref (const StmDomain *self);
void stm_domain_unref (StmDomain *self);
const StmDisk *stm_domain_find_disk (const StmDomain *self, const char *target);

/* Whether the texts are such as can be stored and read back. INVALID_ARGUMENT. */
gboolean stm_domain_is_sound (const StmDomain *self, GError **error);

GVariant *stm_domain_to_variant (const StmDomain *self); /* floating */
StmDomain *stm_domain_from_variant (GVariant *variant);  /* NULL when the content is not sound */
#define STM_DOMAIN_TYPE G_VARIANT_TYPE ("(sssssa(sumssbbu)as)")

G_DEFINE_AUTOPTR_CLEANUP_FUNC (StmDomain, stm_domain_unref)
