/* Which moments the documents of a redefinition are of, and on which parents they stand.
 *
 * Part of StmRedefinition, main loop, pure. Costs by the number of documents; by the depth of the
 * tree only when a moment that exists moves to another parent.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "stemma-error.h"
#include "stm-id.h"
#include "stm-moment-edit.h"
#include "stm-planner-shared.h"
#include "stm-redefine-private.h"
#include "stm-xml.h"

/* Of a ring that is named in a message. */
#define MAX_SHOWN_NAMES 8

typedef struct
{
  StmRedefinition *redefinition;
  const StmTree *tree;
  GHashTable *by_id; /* id -> StmRedefined, of those that replace a moment */
  GHashTable
      *passed; /* id of a moment without a document -> the document it leads up to, or NULL */
  gboolean has_moves; /* a moment that exists gets another parent */
} Finder;

static gboolean
    G_GNUC_PRINTF (3, 4) refuse (GError **error, StemmaError code, const char *format, ...)
{
  va_list arguments;

  va_start (arguments, format);
  g_propagate_error (error, g_error_new_valist (STEMMA_ERROR, (int) code, format, arguments));
  va_end (arguments);

  return FALSE;
}

static gboolean
is_online (StmMomentState state)
{
  return state == STM_STATE_RUNNING || state == STM_STATE_PAUSED;
}

/* libvirt's rules on what a snapshot may become. */
static gboolean
check_transition (const StmRedefined *redefined, GError **error)
{
  const StmMoment *existing = redefined->existing;
  StmMomentState state = redefined->document->state;

  if (existing->state == STM_STATE_CREATING || existing->state == STM_STATE_DELETING)
    return refuse (error, STEMMA_ERROR_BUSY,
                   "it is being made or deleted: wait for the end of that, or let Manager.Check "
                   "and Manager.Resolve settle it");
  if (existing->kind == STM_MOMENT_CHECKPOINT)
    return TRUE;
  if (is_online (existing->state) != is_online (state))
    return refuse (error, STEMMA_ERROR_INVALID_ARGUMENT,
                   "it was taken of a machine that %s, and the document says of one that %s: give "
                   "<state> as it was, or another <name>",
                   is_online (existing->state) ? "ran" : "was off",
                   is_online (state) ? "ran" : "was off");
  if ((existing->state == STM_STATE_DISK_ONLY) != (state == STM_STATE_DISK_ONLY))
    return refuse (error, STEMMA_ERROR_INVALID_ARGUMENT,
                   "it is of %s, and the document is of %s: give <state> as it was, or another "
                   "<name>",
                   existing->state == STM_STATE_DISK_ONLY ? "disks only" : "the full system",
                   state == STM_STATE_DISK_ONLY ? "disks only" : "the full system");

  return TRUE;
}

static gboolean
check_nested (const StmRedefinition *self, const StmNestedDomain *nested, const char *element,
              GError **error)
{
  g_autofree char *given = NULL;
  g_autofree char *wanted = NULL;

  if (nested == NULL || g_strcmp0 (nested->id, self->domain->id) == 0)
    return TRUE;

  given = nested->id != NULL ? stm_id_to_uuid (nested->id) : g_strdup ("missing");
  wanted = stm_id_to_uuid (self->domain->id);
  return refuse (error, STEMMA_ERROR_INVALID_ARGUMENT,
                 "the <uuid> in its <%s> is %s, and that of domain '%s' is %s: it is of another "
                 "machine",
                 element, given, self->domain->name, wanted);
}

/* --- which moment --- */

static gboolean
find_moment (Finder *self, StmRedefined *redefined, GError **error)
{
  const StmMomentDocument *document = redefined->document;
  const StmMoment *existing = stm_tree_find (self->tree, document->name);

  if (!check_nested (self->redefinition, document->domain, "domain", error)
      || !check_nested (self->redefinition, document->inactive, "inactiveDomain", error))
    return FALSE;
  if (existing == NULL)
    return TRUE;

  redefined->existing = stm_moment_ref (existing);
  g_free (redefined->id);
  redefined->id = g_strdup (existing->id);
  g_hash_table_insert (self->by_id, redefined->id, redefined);

  return check_transition (redefined, error);
}

static gboolean
check_room (const Finder *self, GError **error)
{
  guint n_new = self->redefinition->documents->len - g_hash_table_size (self->by_id);
  guint count = stm_tree_count (self->tree);

  if (count <= STM_MAX_MOMENTS && n_new <= STM_MAX_MOMENTS - count)
    return TRUE;

  return refuse (error, STEMMA_ERROR_TOO_MANY,
                 "domain '%s' has %u %ss, and %u more are over the limit of %d",
                 self->redefinition->domain->name, count,
                 stm_moment_kind_to_text (self->redefinition->kind), n_new, STM_MAX_MOMENTS);
}

/* --- which parent --- */

static gboolean
find_parent (Finder *self, StmRedefined *redefined, GError **error)
{
  const char *name = redefined->document->parent;

  if (name == NULL)
    return TRUE;

  const StmRedefined *parent = g_hash_table_lookup (self->redefinition->by_name, name);
  const StmMoment *recorded = parent == NULL ? stm_tree_find (self->tree, name) : NULL;
  g_autofree char *shown = stm_xml_clean_message (name);

  if (parent == redefined)
    return refuse (error, STEMMA_ERROR_INVALID_ARGUMENT, "its <parent> is itself");
  if (parent == NULL && recorded == NULL)
    return refuse (error, STEMMA_ERROR_INVALID_ARGUMENT,
                   "its <parent> '%s' does not exist: redefine the parent first, or all of them "
                   "with RedefineAll",
                   shown);
  redefined->parent = parent != NULL ? parent->id : recorded->id;
  redefined->parent_place = parent != NULL ? (gssize) parent->number - 1 : -1;
  if (redefined->existing != NULL
      && g_strcmp0 (redefined->existing->parent, redefined->parent) != 0)
    self->has_moves = TRUE;

  return TRUE;
}

/* --- rings --- */

typedef enum
{
  NOT_SEEN,
  ON_WAY, /* of the walk that is under way */
  DONE,
} Mark;

/* The document that a moment without one leads up to, or NULL for none. Without a move the moments
 * on record stand on moments on record as they did, and lead to no ring. */
static StmRedefined *
climb (Finder *self, const char *id)
{
  const StmMoment *moment = self->has_moves ? stm_tree_get (self->tree, id) : NULL;
  g_autoptr (GPtrArray) way = g_ptr_array_new ();
  gpointer found = NULL;

  while (moment != NULL && (found = g_hash_table_lookup (self->by_id, moment->id)) == NULL
         && !g_hash_table_lookup_extended (self->passed, moment->id, NULL, &found))
    {
      g_ptr_array_add (way, (char *) moment->id);
      moment = moment->parent != NULL ? stm_tree_get (self->tree, moment->parent) : NULL;
    }
  for (guint i = 0; i < way->len; i++)
    g_hash_table_insert (self->passed, way->pdata[i], found);

  return found;
}

static StmRedefined *
next_up (Finder *self, const StmRedefined *redefined)
{
  if (redefined->parent_place >= 0)
    return self->redefinition->documents->pdata[redefined->parent_place];

  return redefined->parent != NULL ? climb (self, redefined->parent) : NULL;
}

static gboolean
refuse_ring (Finder *self, StmRedefined *first, GError **error)
{
  g_autoptr (GString) names = g_string_new (NULL);
  StmRedefined *redefined = first;
  guint n_names = 0;

  do
    {
      g_autofree char *name = stm_redefined_show_name (redefined);

      if (n_names++ < MAX_SHOWN_NAMES)
        g_string_append_printf (names, "'%s' on ", name);
      redefined = next_up (self, redefined);
    }
  while (redefined != NULL && redefined != first);
  if (n_names > MAX_SHOWN_NAMES)
    g_string_append_printf (names, "%u more on ", n_names - MAX_SHOWN_NAMES);

  g_autofree char *name = stm_redefined_show_name (first);
  refuse (error, STEMMA_ERROR_INVALID_ARGUMENT, "it would stand on itself: %s'%s'", names->str,
          name);

  return stm_redefined_prefix (self->redefinition, first, error);
}

static gboolean
walk_up (Finder *self, Mark *marks, StmRedefined *start, GError **error)
{
  g_autoptr (GPtrArray) way = g_ptr_array_new ();
  StmRedefined *at = start;

  for (; at != NULL && marks[at->number - 1] == NOT_SEEN; at = next_up (self, at))
    {
      marks[at->number - 1] = ON_WAY;
      g_ptr_array_add (way, at);
    }
  if (at != NULL && marks[at->number - 1] == ON_WAY)
    return refuse_ring (self, at, error);
  for (guint i = 0; i < way->len; i++)
    marks[((StmRedefined *) way->pdata[i])->number - 1] = DONE;

  return TRUE;
}

static gboolean
check_rings (Finder *self, GError **error)
{
  GPtrArray *documents = self->redefinition->documents;
  g_autofree Mark *marks = g_new0 (Mark, documents->len);

  for (guint i = 0; i < documents->len; i++)
    if (!walk_up (self, marks, documents->pdata[i], error))
      return FALSE;

  return TRUE;
}

typedef gboolean (*Finding) (Finder *self, StmRedefined *redefined, GError **error);

static gboolean
find_each (Finder *self, Finding finding, GError **error)
{
  GPtrArray *documents = self->redefinition->documents;

  for (guint i = 0; i < documents->len; i++)
    if (!finding (self, documents->pdata[i], error))
      return stm_redefined_prefix (self->redefinition, documents->pdata[i], error);

  return TRUE;
}

gboolean
stm_redefine_find_moments (StmRedefinition *self, GError **error)
{
  g_autoptr (GHashTable) by_id = g_hash_table_new (g_str_hash, g_str_equal);
  g_autoptr (GHashTable) passed = g_hash_table_new (g_str_hash, g_str_equal);
  Finder finder = { .redefinition = self,
                    .tree = stm_model_tree (self->model, self->domain->id, self->kind),
                    .by_id = by_id,
                    .passed = passed };

  return find_each (&finder, find_moment, error) && check_room (&finder, error)
         && find_each (&finder, find_parent, error) && check_rings (&finder, error);
}
