/* Defines a domain from libvirt's XML, or updates the one of the same uuid: the chains of its disks
 * are walked on a worker and recorded; what other domains hold is refused in stm-chain-check.c. The
 * document's reading stands in core/stm-domain-xml.c, the walk in the driver.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "stm-op-private.h"

#include "stemma-error.h"
#include "stm-chain-check.h"
#include "stm-domain-xml.h"
#include "stm-id.h"

#include <string.h>

#define STM_TYPE_OP_DEFINE stm_op_define_get_type ()
G_DECLARE_FINAL_TYPE (StmOpDefine, stm_op_define, STM, OP_DEFINE, StmOp)

struct _StmOpDefine
{
  StmOp parent_instance;

  StmDomainXml *xml;
  char *text; /* with the uuid */
  char *hash;
  GPtrArray *chains; /* per disk of xml: GPtrArray of StmImage, or NULL without an image */
};

G_DEFINE_FINAL_TYPE (StmOpDefine, stm_op_define, STM_TYPE_OP)

/* What the plan is being built from; on the stack of plan(). */
typedef struct
{
  StmOpDefine *op;
  const StmModel *model;
  const StmDomain *present; /* NULL for a new domain */
  gboolean has_moments;
  StmChange *change;
  GArray *disks;    /* of StmDisk, strings borrowed */
  GPtrArray *roots; /* strings */
} Draft;

static gboolean
has_moments (const StmModel *model, const char *domain_id)
{
  for (guint kind = 0; kind < STM_N_MOMENT_KINDS; kind++)
    {
      const StmTree *tree = stm_model_tree (model, domain_id, kind);

      if (tree != NULL && stm_tree_count (tree) > 0)
        return TRUE;
    }
  return FALSE;
}

static gboolean
prepare (StmOp *op, const StmModel *model, GPtrArray **out_images, GError **error)
{
  StmOpDefine *self = STM_OP_DEFINE (op);
  const char *id = stm_op_get_domain_id (op);
  const StmDomain *present = stm_model_get_domain (model, id);
  const StmDomain *named = stm_model_find_domain (model, self->xml->name);

  if (named != NULL && !g_str_equal (named->id, id) && g_str_equal (named->name, self->xml->name))
    {
      g_set_error (error, STEMMA_ERROR, STEMMA_ERROR_ALREADY_EXISTS,
                   "a domain named '%s' exists with another uuid: choose another name or uuid",
                   self->xml->name);
      return FALSE;
    }
  if (present != NULL && !g_str_equal (present->name, self->xml->name))
    {
      g_set_error (error, STEMMA_ERROR, STEMMA_ERROR_ALREADY_EXISTS,
                   "the domain of this uuid is named '%s', not '%s': use Domain.Rename",
                   present->name, self->xml->name);
      return FALSE;
    }
  *out_images = NULL;
  return TRUE;
}

static GPtrArray *
walk (const StmXmlDisk *disk, StmDriver *driver, const StmPathPolicy *policy,
      GCancellable *cancellable, GError **error)
{
  g_autoptr (GArray) declared = g_array_new (FALSE, TRUE, sizeof (StmDeclaredImage));
  StmChainRequest request = { .target = disk->target,
                              .is_complete = disk->is_complete,
                              .is_block = disk->kind == STM_SOURCE_BLOCK,
                              .is_read_only = disk->is_read_only,
                              .policy = policy };

  for (guint i = 0; i < disk->declared->len; i++)
    {
      const StmXmlImage *image = g_ptr_array_index (disk->declared, i);
      StmDeclaredImage item = { .path = image->path, .format = image->format };

      g_array_append_val (declared, item);
    }
  request.declared = (gconstpointer) declared->data;
  request.n_declared = declared->len;
  return stm_driver_walk_chain (driver, &request, cancellable, error);
}

static void
unref_chain (gpointer chain)
{
  if (chain != NULL)
    g_ptr_array_unref (chain);
}

static gboolean
look (StmOp *op, StmDriver *driver, const StmPathPolicy *policy, GCancellable *cancellable,
      GError **error)
{
  StmOpDefine *self = STM_OP_DEFINE (op);

  g_clear_pointer (&self->chains, g_ptr_array_unref);
  self->chains = g_ptr_array_new_with_free_func (unref_chain);
  for (guint i = 0; i < self->xml->disks->len; i++)
    {
      const StmXmlDisk *disk = g_ptr_array_index (self->xml->disks, i);
      GPtrArray *chain = NULL;

      if (disk->kind == STM_SOURCE_FILE || disk->kind == STM_SOURCE_BLOCK)
        {
          chain = walk (disk, driver, policy, cancellable, error);
          if (chain == NULL)
            return FALSE;
        }
      g_ptr_array_add (self->chains, chain);
    }
  return TRUE;
}

/* Somebody may have flattened, rebased or grown an image since it was put on record. */
static gboolean
is_as_recorded (const Draft *draft, const GPtrArray *chain)
{
  const char *id = stm_op_get_domain_id (STM_OP (draft->op));

  for (guint i = 0; i < chain->len; i++)
    {
      const StmImage *image = g_ptr_array_index (chain, i);
      const StmImage *recorded = stm_model_get_image (draft->model, id, image->path);

      if (recorded == NULL || !g_str_equal (recorded->format, image->format)
          || g_strcmp0 (recorded->backing, image->backing) != 0
          || recorded->capacity != image->capacity)
        return FALSE;
    }
  return TRUE;
}

/* Whether what is recorded of this disk stays: it must when moments stand on it. Without them, what
 * the headers say now is put on record, where it differs. */
static gboolean
keeps_record (const Draft *draft, const StmDisk *present, GPtrArray *chain, gboolean *out_keeps,
              GError **error)
{
  const StmImage *active = chain != NULL ? g_ptr_array_index (chain, 0) : NULL;
  gboolean is_same = active != NULL && g_strcmp0 (present->source, active->path) == 0
                     && g_strcmp0 (present->format, active->format) == 0;

  *out_keeps = is_same && (draft->has_moments || is_as_recorded (draft, chain));
  if (is_same || present->source == NULL || !draft->has_moments)
    return TRUE;
  g_set_error (
      error, STEMMA_ERROR, STEMMA_ERROR_HAS_MOMENTS,
      "disk '%s' has the image '%s' (%s), on which snapshots stand: keep it (Domain.GetXML "
      "shows it), or delete or forget the snapshots first",
      present->target, present->source, present->format);
  return FALSE;
}

static void
drop_record (Draft *draft, const char *target)
{
  g_autoptr (GPtrArray)
      images = stm_model_images (draft->model, stm_op_get_domain_id (STM_OP (draft->op)));

  for (guint i = 0; i < images->len; i++)
    {
      const StmImage *image = g_ptr_array_index (images, i);

      if (g_str_equal (image->target, target))
        stm_change_remove_image (draft->change, image->path);
    }
}

static void
record_chain (Draft *draft, StmDisk *disk, GPtrArray *chain)
{
  for (guint i = 0; i < chain->len; i++)
    {
      StmImage init = *(const StmImage *) g_ptr_array_index (chain, i);
      g_autoptr (StmImage) image = NULL;

      init.index = disk->next_index++;
      init.origin = i == 0 && !disk->is_read_only ? STM_IMAGE_DISK : STM_IMAGE_BACKING;
      image = stm_image_new (&init);
      stm_change_put_image (draft->change, image);
    }
}

static void
add_root (Draft *draft, const StmDisk *disk)
{
  g_autofree char *root = NULL;

  if (disk->kind != STM_SOURCE_FILE || disk->is_read_only)
    return;
  root = g_path_get_dirname (disk->source);
  if (!g_ptr_array_find_with_equal_func (draft->roots, root, g_str_equal, NULL))
    g_ptr_array_add (draft->roots, g_steal_pointer (&root));
}

static GPtrArray *
find_chain (const StmOpDefine *self, const char *target)
{
  for (guint i = 0; i < self->xml->disks->len; i++)
    {
      const StmXmlDisk *disk = g_ptr_array_index (self->xml->disks, i);

      if (g_str_equal (disk->target, target))
        return g_ptr_array_index (self->chains, i);
    }
  return NULL;
}

/* Before anything is put on record: an image may go from one disk to another. */
static gboolean
drop_old_records (Draft *draft, GError **error)
{
  gboolean keeps = FALSE;

  for (gsize i = 0; draft->present != NULL && i < draft->present->n_disks; i++)
    {
      const StmDisk *present = &draft->present->disks[i];
      GPtrArray *chain = find_chain (draft->op, present->target);

      if (!keeps_record (draft, present, chain, &keeps, error))
        return FALSE;
      if (!keeps)
        drop_record (draft, present->target);
    }
  return TRUE;
}

static gboolean
check_chain (const Draft *draft, const StmXmlDisk *xml, const GPtrArray *chain, GError **error)
{
  StmChainCheck check = { .model = draft->model,
                          .domain_id = stm_op_get_domain_id (STM_OP (draft->op)),
                          .present = draft->present,
                          .has_moments = draft->has_moments,
                          .chains = draft->op->chains,
                          .disks = draft->disks };

  return stm_chain_check (&check, xml, chain, error);
}

static gboolean
add_disk (Draft *draft, const StmXmlDisk *xml, GPtrArray *chain, GError **error)
{
  const StmDisk *present = draft->present != NULL
                               ? stm_domain_find_disk (draft->present, xml->target)
                               : NULL;
  StmDisk disk = { .target = xml->target,
                   .kind = xml->kind,
                   .format = xml->format,
                   .is_read_only = xml->is_read_only,
                   .is_excluded = xml->is_excluded || xml->is_transient,
                   .next_index = present != NULL ? present->next_index : 1 };
  gboolean keeps = FALSE;

  if (chain != NULL && !check_chain (draft, xml, chain, error))
    return FALSE;
  if (present != NULL && !keeps_record (draft, present, chain, &keeps, error))
    return FALSE;
  if (chain != NULL)
    {
      const StmImage *active = g_ptr_array_index (chain, 0);

      disk.source = active->path;
      disk.format = active->format;
    }
  if (chain != NULL && !keeps)
    record_chain (draft, &disk, chain);
  add_root (draft, &disk);
  g_array_append_val (draft->disks, disk);
  return TRUE;
}

static gboolean
fill (Draft *draft, GError **error)
{
  StmOpDefine *self = draft->op;
  g_autoptr (StmDomain) domain = NULL;

  if (!drop_old_records (draft, error))
    return FALSE;
  for (guint i = 0; i < self->xml->disks->len; i++)
    {
      if (!add_disk (draft, g_ptr_array_index (self->xml->disks, i),
                     g_ptr_array_index (self->chains, i), error))
        return FALSE;
    }
  g_ptr_array_add (draft->roots, NULL);
  domain = stm_domain_new (&(StmDomain){ .id = stm_op_get_domain_id (STM_OP (self)),
                                         .name = self->xml->name,
                                         .title = self->xml->title,
                                         .description = self->xml->description,
                                         .definition = self->hash,
                                         .disks = (gconstpointer) draft->disks->data,
                                         .n_disks = draft->disks->len,
                                         .roots = (const char *const *) draft->roots->pdata });
  stm_change_set_domain (draft->change, domain);
  draft->change->definition_text = g_strdup (self->text);
  return TRUE;
}

static StmPlan *
plan (StmOp *op, const StmModel *model, const StmSurvey *survey, const StmPlanContext *context,
      GError **error)
{
  const char *id = stm_op_get_domain_id (op);
  g_autoptr (StmPlan) plan = stm_plan_new (STM_OPERATION_DEFINE, context->plan_id, id);
  g_autoptr (GArray) disks = g_array_new (FALSE, TRUE, sizeof (StmDisk));
  g_autoptr (GPtrArray) roots = g_ptr_array_new_with_free_func (g_free);
  Draft draft = { .op = STM_OP_DEFINE (op),
                  .model = model,
                  .present = stm_model_get_domain (model, id),
                  .has_moments = has_moments (model, id),
                  .change = plan->finish,
                  .disks = disks,
                  .roots = roots };

  if (!fill (&draft, error))
    return NULL;
  return g_steal_pointer (&plan);
}

StmOp *
stm_op_define_new (const char *xml, GError **error)
{
  g_autoptr (StmDomainXml) parsed = stm_domain_xml_parse (xml, error);
  g_autofree char *id = NULL;
  g_autofree char *uuid = NULL;
  g_autofree char *text = NULL;
  StmOpDefine *self;

  if (parsed == NULL)
    return NULL;
  id = parsed->uuid != NULL ? stm_id_from_uuid (parsed->uuid) : stm_id_new ();
  if (id == NULL)
    {
      g_set_error (error, STEMMA_ERROR, STEMMA_ERROR_INVALID_XML, "<uuid> is not a uuid");
      return NULL;
    }
  uuid = stm_id_to_uuid (id);
  text = stm_domain_xml_with_uuid (xml, uuid, error);
  if (text == NULL)
    return NULL;
  self = g_object_new (STM_TYPE_OP_DEFINE, NULL);
  stm_op_init_base (STM_OP (self), STM_OPERATION_DEFINE, id);
  self->xml = g_steal_pointer (&parsed);
  self->hash = g_compute_checksum_for_string (G_CHECKSUM_SHA256, text, -1);
  self->text = g_steal_pointer (&text);
  return STM_OP (self);
}

static void
stm_op_define_finalize (GObject *object)
{
  StmOpDefine *self = STM_OP_DEFINE (object);

  g_clear_pointer (&self->xml, stm_domain_xml_free);
  g_clear_pointer (&self->chains, g_ptr_array_unref);
  g_free (self->text);
  g_free (self->hash);
  G_OBJECT_CLASS (stm_op_define_parent_class)->finalize (object);
}

static void
stm_op_define_class_init (StmOpDefineClass *class)
{
  G_OBJECT_CLASS (class)->finalize = stm_op_define_finalize;
  STM_OP_CLASS (class)->prepare = prepare;
  STM_OP_CLASS (class)->look = look;
  STM_OP_CLASS (class)->plan = plan;
}

static void
stm_op_define_init (StmOpDefine *self)
{
}
