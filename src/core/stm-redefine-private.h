/* What the parts of StmRedefinition share.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include "stm-moment-xml.h"
#include "stm-redefine.h"

/* A disk of a moment as the document and the model have it; texts are those of the document, of the
 * record or of the look. */
typedef struct
{
  const char *target;
  StmDiskMode mode;
  const char *frozen; /* NULL while it is not known */
  const char *format;
  const char *overlay;
  const char *tag;
  const char *bitmap;
  /* Which image's header is to be read when the record does not know enough: that which holds the
   * state, or the overlay over it. */
  const char *unknown;
  const char *unknown_format;
  const StmXmlDisk *declared; /* of the document's definition; NULL without */
  StmHealth health;
} StmRedefinedDisk;

/* One document, and what it becomes. */
typedef struct
{
  StmMomentDocument *document;
  guint number; /* from 1, in the order of the call */
  char *id;
  const StmMoment *existing; /* that it replaces, referenced; NULL for a new one */
  const char *parent;        /* id; NULL for a root */
  gssize parent_place;       /* among the documents; -1 for none or one of the model */
  GArray *disks;             /* StmRedefinedDisk */
} StmRedefined;

/* An image that was not on record, as its header has it. */
typedef struct
{
  StmImage *image; /* NULL with an error */
  GError *error;
} StmLookedImage;

struct _StmRedefinition
{
  StmMomentKind kind;
  char *current;
  gboolean sets_current;
  gboolean validates;
  gboolean is_bulk; /* messages say which document they are about */

  StmSpellings *spellings; /* of the paths that documents give */
  StmMomentReader *reader; /* of documents that come without one; NULL until then */
  GPtrArray *documents;    /* StmRedefined */
  GHashTable *by_name;     /* name -> StmRedefined */
  GHashTable *texts;       /* hash -> StmNestedDomain: distinct definitions, for their size */
  gsize text_bytes;        /* of the distinct definitions and all that is held beside them */

  const StmModel *model; /* while it is being prepared or planned */
  StmDomain *domain;
  GPtrArray *ids;
  GHashTable *definitions;  /* hash -> text of those on record */
  GHashTable *compared;     /* "hash hash": pairs that are the same machine */
  GHashTable *unknown;      /* path -> StmRedefinedDisk: the first that names it */
  GHashTable *looked;       /* path -> StmLookedImage */
  StmSurvey *looked_survey; /* of those, when it validates internal snapshots */
};

/* Puts before the message which document it is about. Always FALSE. */
gboolean
stm_redefined_prefix (const StmRedefinition *self, const StmRedefined *redefined, GError **error);
/* The name of the document's moment, fit for a message. */
char *stm_redefined_show_name (const StmRedefined *redefined);
StmRedefinedDisk *stm_redefined_nth_disk (const StmRedefined *redefined, guint i);
/* The image of the domain; NULL when it is not on record, or for NULL. */
const StmImage *stm_redefine_get_record (const StmRedefinition *self, const char *path);

/* stm-redefine-tree.c: which moments, on which parents. */
gboolean stm_redefine_find_moments (StmRedefinition *self, GError **error);

/* stm-redefine-disks.c: the disks of one document. */
gboolean stm_redefine_align (const StmRedefinition *self, StmRedefined *redefined, GError **error);

/* stm-redefine-images.c: the images that disks name. */
GPtrArray *stm_redefine_list_images (const StmRedefinition *self);
/* Which disks need a look, and settles those of which the record knows enough. */
void stm_redefine_find_unknown (StmRedefinition *self);

/* stm-redefine-records.c: what is on record of them, and what the look adds to it. */
gboolean stm_redefine_settle_images (StmRedefinition *self, StmChange *change, GError **error);

/* stm-redefine-validate.c: whether the images bear a document out. */
gboolean stm_redefine_validate (const StmRedefinition *self, StmRedefined *redefined,
                                const StmSurvey *survey, GError **error);

/* stm-redefine-change.c: what becomes of the model. */
void stm_redefine_put_moment (const StmRedefinition *self, const StmRedefined *redefined,
                              StmChange *change);
void stm_redefine_put_current (const StmRedefinition *self, StmChange *change);
