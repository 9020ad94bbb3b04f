/* stemmactl check, resolve.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "stm-cli-exit.h"
#include "stm-cli-json.h"
#include "stm-cli-nouns.h"
#include "stm-cli-object.h"
#include "stm-cli-output.h"
#include "stm-cli-wait.h"

/* "retry, abandon"; NULL when there is nothing to choose. */
static char *
choices_text (GVariant *finding)
{
  g_autofree const char **choices = NULL;

  if (!g_variant_lookup (finding, "choices", "^a&s", &choices) || *choices == NULL)
    return NULL;
  return g_strjoinv (", ", (char **) choices);
}

static void
print_finding (StemmaClient *client, GHashTable *names, GVariant *finding)
{
  g_autofree char *title = stm_cli_object_title (names, client,
                                                 stm_cli_get_string (finding, "object"));
  g_autofree char *head = g_strdup_printf ("%s  %s  %s", stm_cli_get_string (finding, "id"),
                                           stm_cli_get_string (finding, "kind"), title);
  g_autofree char *shown = stm_cli_escape (head);
  g_autofree char *text = stm_cli_escape (stm_cli_get_string (finding, "text"));
  g_autofree char *joined = choices_text (finding);
  g_autofree char *choices = joined != NULL ? stm_cli_escape (joined) : NULL;

  stm_cli_print_line ("%s", shown);
  stm_cli_print_line ("  %s", text);
  if (choices != NULL)
    stm_cli_print_line ("  resolve by: %s", choices);
}

static void
print_findings (StemmaClient *client, GVariant *findings)
{
  g_autoptr (GHashTable) names = stm_cli_object_names_new ();
  GVariantIter iter;
  GVariant *finding = NULL;

  g_variant_iter_init (&iter, findings);
  while (g_variant_iter_loop (&iter, "@a{sv}", &finding))
    print_finding (client, names, finding);
}

static gboolean
run_check (StmCliCall *call, GError **error)
{
  StemmaClient *client = stm_cli_call_get_client (call, error);
  g_autoptr (GVariant) reply = NULL;
  g_autoptr (GVariant) findings = NULL;
  g_autoptr (JsonBuilder) builder = json_builder_new ();

  if (client == NULL)
    return FALSE;
  reply = stemma_client_call_sync (client, STEMMA_PATH_MANAGER, "Manager", "Check",
                                   g_variant_new ("(@a{sv})", stm_cli_no_options ()),
                                   G_VARIANT_TYPE ("(aa{sv})"), /* cancellable= */ NULL, error);
  if (reply == NULL)
    return FALSE;

  findings = g_variant_get_child_value (reply, 0);
  if (call->settings->json)
    {
      stm_cli_json_add_value (builder, findings);
      stm_cli_json_print (builder);
    }
  else if (g_variant_n_children (findings) > 0)
    print_findings (client, findings);
  else if (!call->settings->quiet)
    stm_cli_print_line ("Records and images agree");
  if (g_variant_n_children (findings) > 0)
    call->status = STM_CLI_EXIT_FINDINGS;
  return TRUE;
}

static gboolean
run_resolve (StmCliCall *call, GError **error)
{
  g_auto (StmCliOutcome) outcome = { 0 };
  const StemmaOperation operation = {
    .path = STEMMA_PATH_MANAGER,
    .interface = "Manager",
    .method = "Resolve",
    .arguments = g_variant_new ("(ss@a{sv})", call->words[0], call->words[1],
                                stm_cli_no_options ()),
    .reply_type = G_VARIANT_TYPE ("(o)"),
  };

  if (!stm_cli_run_operation (call, &operation, &outcome, error))
    return FALSE;
  stm_cli_tell (call, STEMMA_PATH_MANAGER, call->words[0], &outcome, "Settled '%s' by %s",
                call->words[0], call->words[1]);
  return TRUE;
}

const StmCliCommand stm_cli_check_commands[] = {
  { NULL, "check", "", "Compare all records with the images", NULL, run_check },
  { NULL, "resolve", "FINDING CHOICE", "Settle a finding of 'check'", NULL, run_resolve },
  { NULL, NULL },
};
