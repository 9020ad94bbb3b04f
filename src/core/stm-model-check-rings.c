/* The part of stm_model_check() that sees to it that no moment stands on itself.
 *
 * Main loop only; changes nothing. What a change adds can stand in a ring only with other additions
 * or with what it moves; a move is a question to the tree. So it costs by the size of the change,
 * and by the logarithm of that of the tree.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "stm-model-check-private.h"

#include "stemma-error.h"

static gboolean
refuse_ring (const StmModelView *view, const StmMoment *moment, GError **error)
{
  g_set_error (error, STEMMA_ERROR, STEMMA_ERROR_INVALID_ARGUMENT,
               "cannot put %s \"%s\" of domain %s there: it would stand on itself",
               moment->kind == STM_MOMENT_SNAPSHOT ? "snapshot" : "checkpoint", moment->name,
               view->domain->name);
  return FALSE;
}

/* A moment that the change adds, by id; NULL for one that is in the tree already. */
static const StmMoment *
find_added (const StmModelView *view, const char *id)
{
  const StmMoment *moment = id != NULL ? g_hash_table_lookup (view->put_moments, id) : NULL;

  return moment == NULL || stm_model_view_old_moment (view, id) != NULL ? NULL : moment;
}

/* Goes up from `moment` through what the change adds. `passed` has, for each that was passed by, on
 * what of the tree it stands in the end, "" for nothing, or itself while the way is not at its end.
 * FALSE when the way leads back. */
static gboolean
find_ground (const StmModelView *view, const StmMoment *moment, GHashTable *passed,
             const char **out_ground)
{
  g_autoptr (GPtrArray) line = g_ptr_array_new ();
  const char *ground = moment->id;
  const StmMoment *added = find_added (view, moment->id);

  while (added != NULL && !g_hash_table_contains (passed, added->id))
    {
      g_hash_table_insert (passed, (char *) added->id, (char *) added->id);
      g_ptr_array_add (line, (char *) added->id);
      ground = added->parent != NULL ? added->parent : "";
      added = find_added (view, added->parent);
    }
  if (added != NULL)
    ground = g_hash_table_lookup (passed, added->id);
  if (added != NULL && g_str_equal (ground, added->id))
    return FALSE;
  for (guint i = 0; i < line->len; i++)
    g_hash_table_insert (passed, line->pdata[i], (char *) ground);

  *out_ground = ground;
  return TRUE;
}

/* The moves of moments that are in the tree, each to what of the tree its new parent stands on. */
static gboolean
collect_moves (const StmModelView *view, const StmMoment *moment, GHashTable *passed,
               GArray *const *all_moves, GError **error)
{
  const StmMoment *old = stm_model_view_old_moment (view, moment->id);
  const StmMoment *parent = moment->parent != NULL ? find_added (view, moment->parent) : NULL;
  StmTreeMove move = { .id = moment->id, .parent = moment->parent };

  if (old == NULL)
    {
      const char *ground;

      return find_ground (view, moment, passed, &ground) || refuse_ring (view, moment, error);
    }
  if (g_strcmp0 (old->parent, moment->parent) == 0)
    return TRUE;
  if (parent != NULL && !find_ground (view, parent, passed, &move.parent))
    return refuse_ring (view, parent, error);
  if (move.parent != NULL && *move.parent == '\0')
    move.parent = NULL;

  g_array_append_val (all_moves[moment->kind], move);
  return TRUE;
}

static gboolean
check_moves (const StmModelView *view, StmMomentKind kind, const GArray *moves, GError **error)
{
  const StmTreeMove *first = (const StmTreeMove *) (gconstpointer) moves->data;
  gssize found;

  if (moves->len == 0)
    return TRUE;

  found = stm_tree_find_ring (view->entry->trees[kind], first, moves->len);
  return found < 0
         || refuse_ring (view, g_hash_table_lookup (view->put_moments, first[found].id), error);
}

gboolean
stm_model_check_rings (const StmModelView *view, GError **error)
{
  const GPtrArray *puts = view->change->put_moments;
  g_autoptr (GHashTable) passed = g_hash_table_new (g_str_hash, g_str_equal);
  g_autoptr (GArray) snapshots = g_array_new (FALSE, FALSE, sizeof (StmTreeMove));
  g_autoptr (GArray) checkpoints = g_array_new (FALSE, FALSE, sizeof (StmTreeMove));
  GArray *const moves[STM_N_MOMENT_KINDS] = {
    [STM_MOMENT_SNAPSHOT] = snapshots,
    [STM_MOMENT_CHECKPOINT] = checkpoints,
  };

  for (guint i = 0; i < puts->len; i++)
    if (!collect_moves (view, puts->pdata[i], passed, moves, error))
      return FALSE;

  return check_moves (view, STM_MOMENT_SNAPSHOT, snapshots, error)
         && check_moves (view, STM_MOMENT_CHECKPOINT, checkpoints, error);
}
