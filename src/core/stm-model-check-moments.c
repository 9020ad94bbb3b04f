/* The part of stm_model_check() that looks at the trees.
 *
 * Main loop only; changes nothing.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "stm-model-check-private.h"

#include "stemma-error.h"

static const char *
kind_to_text (StmMomentKind kind)
{
  return kind == STM_MOMENT_SNAPSHOT ? "snapshot" : "checkpoint";
}

static gboolean
check_values (const StmModelView *view, GError **error)
{
  const GPtrArray *puts = view->change->put_moments;

  for (guint i = 0; i < puts->len; i++)
    {
      const StmMoment *moment = puts->pdata[i];
      const StmMoment *old = stm_model_view_old_moment (view, moment->id);

      if (!stm_moment_is_sound (moment, error))
        return FALSE;
      if (old == NULL || old->kind == moment->kind)
        continue;
      g_set_error (error, STEMMA_ERROR, STEMMA_ERROR_INVALID_ARGUMENT,
                   "%s \"%s\" of domain %s cannot become a %s", kind_to_text (old->kind), old->name,
                   view->domain->name, kind_to_text (moment->kind));
      return FALSE;
    }

  return TRUE;
}

static gboolean
check_no_children_stay (const StmModelView *view, const StmMoment *removed, GError **error)
{
  const StmTree *tree = view->entry->trees[removed->kind];
  const StmMoment *child = stm_tree_first_child (tree, removed->id);

  for (; child != NULL; child = stm_tree_next_sibling (tree, child->id))
    {
      const StmMoment *stays = stm_model_view_moment (view, removed->kind, child->id);

      if (stays == NULL || g_strcmp0 (stays->parent, removed->id) != 0)
        continue;
      g_set_error (error, STEMMA_ERROR, STEMMA_ERROR_HAS_CHILDREN,
                   "cannot remove %s \"%s\" of domain %s: \"%s\" stands on it; move or remove that "
                   "as well",
                   kind_to_text (removed->kind), removed->name, view->domain->name, stays->name);
      return FALSE;
    }

  return TRUE;
}

static gboolean
check_removals (const StmModelView *view, GError **error)
{
  const GPtrArray *ids = view->change->removed_moments;

  for (guint i = 0; i < ids->len; i++)
    {
      const StmMoment *removed = stm_model_view_old_moment (view, ids->pdata[i]);

      if (removed == NULL)
        {
          g_set_error (error, STEMMA_ERROR, STEMMA_ERROR_NOT_FOUND,
                       "cannot remove %s: domain %s has no snapshot or checkpoint of this id",
                       (const char *) ids->pdata[i], view->domain->name);
          return FALSE;
        }
      if (!check_no_children_stay (view, removed, error))
        return FALSE;
    }

  return TRUE;
}

static gboolean
check_parents (const StmModelView *view, GError **error)
{
  const GPtrArray *puts = view->change->put_moments;

  for (guint i = 0; i < puts->len; i++)
    {
      const StmMoment *moment = puts->pdata[i];

      if (moment->parent == NULL
          || stm_model_view_moment (view, moment->kind, moment->parent) != NULL)
        continue;
      g_set_error (error, STEMMA_ERROR, STEMMA_ERROR_NOT_FOUND,
                   "cannot put %s \"%s\" of domain %s on %s: there is no %s of this id",
                   kind_to_text (moment->kind), moment->name, view->domain->name, moment->parent,
                   kind_to_text (moment->kind));
      return FALSE;
    }

  return TRUE;
}

static gboolean
refuse_name (const StmModelView *view, const StmMoment *moment, GError **error)
{
  g_set_error (error, STEMMA_ERROR, STEMMA_ERROR_ALREADY_EXISTS,
               "domain %s has a %s \"%s\" already; choose another name", view->domain->name,
               kind_to_text (moment->kind), moment->name);
  return FALSE;
}

/* Whether a moment that the change does not remove or rename has the name. */
static gboolean
name_is_held (const StmModelView *view, const StmMoment *moment)
{
  const StmMoment *holder = view->entry != NULL
                                ? stm_tree_find (view->entry->trees[moment->kind], moment->name)
                                : NULL;
  const StmMoment *stays = holder != NULL ? stm_model_view_moment (view, holder->kind, holder->id)
                                          : NULL;

  return stays != NULL && g_strcmp0 (stays->id, moment->id) != 0
         && g_strcmp0 (stays->name, moment->name) == 0;
}

static gboolean
check_names (const StmModelView *view, GError **error)
{
  const GPtrArray *puts = view->change->put_moments;
  g_autoptr (GHashTable) snapshots = g_hash_table_new (g_str_hash, g_str_equal);
  g_autoptr (GHashTable) checkpoints = g_hash_table_new (g_str_hash, g_str_equal);

  for (guint i = 0; i < puts->len; i++)
    {
      const StmMoment *moment = puts->pdata[i];
      GHashTable *names = moment->kind == STM_MOMENT_SNAPSHOT ? snapshots : checkpoints;

      if (!g_hash_table_add (names, (char *) moment->name) || name_is_held (view, moment))
        return refuse_name (view, moment, error);
    }

  return TRUE;
}

static gboolean
check_current (const StmModelView *view, GError **error)
{
  const StmChange *change = view->change;
  const char *current = change->current_change == STM_CURRENT_SET ? change->current_id
                        : view->entry != NULL
                            ? stm_tree_current (view->entry->trees[STM_MOMENT_SNAPSHOT])
                            : NULL;

  if (current == NULL || stm_model_view_moment (view, STM_MOMENT_SNAPSHOT, current) != NULL)
    return TRUE;
  if (change->current_change == STM_CURRENT_SET)
    g_set_error (error, STEMMA_ERROR, STEMMA_ERROR_NOT_FOUND,
                 "snapshot %s cannot be the current one of domain %s: there is none of this id",
                 current, view->domain->name);
  else
    g_set_error (error, STEMMA_ERROR, STEMMA_ERROR_WRONG_STATE,
                 "cannot remove snapshot %s of domain %s: it is the current one; make another one "
                 "current with the same change",
                 current, view->domain->name);

  return FALSE;
}

gboolean
stm_model_check_moments (const StmModelView *view, GError **error)
{
  return check_values (view, error) && check_removals (view, error) && check_parents (view, error)
         && check_names (view, error) && stm_model_check_rings (view, error)
         && check_current (view, error);
}
