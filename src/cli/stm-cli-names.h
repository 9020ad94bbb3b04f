/* The names of objects that signals are about: an object that went can no longer be asked.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include "stemma-client.h"

typedef struct _StmCliNames StmCliNames;

StmCliNames *stm_cli_names_new (void);
void stm_cli_names_free (StmCliNames *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (StmCliNames, stm_cli_names_free)

/* Of all domains and, of `domain` or of all of them, of their moments. */
gboolean
stm_cli_names_read (StmCliNames *self, StemmaClient *client, const char *domain, GError **error);
/* From InterfacesAdded; from PropertiesChanged; from InterfacesRemoved. */
void stm_cli_names_learn (StmCliNames *self, const char *path, GVariant *interfaces);
void stm_cli_names_rename (StmCliNames *self, const char *path, GVariant *properties);
void stm_cli_names_forget (StmCliNames *self, const char *path);

/* "snapshot web/a", "machine web", "job 3 (create web/a)"; to be freed. */
char *stm_cli_names_title (StmCliNames *self, const char *path);
/* Whether it is a job about that domain. */
gboolean stm_cli_names_job_concerns (StmCliNames *self, const char *path, const char *domain);
