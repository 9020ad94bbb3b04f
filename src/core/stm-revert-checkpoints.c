/* StmRevert: what becomes of the checkpoints.
 *
 * A checkpoint can be reached as long as the images in which it was begun are in the active chains.
 * Called by the planner of reverts when it is settled which images stay, main loop, pure. Looks at
 * no more checkpoints than those that were begun in images which leave or enter the chains, unless
 * the bitmaps of those images show that others are concerned.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "stm-revert.h"

#include "stemma-error.h"
#include "stm-checkpoints.h"
#include "stm-planner-shared.h"

/* Checkpoints that a refusal names. */
#define MAX_NAMED 8

/* --- bitmaps of others --- */

static gboolean
has_in_order (const StmFacts *facts, const char *name)
{
  const StmBitmapFacts *bitmap = facts == NULL ? NULL : stm_facts_find_bitmap (facts, name);

  return bitmap != NULL && stm_bitmap_is_in_order (bitmap);
}

const char *
stm_revert_find_foreign_bitmap (const StmRevert *self, const StmRevertDisk *concern)
{
  const StmFacts *active = stm_survey_get (self->survey, concern->active->path);
  const StmFacts *below = stm_survey_get (self->survey, concern->active->backing);

  for (guint i = 0; active != NULL && i < active->bitmaps->len; i++)
    {
      const StmBitmapFacts *bitmap = active->bitmaps->pdata[i];
      g_autoptr (GPtrArray) sharers = stm_model_bitmap_sharers (
          self->model, self->domain->id, concern->disk->target, bitmap->name);

      if (stm_bitmap_is_in_order (bitmap) && !has_in_order (below, bitmap->name)
          && sharers->len == 0)
        return bitmap->name;
    }

  return NULL;
}

void
stm_revert_add_checkpointed (const StmRevert *self, GHashTable *seen, GPtrArray *images)
{
  const StmTree *checkpoints = stm_model_tree (self->model, self->domain->id,
                                               STM_MOMENT_CHECKPOINT);

  if (stm_tree_count (checkpoints) == 0)
    return;
  for (gsize i = 0; i < self->domain->n_disks; i++)
    {
      g_autoptr (GPtrArray)
          chain = stm_model_chain (self->model, self->domain->id, self->domain->disks[i].target);

      stm_planner_add_images (images, seen, chain);
    }
}

/* --- which checkpoints --- */

typedef struct
{
  const StmRevert *self;
  StmPlan *plan;
  StmChains *chains;
  GHashTable *concerned; /* set of StmMoment */
  GPtrArray *lost;       /* names, borrowed */
} Draft;

/* The chain that the disk will have; the images that are yet to be made are on top. */
static GPtrArray *
chain_after (const StmRevert *self, const StmPlan *plan, const StmDisk *disk, guint *out_n_new)
{
  for (guint i = 0; i < plan->steps->len; i++)
    {
      const StmStep *step = plan->steps->pdata[i];

      if (step->kind != STM_STEP_OVERLAY || g_strcmp0 (step->image->path, disk->source) != 0)
        continue;
      GPtrArray *chain = stm_model_chain_from (self->model, self->domain->id, step->image->backing);
      g_ptr_array_insert (chain, 0, stm_image_ref (step->image));
      *out_n_new = 1;
      return chain;
    }
  *out_n_new = 0;

  return stm_model_chain_from (self->model, self->domain->id, disk->source);
}

static const char *
path_at (const GPtrArray *chain, guint from_end)
{
  return ((StmImage *) chain->pdata[chain->len - from_end])->path;
}

/* How many images, counted from the end, two chains have in common. */
static guint
count_common (const GPtrArray *before, const GPtrArray *after)
{
  guint n = 0;

  while (n < before->len && n < after->len
         && g_str_equal (path_at (before, n + 1), path_at (after, n + 1)))
    n++;

  return n;
}

/* Whether every image of the chain above `junction` goes on with all that is in order there: then
 * what was begun at the junction or below it is as good with these images as without them. */
static gboolean
goes_on (const StmRevert *self, const GPtrArray *chain, guint begin, guint end,
         const StmFacts *junction)
{
  for (guint i = begin; i < end; i++)
    {
      const StmFacts *facts = stm_survey_get (self->survey, ((StmImage *) chain->pdata[i])->path);

      if (facts == NULL || facts->problem != NULL)
        return FALSE;
      for (guint j = 0; j < junction->bitmaps->len; j++)
        {
          const StmBitmapFacts *bitmap = junction->bitmaps->pdata[j];

          if (stm_bitmap_is_in_order (bitmap) && !has_in_order (facts, bitmap->name))
            return FALSE;
        }
    }

  return TRUE;
}

static void
add_begun_in (Draft *draft, const GPtrArray *chain, guint begin, guint end)
{
  for (guint i = begin; i < end; i++)
    stm_checkpoints_begun_in (draft->self->model, draft->self->domain->id,
                              ((StmImage *) chain->pdata[i])->path, draft->concerned);
}

static void
add_disk (Draft *draft, const StmDisk *before, const StmDisk *after)
{
  const StmRevert *self = draft->self;
  guint n_new = 0;

  if (g_strcmp0 (before->source, after->source) == 0)
    return;

  g_autoptr (GPtrArray) left = stm_model_chain_from (self->model, self->domain->id, before->source);
  g_autoptr (GPtrArray) entered = chain_after (self, draft->plan, after, &n_new);
  guint n_common = count_common (left, entered);
  const StmFacts *junction = n_common == 0
                                 ? NULL
                                 : stm_survey_get (self->survey, path_at (entered, n_common));

  stm_chains_set (draft->chains, after->target, entered, n_new);
  add_begun_in (draft, left, 0, left->len - n_common);
  add_begun_in (draft, entered, 0, entered->len - n_common);
  if (n_common == 0)
    return;
  if (junction == NULL || !goes_on (self, left, 0, left->len - n_common, junction)
      || !goes_on (self, entered, n_new, entered->len - n_common, junction))
    add_begun_in (draft, entered, entered->len - n_common, entered->len);
}

/* --- what becomes of them --- */

static void
put_checkpoint (Draft *draft, const StmMoment *checkpoint)
{
  g_autoptr (StmMoment) moved = stm_layers_move_moment (draft->self->layers, checkpoint);
  const StmMoment *present = moved != NULL ? moved : checkpoint;
  StmHealth health = stm_chains_judge (draft->chains, present, STM_HEALTH_UNKNOWN);
  gboolean is_lost = moved != NULL && health == STM_HEALTH_MISSING;

  if (is_lost && checkpoint->health != STM_HEALTH_MISSING)
    g_ptr_array_add (draft->lost, (gpointer) checkpoint->name);
  if (health != checkpoint->health && (is_lost || health == STM_HEALTH_UNREACHABLE))
    stm_checkpoints_tell (draft->plan, checkpoint->name);
  if (moved == NULL && health == checkpoint->health)
    return;

  g_autoptr (StmMoment) judged = stm_moment_with_state (present, present->state, health);
  stm_change_put_moment (draft->plan->finish, judged);
}

static gboolean
check_lost (const Draft *draft, GError **error)
{
  const StmRevert *self = draft->self;
  g_autoptr (GString) names = g_string_new (NULL);

  if (draft->lost->len == 0 || self->request->discards)
    return TRUE;
  for (guint i = 0; i < MIN (draft->lost->len, MAX_NAMED); i++)
    g_string_append_printf (names, "%s'%s'", i > 0 ? ", " : "",
                            (const char *) draft->lost->pdata[i]);
  if (draft->lost->len > MAX_NAMED)
    g_string_append_printf (names, " and %u more", draft->lost->len - MAX_NAMED);
  g_set_error (
      error, STEMMA_ERROR, STEMMA_ERROR_UNSAVED_STATE,
      "reverting domain '%s' to snapshot '%s' would lose what was begun in the state being "
      "left: checkpoint %s; give the option 'keep' with a name to make it a snapshot, or "
      "'discard' to lose it",
      self->domain->name, self->target->name, names->str);

  return FALSE;
}

static void
add_moved (Draft *draft)
{
  g_autoptr (GHashTable) moved = g_hash_table_new (NULL, NULL);
  GHashTableIter iter;
  gpointer moment;

  stm_layers_list_moved (draft->self->layers, moved);
  g_hash_table_iter_init (&iter, moved);
  while (g_hash_table_iter_next (&iter, &moment, NULL))
    if (((StmMoment *) moment)->kind == STM_MOMENT_CHECKPOINT)
      g_hash_table_add (draft->concerned, moment);
}

gboolean
stm_revert_put_checkpoints (const StmRevert *self, StmPlan *plan, const StmDisk *new_disks,
                            GError **error)
{
  g_autoptr (StmChains) chains = stm_chains_new (self->model, self->domain->id, self->survey);
  g_autoptr (GHashTable) concerned = g_hash_table_new (NULL, NULL);
  g_autoptr (GPtrArray) lost = g_ptr_array_new ();
  Draft draft = {
    .self = self, .plan = plan, .chains = chains, .concerned = concerned, .lost = lost
  };

  for (gsize i = 0; i < self->domain->n_disks; i++)
    add_disk (&draft, &self->domain->disks[i], &new_disks[i]);
  add_moved (&draft);

  g_autoptr (GPtrArray) checkpoints = stm_checkpoints_sort (concerned);
  for (guint i = 0; i < checkpoints->len; i++)
    put_checkpoint (&draft, checkpoints->pdata[i]);

  return check_lost (&draft, error);
}
