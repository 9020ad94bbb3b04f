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
  gboolean was_killed; /* in the last step */
  GString *log;
} History;

/* Makes the images and defines the machine. */
History *history_begin (guint32 seed);
/* Checks that no half-made file is left, and removes everything. */
void history_end (History *self);

/* Fails the test with the whole history so far. */
void history_fail (History *self, const char *what);

guint history_below (History *self, guint n); /* random, 0 to n - 1 */

/* Writes on the active image of a disk with QEMU's own tool. */
void history_write (History *self, guint disk, gsize offset, gsize length, guint8 byte);

/* Runs one command and holds what came of it against the model: done, or refused with
 * `allowed_error` (-1: none) and everything as before. After a fault the service is started again
 * and the world must be as before or as after. */
void history_step (History *self, const LifeCommand *command, int allowed_error);
