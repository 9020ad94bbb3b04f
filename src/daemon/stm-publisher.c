/* From the registry's signals to those of the bus. The order within a change: the domain's objects
 * and properties, then what disks of other domains show of shared images, then the domain's
 * Generation, then the manager's. Main loop only; reads the registry, changes nothing in it.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "stm-publisher.h"

#include "stm-domain-objects.h"
#include "stm-export-job.h"
#include "stm-export-manager.h"
#include "stm-names.h"
#include "stm-object-path.h"
#include "stm-standard-interfaces.h"
#include "stm-trimmer.h"

struct _StmPublisher
{
  GObject parent_instance;

  StmBusContext context; /* owns what it points to */
  StmExportManager *manager;
  GHashTable *domains; /* id to StmDomainObjects */
  GHashTable *jobs;    /* number to StmExportJob */
  StmTrimmer *trimmer;
};

G_DEFINE_FINAL_TYPE (StmPublisher, stm_publisher, G_TYPE_OBJECT)

static void
flush (gpointer skeleton)
{
  g_dbus_interface_skeleton_flush (G_DBUS_INTERFACE_SKELETON (skeleton));
}

static void
put_object (StmPublisher *self, const char *path, gpointer skeleton)
{
  g_autoptr (GDBusObjectSkeleton) object = g_dbus_object_skeleton_new (path);

  g_dbus_object_skeleton_add_interface (object, skeleton);
  g_dbus_object_manager_server_export (self->context.root, object);
}

/* What disks of other domains show of the images: who uses them has changed. */
static void
update_sharers (StmPublisher *self, GHashTable *paths)
{
  g_autoptr (GHashTable) disks = g_hash_table_new (NULL, NULL);
  GHashTableIter iter;
  gpointer item = NULL;

  g_hash_table_iter_init (&iter, paths);
  while (g_hash_table_iter_next (&iter, &item, NULL))
    stm_shown_images_collect (self->context.shown_images, item, disks);

  g_hash_table_iter_init (&iter, disks);
  while (g_hash_table_iter_next (&iter, &item, NULL))
    {
      stm_export_disk_update (item);
      flush (item);
    }
}

static void
add_domain (StmPublisher *self, const char *id, StmAnnounce announce)
{
  g_hash_table_insert (self->domains, g_strdup (id),
                       stm_domain_objects_new (&self->context, id, announce));
}

/* The domain and its disks; `paths` gets the images whose users may have changed. */
static void
show_change (StmPublisher *self, const StmChange *change, GHashTable *paths)
{
  StmDomainObjects *objects = g_hash_table_lookup (self->domains, change->domain_id);

  if (objects != NULL)
    stm_domain_objects_collect_images (objects, change->removes_domain ? NULL : change, paths);

  if (change->removes_domain)
    g_hash_table_remove (self->domains, change->domain_id);
  else if (objects == NULL)
    add_domain (self, change->domain_id, STM_ANNOUNCE_EACH);
  else
    stm_domain_objects_apply (objects, change);

  objects = g_hash_table_lookup (self->domains, change->domain_id);
  if (objects != NULL)
    stm_domain_objects_collect_images (objects, change, paths);
}

static void
on_changed (StmRegistry *registry, StmChange *change, StmPublisher *self)
{
  g_autoptr (GHashTable) paths = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
  StmDomainObjects *objects = NULL;

  show_change (self, change, paths);
  update_sharers (self, paths);
  objects = g_hash_table_lookup (self->domains, change->domain_id);
  if (objects != NULL)
    stm_domain_objects_update_generation (objects);
  stm_export_manager_update_generation (self->manager);
  flush (self->manager);
  stm_trimmer_note (self->trimmer, change->put_moments->len + change->removed_moments->len);
}

static void
on_health_changed (StmRegistry *registry, StmPublisher *self)
{
  GHashTableIter iter;
  gpointer objects = NULL;

  stm_export_manager_update_health (self->manager);
  flush (self->manager);
  g_hash_table_iter_init (&iter, self->domains);
  while (g_hash_table_iter_next (&iter, NULL, &objects))
    stm_domain_objects_update_health (objects);
}

/* Disk.Job of the domain that a job is about. */
static void
update_disks_of (StmPublisher *self, StmJob *job)
{
  const char *domain_id = stm_job_get_domain_id (job);
  StmDomainObjects *objects = domain_id == NULL ? NULL
                                                : g_hash_table_lookup (self->domains, domain_id);

  if (objects != NULL)
    stm_domain_objects_update_job (objects);
}

static StmExportJob *
find_job (StmPublisher *self, StmJob *job)
{
  return g_hash_table_lookup (self->jobs, GUINT_TO_POINTER (stm_job_get_number (job)));
}

static void
on_job_changed (StmJob *job, StmPublisher *self)
{
  StmExportJob *exported = find_job (self, job);

  if (exported == NULL)
    return;
  stm_export_job_update (exported);
  flush (exported);
  update_disks_of (self, job);
}

static void
on_job_completed (StmJob *job, StmPublisher *self)
{
  StmExportJob *exported = find_job (self, job);

  if (exported == NULL)
    return;
  on_job_changed (job, self);
  stm_export_job_complete (exported);
}

static void
on_job_added (StmRegistry *registry, StmJob *job, StmPublisher *self)
{
  g_autofree char *path = stm_object_path_of_job (stm_job_get_number (job));
  StmExportJob *exported = stm_export_job_new (registry, self->context.gate, job);

  g_hash_table_insert (self->jobs, GUINT_TO_POINTER (stm_job_get_number (job)), exported);
  put_object (self, path, exported);
  update_disks_of (self, job);
  g_signal_connect_object (job, "changed", G_CALLBACK (on_job_changed), self, 0);
  g_signal_connect_object (job, "completed", G_CALLBACK (on_job_completed), self, 0);
}

static void
on_job_removed (StmRegistry *registry, StmJob *job, StmPublisher *self)
{
  g_autofree char *path = stm_object_path_of_job (stm_job_get_number (job));

  g_signal_handlers_disconnect_by_data (job, self);
  g_dbus_object_manager_server_unexport (self->context.root, path);
  g_hash_table_remove (self->jobs, GUINT_TO_POINTER (stm_job_get_number (job)));
  update_disks_of (self, job);
}

/* All at once and unannounced: the root manager gets its connection when everything is in it. */
static void
publish_all (StmPublisher *self)
{
  StmRegistry *registry = self->context.registry;
  g_autoptr (GPtrArray) ids = stm_model_domain_ids (stm_registry_get_model (registry));
  g_autoptr (GPtrArray) jobs = stm_registry_get_jobs (registry);

  put_object (self, STM_PATH_MANAGER, self->manager);
  for (guint i = 0; i < ids->len; i++)
    add_domain (self, g_ptr_array_index (ids, i), STM_ANNOUNCE_NONE);
  for (guint i = 0; i < jobs->len; i++)
    on_job_added (registry, g_ptr_array_index (jobs, i), self);
  g_dbus_object_manager_server_set_connection (self->context.root, self->context.connection);
}

StmPublisher *
stm_publisher_new (GDBusConnection *connection, StmRegistry *registry, StmGate *gate,
                   const char *hypervisor_version)
{
  StmPublisher *self = g_object_new (STM_TYPE_PUBLISHER, NULL);

  self->context.connection = g_object_ref (connection);
  self->context.registry = g_object_ref (registry);
  self->context.gate = g_object_ref (gate);
  self->context.root = g_dbus_object_manager_server_new (STM_PATH_ROOT);
  self->context.shown_images = stm_shown_images_new ();
  self->context.standard = stm_standard_interfaces_new ();
  self->manager = stm_export_manager_new (registry, gate, hypervisor_version);
  publish_all (self);
  g_signal_connect_object (registry, "changed", G_CALLBACK (on_changed), self, 0);
  g_signal_connect_object (registry, "health-changed", G_CALLBACK (on_health_changed), self, 0);
  g_signal_connect_object (registry, "job-added", G_CALLBACK (on_job_added), self, 0);
  g_signal_connect_object (registry, "job-removed", G_CALLBACK (on_job_removed), self, 0);
  return self;
}

/* Off the bus first, without a word: the name goes, and with it everything. */
static void
stm_publisher_dispose (GObject *object)
{
  StmPublisher *self = STM_PUBLISHER (object);

  if (self->context.root != NULL)
    g_dbus_object_manager_server_set_connection (self->context.root, NULL);
  g_clear_pointer (&self->domains, g_hash_table_unref);
  g_clear_pointer (&self->jobs, g_hash_table_unref);
  g_clear_object (&self->manager);
  g_clear_pointer (&self->trimmer, stm_trimmer_free);
  g_clear_pointer (&self->context.shown_images, stm_shown_images_free);
  g_clear_pointer (&self->context.standard, g_dbus_node_info_unref);
  g_clear_object (&self->context.root);
  g_clear_object (&self->context.gate);
  g_clear_object (&self->context.registry);
  g_clear_object (&self->context.connection);
  G_OBJECT_CLASS (stm_publisher_parent_class)->dispose (object);
}

static void
stm_publisher_class_init (StmPublisherClass *klass)
{
  G_OBJECT_CLASS (klass)->dispose = stm_publisher_dispose;
}

static void
stm_publisher_init (StmPublisher *self)
{
  self->domains = g_hash_table_new_full (g_str_hash, g_str_equal, g_free,
                                         (GDestroyNotify) stm_domain_objects_free);
  self->trimmer = stm_trimmer_new ();
  self->jobs = g_hash_table_new_full (NULL, NULL, NULL, g_object_unref);
}
