/* A shim around SQLite's default file system.
 *
 * The test arms it while the store thread is idle, or from the store thread itself; the fields are
 * atomic so that the two see the same.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "fault-vfs.h"

#include <errno.h>
#include <sqlite3.h>
#include <string.h>

struct _FaultVfs
{
  sqlite3_vfs vfs;
  sqlite3_vfs *real;
  int kind;           /* FaultKind */
  int duration;       /* FaultDuration */
  int calls_to_fault; /* 0: not armed */
  int has_fired;
};

typedef struct
{
  sqlite3_file file;
  FaultVfs *owner;
  sqlite3_file *real; /* in the same allocation, behind this */
} FaultFile;

static sqlite3_file *
real_of (sqlite3_file *file)
{
  return ((FaultFile *) file)->real;
}

/* Counts the call; whether it is to fail. */
static gboolean
is_fault (sqlite3_file *file)
{
  FaultVfs *self = ((FaultFile *) file)->owner;

  if (g_atomic_int_get (&self->calls_to_fault) == 0)
    return FALSE;
  if (g_atomic_int_get (&self->calls_to_fault) > 1)
    {
      g_atomic_int_add (&self->calls_to_fault, -1);
      return FALSE;
    }

  g_atomic_int_set (&self->has_fired, TRUE);
  if (g_atomic_int_get (&self->duration) == FAULT_ONCE)
    g_atomic_int_set (&self->calls_to_fault, 0);
  return TRUE;
}

static int
fault_code (sqlite3_file *file, int io_code)
{
  FaultVfs *self = ((FaultFile *) file)->owner;

  return g_atomic_int_get (&self->kind) == FAULT_FULL ? SQLITE_FULL : io_code;
}

static int
file_close (sqlite3_file *file)
{
  return real_of (file)->pMethods->xClose (real_of (file));
}

static int
file_read (sqlite3_file *file, void *buffer, int length, sqlite3_int64 offset)
{
  return real_of (file)->pMethods->xRead (real_of (file), buffer, length, offset);
}

static int
file_write (sqlite3_file *file, const void *buffer, int length, sqlite3_int64 offset)
{
  sqlite3_file *real = real_of (file);

  if (!is_fault (file))
    return real->pMethods->xWrite (real, buffer, length, offset);

  real->pMethods->xWrite (real, buffer, length / 2, offset);
  return fault_code (file, SQLITE_IOERR_WRITE);
}

static int
file_truncate (sqlite3_file *file, sqlite3_int64 size)
{
  if (is_fault (file))
    return fault_code (file, SQLITE_IOERR_TRUNCATE);

  return real_of (file)->pMethods->xTruncate (real_of (file), size);
}

static int
file_sync (sqlite3_file *file, int flags)
{
  if (is_fault (file))
    return fault_code (file, SQLITE_IOERR_FSYNC);

  return real_of (file)->pMethods->xSync (real_of (file), flags);
}

static int
file_size (sqlite3_file *file, sqlite3_int64 *size)
{
  return real_of (file)->pMethods->xFileSize (real_of (file), size);
}

static int
file_lock (sqlite3_file *file, int level)
{
  return real_of (file)->pMethods->xLock (real_of (file), level);
}

static int
file_unlock (sqlite3_file *file, int level)
{
  return real_of (file)->pMethods->xUnlock (real_of (file), level);
}

static int
file_check_lock (sqlite3_file *file, int *result)
{
  return real_of (file)->pMethods->xCheckReservedLock (real_of (file), result);
}

static int
file_control (sqlite3_file *file, int operation, void *argument)
{
  return real_of (file)->pMethods->xFileControl (real_of (file), operation, argument);
}

static int
file_sector_size (sqlite3_file *file)
{
  return real_of (file)->pMethods->xSectorSize (real_of (file));
}

static int
file_characteristics (sqlite3_file *file)
{
  return real_of (file)->pMethods->xDeviceCharacteristics (real_of (file));
}

/* Version 1: no shared memory. The store locks the file for itself and needs none; did it not,
 * opening it here would fail. */
static const sqlite3_io_methods file_methods = {
  .iVersion = 1,
  .xClose = file_close,
  .xRead = file_read,
  .xWrite = file_write,
  .xTruncate = file_truncate,
  .xSync = file_sync,
  .xFileSize = file_size,
  .xLock = file_lock,
  .xUnlock = file_unlock,
  .xCheckReservedLock = file_check_lock,
  .xFileControl = file_control,
  .xSectorSize = file_sector_size,
  .xDeviceCharacteristics = file_characteristics,
};

static int
vfs_open (sqlite3_vfs *vfs, sqlite3_filename name, sqlite3_file *file, int flags, int *out_flags)
{
  FaultVfs *self = vfs->pAppData;
  FaultFile *opened = (FaultFile *) (gpointer) file;

  opened->owner = self;
  opened->real = (sqlite3_file *) (gpointer) (opened + 1);

  int result = self->real->xOpen (self->real, name, opened->real, flags, out_flags);

  file->pMethods = opened->real->pMethods == NULL ? NULL : &file_methods;
  return result;
}

static int
vfs_delete (sqlite3_vfs *vfs, const char *name, int sync_directory)
{
  FaultVfs *self = vfs->pAppData;

  return self->real->xDelete (self->real, name, sync_directory);
}

static int
vfs_access (sqlite3_vfs *vfs, const char *name, int flags, int *result)
{
  FaultVfs *self = vfs->pAppData;

  return self->real->xAccess (self->real, name, flags, result);
}

static int
vfs_full_pathname (sqlite3_vfs *vfs, const char *name, int size, char *buffer)
{
  FaultVfs *self = vfs->pAppData;

  return self->real->xFullPathname (self->real, name, size, buffer);
}

static int
vfs_randomness (sqlite3_vfs *vfs, int size, char *buffer)
{
  FaultVfs *self = vfs->pAppData;

  return self->real->xRandomness (self->real, size, buffer);
}

static int
vfs_sleep (sqlite3_vfs *vfs, int microseconds)
{
  FaultVfs *self = vfs->pAppData;

  return self->real->xSleep (self->real, microseconds);
}

static int
vfs_current_time (sqlite3_vfs *vfs, double *time)
{
  FaultVfs *self = vfs->pAppData;

  return self->real->xCurrentTime (self->real, time);
}

/* Gives the errno of the last I/O error. */
static int
vfs_last_error (sqlite3_vfs *vfs, int size, char *buffer)
{
  FaultVfs *self = vfs->pAppData;

  if (!g_atomic_int_get (&self->has_fired))
    return self->real->xGetLastError (self->real, size, buffer);

  return g_atomic_int_get (&self->kind) == FAULT_NO_SPACE ? ENOSPC : EIO;
}

FaultVfs *
fault_vfs_new (void)
{
  FaultVfs *self = g_new0 (FaultVfs, 1);

  self->real = sqlite3_vfs_find (NULL);
  self->vfs = (sqlite3_vfs){
    .iVersion = 1,
    .szOsFile = (int) sizeof (FaultFile) + self->real->szOsFile,
    .mxPathname = self->real->mxPathname,
    .zName = "stemma-test-fault",
    .pAppData = self,
    .xOpen = vfs_open,
    .xDelete = vfs_delete,
    .xAccess = vfs_access,
    .xFullPathname = vfs_full_pathname,
    .xRandomness = vfs_randomness,
    .xSleep = vfs_sleep,
    .xCurrentTime = vfs_current_time,
    .xGetLastError = vfs_last_error,
  };
  g_assert_cmpint (sqlite3_vfs_register (&self->vfs, /* make_default= */ 1), ==, SQLITE_OK);

  return self;
}

void
fault_vfs_free (FaultVfs *self)
{
  sqlite3_vfs_unregister (&self->vfs);
  sqlite3_vfs_register (self->real, /* make_default= */ 1);
  g_free (self);
}

void
fault_vfs_arm (FaultVfs *self, guint nth, FaultKind kind, FaultDuration duration)
{
  g_atomic_int_set (&self->has_fired, FALSE);
  g_atomic_int_set (&self->kind, (int) kind);
  g_atomic_int_set (&self->duration, (int) duration);
  g_atomic_int_set (&self->calls_to_fault, (int) nth);
}

gboolean
fault_vfs_disarm (FaultVfs *self)
{
  g_atomic_int_set (&self->calls_to_fault, 0);
  return g_atomic_int_get (&self->has_fired);
}
