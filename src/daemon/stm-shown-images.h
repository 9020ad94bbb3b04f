/* StmShownImages: which exported disks show which image in their Chain. An image can be below the
 * disks of several domains, so a change of one domain can change what the disks of others show.
 *
 * Main loop only. Borrows the disks.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include "stm-export-disk.h"

typedef struct _StmShownImages StmShownImages;

StmShownImages *stm_shown_images_new (void);
void stm_shown_images_free (StmShownImages *self);

/* Takes note of what the disk shows now, in place of what was noted before. */
void stm_shown_images_note (StmShownImages *self, StmExportDisk *disk);
void stm_shown_images_forget (StmShownImages *self, StmExportDisk *disk);

/* Adds the disks that show the image to the set. */
void stm_shown_images_collect (StmShownImages *self, const char *path, GHashTable *disks);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (StmShownImages, stm_shown_images_free)
