/* Writes down what the service shows of the one domain, for a process that outlives it.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "life-private.h"

const char *
life_domain_id (StmRegistry *registry)
{
  const StmDomain *domain = stm_model_find_domain (stm_registry_get_model (registry), LIFE_DOMAIN);

  return domain != NULL ? domain->id : NULL;
}

static void
tell_disk (GKeyFile *out, const char *group, const StmMomentDisk *disk)
{
  g_autofree char *tag = g_strconcat ("tag.", disk->target, NULL);
  g_autofree char *bitmap = g_strconcat ("bitmap.", disk->target, NULL);

  if (disk->frozen != NULL)
    g_key_file_set_string (out, group, disk->target, disk->frozen);
  if (disk->tag != NULL)
    g_key_file_set_string (out, group, tag, disk->tag);
  if (disk->bitmap != NULL)
    g_key_file_set_string (out, group, bitmap, disk->bitmap);
}

static void
tell_moment (GKeyFile *out, const StmTree *tree, const StmMoment *moment)
{
  const StmMoment *parent = moment->parent != NULL ? stm_tree_get (tree, moment->parent) : NULL;
  const char *prefix = moment->kind == STM_MOMENT_CHECKPOINT ? "checkpoint " : "";
  g_autofree char *group = g_strconcat (prefix, moment->name, NULL);

  g_key_file_set_string (out, group, "parent", parent != NULL ? parent->name : "");
  g_key_file_set_string (out, group, "state", stm_moment_state_to_word (moment->state));
  g_key_file_set_string (out, group, "health", stm_health_to_word (moment->health));
  for (gsize i = 0; i < moment->n_disks; i++)
    tell_disk (out, group, &moment->disks[i]);
}

static void
tell_tree (GKeyFile *out, const StmTree *tree)
{
  g_autoptr (GPtrArray) moments = stm_tree_subtree (tree, NULL);

  for (guint i = 0; i < moments->len; i++)
    tell_moment (out, tree, g_ptr_array_index (moments, i));
}

/* A checkpoint that was broken by a fault is told by its health. */
static void
tell_findings (GKeyFile *out, GPtrArray *findings)
{
  g_autoptr (GString) text = g_string_new (NULL);

  for (guint i = 0; i < findings->len; i++)
    {
      const StmFinding *finding = g_ptr_array_index (findings, i);

      if (!g_str_equal (finding->kind, "checkpoint-broken"))
        g_string_append_printf (text, "%s: %s; ", finding->kind, finding->text);
    }
  g_key_file_set_string (out, "domain", "findings", text->str);
}

void
life_tell (StmRegistry *registry, GPtrArray *findings, GKeyFile *out)
{
  const StmModel *model = stm_registry_get_model (registry);
  const char *id = life_domain_id (registry);
  const StmTree *tree;
  const StmMoment *current;

  tell_findings (out, findings);
  g_key_file_set_string (out, "result", "health", stm_registry_get_health (registry));
  if (id == NULL)
    return;
  tree = stm_model_tree (model, id, STM_MOMENT_SNAPSHOT);
  current = stm_tree_current (tree) != NULL ? stm_tree_get (tree, stm_tree_current (tree)) : NULL;
  g_key_file_set_string (out, "domain", "current", current != NULL ? current->name : "");
  for (gsize i = 0; i < stm_model_get_domain (model, id)->n_disks; i++)
    {
      const StmDisk *disk = &stm_model_get_domain (model, id)->disks[i];
      g_autofree char *key = g_strconcat ("source.", disk->target, NULL);

      g_key_file_set_string (out, "domain", key, disk->source);
    }
  tell_tree (out, tree);
  tell_tree (out, stm_model_tree (model, id, STM_MOMENT_CHECKPOINT));
}
