/* One history: a machine with two real disks, lived through step by step, and the model beside it.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include "world.h"

typedef struct
{
  guint32 seed;
  GRand *rand;
  char *directory;
  World *world;
  LifeResult *last;
  guint n_names;
  gboolean was_killed;    /* in the last step */
  gboolean has_forgotten; /* moments: an image that they froze is nobody's to write any more */
  int code;               /* of the last step, as in LifeResult */
  GString *log;
} History;

/* Makes the images and defines the machine. */
History *history_begin (guint32 seed);
/* In a directory that may have "images" and "state" already; takes its name. */
History *history_begin_in (guint32 seed, char *directory);
/* That no half-made file is left. */
void history_check_files (History *self);
/* Checks that, and removes everything. */
void history_end (History *self);

/* Fails the test with the whole history so far. */
void history_fail (History *self, const char *what);

guint history_below (History *self, guint n); /* random, 0 to n - 1 */

/* Writes on the active image of a disk with QEMU's own tool. */
void history_write (History *self, guint disk, gsize offset, gsize length, guint8 byte);

/* At random: a cluster or a part of some on one of the disks. */
void history_write_somewhere (History *self);
/* A fault for the command, in three of `odds` cases. `out_phase` holds a text of it, to be freed.
 */
void history_choose_fault (History *self, LifeCommand *command, const char *operation, guint odds,
                           char **out_phase);

/* Writes on both disks, then makes a snapshot. */
void history_create (History *self, const char *name);
/* root — a — b — c — (active, written)   and   a — c1 */
void history_grow_tree (History *self);
/* The image of a disk at a snapshot, or now (`name` NULL). */
char *history_image (History *self, const char *name, guint disk);
/* What files there are below "images", and their bytes; not as the service sees them. */
char *history_digest (History *self);
/* Runs one of QEMU's or SQLite's own tools. */
void history_run_tool (const char *const *argv);

/* Runs one command and holds what came of it against the model: done, or refused with
 * `allowed_error` (-1: none) and everything as before. After a fault the service is started again
 * and the world must be as before or as after. */
void history_step (History *self, const LifeCommand *command, int allowed_error);
/* The same with several errors, ended by -1. */
void history_step_or (History *self, const LifeCommand *command, const int *allowed_errors);
/* Runs a command and the one beside it: each is done or refused. */
void history_step_two (History *self, const LifeCommand *command);
/* A life that does nothing shows the world as it is expected. */
void history_look (History *self);
