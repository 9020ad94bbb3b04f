/* The parts of the image index, for its own files only.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include "stm-image-index.h"

#include "stm-pointer-set.h"

/* A path that any domain knows of, and what each of them knows. */
typedef struct
{
  char *path;
  StmPointerSet nodes; /* of StmImageNode, one for each domain */
} StmImageHolder;

/* A path that is recorded, stood on or held; it lives as long as one of these is true. */
typedef struct
{
  StmImageHolder *holder;
  StmImageIndex *index;
  StmImage *record;       /* NULL when only others name the path */
  StmPointerSet children; /* of StmImageNode: those whose records have this path as backing */
  StmPointerSet moments;  /* of StmMoment: those that hold it */
  StmPointerSet homes;    /* of StmMoment: checkpoints whose bitmap was begun in it */
  GHashTable *disks;      /* set of targets: those that have it active; NULL while there is none */
} StmImageNode;

struct _StmImageIndex
{
  char *domain_id;
  GHashTable *holders; /* path -> StmImageHolder; shared by all domains */
  GHashTable *nodes;   /* path -> StmImageNode */
};

/* stm-image-index.c */
/* Whether the disk of a moment keeps its image as it is. A bitmap goes on recording in whatever is
 * over the image that it was begun in. */
gboolean stm_image_is_held_by (const StmMomentDisk *disk);

/* stm-image-holders.c */
/* Makes the node one of those that know the path; it leaves when it goes. */
void stm_image_holders_enter (StmImageNode *node, const char *path);
void stm_image_holders_leave (StmImageNode *node);
/* Appends who holds the path in the node's domain. */
void stm_image_node_add_users (const StmImageNode *node, GArray *users);
