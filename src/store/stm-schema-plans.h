/* Plans of older versions of the database, brought to the present type.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include "stm-sqlite.h"

/* Of version 1: rewrites all plans of the journal. What is no plan of that version stays as it is,
 * for the reader to say. Within a transaction of the caller. */
gboolean stm_schema_convert_plans_1 (sqlite3 *db, GError **error);
