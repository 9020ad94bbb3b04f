/* From moments to the properties of org.stemma1.Snapshot and Checkpoint: one table for each, in the
 * order of the introspection XML. Knows values alone.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "stm-moment-view.h"

#include "stemma-generated.h"
#include "stm-object-path.h"
#include "stm-snapshot-list.h"

/* The most properties of a moment, and the most keys of a row of Disks. */
#define MAX_PROPERTIES 16
#define MAX_KEYS 8

/* {sv} of a property; floating or not. */
typedef GVariant *(*MakeEntry) (const StmMomentView *view, const char *key);

/* What a property depends on: when a moment is still the same value, only its place can differ. */
typedef enum
{
  OF_MOMENT,
  OF_PLACE,
} Source;

typedef struct
{
  const char *name;
  MakeEntry make;
  Source source;
} Property;

static GVariant *
make_name (const StmMomentView *view, const char *key)
{
  return stm_entry_cache_value (view->cache, key, g_variant_new_string (view->moment->name));
}

static GVariant *
make_description (const StmMomentView *view, const char *key)
{
  return stm_entry_cache_value (view->cache, key, g_variant_new_string (view->moment->description));
}

static GVariant *
make_domain (const StmMomentView *view, const char *key)
{
  return stm_entry_cache_path (view->cache, key, view->domain_path);
}

static GVariant *
make_parent (const StmMomentView *view, const char *key)
{
  const StmMoment *moment = view->moment;
  g_autofree char *path = NULL;

  if (moment->parent == NULL)
    return stm_entry_cache_path (view->cache, key, STM_PATH_NONE);

  path = g_strconcat (view->domain_path, stm_object_path_part (moment->kind), moment->parent, NULL);
  return stm_entry_cache_value (view->cache, key, g_variant_new_object_path (path));
}

static GVariant *
make_child_count (const StmMomentView *view, const char *key)
{
  return stm_entry_cache_value (view->cache, key, g_variant_new_uint32 (view->n_children));
}

static GVariant *
make_creation_time (const StmMomentView *view, const char *key)
{
  guint64 time = (guint64) MAX (view->moment->created, 0);

  return stm_entry_cache_value (view->cache, key, g_variant_new_uint64 (time));
}

static GVariant *
make_state (const StmMomentView *view, const char *key)
{
  return stm_entry_cache_word (view->cache, key, stm_moment_state_to_word (view->moment->state));
}

static GVariant *
make_current (const StmMomentView *view, const char *key)
{
  return stm_entry_cache_boolean (view->cache, key, view->is_current);
}

static GVariant *
make_memory (const StmMomentView *view, const char *key)
{
  return stm_entry_cache_word (view->cache, key, stm_memory_to_word (view->moment->memory));
}

static GVariant *
make_location (const StmMomentView *view, const char *key)
{
  return stm_entry_cache_word (view->cache, key,
                               stm_location_to_word (stm_moment_get_location (view->moment)));
}

static GVariant *
make_has_definition (const StmMomentView *view, const char *key)
{
  return stm_entry_cache_boolean (view->cache, key, view->moment->definition != NULL);
}

/* No moment was taken of a machine that could be brought to rest. */
static GVariant *
make_quiesced (const StmMomentView *view, const char *key)
{
  return stm_entry_cache_word (view->cache, key, "no");
}

static GVariant *
make_health (const StmMomentView *view, const char *key)
{
  return stm_entry_cache_word (view->cache, key, stm_health_to_word (view->moment->health));
}

/* A row of Disks as it is put together. */
typedef struct
{
  StmEntryCache *cache;
  GVariant *entries[MAX_KEYS];
  gsize n_entries;
} Row;

static void
add_text (Row *row, const char *key, const char *text)
{
  if (text != NULL)
    row->entries[row->n_entries++] = stm_entry_cache_value (row->cache, key,
                                                            g_variant_new_string (text));
}

static void
add_word (Row *row, const char *key, const char *word)
{
  row->entries[row->n_entries++] = stm_entry_cache_word (row->cache, key, word);
}

static GVariant *
make_snapshot_row (StmEntryCache *cache, const StmMomentDisk *disk)
{
  Row row = { .cache = cache };

  add_text (&row, "target", disk->target);
  add_word (&row, "mode", stm_disk_mode_to_word (disk->mode));
  add_text (&row, "frozen", disk->frozen);
  add_text (&row, "overlay", disk->overlay);
  add_text (&row, "format", disk->format);
  add_text (&row, "tag", disk->tag);
  return g_variant_new_array (G_VARIANT_TYPE ("{sv}"), row.entries, row.n_entries);
}

static GVariant *
make_snapshot_disks (const StmMomentView *view, const char *key)
{
  GVariantBuilder rows;

  g_variant_builder_init (&rows, G_VARIANT_TYPE ("aa{sv}"));
  for (gsize i = 0; i < view->moment->n_disks; i++)
    g_variant_builder_add_value (&rows, make_snapshot_row (view->cache, &view->moment->disks[i]));
  return stm_entry_cache_value (view->cache, key, g_variant_builder_end (&rows));
}

static GVariant *
make_checkpoint_row (const StmMomentView *view, const StmMomentDisk *disk)
{
  Row row = { .cache = view->cache };

  add_text (&row, "target", disk->target);
  add_text (&row, "bitmap", disk->bitmap);
  add_word (&row, "health", stm_health_to_word (view->moment->health));
  return g_variant_new_array (G_VARIANT_TYPE ("{sv}"), row.entries, row.n_entries);
}

/* A disk without a bitmap is not in the checkpoint. */
static GVariant *
make_checkpoint_disks (const StmMomentView *view, const char *key)
{
  GVariantBuilder rows;

  g_variant_builder_init (&rows, G_VARIANT_TYPE ("aa{sv}"));
  for (gsize i = 0; i < view->moment->n_disks; i++)
    {
      const StmMomentDisk *disk = &view->moment->disks[i];

      if (disk->mode == STM_MODE_BITMAP)
        g_variant_builder_add_value (&rows, make_checkpoint_row (view, disk));
    }
  return stm_entry_cache_value (view->cache, key, g_variant_builder_end (&rows));
}

static const Property snapshot_properties[] = {
  { "Name", make_name, OF_MOMENT },
  { "Description", make_description, OF_MOMENT },
  { "Domain", make_domain, OF_MOMENT },
  { "Parent", make_parent, OF_MOMENT },
  { "ChildCount", make_child_count, OF_PLACE },
  { "CreationTime", make_creation_time, OF_MOMENT },
  { "State", make_state, OF_MOMENT },
  { "Current", make_current, OF_PLACE },
  { "Memory", make_memory, OF_MOMENT },
  { "Location", make_location, OF_MOMENT },
  { "Disks", make_snapshot_disks, OF_MOMENT },
  { "HasDefinition", make_has_definition, OF_MOMENT },
  { "Quiesced", make_quiesced, OF_MOMENT },
  { "Health", make_health, OF_MOMENT },
  { NULL },
};

static const Property checkpoint_properties[] = {
  { "Name", make_name, OF_MOMENT },
  { "Description", make_description, OF_MOMENT },
  { "Domain", make_domain, OF_MOMENT },
  { "Parent", make_parent, OF_MOMENT },
  { "ChildCount", make_child_count, OF_PLACE },
  { "CreationTime", make_creation_time, OF_MOMENT },
  { "Disks", make_checkpoint_disks, OF_MOMENT },
  { "Health", make_health, OF_MOMENT },
  { NULL },
};

G_STATIC_ASSERT (G_N_ELEMENTS (snapshot_properties) <= MAX_PROPERTIES);
G_STATIC_ASSERT (G_N_ELEMENTS (checkpoint_properties) <= MAX_PROPERTIES);

static const Property *
properties_of (const StmMomentView *self)
{
  return self->moment->kind == STM_MOMENT_SNAPSHOT ? snapshot_properties : checkpoint_properties;
}

void
stm_moment_view_init (StmMomentView *self, StmEntryCache *cache, const char *domain_path,
                      const StmTree *tree, const StmMoment *moment)
{
  *self = (StmMomentView){
    .cache = cache,
    .domain_path = domain_path,
    .moment = moment,
    .n_children = stm_tree_n_children (tree, moment->id),
    .is_current = g_strcmp0 (stm_tree_current (tree), moment->id) == 0,
  };
}

GDBusInterfaceInfo *
stm_moment_interface (StmMomentKind kind)
{
  return kind == STM_MOMENT_SNAPSHOT ? stemma_snapshot_interface_info ()
                                     : stemma_checkpoint_interface_info ();
}

GVariant *
stm_moment_view_get (const StmMomentView *self, const char *property)
{
  for (const Property *at = properties_of (self); at->name != NULL; at++)
    {
      if (g_str_equal (at->name, property))
        {
          g_autoptr (GVariant) entry = g_variant_ref_sink (at->make (self, at->name));
          g_autoptr (GVariant) variant = g_variant_get_child_value (entry, 1);

          return g_variant_get_variant (variant);
        }
    }
  return NULL;
}

GVariant *
stm_moment_view_get_all (const StmMomentView *self)
{
  GVariant *entries[MAX_PROPERTIES];
  gsize n_entries = 0;

  for (const Property *at = properties_of (self); at->name != NULL; at++)
    entries[n_entries++] = at->make (self, at->name);
  return g_variant_new_array (G_VARIANT_TYPE ("{sv}"), entries, n_entries);
}

GVariant *
stm_moment_view_compare (const StmMomentView *before, const StmMomentView *now)
{
  gboolean is_same_value = before->moment == now->moment;
  GVariantBuilder changed;
  guint n_changed = 0;

  g_variant_builder_init (&changed, G_VARIANT_TYPE_VARDICT);
  for (const Property *at = properties_of (now); at->name != NULL; at++)
    {
      g_autoptr (GVariant) old = NULL;
      g_autoptr (GVariant) new = NULL;

      if (is_same_value && at->source == OF_MOMENT)
        continue;
      old = g_variant_ref_sink (at->make (before, at->name));
      new = g_variant_ref_sink (at->make (now, at->name));
      if (old == new || g_variant_equal (old, new))
        continue;
      g_variant_builder_add_value (&changed, new);
      n_changed++;
    }
  if (n_changed > 0)
    return g_variant_builder_end (&changed);

  g_variant_builder_clear (&changed);
  return NULL;
}
