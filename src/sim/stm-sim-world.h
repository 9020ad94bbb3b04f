/* StmSimWorld: all simulated images, and the file that keeps them between two lives of the service.
 *
 * Thread-safe by its lock: whoever reads or changes images holds it. A change is made on the images
 * and then kept by stm_sim_world_commit_locked(), or undone by it.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include "stm-sim-image.h"

#include <gio/gio.h>

typedef struct _StmSimWorld StmSimWorld;

/* `file`: where the images are kept, made when missing; NULL: nowhere. FAILED when it cannot be
 * read. */
StmSimWorld *stm_sim_world_open (const char *file, GError **error);
void stm_sim_world_free (StmSimWorld *self);

void stm_sim_world_lock (StmSimWorld *self);
void stm_sim_world_unlock (StmSimWorld *self);

/* The rest with the lock held. */
StmSimImage *stm_sim_world_get (StmSimWorld *self, const char *path); /* NULL: no such file */
void stm_sim_world_add (StmSimWorld *self, StmSimImage *image);       /* takes it */
void stm_sim_world_remove (StmSimWorld *self, const char *path);
GPtrArray *stm_sim_world_list (StmSimWorld *self); /* StmSimImage, borrowed, by path */
/* What a guest reads: 0 for what was never written. */
guint64 stm_sim_world_read (StmSimWorld *self, const StmSimImage *image, guint64 block);
/* Makes all changes durable. When that fails they are undone, and images got before are void. */
gboolean stm_sim_world_commit_locked (StmSimWorld *self, GError **error);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (StmSimWorld, stm_sim_world_free)
