/* stm_plan_health(): what a survey shows of the checkpoints and snapshots of a domain; the part of
 * the snapshots stands in stm-health-snapshots.c.
 *
 * Pure, main loop. Looks at the checkpoints that were begun in an image of an active chain, and at
 * no other: those that are off the chain are none the worse for what is in it.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "stm-checkpoints.h"
#include "stm-health-private.h"

static gboolean
was_looked_at (const GPtrArray *chain, const StmSurvey *survey)
{
  for (guint i = 0; i < chain->len; i++)
    if (stm_survey_get (survey, ((StmImage *) chain->pdata[i])->path) != NULL)
      return TRUE;

  return FALSE;
}

static void
add_concerned (const StmModel *model, const StmSurvey *survey, const StmDomain *domain,
               const StmDisk *disk, GHashTable *checkpoints)
{
  g_autoptr (GPtrArray) chain = stm_model_chain (model, domain->id, disk->target);

  if (!was_looked_at (chain, survey))
    return;
  for (guint i = 0; i < chain->len; i++)
    stm_checkpoints_begun_in (model, domain->id, ((StmImage *) chain->pdata[i])->path, checkpoints);
}

/* One that was redefined without a look at the images is recorded as begun in the active one of
 * then. What the images below recorded for it is part of it. NULL when that cannot be told. */
static StmMoment *
settle_begin (StmChains *chains, const StmMoment *checkpoint)
{
  if (checkpoint->health != STM_HEALTH_UNKNOWN)
    return stm_moment_ref (checkpoint);

  g_autofree StmMomentDisk *disks = g_memdup2 (checkpoint->disks,
                                               checkpoint->n_disks * sizeof *disks);
  for (gsize i = 0; i < checkpoint->n_disks; i++)
    {
      if (disks[i].mode != STM_MODE_BITMAP || disks[i].frozen == NULL)
        continue;
      disks[i].frozen = stm_chains_find_begin (chains, disks[i].target, disks[i].frozen,
                                               disks[i].bitmap);
      if (disks[i].frozen == NULL)
        return NULL;
    }

  return stm_moment_with_disks (checkpoint, disks, checkpoint->n_disks);
}

static void
judge_checkpoint (StmChains *chains, const StmMoment *checkpoint, StmChange *change)
{
  if (checkpoint->state == STM_STATE_CREATING || checkpoint->state == STM_STATE_DELETING)
    return;

  g_autoptr (StmMoment) settled = settle_begin (chains, checkpoint);
  if (settled == NULL)
    return;

  StmHealth health = stm_chains_judge (chains, settled, checkpoint->health);
  if (health == checkpoint->health)
    return;
  g_autoptr (StmMoment) judged = stm_moment_with_state (settled, checkpoint->state, health);
  stm_change_put_moment (change, judged);
}

static void
judge_checkpoints (const StmModel *model, const StmSurvey *survey, const StmDomain *domain,
                   StmChange *change)
{
  if (stm_tree_count (stm_model_tree (model, domain->id, STM_MOMENT_CHECKPOINT)) == 0)
    return;

  g_autoptr (GHashTable) concerned = g_hash_table_new (NULL, NULL);
  for (gsize i = 0; i < domain->n_disks; i++)
    add_concerned (model, survey, domain, &domain->disks[i], concerned);

  g_autoptr (GPtrArray) checkpoints = stm_checkpoints_sort (concerned);
  g_autoptr (StmChains) chains = stm_chains_new (model, domain->id, survey);
  for (guint i = 0; i < checkpoints->len; i++)
    judge_checkpoint (chains, checkpoints->pdata[i], change);
}

StmChange *
stm_plan_health (const StmModel *model, const StmSurvey *survey, const char *domain_id)
{
  const StmDomain *domain = stm_model_get_domain (model, domain_id);

  if (domain == NULL)
    return NULL;

  g_autoptr (StmChange) change = stm_change_new (domain_id);
  judge_checkpoints (model, survey, domain, change);
  stm_health_judge_snapshots (model, survey, domain, change);

  return stm_change_is_empty (change) ? NULL : g_steal_pointer (&change);
}
