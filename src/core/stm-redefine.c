/* StmRedefinition: takes documents in, and has the other parts find out about them.
 *
 * Used by the operation of that name; which act runs where is said in the header. Knows no file:
 * the look goes through the driver.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "stm-redefine.h"

#include "stemma-error.h"
#include "stm-abi.h"
#include "stm-id.h"
#include "stm-moment-edit.h"
#include "stm-planner-shared.h"
#include "stm-redefine-private.h"
#include "stm-xml.h"

#include <string.h>

/* What the documents of a call may take in memory: texts of definitions, each once, and the rest.
 */
#define MAX_HELD_BYTES ((gsize) 512 * 1024 * 1024)

static void
free_redefined (gpointer data)
{
  StmRedefined *redefined = data;

  stm_moment_document_free (redefined->document);
  g_clear_pointer ((StmMoment **) &redefined->existing, stm_moment_unref);
  g_clear_pointer (&redefined->disks, g_array_unref);
  g_free (redefined->id);
  g_free (redefined);
}

static void
free_looked (gpointer data)
{
  StmLookedImage *looked = data;

  stm_image_unref (looked->image);
  g_clear_error (&looked->error);
  g_free (looked);
}

static gboolean
is_bulk (const StmRedefineRequest *request)
{
  return request->fd >= 0
         || (request->documents != NULL && g_strv_length ((GStrv) request->documents) > 1);
}

StmRedefinition *
stm_redefinition_new (const StmRedefineRequest *request)
{
  StmRedefinition *self = g_new0 (StmRedefinition, 1);

  self->kind = request->kind;
  self->current = g_strdup (request->current);
  self->sets_current = request->sets_current;
  self->validates = request->validates;
  self->is_bulk = is_bulk (request);
  self->spellings = stm_spellings_new ();
  self->documents = g_ptr_array_new_with_free_func (free_redefined);
  self->by_name = g_hash_table_new (g_str_hash, g_str_equal);
  self->texts = g_hash_table_new_full (g_str_hash, g_str_equal, NULL,
                                       (GDestroyNotify) stm_nested_domain_unref);
  self->definitions = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, g_free);
  self->compared = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
  self->unknown = g_hash_table_new (g_str_hash, g_str_equal);
  self->looked = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, free_looked);

  return self;
}

void
stm_redefinition_free (StmRedefinition *self)
{
  if (self == NULL)
    return;

  g_clear_pointer (&self->reader, stm_moment_reader_free);
  g_clear_pointer (&self->spellings, stm_spellings_free);
  g_hash_table_unref (self->by_name);
  g_hash_table_unref (self->unknown);
  g_ptr_array_unref (self->documents);
  g_hash_table_unref (self->texts);
  g_hash_table_unref (self->definitions);
  g_hash_table_unref (self->compared);
  g_hash_table_unref (self->looked);
  g_clear_pointer (&self->ids, g_ptr_array_unref);
  g_clear_pointer (&self->looked_survey, stm_survey_unref);
  stm_domain_unref (self->domain);
  g_free (self->current);
  g_free (self);
}

char *
stm_redefined_show_name (const StmRedefined *redefined)
{
  return stm_xml_clean_message (redefined->document->name);
}

gboolean
stm_redefined_prefix (const StmRedefinition *self, const StmRedefined *redefined, GError **error)
{
  const char *kind = stm_moment_kind_to_text (self->kind);
  g_autofree char *name = stm_redefined_show_name (redefined);

  if (!self->is_bulk && self->documents->len == 1)
    g_prefix_error (error, "%s '%s' cannot be redefined: ", kind, name);
  else
    g_prefix_error (error, "document %u, %s '%s', cannot be redefined: ", redefined->number, kind,
                    name);

  return FALSE;
}

StmRedefinedDisk *
stm_redefined_nth_disk (const StmRedefined *redefined, guint i)
{
  return &g_array_index (redefined->disks, StmRedefinedDisk, i);
}

const StmImage *
stm_redefine_get_record (const StmRedefinition *self, const char *path)
{
  return path != NULL ? stm_model_get_image (self->model, self->domain->id, path) : NULL;
}

/* --- filled --- */

/* libvirt's schema for the name of a checkpoint, so that what is printed validates. */
static gboolean
check_checkpoint_name (const char *name, GError **error)
{
  if (*name != '\0' && *name != '.' && strlen (name) <= 255
      && name[strspn (name, G_CSET_a_2_z G_CSET_A_2_Z G_CSET_DIGITS "_.-")] == '\0')
    return TRUE;

  g_set_error (error, STEMMA_ERROR, STEMMA_ERROR_INVALID_ARGUMENT,
               "the name of a checkpoint must be at most 255 of letters, digits, '_', '-' and '.', "
               "and not begin with a '.'");
  return FALSE;
}

static gboolean
check_document (const StmMomentDocument *document, GError **error)
{
  if (!stm_moment_document_check_redefine (document, error))
    return FALSE;

  return document->kind == STM_MOMENT_CHECKPOINT ? check_checkpoint_name (document->name, error)
                                                 : stm_moment_name_check (document->name, error);
}

static gsize
size_of (const char *text)
{
  return text != NULL ? strlen (text) : 0;
}

/* Counts what the document makes us hold, a definition once however many documents have it. */
static gboolean
hold_texts (StmRedefinition *self, const StmMomentDocument *document, GError **error)
{
  const StmNestedDomain *const nested[] = { document->domain, document->inactive };

  self->text_bytes += sizeof (StmRedefined) + sizeof *document + size_of (document->description)
                      + size_of (document->cookie) + size_of (document->memory_file);
  if (document->disks != NULL)
    self->text_bytes += document->disks->len * (sizeof (StmDocumentDisk) + 128);
  for (gsize i = 0; i < G_N_ELEMENTS (nested); i++)
    {
      if (nested[i] == NULL || nested[i]->text == NULL
          || g_hash_table_contains (self->texts, nested[i]->hash))
        continue;
      g_hash_table_insert (self->texts, (char *) nested[i]->hash,
                           stm_nested_domain_ref (nested[i]));
      /* The text, and the view of it. */
      self->text_bytes += 2 * size_of (nested[i]->text);
    }
  if (self->text_bytes <= MAX_HELD_BYTES)
    return TRUE;

  g_set_error (error, STEMMA_ERROR, STEMMA_ERROR_TOO_LARGE,
               "the documents up to number %u take more than %" G_GSIZE_FORMAT
               " MiB of memory: redefine them in several calls, parents first",
               self->documents->len, MAX_HELD_BYTES / 1024 / 1024);
  return FALSE;
}

gboolean
stm_redefinition_add (StmRedefinition *self, const char *text, GError **error)
{
  if (self->reader == NULL)
    self->reader = stm_moment_reader_new ();
  return stm_redefinition_add_with (self, self->reader, text, error);
}

gboolean
stm_redefinition_add_with (StmRedefinition *self, StmMomentReader *reader, const char *text,
                           GError **error)
{
  if (self->documents->len >= STM_MAX_MOMENTS)
    {
      g_set_error (error, STEMMA_ERROR, STEMMA_ERROR_TOO_MANY,
                   "more than %d documents in a call: redefine them in several calls",
                   STM_MAX_MOMENTS);
      return FALSE;
    }

  StmMomentDocument *document = stm_moment_reader_read (reader, text, self->kind, error);
  if (document == NULL)
    {
      if (self->is_bulk || self->documents->len > 0)
        g_prefix_error (error, "document %u: ", self->documents->len + 1);
      return FALSE;
    }

  StmRedefined *redefined = g_new0 (StmRedefined, 1);
  redefined->document = document;
  redefined->number = self->documents->len + 1;
  redefined->parent_place = -1;
  redefined->id = stm_id_new ();
  g_ptr_array_add (self->documents, redefined);
  if (!check_document (document, error))
    return stm_redefined_prefix (self, redefined, error);

  const StmRedefined *other = g_hash_table_lookup (self->by_name, document->name);
  if (other != NULL)
    {
      g_set_error (error, STEMMA_ERROR, STEMMA_ERROR_INVALID_ARGUMENT,
                   "document %u has the same name: leave one of the two out", other->number);
      return stm_redefined_prefix (self, redefined, error);
    }
  g_hash_table_insert (self->by_name, document->name, redefined);

  return hold_texts (self, document, error);
}

/* --- prepared --- */

static void
list_ids (StmRedefinition *self)
{
  g_clear_pointer (&self->ids, g_ptr_array_unref);
  self->ids = g_ptr_array_sized_new (self->documents->len + 1);
  for (guint i = 0; i < self->documents->len; i++)
    g_ptr_array_add (self->ids, ((StmRedefined *) self->documents->pdata[i])->id);
  g_ptr_array_add (self->ids, NULL);
}

static gboolean
check_request (const StmRedefinition *self, GError **error)
{
  if (self->kind == STM_MOMENT_CHECKPOINT && (self->sets_current || self->current != NULL))
    {
      g_set_error (error, STEMMA_ERROR, STEMMA_ERROR_INVALID_ARGUMENT,
                   "no checkpoint is ever current: leave the option out");
      return FALSE;
    }
  if (self->sets_current && self->documents->len != 1)
    {
      g_set_error (error, STEMMA_ERROR, STEMMA_ERROR_INVALID_ARGUMENT,
                   "of %u documents the one whose snapshot becomes current must be named",
                   self->documents->len);
      return FALSE;
    }
  if (self->current == NULL || g_hash_table_contains (self->by_name, self->current)
      || stm_tree_find (stm_model_tree (self->model, self->domain->id, STM_MOMENT_SNAPSHOT),
                        self->current)
             != NULL)
    return TRUE;

  g_set_error (error, STEMMA_ERROR, STEMMA_ERROR_NOT_FOUND,
               "snapshot '%s' cannot become current: neither the documents nor domain '%s' have a "
               "snapshot of this name",
               self->current, self->domain->name);
  return FALSE;
}

static gboolean
align_all (StmRedefinition *self, GError **error)
{
  for (guint i = 0; i < self->documents->len; i++)
    {
      StmRedefined *redefined = self->documents->pdata[i];

      if (!stm_redefine_align (self, redefined, error))
        return stm_redefined_prefix (self, redefined, error);
    }

  return TRUE;
}

gboolean
stm_redefinition_prepare (StmRedefinition *self, const StmModel *model, const char *domain_id,
                          GPtrArray **out_images, GError **error)
{
  self->model = model;
  g_clear_pointer (&self->domain, stm_domain_unref);
  const StmDomain *domain = stm_planner_get_domain (model, domain_id, error);
  self->domain = domain != NULL ? stm_domain_ref (domain) : NULL;
  if (self->domain == NULL || !stm_redefine_find_moments (self, error)
      || !check_request (self, error) || !align_all (self, error))
    return FALSE;

  list_ids (self);
  stm_redefine_find_unknown (self);
  *out_images = self->validates ? stm_redefine_list_images (self) : NULL;

  return TRUE;
}

/* Whether the document's definition takes the place of another one. */
static gboolean
replaces_definition (const StmRedefined *redefined)
{
  const StmNestedDomain *given = redefined->document->domain;
  const StmMoment *existing = redefined->existing;

  return existing != NULL && existing->kind == STM_MOMENT_SNAPSHOT && existing->definition != NULL
         && given != NULL && given->text != NULL && strcmp (existing->definition, given->hash) != 0;
}

GPtrArray *
stm_redefinition_list_definitions (const StmRedefinition *self)
{
  g_autoptr (GPtrArray) hashes = g_ptr_array_new_with_free_func (g_free);
  g_autoptr (GHashTable) seen = g_hash_table_new (g_str_hash, g_str_equal);

  for (guint i = 0; i < self->documents->len; i++)
    {
      const StmRedefined *redefined = self->documents->pdata[i];

      if (replaces_definition (redefined)
          && g_hash_table_add (seen, (char *) redefined->existing->definition))
        g_ptr_array_add (hashes, g_strdup (redefined->existing->definition));
    }

  return hashes->len > 0 ? g_steal_pointer (&hashes) : NULL;
}

void
stm_redefinition_take_definition (StmRedefinition *self, const char *hash, const char *text)
{
  g_hash_table_replace (self->definitions, g_strdup (hash), g_strdup (text));
}

const char *const *
stm_redefinition_get_ids (const StmRedefinition *self)
{
  return self->ids != NULL ? (const char *const *) self->ids->pdata : NULL;
}

/* --- planned --- */

/* Many documents replace one definition by one other: each such pair is compared once. */
static gboolean
check_machine (StmRedefinition *self, const StmRedefined *redefined, GError **error)
{
  if (!replaces_definition (redefined))
    return TRUE;

  const StmNestedDomain *given = redefined->document->domain;
  const char *recorded = g_hash_table_lookup (self->definitions, redefined->existing->definition);
  g_autofree char *pair = g_strdup_printf ("%s %s", redefined->existing->definition, given->hash);

  if (recorded == NULL || g_hash_table_contains (self->compared, pair))
    return TRUE;
  if (!stm_abi_check (recorded, given->text, error))
    return FALSE;
  g_hash_table_add (self->compared, g_steal_pointer (&pair));

  return TRUE;
}

StmPlan *
stm_redefinition_plan (StmRedefinition *self, const StmModel *model, const StmSurvey *survey,
                       const StmPlanContext *context, GError **error)
{
  g_autoptr (StmPlan)
      plan = stm_plan_new (STM_OPERATION_REDEFINE, context->plan_id, self->domain->id);

  g_return_val_if_fail (self->model == model && self->ids != NULL, NULL);

  if (!stm_redefine_settle_images (self, plan->finish, error))
    return NULL;
  for (guint i = 0; i < self->documents->len; i++)
    {
      StmRedefined *redefined = self->documents->pdata[i];

      if (!check_machine (self, redefined, error)
          || (self->validates && !stm_redefine_validate (self, redefined, survey, error)))
        {
          stm_redefined_prefix (self, redefined, error);
          return NULL;
        }
      stm_redefine_put_moment (self, redefined, plan->finish);
    }
  stm_redefine_put_current (self, plan->finish);
  if (self->documents->len == 1)
    plan->object_id = g_strdup (self->ids->pdata[0]);

  return g_steal_pointer (&plan);
}
