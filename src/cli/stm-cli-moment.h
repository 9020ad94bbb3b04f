/* What snapshots and checkpoints have in common on the command line; the kind is the command's.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include "stm-cli-call.h"

/* VM [NAME]; options `xml` and those of the service */
gboolean stm_cli_moment_run_create (StmCliCall *call, GError **error);
/* VM; options of the service */
gboolean stm_cli_moment_run_list (StmCliCall *call, GError **error);
/* VM */
gboolean stm_cli_moment_run_tree (StmCliCall *call, GError **error);
/* VM MOMENT... */
gboolean stm_cli_moment_run_delete (StmCliCall *call, GError **error);
/* VM [MOMENT...] */
gboolean stm_cli_moment_run_forget (StmCliCall *call, GError **error);
/* VM FILE...; options `current`, `validate` */
gboolean stm_cli_moment_run_redefine (StmCliCall *call, GError **error);
/* VM MOMENT TEXT */
gboolean stm_cli_moment_run_describe (StmCliCall *call, GError **error);
/* VM MOMENT */
gboolean stm_cli_moment_run_show (StmCliCall *call, GError **error);
/* VM MOMENT; options `secure` and those of the service */
gboolean stm_cli_moment_run_xml (StmCliCall *call, GError **error);

/* "snapshot 'a' of 'web'", of the arguments; to be freed */
char *stm_cli_moment_phrase (const StmCliCall *call);
