/* stemmactl snapshot|checkpoint list, tree, show.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "stemma-moments.h"
#include "stemma-tree.h"
#include "stm-cli-json.h"
#include "stm-cli-moment.h"
#include "stm-cli-output.h"
#include "stm-cli-tree.h"

static GPtrArray *
read_moments (StmCliCall *call, const char *domain, GError **error)
{
  g_auto (GVariantBuilder) builder = G_VARIANT_BUILDER_INIT (G_VARIANT_TYPE_VARDICT);

  if (!stm_cli_call_add_options (call, domain, &builder, error))
    return NULL;
  return stemma_moments_read_sync (call->client, call->command->kind, domain,
                                   g_variant_builder_end (&builder), /* cancellable= */ NULL,
                                   error);
}

/* The names of all moments by path; those of parents that the list does not have are asked for. */
static GHashTable *
read_names (StmCliCall *call, GPtrArray *moments)
{
  GHashTable *names = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, g_free);

  for (guint i = 0; i < moments->len; i++)
    {
      g_autoptr (GVariant) properties = g_variant_get_child_value (moments->pdata[i], 1);
      char *path = NULL;

      g_variant_get_child (moments->pdata[i], 0, "o", &path);
      g_hash_table_insert (names, path, g_strdup (stm_cli_get_string (properties, "Name")));
    }
  for (guint i = 0; i < moments->len; i++)
    {
      g_autoptr (GVariant) properties = g_variant_get_child_value (moments->pdata[i], 1);
      const char *parent = stm_cli_get_string (properties, "Parent");
      g_autoptr (GVariant) asked = NULL;

      if (strlen (parent) <= 1 || g_hash_table_contains (names, parent))
        continue;
      asked = stemma_client_get_properties_sync (
          call->client, parent, stemma_kind_to_interface (call->command->kind), NULL, NULL);
      if (asked != NULL)
        g_hash_table_insert (names, g_strdup (parent),
                             g_strdup (stm_cli_get_string (asked, "Name")));
    }
  return names;
}

/* NULL for a root. */
static const char *
parent_name (GHashTable *names, GVariant *properties)
{
  return g_hash_table_lookup (names, stm_cli_get_string (properties, "Parent"));
}

static void
add_snapshot_row (StmCliTable *table, GHashTable *names, GVariant *properties)
{
  g_autofree char *created = stm_cli_format_time (stm_cli_get_number (properties, "CreationTime"));
  const char *const cells[] = {
    stm_cli_get_boolean (properties, "Current") ? "*" : "",
    stm_cli_get_string (properties, "Name"),
    parent_name (names, properties),
    created,
    stm_cli_get_string (properties, "State"),
    stm_cli_get_string (properties, "Location"),
    stm_cli_get_string (properties, "Health"),
  };

  stm_cli_table_add (table, cells);
}

static void
add_checkpoint_row (StmCliTable *table, GHashTable *names, GVariant *properties)
{
  g_autofree char *created = stm_cli_format_time (stm_cli_get_number (properties, "CreationTime"));
  const char *const cells[] = {
    stm_cli_get_string (properties, "Name"),
    parent_name (names, properties),
    created,
    stm_cli_get_string (properties, "Health"),
  };

  stm_cli_table_add (table, cells);
}

static void
print_list (StmCliCall *call, GPtrArray *moments, GHashTable *names)
{
  gboolean is_snapshot = call->command->kind == STEMMA_KIND_SNAPSHOT;
  g_autoptr (StmCliTable)
      table = is_snapshot ? stm_cli_table_new ("", "NAME", "PARENT", "CREATED", "STATE", "LOCATION",
                                               "HEALTH", NULL)
                          : stm_cli_table_new ("NAME", "PARENT", "CREATED", "HEALTH", NULL);

  for (guint i = 0; i < moments->len; i++)
    {
      g_autoptr (GVariant) properties = g_variant_get_child_value (moments->pdata[i], 1);

      if (is_snapshot)
        add_snapshot_row (table, names, properties);
      else
        add_checkpoint_row (table, names, properties);
    }
  stm_cli_table_print (table);
}

static void
print_json_list (GPtrArray *moments, GHashTable *names)
{
  g_autoptr (JsonBuilder) builder = json_builder_new ();

  json_builder_begin_array (builder);
  for (guint i = 0; i < moments->len; i++)
    {
      g_autoptr (GVariant) properties = NULL;
      g_autofree char *path = NULL;

      g_variant_get (moments->pdata[i], "(o@a{sv})", &path, &properties);
      stm_cli_json_begin_object (builder, path, properties);
      stm_cli_json_add_string (builder, "parent-name", parent_name (names, properties));
      json_builder_end_object (builder);
    }
  json_builder_end_array (builder);
  stm_cli_json_print (builder);
}

gboolean
stm_cli_moment_run_list (StmCliCall *call, GError **error)
{
  g_autofree char *domain = stm_cli_call_find_domain (call, 0, error);
  g_autoptr (GPtrArray) moments = domain != NULL ? read_moments (call, domain, error) : NULL;
  g_autoptr (GHashTable) names = moments != NULL ? read_names (call, moments) : NULL;

  if (names == NULL)
    return FALSE;

  if (call->settings->json)
    print_json_list (moments, names);
  else
    print_list (call, moments, names);
  return TRUE;
}

/* A flat list in the order of the drawing: nested objects as deep as a tree can be are more than
 * most readers of JSON take. */
static void
print_json_tree (GPtrArray *nodes)
{
  g_autoptr (JsonBuilder) builder = json_builder_new ();

  json_builder_begin_array (builder);
  for (guint i = 0; i < nodes->len; i++)
    {
      const StemmaNode *node = nodes->pdata[i];

      stm_cli_json_begin_object (builder, node->path, node->properties);
      stm_cli_json_add_string (builder, "parent-name",
                               node->parent != NULL ? node->parent->name : NULL);
      stm_cli_json_add_number (builder, "depth", node->depth);
      stm_cli_json_add_boolean (builder, "head", node->is_head);
      json_builder_end_object (builder);
    }
  json_builder_end_array (builder);
  stm_cli_json_print (builder);
}

gboolean
stm_cli_moment_run_tree (StmCliCall *call, GError **error)
{
  g_autofree char *domain = stm_cli_call_find_domain (call, 0, error);
  g_autoptr (StemmaTree)
      tree = domain != NULL ? stemma_tree_read_sync (call->client, call->command->kind, domain,
                                                     /* cancellable= */ NULL, error)
                            : NULL;

  if (tree == NULL)
    return FALSE;

  if (call->settings->json)
    print_json_tree (stemma_tree_get_nodes (tree));
  else
    stm_cli_tree_print (stemma_tree_get_nodes (tree),
                        call->command->kind == STEMMA_KIND_SNAPSHOT ? "current" : "leaf");
  return TRUE;
}

static const char *
cell (GVariant *disk, const char *key)
{
  const char *text = stm_cli_get_string (disk, key);

  return *text != '\0' ? text : NULL;
}

static void
print_disks (StmCliCall *call, GVariant *properties)
{
  gboolean is_snapshot = call->command->kind == STEMMA_KIND_SNAPSHOT;
  g_autoptr (StmCliTable)
      table = is_snapshot ? stm_cli_table_new ("DISK", "MODE", "FORMAT", "TAG", "FROZEN", NULL)
                          : stm_cli_table_new ("DISK", "BITMAP", "HEALTH", "SIZE", NULL);
  g_autoptr (GVariant)
      disks = g_variant_lookup_value (properties, "Disks", G_VARIANT_TYPE ("aa{sv}"));
  gsize n_disks = disks != NULL ? g_variant_n_children (disks) : 0;

  for (gsize i = 0; i < n_disks; i++)
    {
      g_autoptr (GVariant) disk = g_variant_get_child_value (disks, i);
      guint64 bytes = stm_cli_get_number (disk, "size");
      g_autofree char *size = bytes > 0 ? stm_cli_format_size (bytes) : NULL;
      const char *const snapshot_cells[] = {
        cell (disk, "target"), cell (disk, "mode"),   cell (disk, "format"),
        cell (disk, "tag"),    cell (disk, "frozen"),
      };
      const char *const checkpoint_cells[] = { cell (disk, "target"), cell (disk, "bitmap"),
                                               cell (disk, "health"), size };

      stm_cli_table_add (table, is_snapshot ? snapshot_cells : checkpoint_cells);
    }
  stm_cli_print_line ("%s", "");
  stm_cli_table_print (table);
}

static void
print_moment (StmCliCall *call, const char *path, GVariant *properties, const char *parent)
{
  g_autofree char *created = stm_cli_format_time (stm_cli_get_number (properties, "CreationTime"));
  g_autofree char *n_children = g_strdup_printf ("%" G_GUINT64_FORMAT,
                                                 stm_cli_get_number (properties, "ChildCount"));

  stm_cli_print_field ("Name:", stm_cli_get_string (properties, "Name"));
  stm_cli_print_field ("Path:", path);
  stm_cli_print_field ("Description:", stm_cli_get_string (properties, "Description"));
  stm_cli_print_field ("Parent:", parent != NULL ? parent : "-");
  stm_cli_print_field ("Children:", n_children);
  stm_cli_print_field ("Created:", created);
  stm_cli_print_field ("State:", stm_cli_get_string (properties, "State"));
  if (call->command->kind == STEMMA_KIND_SNAPSHOT)
    {
      stm_cli_print_field ("Current:", stm_cli_get_boolean (properties, "Current") ? "yes" : "no");
      stm_cli_print_field ("Definition:",
                           stm_cli_get_boolean (properties, "HasDefinition") ? "yes" : "no");
    }
  stm_cli_print_field ("Memory:", stm_cli_get_string (properties, "Memory"));
  stm_cli_print_field ("Location:", stm_cli_get_string (properties, "Location"));
  stm_cli_print_field ("Quiesced:", stm_cli_get_string (properties, "Quiesced"));
  stm_cli_print_field ("Health:", stm_cli_get_string (properties, "Health"));
  print_disks (call, properties);
}

static void
print_json_moment (const char *path, GVariant *properties, const char *parent)
{
  g_autoptr (JsonBuilder) builder = json_builder_new ();

  stm_cli_json_begin_object (builder, path, properties);
  stm_cli_json_add_string (builder, "parent-name", parent);
  json_builder_end_object (builder);
  stm_cli_json_print (builder);
}

gboolean
stm_cli_moment_run_show (StmCliCall *call, GError **error)
{
  const char *interface = stemma_kind_to_interface (call->command->kind);
  g_autofree char *domain = stm_cli_call_find_domain (call, 0, error);
  g_autofree char *path = domain != NULL ? stm_cli_call_find_moment (call, domain, 1, error) : NULL;
  g_autoptr (GVariant)
      properties = path != NULL ? stemma_client_get_properties_sync (call->client, path, interface,
                                                                     /* cancellable= */ NULL, error)
                                : NULL;
  g_autoptr (GVariant) parent = NULL;
  const char *name = NULL;

  if (properties == NULL)
    return FALSE;

  if (strlen (stm_cli_get_string (properties, "Parent")) > 1)
    parent = stemma_client_get_properties_sync (
        call->client, stm_cli_get_string (properties, "Parent"), interface, NULL, NULL);
  name = parent != NULL ? stm_cli_get_string (parent, "Name") : NULL;
  if (call->settings->json)
    print_json_moment (path, properties, name);
  else
    print_moment (call, path, properties, name);
  return TRUE;
}
