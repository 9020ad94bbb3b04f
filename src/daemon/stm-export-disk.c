/* One disk: its active image, its chain, who uses the images. Has no methods; the publisher sets
 * the properties. Main loop only; keeps no state of the model but the paths that it shows.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "stm-export-disk.h"

#include "stm-object-path.h"

/* An image that more objects have on record than this is shown with their number alone: with ten
 * thousand internal snapshots in one image each change would send all their paths. */
#define MAX_USERS_SHOWN 128

struct _StmExportDisk
{
  StemmaDiskSkeleton parent_instance;

  StmRegistry *registry;
  char *domain_id;
  char *target;
  GPtrArray *shown; /* char * */
  GArray *facts;    /* Fact: what Chain was made of */
  StmDomain *record;
};

/* What the row of an image is made of. */
typedef struct
{
  StmImage *image;
  guint64 allocation;
  gboolean is_crowded; /* who uses it is not shown */
} Fact;

G_DEFINE_FINAL_TYPE (StmExportDisk, stm_export_disk, STEMMA_TYPE_DISK_SKELETON)

StmExportDisk *
stm_export_disk_new (StmRegistry *registry, StmGate *gate, const char *domain_id,
                     const char *target)
{
  StmExportDisk *self = g_object_new (STM_TYPE_EXPORT_DISK, NULL);

  self->registry = g_object_ref (registry);
  self->domain_id = g_strdup (domain_id);
  self->target = g_strdup (target);
  stm_gate_attach (gate, G_DBUS_INTERFACE_SKELETON (self), /* describe= */ NULL);
  stm_export_disk_update (self);
  stm_export_disk_update_job (self);
  return self;
}

/* The objects that hold an image, without this disk itself. */
static GVariant *
users_of (StmExportDisk *self, const char *path)
{
  const StmModel *model = stm_registry_get_model (self->registry);
  g_autoptr (GArray) users = stm_model_image_users (model, path);
  GVariantBuilder paths;

  g_variant_builder_init (&paths, G_VARIANT_TYPE_OBJECT_PATH_ARRAY);
  for (guint i = 0; i < users->len; i++)
    {
      const StmImageUser *user = &g_array_index (users, StmImageUser, i);
      g_autofree char *object = NULL;

      if (user->moment_id != NULL && user->kind == STM_MOMENT_SNAPSHOT)
        object = stm_object_path_of_moment (user->domain_id, user->kind, user->moment_id);
      else if (user->moment_id == NULL
               && !(g_str_equal (user->domain_id, self->domain_id)
                    && g_str_equal (user->target, self->target)))
        object = stm_object_path_of_disk (user->domain_id, user->target);
      if (object != NULL)
        g_variant_builder_add (&paths, "o", object);
    }
  return g_variant_builder_end (&paths);
}

static void
add_users (StmExportDisk *self, GVariantBuilder *row, const Fact *fact)
{
  if (!fact->is_crowded)
    {
      g_variant_builder_add (row, "{sv}", "used-by", users_of (self, fact->image->path));
      return;
    }

  g_variant_builder_add (row, "{sv}", "used-by",
                         g_variant_new_array (G_VARIANT_TYPE_OBJECT_PATH, NULL, 0));
  g_variant_builder_add (row, "{sv}", "users-over", g_variant_new_uint32 (MAX_USERS_SHOWN));
}

static GVariant *
chain_to_rows (StmExportDisk *self)
{
  GVariantBuilder rows;

  g_variant_builder_init (&rows, G_VARIANT_TYPE ("aa{sv}"));
  for (guint i = 0; i < self->facts->len; i++)
    {
      const Fact *fact = &g_array_index (self->facts, Fact, i);
      const StmImage *image = fact->image;

      g_variant_builder_open (&rows, G_VARIANT_TYPE_VARDICT);
      g_variant_builder_add (&rows, "{sv}", "index", g_variant_new_uint32 (image->index));
      g_variant_builder_add (&rows, "{sv}", "path", g_variant_new_string (image->path));
      g_variant_builder_add (&rows, "{sv}", "format", g_variant_new_string (image->format));
      g_variant_builder_add (&rows, "{sv}", "allocation", g_variant_new_uint64 (fact->allocation));
      add_users (self, &rows, fact);
      g_variant_builder_close (&rows);
    }
  return g_variant_builder_end (&rows);
}

static void
keep_shown (StmExportDisk *self)
{
  g_ptr_array_set_size (self->shown, 0);
  for (guint i = 0; i < self->facts->len; i++)
    g_ptr_array_add (self->shown, g_strdup (g_array_index (self->facts, Fact, i).image->path));
}

static void
clear_fact (gpointer data)
{
  stm_image_unref (((Fact *) data)->image);
}

static GArray *
collect_facts (StmExportDisk *self)
{
  const StmModel *model = stm_registry_get_model (self->registry);
  g_autoptr (GPtrArray) chain = stm_model_chain (model, self->domain_id, self->target);
  GArray *facts = g_array_sized_new (FALSE, FALSE, sizeof (Fact), chain->len);

  g_array_set_clear_func (facts, clear_fact);
  for (guint i = 0; i < chain->len; i++)
    {
      const StmImage *image = g_ptr_array_index (chain, i);
      Fact fact = {
        .image = stm_image_ref (image),
        .allocation = stm_registry_get_allocation (self->registry, image->path),
        .is_crowded = stm_model_count_image_users (model, image->path) > MAX_USERS_SHOWN,
      };

      g_array_append_val (facts, fact);
    }
  return facts;
}

/* Whether rows of both are the same for certain: those of images whose users are shown are not. */
static gboolean
is_same (const GArray *before, const GArray *now)
{
  if (before == NULL || before->len != now->len)
    return FALSE;

  for (guint i = 0; i < now->len; i++)
    {
      const Fact *old = &g_array_index (before, Fact, i);
      const Fact *new = &g_array_index (now, Fact, i);

      if (!old->is_crowded || !new->is_crowded || old->image != new->image
          || old->allocation != new->allocation)
        return FALSE;
    }
  return TRUE;
}

static void
show (StmExportDisk *self, const StmDisk *record)
{
  StemmaDisk *disk = STEMMA_DISK (self);
  const Fact *first = self->facts->len > 0 ? &g_array_index (self->facts, Fact, 0) : NULL;

  stemma_disk_set_target (disk, record->target);
  stemma_disk_set_source (disk, record->source != NULL ? record->source : "");
  stemma_disk_set_format (disk, record->format != NULL ? record->format : "");
  stemma_disk_set_capacity (disk, first != NULL ? first->image->capacity : 0);
  stemma_disk_set_allocation (disk, first != NULL ? first->allocation : 0);
  stemma_disk_set_read_only (disk, record->is_read_only);
  stemma_disk_set_chain (disk, chain_to_rows (self));
  keep_shown (self);
}

gboolean
stm_export_disk_update (StmExportDisk *self)
{
  const StmDomain *record = stm_model_get_domain (stm_registry_get_model (self->registry),
                                                  self->domain_id);
  GArray *facts = collect_facts (self);
  gboolean is_shown = record == self->record && is_same (self->facts, facts);

  g_clear_pointer (&self->facts, g_array_unref);
  self->facts = facts;
  if (is_shown)
    return FALSE;

  g_clear_pointer (&self->record, stm_domain_unref);
  self->record = stm_domain_ref (record);
  show (self, stm_domain_find_disk (record, self->target));
  return TRUE;
}

static gboolean
is_at_work (StmExportDisk *self, StmJob *job)
{
  return stm_job_get_state (job) == STM_JOB_RUNNING
         && g_strcmp0 (stm_job_get_domain_id (job), self->domain_id) == 0;
}

void
stm_export_disk_update_job (StmExportDisk *self)
{
  g_autoptr (GPtrArray) jobs = stm_registry_get_jobs (self->registry);
  g_autofree char *path = NULL;

  for (guint i = 0; i < jobs->len && path == NULL; i++)
    {
      StmJob *job = g_ptr_array_index (jobs, i);

      if (is_at_work (self, job))
        path = stm_object_path_of_job (stm_job_get_number (job));
    }
  stemma_disk_set_job (STEMMA_DISK (self), path != NULL ? path : STM_PATH_NONE);
}

GPtrArray *
stm_export_disk_get_shown (StmExportDisk *self)
{
  return self->shown;
}

static void
stm_export_disk_dispose (GObject *object)
{
  StmExportDisk *self = STM_EXPORT_DISK (object);

  g_clear_object (&self->registry);
  G_OBJECT_CLASS (stm_export_disk_parent_class)->dispose (object);
}

static void
stm_export_disk_finalize (GObject *object)
{
  StmExportDisk *self = STM_EXPORT_DISK (object);

  g_ptr_array_unref (self->shown);
  g_clear_pointer (&self->facts, g_array_unref);
  g_clear_pointer (&self->record, stm_domain_unref);
  g_free (self->domain_id);
  g_free (self->target);
  G_OBJECT_CLASS (stm_export_disk_parent_class)->finalize (object);
}

static void
stm_export_disk_class_init (StmExportDiskClass *klass)
{
  G_OBJECT_CLASS (klass)->dispose = stm_export_disk_dispose;
  G_OBJECT_CLASS (klass)->finalize = stm_export_disk_finalize;
  stm_gate_install (G_DBUS_INTERFACE_SKELETON_CLASS (klass));
}

static void
stm_export_disk_init (StmExportDisk *self)
{
  self->shown = g_ptr_array_new_with_free_func (g_free);
}
