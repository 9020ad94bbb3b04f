/* stemmactl list, show, define, rename, describe; what undefine takes.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "stemma-error.h"
#include "stm-cli-disk.h"
#include "stm-cli-file.h"
#include "stm-cli-json.h"
#include "stm-cli-nouns.h"
#include "stm-cli-output.h"
#include "stm-cli-undefine.h"
#include "stm-cli-wait.h"
#include "stm-cli-xml.h"

/* What the root's object manager lists of one domain. */
typedef struct
{
  const char *path;
  GVariant *domain; /* a{sv}, as the next two */
  GVariant *snapshots;
  GVariant *checkpoints; /* NULL from a service that knows none */
} Listed;

static void
listed_free (gpointer data)
{
  Listed *listed = data;

  g_free ((char *) listed->path);
  g_clear_pointer (&listed->domain, g_variant_unref);
  g_clear_pointer (&listed->snapshots, g_variant_unref);
  g_clear_pointer (&listed->checkpoints, g_variant_unref);
  g_free (listed);
}

static int
compare_names (gconstpointer left, gconstpointer right)
{
  const Listed *a = *(const Listed *const *) left;
  const Listed *b = *(const Listed *const *) right;

  return g_utf8_collate (stm_cli_get_string (a->domain, "Name"),
                         stm_cli_get_string (b->domain, "Name"));
}

static GPtrArray *
read_domains (StemmaClient *client, GError **error)
{
  g_autoptr (GVariant) objects = stemma_client_get_objects_sync (client, STEMMA_PATH_ROOT,
                                                                 /* cancellable= */ NULL, error);
  GPtrArray *domains = NULL;
  GVariantIter iter;
  const char *path = NULL;
  GVariant *interfaces = NULL;

  if (objects == NULL)
    return NULL;

  domains = g_ptr_array_new_with_free_func (listed_free);
  g_variant_iter_init (&iter, objects);
  while (g_variant_iter_loop (&iter, "{&o@a{sa{sv}}}", &path, &interfaces))
    {
      GVariant *domain = g_variant_lookup_value (interfaces, STEMMA_BUS_NAME ".Domain", NULL);
      Listed *listed = domain != NULL ? g_new0 (Listed, 1) : NULL;

      if (listed == NULL)
        continue;
      listed->path = g_strdup (path);
      listed->domain = domain;
      listed->snapshots = g_variant_lookup_value (interfaces, STEMMA_BUS_NAME ".Snapshots",
                                                  G_VARIANT_TYPE_VARDICT);
      listed->checkpoints = g_variant_lookup_value (interfaces, STEMMA_BUS_NAME ".Checkpoints",
                                                    G_VARIANT_TYPE_VARDICT);
      g_ptr_array_add (domains, listed);
    }
  g_ptr_array_sort (domains, compare_names);
  return domains;
}

/* The name of the moment at a path; NULL when there is none. */
static char *
name_at (StemmaClient *client, StemmaKind kind, const char *path)
{
  g_autoptr (GVariant) properties = NULL;

  if (*path == '\0' || g_str_equal (path, "/"))
    return NULL;
  properties = stemma_client_get_properties_sync (client, path, stemma_kind_to_interface (kind),
                                                  /* cancellable= */ NULL, /* error= */ NULL);
  return properties != NULL ? g_strdup (stm_cli_get_string (properties, "Name")) : NULL;
}

static char *
head_name (StemmaClient *client, StemmaKind kind, GVariant *properties)
{
  return properties == NULL
             ? NULL
             : name_at (client, kind,
                        stm_cli_get_string (properties, stemma_kind_to_head_property (kind)));
}

static void
add_json_moments (JsonBuilder *builder, StemmaClient *client, StemmaKind kind, GVariant *properties)
{
  g_autofree char *folder = g_ascii_strdown (stemma_kind_to_list_interface (kind), -1);
  g_autofree char *head = g_ascii_strdown (stemma_kind_to_head_property (kind), -1);
  g_autofree char *name = head_name (client, kind, properties);

  json_builder_set_member_name (builder, folder);
  json_builder_begin_object (builder);
  stm_cli_json_add_number (builder, "count",
                           properties != NULL ? stm_cli_get_number (properties, "Count") : 0);
  stm_cli_json_add_string (builder, head, name);
  json_builder_end_object (builder);
}

/* An object that stays open. */
static void
begin_json_domain (JsonBuilder *builder, StemmaClient *client, const Listed *listed)
{
  stm_cli_json_begin_object (builder, listed->path, listed->domain);
  add_json_moments (builder, client, STEMMA_KIND_SNAPSHOT, listed->snapshots);
  add_json_moments (builder, client, STEMMA_KIND_CHECKPOINT, listed->checkpoints);
}

static void
print_json_list (StemmaClient *client, GPtrArray *domains)
{
  g_autoptr (JsonBuilder) builder = json_builder_new ();

  json_builder_begin_array (builder);
  for (guint i = 0; i < domains->len; i++)
    {
      begin_json_domain (builder, client, domains->pdata[i]);
      json_builder_end_object (builder);
    }
  json_builder_end_array (builder);
  stm_cli_json_print (builder);
}

static char *
count_text (GVariant *properties)
{
  return properties == NULL
             ? NULL
             : g_strdup_printf ("%" G_GUINT64_FORMAT, stm_cli_get_number (properties, "Count"));
}

static void
print_list (StemmaClient *client, GPtrArray *domains)
{
  g_autoptr (StmCliTable) table = stm_cli_table_new ("NAME", "STATE", "SNAPSHOTS", "CURRENT",
                                                     "CHECKPOINTS", "HEALTH", NULL);

  for (guint i = 0; i < domains->len; i++)
    {
      const Listed *listed = domains->pdata[i];
      g_autofree char *n_snapshots = count_text (listed->snapshots);
      g_autofree char *current = head_name (client, STEMMA_KIND_SNAPSHOT, listed->snapshots);
      g_autofree char *n_checkpoints = count_text (listed->checkpoints);
      const char *const cells[] = {
        stm_cli_get_string (listed->domain, "Name"),
        stm_cli_get_string (listed->domain, "State"),
        n_snapshots,
        current,
        n_checkpoints,
        stm_cli_get_string (listed->domain, "Health"),
      };

      stm_cli_table_add (table, cells);
    }
  stm_cli_table_print (table);
}

static gboolean
run_list (StmCliCall *call, GError **error)
{
  StemmaClient *client = stm_cli_call_get_client (call, error);
  g_autoptr (GPtrArray) domains = client != NULL ? read_domains (client, error) : NULL;

  if (domains == NULL)
    return FALSE;

  if (call->settings->json)
    print_json_list (client, domains);
  else
    print_list (client, domains);
  return TRUE;
}

static Listed *
read_domain (StemmaClient *client, const char *path, GError **error)
{
  GVariant *domain = stemma_client_get_properties_sync (client, path, "Domain",
                                                        /* cancellable= */ NULL, error);
  Listed *listed = domain != NULL ? g_new0 (Listed, 1) : NULL;

  if (listed == NULL)
    return NULL;
  listed->path = g_strdup (path);
  listed->domain = domain;
  listed->snapshots = stemma_client_get_properties_sync (client, path, "Snapshots", NULL, NULL);
  listed->checkpoints = stemma_client_get_properties_sync (client, path, "Checkpoints", NULL, NULL);
  return listed;
}

static void
print_moments (StemmaClient *client, StemmaKind kind, GVariant *properties)
{
  g_autofree char *head = head_name (client, kind, properties);
  g_autofree char *text = NULL;

  if (properties == NULL)
    return;
  text = head == NULL ? count_text (properties)
                      : g_strdup_printf ("%" G_GUINT64_FORMAT ", %s '%s'",
                                         stm_cli_get_number (properties, "Count"),
                                         kind == STEMMA_KIND_SNAPSHOT ? "current" : "leaf", head);
  stm_cli_print_field (kind == STEMMA_KIND_SNAPSHOT ? "Snapshots:" : "Checkpoints:", text);
}

static void
print_domain (StemmaClient *client, const Listed *listed)
{
  stm_cli_print_field ("Name:", stm_cli_get_string (listed->domain, "Name"));
  stm_cli_print_field ("Title:", stm_cli_get_string (listed->domain, "Title"));
  stm_cli_print_field ("Uuid:", stm_cli_get_string (listed->domain, "Uuid"));
  stm_cli_print_field ("Path:", listed->path);
  stm_cli_print_field ("Description:", stm_cli_get_string (listed->domain, "Description"));
  stm_cli_print_field ("State:", stm_cli_get_string (listed->domain, "State"));
  stm_cli_print_field ("Health:", stm_cli_get_string (listed->domain, "Health"));
  print_moments (client, STEMMA_KIND_SNAPSHOT, listed->snapshots);
  print_moments (client, STEMMA_KIND_CHECKPOINT, listed->checkpoints);
}

static void
print_disks (GVariant *disks)
{
  g_autoptr (StmCliTable)
      table = stm_cli_table_new ("DISK", "FORMAT", "CAPACITY", "ALLOCATION", "SOURCE", NULL);
  GVariantIter iter;
  GVariant *disk = NULL;

  g_variant_iter_init (&iter, disks);
  while (g_variant_iter_loop (&iter, "{&s@a{sv}}", NULL, &disk))
    {
      g_autofree char *capacity = stm_cli_format_size (stm_cli_get_number (disk, "Capacity"));
      guint64 allocated = stm_cli_get_number (disk, "Allocation");
      g_autofree char *allocation = allocated > 0 ? stm_cli_format_size (allocated) : NULL;
      const char *const cells[] = {
        stm_cli_get_string (disk, "Target"),
        stm_cli_get_string (disk, "Format"),
        capacity,
        allocation,
        stm_cli_get_string (disk, "Source"),
      };

      stm_cli_table_add (table, cells);
    }
  stm_cli_print_line ("%s", "");
  stm_cli_table_print (table);
}

static void
print_json_domain (StemmaClient *client, const Listed *listed, GVariant *disks)
{
  g_autoptr (JsonBuilder) builder = json_builder_new ();
  GVariantIter iter;
  const char *path = NULL;
  GVariant *disk = NULL;

  begin_json_domain (builder, client, listed);
  json_builder_set_member_name (builder, "disks");
  json_builder_begin_array (builder);
  g_variant_iter_init (&iter, disks);
  while (g_variant_iter_loop (&iter, "{&s@a{sv}}", &path, &disk))
    {
      stm_cli_json_begin_object (builder, path, disk);
      json_builder_end_object (builder);
    }
  json_builder_end_array (builder);
  json_builder_end_object (builder);
  stm_cli_json_print (builder);
}

static gboolean
show_properties (StmCliCall *call, const char *path, GError **error)
{
  Listed *listed = read_domain (call->client, path, error);
  g_autoptr (GVariant) disks = NULL;

  if (listed == NULL)
    return FALSE;

  disks = stm_cli_disk_read_all (call->client, path, error);
  if (disks != NULL && call->settings->json)
    print_json_domain (call->client, listed, disks);
  else if (disks != NULL)
    {
      print_domain (call->client, listed);
      if (g_variant_n_children (disks) > 0)
        print_disks (disks);
    }
  listed_free (listed);
  return disks != NULL;
}

static gboolean
run_show (StmCliCall *call, GError **error)
{
  g_autofree char *path = NULL;

  if (stm_cli_call_flag (call, "secure") && !stm_cli_call_flag (call, "xml"))
    {
      g_set_error_literal (error, STEMMA_ERROR, STEMMA_ERROR_INVALID_ARGUMENT,
                           "--secure is about the document: give --xml, too");
      return FALSE;
    }

  path = stm_cli_call_find_domain (call, 0, error);
  if (path == NULL)
    return FALSE;
  if (stm_cli_call_flag (call, "xml"))
    return stm_cli_xml_print (call, path, "Domain", stm_cli_no_options (), error);
  return show_properties (call, path, error);
}

static gboolean
run_define (StmCliCall *call, GError **error)
{
  g_autofree char *xml = stm_cli_file_read_text (call->words[0], error);
  StemmaClient *client = xml != NULL ? stm_cli_call_get_client (call, error) : NULL;
  g_autoptr (GVariant) reply = NULL;
  g_autoptr (GVariant) properties = NULL;
  const char *path = NULL;

  if (client == NULL)
    return FALSE;

  reply = stemma_client_call_sync (client, STEMMA_PATH_MANAGER, "Manager", "DefineDomain",
                                   g_variant_new ("(s@a{sv})", xml, stm_cli_no_options ()),
                                   G_VARIANT_TYPE ("(o)"), /* cancellable= */ NULL, error);
  if (reply == NULL)
    {
      stm_cli_file_blame (call->words[0], error);
      return FALSE;
    }
  g_variant_get (reply, "(&o)", &path);
  properties = stemma_client_get_properties_sync (client, path, "Domain", NULL, error);
  if (properties == NULL)
    return FALSE;

  stm_cli_tell (call, path, stm_cli_get_string (properties, "Name"), /* outcome= */ NULL,
                "Defined '%s'", stm_cli_get_string (properties, "Name"));
  return TRUE;
}

/* Both methods take a text and answer nothing. */
static char *
set_text (StmCliCall *call, const char *method, GError **error)
{
  g_autofree char *path = stm_cli_call_find_domain (call, 0, error);
  g_autoptr (GVariant) reply = NULL;

  if (path == NULL)
    return NULL;
  reply = stemma_client_call_sync (
      call->client, path, "Domain", method,
      g_variant_new ("(s@a{sv})", call->words[1], stm_cli_no_options ()), /* reply_type= */ NULL,
      /* cancellable= */ NULL, error);
  return reply != NULL ? g_steal_pointer (&path) : NULL;
}

static gboolean
run_rename (StmCliCall *call, GError **error)
{
  g_autofree char *path = set_text (call, "Rename", error);

  if (path == NULL)
    return FALSE;
  stm_cli_tell (call, path, call->words[1], /* outcome= */ NULL, "Renamed '%s' to '%s'",
                call->words[0], call->words[1]);
  return TRUE;
}

static gboolean
run_describe (StmCliCall *call, GError **error)
{
  g_autofree char *path = set_text (call, "SetDescription", error);

  if (path == NULL)
    return FALSE;
  stm_cli_tell (call, path, call->words[0], /* outcome= */ NULL, "Described '%s'", call->words[0]);
  return TRUE;
}

static const StmCliOption show_options[] = {
  { "xml", STM_CLI_FLAG, NULL, "Print the present definition, a libvirt document", NULL },
  { "secure", STM_CLI_FLAG, NULL, "With --xml: with passwords and secrets", NULL },
  { NULL },
};

static const StmCliOption undefine_options[] = {
  { "moments", STM_CLI_TEXT, "WHAT",
    "What becomes of snapshots and checkpoints: refuse (default), forget or delete", "moments",
    "refuse forget delete" },
  { "saved-state", STM_CLI_TEXT, "WHAT", "The same for a saved state: refuse (default) or delete",
    "saved-state", "refuse delete" },
  { NULL },
};

const StmCliCommand stm_cli_domain_commands[] = {
  { NULL, "list", "", "List the machines", NULL, run_list },
  { NULL, "show", "VM", "Show a machine and its disks", show_options, run_show },
  { NULL, "define", "FILE", "Make a machine known by its libvirt document; - reads stdin", NULL,
    run_define },
  { NULL, "rename", "VM NEW-NAME", "Give a machine another name", NULL, run_rename },
  { NULL, "describe", "VM TEXT", "Give a machine another description", NULL, run_describe },
  { NULL, "undefine", "VM", "Forget a machine; its images stay", undefine_options,
    stm_cli_run_undefine, .has_plan = TRUE },
  { NULL, NULL },
};
