/* StmDatabase: the open database file, or why there is none, and whether it can be written.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include "stm-sqlite.h"

#define STM_DATABASE_NAME "stemma.db"

typedef struct _StmDatabase
{
  char *path;
  sqlite3 *db;     /* NULL when there is nothing that can be read */
  char *read_only; /* why it must not be written, with the way out; NULL when it may */
} StmDatabase;

/* Opens or makes the database in `directory`, which is made too, and takes the lock. BUSY when
 * another process has it. Whatever is wrong with a file that is there makes it read-only, not an
 * error: then the file is not touched. FAILED, READ_ONLY or NO_SPACE when the directory cannot be
 * used at all. Blocking. */
StmDatabase *stm_database_open (const char *directory, GError **error);
void stm_database_free (StmDatabase *self);

/* From here on nothing is written, also not when it is closed. Keeps the first reason. */
void stm_database_set_read_only (StmDatabase *self, const char *reason);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (StmDatabase, stm_database_free)
