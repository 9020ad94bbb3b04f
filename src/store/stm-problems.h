/* StmProblems: what was found wrong with stored rows, as sentences for a person.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include <glib.h>

typedef struct _StmProblems StmProblems;

StmProblems *stm_problems_new (void);
void stm_problems_free (StmProblems *self);

void stm_problems_add (StmProblems *self, const char *format, ...) G_GNUC_PRINTF (2, 3);
guint stm_problems_count (const StmProblems *self);

/* The first ones in one line, and how many more there are; NULL when there are none. */
char *stm_problems_to_text (const StmProblems *self);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (StmProblems, stm_problems_free)
