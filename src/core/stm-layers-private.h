/* The graph itself, for the files of StmLayers only.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include "stm-layers.h"

/* A commit opens all children of the image that goes, to put a new name into their headers. */
#define STM_MAX_CHILDREN_OF_COMMIT 256

typedef struct _StmLayer StmLayer;

/* What is known of one bitmap in one image. */
typedef enum
{
  STM_LINK_NONE, /* it is not there */
  STM_LINK_RECORDING,
  STM_LINK_RESTING, /* in order, but somebody made it stop recording */
  STM_LINK_BROKEN,
} StmLink;

struct _StmLayer
{
  const StmImage *recorded; /* as the model has it */
  StmImage *image;          /* as its record would be by now */
  StmLayer *below;          /* what it stands on, when that is recorded */
  GHashTable *above;        /* set of StmLayer: what stands on it, as far as that was made */
  guint n_above;            /* how many there are, made or not */
  gboolean is_expanded;     /* all of them are made */
  gboolean is_concerned;    /* and what stands on those, where a merge may need it */
  guint n_holders;          /* moments that freeze it and disks that write to it */
  gboolean is_active;       /* a disk writes to it, and may have resized it */
  gboolean is_orphan;       /* hidden with nothing on it, before anything was released */
  gboolean is_released;     /* hidden by this operation */
  gboolean is_thawed;       /* a snapshot that goes with this operation froze it */
  gboolean is_gone;         /* out of the record */
  GHashTable *freed_tags;   /* set of names: internal snapshots that go with this operation */
  StmLayer *successor;      /* the layer that took its content and its place */
  StmLayer *absorber;       /* the layer above that took its content, and not its place */

  /* From the survey, at the first look. */
  const StmFacts *facts;
  GPtrArray *outsiders; /* char *: what stands on it without being on record here */
  const char *sharer;   /* name of another domain that has it on record */
  guint64 data;         /* bytes of guest data, as far as is known */
  guint64 allocation;
  GHashTable *bitmaps; /* name -> StmLink, as they will be by now */

  char *why_kept;
};

struct _StmLayers
{
  const StmModel *model;
  char *domain_id;
  GHashTable *by_path; /* path -> StmLayer, owned */
  const StmSurvey *survey;
  GHashTable *released; /* set of ids: checkpoints whose bitmaps count no more */
  GPtrArray *unlinked;  /* StmLayer, in the order in which their files go */
};

/* stm-layers-load.c. NULL: not on record, or for peek not made yet. */
StmLayer *stm_layers_get (StmLayers *self, const char *path);
StmLayer *stm_layers_peek (const StmLayers *self, const char *path);
void stm_layer_expand (StmLayers *self, StmLayer *layer);
/* Makes all that a merge of what is hidden by now may need. */
void stm_layers_expand (StmLayers *self);

gboolean stm_layer_is_hidden (const StmLayer *layer);
/* From the layer downwards, as long as there are records. */
GPtrArray *stm_layer_chain (const StmLayers *self, const StmLayer *layer); /* StmLayer, borrowed */
/* By path, so that the same case always gives the same plan. */
GPtrArray *stm_layer_children (StmLayers *self, StmLayer *layer); /* StmLayer, borrowed */
GPtrArray *stm_layers_sorted (const StmLayers *self); /* StmLayer, borrowed: those made */
void stm_layer_look (StmLayers *self, StmLayer *layer);
void stm_layer_put_on (StmLayer *layer, StmLayer *below);
void stm_layer_set_image (StmLayer *layer, StmImage *image); /* takes it */
void stm_layer_leave (StmLayer *layer);
/* Where what was begun in an image on record is to be found now; NULL: nowhere. */
const StmLayer *stm_layer_home_now (const StmLayers *self, const char *path);

/* stm-layers-bitmaps.c. Of layers that were looked at. */
void stm_layer_note_bitmaps (StmLayer *layer);
char *stm_layer_find_commit_bitmap (const StmLayers *self, const StmLayer *lower,
                                    const StmLayer *upper); /* what a commit would spoil */
char *
stm_layer_find_stream_bitmap (const StmLayers *self, const StmLayer *lower, const StmLayer *upper);
/* The names that the step must have; the lower layer then has them. */
GStrv stm_layer_commit_bitmaps (const StmLayers *self, StmLayer *lower, const StmLayer *upper);
GStrv
stm_layer_stream_bitmaps (const StmLayers *self, const StmLayer *lower, const StmLayer *upper);

/* stm-layers-rules.c. They look at the layers first. */
typedef enum
{
  STM_MERGE_NONE,
  STM_MERGE_COMMIT, /* the upper goes down into the lower */
  STM_MERGE_STREAM, /* the upper absorbs the lower */
} StmMerge;

char *stm_layer_find_unlink_obstacle (StmLayers *self, StmLayer *layer); /* NULL: none */
gboolean stm_layer_check_unlink (const StmLayers *self, const StmLayer *layer, GError **error);
gboolean stm_layer_check_merge (StmLayers *self, StmLayer *upper, GError **error);
/* The cheaper of the ways that are safe; for NONE why. Both were checked. */
StmMerge
stm_layer_choose_merge (StmLayers *self, StmLayer *lower, StmLayer *upper, char **out_why_not);
