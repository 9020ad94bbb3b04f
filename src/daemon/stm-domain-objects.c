/* Brings one domain's objects from what they show to what the model says, sending exactly the
 * difference: what is new first, so that no path that is told points at nothing, and what goes
 * last. Main loop only; reads the model, decides nothing.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "stm-domain-objects.h"

#include "stm-export-checkpoints.h"
#include "stm-export-disk.h"
#include "stm-export-domain.h"
#include "stm-export-snapshots.h"
#include "stm-moment-objects.h"
#include "stm-object-manager.h"
#include "stm-object-path.h"
#include "stm-object-signals.h"
#include "stm-wire-size.h"

struct _StmDomainObjects
{
  const StmBusContext *context;
  char *id;
  char *path;
  StmObjectManager *manager; /* of disks and moments */
  StmExportDomain *domain;
  StmExportSnapshots *snapshots;
  StmExportCheckpoints *checkpoints;
  GHashTable *disks; /* target to StmExportDisk */
  StmMomentObjects *moments[STM_N_MOMENT_KINDS];
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

static const char *
name_of (gpointer skeleton)
{
  return g_dbus_interface_skeleton_get_info (G_DBUS_INTERFACE_SKELETON (skeleton))->name;
}

static GVariant *
properties_of (gpointer skeleton)
{
  return g_dbus_interface_skeleton_get_properties (G_DBUS_INTERFACE_SKELETON (skeleton));
}

static void
put_domain (StmDomainObjects *self)
{
  g_autoptr (GDBusObjectSkeleton) object = g_dbus_object_skeleton_new (self->path);

  g_dbus_object_skeleton_add_interface (object, G_DBUS_INTERFACE_SKELETON (self->domain));
  g_dbus_object_skeleton_add_interface (object, G_DBUS_INTERFACE_SKELETON (self->snapshots));
  g_dbus_object_skeleton_add_interface (object, G_DBUS_INTERFACE_SKELETON (self->checkpoints));
  g_dbus_object_manager_server_export (self->context->root, object);
}

static void
announce_disk (StmDomainObjects *self, const char *path, StmExportDisk *disk)
{
  g_autoptr (GVariant) properties = properties_of (disk);

  stm_object_signal_added (self->context->connection, self->path, path, name_of (disk), properties);
}

static void
add_disk (StmDomainObjects *self, const char *target, StmAnnounce announce)
{
  g_autofree char *path = stm_object_path_of_disk (self->id, target);
  StmExportDisk *disk = stm_export_disk_new (self->context->registry, self->context->gate, self->id,
                                             target);
  g_autoptr (GError) error = NULL;

  g_hash_table_insert (self->disks, g_strdup (target), disk);
  stm_shown_images_note (self->context->shown_images, disk);
  if (!g_dbus_interface_skeleton_export (G_DBUS_INTERFACE_SKELETON (disk),
                                         self->context->connection, path, &error))
    g_critical ("%s cannot be put on the bus: %s", path, error->message);
  if (announce == STM_ANNOUNCE_EACH)
    announce_disk (self, path, disk);
}

/* What remains to be done when the table lets go of a disk is its reference. */
static void
withdraw_disk (StmDomainObjects *self, const char *target, StmExportDisk *disk,
               StmAnnounce announce)
{
  g_autofree char *path = stm_object_path_of_disk (self->id, target);

  stm_shown_images_forget (self->context->shown_images, disk);
  g_dbus_interface_skeleton_unexport (G_DBUS_INTERFACE_SKELETON (disk));
  if (announce == STM_ANNOUNCE_EACH)
    stm_object_signal_removed (self->context->connection, self->path, path, name_of (disk));
}

static gboolean
read_disk (StmExportDisk *disk, GVariantBuilder *objects, gsize *end, gsize limit)
{
  const char *path = g_dbus_interface_skeleton_get_object_path (G_DBUS_INTERFACE_SKELETON (disk));
  g_autoptr (GVariant) properties = properties_of (disk);
  GVariant *interface = g_variant_new_dict_entry (g_variant_new_string (name_of (disk)),
                                                  properties);
  GVariant *managed = g_variant_new_dict_entry (g_variant_new_object_path (path),
                                                g_variant_new_array (NULL, &interface, 1));

  g_variant_builder_add_value (objects, managed);
  *end = stm_wire_end (managed, *end);
  return *end <= limit;
}

static gboolean
read_objects (gpointer user_data, GVariantBuilder *objects, gsize *end, gsize limit)
{
  StmDomainObjects *self = user_data;
  GHashTableIter iter;
  gpointer disk = NULL;

  g_hash_table_iter_init (&iter, self->disks);
  while (g_hash_table_iter_next (&iter, NULL, &disk))
    {
      if (!read_disk (disk, objects, end, limit))
        return FALSE;
    }
  for (guint kind = 0; kind < STM_N_MOMENT_KINDS; kind++)
    {
      if (!stm_moment_objects_read (self->moments[kind], objects, end, limit))
        return FALSE;
    }
  return TRUE;
}

static void
fill (StmDomainObjects *self, StmAnnounce announce)
{
  const StmDomain *record = stm_model_get_domain (get_model (self), self->id);

  for (gsize i = 0; i < record->n_disks; i++)
    add_disk (self, record->disks[i].target, announce);
  for (guint kind = 0; kind < STM_N_MOMENT_KINDS; kind++)
    {
      self->moments[kind] = stm_moment_objects_new (self->context, self->id, kind);
      if (announce == STM_ANNOUNCE_EACH)
        stm_moment_objects_announce (self->moments[kind]);
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
  self->domain = stm_export_domain_new (context->registry, context->gate, domain_id);
  self->snapshots = stm_export_snapshots_new (context->registry, context->gate, domain_id);
  self->checkpoints = stm_export_checkpoints_new (context->registry, context->gate, domain_id);
  self->manager = stm_object_manager_new (context, self->path, read_objects, self);
  fill (self, announce);
  put_domain (self);
  return self;
}

static gboolean
is_off_the_bus (StmDomainObjects *self)
{
  g_autoptr (GDBusConnection)
      connection = g_dbus_object_manager_server_get_connection (self->context->root);

  return connection == NULL;
}

/* When the root is off the bus, so is the service: nobody is told of single objects. */
static void
withdraw_all (StmDomainObjects *self)
{
  StmAnnounce announce = is_off_the_bus (self) ? STM_ANNOUNCE_NONE : STM_ANNOUNCE_EACH;
  GHashTableIter iter;
  gpointer target = NULL;
  gpointer disk = NULL;

  for (guint kind = 0; kind < STM_N_MOMENT_KINDS; kind++)
    {
      if (announce == STM_ANNOUNCE_EACH)
        stm_moment_objects_withdraw (self->moments[kind]);
    }
  g_hash_table_iter_init (&iter, self->disks);
  while (g_hash_table_iter_next (&iter, &target, &disk))
    withdraw_disk (self, target, disk, announce);
}

void
stm_domain_objects_free (StmDomainObjects *self)
{
  if (self == NULL)
    return;

  withdraw_all (self);
  g_dbus_object_manager_server_unexport (self->context->root, self->path);
  stm_object_manager_free (self->manager);
  for (guint kind = 0; kind < STM_N_MOMENT_KINDS; kind++)
    stm_moment_objects_free (self->moments[kind]);
  g_object_unref (self->domain);
  g_object_unref (self->snapshots);
  g_object_unref (self->checkpoints);
  g_hash_table_unref (self->disks);
  g_free (self->id);
  g_free (self->path);
  g_free (self);
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
      withdraw_disk (self, target, disk, STM_ANNOUNCE_EACH);
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
          add_disk (self, target, STM_ANNOUNCE_EACH);
          continue;
        }
      if (stm_export_disk_update (disk))
        stm_shown_images_note (self->context->shown_images, disk);
      flush (disk);
    }
  remove_gone_disks (self, record);
}

void
stm_domain_objects_apply (StmDomainObjects *self, const StmChange *change)
{
  for (guint kind = 0; kind < STM_N_MOMENT_KINDS; kind++)
    stm_moment_objects_add (self->moments[kind], change);
  for (guint kind = 0; kind < STM_N_MOMENT_KINDS; kind++)
    stm_moment_objects_update (self->moments[kind], change);
  update_disks (self);
  stm_export_snapshots_update (self->snapshots);
  flush (self->snapshots);
  stm_export_checkpoints_update (self->checkpoints);
  flush (self->checkpoints);
  for (guint kind = 0; kind < STM_N_MOMENT_KINDS; kind++)
    stm_moment_objects_remove (self->moments[kind], change);
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
collect_frozen (const StmMoment *moment, gpointer paths)
{
  for (gsize i = 0; moment != NULL && i < moment->n_disks; i++)
    {
      const char *path = moment->disks[i].frozen;

      if (path != NULL && !g_hash_table_contains (paths, path))
        g_hash_table_add (paths, g_strdup (path));
    }
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
        g_hash_table_add (paths, g_strdup (g_ptr_array_index (shown, 0)));
    }
}

static void
collect_shown (StmDomainObjects *self, const char *moment_id, GHashTable *paths)
{
  for (guint kind = 0; kind < STM_N_MOMENT_KINDS; kind++)
    collect_frozen (stm_moment_objects_get_shown (self->moments[kind], moment_id), paths);
}

void
stm_domain_objects_collect_images (StmDomainObjects *self, const StmChange *change,
                                   GHashTable *paths)
{
  collect_active (self, paths);
  if (change == NULL)
    {
      for (guint kind = 0; kind < STM_N_MOMENT_KINDS; kind++)
        stm_moment_objects_foreach (self->moments[kind], collect_frozen, paths);
      return;
    }

  for (guint i = 0; i < change->put_moments->len; i++)
    {
      const StmMoment *moment = g_ptr_array_index (change->put_moments, i);

      collect_shown (self, moment->id, paths);
    }
  for (guint i = 0; i < change->removed_moments->len; i++)
    collect_shown (self, g_ptr_array_index (change->removed_moments, i), paths);
}
