/* What the service would do, asked before it does it.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include "stm-cli-call.h"

/* The rows of a Plan... method, aa{sv}. `arguments` may be floating. */
GVariant *stm_cli_plan_get (StmCliCall *call, const char *path, const char *interface,
                            const char *method, GVariant *arguments, GError **error);

/* A row as the service makes them; floating. */
GVariant *
stm_cli_plan_row_new (const char *step, const char *path, guint64 bytes, const char *text);

/* Plans of several things as one: each row has the `name` of what it is for beside what it had, and
 * behind them a row `total` says what they come to, unless one of them cannot be done. `names` are
 * char *. Never NULL. */
GVariant *stm_cli_plan_join (GPtrArray *names, GPtrArray *plans);

/* What blocks it; NULL when nothing does. */
GError *stm_cli_plan_get_refusal (GVariant *rows);

/* Its steps for people, each line behind a margin, under the names of a plan that was joined. */
void stm_cli_plan_print (GVariant *rows);

/* Does what the command `plan` does: prints the plan, which is the answer also when it says that
 * the thing cannot be done; the exit status tells. */
gboolean stm_cli_plan_show (StmCliCall *call, const char *path, const char *interface,
                            const char *method, GVariant *arguments, GError **error);

/* The same with rows that were got already. */
gboolean stm_cli_plan_show_rows (StmCliCall *call, GVariant *rows);

/* Before data goes: shows the plan, unless nobody wants to see it; fails with what blocks it. */
gboolean stm_cli_plan_announce (StmCliCall *call, const char *path, const char *interface,
                                const char *method, GVariant *arguments, GError **error);

/* The same with rows that were got already. */
gboolean stm_cli_plan_announce_rows (StmCliCall *call, GVariant *rows, GError **error);
