/* Builds and prints JSON.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "stm-cli-json.h"

static char *
key_of (const char *name)
{
  GString *key = g_string_new (NULL);

  for (const char *at = name; *at != '\0'; at++)
    {
      if (g_ascii_isupper (*at) && at != name)
        g_string_append_c (key, '-');
      g_string_append_c (key, g_ascii_tolower (*at));
    }
  return g_string_free (key, FALSE);
}

/* Values nest as deep as the types of the contract do, aa{sv}: variants within variants are not
 * followed further. */
static void
add_leaf (JsonBuilder *builder, GVariant *value)
{
  g_autoptr (JsonNode) node = json_gvariant_serialize (value);

  json_builder_add_value (builder, g_steal_pointer (&node));
}

void
stm_cli_json_add_members (JsonBuilder *builder, GVariant *properties)
{
  GVariantIter iter;
  const char *name = NULL;
  GVariant *value = NULL;

  g_variant_iter_init (&iter, properties);
  while (g_variant_iter_loop (&iter, "{&sv}", &name, &value))
    {
      g_autofree char *key = key_of (name);

      json_builder_set_member_name (builder, key);
      stm_cli_json_add_value (builder, value);
    }
}

static void
add_rows (JsonBuilder *builder, GVariant *rows)
{
  GVariantIter iter;
  GVariant *row = NULL;

  json_builder_begin_array (builder);
  g_variant_iter_init (&iter, rows);
  while (g_variant_iter_loop (&iter, "@a{sv}", &row))
    {
      json_builder_begin_object (builder);
      stm_cli_json_add_members (builder, row);
      json_builder_end_object (builder);
    }
  json_builder_end_array (builder);
}

void
stm_cli_json_add_value (JsonBuilder *builder, GVariant *value)
{
  if (g_variant_is_of_type (value, G_VARIANT_TYPE ("aa{sv}")))
    add_rows (builder, value);
  else if (g_variant_is_of_type (value, G_VARIANT_TYPE_VARDICT))
    {
      json_builder_begin_object (builder);
      stm_cli_json_add_members (builder, value);
      json_builder_end_object (builder);
    }
  else
    add_leaf (builder, value);
}

void
stm_cli_json_add_string (JsonBuilder *builder, const char *key, const char *value)
{
  json_builder_set_member_name (builder, key);
  if (value != NULL)
    json_builder_add_string_value (builder, value);
  else
    json_builder_add_null_value (builder);
}

void
stm_cli_json_add_number (JsonBuilder *builder, const char *key, guint64 value)
{
  json_builder_set_member_name (builder, key);
  json_builder_add_int_value (builder, (gint64) MIN (value, G_MAXINT64));
}

void
stm_cli_json_add_boolean (JsonBuilder *builder, const char *key, gboolean value)
{
  json_builder_set_member_name (builder, key);
  json_builder_add_boolean_value (builder, value);
}

void
stm_cli_json_begin_object (JsonBuilder *builder, const char *path, GVariant *properties)
{
  json_builder_begin_object (builder);
  stm_cli_json_add_string (builder, "path", path);
  stm_cli_json_add_members (builder, properties);
}

static void
print (JsonBuilder *builder, gboolean is_pretty)
{
  g_autoptr (JsonNode) root = json_builder_get_root (builder);
  g_autofree char *text = json_to_string (root, is_pretty);

  g_print ("%s\n", text);
}

void
stm_cli_json_print (JsonBuilder *builder)
{
  print (builder, TRUE);
}

void
stm_cli_json_print_line (JsonBuilder *builder)
{
  print (builder, FALSE);
}
