/* stemmactl disk chain; where disks are once a plan is done.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "stm-cli-disk.h"

#include "stemma-error.h"
#include "stm-cli-call.h"
#include "stm-cli-json.h"
#include "stm-cli-nouns.h"
#include "stm-cli-output.h"

#include <string.h>

static int
compare_targets (gconstpointer left, gconstpointer right)
{
  g_autoptr (GVariant) a = g_variant_get_child_value (*(GVariant *const *) left, 1);
  g_autoptr (GVariant) b = g_variant_get_child_value (*(GVariant *const *) right, 1);

  return strcmp (stm_cli_get_string (a, "Target"), stm_cli_get_string (b, "Target"));
}

/* The nodes below a path: a machine's disks without its moments, of which there may be very many.
 * None when the path is not there. NULL with error. */
static GDBusNodeInfo *
read_nodes (StemmaClient *client, const char *path, GError **error)
{
  g_autoptr (GError) problem = NULL;
  g_autoptr (GVariant) reply = stemma_client_call_sync (
      client, path, "org.freedesktop.DBus.Introspectable", "Introspect", /* arguments= */ NULL,
      G_VARIANT_TYPE ("(s)"), /* cancellable= */ NULL, &problem);
  const char *xml = "<node/>";

  if (reply != NULL)
    g_variant_get (reply, "(&s)", &xml);
  else if (stemma_client_error_is_absence (problem))
    {
      g_propagate_error (error, g_steal_pointer (&problem));
      return NULL;
    }
  return g_dbus_node_info_new_for_xml (xml, error);
}

GVariant *
stm_cli_disk_read_all (StemmaClient *client, const char *domain, GError **error)
{
  g_autofree char *folder = g_strconcat (domain, "/disks", NULL);
  g_autoptr (GDBusNodeInfo) info = read_nodes (client, folder, error);
  g_autoptr (GPtrArray) entries = g_ptr_array_new_with_free_func ((GDestroyNotify) g_variant_unref);

  if (info == NULL)
    return NULL;

  for (guint i = 0; info->nodes != NULL && info->nodes[i] != NULL; i++)
    {
      g_autofree char *path = g_strdup_printf ("%s/%s", folder, info->nodes[i]->path);
      g_autoptr (GVariant)
          disk = g_variant_is_object_path (path)
                     ? stemma_client_get_properties_sync (client, path, "Disk", NULL, NULL)
                     : NULL;

      if (disk != NULL)
        g_ptr_array_add (entries, g_variant_ref_sink (g_variant_new ("{s@a{sv}}", path, disk)));
    }
  g_ptr_array_sort (entries, compare_targets);
  return g_variant_ref_sink (g_variant_new_array (
      G_VARIANT_TYPE ("{sa{sv}}"), (GVariant *const *) entries->pdata, entries->len));
}

/* Position of the image in the chain, the active one first; -1 when it is not in it. */
static int
find_image (GPtrArray *chain, const char *path)
{
  for (guint i = 0; i < chain->len; i++)
    {
      if (g_str_equal (stm_cli_get_string (chain->pdata[i], "path"), path))
        return (int) i;
    }
  return -1;
}

/* A commit moves what an image has down into the one below, the row's, which takes its place; a
 * stream up into the one above, the row's. Either way the other one leaves the chain. */
static void
follow_row (GPtrArray *chain, GVariant *row)
{
  const char *step = stm_cli_get_string (row, "step");
  int position = find_image (chain, stm_cli_get_string (row, "path"));

  if (g_str_equal (step, "commit") && position > 0)
    g_ptr_array_remove_index (chain, (guint) position - 1);
  else if (g_str_equal (step, "stream") && position >= 0 && (guint) position + 1 < chain->len)
    g_ptr_array_remove_index (chain, (guint) position + 1);
}

/* The images of a disk, GVariant. */
static GPtrArray *
read_chain (GVariant *disk)
{
  GPtrArray *images = g_ptr_array_new_with_free_func ((GDestroyNotify) g_variant_unref);
  g_autoptr (GVariant) chain = g_variant_lookup_value (disk, "Chain", G_VARIANT_TYPE ("aa{sv}"));
  gsize n_images = chain != NULL ? g_variant_n_children (chain) : 0;

  for (gsize i = 0; i < n_images; i++)
    g_ptr_array_add (images, g_variant_get_child_value (chain, i));
  return images;
}

static void
add_text (GVariantBuilder *builder, const char *key, const char *text)
{
  g_variant_builder_add (builder, "{sv}", key, g_variant_new_string (text));
}

/* Floating; NULL when the disk has no image. */
static GVariant *
foresee_one (GVariant *disk, GVariant *rows)
{
  g_autoptr (GPtrArray) chain = read_chain (disk);
  GVariantIter iter;
  GVariant *row = NULL;
  g_auto (GVariantBuilder) state = G_VARIANT_BUILDER_INIT (G_VARIANT_TYPE_VARDICT);

  if (chain->len == 0)
    return NULL;
  if (rows != NULL)
    {
      g_variant_iter_init (&iter, rows);
      while (g_variant_iter_loop (&iter, "@a{sv}", &row))
        follow_row (chain, row);
    }

  add_text (&state, "target", stm_cli_get_string (disk, "Target"));
  add_text (&state, "source", stm_cli_get_string (chain->pdata[0], "path"));
  add_text (&state, "format", stm_cli_get_string (chain->pdata[0], "format"));
  return g_variant_builder_end (&state);
}

static gboolean
is_whole (GVariant *rows)
{
  GVariantIter iter;
  GVariant *row = NULL;
  gboolean has_more = FALSE;

  g_variant_iter_init (&iter, rows);
  while (g_variant_iter_loop (&iter, "@a{sv}", &row))
    has_more = has_more || g_str_equal (stm_cli_get_string (row, "step"), "more");
  return !has_more;
}

GVariant *
stm_cli_disk_foresee (GVariant *disks, GVariant *rows)
{
  g_auto (GVariantBuilder) builder = G_VARIANT_BUILDER_INIT (G_VARIANT_TYPE ("aa{sv}"));
  gboolean is_known = rows == NULL || is_whole (rows);
  GVariantIter iter;
  GVariant *disk = NULL;

  g_variant_iter_init (&iter, disks);
  while (is_known && g_variant_iter_loop (&iter, "{&s@a{sv}}", NULL, &disk))
    {
      GVariant *state = foresee_one (disk, rows);

      if (state != NULL)
        g_variant_builder_add_value (&builder, state);
    }
  return g_variant_ref_sink (g_variant_builder_end (&builder));
}

/* The path of a disk, as the contract makes it from the target. */
static char *
path_of_target (const char *domain, const char *target)
{
  GString *path = g_string_new (domain);

  g_string_append (path, "/disks/");
  for (const char *at = target; *at != '\0'; at++)
    {
      if (g_ascii_isalnum (*at))
        g_string_append_c (path, *at);
      else
        g_string_append_printf (path, "_%02x", (guint8) *at);
    }
  return g_string_free (path, FALSE);
}

static GVariant *
read_one (StmCliCall *call, const char *domain, GError **error)
{
  const char *target = call->words[1];
  g_autofree char *path = path_of_target (domain, target);
  g_autoptr (GError) problem = NULL;
  g_autoptr (GVariant) disk = stemma_client_get_properties_sync (call->client, path, "Disk",
                                                                 /* cancellable= */ NULL, &problem);
  GVariant *entry = NULL;

  if (disk == NULL && g_error_matches (problem, STEMMA_ERROR, STEMMA_ERROR_NOT_FOUND))
    {
      g_set_error (error, STEMMA_ERROR, STEMMA_ERROR_NOT_FOUND, "'%s' has no disk '%s'",
                   call->words[0], target);
      stm_cli_call_note_listing (call, "disk chain", call->words[0]);
    }
  else if (disk == NULL)
    g_propagate_error (error, g_steal_pointer (&problem));
  if (disk == NULL)
    return NULL;

  entry = g_variant_new ("{s@a{sv}}", path, disk);
  return g_variant_ref_sink (g_variant_new_array (NULL, &entry, 1));
}

/* The names of the objects at these paths, where they have one. */
static char *
users_text (StemmaClient *client, GVariant *image)
{
  g_autofree const char **paths = NULL;
  g_autoptr (GString) text = g_string_new (NULL);

  if (!g_variant_lookup (image, "used-by", "^a&o", &paths))
    return NULL;
  for (guint i = 0; paths[i] != NULL; i++)
    {
      g_autoptr (GVariant)
          snapshot = stemma_client_get_properties_sync (client, paths[i], "Snapshot", NULL, NULL);
      const char *last = strrchr (paths[i], '/') + 1;

      g_string_append_printf (text, "%s%s", text->len > 0 ? ", " : "",
                              snapshot != NULL ? stm_cli_get_string (snapshot, "Name") : last);
    }
  return text->len > 0 ? g_string_free (g_steal_pointer (&text), FALSE) : NULL;
}

static void
add_image (StmCliTable *table, StemmaClient *client, const char *target, GVariant *image)
{
  guint64 allocated = stm_cli_get_number (image, "allocation");
  g_autofree char *index = g_strdup_printf ("%s[%" G_GUINT64_FORMAT "]", target,
                                            stm_cli_get_number (image, "index"));
  g_autofree char *allocation = allocated > 0 ? stm_cli_format_size (allocated) : NULL;
  g_autofree char *users = users_text (client, image);
  const char *const cells[] = {
    index, stm_cli_get_string (image, "format"), allocation,
    users, stm_cli_get_string (image, "path"),
  };

  stm_cli_table_add (table, cells);
}

static void
print_chains (StemmaClient *client, GVariant *disks)
{
  g_autoptr (StmCliTable)
      table = stm_cli_table_new ("IMAGE", "FORMAT", "ALLOCATION", "SNAPSHOTS", "PATH", NULL);
  GVariantIter iter;
  GVariant *disk = NULL;

  g_variant_iter_init (&iter, disks);
  while (g_variant_iter_loop (&iter, "{&s@a{sv}}", NULL, &disk))
    {
      g_autoptr (GVariant)
          chain = g_variant_lookup_value (disk, "Chain", G_VARIANT_TYPE ("aa{sv}"));
      gsize n_images = chain != NULL ? g_variant_n_children (chain) : 0;

      for (gsize i = 0; i < n_images; i++)
        {
          g_autoptr (GVariant) image = g_variant_get_child_value (chain, i);

          add_image (table, client, stm_cli_get_string (disk, "Target"), image);
        }
    }
  stm_cli_table_print (table);
}

static void
print_json (GVariant *disks)
{
  g_autoptr (JsonBuilder) builder = json_builder_new ();
  GVariantIter iter;
  const char *path = NULL;
  GVariant *disk = NULL;

  json_builder_begin_array (builder);
  g_variant_iter_init (&iter, disks);
  while (g_variant_iter_loop (&iter, "{&s@a{sv}}", &path, &disk))
    {
      stm_cli_json_begin_object (builder, path, disk);
      json_builder_end_object (builder);
    }
  json_builder_end_array (builder);
  stm_cli_json_print (builder);
}

static gboolean
run_chain (StmCliCall *call, GError **error)
{
  g_autofree char *domain = stm_cli_call_find_domain (call, 0, error);
  g_autoptr (GVariant) disks = NULL;

  if (domain == NULL)
    return FALSE;
  disks = call->n_words > 1 ? read_one (call, domain, error)
                            : stm_cli_disk_read_all (call->client, domain, error);
  if (disks == NULL)
    return FALSE;

  if (call->settings->json)
    print_json (disks);
  else
    print_chains (call->client, disks);
  return TRUE;
}

const StmCliCommand stm_cli_disk_commands[] = {
  { "disk", "chain", "VM [TARGET]", "Show the images of the disks, the active one first", NULL,
    run_chain },
  { NULL, NULL },
};
