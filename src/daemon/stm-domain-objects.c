/* Brings one domain's objects from what they show to what the model says, sending exactly the
 * difference: what is new first, so that no path that is told points at nothing, and what goes
 * last. Main loop only; reads the model, decides nothing.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "stm-domain-objects.h"

#include "stm-export-disk.h"
#include "stm-export-domain.h"
#include "stm-export-snapshot.h"
#include "stm-export-snapshots.h"
#include "stm-object-path.h"

struct _StmDomainObjects
{
  const StmBusContext *context;
  char *id;
  char *path;
  GDBusObjectManagerServer *manager; /* of disks and snapshots */
  StmExportDomain *domain;
  StmExportSnapshots *snapshots;
  GHashTable *disks;   /* target to StmExportDisk */
  GHashTable *moments; /* id to StmExportSnapshot */
};

static void
flush (gpointer skeleton)
{
  g_dbus_interface_skeleton_flush (G_DBUS_INTERFACE_SKELETON (skeleton));
}

static const StmModel *
get_model (StmDomainObjects *self)
{
  return stm_registry_get_model (self->context->registry);
}

static const StmTree *
get_tree (StmDomainObjects *self)
{
  return stm_model_tree (get_model (self), self->id, STM_MOMENT_SNAPSHOT);
}

static void
put_object (GDBusObjectManagerServer *manager, const char *path, gpointer first, gpointer second)
{
  g_autoptr (GDBusObjectSkeleton) object = g_dbus_object_skeleton_new (path);

  g_dbus_object_skeleton_add_interface (object, first);
  if (second != NULL)
    g_dbus_object_skeleton_add_interface (object, second);
  g_dbus_object_manager_server_export (manager, object);
}

static void
add_snapshot (StmDomainObjects *self, const char *moment_id)
{
  g_autofree char *path = stm_object_path_of_snapshot (self->id, moment_id);
  StmExportSnapshot *snapshot = stm_export_snapshot_new (self->context->registry,
                                                         self->context->gate, self->id, moment_id);

  g_hash_table_insert (self->moments, g_strdup (moment_id), snapshot);
  put_object (self->manager, path, snapshot, /* second= */ NULL);
}

static void
remove_snapshot (StmDomainObjects *self, const char *moment_id)
{
  g_autofree char *path = stm_object_path_of_snapshot (self->id, moment_id);

  g_dbus_object_manager_server_unexport (self->manager, path);
  g_hash_table_remove (self->moments, moment_id);
}

static void
add_disk (StmDomainObjects *self, const char *target)
{
  g_autofree char *path = stm_object_path_of_disk (self->id, target);
  StmExportDisk *disk = stm_export_disk_new (self->context->registry, self->context->gate, self->id,
                                             target);

  g_hash_table_insert (self->disks, g_strdup (target), disk);
  stm_shown_images_note (self->context->shown_images, disk);
  put_object (self->manager, path, disk, /* second= */ NULL);
}

/* What remains to be done when the table lets go of a disk is its reference. */
static void
withdraw_disk (StmDomainObjects *self, const char *target, StmExportDisk *disk)
{
  g_autofree char *path = stm_object_path_of_disk (self->id, target);

  stm_shown_images_forget (self->context->shown_images, disk);
  g_dbus_object_manager_server_unexport (self->manager, path);
}

static void
fill (StmDomainObjects *self)
{
  const StmDomain *record = stm_model_get_domain (get_model (self), self->id);
  g_autoptr (GPtrArray) moments = stm_tree_subtree (get_tree (self), NULL);

  for (gsize i = 0; i < record->n_disks; i++)
    add_disk (self, record->disks[i].target);
  for (guint i = 0; i < moments->len; i++)
    {
      const StmMoment *moment = g_ptr_array_index (moments, i);

      add_snapshot (self, moment->id);
    }
}

StmDomainObjects *
stm_domain_objects_new (const StmBusContext *context, const char *domain_id, StmAnnounce announce)
{
  StmDomainObjects *self = g_new0 (StmDomainObjects, 1);

  self->context = context;
  self->id = g_strdup (domain_id);
  self->path = stm_object_path_of_domain (domain_id);
  self->disks = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, g_object_unref);
  self->moments = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, g_object_unref);
  self->domain = stm_export_domain_new (context->registry, context->gate, domain_id);
  self->snapshots = stm_export_snapshots_new (context->registry, context->gate, domain_id);
  self->manager = g_dbus_object_manager_server_new (self->path);
  /* Without a connection an export is silent; with one it is announced. */
  if (announce == STM_ANNOUNCE_EACH)
    g_dbus_object_manager_server_set_connection (self->manager, context->connection);
  fill (self);
  if (announce == STM_ANNOUNCE_NONE)
    g_dbus_object_manager_server_set_connection (self->manager, context->connection);
  put_object (context->root, self->path, self->domain, self->snapshots);
  return self;
}

static void
withdraw_disks (StmDomainObjects *self)
{
  GHashTableIter iter;
  gpointer target = NULL;
  gpointer disk = NULL;

  g_hash_table_iter_init (&iter, self->disks);
  while (g_hash_table_iter_next (&iter, &target, &disk))
    withdraw_disk (self, target, disk);
}

static void
withdraw_snapshots (StmDomainObjects *self)
{
  GHashTableIter iter;
  gpointer moment_id = NULL;

  g_hash_table_iter_init (&iter, self->moments);
  while (g_hash_table_iter_next (&iter, &moment_id, NULL))
    {
      g_autofree char *path = stm_object_path_of_snapshot (self->id, moment_id);

      g_dbus_object_manager_server_unexport (self->manager, path);
    }
}

static gboolean
is_off_the_bus (StmDomainObjects *self)
{
  g_autoptr (GDBusConnection)
      connection = g_dbus_object_manager_server_get_connection (self->context->root);

  return connection == NULL;
}

void
stm_domain_objects_free (StmDomainObjects *self)
{
  if (self == NULL)
    return;

  /* When the root is off the bus, so is the service: nobody is told of single objects. */
  if (is_off_the_bus (self))
    g_dbus_object_manager_server_set_connection (self->manager, NULL);
  withdraw_snapshots (self);
  withdraw_disks (self);
  g_dbus_object_manager_server_unexport (self->context->root, self->path);
  g_dbus_object_manager_server_set_connection (self->manager, NULL);
  g_object_unref (self->manager);
  g_object_unref (self->domain);
  g_object_unref (self->snapshots);
  g_hash_table_unref (self->disks);
  g_hash_table_unref (self->moments);
  g_free (self->id);
  g_free (self->path);
  g_free (self);
}

static void
add_id (GHashTable *ids, const char *id)
{
  if (id != NULL)
    g_hash_table_add (ids, g_strdup (id));
}

/* The moments that may show something else after the change: those that it puts, the parents of
 * all that come, move or go (ChildCount), the old current one and the new. */
static GHashTable *
collect_moments (StmDomainObjects *self, const StmChange *change)
{
  GHashTable *ids = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
  const char *current = stemma_snapshots_get_current (STEMMA_SNAPSHOTS (self->snapshots));

  for (guint i = 0; i < change->put_moments->len; i++)
    {
      const StmMoment *moment = g_ptr_array_index (change->put_moments, i);
      StmExportSnapshot *shown = g_hash_table_lookup (self->moments, moment->id);

      add_id (ids, moment->id);
      add_id (ids, moment->parent);
      if (shown != NULL)
        add_id (ids, stm_export_snapshot_get_shown (shown)->parent);
    }
  for (guint i = 0; i < change->removed_moments->len; i++)
    {
      StmExportSnapshot *shown = g_hash_table_lookup (
          self->moments, g_ptr_array_index (change->removed_moments, i));

      if (shown != NULL)
        add_id (ids, stm_export_snapshot_get_shown (shown)->parent);
    }
  add_id (ids, stm_object_path_to_snapshot (current, self->id));
  add_id (ids, stm_tree_current (get_tree (self)));
  return ids;
}

static void
add_new_snapshots (StmDomainObjects *self, const StmChange *change)
{
  for (guint i = 0; i < change->put_moments->len; i++)
    {
      const StmMoment *moment = g_ptr_array_index (change->put_moments, i);

      if (moment->kind == STM_MOMENT_SNAPSHOT && !g_hash_table_contains (self->moments, moment->id)
          && stm_tree_get (get_tree (self), moment->id) != NULL)
        add_snapshot (self, moment->id);
    }
}

static void
update_snapshots (StmDomainObjects *self, GHashTable *ids)
{
  GHashTableIter iter;
  gpointer id = NULL;

  g_hash_table_iter_init (&iter, ids);
  while (g_hash_table_iter_next (&iter, &id, NULL))
    {
      StmExportSnapshot *snapshot = g_hash_table_lookup (self->moments, id);

      if (snapshot == NULL || stm_tree_get (get_tree (self), id) == NULL)
        continue;
      stm_export_snapshot_update (snapshot);
      flush (snapshot);
    }
}

static void
remove_gone_snapshots (StmDomainObjects *self, const StmChange *change)
{
  for (guint i = 0; i < change->removed_moments->len; i++)
    {
      const char *id = g_ptr_array_index (change->removed_moments, i);

      if (g_hash_table_contains (self->moments, id))
        remove_snapshot (self, id);
    }
}

static void
remove_gone_disks (StmDomainObjects *self, const StmDomain *record)
{
  GHashTableIter iter;
  gpointer target = NULL;
  gpointer disk = NULL;

  g_hash_table_iter_init (&iter, self->disks);
  while (g_hash_table_iter_next (&iter, &target, &disk))
    {
      if (stm_domain_find_disk (record, target) != NULL)
        continue;
      withdraw_disk (self, target, disk);
      g_hash_table_iter_remove (&iter);
    }
}

static void
update_disks (StmDomainObjects *self)
{
  const StmDomain *record = stm_model_get_domain (get_model (self), self->id);

  for (gsize i = 0; i < record->n_disks; i++)
    {
      const char *target = record->disks[i].target;
      StmExportDisk *disk = g_hash_table_lookup (self->disks, target);

      if (disk == NULL)
        {
          add_disk (self, target);
          continue;
        }
      stm_export_disk_update (disk);
      stm_shown_images_note (self->context->shown_images, disk);
      flush (disk);
    }
  remove_gone_disks (self, record);
}

void
stm_domain_objects_apply (StmDomainObjects *self, const StmChange *change)
{
  g_autoptr (GHashTable) touched = collect_moments (self, change);

  add_new_snapshots (self, change);
  update_snapshots (self, touched);
  update_disks (self);
  stm_export_snapshots_update (self->snapshots);
  flush (self->snapshots);
  remove_gone_snapshots (self, change);
  stm_export_domain_update (self->domain);
  flush (self->domain);
}

void
stm_domain_objects_update_generation (StmDomainObjects *self)
{
  stm_export_domain_update_generation (self->domain);
  flush (self->domain);
}

void
stm_domain_objects_update_health (StmDomainObjects *self)
{
  stm_export_domain_update (self->domain);
  flush (self->domain);
}

void
stm_domain_objects_update_job (StmDomainObjects *self)
{
  GHashTableIter iter;
  gpointer disk = NULL;

  g_hash_table_iter_init (&iter, self->disks);
  while (g_hash_table_iter_next (&iter, NULL, &disk))
    {
      stm_export_disk_update_job (disk);
      flush (disk);
    }
}

static void
collect_frozen (StmExportSnapshot *snapshot, GHashTable *paths)
{
  const StmMoment *moment = stm_export_snapshot_get_shown (snapshot);

  for (gsize i = 0; i < moment->n_disks; i++)
    add_id (paths, moment->disks[i].frozen);
}

static void
collect_active (StmDomainObjects *self, GHashTable *paths)
{
  GHashTableIter iter;
  gpointer disk = NULL;

  g_hash_table_iter_init (&iter, self->disks);
  while (g_hash_table_iter_next (&iter, NULL, &disk))
    {
      GPtrArray *shown = stm_export_disk_get_shown (disk);

      if (shown->len > 0)
        add_id (paths, g_ptr_array_index (shown, 0));
    }
}

static void
collect_all_frozen (StmDomainObjects *self, GHashTable *paths)
{
  GHashTableIter iter;
  gpointer snapshot = NULL;

  g_hash_table_iter_init (&iter, self->moments);
  while (g_hash_table_iter_next (&iter, NULL, &snapshot))
    collect_frozen (snapshot, paths);
}

static void
collect_frozen_of_id (StmDomainObjects *self, const char *id, GHashTable *paths)
{
  StmExportSnapshot *snapshot = g_hash_table_lookup (self->moments, id);

  if (snapshot != NULL)
    collect_frozen (snapshot, paths);
}

void
stm_domain_objects_collect_images (StmDomainObjects *self, const StmChange *change,
                                   GHashTable *paths)
{
  collect_active (self, paths);
  if (change == NULL)
    {
      collect_all_frozen (self, paths);
      return;
    }

  for (guint i = 0; i < change->put_moments->len; i++)
    {
      const StmMoment *moment = g_ptr_array_index (change->put_moments, i);

      collect_frozen_of_id (self, moment->id, paths);
    }
  for (guint i = 0; i < change->removed_moments->len; i++)
    collect_frozen_of_id (self, g_ptr_array_index (change->removed_moments, i), paths);
}
