/* Measures values as D-Bus marshals them, by the alignment rules of its specification. GVariant's
 * own size is another one: its framing is shorter, so it cannot say whether a message is too long.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "stm-wire-size.h"

#include <string.h>

/* Up to here what is put together stays a tree of values: it takes five times the room, but GDBus
 * writes it twice as fast. */
#define PACK_FROM ((gsize) 2 * 1024 * 1024)

static gsize
align (gsize at, gsize boundary)
{
  return (at + boundary - 1) & ~(boundary - 1);
}

static gsize
alignment_of (const char *type)
{
  switch (*type)
    {
    case 'y':
    case 'g':
    case 'v':
      return 1;
    case 'n':
    case 'q':
      return 2;
    case 'x':
    case 't':
    case 'd':
    case '(':
    case '{':
      return 8;
    default:
      return 4;
    }
}

static gsize
end_of_children (GVariant *value, gsize at)
{
  gsize n_children = g_variant_n_children (value);

  for (gsize i = 0; i < n_children; i++)
    {
      g_autoptr (GVariant) child = g_variant_get_child_value (value, i);

      at = stm_wire_end (child, at);
    }
  return at;
}

static gsize
end_of_text (GVariant *value, gsize at)
{
  gsize length = 0;

  g_variant_get_string (value, &length);
  return at + length + 1;
}

gsize
stm_wire_end (GVariant *value, gsize start)
{
  const char *type = g_variant_get_type_string (value);
  gsize at = align (start, alignment_of (type));
  g_autoptr (GVariant) inner = NULL;

  switch (*type)
    {
    case 's':
    case 'o':
      return end_of_text (value, at + sizeof (guint32));
    case 'g':
      return end_of_text (value, at + 1);
    case 'v':
      inner = g_variant_get_variant (value);
      return stm_wire_end (inner, at + 1 + strlen (g_variant_get_type_string (inner)) + 1);
    case 'a':
      /* The padding before the first element is there even when there is none. */
      return end_of_children (value, align (at + sizeof (guint32), alignment_of (type + 1)));
    case '(':
    case '{':
      return end_of_children (value, at);
    case 'b':
    case 'i':
    case 'u':
    case 'h':
      return at + sizeof (guint32);
    default:
      return at + alignment_of (type);
    }
}

gsize
stm_wire_pack (GVariant *value, gsize start)
{
  gsize end = stm_wire_end (value, start);

  /* Has GLib replace the tree by its bytes; the walk above is faster on the tree. */
  if (end > PACK_FROM)
    g_variant_get_data (value);
  return end;
}
