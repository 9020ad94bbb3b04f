/* The change that redefined moments are: what was found out of each, as a value for the model.
 *
 * Part of StmRedefinition, main loop, pure.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "stm-redefine-private.h"

static StmHealth
health_of (const StmRedefined *redefined)
{
  StmHealth health = STM_HEALTH_OK;

  for (guint i = 0; i < redefined->disks->len; i++)
    {
      StmHealth of_disk = g_array_index (redefined->disks, StmRedefinedDisk, i).health;

      if (of_disk == STM_HEALTH_MISSING)
        return of_disk;
      if (of_disk != STM_HEALTH_OK)
        health = of_disk;
    }

  return health;
}

static GArray *
moment_disks (const StmRedefined *redefined)
{
  GArray *disks = g_array_sized_new (FALSE, TRUE, sizeof (StmMomentDisk), redefined->disks->len);

  for (guint i = 0; i < redefined->disks->len; i++)
    {
      const StmRedefinedDisk *from = &g_array_index (redefined->disks, StmRedefinedDisk, i);
      StmMomentDisk disk = { .target = from->target,
                             .mode = from->mode,
                             .frozen = from->frozen,
                             .overlay = from->overlay,
                             .format = from->mode != STM_MODE_NONE ? from->format : NULL,
                             .tag = from->tag,
                             .bitmap = from->bitmap };

      g_array_append_val (disks, disk);
    }

  return disks;
}

/* The hash of a text that is stored with the change, unless `known` shows that it is there. */
static const char *
add_nested (StmChange *change, const StmNestedDomain *nested, const char *known)
{
  if (g_strcmp0 (nested->hash, known) != 0)
    stm_change_add_text (change, nested->hash, nested->text);

  return nested->hash;
}

/* What is left out together with <domain> stays as it is recorded. */
static void
put_texts (const StmRedefinition *self, const StmRedefined *redefined, StmMoment *init,
           StmChange *change)
{
  const StmMomentDocument *document = redefined->document;
  const StmMoment *existing = redefined->existing;

  if (document->domain != NULL && document->domain->text != NULL)
    init->definition = add_nested (change, document->domain, self->domain->definition);
  else if (existing != NULL)
    {
      init->definition = existing->definition;
      init->inactive = existing->inactive;
    }
  if (document->inactive != NULL && document->inactive->text != NULL)
    init->inactive = add_nested (change, document->inactive, self->domain->definition);
}

void
stm_redefine_put_moment (const StmRedefinition *self, const StmRedefined *redefined,
                         StmChange *change)
{
  const StmMomentDocument *document = redefined->document;
  g_autoptr (GArray) disks = moment_disks (redefined);
  g_autofree char *cookie = NULL;
  StmMoment init = {
    .kind = self->kind,
    .id = redefined->id,
    .name = document->name,
    .parent = redefined->parent,
    .description = document->description,
    .created = document->created,
    .state = self->kind == STM_MOMENT_SNAPSHOT ? document->state : STM_STATE_SHUTOFF,
    .health = health_of (redefined),
    .memory = stm_moment_document_memory (document),
    .memory_file = document->memory_file,
    .disks = (gconstpointer) disks->data,
    .n_disks = disks->len,
  };

  put_texts (self, redefined, &init, change);
  if (document->cookie != NULL)
    {
      cookie = g_compute_checksum_for_string (G_CHECKSUM_SHA256, document->cookie, -1);
      stm_change_add_text (change, cookie, document->cookie);
      init.cookie = cookie;
    }

  g_autoptr (StmMoment) moment = stm_moment_new (&init);
  stm_change_put_moment (change, moment);
}

void
stm_redefine_put_current (const StmRedefinition *self, StmChange *change)
{
  const StmTree *tree = stm_model_tree (self->model, self->domain->id, STM_MOMENT_SNAPSHOT);
  const char *id = NULL;

  if (self->sets_current)
    id = self->ids->pdata[0];
  else if (self->current != NULL)
    {
      const StmRedefined *redefined = g_hash_table_lookup (self->by_name, self->current);

      id = redefined != NULL ? redefined->id : stm_tree_find (tree, self->current)->id;
    }
  if (id != NULL && g_strcmp0 (id, stm_tree_current (tree)) != 0)
    stm_change_set_current (change, id);
}
