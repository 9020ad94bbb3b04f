/* The tables of the database, and the steps from one version of them to the next.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include "stm-sqlite.h"

/* "Stma": tells the database from those of other programs. */
#define STM_SCHEMA_APPLICATION_ID 0x53746d61

/* The version that this service writes, in PRAGMA user_version. */
guint stm_schema_version (void);

/* Brings an empty or older database to the present version, one transaction for each step. */
gboolean stm_schema_upgrade (sqlite3 *db, GError **error);

/* Whether the tables and indexes are exactly those of the present version, with no view, trigger or
 * table beside them. FAILED names the first that differs. */
gboolean stm_schema_check (sqlite3 *db, GError **error);
