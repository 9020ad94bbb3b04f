/* Keeps what all moments of one domain and kind show in step with the model, and tells of the
 * difference. Decides nothing; calls of clients are answered elsewhere.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "stm-moment-objects.h"

#include "stm-moment-subtree.h"
#include "stm-object-path.h"
#include "stm-object-signals.h"
#include "stm-wire-size.h"

/* What a moment takes on the wire at least: two paths of its domain and the names of its properties
 * are longer. */
#define MIN_BYTES_EACH 256

/* So many signals may wait in the connection. One that waits is held as a message with all of its
 * values, many times what it is on the wire: those of a change of 100,000 moments were seen to hold
 * 700 MB when the connection's thread had fallen behind. */
#define MAX_WAITING_SIGNALS 512

/* What a moment showed last. */
typedef struct
{
  StmMoment *moment;
  guint n_children;
  gboolean is_current;
} Shown;

struct _StmMomentObjects
{
  const StmBusContext *context;
  char *domain_id;
  char *domain_path;
  StmEntryCache *cache;
  StmMomentKind kind;
  GHashTable *shown; /* id, of the moment's value, to Shown */
  char *current;     /* id of the one that was shown as current, or NULL */
  guint n_told;      /* signals since the connection had none waiting */
  StmMomentSubtree *subtree;
};

static void
shown_free (gpointer data)
{
  Shown *shown = data;

  stm_moment_unref (shown->moment);
  g_free (shown);
}

static const StmTree *
get_tree (StmMomentObjects *self)
{
  return stm_model_tree (stm_registry_get_model (self->context->registry), self->domain_id,
                         self->kind);
}

static const char *
get_interface (StmMomentObjects *self)
{
  return stm_moment_interface (self->kind)->name;
}

static char *
path_of (StmMomentObjects *self, const char *id)
{
  return g_strconcat (self->domain_path, stm_object_path_part (self->kind), id, NULL);
}

/* As the model has it now. */
static StmMomentView
view_of (StmMomentObjects *self, const StmTree *tree, const StmMoment *moment)
{
  StmMomentView view;

  stm_moment_view_init (&view, self->cache, self->domain_path, tree, moment);
  return view;
}

static void
remember (StmMomentObjects *self, const StmMomentView *view)
{
  Shown *shown = g_new (Shown, 1);

  shown->moment = stm_moment_ref (view->moment);
  shown->n_children = view->n_children;
  shown->is_current = view->is_current;
  g_hash_table_replace (self->shown, (gpointer) shown->moment->id, shown);
}

static void
remember_current (StmMomentObjects *self)
{
  g_free (self->current);
  self->current = g_strdup (stm_tree_current (get_tree (self)));
}

/* After each signal. Waits for the connection's thread when it was given many. */
static void
keep_pace (StmMomentObjects *self)
{
  if (++self->n_told < MAX_WAITING_SIGNALS)
    return;

  /* A connection that is closed takes nothing, and nobody is left to tell. */
  g_dbus_connection_flush_sync (self->context->connection, /* cancellable= */ NULL,
                                /* error= */ NULL);
  self->n_told = 0;
}

static void
announce (StmMomentObjects *self, const StmMomentView *view)
{
  g_autofree char *path = path_of (self, view->moment->id);

  stm_object_signal_added (self->context->connection, self->domain_path, path, get_interface (self),
                           stm_moment_view_get_all (view));
  keep_pace (self);
}

static void
withdraw (StmMomentObjects *self, const char *id)
{
  g_autofree char *path = path_of (self, id);

  stm_object_signal_removed (self->context->connection, self->domain_path, path,
                             get_interface (self));
  keep_pace (self);
}

void
stm_moment_objects_announce (StmMomentObjects *self)
{
  const StmTree *tree = get_tree (self);
  g_autoptr (GPtrArray) moments = stm_tree_subtree (tree, NULL);

  for (guint i = 0; i < moments->len; i++)
    {
      StmMomentView view = view_of (self, tree, g_ptr_array_index (moments, i));

      announce (self, &view);
    }
}

void
stm_moment_objects_withdraw (StmMomentObjects *self)
{
  GHashTableIter iter;
  gpointer id = NULL;

  g_hash_table_iter_init (&iter, self->shown);
  while (g_hash_table_iter_next (&iter, &id, NULL))
    withdraw (self, id);
}

static gboolean
is_new (StmMomentObjects *self, const char *id)
{
  return id != NULL && !g_hash_table_contains (self->shown, id);
}

/* A moment that is new, and before it those that it stands on and that are new as well: no path
 * that is told points at nothing. */
static void
add_with_ancestors (StmMomentObjects *self, const StmTree *tree, const char *id)
{
  g_autoptr (GPtrArray) line = g_ptr_array_new ();

  while (is_new (self, id))
    {
      const StmMoment *moment = stm_tree_get (tree, id);

      if (moment == NULL)
        break;
      g_ptr_array_add (line, (gpointer) moment);
      id = moment->parent;
    }
  for (guint i = line->len; i > 0; i--)
    {
      StmMomentView view = view_of (self, tree, g_ptr_array_index (line, i - 1));

      announce (self, &view);
      remember (self, &view);
    }
}

void
stm_moment_objects_add (StmMomentObjects *self, const StmChange *change)
{
  const StmTree *tree = get_tree (self);

  for (guint i = 0; i < change->put_moments->len; i++)
    {
      const StmMoment *moment = g_ptr_array_index (change->put_moments, i);

      if (moment->kind == self->kind)
        add_with_ancestors (self, tree, moment->id);
    }
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
collect_touched (StmMomentObjects *self, const StmChange *change)
{
  GHashTable *ids = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);

  for (guint i = 0; i < change->put_moments->len; i++)
    {
      const StmMoment *moment = g_ptr_array_index (change->put_moments, i);
      const StmMoment *shown = stm_moment_objects_get_shown (self, moment->id);

      if (moment->kind != self->kind)
        continue;
      add_id (ids, moment->id);
      add_id (ids, moment->parent);
      if (shown != NULL)
        add_id (ids, shown->parent);
    }
  for (guint i = 0; i < change->removed_moments->len; i++)
    {
      const StmMoment *shown = stm_moment_objects_get_shown (
          self, g_ptr_array_index (change->removed_moments, i));

      if (shown != NULL)
        add_id (ids, shown->parent);
    }
  add_id (ids, self->current);
  add_id (ids, stm_tree_current (get_tree (self)));
  return ids;
}

static void
update_one (StmMomentObjects *self, const StmTree *tree, const char *id)
{
  Shown *shown = g_hash_table_lookup (self->shown, id);
  const StmMoment *moment = stm_tree_get (tree, id);
  StmMomentView before;
  StmMomentView now;
  GVariant *changed = NULL;
  g_autofree char *path = NULL;

  if (shown == NULL || moment == NULL)
    return;

  now = view_of (self, tree, moment);
  /* As most are that were just added. */
  if (shown->moment == moment && shown->n_children == now.n_children
      && shown->is_current == now.is_current)
    return;

  before = (StmMomentView){
    .cache = self->cache,
    .domain_path = self->domain_path,
    .moment = shown->moment,
    .n_children = shown->n_children,
    .is_current = shown->is_current,
  };
  changed = stm_moment_view_compare (&before, &now);
  if (changed != NULL)
    {
      path = path_of (self, id);
      stm_object_signal_changed (self->context->connection, path, get_interface (self), changed);
      keep_pace (self);
    }
  remember (self, &now);
}

void
stm_moment_objects_update (StmMomentObjects *self, const StmChange *change)
{
  const StmTree *tree = get_tree (self);
  g_autoptr (GHashTable) touched = collect_touched (self, change);
  GHashTableIter iter;
  gpointer id = NULL;

  g_hash_table_iter_init (&iter, touched);
  while (g_hash_table_iter_next (&iter, &id, NULL))
    update_one (self, tree, id);
  remember_current (self);
}

void
stm_moment_objects_remove (StmMomentObjects *self, const StmChange *change)
{
  for (guint i = change->removed_moments->len; i > 0; i--)
    {
      const char *id = g_ptr_array_index (change->removed_moments, i - 1);

      if (is_new (self, id))
        continue;
      withdraw (self, id);
      g_hash_table_remove (self->shown, id);
    }
}

const StmMoment *
stm_moment_objects_get_shown (StmMomentObjects *self, const char *moment_id)
{
  const Shown *shown = g_hash_table_lookup (self->shown, moment_id);

  return shown == NULL ? NULL : shown->moment;
}

void
stm_moment_objects_foreach (StmMomentObjects *self, StmMomentVisit visit, gpointer user_data)
{
  GHashTableIter iter;
  gpointer shown = NULL;

  g_hash_table_iter_init (&iter, self->shown);
  while (g_hash_table_iter_next (&iter, NULL, &shown))
    visit (((Shown *) shown)->moment, user_data);
}

static GVariant *
make_managed (StmMomentObjects *self, const StmMomentView *view)
{
  g_autofree char *path = path_of (self, view->moment->id);
  GVariant *interface = g_variant_new_dict_entry (g_variant_new_string (get_interface (self)),
                                                  stm_moment_view_get_all (view));

  return g_variant_new_dict_entry (g_variant_new_object_path (path),
                                   g_variant_new_array (NULL, &interface, 1));
}

gboolean
stm_moment_objects_read (StmMomentObjects *self, GVariantBuilder *objects, gsize *end, gsize limit)
{
  const StmTree *tree = get_tree (self);
  GHashTableIter iter;
  gpointer id = NULL;

  /* So many cannot fit, and the work of seeing that in detail is saved. */
  if (g_hash_table_size (self->shown) > limit / MIN_BYTES_EACH)
    return FALSE;

  g_hash_table_iter_init (&iter, self->shown);
  while (g_hash_table_iter_next (&iter, &id, NULL))
    {
      StmMomentView view = view_of (self, tree, stm_tree_get (tree, id));
      GVariant *managed = make_managed (self, &view);

      g_variant_builder_add_value (objects, managed);
      *end = stm_wire_pack (managed, *end);
      if (*end > limit)
        return FALSE;
    }
  return TRUE;
}

StmMomentObjects *
stm_moment_objects_new (const StmBusContext *context, const char *domain_id, StmMomentKind kind)
{
  StmMomentObjects *self = g_new0 (StmMomentObjects, 1);
  g_autoptr (GPtrArray) moments = NULL;

  self->context = context;
  self->domain_id = g_strdup (domain_id);
  self->domain_path = stm_object_path_of_domain (domain_id);
  self->cache = stm_entry_cache_new ();
  self->kind = kind;
  self->shown = g_hash_table_new_full (g_str_hash, g_str_equal, /* key_destroy= */ NULL,
                                       shown_free);
  moments = stm_tree_subtree (get_tree (self), NULL);
  for (guint i = 0; i < moments->len; i++)
    {
      StmMomentView view = view_of (self, get_tree (self), g_ptr_array_index (moments, i));

      remember (self, &view);
    }
  remember_current (self);
  self->subtree = stm_moment_subtree_new (context, domain_id, kind);
  return self;
}

void
stm_moment_objects_free (StmMomentObjects *self)
{
  if (self == NULL)
    return;

  stm_moment_subtree_free (self->subtree);
  g_hash_table_unref (self->shown);
  stm_entry_cache_free (self->cache);
  g_free (self->domain_id);
  g_free (self->domain_path);
  g_free (self->current);
  g_free (self);
}
