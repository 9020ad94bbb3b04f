/* StmQcow2Cursor: a hostile table of a qcow2 image, read entry by entry.
 *
 * On the stack of one reader, which is of this folder. Any thread that may wait for the disk.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include "stm-qcow2-header.h"

typedef struct
{
  int fd;
  const StmQcow2Header *header;
  const char *path; /* of the image, for messages */
  GCancellable *cancellable;
  guint64 file_size;
  const char *table;  /* what is read, for messages */
  guint64 position;   /* from the beginning of the file */
  guint64 end;        /* what the table cannot go beyond */
  gboolean is_capped; /* that is our limit, not where the file or the table ends */
} StmQcow2Cursor;

void stm_qcow2_cursor_init (StmQcow2Cursor *self, int fd, const StmQcow2Header *header,
                            const char *path, GCancellable *cancellable);

/* Begins with a table whose length is not known, or with one whose length is: TOO_LARGE over a
 * limit, CHAIN_BROKEN when it is not in the file. */
void stm_qcow2_cursor_begin (StmQcow2Cursor *self, const char *table, guint64 offset);
gboolean stm_qcow2_cursor_begin_sized (StmQcow2Cursor *self, const char *table, guint64 offset,
                                       guint64 length, GError **error);

/* Each FALSE with CHAIN_BROKEN or TOO_LARGE when the table ends before. */
gboolean stm_qcow2_cursor_skip (StmQcow2Cursor *self, guint64 length, GError **error);
gboolean
stm_qcow2_cursor_take (StmQcow2Cursor *self, gpointer buffer, gsize length, GError **error);
char *stm_qcow2_cursor_take_text (StmQcow2Cursor *self, gsize length, GError **error);
/* Goes to where the next entry begins. */
void stm_qcow2_cursor_align (StmQcow2Cursor *self);

/* Whether something that an entry names begins at a cluster of the file and ends in it. */
gboolean stm_qcow2_cursor_lies_in_file (StmQcow2Cursor *self, guint64 offset, guint64 length);

/* CHAIN_BROKEN. */
gboolean stm_qcow2_cursor_fail (const StmQcow2Cursor *self, const char *what, GError **error);
gboolean stm_qcow2_cursor_check_cancelled (const StmQcow2Cursor *self, GError **error);

guint16 stm_qcow2_get16 (const guint8 *bytes);
guint32 stm_qcow2_get32 (const guint8 *bytes);
guint64 stm_qcow2_get64 (const guint8 *bytes);
