/* Shared by the exported classes, so that what rules are told of a domain is the same everywhere.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "stm-export.h"

#include "stm-call.h"
#include "stm-id.h"

static void
add_detail (GHashTable *details, const char *key, const char *value)
{
  g_hash_table_insert (details, g_strdup (key), g_strdup (value));
}

void
stm_export_describe (StmRegistry *registry, const char *domain_id, const char *moment_id,
                     GHashTable *details)
{
  const StmModel *model = stm_registry_get_model (registry);
  const StmDomain *domain = stm_model_get_domain (model, domain_id);
  const StmTree *tree = stm_model_tree (model, domain_id, STM_MOMENT_SNAPSHOT);
  const StmMoment *moment = NULL;
  g_autofree char *uuid = NULL;

  if (domain == NULL)
    return;

  uuid = stm_id_to_uuid (domain_id);
  add_detail (details, "domain", domain->name);
  add_detail (details, "uuid", uuid);
  if (moment_id != NULL && tree != NULL)
    moment = stm_tree_get (tree, moment_id);
  if (moment != NULL)
    {
      add_detail (details, "kind", "snapshot");
      add_detail (details, "snapshot", moment->name);
    }
}

gboolean
stm_export_refuse (GDBusMethodInvocation *invocation, const GError *error)
{
  stm_call_refuse (invocation, error);
  return TRUE;
}
