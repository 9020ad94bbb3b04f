/* Text for people: lines, tables, sizes, times. What comes from others is shown without control
 * characters.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include <glib.h>

/* The same text with what could move the cursor, colour the terminal or turn the direction of
 * writing as \x1b or \u202e; to be freed. */
char *stm_cli_escape (const char *text);

/* One line on stdout. */
void stm_cli_print_line (const char *format, ...) G_GNUC_PRINTF (1, 2);

/* "Title:       text", escaped; nothing for a text that is empty. */
void stm_cli_print_field (const char *title, const char *text);

/* Rows of cells under a head, in columns; what is printed is escaped. */
typedef struct _StmCliTable StmCliTable;
/* Heads, ended by NULL. */
StmCliTable *stm_cli_table_new (const char *first_head, ...) G_GNUC_NULL_TERMINATED;
/* As many cells as there are heads; NULL stands for none. */
void stm_cli_table_add (StmCliTable *self, const char *const *cells);
void stm_cli_table_print (StmCliTable *self);
void stm_cli_table_free (StmCliTable *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (StmCliTable, stm_cli_table_free)

/* "3.2 MiB", to be freed. */
char *stm_cli_format_size (guint64 bytes);
/* Local time, to the second; to be freed. */
char *stm_cli_format_time (guint64 seconds);

/* A string of a dictionary, or "" when there is none; lives as long as the dictionary. */
const char *stm_cli_get_string (GVariant *properties, const char *name);
guint64 stm_cli_get_number (GVariant *properties, const char *name); /* of type t or u; else 0 */
gboolean stm_cli_get_boolean (GVariant *properties, const char *name);
