/* StmStateDirectory: the directory of the database, as files; knows nothing of what is in them.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include <glib.h>

typedef struct _StmStateDirectory StmStateDirectory;

/* What lies at the name of the database. */
typedef enum
{
  STM_FILE_ABSENT,
  STM_FILE_REMAINS, /* no database, but a log of one; or a rollback journal, which is never ours */
  STM_FILE_EMPTY,   /* zero bytes: the service never leaves that */
  STM_FILE_STRANGE, /* a link, a directory, a device */
  STM_FILE_PRESENT,
} StmFileState;

/* Makes the directory if need be, 0700, and locks it until it is freed: that two starts do not make
 * the database at once. BUSY, READ_ONLY, NO_SPACE, FAILED. */
StmStateDirectory *stm_state_directory_open (const char *path, GError **error);
void stm_state_directory_free (StmStateDirectory *self);

/* Absolute, without links. */
const char *stm_state_directory_get_path (const StmStateDirectory *self);

StmFileState stm_state_directory_look (const StmStateDirectory *self, const char *name);

/* NULL when the directory, and the file of that name if there is one, can be written by us and by
 * no other user; else what is in the way, as a clause. Takes rights from others that they should
 * not have. */
char *stm_state_directory_find_obstacle (const StmStateDirectory *self, const char *name);

/* An empty file of mode 0600 in the place of any remains of the same name. */
gboolean
stm_state_directory_make_file (const StmStateDirectory *self, const char *name, GError **error);

/* Renames, never over another file, and makes that durable. */
gboolean stm_state_directory_rename (const StmStateDirectory *self, const char *from,
                                     const char *to, GError **error);

/* Copies the database and its log into a new private directory, whose path is returned. */
char *
stm_state_directory_copy_out (const StmStateDirectory *self, const char *name, GError **error);
/* Removes such a copy; who has it open keeps it. */
void stm_state_directory_remove_copy (const char *directory, const char *name);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (StmStateDirectory, stm_state_directory_free)
