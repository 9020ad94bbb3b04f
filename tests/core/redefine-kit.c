/* Makes documents, plays a driver, and runs a redefinition through its acts as the service does.
 *
 * Used by the tests of redefinition; single-threaded.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "redefine-kit.h"

#include "stemma-error.h"
#include "stm-id.h"
#include "stm-invariants.h"

#define PLAN_ID "e0000000000000000000000000000001"

struct _KitDriver
{
  GObject parent_instance;

  GHashTable *facts; /* path -> StmFacts */
  guint n_walks;
};

static void kit_driver_iface_init (StmDriverInterface *iface);

G_DEFINE_FINAL_TYPE_WITH_CODE (KitDriver, kit_driver, G_TYPE_OBJECT,
                               G_IMPLEMENT_INTERFACE (STM_TYPE_DRIVER, kit_driver_iface_init))

/* --- documents --- */

char *
kit_domain (const char *source, const char *format, const char *extra)
{
  return g_strdup_printf (
      "<domain type='kvm'><name>alpha</name><uuid>" KIT_UUID "</uuid>"
      "<memory unit='KiB'>1048576</memory><vcpu>2</vcpu>"
      "<os><type arch='x86_64' machine='pc-q35-7.2'>hvm</type></os>%s"
      "<devices><disk type='file' device='disk'><driver name='qemu' type='%s'/>"
      "<source file='%s'/><target dev='vda' bus='virtio'/></disk></devices></domain>",
      extra != NULL ? extra : "", format, source);
}

static void
add (GString *document, const char *format, const char *value)
{
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
  if (value != NULL)
    g_string_append_printf (document, format, value);
#pragma GCC diagnostic pop
}

char *
kit_snapshot (const char *name, const char *parent, const char *state, const char *disks,
              const char *domain)
{
  GString *document = g_string_new ("<domainsnapshot>");

  add (document, "<name>%s</name>", name);
  add (document, "<state>%s</state>", state);
  g_string_append (document, "<creationTime>1700000000</creationTime>");
  add (document, "<parent><name>%s</name></parent>", parent);
  add (document, "<disks>%s</disks>", disks);
  add (document, "%s", domain);
  g_string_append (document, "</domainsnapshot>");

  return g_string_free (document, FALSE);
}

char *
kit_checkpoint (const char *name, const char *parent, const char *disks, const char *domain)
{
  GString *document = g_string_new ("<domaincheckpoint>");

  add (document, "<name>%s</name>", name);
  g_string_append (document, "<creationTime>1700000000</creationTime>");
  add (document, "<parent><name>%s</name></parent>", parent);
  add (document, "<disks>%s</disks>", disks);
  add (document, "%s", domain);
  g_string_append (document, "</domaincheckpoint>");

  return g_string_free (document, FALSE);
}

/* --- the driver --- */

KitDriver *
kit_driver_new (void)
{
  return g_object_new (KIT_TYPE_DRIVER, NULL);
}

void
kit_driver_add (KitDriver *self, const char *path, const char *format, const char *backing)
{
  StmFacts *facts = stm_facts_new (path);

  facts->format = g_strdup (format);
  facts->backing = g_strdup (backing);
  facts->backing_format = g_strdup (backing != NULL ? "qcow2" : NULL);
  facts->capacity = 1024 * 1024;
  g_hash_table_replace (self->facts, facts->path, facts);
}

void
kit_driver_add_tag (KitDriver *self, const char *path, const char *tag)
{
  stm_facts_add_tag (g_hash_table_lookup (self->facts, path),
                     &(StmTagFacts){ .id = "1", .name = tag });
}

void
kit_driver_add_bitmap (KitDriver *self, const char *path, const char *bitmap, gboolean is_broken)
{
  stm_facts_add_bitmap (
      g_hash_table_lookup (self->facts, path),
      &(StmBitmapFacts){
          .name = bitmap, .granularity = 65536, .is_recording = TRUE, .is_broken = is_broken });
}

guint
kit_driver_n_walks (const KitDriver *self)
{
  return self->n_walks;
}

static GPtrArray *
walk_chain (StmDriver *driver, const StmChainRequest *request, GCancellable *cancellable,
            GError **error)
{
  KitDriver *self = KIT_DRIVER (driver);
  g_autoptr (GPtrArray) chain = g_ptr_array_new_with_free_func ((GDestroyNotify) stm_image_unref);

  self->n_walks++;
  for (const char *path = request->declared[0].path; path != NULL;)
    {
      const StmFacts *facts = g_hash_table_lookup (self->facts, path);

      if (facts == NULL)
        {
          g_set_error (error, STEMMA_ERROR, STEMMA_ERROR_NOT_FOUND, "there is no file %s", path);
          return NULL;
        }
      if (chain->len >= request->n_declared
          && !stm_path_policy_check (request->policy, path, error))
        return NULL;
      g_ptr_array_add (chain, stm_image_new (&(StmImage){ .path = path,
                                                          .target = request->target,
                                                          .index = chain->len + 1,
                                                          .format = facts->format,
                                                          .backing = facts->backing,
                                                          .origin = STM_IMAGE_BACKING,
                                                          .capacity = facts->capacity }));
      path = facts->backing;
    }

  return g_steal_pointer (&chain);
}

static StmFacts *
copy_facts (const StmFacts *facts)
{
  StmFacts *copy = stm_facts_new (facts->path);

  copy->format = g_strdup (facts->format);
  copy->backing = g_strdup (facts->backing);
  copy->backing_format = g_strdup (facts->backing_format);
  copy->capacity = facts->capacity;
  for (guint i = 0; i < facts->tags->len; i++)
    stm_facts_add_tag (copy, facts->tags->pdata[i]);
  for (guint i = 0; i < facts->bitmaps->len; i++)
    stm_facts_add_bitmap (copy, facts->bitmaps->pdata[i]);

  return copy;
}

static StmSurvey *
survey (StmDriver *driver, const StmSurveyRequest *request, GCancellable *cancellable,
        GError **error)
{
  KitDriver *self = KIT_DRIVER (driver);
  StmSurvey *seen = stm_survey_new ();

  for (gsize i = 0; i < request->n_images; i++)
    {
      const char *path = request->images[i]->path;
      const StmFacts *facts = g_hash_table_lookup (self->facts, path);
      StmFacts *copy = facts != NULL ? copy_facts (facts) : stm_facts_new (path);

      if (facts == NULL)
        copy->problem = g_error_new (STEMMA_ERROR, STEMMA_ERROR_NOT_FOUND, "no file %s", path);
      stm_survey_take_facts (seen, copy);
    }

  return seen;
}

static void
kit_driver_finalize (GObject *object)
{
  g_hash_table_unref (KIT_DRIVER (object)->facts);
  G_OBJECT_CLASS (kit_driver_parent_class)->finalize (object);
}

static void
kit_driver_class_init (KitDriverClass *class)
{
  G_OBJECT_CLASS (class)->finalize = kit_driver_finalize;
}

static void
kit_driver_init (KitDriver *self)
{
  self->facts = g_hash_table_new_full (g_str_hash, g_str_equal, NULL,
                                       (GDestroyNotify) stm_facts_free);
}

static void
kit_driver_iface_init (StmDriverInterface *iface)
{
  iface->walk_chain = walk_chain;
  iface->survey = survey;
}

/* --- the acts --- */

void
kit_store_definition (GHashTable *stored, const char *text)
{
  g_hash_table_replace (stored, g_compute_checksum_for_string (G_CHECKSUM_SHA256, text, -1),
                        g_strdup (text));
}

static void
hand_over_definitions (StmRedefinition *self, GHashTable *stored)
{
  g_autoptr (GPtrArray) hashes = stm_redefinition_list_definitions (self);

  for (guint i = 0; hashes != NULL && stored != NULL && i < hashes->len; i++)
    {
      const char *text = g_hash_table_lookup (stored, hashes->pdata[i]);

      if (text != NULL)
        stm_redefinition_take_definition (self, hashes->pdata[i], text);
    }
}

static StmPlan *
plan (StmRedefinition *self, const StmModel *model, KitDriver *driver, GHashTable *stored,
      GError **error)
{
  g_autoptr (GPtrArray) images = NULL;
  g_autoptr (StmSurvey) seen = NULL;
  g_autoptr (StmPathPolicy) policy = stm_model_path_policy (model, KIT_DOMAIN, NULL);

  if (!stm_redefinition_prepare (self, model, KIT_DOMAIN, &images, error))
    return NULL;
  hand_over_definitions (self, stored);
  if (images != NULL)
    seen = stm_driver_survey (STM_DRIVER (driver),
                              &(StmSurveyRequest){ .images = (gconstpointer) images->pdata,
                                                   .n_images = images->len,
                                                   .policy = policy },
                              NULL, error);
  if (stm_redefinition_needs_look (self)
      && !stm_redefinition_look (self, STM_DRIVER (driver), policy, NULL, error))
    return NULL;

  return stm_redefinition_plan (self, model, seen, &(StmPlanContext){ .plan_id = PLAN_ID }, error);
}

GError *
kit_redefine (StmModel *model, const StmRedefineRequest *request, const char *const *documents,
              KitDriver *driver, GHashTable *stored)
{
  StmRedefineRequest with_documents = *request;
  g_autoptr (StmRedefinition) self = NULL;
  g_autoptr (StmPlan) planned = NULL;
  GError *error = NULL;

  with_documents.documents = documents;
  self = stm_redefinition_new (&with_documents);
  for (guint i = 0; documents[i] != NULL; i++)
    if (!stm_redefinition_add (self, documents[i], &error))
      return error;
  planned = plan (self, model, driver, stored, &error);
  if (planned == NULL)
    {
      g_assert_nonnull (error);
      return error;
    }
  stm_model_check (model, planned->finish, &error);
  g_assert_no_error (error);
  g_assert_cmpuint (planned->steps->len, ==, 0);
  stm_model_apply (model, planned->finish);
  stm_model_validate (model, &error);
  g_assert_no_error (error);

  return NULL;
}

GError *
kit_redefine_one (StmModel *model, StmMomentKind kind, const char *document)
{
  const char *const documents[] = { document, NULL };

  return kit_redefine (model, &(StmRedefineRequest){ .kind = kind, .fd = -1 }, documents, NULL,
                       NULL);
}

const StmMoment *
kit_find (const StmModel *model, StmMomentKind kind, const char *name)
{
  return stm_tree_find (stm_model_tree (model, KIT_DOMAIN, kind), name);
}

static int
compare_names (gconstpointer a, gconstpointer b)
{
  return g_strcmp0 ((*(StmMoment *const *) a)->name, (*(StmMoment *const *) b)->name);
}

/* Trees of tests are shallow. */
static void
show (const StmTree *tree, const char *id, GString *text)
{
  g_autoptr (GPtrArray) children = g_ptr_array_new ();
  const StmMoment *child = stm_tree_first_child (tree, id);

  for (; child != NULL; child = stm_tree_next_sibling (tree, child->id))
    g_ptr_array_add (children, (StmMoment *) child);
  g_ptr_array_sort (children, compare_names);
  for (guint i = 0; i < children->len; i++)
    {
      child = children->pdata[i];
      g_string_append_printf (text, "%s%s%s", i > 0 ? " " : "", child->name,
                              g_strcmp0 (stm_tree_current (tree), child->id) == 0 ? "*" : "");
      if (stm_tree_n_children (tree, child->id) == 0)
        continue;
      g_string_append_c (text, '(');
      show (tree, child->id, text);
      g_string_append_c (text, ')');
    }
}

char *
kit_tree (const StmModel *model, StmMomentKind kind)
{
  GString *text = g_string_new (NULL);

  show (stm_model_tree (model, KIT_DOMAIN, kind), NULL, text);
  return g_string_free (text, FALSE);
}
