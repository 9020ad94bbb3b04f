/* The reading of all rows into values, at start.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include "stm-problems.h"
#include "stm-sqlite.h"
#include "stm-store.h"

/* Without a database the content is empty. Gives all that is sound; whatever is not is left out, or
 * mended as far as it must be to be shown, and said in `problems`. What comes out fits
 * stm_model_check(), change by change. */
StmStoreContent *stm_row_reader_read (sqlite3 *db, StmProblems *problems);
