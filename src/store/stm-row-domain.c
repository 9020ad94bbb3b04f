/* Collects what belongs to one domain and makes one change of it.
 *
 * Pure; filled by stm-row-reader, row by row. Does not know the database.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "stm-row-domain.h"

#include "stm-row-forest.h"

void
stm_domain_rows_free (StmDomainRows *self)
{
  g_free (self->id);
  g_free (self->name);
  g_free (self->title);
  g_free (self->description);
  g_free (self->definition);
  g_array_unref (self->disks);
  g_ptr_array_unref (self->roots);
  g_ptr_array_unref (self->moments);
  g_ptr_array_unref (self->images);
  g_free (self->current);
  g_string_chunk_free (self->texts);
  g_free (self);
}

StmDomainRows *
stm_domain_rows_new (void)
{
  StmDomainRows *self = g_new0 (StmDomainRows, 1);

  self->disks = g_array_new (/* zero_terminated= */ FALSE, /* clear= */ TRUE, sizeof (StmDisk));
  self->roots = g_ptr_array_new ();
  self->moments = g_ptr_array_new_with_free_func ((GDestroyNotify) stm_moment_row_free);
  self->images = g_ptr_array_new_with_free_func ((GDestroyNotify) stm_image_unref);
  self->texts = g_string_chunk_new (1024);
  return self;
}

const char *
stm_domain_rows_keep (StmDomainRows *self, const char *text)
{
  return text == NULL ? NULL : g_string_chunk_insert (self->texts, text);
}

static StmDomain *
build_domain (StmDomainRows *self, GError **error)
{
  StmDomain domain = { 0 };

  g_ptr_array_add (self->roots, NULL);
  domain.id = self->id;
  domain.name = self->name;
  domain.title = self->title;
  domain.description = self->description;
  domain.definition = self->definition;
  domain.disks = (const StmDisk *) (gconstpointer) self->disks->data;
  domain.n_disks = self->disks->len;
  domain.roots = (const char *const *) self->roots->pdata;

  return stm_domain_is_sound (&domain, error) ? stm_domain_new (&domain) : NULL;
}

static void
set_current (const StmDomainRows *self, StmChange *change, StmProblems *problems)
{
  if (self->current == NULL)
    return;

  for (guint i = 0; i < change->put_moments->len; i++)
    {
      const StmMoment *moment = g_ptr_array_index (change->put_moments, i);

      if (moment->kind == STM_MOMENT_SNAPSHOT && g_str_equal (moment->id, self->current))
        {
          stm_change_set_current (change, self->current);
          return;
        }
    }
  stm_problems_add (problems, "the current snapshot of domain \"%s\" is not there", self->name);
}

StmChange *
stm_domain_rows_to_change (StmDomainRows *self, guint64 service_generation, StmProblems *problems,
                           GError **error)
{
  g_autoptr (StmDomain) domain = build_domain (self, error);

  if (domain == NULL)
    return NULL;

  g_autoptr (GPtrArray) moments = stm_row_forest_order (self->moments, problems);
  StmChange *change = stm_change_new (domain->id);

  stm_change_set_domain (change, domain);
  for (guint i = 0; i < moments->len; i++)
    stm_change_put_moment (change, g_ptr_array_index (moments, i));
  for (guint i = 0; i < self->images->len; i++)
    stm_change_put_image (change, g_ptr_array_index (self->images, i));
  set_current (self, change, problems);
  change->generation = self->generation;
  change->service_generation = service_generation;

  return change;
}
