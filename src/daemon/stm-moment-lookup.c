/* From the options of List to a filter, and from what it gives to a reply. Reads the model, changes
 * nothing.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "stm-moment-lookup.h"

#include "stemma-error.h"
#include "stm-export.h"
#include "stm-moment-view.h"
#include "stm-object-path.h"
#include "stm-options.h"
#include "stm-wire-size.h"

#define MAX_STATES 16
/* A message may have 32 MiB on the system bus; who sends more is disconnected. */
#define MAX_REPLY_BYTES ((gsize) 30 * 1024 * 1024)

/* In the order of StmLocation. */
static const char *const location_words[] = { "any", "internal", "external", "mixed", NULL };

gboolean
stm_moments_find (const StmMomentScope *scope, GDBusMethodInvocation *invocation, const char *name,
                  GVariant *options)
{
  g_autofree char *path = NULL;
  g_autoptr (GError) error = NULL;
  const StmMoment *moment = NULL;

  if (!stm_options_expect_none (options, &error)
      || !stm_text_check ("name", name, STM_MAX_NAME_BYTES, &error))
    return stm_export_refuse (invocation, error);

  moment = stm_tree_find (stm_moment_scope_get_tree (scope), name);
  if (moment == NULL)
    {
      g_set_error (&error, STEMMA_ERROR, STEMMA_ERROR_NOT_FOUND,
                   "the domain has no %s of the name '%s'", stm_export_kind_to_word (scope->kind),
                   name);
      return stm_export_refuse (invocation, error);
    }

  path = stm_moment_scope_path_of (scope, moment->id);
  g_dbus_method_invocation_return_value (invocation, g_variant_new ("(o)", path));
  return TRUE;
}

gboolean
stm_moments_read_path (const StmMomentScope *scope, const char *key, const char *path,
                       const char **out_id, GError **error)
{
  if (path == NULL)
    return TRUE;

  *out_id = stm_object_path_to_moment (path, scope->domain_id, scope->kind);
  if (*out_id != NULL)
    return TRUE;

  g_set_error (error, STEMMA_ERROR, STEMMA_ERROR_NOT_FOUND,
               "option '%s' names no %s of this domain", key,
               stm_export_kind_to_word (scope->kind));
  return FALSE;
}

static gboolean
check_states (const char *const *states, GError **error)
{
  StmMomentState state = STM_STATE_SHUTOFF;

  for (gsize i = 0; states != NULL && states[i] != NULL; i++)
    {
      if (!stm_moment_state_from_word (states[i], &state))
        {
          g_set_error (error, STEMMA_ERROR, STEMMA_ERROR_INVALID_ARGUMENT,
                       "option 'states': '%s' is no state of a snapshot", states[i]);
          return FALSE;
        }
    }
  return TRUE;
}

static gboolean
check_list (const StmMomentScope *scope, const StmListFilter *filter, GError **error)
{
  const char *word = stm_export_kind_to_word (scope->kind);

  if (filter->roots_only && filter->from != NULL)
    {
      g_set_error (error, STEMMA_ERROR, STEMMA_ERROR_INVALID_ARGUMENT,
                   "option 'roots' does not go with 'from': a %s below another is no root", word);
      return FALSE;
    }
  if (filter->takes_descendants && filter->from == NULL)
    {
      g_set_error (error, STEMMA_ERROR, STEMMA_ERROR_INVALID_ARGUMENT,
                   "option 'descendants' needs 'from'; without both all %ss are listed", word);
      return FALSE;
    }
  return check_states (filter->states, error);
}

/* States and locations are a matter of snapshots alone. */
static void
take_kind (const StmMomentScope *scope, StmOptions *options, StmListFilter *filter)
{
  if (scope->kind != STM_MOMENT_SNAPSHOT)
    return;

  filter->states = stm_options_take_strings (options, "states", MAX_STATES);
  filter->location = (StmLocation) stm_options_take_word (options, "location", location_words);
}

static GPtrArray *
read_list (const StmMomentScope *scope, StmListPages *pages, GVariant *arg_options, GError **error)
{
  g_autoptr (StmOptions) options = stm_options_new (arg_options);
  const char *from = stm_options_take_object_path (options, "from");
  const char *after = stm_options_take_object_path (options, "after");
  StmListFilter filter = {
    .roots_only = stm_options_take_boolean (options, "roots"),
    .leaves_only = stm_options_take_boolean (options, "leaves"),
    .takes_descendants = stm_options_take_boolean (options, "descendants"),
    .order = stm_options_take_boolean (options, "topological") ? STM_ORDER_TOPOLOGICAL
                                                               : STM_ORDER_CREATION,
    .limit = stm_options_take_uint32 (options, "limit"),
  };

  take_kind (scope, options, &filter);
  if (!stm_options_end (options, error)
      || !stm_moments_read_path (scope, "from", from, &filter.from, error)
      || !stm_moments_read_path (scope, "after", after, &filter.after, error)
      || !check_list (scope, &filter, error))
    return NULL;

  return stm_list_pages_read (pages, stm_moment_scope_get_tree (scope), &filter, error);
}

/* Ends the array as a reply, or refuses it when no message holds it. */
static gboolean
answer_list (const StmMomentScope *scope, GDBusMethodInvocation *invocation, GVariantBuilder *items,
             gsize end)
{
  g_autoptr (GVariant) list = g_variant_ref_sink (g_variant_builder_end (items));
  g_autoptr (GError) error = NULL;

  if (end <= MAX_REPLY_BYTES)
    {
      g_dbus_method_invocation_return_value (invocation, g_variant_new_tuple (&list, 1));
      return TRUE;
    }

  g_set_error (&error, STEMMA_ERROR, STEMMA_ERROR_TOO_LARGE,
               "the list of %ss takes more than the %" G_GSIZE_FORMAT
               " bytes that a message may have; read it in pages, with 'limit' and 'after'",
               stm_export_kind_to_word (scope->kind), MAX_REPLY_BYTES);
  return stm_export_refuse (invocation, error);
}

gboolean
stm_moments_list (const StmMomentScope *scope, StmListPages *pages,
                  GDBusMethodInvocation *invocation, GVariant *options)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GPtrArray) list = read_list (scope, pages, options, &error);
  GVariantBuilder paths;
  gsize end = 0;

  if (list == NULL)
    return stm_export_refuse (invocation, error);

  g_variant_builder_init (&paths, G_VARIANT_TYPE_OBJECT_PATH_ARRAY);
  for (guint i = 0; i < list->len && end <= MAX_REPLY_BYTES; i++)
    {
      const StmMoment *moment = g_ptr_array_index (list, i);
      g_autofree char *path = stm_moment_scope_path_of (scope, moment->id);
      GVariant *item = g_variant_new_object_path (path);

      g_variant_builder_add_value (&paths, item);
      end = stm_wire_end (item, end);
    }
  return answer_list (scope, invocation, &paths, end);
}

static GVariant *
make_item (const StmMomentScope *scope, StmEntryCache *cache, const char *domain_path,
           const StmMoment *moment)
{
  g_autofree char *path = stm_moment_scope_path_of (scope, moment->id);
  StmMomentView view;
  GVariant *item[2] = { NULL, NULL };

  stm_moment_view_init (&view, cache, domain_path, stm_moment_scope_get_tree (scope), moment);
  item[0] = g_variant_new_object_path (path);
  item[1] = stm_moment_view_get_all (&view);
  return g_variant_new_tuple (item, G_N_ELEMENTS (item));
}

gboolean
stm_moments_list_properties (const StmMomentScope *scope, StmListPages *pages,
                             GDBusMethodInvocation *invocation, GVariant *options)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GPtrArray) list = read_list (scope, pages, options, &error);
  g_autofree char *domain_path = stm_object_path_of_domain (scope->domain_id);
  g_autoptr (StmEntryCache) cache = stm_entry_cache_new ();
  GVariantBuilder items;
  gsize end = 0;

  if (list == NULL)
    return stm_export_refuse (invocation, error);

  g_variant_builder_init (&items, G_VARIANT_TYPE ("a(oa{sv})"));
  for (guint i = 0; i < list->len && end <= MAX_REPLY_BYTES; i++)
    {
      GVariant *item = make_item (scope, cache, domain_path, g_ptr_array_index (list, i));

      g_variant_builder_add_value (&items, item);
      end = stm_wire_pack (item, end);
    }
  return answer_list (scope, invocation, &items, end);
}
