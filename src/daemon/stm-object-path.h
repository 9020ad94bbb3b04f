/* The object paths of the bus contract, made and taken apart. Pure.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include "stm-moment.h"

/* The path that stands for "none". */
#define STM_PATH_NONE "/"

char *stm_object_path_of_domain (const char *domain_id);
/* STM_PATH_NONE for a NULL id. */
char *stm_object_path_of_moment (const char *domain_id, StmMomentKind kind, const char *moment_id);
/* What stands between the path of a domain and the id of its moment: "/snapshots/". */
const char *stm_object_path_part (StmMomentKind kind);
/* What all moments of a kind stand below. */
char *stm_object_path_of_moments (const char *domain_id, StmMomentKind kind);
char *stm_object_path_of_disk (const char *domain_id, const char *target);
char *stm_object_path_of_job (guint number);

/* The id in the path of a moment of this domain: points into the path; NULL when it is none. */
const char *stm_object_path_to_moment (const char *path, const char *domain_id, StmMomentKind kind);
