/* Decides which disks a new snapshot takes, by the request and the definition alone.
 *
 * By default all writable disks with a medium are taken. One of them that cannot be taken is not
 * left out silently: a machine put back without it would not be the machine of the snapshot.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "stm-create-disks.h"

#include "stemma-error.h"

typedef struct
{
  const StmDomain *domain;
  StmDiskMode mode; /* of the disks of which the request says no more */
  StmPick *picks;   /* one for each disk; mode NONE for those that are left out */
} Picking;

static void
picking_clear (Picking *self)
{
  g_free (self->picks);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Picking, picking_clear)

static const char *
why_disk_cannot (const StmPick *pick)
{
  switch (pick->disk->kind)
    {
    case STM_SOURCE_NONE:
      return "it has no medium";
    case STM_SOURCE_BLOCK:
      if (pick->mode == STM_MODE_INTERNAL)
        break;
      return "it is a block device, which has no directory for an overlay";
    case STM_SOURCE_OTHER:
      return "its source is neither a file nor a block device";
    case STM_SOURCE_FILE:
      break;
    }

  return pick->disk->is_read_only ? "it is read-only and does not change" : NULL;
}

static gboolean
check_pick (const StmPick *pick, GError **error)
{
  const char *why = why_disk_cannot (pick);

  if (why != NULL)
    {
      g_set_error (error, STEMMA_ERROR, STEMMA_ERROR_NOT_SUPPORTED,
                   "no snapshot can be taken of disk '%s': %s; name the disks to take with the "
                   "option 'disks' and leave it out",
                   pick->disk->target, why);
      return FALSE;
    }
  if (pick->mode == STM_MODE_INTERNAL && !g_str_equal (pick->disk->format, "qcow2"))
    {
      g_set_error (error, STEMMA_ERROR, STEMMA_ERROR_NOT_SUPPORTED,
                   "no internal snapshot can be taken of disk '%s': its image is %s, and only "
                   "qcow2 holds snapshots; take an external one of it",
                   pick->disk->target, pick->disk->format);
      return FALSE;
    }

  return TRUE;
}

static StmPick *
find_pick (const Picking *self, const char *target, GError **error)
{
  const StmDisk *disk = stm_domain_find_disk (self->domain, target);

  if (disk != NULL)
    return &self->picks[disk - self->domain->disks];

  g_set_error (error, STEMMA_ERROR, STEMMA_ERROR_NOT_FOUND, "domain '%s' has no disk '%s'",
               self->domain->name, target);
  return NULL;
}

static gboolean
refuse_twice (const char *target, GError **error)
{
  g_set_error (error, STEMMA_ERROR, STEMMA_ERROR_INVALID_ARGUMENT, "disk '%s' is named twice",
               target);
  return FALSE;
}

static void
take_default (Picking *self)
{
  for (gsize i = 0; i < self->domain->n_disks; i++)
    {
      const StmDisk *disk = &self->domain->disks[i];

      if (!disk->is_excluded && !disk->is_read_only && disk->kind != STM_SOURCE_NONE)
        self->picks[i].mode = self->mode;
    }
}

static gboolean
take_named (Picking *self, const char *const *targets, GError **error)
{
  for (gsize i = 0; targets[i] != NULL; i++)
    {
      StmPick *pick = find_pick (self, targets[i], error);

      if (pick == NULL)
        return FALSE;
      if (pick->mode != STM_MODE_NONE)
        return refuse_twice (targets[i], error);
      pick->mode = self->mode;
    }

  return TRUE;
}

static gboolean
take_chosen (Picking *self, const StmDiskChoice *choices, gsize n_choices, GError **error)
{
  g_autoptr (GHashTable) seen = g_hash_table_new (NULL, NULL);

  for (gsize i = 0; i < n_choices; i++)
    {
      StmPick *pick = find_pick (self, choices[i].target, error);

      if (pick == NULL)
        return FALSE;
      if (!g_hash_table_add (seen, pick))
        return refuse_twice (choices[i].target, error);
      pick->mode = choices[i].mode;
      pick->file = choices[i].mode == STM_MODE_EXTERNAL ? choices[i].file : NULL;
    }

  return TRUE;
}

/* Those that are taken, when all of them can be. */
static GArray *
gather (const Picking *self, GError **error)
{
  g_autoptr (GArray) taken = g_array_new (FALSE, FALSE, sizeof (StmPick));

  for (gsize i = 0; i < self->domain->n_disks; i++)
    {
      const StmPick *pick = &self->picks[i];

      if (pick->mode == STM_MODE_NONE)
        continue;
      if (!check_pick (pick, error))
        return NULL;
      g_array_append_val (taken, *pick);
    }
  if (taken->len > 0)
    return g_steal_pointer (&taken);

  g_set_error (error, STEMMA_ERROR, STEMMA_ERROR_NOT_SUPPORTED,
               "domain '%s' has no disk to take a snapshot of: name a writable disk with a medium "
               "in a file",
               self->domain->name);
  return NULL;
}

GArray *
stm_create_pick_disks (const StmDomain *domain, const StmCreateRequest *request, GError **error)
{
  g_auto (Picking)
      self = { .domain = domain,
               .mode = request->mode == STM_MODE_INTERNAL ? STM_MODE_INTERNAL : STM_MODE_EXTERNAL,
               .picks = g_new0 (StmPick, domain->n_disks) };

  for (gsize i = 0; i < domain->n_disks; i++)
    self.picks[i].disk = &domain->disks[i];
  if (request->disks == NULL)
    take_default (&self);
  else if (!take_named (&self, request->disks, error))
    return NULL;

  return take_chosen (&self, request->choices, request->n_choices, error) ? gather (&self, error)
                                                                          : NULL;
}
