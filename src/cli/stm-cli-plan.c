/* Asks for plans and prints them.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "stm-cli-plan.h"

#include "stm-cli-exit.h"
#include "stm-cli-hint.h"
#include "stm-cli-json.h"
#include "stm-cli-output.h"

#include <string.h>

#define MARGIN "  "

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

GVariant *
stm_cli_plan_row_new (const char *step, const char *path, guint64 bytes, const char *text)
{
  g_auto (GVariantBuilder) row = G_VARIANT_BUILDER_INIT (G_VARIANT_TYPE_VARDICT);

  g_variant_builder_add (&row, "{sv}", "step", g_variant_new_string (step));
  g_variant_builder_add (&row, "{sv}", "path", g_variant_new_string (path));
  g_variant_builder_add (&row, "{sv}", "bytes", g_variant_new_uint64 (bytes));
  g_variant_builder_add (&row, "{sv}", "text", g_variant_new_string (text));
  return g_variant_builder_end (&row);
}

/* What several plans come to. */
typedef struct
{
  guint64 moved;
  guint64 freed;
  GHashTable *removed; /* paths, of the rows: layers that lie on each other may be told twice */
  gboolean is_blocked;
} Total;

static void
count_row (Total *total, GVariant *row)
{
  const char *step = stm_cli_get_string (row, "step");
  guint64 bytes = stm_cli_get_number (row, "bytes");

  if (g_str_equal (step, "commit") || g_str_equal (step, "stream"))
    total->moved += bytes;
  else if (g_str_equal (step, "frees"))
    total->freed += bytes;
  else if (g_str_equal (step, "blocked"))
    total->is_blocked = TRUE;
  else if (g_str_equal (step, "unlink")
           && !g_hash_table_add (total->removed, g_strdup (stm_cli_get_string (row, "path"))))
    total->freed -= MIN (bytes, total->freed);
}

static GVariant *
total_to_row (const Total *total)
{
  guint n_removed = g_hash_table_size (total->removed);
  g_autofree char *moved = total->moved > 0 ? stm_cli_format_size (total->moved) : NULL;
  g_autofree char *freed = stm_cli_format_size (total->freed);
  g_autoptr (GString) text = g_string_new ("together ");

  if (moved != NULL)
    g_string_append_printf (text, "up to %s of data to move, ", moved);
  else
    g_string_append (text, "no data to move, ");
  if (n_removed > 0)
    g_string_append_printf (text, "%u file%s to remove, which frees %s", n_removed,
                            n_removed == 1 ? "" : "s", freed);
  else
    g_string_append (text, "no file to remove");
  g_string_append (text, "; each is planned anew when those before it are done");
  return stm_cli_plan_row_new ("total", "", total->freed, text->str);
}

static GVariant *
name_row (GVariant *row, const char *name)
{
  g_auto (GVariantBuilder) builder = G_VARIANT_BUILDER_INIT (G_VARIANT_TYPE_VARDICT);
  GVariantIter iter;
  GVariant *entry = NULL;

  g_variant_iter_init (&iter, row);
  while (g_variant_iter_loop (&iter, "@{sv}", &entry))
    g_variant_builder_add_value (&builder, entry);
  g_variant_builder_add (&builder, "{sv}", "name", g_variant_new_string (name));
  return g_variant_builder_end (&builder);
}

static void
join_plan (GVariantBuilder *builder, Total *total, const char *name, GVariant *rows)
{
  GVariantIter iter;
  GVariant *row = NULL;

  g_variant_iter_init (&iter, rows);
  while (g_variant_iter_loop (&iter, "@a{sv}", &row))
    {
      count_row (total, row);
      g_variant_builder_add_value (builder, name_row (row, name));
    }
}

GVariant *
stm_cli_plan_join (GPtrArray *names, GPtrArray *plans)
{
  g_auto (GVariantBuilder) builder = G_VARIANT_BUILDER_INIT (G_VARIANT_TYPE ("aa{sv}"));
  g_autoptr (GHashTable) removed = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
  Total total = { .removed = removed };

  for (guint i = 0; i < plans->len; i++)
    join_plan (&builder, &total, names->pdata[i], plans->pdata[i]);
  if (!total.is_blocked)
    g_variant_builder_add_value (&builder, total_to_row (&total));
  return g_variant_ref_sink (g_variant_builder_end (&builder));
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
      const char *error_name = stm_cli_get_string (row, "error");
      const char *name = stm_cli_get_string (row, "name");
      g_autofree char *text = g_strdup_printf ("%s%s%s%s", *name != '\0' ? "'" : "", name,
                                               *name != '\0' ? "': " : "",
                                               stm_cli_get_string (row, "text"));

      if (!g_str_equal (stm_cli_get_string (row, "step"), "blocked"))
        continue;
      refusal = g_dbus_error_new_for_dbus_error (
          g_dbus_is_interface_name (error_name) ? error_name : STEMMA_BUS_NAME ".Error.Failed",
          text);
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

/* A step says how much it moves and frees; of nothing that is a word too much. Only what the
 * service says of no bytes is taken out: a sentence that is not known stays as it is. */
static char *
row_text (GVariant *row)
{
  g_autoptr (GString) text = g_string_new (stm_cli_get_string (row, "text"));
  g_autofree char *nothing = stm_cli_format_size (0);
  g_autofree char *moved = g_strdup_printf (" up to %s of data ", nothing);
  g_autofree char *freed = g_strdup_printf ("; frees %s", nothing);

  if (stm_cli_get_number (row, "bytes") == 0)
    {
      g_string_replace (text, moved, " no data ", 1);
      if (g_str_has_suffix (text->str, freed))
        g_string_truncate (text, text->len - strlen (freed));
    }
  return stm_cli_escape (text->str);
}

/* Where the printing of a plan is. */
typedef struct
{
  char *name;    /* under which lines stand; "" for a plan of one thing */
  guint n_lines; /* of it so far */
} Printer;

static void
end_name (Printer *self)
{
  if (self->n_lines == 0)
    stm_cli_print_line (MARGIN "%sno image is touched", *self->name != '\0' ? MARGIN : "");
  self->n_lines = 0;
}

static void
print_row (Printer *self, GVariant *row)
{
  g_autofree char *text = row_text (row);
  gboolean is_blocked = g_str_equal (stm_cli_get_string (row, "step"), "blocked");

  if (!is_worth_a_line (row))
    return;
  stm_cli_print_line (MARGIN "%s%s%s", *self->name != '\0' ? MARGIN : "",
                      is_blocked ? "blocked: " : "", text);
  self->n_lines++;
}

static void
begin_name (Printer *self, const char *name, gboolean is_first)
{
  g_autofree char *shown = stm_cli_escape (name);

  if (!is_first)
    end_name (self);
  g_free (self->name);
  self->name = g_strdup (name);
  if (*name != '\0')
    stm_cli_print_line (MARGIN "'%s':", shown);
}

void
stm_cli_plan_print (GVariant *rows)
{
  Printer printer = { .name = g_strdup ("") };
  GVariantIter iter;
  GVariant *row = NULL;
  gboolean is_first = TRUE;

  g_variant_iter_init (&iter, rows);
  while (g_variant_iter_loop (&iter, "@a{sv}", &row))
    {
      const char *name = stm_cli_get_string (row, "name");

      if (!g_str_equal (name, printer.name))
        begin_name (&printer, name, is_first);
      is_first = FALSE;
      print_row (&printer, row);
    }
  end_name (&printer);
  g_free (printer.name);
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
stm_cli_plan_show_rows (StmCliCall *call, GVariant *rows)
{
  g_autoptr (GError) refusal = stm_cli_plan_get_refusal (rows);

  if (call->settings->json)
    print_json (rows, refusal);
  else
    stm_cli_plan_print (rows);
  if (refusal != NULL)
    call->status = stm_cli_exit_of (refusal);
  if (refusal != NULL && !call->settings->json)
    stm_cli_hint_print (call, refusal);
  return TRUE;
}

gboolean
stm_cli_plan_show (StmCliCall *call, const char *path, const char *interface, const char *method,
                   GVariant *arguments, GError **error)
{
  g_autoptr (GVariant) rows = stm_cli_plan_get (call, path, interface, method, arguments, error);

  return rows != NULL && stm_cli_plan_show_rows (call, rows);
}

gboolean
stm_cli_plan_announce_rows (StmCliCall *call, GVariant *rows, GError **error)
{
  GError *refusal = stm_cli_plan_get_refusal (rows);

  if (refusal != NULL)
    {
      g_propagate_error (error, refusal);
      return FALSE;
    }

  if (!call->settings->quiet && !call->settings->json)
    stm_cli_plan_print (rows);
  return TRUE;
}

gboolean
stm_cli_plan_announce (StmCliCall *call, const char *path, const char *interface,
                       const char *method, GVariant *arguments, GError **error)
{
  g_autoptr (GVariant) rows = stm_cli_plan_get (call, path, interface, method, arguments, error);

  return rows != NULL && stm_cli_plan_announce_rows (call, rows, error);
}
