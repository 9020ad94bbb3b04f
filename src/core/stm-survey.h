/* StmSurvey: what a driver saw of the image files that an operation concerns.
 *
 * Made on a worker by the driver, read on the main loop by the planner. Immutable when made.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include "stm-image.h"
#include "stm-path-policy.h"

#define STM_BYTES_UNKNOWN G_MAXUINT64

/* An internal snapshot in an image. */
typedef struct
{
  const char *id;
  const char *name;
  guint64 vm_state_bytes; /* 0: of the disk alone */
  gint64 created;         /* seconds since the epoch */
  guint64 capacity;       /* virtual size then */
  gboolean is_present;    /* the image's present content is proven to be this one's */
} StmTagFacts;

/* Bitmaps with such names are a driver's own: a step may need them for its time, and one that was
 * cut off or given up leaves them. They stand in nobody's way, and no survey shows them. */
#define STM_DRIVER_BITMAP_PREFIX "stemma-carried-"
gboolean stm_bitmap_name_is_drivers (const char *name);

/* A persistent dirty bitmap in an image. */
typedef struct
{
  const char *name;
  guint granularity; /* bytes */
  gboolean is_recording;
  gboolean
      is_broken; /* the image was not closed properly while it recorded ("in use"): it can only
                  * be removed. While the image is open elsewhere this is not known to be so. */
} StmBitmapFacts;

/* An image that is recorded as raw is looked at as raw, whatever its content pretends to be: its
 * capacity is the size of the file, and it has no backing, tags or bitmaps; only `format` tells
 * what the content looks like. */
typedef struct _StmFacts
{
  char *path;
  GError *problem;       /* NULL when the file could be read and its header is sound: NOT_FOUND,
                          * CHAIN_BROKEN, NOT_ALLOWED … */
  char *format;          /* what the content says: "qcow2" by magic, else "raw" */
  char *backing;         /* from the header, resolved; NULL without */
  char *backing_format;  /* from the header; NULL without */
  guint64 capacity;      /* virtual size */
  guint64 allocation;    /* bytes that the file takes on its file system */
  guint64 data_bytes;    /* guest data in this layer alone, clusters of zeros counted too: 0 proves
                          * that it shows what its backing image shows; STM_BYTES_UNKNOWN for raw */
  gboolean is_written;   /* open for writing in another process, a machine's for one: then what was
                          * read of it may be behind what that process knows */
  GPtrArray *tags;       /* StmTagFacts, in the order of the file, owned */
  GPtrArray *bitmaps;    /* StmBitmapFacts, likewise; in a survey without a driver's own */
  GStrv children;        /* files found by the header scan that name this image as backing, or that
                          * may: paths */
  guint64 free_bytes;    /* left on its file system */
  guint64 file_system;   /* equal for images on one file system */
  guint64 device, inode; /* identity of the file */
} StmFacts;

typedef struct _StmSurvey StmSurvey;

typedef struct
{
  const StmImage *const *images; /* to look at */
  gsize n_images;
  gboolean scans_directories; /* look for children, and collect the names that are taken */
  const StmPathPolicy *policy;
} StmSurveyRequest;

StmSurvey *stm_survey_new (void);
StmSurvey *stm_survey_ref (StmSurvey *self);
void stm_survey_unref (StmSurvey *self);

/* For the driver that makes it. */
/* Nothing seen yet: data_bytes unknown, children an empty list. */
StmFacts *stm_facts_new (const char *path);
void stm_facts_free (StmFacts *facts);
void stm_facts_add_tag (StmFacts *facts, const StmTagFacts *init);
void stm_facts_add_bitmap (StmFacts *facts, const StmBitmapFacts *init);
const StmTagFacts *stm_facts_find_tag (const StmFacts *facts, const char *name);
const StmBitmapFacts *stm_facts_find_bitmap (const StmFacts *facts, const char *name);
void stm_survey_take_facts (StmSurvey *self, StmFacts *facts);
void stm_survey_add_name (StmSurvey *self, const char *path); /* a file that exists */

/* Reading. */
const StmFacts *stm_survey_get (const StmSurvey *self, const char *path); /* NULL: not looked at */
GPtrArray *stm_survey_list (const StmSurvey *self);                       /* StmFacts, borrowed */
gboolean stm_survey_has_name (const StmSurvey *self, const char *path);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (StmFacts, stm_facts_free)
G_DEFINE_AUTOPTR_CLEANUP_FUNC (StmSurvey, stm_survey_unref)
