/* The object paths of the bus contract, made and taken apart. Pure.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include <glib.h>

/* The path that stands for "none". */
#define STM_PATH_NONE "/"

char *stm_object_path_of_domain (const char *domain_id);
/* STM_PATH_NONE for a NULL id. */
char *stm_object_path_of_snapshot (const char *domain_id, const char *moment_id);
char *stm_object_path_of_disk (const char *domain_id, const char *target);
char *stm_object_path_of_job (guint number);

/* The id in the path of a snapshot of this domain: points into the path; NULL when it is none. */
const char *stm_object_path_to_snapshot (const char *path, const char *domain_id);
