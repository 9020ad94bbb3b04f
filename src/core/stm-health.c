/* stm_plan_health(): what a survey shows of the checkpoints of a domain.
 *
 * Pure, main loop. Looks at the checkpoints that were begun in an image of an active chain, and at
 * no other: those that are off the chain are none the worse for what is in it.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "stm-checkpoints.h"

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

StmChange *
stm_plan_health (const StmModel *model, const StmSurvey *survey, const char *domain_id)
{
  const StmDomain *domain = stm_model_get_domain (model, domain_id);

  if (domain == NULL)
    return NULL;

  g_autoptr (GHashTable) concerned = g_hash_table_new (NULL, NULL);
  for (gsize i = 0; i < domain->n_disks; i++)
    add_concerned (model, survey, domain, &domain->disks[i], concerned);

  g_autoptr (GPtrArray) checkpoints = stm_checkpoints_sort (concerned);
  g_autoptr (StmChains) chains = stm_chains_new (model, domain_id, survey);
  g_autoptr (StmChange) change = stm_change_new (domain_id);
  for (guint i = 0; i < checkpoints->len; i++)
    {
      const StmMoment *checkpoint = checkpoints->pdata[i];

      if (checkpoint->state == STM_STATE_CREATING || checkpoint->state == STM_STATE_DELETING)
        continue;
      StmHealth health = stm_chains_judge (chains, checkpoint, checkpoint->health);
      if (health == checkpoint->health)
        continue;
      g_autoptr (StmMoment) judged = stm_moment_with_state (checkpoint, checkpoint->state, health);
      stm_change_put_moment (change, judged);
    }

  return stm_change_is_empty (change) ? NULL : g_steal_pointer (&change);
}
