/* StmPointerSet: a set of pointers that mostly has one member, and then takes no memory of its own.
 *
 * A part of what it belongs to; all zero is empty. For the indexes of StmModel, main loop only.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include <glib.h>

typedef struct
{
  gpointer only;    /* the member when there is one and no table */
  GHashTable *many; /* set; NULL until there are two at once */
} StmPointerSet;

typedef struct
{
  gpointer only;
  GHashTableIter iter;
  gboolean is_many;
} StmPointerSetIter;

void stm_pointer_set_clear (StmPointerSet *self);
guint stm_pointer_set_size (const StmPointerSet *self);
void stm_pointer_set_add (StmPointerSet *self, gpointer member);
void stm_pointer_set_remove (StmPointerSet *self, gconstpointer member);

/* In no order; the set must not change meanwhile. */
void stm_pointer_set_iter_init (StmPointerSetIter *iter, const StmPointerSet *self);
gpointer stm_pointer_set_iter_next (StmPointerSetIter *iter); /* NULL after the last */
