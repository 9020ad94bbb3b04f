/* stemmactl snapshot|checkpoint create, describe, xml.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "stm-cli-moment.h"

#include "stemma-error.h"
#include "stm-cli-file.h"
#include "stm-cli-output.h"
#include "stm-cli-plan.h"
#include "stm-cli-wait.h"
#include "stm-cli-xml.h"

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
  return stm_cli_plan_show (call, domain, list_interface_of (call), "PlanCreate",
                            g_variant_new ("(sa{sv})", xml, builder), error);
}

/* By the name and the options of the command line. */
static gboolean
create_named (StmCliCall *call, const char *domain, GVariantBuilder *builder, GError **error)
{
  const char *name = call->n_words > 1 ? call->words[1] : "";

  if (!call->is_plan)
    return create (call, domain, "Create", name, g_variant_builder_end (builder), error);
  if (*name != '\0')
    g_variant_builder_add (builder, "{sv}", "name", g_variant_new_string (name));
  return plan_create (call, domain, "", builder, error);
}

static gboolean
create_from (StmCliCall *call, const char *domain, const char *xml, GVariantBuilder *builder,
             GError **error)
{
  return call->is_plan
             ? plan_create (call, domain, xml, builder, error)
             : create (call, domain, "CreateXML", xml, g_variant_builder_end (builder), error);
}

/* Name and choices stand in the document. */
static gboolean
check_document_alone (const StmCliCall *call, GError **error)
{
  const char *option = stm_cli_call_find_choice (call);

  if (call->n_words > 1)
    g_set_error_literal (error, STEMMA_ERROR, STEMMA_ERROR_INVALID_ARGUMENT,
                         "with --xml the name comes from the document");
  else if (option != NULL)
    g_set_error (error, STEMMA_ERROR, STEMMA_ERROR_INVALID_ARGUMENT,
                 "with --xml everything comes from the document: leave --%s out", option);
  return call->n_words <= 1 && option == NULL;
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
  if (file != NULL && !check_document_alone (call, error))
    return FALSE;

  xml = file != NULL ? stm_cli_file_read_text (file, error) : NULL;
  if (file != NULL && xml == NULL)
    return FALSE;
  if (xml == NULL)
    return create_named (call, domain, &builder, error);
  if (create_from (call, domain, xml, &builder, error))
    return TRUE;
  stm_cli_file_blame (file, error);
  return FALSE;
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

gboolean
stm_cli_moment_run_xml (StmCliCall *call, GError **error)
{
  g_autofree char *domain = stm_cli_call_find_domain (call, 0, error);
  g_autofree char *path = domain != NULL ? stm_cli_call_find_moment (call, domain, 1, error) : NULL;
  g_auto (GVariantBuilder) builder = G_VARIANT_BUILDER_INIT (G_VARIANT_TYPE_VARDICT);

  if (path == NULL || !stm_cli_call_add_options (call, domain, &builder, error))
    return FALSE;
  return stm_cli_xml_print (call, path, stemma_kind_to_interface (call->command->kind),
                            g_variant_builder_end (&builder), error);
}
