/* One line for each node, behind a margin that shows what it stands on.
 *
 * Nothing recurses, and the margin has a limit: the drawing of a chain a hundred thousand deep
 * would else have a size of its square.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "stm-cli-tree.h"

#include "stemma-tree.h"
#include "stm-cli-output.h"

/* Deeper nodes have their number of levels in the place of the first ones. */
#define MAX_LEVELS 32
#define SHOWN_LEVELS 8

typedef struct
{
  const char *branch;
  const char *last_branch;
  const char *line;
  const char *space;
  const char *arrow;
  const char *more;
} Lines;

static const Lines plain = { "|- ", "`- ", "|  ", "   ", "<-", "..." };
static const Lines drawn = { "├─ ", "└─ ", "│  ", "   ", "←", "…" };

/* The levels that have a line below them: byte n is that of depth n. */
static void
note_level (GByteArray *levels, const StemmaNode *node)
{
  guint8 has_more = node->next_sibling != NULL;

  g_byte_array_set_size (levels, node->depth + 1);
  levels->data[node->depth] = has_more;
}

static void
append_margin (GString *line, GByteArray *levels, const StemmaNode *node, const Lines *lines)
{
  guint first = 0;

  if (node->depth > MAX_LEVELS)
    {
      first = node->depth - SHOWN_LEVELS;
      g_string_append_printf (line, "%s %u ", lines->more, first);
    }
  for (guint depth = first; depth < node->depth; depth++)
    g_string_append (line, levels->data[depth] != 0 ? lines->line : lines->space);
  g_string_append (line, node->next_sibling != NULL ? lines->branch : lines->last_branch);
}

static void
append_node (GString *line, const StemmaNode *node, const char *head_word, const Lines *lines)
{
  g_autofree char *name = stm_cli_escape (node->name);
  const char *health = stm_cli_get_string (node->properties, "Health");
  const char *state = stm_cli_get_string (node->properties, "State");

  g_string_append (line, name);
  if (*state != '\0' && !g_str_equal (state, "shutoff"))
    g_string_append_printf (line, "  [%s]", state);
  if (*health != '\0' && !g_str_equal (health, "ok"))
    g_string_append_printf (line, "  [%s]", health);
  if (node->is_head)
    g_string_append_printf (line, "  %s %s", lines->arrow, head_word);
}

void
stm_cli_tree_print (GPtrArray *nodes, const char *head_word)
{
  const Lines *lines = g_get_charset (NULL) ? &drawn : &plain;
  g_autoptr (GByteArray) levels = g_byte_array_new ();
  g_autoptr (GString) line = g_string_new (NULL);

  for (guint i = 0; i < nodes->len; i++)
    {
      const StemmaNode *node = nodes->pdata[i];

      g_string_truncate (line, 0);
      note_level (levels, node);
      append_margin (line, levels, node, lines);
      append_node (line, node, head_word, lines);
      g_print ("%s\n", line->str);
    }
}
