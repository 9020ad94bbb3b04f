/* Shared by the exported classes, so that what rules are told of a domain is the same everywhere.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "stm-export.h"

#include "stm-call.h"
#include "stm-id.h"
#include "stm-object-path.h"

static void
add_detail (GHashTable *details, const char *key, const char *value)
{
  g_hash_table_insert (details, g_strdup (key), g_strdup (value));
}

/* Ids are random: one that is in the one tree is not in the other. */
static const StmMoment *
find_moment (const StmModel *model, const char *domain_id, const char *moment_id)
{
  const StmMoment *moment = NULL;

  for (guint kind = 0; kind < STM_N_MOMENT_KINDS && moment == NULL; kind++)
    {
      const StmTree *tree = stm_model_tree (model, domain_id, kind);

      moment = tree == NULL ? NULL : stm_tree_get (tree, moment_id);
    }
  return moment;
}

void
stm_export_describe (StmRegistry *registry, const char *domain_id, const char *moment_id,
                     GHashTable *details)
{
  const StmModel *model = stm_registry_get_model (registry);
  const StmDomain *domain = stm_model_get_domain (model, domain_id);
  const StmMoment *moment = NULL;
  g_autofree char *uuid = NULL;

  if (domain == NULL)
    return;

  uuid = stm_id_to_uuid (domain_id);
  add_detail (details, "domain", domain->name);
  add_detail (details, "uuid", uuid);
  if (moment_id != NULL)
    moment = find_moment (model, domain_id, moment_id);
  if (moment != NULL)
    {
      add_detail (details, "kind", stm_export_kind_to_word (moment->kind));
      add_detail (details, stm_export_kind_to_word (moment->kind), moment->name);
    }
}

char *
stm_export_moment_path (StmRegistry *registry, const char *domain_id, const char *moment_id,
                        StmMomentKind gone)
{
  const StmModel *model = stm_registry_get_model (registry);
  const StmMoment *moment = find_moment (model, domain_id, moment_id);

  return stm_object_path_of_moment (domain_id, moment != NULL ? moment->kind : gone, moment_id);
}

const char *
stm_export_kind_to_word (StmMomentKind kind)
{
  return kind == STM_MOMENT_SNAPSHOT ? "snapshot" : "checkpoint";
}

gboolean
stm_export_refuse (GDBusMethodInvocation *invocation, const GError *error)
{
  stm_call_refuse (invocation, error);
  return TRUE;
}
