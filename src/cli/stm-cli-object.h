/* What people call the machine, snapshot or checkpoint at an object path.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include "stemma-client.h"

/* Names that were asked for already, by path: many rows are about few objects. */
GHashTable *stm_cli_object_names_new (void);

/* "web/one", "web": names, or what the path ends with for what is gone, which is all that is known
 * of it then. To be freed; "-" for a path of something else. */
char *stm_cli_object_title (GHashTable *names, StemmaClient *client, const char *path);
