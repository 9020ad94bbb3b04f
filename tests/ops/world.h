/* An independent model of what a user expects: snapshots by name, the bytes of each, the bytes of
 * the disks, and nothing about files.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include "life.h"

#define N_DISKS 2
#define DISK_BYTES (1024 * 1024)

typedef struct
{
  char *name;
  char *parent;               /* "" for a root */
  GBytes *content[N_DISKS];   /* NULL: the disk is not part of it */
  GHashTable *reach[N_DISKS]; /* names of the checkpoints that measured then; a set */
} Snap;

typedef struct
{
  char *name;
  GBytes *content[N_DISKS]; /* when it was made; NULL: the disk is not part of it */
  gboolean is_shaken;       /* a fault may have broken it */
} Check;

typedef struct
{
  GHashTable *snaps; /* name → Snap */
  char *current;     /* "" for none */
  GBytes *disk[N_DISKS];
  GHashTable *checks;         /* name → Check */
  GHashTable *reach[N_DISKS]; /* names of the checkpoints that measure the disk now; a set */
  guint n_measured;           /* checkpoints whose bitmaps were held against the bytes */
} World;

World *world_new (void);
World *world_copy (const World *self);
void world_free (World *self);
char *world_pick (const World *self, GRand *rand); /* a snapshot's name, NULL when there is none */
char *world_pick_checkpoint (const World *self, GRand *rand);
/* A fault may have left images open. */
void world_shake (World *self);
/* They are told by their documents alone, which do not say in which image one began: one that the
 * disks have left by then may be known as lost. */
void world_redefine_checkpoints (World *self);

void world_write (World *self, guint disk, gsize offset, gsize length, guint8 byte);
/* The world after a command that succeeded. */
void world_apply (World *self, const LifeCommand *command);
/* Whether a revert to `name` would lose bytes that no snapshot has. */
gboolean world_loses (const World *self, const char *name);

/* NULL when what the service showed, and the bytes on disk, are this world; else what differs. */
char *world_compare (World *self, GKeyFile *seen);

/* world-checkpoints.c, for world.c. */
Check *world_add_checkpoint (World *self, const char *name, const char *only);
void world_copy_checkpoints (World *to, const World *from);
char *world_compare_checkpoints (World *self, GKeyFile *seen);
GHashTable *world_reach_copy (GHashTable *reach);
void world_forget_checkpoint (World *self, const char *name);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (World, world_free)
