/* Asks for plans and prints them.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "stm-cli-plan.h"

#include "stm-cli-exit.h"
#include "stm-cli-json.h"
#include "stm-cli-output.h"

GVariant *
stm_cli_plan_get (StmCliCall *call, const char *path, const char *interface, const char *method,
                  GVariant *arguments, GError **error)
{
  g_autoptr (GVariant) held = g_variant_ref_sink (arguments);
  StemmaClient *client = stm_cli_call_get_client (call, error);
  g_autoptr (GVariant) reply = NULL;

  if (client == NULL)
    return NULL;
  reply = stemma_client_call_sync (client, path, interface, method, held,
                                   G_VARIANT_TYPE ("(aa{sv})"), /* cancellable= */ NULL, error);
  return reply != NULL ? g_variant_get_child_value (reply, 0) : NULL;
}

GError *
stm_cli_plan_get_refusal (GVariant *rows)
{
  GVariantIter iter;
  GVariant *row = NULL;
  GError *refusal = NULL;

  g_variant_iter_init (&iter, rows);
  while (refusal == NULL && g_variant_iter_loop (&iter, "@a{sv}", &row))
    {
      const char *name = stm_cli_get_string (row, "error");

      if (!g_str_equal (stm_cli_get_string (row, "step"), "blocked"))
        continue;
      refusal = g_dbus_error_new_for_dbus_error (
          g_dbus_is_interface_name (name) ? name : STEMMA_BUS_NAME ".Error.Failed",
          stm_cli_get_string (row, "text"));
      g_dbus_error_strip_remote_error (refusal);
    }
  g_clear_pointer (&row, g_variant_unref);
  return refusal;
}

/* Sums of nothing are not worth a line. */
static gboolean
is_worth_a_line (GVariant *row)
{
  const char *step = stm_cli_get_string (row, "step");

  return stm_cli_get_number (row, "bytes") > 0
         || !(g_str_equal (step, "frees") || g_str_equal (step, "pause-ms"));
}

void
stm_cli_plan_print (GVariant *rows)
{
  GVariantIter iter;
  GVariant *row = NULL;
  guint n_lines = 0;

  g_variant_iter_init (&iter, rows);
  while (g_variant_iter_loop (&iter, "@a{sv}", &row))
    {
      g_autofree char *text = stm_cli_escape (stm_cli_get_string (row, "text"));

      if (!is_worth_a_line (row))
        continue;
      stm_cli_print_line ("  %s", text);
      n_lines++;
    }
  if (n_lines == 0)
    stm_cli_print_line ("  no image is touched");
}

static void
print_json (GVariant *rows, const GError *refusal)
{
  g_autoptr (JsonBuilder) builder = json_builder_new ();
  g_autofree char *name = refusal != NULL ? g_dbus_error_encode_gerror (refusal) : NULL;

  json_builder_begin_object (builder);
  stm_cli_json_add_boolean (builder, "blocked", refusal != NULL);
  stm_cli_json_add_string (builder, "error", name);
  json_builder_set_member_name (builder, "rows");
  stm_cli_json_add_value (builder, rows);
  json_builder_end_object (builder);
  stm_cli_json_print (builder);
}

gboolean
stm_cli_plan_show (StmCliCall *call, const char *path, const char *interface, const char *method,
                   GVariant *arguments, GError **error)
{
  g_autoptr (GVariant) rows = stm_cli_plan_get (call, path, interface, method, arguments, error);
  g_autoptr (GError) refusal = rows != NULL ? stm_cli_plan_get_refusal (rows) : NULL;

  if (rows == NULL)
    return FALSE;

  if (call->settings->json)
    print_json (rows, refusal);
  else if (refusal != NULL)
    {
      g_autofree char *text = stm_cli_escape (refusal->message);

      stm_cli_print_line ("  blocked: %s", text);
    }
  else
    stm_cli_plan_print (rows);
  if (refusal != NULL)
    call->status = stm_cli_exit_of (refusal);
  return TRUE;
}

gboolean
stm_cli_plan_announce (StmCliCall *call, const char *path, const char *interface,
                       const char *method, GVariant *arguments, GError **error)
{
  g_autoptr (GVariant) rows = stm_cli_plan_get (call, path, interface, method, arguments, error);
  GError *refusal = rows != NULL ? stm_cli_plan_get_refusal (rows) : NULL;

  if (rows == NULL)
    return FALSE;
  if (refusal != NULL)
    {
      g_propagate_error (error, refusal);
      return FALSE;
    }

  if (!call->settings->quiet && !call->settings->json)
    stm_cli_plan_print (rows);
  return TRUE;
}
