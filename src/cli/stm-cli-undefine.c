/* stemmactl undefine: once a machine is forgotten nothing tells any more which image holds the
 * state of which disk, so that is told before it and after it.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "stm-cli-undefine.h"

#include "stm-cli-disk.h"
#include "stm-cli-json.h"
#include "stm-cli-output.h"
#include "stm-cli-plan.h"
#include "stm-cli-terminal.h"
#include "stm-cli-wait.h"

/* Whether snapshots and checkpoints go with it. */
static gboolean
takes_moments (const StmCliCall *call)
{
  const char *moments = stm_cli_call_text (call, "moments");

  return moments != NULL && !g_str_equal (moments, "refuse");
}

/* "vda: the present state is in /images/a.qcow2"; to be freed */
static char *
state_text (GVariant *state, const char *verb)
{
  return g_strdup_printf ("%s: the present state %s in %s", stm_cli_get_string (state, "target"),
                          verb, stm_cli_get_string (state, "source"));
}

static GVariant *
state_to_row (GVariant *state)
{
  g_autofree char *text = state_text (state, "will be");

  return stm_cli_plan_row_new ("state", stm_cli_get_string (state, "source"), 0, text);
}

/* The plan with a row `state` for each disk; a plan that is blocked as it is. */
static GVariant *
add_states (GVariant *rows, GVariant *states)
{
  g_autoptr (GError) refusal = stm_cli_plan_get_refusal (rows);
  g_auto (GVariantBuilder) builder = G_VARIANT_BUILDER_INIT (G_VARIANT_TYPE ("aa{sv}"));
  GVariantIter iter;
  GVariant *row = NULL;

  if (refusal != NULL)
    return g_variant_ref (rows);

  g_variant_iter_init (&iter, rows);
  while (g_variant_iter_loop (&iter, "@a{sv}", &row))
    g_variant_builder_add_value (&builder, row);
  g_variant_iter_init (&iter, states);
  while (g_variant_iter_loop (&iter, "@a{sv}", &row))
    g_variant_builder_add_value (&builder, state_to_row (row));
  return g_variant_ref_sink (g_variant_builder_end (&builder));
}

static void
tell (StmCliCall *call, const char *path, const StmCliOutcome *outcome, GVariant *states)
{
  g_autoptr (JsonBuilder) builder = json_builder_new ();
  GVariantIter iter;
  GVariant *state = NULL;

  if (call->settings->json)
    {
      stm_cli_outcome_begin_json (builder, path, call->words[0], outcome);
      json_builder_set_member_name (builder, "disks");
      stm_cli_json_add_value (builder, states);
      json_builder_end_object (builder);
      stm_cli_json_print (builder);
      return;
    }

  stm_cli_tell (call, path, call->words[0], outcome, "Undefined '%s'", call->words[0]);
  g_variant_iter_init (&iter, states);
  while (!call->settings->quiet && g_variant_iter_loop (&iter, "@a{sv}", &state))
    {
      g_autofree char *text = state_text (state, outcome->result != NULL ? "is" : "will be");
      g_autofree char *shown = stm_cli_escape (text);

      stm_cli_print_line ("  %s", shown);
    }
}

/* Asks when snapshots and checkpoints go with it. */
static gboolean
may_undefine (StmCliCall *call, GVariant *rows, GError **error)
{
  gboolean deletes = g_strcmp0 (stm_cli_call_text (call, "moments"), "delete") == 0;
  g_autofree char *what = g_strdup_printf ("undefining '%s' and %s all its snapshots and "
                                           "checkpoints",
                                           call->words[0], deletes ? "deleting" : "forgetting");

  return stm_cli_plan_announce_rows (call, rows, error) && stm_cli_confirm (call, what, error);
}

static gboolean
undefine (StmCliCall *call, const char *path, GVariant *options, GVariant *states, GError **error)
{
  g_auto (StmCliOutcome) outcome = { 0 };
  const StemmaOperation operation = {
    .path = path,
    .interface = "Domain",
    .method = "Undefine",
    .arguments = g_variant_new ("(@a{sv})", options),
    .reply_type = G_VARIANT_TYPE ("(o)"),
  };

  if (!stm_cli_run_operation (call, &operation, &outcome, error))
    return FALSE;
  tell (call, path, &outcome, states);
  return TRUE;
}

/* The plan, and in `out_states` where the disks are once it is done. NULL with error. */
static GVariant *
read_plan (StmCliCall *call, const char *path, GVariant *options, GVariant *disks,
           GVariant **out_states, GError **error)
{
  g_autoptr (GVariant) rows = stm_cli_plan_get (call, path, "Domain", "PlanUndefine",
                                                g_variant_new ("(@a{sv})", options), error);

  if (rows == NULL)
    return NULL;
  *out_states = stm_cli_disk_foresee (disks, rows);
  return add_states (rows, *out_states);
}

gboolean
stm_cli_run_undefine (StmCliCall *call, GError **error)
{
  g_autofree char *path = stm_cli_call_find_domain (call, 0, error);
  g_auto (GVariantBuilder) builder = G_VARIANT_BUILDER_INIT (G_VARIANT_TYPE_VARDICT);
  g_autoptr (GVariant) options = NULL;
  g_autoptr (GVariant) disks = NULL;
  g_autoptr (GVariant) states = NULL;
  g_autoptr (GVariant) rows = NULL;

  if (path == NULL || !stm_cli_call_add_options (call, path, &builder, error))
    return FALSE;
  options = g_variant_ref_sink (g_variant_builder_end (&builder));
  disks = stm_cli_disk_read_all (call->client, path, error);
  if (disks == NULL)
    return FALSE;

  if (!call->is_plan && !takes_moments (call))
    {
      states = stm_cli_disk_foresee (disks, /* rows= */ NULL);
      return undefine (call, path, options, states, error);
    }
  rows = read_plan (call, path, options, disks, &states, error);
  if (rows == NULL)
    return FALSE;
  if (call->is_plan)
    return stm_cli_plan_show_rows (call, rows);
  return may_undefine (call, rows, error) && undefine (call, path, options, states, error);
}
