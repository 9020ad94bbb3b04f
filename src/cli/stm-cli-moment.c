/* stemmactl snapshot|checkpoint create, delete, forget, describe, xml.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "stm-cli-moment.h"

#include "stemma-error.h"
#include "stemma-tree.h"
#include "stm-cli-file.h"
#include "stm-cli-json.h"
#include "stm-cli-output.h"
#include "stm-cli-plan.h"
#include "stm-cli-terminal.h"
#include "stm-cli-wait.h"

static const char *
word_of (const StmCliCall *call)
{
  return stemma_kind_to_word (call->command->kind);
}

static const char *
list_interface_of (const StmCliCall *call)
{
  return stemma_kind_to_list_interface (call->command->kind);
}

char *
stm_cli_moment_phrase (const StmCliCall *call)
{
  return g_strdup_printf ("%s '%s' of '%s'", word_of (call), call->words[1], call->words[0]);
}

/* The name that was given, or that the service chose. */
static char *
name_of_new (StmCliCall *call, const char *path)
{
  g_autoptr (GVariant) properties = stemma_client_get_properties_sync (
      call->client, path, stemma_kind_to_interface (call->command->kind), NULL, NULL);

  if (properties != NULL)
    return g_strdup (stm_cli_get_string (properties, "Name"));
  return g_strdup (call->n_words > 1 ? call->words[1] : "");
}

static gboolean
create (StmCliCall *call, const char *domain, const char *method, const char *text,
        GVariant *options, GError **error)
{
  g_auto (StmCliOutcome) outcome = { 0 };
  const StemmaOperation operation = {
    .path = domain,
    .interface = list_interface_of (call),
    .method = method,
    .arguments = g_variant_new ("(s@a{sv})", text, options),
    .reply_type = G_VARIANT_TYPE ("(oo)"),
  };
  g_autofree char *name = NULL;
  const char *path = "/";

  if (!stm_cli_run_operation (call, &operation, &outcome, error))
    return FALSE;

  if (outcome.reply != NULL)
    g_variant_get (outcome.reply, "(&o&o)", &path, NULL);
  name = name_of_new (call, path);
  stm_cli_tell (call, path, name, &outcome, "Made %s '%s' of '%s'", word_of (call), name,
                call->words[0]);
  return TRUE;
}

static gboolean
plan_create (StmCliCall *call, const char *domain, const char *xml, GVariantBuilder *builder,
             GError **error)
{
  if (xml == NULL && call->n_words > 1)
    g_variant_builder_add (builder, "{sv}", "name", g_variant_new_string (call->words[1]));
  return stm_cli_plan_show (call, domain, list_interface_of (call), "PlanCreate",
                            g_variant_new ("(sa{sv})", xml != NULL ? xml : "", builder), error);
}

gboolean
stm_cli_moment_run_create (StmCliCall *call, GError **error)
{
  g_autofree char *domain = stm_cli_call_find_domain (call, 0, error);
  g_auto (GVariantBuilder) builder = G_VARIANT_BUILDER_INIT (G_VARIANT_TYPE_VARDICT);
  const char *file = stm_cli_call_text (call, "xml");
  g_autofree char *xml = NULL;

  if (domain == NULL || !stm_cli_call_add_options (call, domain, &builder, error))
    return FALSE;
  if (file != NULL && call->n_words > 1)
    {
      g_set_error_literal (error, STEMMA_ERROR, STEMMA_ERROR_INVALID_ARGUMENT,
                           "with --xml the name comes from the document");
      return FALSE;
    }

  xml = file != NULL ? stm_cli_file_read_text (file, error) : NULL;
  if (file != NULL && xml == NULL)
    return FALSE;
  if (call->is_plan)
    return plan_create (call, domain, xml, &builder, error);
  if (xml != NULL)
    return create (call, domain, "CreateXML", xml, g_variant_builder_end (&builder), error);
  return create (call, domain, "Create", call->n_words > 1 ? call->words[1] : "",
                 g_variant_builder_end (&builder), error);
}

/* The paths of all moments that the arguments name, before any of them goes. */
static GPtrArray *
find_all (StmCliCall *call, const char *domain, GError **error)
{
  g_autoptr (GPtrArray) paths = g_ptr_array_new_with_free_func (g_free);

  for (guint i = 1; i < call->n_words; i++)
    {
      char *path = stm_cli_call_find_moment (call, domain, i, error);

      if (path == NULL)
        return NULL;
      g_ptr_array_add (paths, path);
    }
  return g_steal_pointer (&paths);
}

/* How many moments go. 0 with error. */
static guint
count_all (StmCliCall *call, const char *domain, GPtrArray *paths, GError **error)
{
  gboolean only = stm_cli_call_flag (call, "children-only");
  g_autoptr (StemmaTree) tree = NULL;
  guint n_moments = only ? 0 : paths->len;

  if (!only && !stm_cli_call_flag (call, "children"))
    return n_moments;

  tree = stemma_tree_read_sync (call->client, call->command->kind, domain, NULL, error);
  if (tree == NULL)
    return 0;
  for (guint i = 0; i < paths->len; i++)
    {
      const StemmaNode *node = stemma_tree_find (tree, paths->pdata[i]);

      n_moments += node != NULL ? stemma_tree_count_below (node) : 0;
    }
  return MAX (n_moments, 1);
}

static gboolean
may_delete (StmCliCall *call, const char *domain, GPtrArray *paths, GVariant *options,
            GError **error)
{
  guint n_moments = count_all (call, domain, paths, error);
  g_autofree char *what = g_strdup_printf ("deleting %u %ss of '%s'", n_moments, word_of (call),
                                           call->words[0]);

  if (n_moments == 0)
    return FALSE;
  for (guint i = 0; i < paths->len; i++)
    {
      if (paths->len > 1 && !call->settings->quiet && !call->settings->json)
        stm_cli_print_line ("%s '%s':", word_of (call), call->words[i + 1]);
      if (!stm_cli_plan_announce (call, paths->pdata[i],
                                  stemma_kind_to_interface (call->command->kind), "PlanDelete",
                                  g_variant_new ("(@a{sv})", options), error))
        return FALSE;
    }
  return n_moments == 1 || stm_cli_confirm (call, what, error);
}

/* Whether it went already, with one before it. */
static gboolean
is_gone (StmCliCall *call, const char *path)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GVariant) properties = stemma_client_get_properties_sync (
      call->client, path, stemma_kind_to_interface (call->command->kind), NULL, &error);

  return properties == NULL && g_error_matches (error, STEMMA_ERROR, STEMMA_ERROR_NOT_FOUND);
}

static gboolean
delete_one (StmCliCall *call, const char *path, const char *name, GVariant *options, GError **error)
{
  g_auto (StmCliOutcome) outcome = { 0 };
  const StemmaOperation operation = {
    .path = path,
    .interface = stemma_kind_to_interface (call->command->kind),
    .method = "Delete",
    .arguments = g_variant_new ("(@a{sv})", options),
    .reply_type = G_VARIANT_TYPE ("(o)"),
  };
  const char *verb = stm_cli_call_flag (call, "children-only")     ? "Deleted what stood on"
                     : g_str_equal (call->command->verb, "forget") ? "Forgot"
                                                                   : "Deleted";

  if (!stm_cli_run_operation (call, &operation, &outcome, error))
    return FALSE;
  stm_cli_tell (call, path, name, &outcome, "%s %s '%s' of '%s'", verb, word_of (call), name,
                call->words[0]);
  return TRUE;
}

/* One after another; what goes stays gone when a later one fails. */
static gboolean
delete_all (StmCliCall *call, GPtrArray *paths, GVariant *options, GError **error)
{
  for (guint i = 0; i < paths->len; i++)
    {
      const char *name = call->words[i + 1];

      if (i > 0 && is_gone (call, paths->pdata[i]))
        continue;
      if (!delete_one (call, paths->pdata[i], name, options, error))
        return FALSE;
    }
  return TRUE;
}

static gboolean
plan_delete (StmCliCall *call, GPtrArray *paths, GVariant *options, GError **error)
{
  if (paths->len > 1)
    {
      g_set_error (error, STEMMA_ERROR, STEMMA_ERROR_INVALID_ARGUMENT,
                   "a plan is made for one %s at a time", word_of (call));
      return FALSE;
    }
  return stm_cli_plan_show (call, paths->pdata[0], stemma_kind_to_interface (call->command->kind),
                            "PlanDelete", g_variant_new ("(@a{sv})", options), error);
}

gboolean
stm_cli_moment_run_delete (StmCliCall *call, GError **error)
{
  g_autofree char *domain = stm_cli_call_find_domain (call, 0, error);
  g_autoptr (GPtrArray) paths = domain != NULL ? find_all (call, domain, error) : NULL;
  g_auto (GVariantBuilder) builder = G_VARIANT_BUILDER_INIT (G_VARIANT_TYPE_VARDICT);
  g_autoptr (GVariant) options = NULL;

  if (paths == NULL || !stm_cli_call_add_options (call, domain, &builder, error))
    return FALSE;

  options = g_variant_ref_sink (g_variant_builder_end (&builder));
  if (call->is_plan)
    return plan_delete (call, paths, options, error);
  return may_delete (call, domain, paths, options, error)
         && delete_all (call, paths, options, error);
}

static gboolean
forget_everything (StmCliCall *call, const char *domain, GError **error)
{
  g_autofree char *what = g_strdup_printf ("forgetting all %ss of '%s', their images stay,",
                                           word_of (call), call->words[0]);
  g_autoptr (GVariant) reply = NULL;

  if (!stm_cli_confirm (call, what, error))
    return FALSE;

  reply = stemma_client_call_sync (call->client, domain, list_interface_of (call), "ForgetAll",
                                   g_variant_new ("(@a{sv})", stm_cli_no_options ()),
                                   /* reply_type= */ NULL, /* cancellable= */ NULL, error);
  if (reply == NULL)
    return FALSE;
  stm_cli_tell (call, domain, call->words[0], /* outcome= */ NULL, "Forgot all %ss of '%s'",
                word_of (call), call->words[0]);
  return TRUE;
}

gboolean
stm_cli_moment_run_forget (StmCliCall *call, GError **error)
{
  g_autofree char *domain = stm_cli_call_find_domain (call, 0, error);
  g_autoptr (GPtrArray) paths = NULL;
  g_autoptr (GVariant)
      options = g_variant_ref_sink (g_variant_new_parsed ("{'metadata-only': <true>}"));

  if (domain == NULL)
    return FALSE;
  if (call->n_words == 1)
    return forget_everything (call, domain, error);

  paths = find_all (call, domain, error);
  return paths != NULL && may_delete (call, domain, paths, options, error)
         && delete_all (call, paths, options, error);
}

gboolean
stm_cli_moment_run_describe (StmCliCall *call, GError **error)
{
  g_autofree char *domain = stm_cli_call_find_domain (call, 0, error);
  g_autofree char *path = domain != NULL ? stm_cli_call_find_moment (call, domain, 1, error) : NULL;
  g_autofree char *phrase = stm_cli_moment_phrase (call);
  g_autoptr (GVariant) reply = NULL;

  if (path == NULL)
    return FALSE;

  reply = stemma_client_call_sync (
      call->client, path, stemma_kind_to_interface (call->command->kind), "SetDescription",
      g_variant_new ("(s@a{sv})", call->words[2], stm_cli_no_options ()), /* reply_type= */ NULL,
      /* cancellable= */ NULL, error);
  if (reply == NULL)
    return FALSE;
  stm_cli_tell (call, path, call->words[1], /* outcome= */ NULL, "Described %s", phrase);
  return TRUE;
}

static void
print_json_xml (const char *path, const char *xml)
{
  g_autoptr (JsonBuilder) builder = json_builder_new ();

  json_builder_begin_object (builder);
  stm_cli_json_add_string (builder, "path", path);
  stm_cli_json_add_string (builder, "xml", xml);
  json_builder_end_object (builder);
  stm_cli_json_print (builder);
}

gboolean
stm_cli_moment_run_xml (StmCliCall *call, GError **error)
{
  g_autofree char *domain = stm_cli_call_find_domain (call, 0, error);
  g_autofree char *path = domain != NULL ? stm_cli_call_find_moment (call, domain, 1, error) : NULL;
  g_auto (GVariantBuilder) builder = G_VARIANT_BUILDER_INIT (G_VARIANT_TYPE_VARDICT);
  g_autoptr (GVariant) reply = NULL;
  const char *xml = NULL;

  if (path == NULL || !stm_cli_call_add_options (call, domain, &builder, error))
    return FALSE;

  reply = stemma_client_call_sync (
      call->client, path, stemma_kind_to_interface (call->command->kind),
      stm_cli_call_flag (call, "secure") ? "GetSecureXML" : "GetXML",
      g_variant_new ("(a{sv})", &builder), G_VARIANT_TYPE ("(s)"), /* cancellable= */ NULL, error);
  if (reply == NULL)
    return FALSE;

  g_variant_get (reply, "(&s)", &xml);
  if (call->settings->json)
    print_json_xml (path, xml);
  else
    g_print ("%s%s", xml, g_str_has_suffix (xml, "\n") ? "" : "\n");
  return TRUE;
}
