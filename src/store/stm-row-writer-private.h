/* The inside of StmRowWriter, for its sources: the statements, and what is known of keys.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include "stm-row-writer.h"

typedef enum
{
  STM_WRITE_FIND_DOMAIN,
  STM_WRITE_PUT_DOMAIN,
  STM_WRITE_SET_GENERATION,
  STM_WRITE_SET_SERVICE_GENERATION,
  STM_WRITE_RESERVE_JOBS,
  STM_WRITE_REMOVE_DISKS,
  STM_WRITE_ADD_DISK,
  STM_WRITE_REMOVE_ROOTS,
  STM_WRITE_ADD_ROOT,
  STM_WRITE_ADD_TEXT,
  STM_WRITE_FIND_TEXT,
  STM_WRITE_FIND_MOMENT,
  STM_WRITE_ADD_MOMENT,
  STM_WRITE_REPLACE_MOMENT,
  STM_WRITE_REMOVE_MOMENT,
  STM_WRITE_REMOVE_MOMENT_DISKS,
  STM_WRITE_ADD_MOMENT_DISK,
  STM_WRITE_REMOVE_CURRENT,
  STM_WRITE_SET_CURRENT,
  STM_WRITE_PUT_IMAGE,
  STM_WRITE_REMOVE_IMAGE,
  STM_WRITE_FORGET_MOMENT_DISKS,
  STM_WRITE_FORGET_MOMENTS,
  STM_WRITE_FORGET_IMAGES,
  STM_WRITE_FORGET_DOMAIN,
  STM_WRITE_PUT_ENTRY,
  STM_WRITE_REMOVE_ENTRY,
  STM_N_WRITES,
} StmWriteStatement;

struct _StmRowWriter
{
  sqlite3 *db;
  sqlite3_stmt *statements[STM_N_WRITES];
  gint64 next_place; /* among siblings, over all domains; only ever grows */

  /* Keys that were found during the present change, by ids and hashes that are parts of it. */
  GHashTable *moments; /* id -> gint64 */
  GHashTable *texts;   /* hash -> gint64 */
};

/* Runs a statement with the cells that follow. */
#define STM_RUN(self, statement, what, error, ...)                                                 \
  stm_sqlite_run ((self)->statements[statement], (const StmCell[]){ __VA_ARGS__ },                 \
                  G_N_ELEMENTS (((const StmCell[]){ __VA_ARGS__ })), what, error)

/* FAILED when the statement before did not hit a row: model and store are not of one mind. */
gboolean
stm_row_writer_require_hit (StmRowWriter *self, const char *noun, const char *name, GError **error);

/* The key in the first column, -1 when there is no row. */
gboolean stm_row_writer_find_key (StmRowWriter *self, StmWriteStatement find, const StmCell *cells,
                                  gsize n_cells, gint64 *out_key, GError **error);

/* The moments that a change removes and puts. */
gboolean stm_row_writer_write_moments (StmRowWriter *self, gint64 domain, const StmChange *change,
                                       GError **error);
