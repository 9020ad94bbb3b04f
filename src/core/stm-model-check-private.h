/* The two halves of stm_model_check(): what it says of moments and what of images.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include "stm-model-view.h"

gboolean stm_model_check_moments (const StmModelView *view, GError **error);
/* Of stm_model_check_moments(): whether a moment would stand on itself, once it is known that all
 * parents are there. */
gboolean stm_model_check_rings (const StmModelView *view, GError **error);
gboolean stm_model_check_images (const StmModelView *view, GError **error);

/* How the ring check of images goes from value to value. */
typedef struct
{
  gconstpointer (*next_of) (const StmModelView *view, gconstpointer value);
  const char *(*key_of) (gconstpointer value);
  /* Whether the change leads a known value elsewhere. If it does so for none, a ring can only be
   * among values that are new, and the walks end at the first that is not. */
  gboolean (*is_moved) (const StmModelView *view, gconstpointer value);
  GHashTable *changed; /* key -> value: those of the change */
} StmRingWalk;

/* One of `values` from which the way leads onto a ring, or NULL. Passes each value once. */
gconstpointer
stm_model_find_ring (const StmModelView *view, const StmRingWalk *walk, const GPtrArray *values);
