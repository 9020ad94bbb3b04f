/* A small tree of layers with data in each: rest <- lower <- upper <- k0, k1 …
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include "image-fixture.h"

#define TREE_MAX_CHILDREN 3
#define TREE_CAPACITY (16 * (guint64) 1024 * 1024)

typedef struct
{
  const char *lower_format; /* "qcow2" or "raw" */
  gboolean has_rest;        /* an image below the lower one; only when that is qcow2 */
  guint n_children;
  guint64 lower_capacity; /* 0: TREE_CAPACITY */
  guint64 upper_capacity; /* the same; children have it, too */
  guint64 bulk;           /* that many bytes more in upper, for merges that take time */
} TreeLayout;

typedef struct
{
  ImageFixture *fixture;
  const TreeLayout *layout;
  char *upper; /* what each showed when it was made */
  char *lower;
  char *rest;
  char *children[TREE_MAX_CHILDREN];
} ImageTree;

ImageTree *image_tree_new (ImageFixture *fixture, const TreeLayout *layout);
void image_tree_free (ImageTree *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (ImageTree, image_tree_free)

/* "k0" … */
char *image_tree_child_name (guint number);

StmStep *image_tree_commit_step (ImageTree *self);
/* The first child absorbs the upper image. */
StmStep *image_tree_stream_step (ImageTree *self);
void image_step_free (StmStep *step);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (StmStep, image_step_free)

gboolean image_tree_merge (ImageTree *self, const StmStep *step, GError **error);

/* Fail the test when an image shows something else than in the beginning, or stands on another
 * image than named. `backing` NULL: on none. */
void image_tree_assert_children (ImageTree *self, const char *backing, const char *backing_format);
void
image_tree_assert_shows (ImageTree *self, const char *name, const char *format, const char *digest);
