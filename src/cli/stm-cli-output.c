/* Lays out text on stdout.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "stm-cli-output.h"

#include <stdarg.h>
#include <stdio.h>

#define COLUMN_GAP 2

struct _StmCliTable
{
  GPtrArray *rows; /* GStrv, escaped; the first is the head */
  guint n_columns;
};

/* Marks that turn the direction of writing can make one name look like another. */
static gboolean
is_turning (gunichar c)
{
  return (c >= 0x202a && c <= 0x202e) || (c >= 0x2066 && c <= 0x2069) || c == 0x200e || c == 0x200f
         || c == 0x2028 || c == 0x2029;
}

char *
stm_cli_escape (const char *text)
{
  g_autofree char *valid = g_utf8_make_valid (text, -1);
  GString *escaped = g_string_sized_new (strlen (valid));

  for (const char *at = valid; *at != '\0'; at = g_utf8_next_char (at))
    {
      gunichar c = g_utf8_get_char (at);

      if (c == '\n')
        g_string_append (escaped, "\\n");
      else if (c == '\t')
        g_string_append (escaped, "\\t");
      else if (g_unichar_iscntrl (c) && c < 0x100)
        g_string_append_printf (escaped, "\\x%02x", c);
      else if (is_turning (c))
        g_string_append_printf (escaped, "\\u%04x", c);
      else
        g_string_append_unichar (escaped, c);
    }
  return g_string_free (escaped, FALSE);
}

void
stm_cli_print_line (const char *format, ...)
{
  g_autofree char *line = NULL;
  va_list arguments;

  va_start (arguments, format);
  line = g_strdup_vprintf (format, arguments);
  va_end (arguments);
  g_print ("%s\n", line);
}

void
stm_cli_print_field (const char *title, const char *text)
{
  g_autofree char *shown = stm_cli_escape (text);

  if (*text != '\0')
    stm_cli_print_line ("%-12s %s", title, shown);
}

StmCliTable *
stm_cli_table_new (const char *first_head, ...)
{
  StmCliTable *self = g_new0 (StmCliTable, 1);
  g_autoptr (GPtrArray) heads = g_ptr_array_new ();
  va_list arguments;

  va_start (arguments, first_head);
  for (const char *head = first_head; head != NULL; head = va_arg (arguments, const char *))
    g_ptr_array_add (heads, (gpointer) head);
  va_end (arguments);

  self->n_columns = heads->len;
  self->rows = g_ptr_array_new_with_free_func ((GDestroyNotify) g_strfreev);
  stm_cli_table_add (self, (const char *const *) heads->pdata);
  return self;
}

void
stm_cli_table_add (StmCliTable *self, const char *const *cells)
{
  char **row = g_new0 (char *, self->n_columns + 1);

  for (guint i = 0; i < self->n_columns; i++)
    row[i] = stm_cli_escape (cells[i] != NULL ? cells[i] : "-");
  g_ptr_array_add (self->rows, row);
}

/* Columns of a terminal: wide characters take two, combining ones none. */
static guint
width_of (const char *text)
{
  guint width = 0;

  for (const char *at = text; *at != '\0'; at = g_utf8_next_char (at))
    {
      gunichar c = g_utf8_get_char (at);

      if (!g_unichar_iszerowidth (c))
        width += g_unichar_iswide (c) ? 2 : 1;
    }
  return width;
}

static void
print_row (StmCliTable *self, char **row, const guint *widths)
{
  g_autoptr (GString) line = g_string_new (NULL);

  for (guint i = 0; i < self->n_columns; i++)
    {
      g_string_append (line, row[i]);
      if (i + 1 < self->n_columns)
        g_string_append_printf (line, "%*s", (int) (widths[i] - width_of (row[i]) + COLUMN_GAP),
                                "");
    }
  g_print ("%s\n", g_strchomp (line->str));
}

void
stm_cli_table_print (StmCliTable *self)
{
  g_autofree guint *widths = g_new0 (guint, self->n_columns);

  for (guint i = 0; i < self->rows->len; i++)
    {
      char **row = self->rows->pdata[i];

      for (guint column = 0; column < self->n_columns; column++)
        widths[column] = MAX (widths[column], width_of (row[column]));
    }
  for (guint i = 0; i < self->rows->len; i++)
    print_row (self, self->rows->pdata[i], widths);
}

void
stm_cli_table_free (StmCliTable *self)
{
  g_ptr_array_unref (self->rows);
  g_free (self);
}

char *
stm_cli_format_size (guint64 bytes)
{
  return g_format_size_full (bytes, G_FORMAT_SIZE_IEC_UNITS);
}

char *
stm_cli_format_time (guint64 seconds)
{
  g_autoptr (GDateTime)
      time = seconds > G_MAXINT64 ? NULL : g_date_time_new_from_unix_local ((gint64) seconds);

  return time != NULL ? g_date_time_format (time, "%Y-%m-%d %H:%M:%S")
                      : g_strdup_printf ("@%" G_GUINT64_FORMAT, seconds);
}

const char *
stm_cli_get_string (GVariant *properties, const char *name)
{
  const char *text = "";

  if (!g_variant_lookup (properties, name, "&s", &text))
    g_variant_lookup (properties, name, "&o", &text);
  return text;
}

guint64
stm_cli_get_number (GVariant *properties, const char *name)
{
  guint64 large = 0;
  guint32 small = 0;

  if (g_variant_lookup (properties, name, "t", &large))
    return large;
  if (g_variant_lookup (properties, name, "u", &small))
    return small;
  return 0;
}

gboolean
stm_cli_get_boolean (GVariant *properties, const char *name)
{
  gboolean value = FALSE;

  g_variant_lookup (properties, name, "b", &value);
  return value;
}
