/* StmMomentScope: which moments a call is about, for what both kinds have in common.
 *
 * Part of each exported class of moments. Main loop only.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include "stm-registry.h"

#include <gio/gio.h>

typedef struct
{
  StmRegistry *registry;
  char *domain_id;
  StmMomentKind kind;
  char *moment_id; /* NULL: all of the kind */
} StmMomentScope;

void stm_moment_scope_init (StmMomentScope *self, StmRegistry *registry, const char *domain_id,
                            StmMomentKind kind, const char *moment_id);
void stm_moment_scope_clear (StmMomentScope *self);

/* NULL when the domain, or the moment, is gone. */
const StmTree *stm_moment_scope_get_tree (const StmMomentScope *self);
const StmMoment *stm_moment_scope_get_moment (const StmMomentScope *self);
char *stm_moment_scope_path_of (const StmMomentScope *self, const char *moment_id);

/* For the gate. */
void stm_moment_scope_describe (const StmMomentScope *self, GHashTable *details);
