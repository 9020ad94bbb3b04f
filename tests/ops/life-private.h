/* What the files of a life share.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include "life.h"

#include "stm-registry.h"

#define LIFE_DOMAIN "vm"

/* life-tell.c: what the service shows, as LifeResult.seen has it. `findings`: of the last check. */
void life_tell (StmRegistry *registry, GPtrArray *findings, GKeyFile *out);
const char *life_domain_id (StmRegistry *registry); /* NULL: none */

/* life-records.c: the documents of all moments of a kind. */
GStrv life_print_documents (StmRegistry *registry, const char *domain_id, StmMomentKind kind);
