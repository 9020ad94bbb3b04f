/* Asks for documents and prints them.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "stm-cli-xml.h"

#include "stm-cli-json.h"

static void
print_json (const char *path, const char *xml)
{
  g_autoptr (JsonBuilder) builder = json_builder_new ();

  json_builder_begin_object (builder);
  stm_cli_json_add_string (builder, "path", path);
  stm_cli_json_add_string (builder, "xml", xml);
  json_builder_end_object (builder);
  stm_cli_json_print (builder);
}

gboolean
stm_cli_xml_print (StmCliCall *call, const char *path, const char *interface, GVariant *options,
                   GError **error)
{
  const char *method = stm_cli_call_flag (call, "secure") ? "GetSecureXML" : "GetXML";
  g_autoptr (GVariant) arguments = g_variant_ref_sink (g_variant_new ("(@a{sv})", options));
  StemmaClient *client = stm_cli_call_get_client (call, error);
  g_autoptr (GVariant) reply = NULL;
  const char *xml = NULL;

  if (client == NULL)
    return FALSE;
  reply = stemma_client_call_sync (client, path, interface, method, arguments,
                                   G_VARIANT_TYPE ("(s)"), /* cancellable= */ NULL, error);
  if (reply == NULL)
    return FALSE;

  g_variant_get (reply, "(&s)", &xml);
  if (call->settings->json)
    print_json (path, xml);
  else
    g_print ("%s%s", xml, g_str_has_suffix (xml, "\n") ? "" : "\n");
  return TRUE;
}
