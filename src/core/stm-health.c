/* stm_plan_health(): what a survey shows of the checkpoints and internal snapshots of a domain.
 *
 * Pure, main loop. Looks at the checkpoints that were begun in an image of an active chain, and at
 * no other: those that are off the chain are none the worse for what is in it. Of snapshots it
 * judges whether what is internal to an image is still in it.
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
  g_autoptr (GHashTable) concerned = g_hash_table_new (NULL, NULL);
  for (gsize i = 0; i < domain->n_disks; i++)
    add_concerned (model, survey, domain, &domain->disks[i], concerned);

  g_autoptr (GPtrArray) checkpoints = stm_checkpoints_sort (concerned);
  g_autoptr (StmChains) chains = stm_chains_new (model, domain->id, survey);
  for (guint i = 0; i < checkpoints->len; i++)
    judge_checkpoint (chains, checkpoints->pdata[i], change);
}

/* --- snapshots --- */

/* The snapshots of the domain that are internal to images that were looked at. */
static GHashTable *
list_internal (const StmModel *model, const StmSurvey *survey, const StmDomain *domain)
{
  const StmTree *tree = stm_model_tree (model, domain->id, STM_MOMENT_SNAPSHOT);
  GHashTable *snapshots = g_hash_table_new (NULL, NULL);
  g_autoptr (GPtrArray) looked_at = stm_survey_list (survey);

  for (guint i = 0; i < looked_at->len; i++)
    {
      const StmFacts *facts = looked_at->pdata[i];
      g_autoptr (GArray) users = stm_model_image_users (model, facts->path);

      for (guint j = 0; j < users->len; j++)
        {
          const StmImageUser *user = &g_array_index (users, StmImageUser, j);
          const StmMoment *moment = user->moment_id == NULL
                                            || !g_str_equal (user->domain_id, domain->id)
                                        ? NULL
                                        : stm_tree_get (tree, user->moment_id);

          if (moment != NULL
              && stm_moment_find_disk (moment, user->target)->mode == STM_MODE_INTERNAL)
            g_hash_table_add (snapshots, (gpointer) moment);
        }
    }

  return snapshots;
}

/* MISSING when an image was seen without its tag; OK when all images of the snapshot were seen to
 * be there, with their tags; else as it was. */
static StmHealth
judge_snapshot (const StmMoment *snapshot, const StmSurvey *survey)
{
  gboolean is_all_seen = TRUE;

  for (gsize i = 0; i < snapshot->n_disks; i++)
    {
      const StmMomentDisk *disk = &snapshot->disks[i];
      const StmFacts *facts = disk->frozen == NULL ? NULL : stm_survey_get (survey, disk->frozen);

      if (disk->mode == STM_MODE_NONE)
        continue;
      if (facts == NULL || facts->problem != NULL)
        is_all_seen = FALSE;
      else if (disk->mode == STM_MODE_INTERNAL && stm_facts_find_tag (facts, disk->tag) == NULL)
        return STM_HEALTH_MISSING;
    }

  return is_all_seen && snapshot->health == STM_HEALTH_MISSING ? STM_HEALTH_OK : snapshot->health;
}

static void
judge_snapshots (const StmModel *model, const StmSurvey *survey, const StmDomain *domain,
                 StmChange *change)
{
  g_autoptr (GHashTable) internal = list_internal (model, survey, domain);
  GHashTableIter iter;
  gpointer key;

  g_hash_table_iter_init (&iter, internal);
  while (g_hash_table_iter_next (&iter, &key, NULL))
    {
      const StmMoment *snapshot = key;
      StmHealth health;

      if (snapshot->state == STM_STATE_CREATING || snapshot->state == STM_STATE_DELETING)
        continue;
      health = judge_snapshot (snapshot, survey);
      if (health == snapshot->health)
        continue;
      g_autoptr (StmMoment) judged = stm_moment_with_state (snapshot, snapshot->state, health);
      stm_change_put_moment (change, judged);
    }
}

StmChange *
stm_plan_health (const StmModel *model, const StmSurvey *survey, const char *domain_id)
{
  const StmDomain *domain = stm_model_get_domain (model, domain_id);

  if (domain == NULL)
    return NULL;

  g_autoptr (StmChange) change = stm_change_new (domain_id);
  judge_checkpoints (model, survey, domain, change);
  judge_snapshots (model, survey, domain, change);

  return stm_change_is_empty (change) ? NULL : g_steal_pointer (&change);
}
