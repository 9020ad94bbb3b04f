/* stemmactl snapshot: what its commands take; revert and rename.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "stemma-error.h"
#include "stm-cli-moment.h"
#include "stm-cli-nouns.h"
#include "stm-cli-output.h"
#include "stm-cli-plan.h"
#include "stm-cli-terminal.h"
#include "stm-cli-wait.h"

/* The command's options, and one more when `key` is not NULL. NULL with error; takes the value. */
static GVariant *
revert_options (StmCliCall *call, const char *domain, const char *key, GVariant *value,
                GError **error)
{
  g_auto (GVariantBuilder) builder = G_VARIANT_BUILDER_INIT (G_VARIANT_TYPE_VARDICT);

  if (key != NULL)
    g_variant_builder_add (&builder, "{sv}", key, value);
  if (!stm_cli_call_add_options (call, domain, &builder, error))
    return NULL;
  return g_variant_ref_sink (g_variant_builder_end (&builder));
}

static gboolean
show_loss (StmCliCall *call, const char *domain, const char *path, const GError *refusal,
           GError **error)
{
  g_autofree char *shown = stm_cli_escape (refusal->message);
  g_autoptr (GVariant)
      options = revert_options (call, domain, "discard", g_variant_new_boolean (TRUE), error);
  g_autoptr (GVariant) rows = options == NULL
                                  ? NULL
                                  : stm_cli_plan_get (call, path, "Snapshot", "PlanRevert",
                                                      g_variant_new ("(@a{sv})", options), error);

  if (rows == NULL)
    return FALSE;
  stm_cli_print_line ("%s", shown);
  stm_cli_print_line ("To discard it would:");
  stm_cli_plan_print (rows);
  return TRUE;
}

/* Asks what becomes of the state that would be lost: options with the answer; NULL with error. */
static GVariant *
ask_unsaved (StmCliCall *call, const char *domain, const char *path, const GError *refusal,
             GError **error)
{
  g_autofree char *answer = NULL;
  g_autofree char *name = NULL;

  if (call->settings->json || !stm_cli_can_ask ())
    {
      g_propagate_error (error, g_error_copy (refusal));
      return NULL;
    }
  if (!show_loss (call, domain, path, refusal, error))
    return NULL;

  answer = stm_cli_ask_line ("[k]eep it as a snapshot, [d]iscard it, or [a]bort? ");
  if (answer != NULL && g_ascii_tolower (*answer) == 'd')
    return revert_options (call, domain, "discard", g_variant_new_boolean (TRUE), error);
  if (answer != NULL && g_ascii_tolower (*answer) == 'k')
    name = stm_cli_ask_line ("Name of the snapshot: ");
  if (name != NULL && *name != '\0')
    return revert_options (call, domain, "keep", g_variant_new_string (name), error);

  g_set_error_literal (error, STEMMA_ERROR, STEMMA_ERROR_CANCELLED, "nothing was done");
  return NULL;
}

/* Shows the plan; asks when something would be lost. The options to revert with. */
static GVariant *
settle_options (StmCliCall *call, const char *domain, const char *path, GError **error)
{
  g_autoptr (GVariant) options = revert_options (call, domain, NULL, NULL, error);
  g_autoptr (GError) refusal = NULL;

  if (options == NULL)
    return NULL;
  if (stm_cli_plan_announce (call, path, "Snapshot", "PlanRevert",
                             g_variant_new ("(@a{sv})", options), &refusal))
    return g_steal_pointer (&options);
  if (g_error_matches (refusal, STEMMA_ERROR, STEMMA_ERROR_UNSAVED_STATE))
    return ask_unsaved (call, domain, path, refusal, error);

  g_propagate_error (error, g_steal_pointer (&refusal));
  return NULL;
}

static gboolean
plan_revert (StmCliCall *call, const char *domain, const char *path, GError **error)
{
  g_autoptr (GVariant) options = revert_options (call, domain, NULL, NULL, error);

  return options != NULL
         && stm_cli_plan_show (call, path, "Snapshot", "PlanRevert",
                               g_variant_new ("(@a{sv})", options), error);
}

static gboolean
run_revert (StmCliCall *call, GError **error)
{
  g_autofree char *domain = stm_cli_call_find_domain (call, 0, error);
  g_autofree char *path = domain != NULL ? stm_cli_call_find_moment (call, domain, 1, error) : NULL;
  g_autoptr (GVariant) options = NULL;
  g_auto (StmCliOutcome) outcome = { 0 };
  StemmaOperation operation = {
    .path = path,
    .interface = "Snapshot",
    .method = "Revert",
    .reply_type = G_VARIANT_TYPE ("(o)"),
  };

  if (path == NULL)
    return FALSE;
  if (call->is_plan)
    return plan_revert (call, domain, path, error);

  options = settle_options (call, domain, path, error);
  if (options == NULL)
    return FALSE;
  operation.arguments = g_variant_new ("(@a{sv})", options);
  if (!stm_cli_run_operation (call, &operation, &outcome, error))
    return FALSE;
  stm_cli_tell (call, path, call->words[1], &outcome, "Reverted '%s' to snapshot '%s'",
                call->words[0], call->words[1]);
  return TRUE;
}

static gboolean
run_rename (StmCliCall *call, GError **error)
{
  g_autofree char *domain = stm_cli_call_find_domain (call, 0, error);
  g_autofree char *path = domain != NULL ? stm_cli_call_find_moment (call, domain, 1, error) : NULL;
  g_autofree char *phrase = stm_cli_moment_phrase (call);
  g_autoptr (GVariant) reply = NULL;

  if (path == NULL)
    return FALSE;

  reply = stemma_client_call_sync (
      call->client, path, "Snapshot", "Rename",
      g_variant_new ("(s@a{sv})", call->words[2], stm_cli_no_options ()), /* reply_type= */ NULL,
      /* cancellable= */ NULL, error);
  if (reply == NULL)
    return FALSE;
  stm_cli_tell (call, path, call->words[2], /* outcome= */ NULL, "Renamed %s to '%s'", phrase,
                call->words[2]);
  return TRUE;
}

static const StmCliOption create_options[] = {
  { "description", STM_CLI_TEXT, "TEXT", "A description", "description" },
  { "disk", STM_CLI_LIST, "TARGET", "Only this disk; may be given several times", "disks" },
  { "mode", STM_CLI_TEXT, "WORD", "Where the state is kept: external (default) or internal", "mode",
    "external internal" },
  { "quiesce", STM_CLI_TEXT, "WORD",
    "Bring the guest's file systems to rest when it runs: no (default) or try", "quiesce",
    "no try" },
  { "checkpoint", STM_CLI_TEXT, "NAME", "Begin a checkpoint of this name at the same instant",
    "checkpoint" },
  { "xml", STM_CLI_TEXT, "FILE", "Take everything from a libvirt document; - reads stdin", NULL },
  { NULL },
};

static const StmCliOption list_options[] = {
  { "roots", STM_CLI_FLAG, NULL, "Only those without a parent", "roots" },
  { "leaves", STM_CLI_FLAG, NULL, "Only those without children", "leaves" },
  { "from", STM_CLI_MOMENT, "SNAPSHOT", "Only the children of this one", "from" },
  { "descendants", STM_CLI_FLAG, NULL, "With --from: all that stand on it", "descendants" },
  { "state", STM_CLI_LIST, "WORD", "Only those in this state; may be given several times", "states",
    "creating running paused shutoff disk-only deleting" },
  { "location", STM_CLI_TEXT, "WORD", "Only those of this location: internal, external, mixed",
    "location", "internal external mixed" },
  { "topological", STM_CLI_FLAG, NULL, "Each parent before its children", "topological" },
  { "after", STM_CLI_MOMENT, "SNAPSHOT", "Only what follows this one in the order", "after" },
  { "limit", STM_CLI_NUMBER, "N", "At most so many, 1 or more", "limit" },
  { NULL },
};

static const StmCliOption revert_options_table[] = {
  { "keep", STM_CLI_TEXT, "NAME", "Make a snapshot of this name of the state being left", "keep" },
  { "discard", STM_CLI_FLAG, NULL, "Throw the state being left away", "discard" },
  { "force", STM_CLI_FLAG, NULL, "Go on where there is a risk", "force" },
  { NULL },
};

static const StmCliOption delete_options[] = {
  { "children", STM_CLI_FLAG, NULL, "With all that stand on it", "children" },
  { "children-only", STM_CLI_FLAG, NULL, "All that stand on it, not itself", "children-only" },
  { "metadata-only", STM_CLI_FLAG, NULL, "Forget it, touch no image", "metadata-only" },
  { NULL },
};

static const StmCliOption redefine_options[] = {
  { "current", STM_CLI_TEXT, "NAME", "Make the snapshot of this name the current one", "current" },
  { "validate", STM_CLI_FLAG, NULL, "Look whether the images have what the documents say",
    "validate" },
  { NULL },
};

static const StmCliOption xml_options[] = {
  { "no-domain", STM_CLI_FLAG, NULL, "Without the definition of the machine", "no-domain" },
  { "secure", STM_CLI_FLAG, NULL, "With passwords and secrets", NULL },
  { NULL },
};

const StmCliCommand stm_cli_snapshot_commands[] = {
  { "snapshot", "create", "VM [NAME]", "Make a snapshot of the present state", create_options,
    stm_cli_moment_run_create, STEMMA_KIND_SNAPSHOT, TRUE },
  { "snapshot", "list", "VM", "List snapshots", list_options, stm_cli_moment_run_list,
    STEMMA_KIND_SNAPSHOT },
  { "snapshot", "tree", "VM", "Draw the tree of snapshots", NULL, stm_cli_moment_run_tree,
    STEMMA_KIND_SNAPSHOT },
  { "snapshot", "revert", "VM SNAPSHOT", "Bring the disks back to a snapshot", revert_options_table,
    run_revert, STEMMA_KIND_SNAPSHOT, TRUE },
  { "snapshot", "delete", "VM SNAPSHOT...", "Delete snapshots; the others keep their content",
    delete_options, stm_cli_moment_run_delete, STEMMA_KIND_SNAPSHOT, TRUE },
  { "snapshot", "redefine", "VM FILE...", "Take snapshots over from libvirt documents",
    redefine_options, stm_cli_moment_run_redefine, STEMMA_KIND_SNAPSHOT },
  { "snapshot", "forget", "VM [SNAPSHOT...]", "Forget snapshots, or all; touches no image", NULL,
    stm_cli_moment_run_forget, STEMMA_KIND_SNAPSHOT },
  { "snapshot", "rename", "VM SNAPSHOT NAME", "Give a snapshot another name", NULL, run_rename,
    STEMMA_KIND_SNAPSHOT },
  { "snapshot", "describe", "VM SNAPSHOT TEXT", "Give a snapshot another description", NULL,
    stm_cli_moment_run_describe, STEMMA_KIND_SNAPSHOT },
  { "snapshot", "show", "VM SNAPSHOT", "Show a snapshot", NULL, stm_cli_moment_run_show,
    STEMMA_KIND_SNAPSHOT },
  { "snapshot", "xml", "VM SNAPSHOT", "Print a snapshot as a libvirt document", xml_options,
    stm_cli_moment_run_xml, STEMMA_KIND_SNAPSHOT },
  { NULL, NULL },
};
