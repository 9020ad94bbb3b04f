/* Looks up in the model what a scope names. Keeps no state of it.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "stm-moment-scope.h"

#include "stm-export.h"
#include "stm-object-path.h"

void
stm_moment_scope_init (StmMomentScope *self, StmRegistry *registry, const char *domain_id,
                       StmMomentKind kind, const char *moment_id)
{
  self->registry = g_object_ref (registry);
  self->domain_id = g_strdup (domain_id);
  self->kind = kind;
  self->moment_id = g_strdup (moment_id);
}

void
stm_moment_scope_clear (StmMomentScope *self)
{
  g_clear_object (&self->registry);
  g_clear_pointer (&self->domain_id, g_free);
  g_clear_pointer (&self->moment_id, g_free);
}

const StmTree *
stm_moment_scope_get_tree (const StmMomentScope *self)
{
  return stm_model_tree (stm_registry_get_model (self->registry), self->domain_id, self->kind);
}

const StmMoment *
stm_moment_scope_get_moment (const StmMomentScope *self)
{
  const StmTree *tree = stm_moment_scope_get_tree (self);

  return tree == NULL ? NULL : stm_tree_get (tree, self->moment_id);
}

char *
stm_moment_scope_path_of (const StmMomentScope *self, const char *moment_id)
{
  return stm_object_path_of_moment (self->domain_id, self->kind, moment_id);
}

void
stm_moment_scope_describe (const StmMomentScope *self, GHashTable *details)
{
  stm_export_describe (self->registry, self->domain_id, self->moment_id, details);
  g_hash_table_insert (details, g_strdup ("kind"), g_strdup (stm_export_kind_to_word (self->kind)));
}
