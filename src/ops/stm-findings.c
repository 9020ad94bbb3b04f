/* Builds findings from journal entries and from surveys. Pure; main loop.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "stm-findings.h"

#include "stemma-error.h"

#define FINDING_ID_LENGTH 16

static StmFinding *
finding_new (const StmFinding *init)
{
  StmFinding *self = g_new0 (StmFinding, 1);

  self->id = g_strndup (init->id, FINDING_ID_LENGTH);
  self->domain_id = g_strdup (init->domain_id);
  self->moment_id = g_strdup (init->moment_id);
  self->kind = g_strdup (init->kind);
  self->text = g_strdup (init->text);
  self->choices = (const char *const *) g_strdupv ((GStrv) init->choices);
  return self;
}

StmFinding *
stm_finding_copy (const StmFinding *self)
{
  return finding_new (self);
}

void
stm_finding_free (StmFinding *self)
{
  g_free ((char *) self->id);
  g_free ((char *) self->domain_id);
  g_free ((char *) self->moment_id);
  g_free ((char *) self->kind);
  g_free ((char *) self->text);
  g_strfreev ((GStrv) self->choices);
  g_free (self);
}

StmFinding *
stm_finding_new_unsettled (const StmJournalEntry *entry)
{
  static const char *const operation_choices[] = { "retry", "abandon", NULL };
  static const char *const file_choices[] = { "retry", "keep", NULL };
  gboolean is_cleanup = entry->phase == STM_PHASE_CLEANUP;
  g_autofree char *text = NULL;

  if (is_cleanup)
    text = g_strdup_printf ("the operation '%s' is done but could not remove what it no longer "
                            "needs: %s",
                            stm_operation_to_word (entry->plan->operation), entry->finding);
  else
    text = g_strdup_printf ("the operation '%s' could not be finished: %s",
                            stm_operation_to_word (entry->plan->operation), entry->finding);
  return finding_new (&(StmFinding){
      .id = entry->plan->id,
      .domain_id = entry->plan->domain_id,
      .moment_id = is_cleanup ? NULL : entry->plan->object_id,
      .kind = is_cleanup ? "orphan-file" : "unsettled-operation",
      .text = text,
      .choices = is_cleanup ? file_choices : operation_choices,
  });
}

static char *
describe_difference (const StmImage *image, const StmFacts *facts)
{
  if (g_error_matches (facts->problem, STEMMA_ERROR, STEMMA_ERROR_NOT_FOUND))
    return g_strdup_printf ("image '%s' of disk '%s' is not there any more: put the file back; "
                            "until then no snapshot that needs it can be returned to",
                            image->path, image->target);
  if (facts->problem != NULL)
    return g_strdup (facts->problem->message);
  if (g_str_equal (image->format, "qcow2") && !g_str_equal (facts->format, "qcow2"))
    return g_strdup_printf ("image '%s' is recorded as qcow2 and is not", image->path);
  if (g_str_equal (image->format, "qcow2") && g_strcmp0 (image->backing, facts->backing) != 0)
    return g_strdup_printf ("image '%s' is recorded over '%s' and its header names '%s'",
                            image->path, image->backing != NULL ? image->backing : "nothing",
                            facts->backing != NULL ? facts->backing : "nothing");
  if (image->capacity != facts->capacity)
    return g_strdup_printf ("image '%s' is recorded with %" G_GUINT64_FORMAT
                            " bytes and has %" G_GUINT64_FORMAT,
                            image->path, image->capacity, facts->capacity);
  return NULL;
}

StmFinding *
stm_finding_new_image (const char *domain_id, const StmImage *image, const StmFacts *facts)
{
  /* Nothing that the service could do by itself: the file must be brought back. */
  static const char *const choices[] = { NULL };
  gboolean is_missing = g_error_matches (facts->problem, STEMMA_ERROR, STEMMA_ERROR_NOT_FOUND);
  const char *kind = is_missing ? "image-missing" : "image-differs";
  g_autofree char *text = describe_difference (image, facts);
  g_autofree char *key = g_strconcat (kind, "|", domain_id, "|", image->path, NULL);
  g_autofree char *id = g_compute_checksum_for_string (G_CHECKSUM_SHA256, key, -1);

  if (text == NULL)
    return NULL;
  return finding_new (&(StmFinding){
      .id = id, .domain_id = domain_id, .kind = kind, .text = text, .choices = choices });
}

/* Says of a broken checkpoint what is the matter, NULL of one that is in order or only off the
 * chain. */
static char *
describe_checkpoint (const StmMoment *checkpoint)
{
  const char *what = NULL;

  if (checkpoint->health == STM_HEALTH_MISSING)
    what = "has no bitmap any more on one of its disks";
  else if (checkpoint->health == STM_HEALTH_INCONSISTENT)
    what = "has a bitmap that was not closed properly or records no more";
  if (what == NULL)
    return NULL;
  return g_strdup_printf ("checkpoint '%s' %s: what was written since it was made is not known, "
                          "the next backup must be a full one",
                          checkpoint->name, what);
}

static char *
describe_snapshot (const StmMoment *snapshot, const StmSurvey *survey)
{
  /* As the same survey has just shown; an image may have a great many to go through. */
  if (snapshot->health == STM_HEALTH_OK)
    return NULL;

  for (gsize i = 0; i < snapshot->n_disks; i++)
    {
      const StmMomentDisk *disk = &snapshot->disks[i];
      const StmFacts *facts = disk->mode == STM_MODE_INTERNAL
                                  ? stm_survey_get (survey, disk->frozen)
                                  : NULL;

      /* An image that is not there at all is a finding of its own. */
      if (facts == NULL || facts->problem != NULL || stm_facts_find_tag (facts, disk->tag) != NULL)
        continue;
      return g_strdup_printf ("snapshot '%s' cannot be returned to: image %s of disk '%s' has no "
                              "internal snapshot '%s' any more",
                              snapshot->name, disk->frozen, disk->target, disk->tag);
    }
  return NULL;
}

StmFinding *
stm_finding_new_moment (const char *domain_id, const StmMoment *moment, const StmSurvey *survey)
{
  static const char *const checkpoint_choices[] = { "delete", NULL };
  static const char *const snapshot_choices[] = { "forget", NULL };
  gboolean is_checkpoint = moment->kind == STM_MOMENT_CHECKPOINT;
  const char *kind = is_checkpoint ? "checkpoint-broken" : "snapshot-broken";
  g_autofree char *text = is_checkpoint ? describe_checkpoint (moment)
                                        : describe_snapshot (moment, survey);
  g_autofree char *key = NULL;
  g_autofree char *id = NULL;

  if (text == NULL)
    return NULL;
  key = g_strconcat (kind, "|", moment->id, NULL);
  id = g_compute_checksum_for_string (G_CHECKSUM_SHA256, key, -1);
  return finding_new (
      &(StmFinding){ .id = id,
                     .domain_id = domain_id,
                     .moment_id = moment->id,
                     .kind = kind,
                     .text = text,
                     .choices = is_checkpoint ? checkpoint_choices : snapshot_choices });
}

StmFinding *
stm_finding_new_more (const char *domain_id, const char *kind, guint number)
{
  /* What there is to choose, the findings that are listed say. */
  static const char *const choices[] = { NULL };
  g_autofree char *text = g_strdup_printf ("%u more findings of this kind are not listed: settle "
                                           "those that are, and check again",
                                           number);
  g_autofree char *key = g_strconcat ("more|", kind, "|", domain_id, NULL);
  g_autofree char *id = g_compute_checksum_for_string (G_CHECKSUM_SHA256, key, -1);

  return finding_new (&(StmFinding){
      .id = id, .domain_id = domain_id, .kind = kind, .text = text, .choices = choices });
}

/* Whether a finding speaks of the domain as a whole, not of what it could do without. */
static gboolean
concerns_domain (const StmFinding *finding, const char *domain_id)
{
  return g_strcmp0 (finding->domain_id, domain_id) == 0
         && !g_str_equal (finding->kind, "orphan-file")
         && !g_str_equal (finding->kind, "checkpoint-broken")
         && !g_str_equal (finding->kind, "snapshot-broken");
}

StmHealth
stm_findings_health_of (GPtrArray *findings, const char *domain_id)
{
  StmHealth health = STM_HEALTH_OK;

  for (guint i = 0; i < findings->len; i++)
    {
      const StmFinding *finding = g_ptr_array_index (findings, i);

      if (!concerns_domain (finding, domain_id))
        continue;
      if (g_str_equal (finding->kind, "image-missing"))
        return STM_HEALTH_MISSING;
      health = STM_HEALTH_INCONSISTENT;
    }
  return health;
}
