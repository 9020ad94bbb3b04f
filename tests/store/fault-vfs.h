/* FaultVfs: the file system of SQLite, with one fault at a chosen write.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include <glib.h>

typedef enum
{
  FAULT_FULL,     /* SQLite's own word for a full disk */
  FAULT_NO_SPACE, /* an I/O error with ENOSPC */
  FAULT_IO,       /* an I/O error with EIO */
} FaultKind;

typedef enum
{
  FAULT_ONCE,
  FAULT_FROM_THEN_ON,
} FaultDuration;

typedef struct _FaultVfs FaultVfs;

/* Stands in front of the default file system from here until it is freed. */
FaultVfs *fault_vfs_new (void);
void fault_vfs_free (FaultVfs *self);

/* The nth call from now, from 1, that writes, truncates or syncs, fails; a write then writes half.
 */
void fault_vfs_arm (FaultVfs *self, guint nth, FaultKind kind, FaultDuration duration);
/* No more faults; says whether there was one. */
gboolean fault_vfs_disarm (FaultVfs *self);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (FaultVfs, fault_vfs_free)
